//! Every part of validators and key sessions is in the state root.

use super::*;
use crate::roster::ValidatorEntry;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::collections::BTreeSet;
use veilgrid_crypto::keygen::Group;
use veilgrid_crypto::keygen::{KeyGenContext, deal, public_keys};
use veilgrid_crypto::schnorr::SigningKey;

fn signers() -> Vec<SigningKey> {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    (0..5).map(|_| SigningKey::generate(&mut rng)).collect()
}

fn roster(signers: &[SigningKey]) -> Roster {
    let entry = |key: &SigningKey| {
        let signing_key = key.verifying_key().to_bytes();
        ValidatorEntry { signing_key, consensus_key: signing_key, envelope_key: [7; 32] }
    };
    Roster { validators: signers.iter().map(entry).collect() }
}

fn context(session: u64) -> SessionContext {
    SessionContext::generate([3; 32], session, 5, Group::of(4), 2)
}

fn network() -> Network {
    let timing = crate::timing::tests::timing();
    Network::new(roster(&signers()[..4]), &timing, context(1)).expect("a network")
}

fn keys() -> Arc<ThresholdKeys> {
    let (signers, mut rng) = (signers(), ChaCha20Rng::seed_from_u64(2));
    let ctx = KeyGenContext { ledger_id: [3; 32], session: 1, validators: 4, threshold: 3, keys: 2 };
    let packages: Vec<_> =
        (1..=4).zip(&signers).map(|(i, key)| deal(&ctx, key, i, &mut rng).expect("dealt").0).collect();
    let verifying: Vec<_> = signers[..4].iter().map(SigningKey::verifying_key).collect();
    Arc::new(public_keys(&ctx, &packages, &verifying).expect("keys"))
}

fn agreed() -> Agreed {
    let keys = keys();
    let keys_digest = keys.digest();
    Agreed { session: 1, keys, keys_digest, waits_for_epoch: false, roster: None, lacking: false }
}

fn bytes(network: &Network) -> Vec<u8> {
    let mut w = Writer::new();
    network.write(&mut w);
    w.finish()
}

type Change<'a> = Box<dyn Fn(&mut Network) + 'a>;

#[test]
fn the_root_depends_on_every_part_of_a_network() {
    let other = Arc::new(roster(&signers()));
    let timing = crate::timing::tests::timing();
    let changes: Vec<Change<'_>> = vec![
        Box::new(|_| ()),
        Box::new(|n| n.rosters = Rosters::new((*other).clone())),
        Box::new(|n| n.rosters.replace(1, other.clone())),
        Box::new(|n| n.rosters.replace(2, other.clone())),
        Box::new(|n| n.session = None),
        Box::new(|n| {
            n.start(context(9), &timing, None, 4).expect("a session");
            n.next_session = 2;
        }),
        Box::new(|n| n.concluded = true),
        Box::new(|n| n.next_session = 3),
        Box::new(|n| n.agreed = Some(agreed())),
        Box::new(|n| n.agreed = Some(Agreed { session: 2, ..agreed() })),
        Box::new(|n| n.agreed = Some(Agreed { keys_digest: [1; 32], ..agreed() })),
        Box::new(|n| n.agreed = Some(Agreed { waits_for_epoch: true, ..agreed() })),
        Box::new(|n| n.agreed = Some(Agreed { roster: Some(other.clone()), ..agreed() })),
        Box::new(|n| n.agreed = Some(Agreed { lacking: true, ..agreed() })),
        Box::new(|n| n.sharing = Some(0)),
        Box::new(|n| n.sharing = Some(1)),
        Box::new(|n| n.keys_digest = [1; 32]),
        Box::new(|n| n.change = Some(other.clone())),
        Box::new(|n| n.deals_for_change = true),
        Box::new(|n| n.lacking = true),
        Box::new(|n| n.refused = 1),
        Box::new(|n| n.refused_digest = [1; 32]),
    ];
    let encoded: BTreeSet<_> = changes
        .iter()
        .map(|change| {
            let mut network = network();
            change(&mut network);
            bytes(&network)
        })
        .collect();
    assert_eq!(encoded.len(), changes.len());
}

#[test]
fn a_roster_is_named_by_all_of_its_keys() {
    let base = roster(&signers()[..4]);
    let changes: [fn(&mut ValidatorEntry); 3] =
        [|e| e.signing_key[0] ^= 1, |e| e.consensus_key[0] ^= 1, |e| e.envelope_key[0] ^= 1];
    for change in changes {
        let mut changed = base.clone();
        change(&mut changed.validators[2]);
        assert_ne!(changed.digest(), base.digest());
    }
    let mut swapped = base.clone();
    swapped.validators.swap(0, 1);
    assert_ne!(swapped.digest(), base.digest());
}
