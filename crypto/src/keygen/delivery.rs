//! Dealt shares on the ledger: sealed to each receiver under a key that it announced for this session alone.

use super::context::{SessionContext, Signed};
use super::deal::DealtShares;
use super::read_number;
use crate::envelope::{EnvelopeKey, EnvelopePublicKey};
use crate::hybrid::{self, OpenError, SEAL_OVERHEAD};
use crate::labels;
use crate::schnorr::{SignatureBytes, SigningKey};
use crate::secret::Secret;
use crate::wire::{Reader, WireError, Writer};
use merlin::Transcript;
use rand_core::CryptoRngCore;
use thiserror::Error;

/// A receiver's secret key for one session. Opening consumes it, so that nothing that was sent in the session can be
/// read later from what the receiver still has.
#[derive(Debug)]
pub struct OneTimeKey(EnvelopeKey);

/// A receiver's public one-time key, signed for this session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyAnnouncement {
    /// The receiver, 1..=n'.
    pub receiver: u16,
    /// The X25519 key.
    pub key: [u8; 32],
    /// The receiver's signature over context and announcement.
    pub signature: SignatureBytes,
}

/// The shares of all receivers from one dealer, sealed; in the order of the receivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The dealer, 1..=n.
    pub dealer: u16,
    /// Digest of the dealer's package, which the shares are checked against.
    pub package: [u8; 32],
    /// Receiver and sealed shares ([`sealed_bytes`] each).
    pub sealed: Vec<(u16, Vec<u8>)>,
    /// The dealer's signature over context and delivery.
    pub signature: SignatureBytes,
}

/// What is wrong with sealed shares, seen by their receiver alone. Each is a reason to complain.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DeliveryFault {
    /// There is nothing for this receiver.
    #[error("dealer {dealer} delivered nothing to receiver {receiver}")]
    Missing {
        /// The dealer.
        dealer: u16,
        /// The receiver.
        receiver: u16,
    },
    /// Not sealed to the announced key and for this session, dealer, receiver and package, or altered.
    #[error("the shares that dealer {dealer} sealed for receiver {receiver} do not open")]
    Unreadable {
        /// The dealer.
        dealer: u16,
        /// The receiver.
        receiver: u16,
    },
    /// The plaintext is not a list of shares.
    #[error("the shares that dealer {dealer} sealed for receiver {receiver} do not decode: {source}")]
    Encoding {
        /// The dealer.
        dealer: u16,
        /// The receiver.
        receiver: u16,
        /// What is wrong with the encoding.
        source: WireError,
    },
    /// The plaintext names another dealer or receiver.
    #[error("what dealer {dealer} sealed for receiver {receiver} are shares of other parties")]
    Misaddressed {
        /// The dealer.
        dealer: u16,
        /// The receiver.
        receiver: u16,
    },
    /// A share does not match the dealer's commitments.
    #[error("dealer {dealer}, receiver {receiver}, key {key}: the share does not match the commitments")]
    FalseShare {
        /// The dealer.
        dealer: u16,
        /// The receiver.
        receiver: u16,
        /// The first key with a false share.
        key: u32,
    },
}

impl OneTimeKey {
    /// A fresh key; one for each session and receiver.
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        Self(EnvelopeKey::generate(rng))
    }

    /// A key read back after a restart.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(EnvelopeKey::from_bytes(bytes))
    }

    /// The key's bytes, to be stored encrypted until the shares are opened.
    pub fn to_bytes(&self) -> Secret<[u8; 32]> {
        self.0.to_bytes()
    }

    /// The public half.
    pub fn public(&self) -> EnvelopePublicKey {
        self.0.public()
    }

    /// Announces the key as receiver `receiver`, signed with its validator's key.
    pub fn announce(
        &self,
        ctx: &SessionContext,
        receiver: u16,
        key: &SigningKey,
        rng: &mut impl CryptoRngCore,
    ) -> KeyAnnouncement {
        let mut made = KeyAnnouncement { receiver, key: self.public().to_bytes(), signature: [0; 64] };
        made.signature = key.sign(&mut made.transcript(ctx), rng);
        made
    }

    /// Opens what one dealer sealed for `receiver`. Borrowed here, consumed by [`super::Session::open`], which opens
    /// all deliveries of the session.
    pub(super) fn open(
        &self,
        ctx: &SessionContext,
        receiver: u16,
        delivery: &Delivery,
    ) -> Result<DealtShares, DeliveryFault> {
        let dealer = delivery.dealer;
        let mine = delivery.sealed.iter().find(|(number, _)| *number == receiver);
        let (_, sealed) = mine.ok_or(DeliveryFault::Missing { dealer, receiver })?;
        let info = sealed_info(ctx, dealer, receiver, &delivery.package, &self.public());
        let plaintext = hybrid::open(&self.to_bytes(), &info, &[], sealed).map_err(|error| match error {
            OpenError::Truncated | OpenError::SmallOrderKey | OpenError::Unreadable => {
                DeliveryFault::Unreadable { dealer, receiver }
            }
        })?;
        let shares = DealtShares::decode(plaintext.expose(), ctx.key_count())
            .map_err(|source| DeliveryFault::Encoding { dealer, receiver, source })?;
        if (shares.dealer, shares.receiver) != (dealer, receiver) {
            return Err(DeliveryFault::Misaddressed { dealer, receiver });
        }
        Ok(shares)
    }
}

impl KeyAnnouncement {
    pub(super) fn write(&self, w: &mut Writer) {
        w.u16(self.receiver).bytes(&self.key).bytes(&self.signature);
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let receiver = read_number(r, "receiver")?;
        Ok(Self { receiver, key: r.array("one-time key")?, signature: r.array("signature")? })
    }
}

impl Signed for KeyAnnouncement {
    fn transcript(&self, ctx: &SessionContext) -> Transcript {
        let mut w = Writer::new();
        w.u16(self.receiver).bytes(&self.key);
        ctx.transcript(labels::KEYGEN_ANNOUNCEMENT, &w.finish())
    }

    fn signature(&self) -> &SignatureBytes {
        &self.signature
    }
}

impl Delivery {
    /// Seals every receiver's shares under its announced key and signs the whole. `announced` are the receivers that
    /// announced a key, in rising order ([`super::Session::announced`]); `package` is
    /// [`super::Package::digest`] of the dealer's package.
    ///
    /// # Panics
    /// When `dealt` lacks the shares of an announced receiver: [`super::deal`] makes those of all.
    pub fn seal(
        ctx: &SessionContext,
        dealer: u16,
        package: [u8; 32],
        dealt: &[DealtShares],
        announced: &[(u16, EnvelopePublicKey)],
        key: &SigningKey,
        rng: &mut impl CryptoRngCore,
    ) -> Self {
        let mut seal = |(receiver, recipient): &(u16, EnvelopePublicKey)| {
            let shares = dealt.iter().find(|d| d.receiver == *receiver).expect("shares of every receiver");
            let info = sealed_info(ctx, dealer, *receiver, &package, recipient);
            (*receiver, hybrid::seal(&recipient.to_bytes(), &info, &[], shares.to_bytes().expose(), rng))
        };
        let sealed = announced.iter().map(&mut seal).collect();
        let mut made = Self { dealer, package, sealed, signature: [0; 64] };
        made.sign(ctx, key, rng);
        made
    }

    /// Signs the delivery anew with the dealer's key.
    pub fn sign(&mut self, ctx: &SessionContext, key: &SigningKey, rng: &mut impl CryptoRngCore) {
        self.signature = key.sign(&mut self.transcript(ctx), rng);
    }

    fn write_unsigned(&self, w: &mut Writer) {
        w.u16(self.dealer).bytes(&self.package).length(self.sealed.len());
        self.sealed.iter().for_each(|(receiver, sealed)| {
            w.u16(*receiver).bytes(sealed);
        });
    }

    pub(super) fn write(&self, w: &mut Writer) {
        self.write_unsigned(w);
        w.bytes(&self.signature);
    }

    pub(super) fn read(r: &mut Reader<'_>, ctx: &SessionContext) -> Result<Self, WireError> {
        let (dealer, package) = (read_number(r, "dealer")?, r.array("package digest")?);
        let size = sealed_bytes(ctx.keys);
        let count = r.length("sealed shares", ctx.receivers.validators.into(), 2 + size)?;
        let mut sealed = Vec::with_capacity(count);
        for _ in 0..count {
            sealed.push((read_number(r, "receiver")?, r.bytes("sealed shares", size)?.to_vec()));
        }
        Ok(Self { dealer, package, sealed, signature: r.array("signature")? })
    }
}

impl Signed for Delivery {
    fn transcript(&self, ctx: &SessionContext) -> Transcript {
        let mut w = Writer::new();
        self.write_unsigned(&mut w);
        ctx.transcript(labels::KEYGEN_DELIVERY, &w.finish())
    }

    fn signature(&self) -> &SignatureBytes {
        &self.signature
    }
}

/// Length of the sealed shares of one receiver: every session has one length.
pub fn sealed_bytes(keys: u32) -> usize {
    // dealer, receiver, number of keys, shares
    2 + 2 + 4 + 32 * keys as usize + SEAL_OVERHEAD
}

/// HPKE's `info`: label ‖ protocol version ‖ context ‖ dealer ‖ receiver ‖ package ‖ recipient's key. All but the
/// label have fixed length.
fn sealed_info(
    ctx: &SessionContext,
    dealer: u16,
    receiver: u16,
    package: &[u8; 32],
    recipient: &EnvelopePublicKey,
) -> Vec<u8> {
    let mut w = Writer::new();
    w.bytes(labels::KEYGEN_SEALED).u16(labels::PROTOCOL_VERSION).bytes(&ctx.to_bytes());
    w.u16(dealer).u16(receiver).bytes(package).bytes(&recipient.to_bytes());
    w.finish()
}
