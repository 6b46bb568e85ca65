//! Refused transactions, and rounds that no block opened.

use super::whole::KEYED;
use crate::world::{World, timing};
use std::collections::BTreeSet;
use veilgrid_ledger::refusal::Refusal;
use veilgrid_ledger::rounds::refusal::RoundRefusal;
use veilgrid_ledger::state::effects::{BlockEffects, Effect, PassedRounds};
use veilgrid_ledger::state::expected::Expected;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::{Transaction, VoidReason};
use veilgrid_ledger::verdicts::VerifyAll;

#[test]
fn a_refused_transaction_is_recorded_and_does_nothing_else() {
    let mut world = World::keyed(4);
    let early = world.open(1);
    assert_eq!(world.state.refused(), 0);
    let before = world.state.clone();
    let effects = world.force(vec![early.clone(), Transaction::CloseRound { round_id: 7 }]);
    let round = 7;
    let [Effect::Refused(first), Effect::Refused(second)] = &effects.effects[..] else {
        panic!("{effects:?}")
    };
    assert!(matches!(**first, Refusal::Rounds(RoundRefusal::NotDue { round: 1, .. })));
    assert_eq!(**second, Refusal::Rounds(RoundRefusal::RoundNotActive { round }));
    assert_eq!(world.state.refused(), 2);
    assert_eq!((world.state.rounds().count(), world.state.last_round_id()), (0, None));
    for transaction in [early, Transaction::CloseRound { round_id: 7 }] {
        let mut tried = before.clone();
        tried.begin_block(before.time_unix_ms());
        let root = tried.root();
        assert!(tried.apply_transaction(&transaction, &mut VerifyAll).is_err());
        assert_eq!(tried.root(), root, "a refused transaction has an effect");
    }
    // What follows from the refusal is its record alone: the next block of both ledgers does the same.
    let open_ms = world.ms(RoundTiming::open_ms, 1);
    assert!(matches!(world.due_at(open_ms).effects[..], [Effect::RoundOpened { round_id: 1, .. }]));
}

/// What the start of a block says about rounds that were passed over, as (first, last, reason).
fn passed(effects: &BlockEffects) -> Vec<(u64, u64, VoidReason)> {
    let passed = effects.at_start.iter().filter_map(|effect| match effect {
        Effect::PassedOver(p) => Some((p.first_round_id, p.last_round_id, p.reason)),
        _ => None,
    });
    passed.collect()
}

#[test]
fn rounds_that_no_block_opened_are_void_with_their_reason() {
    let mut world = World::keyed(4);
    let (close, third) = (world.ms(RoundTiming::close_ms, 1), world.ms(RoundTiming::open_ms, 3));
    // To its last millisecond a round can be opened still.
    assert_eq!(passed(&world.at(close - 1, vec![])), []);
    assert_eq!(world.state.expected(1), Ok(Expected::NotOpened));
    let mut late = world.state.clone();
    late.begin_block(close);
    assert_eq!((late.last_round_id(), late.finished().voided), (Some(1), 1));
    // The block that opens the third one records the two before it.
    let effects = world.due_at(third);
    assert_eq!(passed(&effects), [(1, 2, VoidReason::NotOpened)]);
    assert!(matches!(effects.effects[..], [Effect::RoundOpened { round_id: 3, .. }]));
    assert_eq!((world.state.last_round_id(), world.state.finished().voided), (Some(3), 2));
    assert_eq!(
        [1, 2].map(|round_id| world.state.expected(round_id)),
        [Ok(Expected::Done), Ok(Expected::Done)]
    );
    // Once, and not a round that was opened.
    assert_eq!(passed(&world.due_at(world.ms(RoundTiming::close_ms, 3))), []);
    assert_eq!(passed(&world.due_at(world.ms(RoundTiming::close_ms, 4))), [(4, 4, VoidReason::NotOpened)]);
    let (first_round_id, last_round_id, reason) = (7, 9, VoidReason::NotOpened);
    let some = PassedRounds { first_round_id, last_round_id, reason };
    assert_eq!((some.count(), [6, 7, 9, 10].map(|id| some.contains(id))), (3, [false, true, true, false]));
}

#[test]
fn rounds_of_the_time_before_the_keys_are_void_for_that() {
    let mut world = World::new(4);
    let effects = world.at(world.ms(RoundTiming::close_ms, 2), vec![]);
    assert_eq!(passed(&effects), [(1, 2, VoidReason::NoKeys)]);
    assert_eq!(world.state.finished().voided, 2);
    // No transaction can say so of a round that is active.
    let mut keyed = World::keyed(4);
    keyed.due_at(keyed.ms(RoundTiming::open_ms, 1));
    for reason in [VoidReason::NoKeys, VoidReason::NotOpened] {
        let void = Transaction::Void { round_id: 1, reason };
        assert!(matches!(keyed.try_next(void), Err(Refusal::Rounds(RoundRefusal::OutOfOrder { .. }))));
    }
}

#[test]
fn the_digest_of_finished_rounds_tells_which_were_passed_over_and_why() {
    let digest = |world: &World, round_id: u64| {
        let mut state = world.state.clone();
        state.begin_block(world.ms(RoundTiming::close_ms, round_id));
        state.finished().digest
    };
    let (keyed, new) = (World::keyed(4), World::new(4));
    let digests = [digest(&keyed, 1), digest(&keyed, 2), digest(&new, 1), digest(&new, 2), [0; 32]];
    assert_eq!(BTreeSet::from(digests).len(), digests.len());
}

/// A clock at the end of time takes no step a round.
#[test]
fn very_many_rounds_are_passed_over_at_once() {
    let mut state = KEYED.clone();
    let effects = state.begin_block(u64::MAX);
    let [Effect::PassedOver(passed)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(Some(passed.last_round_id), timing().closed_by(u64::MAX));
    assert_eq!(state.finished().voided, passed.count());
}
