//! A member's keyring: one seed, three branches, and from the view branch one key per round (specification section 9).
//!
//! ```text
//! seed ─┬─ view  ─ epoch ─ round ─┬─ salt        = HMAC(round key, orders ‖ context)
//!       │                         ├─ randomness r = HKDF(round key, salt, "r")
//!       │                         └─ note key     = HKDF(round key, salt, "note key")
//!       ├─ spend ─ epoch           account key
//!       └─ proof ─ epoch ─ round   seed of the randomness of proofs and signatures
//! ```
//!
//! # Security
//!
//! Each arrow is HKDF-SHA256 (RFC 5869) with its own label, so a key tells nothing about its parent, its siblings or
//! another branch. Only the view branch may be handed to a grantee: it opens bids, but it signs nothing, and the
//! randomness of proofs never comes from it, so a grant neither forges nor moves anything. A grant of a round or of
//! an epoch cannot be taken back.

use crate::labels;
use crate::schnorr::SigningKey;
use crate::secret::Secret;
use curve25519_dalek::scalar::Scalar;
use hkdf::Hkdf;
use hkdf::hmac::{Hmac, Mac};
use rand_core::CryptoRngCore;
use sha2::Sha256;

/// A derived 32-byte secret.
type Key = Secret<[u8; 32]>;

/// Expands `parent` under `label` and the little-endian `indices` to `N` secret bytes.
fn derive<const N: usize>(salt: &[u8], parent: &Key, label: &[u8], indices: &[u64]) -> Secret<[u8; N]> {
    let mut info = label.to_vec();
    for index in indices {
        info.extend_from_slice(&index.to_le_bytes());
    }
    let mut out = Secret::new([0u8; N]);
    Hkdf::<Sha256>::new(Some(salt), parent.expose())
        .expand(&info, out.expose_mut())
        .expect("HKDF-SHA256 yields up to 8160 bytes and the callers ask for at most 64");
    out
}

/// A child key of one of the keyring's keys.
fn child(parent: &Key, label: &[u8], indices: &[u64]) -> Key {
    derive(labels::WALLET, parent, label, indices)
}

/// Reduces 64 derived bytes to a scalar; the bias is below 2^-250.
fn wide_scalar(bytes: &Secret<[u8; 64]>) -> Secret<Scalar> {
    Secret::new(Scalar::from_bytes_mod_order_wide(bytes.expose()))
}

/// The 32 bytes that a whole keyring is rebuilt from.
#[derive(Clone, Debug)]
pub struct KeyringSeed(Key);

impl KeyringSeed {
    /// A fresh seed.
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        let mut seed = Secret::new([0u8; 32]);
        rng.fill_bytes(seed.expose_mut());
        Self(seed)
    }

    /// A seed read back from where the owner keeps it.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }

    /// The seed's bytes, to be kept by the owner.
    pub fn to_bytes(&self) -> Secret<[u8; 32]> {
        self.0.clone()
    }
}

/// The keys of one member, in three branches.
#[derive(Clone, Debug)]
pub struct Keyring {
    view: Key,
    spend: Key,
    proof: Key,
}

impl Keyring {
    /// Derives the branches; the seed itself is not kept.
    pub fn from_seed(seed: &KeyringSeed) -> Self {
        Self {
            view: child(&seed.0, labels::WALLET_VIEW, &[]),
            spend: child(&seed.0, labels::WALLET_SPEND, &[]),
            proof: child(&seed.0, labels::WALLET_PROOF, &[]),
        }
    }

    /// The key that signs for the member's account in a key epoch (spend branch).
    pub fn account_key(&self, key_epoch: u64) -> SigningKey {
        let bytes = derive(labels::WALLET, &self.spend, labels::WALLET_EPOCH, &[key_epoch]);
        SigningKey::from_scalar(wide_scalar(&bytes))
            .expect("a hash output is zero modulo the group order with probability 2^-252")
    }

    /// The key that discloses every round of a key epoch (view branch).
    pub fn epoch_view_key(&self, key_epoch: u64) -> EpochViewKey {
        EpochViewKey(child(&self.view, labels::WALLET_EPOCH, &[key_epoch]))
    }

    /// The key that discloses one round (view branch).
    pub fn round_view_key(&self, key_epoch: u64, round_id: u64) -> RoundViewKey {
        self.epoch_view_key(key_epoch).round(round_id)
    }

    /// The bytes of the key that opens the readings of the member's account in a key epoch (view branch).
    pub(crate) fn reading_key(&self, key_epoch: u64) -> Secret<[u8; 32]> {
        derive(labels::WALLET, &self.view, labels::WALLET_READING, &[key_epoch])
    }

    /// Seeds the randomness of the proofs and signatures of a round (proof branch). Callers mix in the statement and
    /// system randomness; the seed alone repeats for every proof of the round.
    pub fn proof_seed(&self, key_epoch: u64, round_id: u64) -> Secret<[u8; 32]> {
        let epoch = child(&self.proof, labels::WALLET_EPOCH, &[key_epoch]);
        child(&epoch, labels::WALLET_ROUND, &[round_id])
    }
}

/// Discloses every round of one key epoch, and nothing else.
#[derive(Clone, Debug)]
pub struct EpochViewKey(Key);

impl EpochViewKey {
    /// The view key of one round of the epoch.
    pub fn round(&self, round_id: u64) -> RoundViewKey {
        RoundViewKey(child(&self.0, labels::WALLET_ROUND, &[round_id]))
    }

    /// The key's bytes, to be granted encrypted to the grantee.
    pub fn to_bytes(&self) -> Secret<[u8; 32]> {
        self.0.clone()
    }

    /// A granted key.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }
}

/// Discloses one round's bid, and nothing else.
#[derive(Clone, Debug)]
pub struct RoundViewKey(Key);

impl RoundViewKey {
    /// The salt of a bid: a pseudo-random function of everything that the bid says. Two bids that differ anywhere
    /// therefore share neither salt nor randomness, also when the member was restored from its seed and has forgotten the first.
    pub fn salt(&self, message: &[u8]) -> [u8; 32] {
        let mut mac =
            <Hmac<Sha256> as Mac>::new_from_slice(self.0.expose()).expect("HMAC takes keys of any length");
        mac.update(labels::BID_SALT);
        mac.update(message);
        mac.finalize().into_bytes().into()
    }

    /// The randomness r of the bid with this salt.
    pub fn randomness(&self, salt: &[u8; 32]) -> Secret<Scalar> {
        wide_scalar(&derive(salt, &self.0, labels::BID_RANDOMNESS, &[]))
    }

    /// The blinding γ of the cost of the bid with this salt.
    pub fn cost_blinding(&self, salt: &[u8; 32]) -> Secret<Scalar> {
        wide_scalar(&derive(salt, &self.0, labels::BID_COST, &[]))
    }

    /// The key of the recovery note of the bid with this salt.
    pub fn note_key(&self, salt: &[u8; 32]) -> Secret<[u8; 32]> {
        derive(salt, &self.0, labels::BID_NOTE_KEY, &[])
    }

    /// The key's bytes, to be granted encrypted to the grantee.
    pub fn to_bytes(&self) -> Secret<[u8; 32]> {
        self.0.clone()
    }

    /// A granted key.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_indices_parents_and_salts_separate() {
        let parent = Secret::new([1; 32]);
        let base: Secret<[u8; 32]> = derive(b"s", &parent, b"label", &[1]);
        let others: [Secret<[u8; 32]>; 5] = [
            derive(b"t", &parent, b"label", &[1]),
            derive(b"s", &Secret::new([2; 32]), b"label", &[1]),
            derive(b"s", &parent, b"labem", &[1]),
            derive(b"s", &parent, b"label", &[2]),
            derive(b"s", &parent, b"label", &[1, 0]),
        ];
        assert!(others.iter().all(|other| other.expose() != base.expose()));
    }

    #[test]
    fn branches_differ() {
        let keyring = Keyring::from_seed(&KeyringSeed::from_bytes([7; 32]));
        assert_ne!(keyring.view.expose(), keyring.spend.expose());
        assert_ne!(keyring.view.expose(), keyring.proof.expose());
        assert_ne!(keyring.spend.expose(), keyring.proof.expose());
        assert_ne!(keyring.view.expose(), &[7; 32]);
    }

    #[test]
    fn debug_shows_no_key() {
        let keyring = Keyring::from_seed(&KeyringSeed::from_bytes([7; 32]));
        let shown = format!("{keyring:?} {:?} {:?}", keyring.epoch_view_key(1), keyring.round_view_key(1, 2));
        assert_eq!(shown.matches("redacted").count(), 5);
        assert!(!shown.contains(|c: char| c.is_ascii_digit()));
    }
}
