//! Whole rounds, one after another and eight at once, in any order of what the rules accept.

use crate::common::BOOK;
use crate::world::{BLOCK_MS, World, timing};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::LazyLock;
use veilgrid_ledger::builder::BlockDraft;
use veilgrid_ledger::refusal::Refusal;
use veilgrid_ledger::rounds::refusal::RoundRefusal;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::{Transaction, TransactionKind, VoidReason};
use veilgrid_ledger::verdicts::VerifyAll;

pub static KEYED: LazyLock<State> = LazyLock::new(|| World::keyed(4).state);

/// Everything about time that the rules accept at this moment as the first transaction of a block.
fn accepted_steps(state: &State, time: u64) -> Vec<Transaction> {
    let timing = *state.timing();
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
    assert_eq!(
        world.try_at(ninth, world.open(9)),
        Err(Refusal::Rounds(RoundRefusal::TooManyRounds { round: 9, active: 8 }))
    );
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
