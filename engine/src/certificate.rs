//! Finalisation certificates: more than two thirds of an epoch's validators signed that a block is final.
//!
//! Followers and auditors verify them without an engine: with the ledger's id, the validators of the epoch and the
//! block's hash.

use crate::keys::{Digest, Finalization, ValidatorSetFault, digest, public_key, validator_set, verifier};
use commonware_codec::{Copying, Decode as _, Encode as _};
use commonware_consensus::{Epochable as _, Viewable as _, simplex::types::Proposal};
use commonware_parallel::Sequential;
use commonware_utils::Participant;
use veilgrid_ledger::hash::Hash;

/// Bytes of a certificate beyond one signature and one bit for each validator; generous, for the bound only.
const OVERHEAD_BYTES: usize = 256;

/// Why bytes are no certificate over a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// The validators are no validator set.
    #[error("the validators of the epoch: {0}")]
    Validators(#[from] ValidatorSetFault),
    /// More bytes than these validators can fill.
    #[error("certificate of {bytes} bytes; {bound} at most")]
    TooLong {
        /// Bytes given.
        bytes: usize,
        /// Most bytes.
        bound: usize,
    },
    /// Not the encoding of a certificate, or bytes after it.
    #[error("the bytes are not the encoding of a finalisation certificate")]
    Malformed,
    /// It is of another epoch.
    #[error("the certificate is of epoch {found}, not {expected}")]
    Epoch {
        /// The epoch of the block.
        expected: u64,
        /// What the certificate says.
        found: u64,
    },
    /// It is over another block.
    #[error("the certificate is over another block")]
    Block,
    /// Fewer signers than a quorum.
    #[error("{found} validators signed; {needed} are needed")]
    TooFewSigners {
        /// Signers.
        found: usize,
        /// The quorum, 2f+1 of 3f+1.
        needed: usize,
    },
    /// A signature does not hold for this ledger, block and validator.
    #[error("a signature of the certificate is not its validator's over this block and ledger")]
    Signature,
}

/// Verifies that the block is final.
///
/// `epoch` is the engine's: height divided by the epoch's length in blocks. `validators` are the consensus keys of
/// that epoch in any order.
///
/// # Errors
/// The first rule that is broken.
pub fn verify(
    ledger_id: &[u8; 32],
    epoch: u64,
    validators: &[[u8; 32]],
    block_hash: &Hash,
    bytes: &[u8],
) -> Result<(), CertificateFault> {
    let scheme = verifier(ledger_id, validators)?;
    // "A certificate is not longer than its validators can make it."
    let bound = OVERHEAD_BYTES + validators.len() * 66;
    if bytes.len() > bound {
        return Err(CertificateFault::TooLong { bytes: bytes.len(), bound });
    }
    let certificate = decode(bytes, validators.len())?;
    // "It is of the block's epoch."
    let found = certificate.epoch().get();
    if found != epoch {
        return Err(CertificateFault::Epoch { expected: epoch, found });
    }
    // "It is over this block."
    if certificate.proposal.payload != digest(block_hash) {
        return Err(CertificateFault::Block);
    }
    // "A quorum signed."
    let (found, needed) = (certificate.certificate.signers.count(), quorum(validators.len()));
    if found < needed {
        return Err(CertificateFault::TooFewSigners { found, needed });
    }
    // "Each signature holds." The generator only blinds the batch; it cannot change the answer but with the
    // probability of a forgery.
    if !certificate.verify(&mut commonware_utils::sys_rng(), &scheme, &Sequential) {
        return Err(CertificateFault::Signature);
    }
    Ok(())
}

/// Epoch and view in which the validator with this consensus key signed a certificate; none when it did not, or the bytes
/// are no certificate of these validators. Nothing is verified: see [`verify`].
pub fn own_vote(validators: &[[u8; 32]], key: &[u8; 32], bytes: &[u8]) -> Option<(u64, u64)> {
    let certificate = decode(bytes, validators.len()).ok()?;
    let place = validator_set(validators).ok()?.position(&public_key(key)?)?;
    let mut signers = certificate.certificate.signers.iter();
    let signed = signers.any(|signer| signer == Participant::from_usize(place));
    signed.then(|| (certificate.epoch().get(), certificate.view().get()))
}

/// Signers that make a certificate: more than two thirds.
pub fn quorum(validators: usize) -> usize {
    validators - validators.saturating_sub(1) / 3
}

/// The bytes of a certificate.
pub(crate) fn encode(certificate: &Finalization) -> Vec<u8> {
    certificate.encode().to_vec()
}

/// Reads a certificate of at most so many signers.
pub(crate) fn decode(bytes: &[u8], validators: usize) -> Result<Finalization, CertificateFault> {
    Finalization::decode_cfg(Copying(bytes), &validators).map_err(|_| CertificateFault::Malformed)
}

/// The hash of the block that a certificate is over.
pub(crate) fn block_hash(proposal: &Proposal<Digest>) -> Hash {
    let mut hash = [0u8; 32];
    hash.copy_from_slice(proposal.payload.as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Scheme, consensus_public_key, digest, namespace, private_key, validator_set};
    use commonware_consensus::simplex::types::Finalize;
    use commonware_consensus::types::{Epoch, Round, View};
    use commonware_utils::non_empty;
    use veilgrid_crypto::secret::Secret;

    const LEDGER: [u8; 32] = [7; 32];
    const BLOCK: Hash = [9; 32];
    const EPOCH: u64 = 3;

    fn key(seed: u8) -> [u8; 32] {
        consensus_public_key(&Secret::new([seed; 32]))
    }

    fn keys() -> Vec<[u8; 32]> {
        (1..=4).map(key).collect()
    }

    /// The votes of these seeds, assembled without asking whether they suffice.
    fn votes(ledger: &[u8; 32], block: &Hash, epoch: u64, seeds: &[u8]) -> Finalization {
        let set = validator_set(&seeds_keys(seeds)).expect("a set");
        let all = if seeds.len() < 4 { validator_set(&keys()).expect("a set") } else { set };
        let round = Round::new(Epoch::new(epoch), View::new(5));
        let proposal = Proposal::new(round, View::new(4), digest(block));
        let schemes: Vec<Scheme> = seeds
            .iter()
            .map(|seed| {
                let secret = private_key(&Secret::new([*seed; 32]));
                Scheme::signer(&namespace(ledger, "consensus"), all.clone(), secret).expect("a signer")
            })
            .collect();
        let votes: Vec<_> =
            schemes.iter().map(|s| Finalize::sign(s, proposal.clone()).expect("a vote")).collect();
        Finalization::from_finalizes(&schemes[0], non_empty![@votes.iter()], &Sequential).expect("enough")
    }

    fn seeds_keys(seeds: &[u8]) -> Vec<[u8; 32]> {
        seeds.iter().map(|seed| key(*seed)).collect()
    }

    fn verified(bytes: &[u8]) -> Result<(), CertificateFault> {
        verify(&LEDGER, EPOCH, &keys(), &BLOCK, bytes)
    }

    #[test]
    fn true_certificates_hold_for_the_validators_in_any_order() {
        for seeds in [&[1, 2, 3][..], &[2, 3, 4], &[1, 2, 3, 4]] {
            let bytes = encode(&votes(&LEDGER, &BLOCK, EPOCH, seeds));
            assert_eq!(verified(&bytes), Ok(()));
            let mut reversed = keys();
            reversed.reverse();
            assert_eq!(verify(&LEDGER, EPOCH, &reversed, &BLOCK, &bytes), Ok(()));
        }
    }

    #[test]
    fn whoever_signed_a_certificate_finds_its_own_vote() {
        let bytes = encode(&votes(&LEDGER, &BLOCK, EPOCH, &[1, 2, 4]));
        let mut reversed = keys();
        reversed.reverse();
        for validators in [keys(), reversed] {
            for (seed, signed) in [(1, true), (2, true), (3, false), (4, true), (5, false)] {
                let expected = signed.then_some((EPOCH, 5));
                assert_eq!(own_vote(&validators, &key(seed), &bytes), expected, "{seed}");
            }
        }
        assert_eq!(own_vote(&keys(), &key(1), &bytes[1..]), None);
        assert_eq!(own_vote(&seeds_keys(&[5, 6, 7, 8, 9]), &key(1), &bytes), None);
    }

    #[test]
    fn certificates_hold_for_nothing_else() {
        let bytes = encode(&votes(&LEDGER, &BLOCK, EPOCH, &[1, 2, 3]));
        let foreign = seeds_keys(&[1, 2, 3, 5]);
        let swapped = seeds_keys(&[1, 2, 5, 4]);
        let more = seeds_keys(&[1, 2, 3, 4, 5, 6, 7]);
        let cases = [
            (verify(&LEDGER, EPOCH, &keys(), &[8; 32], &bytes), CertificateFault::Block),
            (verify(&LEDGER, 4, &keys(), &BLOCK, &bytes), CertificateFault::Epoch { expected: 4, found: 3 }),
            (verify(&[8; 32], EPOCH, &keys(), &BLOCK, &bytes), CertificateFault::Signature),
            (verify(&LEDGER, EPOCH, &swapped, &BLOCK, &bytes), CertificateFault::Signature),
            (
                verify(&LEDGER, EPOCH, &more, &BLOCK, &bytes),
                CertificateFault::TooFewSigners { found: 3, needed: 5 },
            ),
            (
                verify(&LEDGER, EPOCH, &[], &BLOCK, &bytes),
                CertificateFault::Validators(ValidatorSetFault::Count { count: 0 }),
            ),
            (
                verify(&LEDGER, EPOCH, &seeds_keys(&[1, 2, 3, 3]), &BLOCK, &bytes),
                CertificateFault::Validators(ValidatorSetFault::Repeated),
            ),
        ];
        for (number, (verdict, fault)) in cases.into_iter().enumerate() {
            assert_eq!(verdict, Err(fault), "case {number}");
        }
        // The places of the signers in the sorted set can differ, so that this fails in one of two ways.
        assert!(verify(&LEDGER, EPOCH, &foreign, &BLOCK, &bytes).is_err() || !foreign.contains(&key(4)));
    }

    #[test]
    fn a_quorum_of_a_smaller_set_is_none_of_the_larger() {
        let mut certificate = votes(&LEDGER, &BLOCK, EPOCH, &[1, 2, 3]);
        certificate.certificate.signatures.pop();
        let signers: Vec<_> = certificate.certificate.signers.iter().take(2).collect();
        let signers = commonware_cryptography::certificate::Signers::new(4, signers).expect("signers");
        certificate.certificate.signers = signers;
        let fault = CertificateFault::TooFewSigners { found: 2, needed: 3 };
        assert_eq!(verified(&encode(&certificate)), Err(fault));
    }

    #[test]
    fn a_vote_of_a_stranger_does_not_count() {
        let mut certificate = votes(&LEDGER, &BLOCK, EPOCH, &[1, 2, 3]);
        let others = votes(&LEDGER, &BLOCK, EPOCH, &[5, 6, 7, 8]);
        certificate.certificate.signatures[1] = others.certificate.signatures[1].clone();
        assert_eq!(verified(&encode(&certificate)), Err(CertificateFault::Signature));
    }

    #[test]
    fn no_flipped_bit_and_no_cut_is_accepted() {
        let bytes = encode(&votes(&LEDGER, &BLOCK, EPOCH, &[1, 2, 3]));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(verified(&flipped).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert_eq!(verified(&bytes[..length]), Err(CertificateFault::Malformed));
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(verified(&longer), Err(CertificateFault::Malformed));
        let bytes = 600;
        let fault = CertificateFault::TooLong { bytes, bound: 520 };
        assert_eq!(verified(&vec![0; bytes]), Err(fault));
    }

    #[test]
    fn quorums_are_more_than_two_thirds() {
        for validators in 1..=100 {
            let tolerated = (validators - 1) / 3;
            assert_eq!(quorum(validators), validators - tolerated);
            assert!(3 * quorum(validators) > 2 * validators);
        }
    }
}
