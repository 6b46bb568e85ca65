//! When rounds open, take bids and close.

use crate::common::BOOK;
use crate::world::{World, timing};
use veilgrid_ledger::refusal::Refusal;
use veilgrid_ledger::rounds::refusal::RoundRefusal;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::{Transaction, TransactionKind};

fn is_early_or_late(result: Result<Effect, Refusal>, round_id: u64) -> bool {
    matches!(result, Err(Refusal::Rounds(RoundRefusal::NotDue { round, .. })) if round == round_id)
}

#[test]
fn without_keys_no_round_opens() {
    let mut world = World::new(4);
    let open_ms = world.ms(RoundTiming::open_ms, 1);
    assert_eq!(world.try_at(open_ms, world.open(1)), Err(Refusal::Rounds(RoundRefusal::NoKeys { round: 1 })));
    assert_eq!(world.state.due(open_ms), []);
    world.until_sharing(1);
    assert!(world.state.time_unix_ms() < open_ms);
    assert_eq!(world.state.due(open_ms), [world.open(1)]);
    assert!(matches!(world.try_at(open_ms, world.open(1)), Ok(Effect::RoundOpened { round_id: 1, .. })));
}

#[test]
fn a_round_opens_in_its_bidding_time_and_for_its_slot_only() {
    let world = World::keyed(4);
    let (open, close) = (world.ms(RoundTiming::open_ms, 2), world.ms(RoundTiming::close_ms, 2));
    for (time, opens) in [(open - 1, false), (open, true), (close - 1, true), (close, false)] {
        let result = world.try_at(time, world.open(2));
        assert_eq!(result.is_ok(), opens, "at {time}: {result:?}");
        assert_eq!(is_early_or_late(result, 2), !opens);
    }
    // Another round's turn, and another round's slot.
    assert!(is_early_or_late(world.try_at(open, world.open(1)), 1));
    assert!(is_early_or_late(world.try_at(open, world.open(3)), 3));
    let Transaction::OpenRound { slot_start_unix_s, slot_seconds, .. } = world.open(3) else { panic!() };
    let other_slot = Transaction::OpenRound { round_id: 2, slot_start_unix_s, slot_seconds };
    assert!(is_early_or_late(world.try_at(open, other_slot), 2));
}

#[test]
fn grace_counts_from_the_first_block_at_or_after_the_close() {
    let mut world = World::keyed(4);
    world.due_at(world.ms(RoundTiming::open_ms, 1));
    let close = world.ms(RoundTiming::close_ms, 1);
    // Blocks before the close are not counted, however many.
    for _ in 0..4 {
        world.at(close - 1, vec![]);
    }
    assert_eq!(world.state.round(1).expect("active").grace_from(), None);
    let closing = || Transaction::CloseRound { round_id: 1 };
    assert!(is_early_or_late(world.try_at(close - 1, closing()), 1));
    // The first block comes long after the close; its time alone closes nothing.
    let late = close + 300;
    for block in 0..2 {
        assert!(is_early_or_late(world.try_at(late, closing()), 1), "grace block {block}");
        assert_eq!(world.state.due(late), []);
        let bids = world.bids(1, &BOOK[2 * block..2 * block + 2]);
        // The book's owners are the first members of a list: those of the second half bid in the second block.
        let bids = if block == 0 { bids } else { second_half(&mut world) };
        world.at(late, vec![bids]);
    }
    assert_eq!(world.state.round(1).expect("active").grace_from(), Some(world.state.height() - 1));
    assert_eq!(world.state.due(late), [closing()]);
    let effects = world.due_at(late);
    assert!(matches!(effects.effects[..], [Effect::RoundClosed { bids: 4, .. }]));
    let refused = world.try_next(closing());
    assert!(matches!(
        refused,
        Err(Refusal::Rounds(RoundRefusal::OutOfOrder { found: TransactionKind::CloseRound, .. }))
    ));
    assert!(matches!(world.finish(1), Effect::Settled(_)));
}

fn second_half(world: &mut World) -> Transaction {
    let Transaction::Bids { round_id, bids } = world.bids(1, &BOOK) else { panic!() };
    Transaction::Bids { round_id, bids: bids[2..].to_vec() }
}

#[test]
fn bids_are_taken_up_to_the_close_in_its_own_block() {
    let mut world = World::keyed(4);
    world.due_at(world.ms(RoundTiming::open_ms, 1));
    let close = world.ms(RoundTiming::close_ms, 1);
    world.at(close, vec![]);
    world.at(close, vec![]);
    let bids = world.bids(1, &BOOK);
    let effects = world.at(close, vec![bids.clone(), Transaction::CloseRound { round_id: 1 }]);
    assert!(matches!(effects.effects[..], [_, Effect::RoundClosed { bids: 4, .. }]));
    assert!(matches!(
        world.try_next(bids),
        Err(Refusal::Rounds(RoundRefusal::OutOfOrder { found: TransactionKind::Bids, .. }))
    ));
}

#[test]
fn grace_has_an_honest_proposer_whatever_the_market_says() {
    for (n, grace_blocks, expected) in [(4, 1, 2), (7, 1, 3), (7, 5, 5)] {
        let mut world = World::with(n, RoundTiming { grace_blocks, ..timing() });
        world.until_sharing(1);
        world.due_at(world.ms(RoundTiming::open_ms, 1));
        let close = world.ms(RoundTiming::close_ms, 1);
        let mut blocks = 0;
        while world.state.round(1).is_some_and(|round| round.takes_bids()) {
            let closes = world.try_at(close, Transaction::CloseRound { round_id: 1 }).is_ok();
            assert_eq!(closes, !world.state.due(close).is_empty());
            world.due_at(close);
            blocks += 1;
        }
        assert_eq!(blocks, expected + 1, "{n} validators, {grace_blocks} blocks");
    }
}

/// Views restart with an epoch, so that faulty validators may lead its last blocks and the next one's first: f of the old
/// and f of the new ones.
#[test]
fn over_an_epochs_end_grace_has_f_blocks_more() {
    for (n, grace_blocks, within, over) in [(4, 1, 2, 3), (4, 3, 3, 4), (7, 1, 3, 5)] {
        for of_old in 1..=over {
            let times = RoundTiming { grace_blocks, epoch_blocks: 60, ..timing() };
            let mut world = World::with(n, times);
            world.until_sharing(1);
            world.due_at(world.ms(RoundTiming::open_ms, 1));
            while world.state.height() + of_old < 59 {
                world.step();
            }
            assert!(world.state.height() + of_old == 59, "{}", world.state.height());
            let blocks = grace_of(&mut world);
            let expected = if of_old >= within { within } else { over };
            assert_eq!(blocks, expected, "{n} validators, {grace_blocks} blocks, {of_old} before the end");
        }
    }
}

/// Blocks of round 1's grace that can hold bids.
fn grace_of(world: &mut World) -> u64 {
    let close = world.ms(RoundTiming::close_ms, 1);
    assert!(world.state.round(1).is_some_and(|round| round.grace_from().is_none()));
    let mut blocks = 0;
    while world.state.round(1).is_some_and(|round| round.takes_bids()) {
        let closes = world.try_at(close, Transaction::CloseRound { round_id: 1 }).is_ok();
        assert_eq!(closes, !world.state.due(close).is_empty());
        world.due_at(close);
        blocks += 1;
    }
    blocks - 1
}

/// What the round promises follows the validators that are to come, too.
#[test]
fn over_a_change_of_validators_grace_has_the_f_of_both() {
    let times = RoundTiming { grace_blocks: 1, interval_ms: 100_000, bidding_ms: 90_000, ..timing() };
    let mut world = World::with(4, times);
    world.until_sharing(1);
    let change = world.sound_change(&[0, 1, 2, 3, 4, 5, 6]);
    world.push(vec![change]);
    world.steps_until("an agreement", |world| world.state.pending_keys().is_some());
    world.due_at(world.ms(RoundTiming::open_ms, 1));
    // The last block of four validators is the first one of the grace, the others are of seven: 1 + 2 + 1.
    let end = world.timing().epoch_blocks;
    while !(world.state.height() + 2).is_multiple_of(end) {
        world.step();
    }
    let count = |world: &World| world.state.roster().validators.len();
    assert_eq!(count(&world), 4);
    assert_eq!(grace_of(&mut world), 4);
    assert_eq!(count(&world), 7);
}
