//! Consensus keys (Ed25519), the namespaces that bind signatures to one ledger, and the signing schemes of epochs.

use commonware_codec::{Copying, DecodeExt as _};
use commonware_consensus::simplex::scheme::ed25519;
use commonware_cryptography::certificate;
use commonware_cryptography::ed25519::{PrivateKey, PublicKey};
use commonware_cryptography::sha256;
use commonware_utils::ordered::Set;
use commonware_utils::{Participant, TryCollect as _};
use veilgrid_crypto::secret::Secret;
use veilgrid_ledger::finality::ValidatorSetFault;
use veilgrid_ledger::hash::Hash;

/// Most validators of an epoch; sizes the messages of all nodes, so it is one number for everybody.
pub const MAX_VALIDATORS: u32 = 128;

/// Separates this protocol's signatures from those of any other program that uses the same engine.
const NAMESPACE: &[u8] = b"veilgrid-engine/1/";

/// The signature scheme of votes and certificates.
pub(crate) type Scheme = ed25519::Scheme;

/// What the engine orders: the hash of a ledger block.
pub(crate) type Digest = sha256::Digest;

/// The engine's digest of a block is the block's hash.
pub(crate) fn digest(hash: &Hash) -> Digest {
    sha256::Digest(*hash)
}

/// A finalisation certificate.
pub(crate) type Finalization = commonware_consensus::simplex::types::Finalization<Scheme, Digest>;

pub(crate) fn private_key(seed: &Secret<[u8; 32]>) -> PrivateKey {
    // Every string of 32 bytes is a seed.
    PrivateKey::decode(Copying(seed.expose())).expect("32 bytes are an Ed25519 seed")
}

pub(crate) fn public_key(bytes: &[u8; 32]) -> Option<PublicKey> {
    PublicKey::decode(Copying(bytes)).ok()
}

pub(crate) fn key_bytes(key: &PublicKey) -> [u8; 32] {
    let mut bytes = [0u8; 32];
    bytes.copy_from_slice(key.as_ref());
    bytes
}

/// Namespace of a purpose ("consensus", "network") on one ledger.
pub(crate) fn namespace(ledger_id: &[u8; 32], purpose: &str) -> Vec<u8> {
    [NAMESPACE, purpose.as_bytes(), b"/", ledger_id].concat()
}

/// The validators as the engine orders them.
pub(crate) fn validator_set(keys: &[[u8; 32]]) -> Result<Set<PublicKey>, ValidatorSetFault> {
    if keys.is_empty() || keys.len() > MAX_VALIDATORS as usize {
        return Err(ValidatorSetFault::Count { count: keys.len() });
    }
    let decode = |(position, key)| public_key(key).ok_or(ValidatorSetFault::Key { position });
    let keys: Vec<PublicKey> = keys.iter().enumerate().map(decode).collect::<Result<_, _>>()?;
    keys.into_iter().try_collect().map_err(|_| ValidatorSetFault::Repeated)
}

/// The scheme of a node: it signs if the node is one of the validators, else it verifies only.
pub(crate) fn scheme(
    ledger_id: &[u8; 32],
    keys: &[[u8; 32]],
    secret: &PrivateKey,
) -> Result<Scheme, ValidatorSetFault> {
    let (namespace, set) = (namespace(ledger_id, "consensus"), validator_set(keys)?);
    let signer = Scheme::signer(&namespace, set.clone(), secret.clone());
    Ok(signer.unwrap_or_else(|| Scheme::verifier(&namespace, set)))
}

/// Whether this scheme signs.
pub(crate) fn signs(scheme: &Scheme) -> bool {
    place(scheme).is_some()
}

/// The place of the scheme's own key in the set, if it signs.
pub(crate) fn place(scheme: &Scheme) -> Option<Participant> {
    use certificate::Scheme as _;
    scheme.me().and_then(|membership| membership.signer())
}

#[cfg(test)]
mod tests {
    use super::*;
    use veilgrid_ledger::finality::ConsensusKey;

    fn public(seed: &Secret<[u8; 32]>) -> [u8; 32] {
        ConsensusKey::from_seed(seed).public()
    }

    #[test]
    fn only_a_validator_signs() {
        let secret = |byte| Secret::new([byte; 32]);
        let keys: Vec<_> = (1..=4).map(|byte| public(&secret(byte))).collect();
        let signs_as = |byte| signs(&scheme(&[0; 32], &keys, &private_key(&secret(byte))).expect("a set"));
        assert!(signs_as(4));
        assert!(!signs_as(5));
    }

    #[test]
    fn validator_sets_are_bounded_and_hold_keys_once() {
        let key = public(&Secret::new([1; 32]));
        let mut no_key = [0xff; 32];
        no_key[0] = 2;
        let many = vec![key; MAX_VALIDATORS as usize + 1];
        assert_eq!(validator_set(&[]).err(), Some(ValidatorSetFault::Count { count: 0 }));
        assert_eq!(validator_set(&many).err(), Some(ValidatorSetFault::Count { count: many.len() }));
        assert_eq!(validator_set(&[key, no_key]).err(), Some(ValidatorSetFault::Key { position: 1 }));
        assert_eq!(validator_set(&[key, key]).err(), Some(ValidatorSetFault::Repeated));
    }

    #[test]
    fn namespaces_tell_ledgers_and_purposes_apart() {
        let all = [namespace(&[1; 32], "a"), namespace(&[2; 32], "a"), namespace(&[1; 32], "b")];
        assert!(all[0] != all[1] && all[0] != all[2] && all[1] != all[2]);
    }
}
