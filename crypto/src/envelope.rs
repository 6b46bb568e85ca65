//! Hybrid encryption of a bid on its way to the aggregator or a validator (specification section 4, transport).
//!
//! HPKE (RFC 9180) in base mode with X25519, HKDF-SHA256 and AES-256-GCM. The envelope hides from the network who
//! bids; the account stays inside of the plaintext. On the wire:
//!
//! ```text
//! round id (8, little-endian) ‖ encapsulated key (32) ‖ ciphertext with its tag (plaintext + 16)
//! ```
//!
//! # Security
//!
//! The key schedule is bound to label, protocol version, ledger and recipient (`info`), the ciphertext to the round
//! (associated data), so an envelope opens for nobody and nowhere else. It does not authenticate the sender: the bid
//! inside does. Base mode cannot tell an altered envelope from one for another key, so these two share one error.

use crate::hybrid::{self, OpenError, SEAL_OVERHEAD};
use crate::labels;
use crate::secret::Secret;
use crate::wire::WireError;
use curve25519_dalek::montgomery::MontgomeryPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use rand_core::CryptoRngCore;
use thiserror::Error;

/// Bytes that an envelope adds to its plaintext.
pub const ENVELOPE_OVERHEAD: usize = ROUND_BYTES + SEAL_OVERHEAD;
const ROUND_BYTES: usize = 8;

/// Why an envelope was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    /// Less bytes than the shortest envelope has.
    #[error("envelope is cut off: {found} bytes, the shortest has {needed}; send it again")]
    Truncated {
        /// Bytes that came.
        found: usize,
        /// Bytes of an envelope with an empty plaintext.
        needed: usize,
    },
    /// More plaintext than the receiver takes.
    #[error(
        "envelope holds {found} bytes, at most {bound} are taken; check the market parameters of the sender"
    )]
    TooLong {
        /// Plaintext bytes in the envelope.
        found: usize,
        /// Plaintext bytes allowed.
        bound: usize,
    },
    /// The encapsulated key is a point of small order, which no honest sender makes.
    #[error("encapsulated key has small order: the sender is broken or hostile")]
    SmallOrderKey,
    /// Sealed to another key, for another ledger, or altered on the way.
    #[error(
        "envelope does not open: it was sealed to another key or ledger, or altered on the way; check the recipient's address"
    )]
    Unreadable,
}

/// The secret half of a recipient's envelope key.
#[derive(Clone, Debug)]
pub struct EnvelopeKey {
    secret: Secret<[u8; 32]>,
    public: EnvelopePublicKey,
}

/// A recipient's envelope key: a canonical X25519 coordinate that is not of small order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnvelopePublicKey([u8; 32]);

impl EnvelopeKey {
    /// A fresh key.
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        let mut bytes = Secret::new([0u8; 32]);
        rng.fill_bytes(bytes.expose_mut());
        Self::from_bytes(bytes.expose())
    }

    /// A key read back; any 32 bytes are a key, clamped as RFC 7748 says.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let (secret, public) = hybrid::key_pair(bytes);
        Self { secret, public: EnvelopePublicKey(public) }
    }

    /// The key's bytes.
    pub fn to_bytes(&self) -> Secret<[u8; 32]> {
        self.secret.clone()
    }

    /// The public half.
    pub fn public(&self) -> EnvelopePublicKey {
        self.public
    }
}

impl EnvelopePublicKey {
    /// Decodes a public key.
    ///
    /// # Errors
    /// [`WireError::Invalid`] for a non-canonical coordinate and for points of small order: a secret shared with
    /// one of those is known to everybody.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, WireError> {
        let field = "envelope key";
        let point = MontgomeryPoint(*bytes);
        if (point * Scalar::from(8u8)).is_identity() {
            return Err(WireError::Invalid { field, why: "a point of small order" });
        }
        // The product is encoded canonically, so it differs from a non-canonical input.
        if (point * Scalar::ONE).to_bytes() != *bytes {
            return Err(WireError::Invalid { field, why: "not a canonical X25519 coordinate" });
        }
        Ok(Self(*bytes))
    }

    /// Canonical encoding.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0
    }
}

/// What an envelope is bound to besides its round.
#[derive(Clone, Copy, Debug)]
pub struct EnvelopeAddress<'a> {
    /// The ledger that the bid is for.
    pub ledger_id: &'a [u8; 32],
    /// Who opens the envelope.
    pub recipient: &'a EnvelopePublicKey,
}

impl EnvelopeAddress<'_> {
    /// HPKE's `info`: label ‖ protocol version ‖ ledger ‖ recipient. All but the label have fixed length.
    pub fn info(&self) -> Vec<u8> {
        let mut info = labels::ENVELOPE.to_vec();
        info.extend_from_slice(&labels::PROTOCOL_VERSION.to_le_bytes());
        info.extend_from_slice(self.ledger_id);
        info.extend_from_slice(&self.recipient.0);
        info
    }
}

/// Seals `plaintext` for `recipient`; the result is [`ENVELOPE_OVERHEAD`] bytes longer.
///
/// # Panics
/// Only for plaintexts above 64 GiB, the limit of AES-GCM.
pub fn seal_envelope(
    recipient: &EnvelopePublicKey,
    ledger_id: &[u8; 32],
    round_id: u64,
    plaintext: &[u8],
    rng: &mut impl CryptoRngCore,
) -> Vec<u8> {
    let round = round_id.to_le_bytes();
    let info = EnvelopeAddress { ledger_id, recipient }.info();
    [&round[..], &hybrid::seal(&recipient.0, &info, &round, plaintext, rng)].concat()
}

/// Opens an envelope that was sealed for `key` and returns its round with the plaintext.
///
/// # Errors
/// [`EnvelopeError`]; the length is checked before anything is decrypted or allocated.
pub fn open_envelope(
    key: &EnvelopeKey,
    ledger_id: &[u8; 32],
    bytes: &[u8],
    max_plaintext: usize,
) -> Result<(u64, Vec<u8>), EnvelopeError> {
    let truncated = EnvelopeError::Truncated { found: bytes.len(), needed: ENVELOPE_OVERHEAD };
    let plaintext_bytes = bytes.len().checked_sub(ENVELOPE_OVERHEAD).ok_or(truncated)?;
    if plaintext_bytes > max_plaintext {
        return Err(EnvelopeError::TooLong { found: plaintext_bytes, bound: max_plaintext });
    }
    let (round, rest) = bytes.split_first_chunk::<ROUND_BYTES>().ok_or(truncated)?;
    let info = EnvelopeAddress { ledger_id, recipient: &key.public }.info();
    let mut plaintext = hybrid::open(&key.secret, &info, round, rest).map_err(|error| match error {
        OpenError::Truncated => truncated,
        OpenError::SmallOrderKey => EnvelopeError::SmallOrderKey,
        OpenError::Unreadable => EnvelopeError::Unreadable,
    })?;
    Ok((u64::from_le_bytes(*round), std::mem::take(plaintext.expose_mut())))
}
