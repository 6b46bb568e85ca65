//! How openings end, and rounds that end without one.

use crate::common::BOOK;
use crate::world::World;
use veilgrid_ledger::refusal::Refusal;
use veilgrid_ledger::rounds::refusal::RoundRefusal;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::state::expected::Expected;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::{Transaction, TransactionKind, VoidReason};

fn overdue() -> Transaction {
    Transaction::Void { round_id: 1, reason: VoidReason::OpeningDeadline }
}

#[test]
fn an_opening_ends_at_its_deadline_and_not_before() {
    let mut world = World::keyed(4);
    world.opening(1);
    let deadline = world.ms(RoundTiming::deadline_ms, 1);
    assert!(matches!(
        world.try_at(deadline - 1, overdue()),
        Err(Refusal::Rounds(RoundRefusal::OutOfOrder { .. }))
    ));
    let few = Transaction::Void { round_id: 1, reason: VoidReason::TooFewBids };
    assert!(matches!(world.try_at(deadline, few), Err(Refusal::Rounds(RoundRefusal::OutOfOrder { .. }))));
    assert!(world.state.due(deadline - 1).iter().all(|due| due.kind() != TransactionKind::Void));
    // Shares that came are of no use afterwards.
    let Expected::Shares(request) = world.state.expected(1).expect("expected") else { panic!("no shares") };
    let shares = world.shares(1, &request);
    world.at(deadline - 1, shares[..2].to_vec());
    assert!(matches!(world.state.expected(1), Ok(Expected::Shares(_))));
    world.at(deadline, vec![]);
    assert_eq!(world.state.expected(1), Ok(Expected::Void { reason: VoidReason::OpeningDeadline }));
    assert_eq!(
        world.try_next(shares[2].clone()),
        Err(Refusal::Rounds(RoundRefusal::DeadlinePassed { round: 1 }))
    );
    let effects = world.due_at(deadline);
    let reason = VoidReason::OpeningDeadline;
    assert!(effects.effects.contains(&Effect::Voided { round_id: 1, reason, bids: 4 }));
    assert_eq!(world.state.expected(1), Ok(Expected::Done));
    // The other two are those of which the time has passed meanwhile.
    assert_eq!(world.state.finished().voided, 3);
}

#[test]
fn a_value_is_refused_after_the_deadline() {
    let mut world = World::keyed(4);
    world.opening(1);
    world.until(1, |expected| matches!(expected, Expected::Value { .. }));
    let value = world.next(1).remove(0);
    let deadline = world.ms(RoundTiming::deadline_ms, 1);
    assert!(world.try_at(deadline - 1, value.clone()).is_ok());
    assert_eq!(
        world.try_at(deadline, value),
        Err(Refusal::Rounds(RoundRefusal::DeadlinePassed { round: 1 }))
    );
}

#[test]
fn a_deadline_ends_openings_only() {
    let mut world = World::keyed(4);
    // While bids are taken: no block came between the opening and the deadline.
    world.bidding(1);
    let deadline = world.ms(RoundTiming::deadline_ms, 1);
    assert!(matches!(
        world.try_at(deadline, overdue()),
        Err(Refusal::Rounds(RoundRefusal::OutOfOrder { .. }))
    ));
    world.due_at(world.ms(RoundTiming::close_ms, 1));
    while world.state.round(1).is_some_and(|round| round.takes_bids()) {
        world.due_at(world.state.time_unix_ms());
    }
    // Once all its sums are open a round is settled, however late.
    world.until(1, |expected| matches!(expected, Expected::Clear { .. }));
    assert!(matches!(
        world.try_at(deadline, overdue()),
        Err(Refusal::Rounds(RoundRefusal::OutOfOrder { .. }))
    ));
    assert!(!world.state.due(deadline).contains(&overdue()));
    world.at(deadline, vec![]);
    world.until(1, |expected| matches!(expected, Expected::Settle { .. }));
    assert!(matches!(
        world.try_at(deadline, overdue()),
        Err(Refusal::Rounds(RoundRefusal::OutOfOrder { .. }))
    ));
    assert!(matches!(world.finish(1), Effect::Settled(_)));
}

#[test]
fn a_round_with_too_few_bids_is_void_at_once() {
    let mut world = World::keyed(4);
    world.due_at(world.ms(RoundTiming::open_ms, 1));
    let bids = world.bids(1, &BOOK[..1]);
    world.push(vec![bids]);
    world.at(world.ms(RoundTiming::close_ms, 1), vec![]);
    while world.state.round(1).is_some() {
        world.due_at(world.state.time_unix_ms());
    }
    let voids: Vec<_> =
        world.all_effects().filter(|effect| matches!(effect, Effect::Voided { .. })).collect();
    assert_eq!(voids, [&Effect::Voided { round_id: 1, reason: VoidReason::TooFewBids, bids: 1 }]);
}

#[test]
fn a_slot_whose_opening_was_given_up_is_not_traded_again() {
    let mut world = World::keyed(4);
    world.opening(1);
    let deadline = world.ms(RoundTiming::deadline_ms, 1);
    world.due_at(deadline);
    let Transaction::OpenRound { slot_start_unix_s, slot_seconds, .. } = world.open(1) else { panic!() };
    // No slot before this is opened again, whatever round asks for it.
    let untraded_until = world.state.checkpoint().cleared_until_unix_s;
    assert_eq!(untraded_until, Some(slot_start_unix_s + i64::from(slot_seconds)));
    for round_id in 1..=5 {
        let again = Transaction::OpenRound { round_id, slot_start_unix_s, slot_seconds };
        for time in [deadline, world.ms(RoundTiming::open_ms, 4), world.ms(RoundTiming::open_ms, 5)] {
            assert!(world.try_at(time, again.clone()).is_err(), "round {round_id} at {time}");
        }
    }
}

#[test]
fn an_opening_without_progress_is_suspended_and_goes_on_when_shares_come() {
    let mut world = World::keyed(4);
    assert!(!world.state.is_busy());
    world.opening(1);
    let closed = world.state.time_unix_ms();
    assert!(world.state.is_busy() && !world.state.is_suspended(1));
    world.at(closed + 499, vec![]);
    assert!(!world.state.is_suspended(1));
    world.at(closed + 500, vec![]);
    assert!(world.state.is_suspended(1));
    let Expected::Shares(request) = world.state.expected(1).expect("expected") else { panic!("no shares") };
    let shares = world.shares(1, &request);
    world.push(shares);
    assert!(!world.state.is_suspended(1));
    assert!(matches!(world.finish(1), Effect::Settled(_)));
}
