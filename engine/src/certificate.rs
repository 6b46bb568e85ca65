//! The engine's finalisations as certificates of the ledger: [`veilgrid_ledger::finality`] has the format and verifies it.

use crate::keys::{Digest, Finalization};
use commonware_codec::{Copying, Decode as _, Encode as _};
use commonware_consensus::simplex::types::Proposal;
use veilgrid_ledger::finality::CertificateFault;
use veilgrid_ledger::hash::Hash;

/// The bytes of a certificate.
pub(crate) fn encode(certificate: &Finalization) -> Vec<u8> {
    certificate.encode().to_vec()
}

/// Reads a certificate of at most this many signers.
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
    use crate::keys::{Scheme, digest, namespace, private_key, validator_set};
    use commonware_consensus::Epochable as _;
    use commonware_consensus::simplex::types::Finalize;
    use commonware_consensus::types::{Epoch, Round, View};
    use commonware_parallel::Sequential;
    use commonware_utils::non_empty;
    use std::sync::Arc;
    use veilgrid_crypto::secret::Secret;
    use veilgrid_ledger::audit::{AuditRequest, CertificateCheck, QuorumCertificates, audit_export};
    use veilgrid_ledger::export::LedgerReader;
    use veilgrid_ledger::finality::{Ballot, ConsensusKey, Votes, own_vote, verify};

    const BALLOT: Ballot =
        Ballot { ledger_id: [7; 32], epoch: 300, view: 70_000, parent_view: 4, block_hash: [9; 32] };

    fn seed(byte: u8) -> Secret<[u8; 32]> {
        Secret::new([byte; 32])
    }

    fn keys(validators: u8) -> Vec<[u8; 32]> {
        (1..=validators).map(|byte| ConsensusKey::from_seed(&seed(byte)).public()).collect()
    }

    /// What the engine makes of the votes of these validators.
    fn of_the_engine(validators: u8, voters: &[u8]) -> Vec<u8> {
        let set = validator_set(&keys(validators)).expect("a set");
        let round = Round::new(Epoch::new(BALLOT.epoch), View::new(BALLOT.view));
        let proposal = Proposal::new(round, View::new(BALLOT.parent_view), digest(&BALLOT.block_hash));
        let space = namespace(&BALLOT.ledger_id, "consensus");
        let scheme =
            |byte: &u8| Scheme::signer(&space, set.clone(), private_key(&seed(*byte))).expect("a signer");
        let schemes: Vec<Scheme> = voters.iter().map(scheme).collect();
        let votes: Vec<_> =
            schemes.iter().map(|s| Finalize::sign(s, proposal.clone()).expect("a vote")).collect();
        let made = Finalization::from_finalizes(&schemes[0], non_empty![@votes.iter()], &Sequential);
        encode(&made.expect("enough"))
    }

    /// What the ledger makes of them.
    fn of_the_ledger(validators: u8, voters: &[u8]) -> Vec<u8> {
        let mut votes = Votes::new(BALLOT, &keys(validators)).expect("a set");
        for byte in voters {
            assert!(votes.add(&ConsensusKey::from_seed(&seed(*byte)).vote(&BALLOT)));
        }
        votes.certificate().expect("enough")
    }

    #[test]
    fn the_engine_and_the_ledger_make_the_same_certificates_to_the_bit() {
        let cases: [(u8, &[u8]); 5] = [
            (4, &[1, 2, 3]),
            (4, &[4, 2, 3, 1]),
            (7, &[7, 1, 3, 5, 6]),
            (9, &[9, 8, 7, 6, 5, 4, 3]),
            (40, &(1..=40).collect::<Vec<u8>>()),
        ];
        for (validators, voters) in cases {
            let bytes = of_the_engine(validators, voters);
            assert_eq!(bytes, of_the_ledger(validators, voters), "{voters:?} of {validators}");
            let keys = keys(validators);
            assert_eq!(verify(&BALLOT.ledger_id, 300, &keys, &BALLOT.block_hash, &bytes), Ok(()));
            for (byte, key) in (1..).zip(&keys) {
                let expected = voters.contains(&byte).then_some((300, 70_000));
                assert_eq!(own_vote(&keys, key, &bytes), expected);
            }
            assert_eq!(block_hash(&decode(&bytes, keys.len()).expect("its own").proposal), [9; 32]);
        }
    }

    #[test]
    fn changed_certificates_are_refused_by_both() {
        let bytes = of_the_engine(4, &[1, 2, 3]);
        let scheme = Scheme::verifier(
            &namespace(&BALLOT.ledger_id, "consensus"),
            validator_set(&keys(4)).expect("a set"),
        );
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let engine = decode(&changed, 4).is_ok_and(|certificate| {
                certificate.proposal.payload == digest(&BALLOT.block_hash)
                    && certificate.verify(&mut commonware_utils::sys_rng(), &scheme, &Sequential)
            });
            let ledger = verify(&BALLOT.ledger_id, 300, &keys(4), &BALLOT.block_hash, &changed);
            assert!(!engine && ledger.is_err(), "byte {at}");
        }
    }

    /// The engine's own verifier in place of the ledger's.
    #[derive(Debug)]
    struct OfTheEngine;

    impl CertificateCheck for OfTheEngine {
        fn check(
            &self,
            ledger_id: &Hash,
            epoch: u64,
            validators: &[[u8; 32]],
            block_hash: &Hash,
            bytes: &[u8],
        ) -> Result<(), String> {
            let set = validator_set(validators).map_err(|fault| fault.to_string())?;
            let scheme = Scheme::verifier(&namespace(ledger_id, "consensus"), set);
            let certificate = decode(bytes, validators.len()).map_err(|fault| fault.to_string())?;
            let holds = certificate.epoch().get() == epoch
                && certificate.proposal.payload == digest(block_hash)
                && certificate.verify(&mut commonware_utils::sys_rng(), &scheme, &Sequential);
            if holds { Ok(()) } else { Err("the engine refuses it".to_owned()) }
        }
    }

    /// One validator may sign so that readings of Ed25519 differ (ADR 0027). If the engine took what the ledger refuses, it could
    /// stop everybody who follows.
    #[test]
    fn the_engine_and_the_ledger_take_the_same_odd_signatures() {
        let kit = concat!(env!("CARGO_MANIFEST_DIR"), "/../protocol-spec/conformance/network");
        let cases = [
            ("small-order-part", true),
            ("not-canonical", true),
            ("long-response", false),
            ("signature", false),
        ];
        for (name, holds) in cases {
            let bytes = std::fs::read(format!("{kit}/certificate-{name}.vgl")).expect("a file of the kit");
            let verifiers: [Arc<dyn CertificateCheck>; 2] =
                [Arc::new(OfTheEngine), Arc::new(QuorumCertificates)];
            for verifier in verifiers {
                let request = AuditRequest { certificates: verifier, ..AuditRequest::default() };
                let reader = LedgerReader::new(bytes.as_slice()).expect("a ledger");
                assert_eq!(audit_export(reader, request, |_| {}).is_ok(), holds, "{name}");
            }
        }
    }
}
