//! HPKE (RFC 9180) in base mode with X25519, HKDF-SHA256 and AES-256-GCM: the one place that calls the `hpke` crate.
//!
//! What a message is bound to is decided by its caller through `info` and the associated data.

use crate::secret::Secret;
use core::convert::Infallible;
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand_core::CryptoRngCore;

/// Bytes of an encapsulated key.
pub(crate) const KEY_BYTES: usize = 32;
/// Bytes that sealing adds: the encapsulated key and the tag.
pub(crate) const SEAL_OVERHEAD: usize = KEY_BYTES + 16;

type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type EncappedKey = <X25519HkdfSha256 as Kem>::EncappedKey;

/// Why nothing was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenError {
    /// Shorter than [`SEAL_OVERHEAD`].
    Truncated,
    /// The encapsulated key is a point of small order.
    SmallOrderKey,
    /// Another key, other `info`, other associated data or an altered ciphertext; these can't be told apart.
    Unreadable,
}

/// The clamped secret key with its public key; any 32 bytes are a secret key (RFC 7748).
pub(crate) fn key_pair(bytes: &[u8; 32]) -> (Secret<[u8; 32]>, [u8; 32]) {
    let secret = PrivateKey::from_bytes(bytes).expect("32 bytes are an X25519 private key");
    let public = X25519HkdfSha256::sk_to_pk(&secret).to_bytes().into();
    (Secret::new(secret.to_bytes().into()), public)
}

/// Seals `plaintext` for a recipient whose key is not of small order: encapsulated key, ciphertext, tag.
///
/// # Panics
/// For a key of small order and for plaintexts above 64 GiB, the limit of AES-GCM.
pub(crate) fn seal(
    recipient: &[u8; 32],
    info: &[u8],
    associated: &[u8],
    plaintext: &[u8],
    rng: &mut impl CryptoRngCore,
) -> Vec<u8> {
    let key = PublicKey::from_bytes(recipient).expect("32 bytes are an X25519 public key");
    let (encapped, ciphertext) = hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &key,
        info,
        plaintext,
        associated,
        &mut NewerRng(rng),
    )
    .expect("the recipient's key is not of small order and the plaintext is below AES-GCM's limit");
    [&encapped.to_bytes()[..], &ciphertext].concat()
}

/// Opens what [`seal`] made.
pub(crate) fn open(
    secret: &Secret<[u8; 32]>,
    info: &[u8],
    associated: &[u8],
    sealed: &[u8],
) -> Result<Secret<Vec<u8>>, OpenError> {
    let (encapped, ciphertext) = sealed.split_first_chunk::<KEY_BYTES>().ok_or(OpenError::Truncated)?;
    let secret = PrivateKey::from_bytes(secret.expose()).map_err(|_| OpenError::Unreadable)?;
    let encapped = EncappedKey::from_bytes(encapped).map_err(|_| OpenError::SmallOrderKey)?;
    hpke::single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &secret,
        &encapped,
        info,
        ciphertext,
        associated,
    )
    .map(Secret::new)
    .map_err(|error| match error {
        hpke::HpkeError::DecapError => OpenError::SmallOrderKey,
        _ => OpenError::Unreadable,
    })
}

/// Hands a random source of this crate's `rand_core` (0.6) to `hpke`, which wants 0.10. The bytes pass unchanged.
struct NewerRng<'a, R>(&'a mut R);

impl<R: CryptoRngCore> hpke::rand_core::TryRng for NewerRng<'_, R> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

impl<R: CryptoRngCore> hpke::rand_core::TryCryptoRng for NewerRng<'_, R> {}
