//! Renewed shares and changed validators, while rounds go on.

use super::network::{Network, consensus_key, fast, signing_key};
use veilgrid_crypto::envelope::EnvelopeKey;
use veilgrid_crypto::opening::OpeningShare;
use veilgrid_ledger::roster::{Roster, RosterChange, RosterError, ValidatorEntry};
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::timing::RoundTiming;
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
            let all: Vec<&Effect> = effects.all().collect();
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
    let current = network.replicas[0].state().roster();
    let entry = |entry: &ValidatorEntry| ValidatorEntry {
        envelope_key: EnvelopeKey::generate(rng).public().to_bytes(),
        ..*entry
    };
    Roster { validators: current.validators.iter().map(entry).collect() }
}

fn change(network: &mut Network, roster: &Roster, signers: &[u16]) -> RosterChange {
    let (rng, state) = (&mut network.rng, network.replicas[0].state());
    let (current, since) = (state.roster(), state.roster_since());
    let ledger_id = state.community().ledger_id();
    let endorse = |validator: &u16| {
        let key = signing_key(validator - 1);
        RosterChange::endorse(&ledger_id, current, since, roster, *validator, &key, rng)
    };
    let endorsements = signers.iter().map(endorse).collect();
    RosterChange { roster: roster.clone(), endorsements }
}

#[test]
fn a_change_of_validators_is_signed_and_goes_through() {
    let mut network = Network::founded(Limits::default(), fast());
    network.run_until(2_900, |effect| matches!(effect, Effect::KeysInForce { .. }));
    let roster = next_roster(&mut network);
    let (few, enough) = (change(&mut network, &roster, &[1, 4]), change(&mut network, &roster, &[1, 2, 4]));
    let other = change(&mut network, &roster, &[1, 2, 3, 4]);
    let signatures = OfferRefusal::Change(RosterError::Signatures { valid: 2, needed: 3 });
    // A key that has another role on this ledger: signed by enough, and carried on by nobody.
    let mut shared = roster.clone();
    shared.validators[1].envelope_key = network.state().community().genesis().aggregator_envelope_key;
    let shared = change(&mut network, &shared, &[1, 2, 4]);
    let refused = network.replicas[2].offer_roster_change(&shared);
    assert!(matches!(refused, Err(OfferRefusal::Change(RosterError::SharedKey(_)))), "{refused:?}");
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
    assert_eq!(network.state().roster(), &roster);
    // Signed for the roster before: not valid any more.
    assert!(network.replicas[2].offer_roster_change(&enough).is_err());
}

#[test]
fn a_few_changes_wait() {
    let mut network = Network::founded(Limits::default(), fast());
    network.run_until(2_900, |effect| matches!(effect, Effect::KeysInForce { .. }));
    let roster = next_roster(&mut network);
    for signers in [[1, 2, 3], [1, 2, 4], [1, 3, 4], [2, 3, 4]] {
        let change = change(&mut network, &roster, &signers);
        assert_eq!(network.replicas[0].offer_roster_change(&change), Ok(Offered::New));
    }
    let fifth = change(&mut network, &roster, &[1, 2, 3, 4]);
    let full = network.replicas[0].offer_roster_change(&fifth);
    assert!(matches!(full, Err(OfferRefusal::PoolFull { .. })), "{full:?}");
}

/// A share under this number, as it is gossiped.
fn share_message(sharing: u64, round_id: u64, opening_index: u32, validator: u16) -> Vec<u8> {
    let share = OpeningShare { validator, point: [7; 32], challenge: [1; 32], response: [1; 32] };
    let transaction = Transaction::OpeningShare { round_id, opening_index, share };
    [&[1, 2], &sharing.to_le_bytes()[..], &transaction.to_bytes()].concat()
}

/// Threat: a validator sends shares under its number for a sharing in which the number will be another's, so that the
/// rightful owner's find the place taken and are called false.
#[test]
fn who_loses_a_number_can_not_send_shares_for_who_gets_it() {
    // A round that takes bids while the validators change.
    let timing = RoundTiming { interval_ms: 60_000, bidding_ms: 25_000, ..fast() };
    let mut network = Network::founded(Limits::default(), timing);
    network.run_until(2_900, |effect| matches!(effect, Effect::KeysInForce { .. }));
    let mut roster = network.state().roster().clone();
    roster.validators.reverse();
    let change = change(&mut network, &roster, &[1, 2, 3]);
    assert_eq!(network.replicas[0].offer_roster_change(&change), Ok(Offered::New));
    while network.state().round(1).is_none() {
        network.step();
    }
    let book = network.book(1);
    network.replicas[0].offer_bids(1, book);
    // Number 1 will be the one of validator 4 (at 3).
    let sharing = network.state().sharing().expect("keys");
    assert_ne!(network.state().roster(), &roster);
    for (sharing, opening_index) in
        [sharing + 1, sharing + 2].into_iter().flat_map(|s| (0..5).map(move |o| (s, o)))
    {
        let forged = share_message(sharing, 1, opening_index, 1);
        for replica in &mut network.replicas {
            assert_eq!(replica.receive(&consensus_key(0), &forged), Ok(()));
        }
    }
    assert_eq!(network.replicas[1].summary().shares, 10);
    network.run_until(28_500, |effect| matches!(effect, Effect::RoundClosed { .. }));
    assert_eq!(network.state().roster(), &roster);
    let now = network.state().sharing().expect("keys");
    assert!([sharing + 1, sharing + 2].contains(&now), "sharing {now}");
    // Three shares are needed: that of number 1 is one of them.
    network.silent = vec![1];
    network.run_until(33_000, |effect| matches!(effect, Effect::Settled(_)));
}
