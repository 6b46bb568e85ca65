//! Renewed shares and changed validators, while rounds go on.

use crate::network::{Network, fast, signing_key};
use veilgrid_crypto::envelope::EnvelopeKey;
use veilgrid_ledger::roster::{Roster, RosterChange, RosterError, ValidatorEntry};
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_roles::replica::{Limits, OfferRefusal, Offered};

#[test]
fn rounds_settle_while_shares_are_renewed() {
    let mut network = Network::founded(Limits::default(), fast());
    let mut renewed = 0;
    for round_id in 1..=8 {
        let mut seen = |effect: &Effect, wanted: bool| {
            renewed += u32::from(matches!(effect, Effect::KeysInForce { .. }));
            assert!(!matches!(effect, Effect::Voided { .. } | Effect::Refused(_)), "{effect:?}");
            wanted
        };
        let mut until = |network: &mut Network, wanted: &dyn Fn(&Effect) -> bool| loop {
            let effects = network.next_block();
            let all: Vec<&Effect> = effects.outset.iter().chain(&effects.effects).collect();
            // Every effect is looked at.
            let hits = all.into_iter().filter(|effect| seen(effect, wanted(effect))).count();
            if hits > 0 {
                return;
            }
        };
        until(&mut network, &|effect| matches!(effect, Effect::RoundOpened { .. }));
        let book = network.book(round_id);
        network.replicas[1].offer_bids(round_id, book);
        until(&mut network, &|effect| matches!(effect, Effect::Settled(_)));
    }
    assert!(renewed >= 3, "{renewed} times");
    assert_eq!(network.state().finished().settled, 8);
}

/// The current roster with new envelope keys.
fn next_roster(network: &mut Network) -> Roster {
    let rng = &mut network.rng;
    let current = network.replicas[0].state().roster().expect("a network");
    let entry = |entry: &ValidatorEntry| ValidatorEntry {
        envelope_key: EnvelopeKey::generate(rng).public().to_bytes(),
        ..*entry
    };
    Roster { validators: current.validators.iter().map(entry).collect() }
}

fn change(network: &mut Network, roster: &Roster, signers: &[u16]) -> Transaction {
    let (rng, state) = (&mut network.rng, network.replicas[0].state());
    let (current, since) = (state.roster().expect("roster"), state.roster_since().expect("epoch"));
    let ledger_id = state.community().ledger_id();
    let endorse = |validator: &u16| {
        let key = signing_key(validator - 1);
        RosterChange::endorse(&ledger_id, current, since, roster, *validator, &key, rng)
    };
    let endorsements = signers.iter().map(endorse).collect();
    Transaction::ChangeValidators(Box::new(RosterChange { roster: roster.clone(), endorsements }))
}

#[test]
fn a_change_of_validators_is_signed_and_goes_through() {
    let mut network = Network::founded(Limits::default(), fast());
    network.run_until(2_900, |effect| matches!(effect, Effect::KeysInForce { .. }));
    let roster = next_roster(&mut network);
    let (few, enough) = (change(&mut network, &roster, &[1, 4]), change(&mut network, &roster, &[1, 2, 4]));
    let other = change(&mut network, &roster, &[1, 2, 3, 4]);
    let signatures = OfferRefusal::Change(RosterError::Signatures { valid: 2, needed: 3 });
    let replica = &mut network.replicas[2];
    assert_eq!(replica.offer_roster_change(&few), Err(signatures));
    assert_eq!(replica.offer_roster_change(&enough), Ok(Offered::New));
    assert_eq!(replica.offer_roster_change(&enough), Ok(Offered::Known));
    assert_eq!(replica.offer_roster_change(&other), Ok(Offered::New));
    network.gossip();
    assert_eq!(network.replicas[0].summary().roster_changes, 2);
    // One of the two is taken; the other one says the same and leaves with it.
    let taken = network.next_block();
    let proposed = |effect: &&Effect| matches!(effect, Effect::ValidatorsProposed { validators: 4, .. });
    assert_eq!((taken.effects.iter().filter(proposed).count(), taken.effects.len()), (1, 1));
    assert_eq!(network.replicas[0].summary().roster_changes, 0);
    network.run_until(30_000, |effect| matches!(effect, Effect::ValidatorsChanged { .. }));
    assert_eq!(network.state().roster(), Some(&roster));
    // Signed for the roster before: not valid any more.
    assert!(network.replicas[2].offer_roster_change(&enough).is_err());
}
