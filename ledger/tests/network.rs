//! Rounds of a network's ledger: by block time and blocks, with refusals that are recorded.

mod common;
#[path = "common/network.rs"]
mod world;

use common::{BOOK, Chain, Community, open_round};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::LazyLock;
use veilgrid_ledger::builder::BlockDraft;
use veilgrid_ledger::refusal::{BlockFault, Refusal};
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::{BlockEffects, Effect, PassedRounds};
use veilgrid_ledger::state::expected::Expected;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::{Transaction, TransactionKind, VoidReason};
use veilgrid_ledger::verdicts::VerifyAll;
use world::{BLOCK_MS, World, timing};

fn is_early_or_late(result: Result<Effect, Refusal>, round_id: u64) -> bool {
    matches!(result, Err(Refusal::NotDue { round, .. }) if round == round_id)
}

#[test]
fn without_keys_no_round_opens() {
    let mut world = World::new(4);
    let open_ms = world.ms(RoundTiming::open_ms, 1);
    assert_eq!(world.try_at(open_ms, world.open(1)), Err(Refusal::NoKeys { round: 1 }));
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
        // The book's owners are the first wallets of a list: those of the second half bid in the second block.
        let bids = if block == 0 { bids } else { second_half(&mut world) };
        world.at(late, vec![bids]);
    }
    assert_eq!(world.state.round(1).expect("active").grace_from(), Some(world.state.height() - 1));
    assert_eq!(world.state.due(late), [closing()]);
    let effects = world.due_at(late);
    assert!(matches!(effects.effects[..], [Effect::RoundClosed { bids: 4, .. }]));
    let refused = world.try_next(closing());
    assert!(matches!(refused, Err(Refusal::OutOfOrder { found: TransactionKind::CloseRound, .. })));
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
    assert!(matches!(world.try_next(bids), Err(Refusal::OutOfOrder { found: TransactionKind::Bids, .. })));
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
    let count = |world: &World| world.state.roster().map(|roster| roster.validators.len());
    assert_eq!(count(&world), Some(4));
    assert_eq!(grace_of(&mut world), 4);
    assert_eq!(count(&world), Some(7));
}

fn overdue() -> Transaction {
    Transaction::Void { round_id: 1, reason: VoidReason::OpeningDeadline }
}

#[test]
fn an_opening_ends_at_its_deadline_and_not_before() {
    let mut world = World::keyed(4);
    world.opening(1);
    let deadline = world.ms(RoundTiming::deadline_ms, 1);
    assert!(matches!(world.try_at(deadline - 1, overdue()), Err(Refusal::OutOfOrder { .. })));
    let few = Transaction::Void { round_id: 1, reason: VoidReason::TooFewBids };
    assert!(matches!(world.try_at(deadline, few), Err(Refusal::OutOfOrder { .. })));
    assert!(world.state.due(deadline - 1).iter().all(|due| due.kind() != TransactionKind::Void));
    // Shares that came are of no use afterwards.
    let Expected::Shares(request) = world.state.expected(1).expect("expected") else { panic!("no shares") };
    let shares = world.shares(1, &request);
    world.at(deadline - 1, shares[..2].to_vec());
    assert!(matches!(world.state.expected(1), Ok(Expected::Shares(_))));
    world.at(deadline, vec![]);
    assert_eq!(world.state.expected(1), Ok(Expected::Void { reason: VoidReason::OpeningDeadline }));
    assert_eq!(world.try_next(shares[2].clone()), Err(Refusal::DeadlinePassed { round: 1 }));
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
    assert_eq!(world.try_at(deadline, value), Err(Refusal::DeadlinePassed { round: 1 }));
}

#[test]
fn a_deadline_ends_openings_only() {
    let mut world = World::keyed(4);
    // While bids are taken: no block came between the opening and the deadline.
    world.bidding(1);
    let deadline = world.ms(RoundTiming::deadline_ms, 1);
    assert!(matches!(world.try_at(deadline, overdue()), Err(Refusal::OutOfOrder { .. })));
    world.due_at(world.ms(RoundTiming::close_ms, 1));
    while world.state.round(1).is_some_and(|round| round.takes_bids()) {
        world.due_at(world.state.time_unix_ms());
    }
    // Once all its sums are open a round is settled, however late.
    world.until(1, |expected| matches!(expected, Expected::Clear { .. }));
    assert!(matches!(world.try_at(deadline, overdue()), Err(Refusal::OutOfOrder { .. })));
    assert!(!world.state.due(deadline).contains(&overdue()));
    world.at(deadline, vec![]);
    world.until(1, |expected| matches!(expected, Expected::Settle { .. }));
    assert!(matches!(world.try_at(deadline, overdue()), Err(Refusal::OutOfOrder { .. })));
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
    let untraded_until = world.state.checkpoint().expect("a network").cleared_until_unix_s;
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
    assert!(matches!(**first, Refusal::NotDue { round: 1, .. }));
    assert_eq!(**second, Refusal::RoundNotActive { round });
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

/// Without timing one process orders the transactions: it has no excuse for a refused one.
#[test]
fn on_a_ledger_of_one_process_a_refused_transaction_refuses_the_block() {
    let chain = Chain::new(&Community::new());
    let refusal = chain.refusal(Transaction::CloseRound { round_id: 3 });
    assert_eq!(refusal, Refusal::RoundNotActive { round: 3 });
    let mut state = chain.state.clone();
    let block = veilgrid_ledger::block::Block::new(
        1,
        state.block_hash(),
        state.time_unix_ms(),
        state.root(),
        vec![open_round(1), Transaction::CloseRound { round_id: 3 }],
    );
    let error = state.apply_block(&block, &mut VerifyAll).expect_err("refused");
    assert_eq!((error.transaction, error.fault), (Some(1), BlockFault::from(refusal)));
    assert_eq!(state.root(), chain.state.root());
    assert_eq!((state.due(u64::MAX), state.refused(), state.roster().is_none()), (vec![], 0, true));
    let mut world = World::keyed(4);
    let change = world.sound_change(&[0, 1, 2, 4]);
    assert_eq!(chain.refusal(change), Refusal::NotANetwork);
    let event = Transaction::KeyEvent { session: 1, event: vec![0] };
    assert_eq!(chain.refusal(event), Refusal::NoSession { session: 1 });
}

/// What a block's outset says about rounds that were passed over, as (first, last, reason).
fn passed(effects: &BlockEffects) -> Vec<(u64, u64, VoidReason)> {
    let passed = effects.outset.iter().filter_map(|effect| match effect {
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
        assert!(matches!(keyed.try_next(void), Err(Refusal::OutOfOrder { .. })));
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

static KEYED: LazyLock<State> = LazyLock::new(|| World::keyed(4).state);

/// Everything about time that the rules accept at this moment as the first transaction of a block.
fn accepted_steps(state: &State, time: u64) -> Vec<Transaction> {
    let timing = *state.timing().expect("a network");
    let last = timing.round_at(time).unwrap_or(0);
    let opens = (last.saturating_sub(2)..last + 3).filter_map(|round_id| {
        let slot_seconds = state.community().params().slot_seconds;
        let slot_start_unix_s = timing.slot_start_unix_s(round_id, slot_seconds)?;
        Some(Transaction::OpenRound { round_id, slot_start_unix_s, slot_seconds })
    });
    let ends = state.rounds().flat_map(|round| {
        let round_id = round.round_id();
        let void = |reason| Transaction::Void { round_id, reason };
        let close = Transaction::CloseRound { round_id };
        [close, void(VoidReason::TooFewBids), void(VoidReason::OpeningDeadline)]
    });
    let accepted =
        |step: &Transaction| BlockDraft::begin(state, time).try_push(step.clone(), &mut VerifyAll).is_ok();
    opens.chain(ends).filter(accepted).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Rounds with and without bids, proposers that leave out what is due, clocks that stand still or jump.
    #[test]
    fn due_is_accepted_at_its_time_and_complete(
        steps in prop::collection::vec((prop_oneof![Just(0u64), 1..300u64, 300..2_500u64], 0..4u8), 1..40),
    ) {
        let mut state = KEYED.clone();
        let mut time = timing().first_open_unix_ms - 500;
        let mut bidding = BIDDERS.clone();
        for (wait_ms, what) in steps {
            time += wait_ms;
            let due = state.due(time);
            for step in accepted_steps(&state, time) {
                prop_assert!(due.contains(&step), "{step:?} is accepted at {time} and not due");
            }
            let mut draft = BlockDraft::begin(&state, time);
            prop_assert_eq!(&draft.due(), &due);
            // One proposer in four leaves out what is due.
            for step in due.into_iter().filter(|_| what != 0) {
                let pushed = draft.try_push(step.clone(), &mut VerifyAll).cloned();
                prop_assert!(pushed.is_ok(), "{step:?} is due at {time}: {pushed:?}");
            }
            if what == 3 {
                bidding.bid(&mut draft);
            }
            state = draft.finish().1;
            let over = timing().closed_by(time).unwrap_or(0);
            prop_assert!(state.last_round_id().unwrap_or(0) >= over, "round {over} has left no trace");
        }
    }
}

/// Bids for the rounds that a property's run may open, each sealed once.
#[derive(Clone)]
struct Bidders(std::sync::Arc<std::sync::Mutex<(World, std::collections::BTreeMap<u64, Transaction>)>>);

static BIDDERS: LazyLock<Bidders> = LazyLock::new(|| {
    Bidders(std::sync::Arc::new(std::sync::Mutex::new((World::keyed(4), Default::default()))))
});

impl Bidders {
    /// Two bids for each round that takes some and has none.
    fn bid(&mut self, draft: &mut BlockDraft<'_>) {
        let wanting = draft.state().rounds().filter(|round| round.takes_bids() && round.tally().count() == 0);
        for round_id in wanting.map(|round| round.round_id()).collect::<Vec<_>>() {
            let mut guard = self.0.lock().expect("one thread");
            let (world, sealed) = &mut *guard;
            let bids = sealed.entry(round_id).or_insert_with(|| {
                world.state = draft.state().clone();
                world.bids(round_id, &BOOK[..2])
            });
            draft.try_push(bids.clone(), &mut VerifyAll).expect("bids");
        }
    }
}

#[test]
fn eight_rounds_at_once_and_the_next_one_when_there_is_room() {
    // Deadlines far behind the openings: nobody releases a share.
    let patient = RoundTiming { opening_deadline_ms: 8_000, ..timing() };
    let mut world = World::with(4, patient);
    world.until_sharing(1);
    for round_id in 1..=8 {
        world.opening(round_id);
    }
    let ninth = world.ms(RoundTiming::open_ms, 9);
    assert!(ninth < world.ms(RoundTiming::deadline_ms, 1));
    assert_eq!(world.state.due(ninth), []);
    assert_eq!(world.try_at(ninth, world.open(9)), Err(Refusal::TooManyRounds { round: 9, active: 8 }));
    // The block that voids the first has room for the tenth.
    let deadline = world.ms(RoundTiming::deadline_ms, 1);
    let round_id = patient.round_at(deadline.max(ninth)).map_or(10, |round_id| round_id);
    let time = deadline.max(world.ms(RoundTiming::open_ms, round_id));
    let kinds: BTreeSet<_> = world.state.due(time).iter().map(Transaction::kind).collect();
    assert_eq!(kinds, BTreeSet::from([TransactionKind::OpenRound, TransactionKind::Void]));
    world.due_at(time);
    assert!(world.state.round(round_id).is_some());
}

#[test]
fn whole_rounds_follow_each_other() {
    let mut world = World::keyed(4);
    for round_id in 1..=3 {
        assert!(matches!(world.round(round_id), Effect::Settled(_)), "round {round_id}");
    }
    assert_eq!(world.state.finished().settled, 3);
    assert!(world.state.time_unix_ms() > timing().first_open_unix_ms + BLOCK_MS);
}
