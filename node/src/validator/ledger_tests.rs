//! A ledger on disk, opened again: its state, and how its rounds ended.

use super::*;
use veilgrid_client::ledger_view::{RoundEnd, RoundEnds};
use veilgrid_crypto::secret::Secret;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::VoidReason;
use veilgrid_store::SavedKey;
use world::World;

#[path = "../../../ledger/tests/common/mod.rs"]
mod common;
#[path = "../../../ledger/tests/common/network.rs"]
mod world;

/// One round with a result, one without bids; after them blocks without rounds.
fn ledger(path: &Path) -> (World, Store) {
    let mut world = World::keyed(4);
    world.round(1);
    world.due_at(world.ms(RoundTiming::open_ms, 2));
    world.due_at(world.ms(RoundTiming::close_ms, 2));
    while world.state.round(2).is_some_and(|round| round.takes_bids()) {
        world.due_at(world.state.time_unix_ms());
    }
    world.until(2, |_| false);
    (0..3).for_each(|_| drop(world.step()));
    let mut store = Store::open(path).expect("a new store");
    for block in &world.blocks {
        store.append(block, None).expect("the next block");
    }
    (world, store)
}

fn restart(verify_all: bool) -> Restart {
    Restart { key: SavedKey::derive(&Secret::new([7; 32])), verify_all }
}

fn opened(path: &Path, world: &World) -> RoundEnds {
    let mut ends = RoundEnds::default();
    let note = &mut |told: Told<'_>| match told {
        Told::Noted(notes) => ends = notes.ended,
        Told::Done(effect, _) => ends.note(effect),
    };
    let opened = open_noting(path, &world.blocks[0], &restart(false), note, &Shutdown::new());
    let Ledger { state, .. } = opened.expect("opened");
    assert_eq!(state.root(), world.state.root());
    ends
}

#[test]
fn a_replay_tells_how_rounds_ended() {
    let directory = tempfile::tempdir().expect("directory");
    let (world, mut store) = ledger(directory.path());
    let mut lived = RoundEnds::default();
    world.all_effects().for_each(|effect| lived.note(effect));
    assert!(matches!(lived.of(1), Some(RoundEnd::Settled { bids: 4, .. })), "{lived:?}");
    let void = RoundEnd::Voided { reason: VoidReason::TooFewBids, bids: 0 };
    assert_eq!(lived.of(2), Some(&void));
    drop(store);
    assert_eq!(opened(directory.path(), &world), lived);

    // A round whose bids are pruned can't be recomputed, so nobody says how it ended; one without bids has lost nothing.
    store = Store::open(directory.path()).expect("again");
    let checkpoint = world.state.checkpoint().to_bytes();
    store
        .prune_bodies(world.state.height(), &checkpoint, |block| world.state.may_prune(block))
        .expect("pruned");
    drop(store);
    let pruned = opened(directory.path(), &world);
    assert_eq!((pruned.of(1), pruned.of(2)), (None, Some(&void)));
}

#[test]
fn a_replay_ends_when_the_process_is_to_end() {
    let directory = tempfile::tempdir().expect("directory");
    let (world, store) = ledger(directory.path());
    drop(store);
    // How many heights and transactions have an effect before the end is asked for, and after it.
    let stopped_at = |wanted: usize| {
        let (shutdown, mut noted) = (Shutdown::new(), 0);
        let note = &mut |_: Told<'_>| {
            noted += 1;
            if noted == wanted {
                shutdown.trigger();
            }
        };
        let stopped = open_noting(directory.path(), &world.blocks[0], &restart(false), note, &shutdown);
        assert!(matches!(stopped, Err(LedgerError::Stopped)), "{:?}", stopped.err());
        noted
    };
    let all = world.all_effects().count();
    let noted = stopped_at(2);
    assert!(noted < all / 2, "{noted} of {all}: the rest of the block at most");

    let mut store = Store::open(directory.path()).expect("again");
    let checkpoint = world.state.checkpoint().to_bytes();
    store
        .prune_bodies(world.state.height(), &checkpoint, |block| world.state.may_prune(block))
        .expect("pruned");
    drop(store);
    let noted = stopped_at(2);
    assert!(noted < all / 2, "{noted} of {all}: also past pruned blocks");
    // Nothing was harmed.
    assert!(opened(directory.path(), &world).of(2).is_some());
}

/// The window counts rounds of the ledger, not of the process: after a restart it is where it was.
#[test]
fn the_window_of_a_restarted_validator_is_where_it_was() {
    use super::super::retention::Retention;
    let directory = tempfile::tempdir().expect("directory");
    let (world, store) = ledger(directory.path());
    drop(store);
    let due = |window: u64| {
        let mut retention = Retention::new(Some(window));
        let note = &mut |told: Told<'_>| {
            if let Told::Done(effect, after) = told {
                retention.replayed(effect, after);
            }
        };
        let opened = open_noting(directory.path(), &world.blocks[0], &restart(true), note, &Shutdown::new());
        drop(opened.expect("opened"));
        let last = world.effects.last().expect("blocks");
        retention.follow(last, &world.state).map(|due| due.checkpoint.height)
    };
    let ended = |round_id: u64| {
        let ends = |effect: &Effect| match effect {
            Effect::Settled(round) => round.round_id == round_id,
            Effect::Voided { round_id: voided, .. } => *voided == round_id,
            _ => false,
        };
        world.effects.iter().find(|block| block.effects.iter().any(ends)).map(|block| block.height)
    };
    assert!(ended(1).is_some() && ended(1) < ended(2), "two rounds have ended");
    // None was noted by this process: what is due comes from the replay alone.
    assert_eq!((due(0), due(1), due(2)), (ended(2), ended(1), None));
}
