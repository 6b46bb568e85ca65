//! Orders of the registrar and new keys of an office, on their way into a block.

use super::network::{Network, fast, registrar_key, signing_key};
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::members::offices::{KeyReplacement, NewKeys};
use veilgrid_ledger::members::order::{Action, RegistrarOrder};
use veilgrid_ledger::members::refusal::MembersRefusal;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_roles::replica::{Limits, OfferRefusal, Offered};

fn order(network: &mut Network, sequence: u64, action: Action, key: &SigningKey) -> RegistrarOrder {
    let id: Hash = network.state().community().ledger_id();
    RegistrarOrder::sign(&id, sequence, action, key, &mut network.rng)
}

#[test]
fn orders_come_in_their_order_whichever_comes_first() {
    let mut network = Network::founded(Limits::default(), fast());
    let key = registrar_key();
    let first = order(&mut network, 0, Action::Suspend(vec![3]), &key);
    let second = order(&mut network, 1, Action::Leave(vec![3, 4]), &key);
    let members = network.state().members().len();
    let replica = &mut network.replicas[2];
    assert_eq!(replica.offer_order(&second), Ok(Offered::New), "it waits for the one before");
    assert_eq!(replica.offer_order(&first), Ok(Offered::New));
    assert_eq!(replica.offer_order(&first), Ok(Offered::Known));
    network.gossip();
    network.run_until(100, |effect| matches!(effect, Effect::MembersChanged { sequence: 1, .. }));
    let state = network.state();
    assert_eq!((state.members().sequence(), state.members().len()), (2, members - 2));
    assert_eq!(state.refused(), 0);
    // What is on the ledger is not taken again, and nothing is left in any pool.
    let again = MembersRefusal::Sequence { found: 0, expected: 2 };
    for replica in &mut network.replicas {
        assert_eq!(replica.offer_order(&first), Err(OfferRefusal::Members(again.clone())));
        assert_eq!(replica.summary().roster_changes, 0);
    }
}

#[test]
fn what_the_ledger_would_refuse_is_not_carried_on() {
    let mut network = Network::founded(Limits::default(), fast());
    let (key, stranger) = (registrar_key(), signing_key(0));
    let refusals = [
        (order(&mut network, 0, Action::Leave(vec![1]), &stranger), MembersRefusal::Signature),
        // A later one too, which is not executed yet.
        (order(&mut network, 1, Action::Leave(vec![1]), &stranger), MembersRefusal::Signature),
        (order(&mut network, 0, Action::Leave(vec![99]), &key), MembersRefusal::Unknown { number: 99 }),
        (
            order(&mut network, 16, Action::Leave(vec![1]), &key),
            MembersRefusal::Sequence { found: 16, expected: 0 },
        ),
    ];
    for (order, refusal) in refusals {
        assert_eq!(network.replicas[1].offer_order(&order), Err(OfferRefusal::Members(refusal)));
    }
    // Of one number two are kept: the registrar signs one.
    for number in [1, 2] {
        let order = order(&mut network, 0, Action::Leave(vec![number]), &key);
        assert_eq!(network.replicas[1].offer_order(&order), Ok(Offered::New));
    }
    let third = order(&mut network, 0, Action::Leave(vec![3]), &key);
    assert!(matches!(network.replicas[1].offer_order(&third), Err(OfferRefusal::PoolFull { .. })));
}

#[test]
fn new_keys_of_an_office_go_through_once() {
    let mut network = Network::founded(Limits::default(), fast());
    let keys = NewKeys::Registrar(SigningKey::generate(&mut network.rng).verifying_key().to_bytes());
    let replacement = |network: &mut Network, signers: &[u16]| {
        let (state, rng) = (network.replicas[0].state(), &mut network.rng);
        let id = state.community().ledger_id();
        let context = state.replacement_context(&id);
        let endorse = |n: &u16| KeyReplacement::endorse(&context, &keys, *n, &signing_key(n - 1), rng);
        KeyReplacement { keys, endorsements: signers.iter().map(endorse).collect() }
    };
    let (few, enough) = (replacement(&mut network, &[1, 2]), replacement(&mut network, &[1, 2, 4]));
    let refusal = OfferRefusal::Members(MembersRefusal::Endorsements { valid: 2, needed: 3 });
    assert_eq!(network.replicas[3].offer_replacement(&few), Err(refusal));
    assert_eq!(network.replicas[3].offer_replacement(&enough), Ok(Offered::New));
    network.gossip();
    network.run_until(100, |effect| matches!(effect, Effect::KeysReplaced { .. }));
    assert_eq!(network.state().offices().replaced(), 1);
    assert!(network.replicas[0].offer_replacement(&enough).is_err());
    let by_the_old_key = order(&mut network, 0, Action::Leave(vec![1]), &registrar_key());
    let refusal = OfferRefusal::Members(MembersRefusal::Signature);
    assert_eq!(network.replicas[0].offer_order(&by_the_old_key), Err(refusal));
}
