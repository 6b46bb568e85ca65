//! Consensus keys, and the validators of an epoch in the order in which certificates name them.

use super::vote::{Ballot, Vote};
use core::fmt;
use ed25519_zebra::{SigningKey, VerificationKey, VerificationKeyBytes};
use rand_core::CryptoRngCore;
use thiserror::Error;
use veilgrid_crypto::keygen::MAX_VALIDATORS;
use veilgrid_crypto::secret::Secret;

/// A consensus key as it stands in a roster: 32 bytes, an encoded Ed25519 point.
pub type ConsensusKeyBytes = [u8; 32];

/// Why a list of consensus keys is no validator set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ValidatorSetFault {
    /// No validator, or more than a network may have.
    #[error("a validator set of {count} keys; it must have between 1 and {MAX_VALIDATORS}")]
    Count {
        /// Keys that were given.
        count: usize,
    },
    /// Bytes that are no Ed25519 public key.
    #[error("consensus key {position} (from 0) is not an Ed25519 public key")]
    Key {
        /// Place in the list.
        position: usize,
    },
    /// One key twice.
    #[error("the validator set names a consensus key twice")]
    Repeated,
}

/// The secret half of a consensus key. It votes, and identifies a validator to its peers.
#[derive(Clone)]
pub struct ConsensusKey(Secret<SigningKey>);

impl ConsensusKey {
    /// A new key.
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        let mut seed = Secret::new([0u8; 32]);
        rng.fill_bytes(seed.expose_mut());
        Self::from_seed(&seed)
    }

    /// The key of a seed as RFC 8032 has it. Every string of 32 bytes is a seed.
    pub fn from_seed(seed: &Secret<[u8; 32]>) -> Self {
        Self(Secret::new(SigningKey::from(*seed.expose())))
    }

    /// The seed, to store it encrypted or to hand it to an engine.
    pub fn seed(&self) -> Secret<[u8; 32]> {
        Secret::new(self.0.expose().to_bytes())
    }

    /// The public half.
    pub fn public(&self) -> ConsensusKeyBytes {
        VerificationKeyBytes::from(self.0.expose()).into()
    }

    /// Votes for a block. The same ballot gives the same bytes. Whoever calls this must never vote for two blocks of one
    /// view.
    pub fn vote(&self, ballot: &Ballot) -> Vote {
        Vote { validator: self.public(), signature: self.0.expose().sign(&ballot.message()).to_bytes() }
    }
}

impl fmt::Debug for ConsensusKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConsensusKey(redacted)")
    }
}

/// The validators of an epoch in the order of a certificate's bits: by their keys' bytes.
pub(super) struct ValidatorSet(Vec<(ConsensusKeyBytes, VerificationKey)>);

impl ValidatorSet {
    pub(super) fn new(keys: &[ConsensusKeyBytes]) -> Result<Self, ValidatorSetFault> {
        if keys.is_empty() || keys.len() > usize::from(MAX_VALIDATORS) {
            return Err(ValidatorSetFault::Count { count: keys.len() });
        }
        let decoded = |(position, key): (usize, &ConsensusKeyBytes)| match VerificationKey::try_from(*key) {
            Ok(point) => Ok((*key, point)),
            Err(_) => Err(ValidatorSetFault::Key { position }),
        };
        let mut set: Vec<_> = keys.iter().enumerate().map(decoded).collect::<Result<_, _>>()?;
        set.sort_unstable_by_key(|(key, _)| *key);
        let repeated = set.windows(2).any(|pair| pair[0].0 == pair[1].0);
        if repeated { Err(ValidatorSetFault::Repeated) } else { Ok(Self(set)) }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn place_of(&self, key: &ConsensusKeyBytes) -> Option<usize> {
        self.0.binary_search_by_key(key, |(key, _)| *key).ok()
    }

    pub(super) fn key(&self, place: usize) -> Option<ConsensusKeyBytes> {
        self.0.get(place).map(|(key, _)| *key)
    }

    /// Whether the signature is that of the validator at this place (ZIP 215, ADR 0027).
    pub(super) fn holds(&self, place: usize, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.get(place).is_some_and(|(_, key)| key.verify(&(*signature).into(), message).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    fn key(byte: u8) -> ConsensusKeyBytes {
        ConsensusKey::from_seed(&Secret::new([byte; 32])).public()
    }

    #[test]
    fn keys_are_of_the_generator_and_of_their_seeds() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let (first, second) = (ConsensusKey::generate(&mut rng), ConsensusKey::generate(&mut rng));
        assert_ne!(first.public(), second.public());
        assert_eq!(ConsensusKey::from_seed(&first.seed()).public(), first.public());
        assert_eq!(format!("{first:?}"), "ConsensusKey(redacted)");
    }

    /// RFC 8032, section 7.1, test 1.
    #[test]
    fn keys_are_those_of_the_standard() {
        let seed = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let public = hex::decode("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        let seed: [u8; 32] = seed.expect("hex").try_into().expect("32 bytes");
        assert_eq!(ConsensusKey::from_seed(&Secret::new(seed)).public().to_vec(), public.expect("hex"));
    }

    #[test]
    fn validator_sets_are_bounded_and_hold_keys_once() {
        // No point has this y.
        let mut no_key = [0xff; 32];
        no_key[0] = 2;
        let many = vec![key(1); usize::from(MAX_VALIDATORS) + 1];
        let fault = |keys: &[ConsensusKeyBytes]| ValidatorSet::new(keys).err();
        assert_eq!(fault(&[]), Some(ValidatorSetFault::Count { count: 0 }));
        assert_eq!(fault(&many), Some(ValidatorSetFault::Count { count: many.len() }));
        assert_eq!(fault(&[key(1), no_key]), Some(ValidatorSetFault::Key { position: 1 }));
        assert_eq!(fault(&[key(1), key(2), key(1)]), Some(ValidatorSetFault::Repeated));
        assert_eq!(fault(&[key(1), key(2)]), None);
    }
}
