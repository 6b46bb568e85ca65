//! Stores that were pruned: replayed, exported and audited, or by nobody.

use super::{certificate, close, text};
use crate::cli::{code, json, stderr, veilgrid};
use crate::world::World;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::LazyLock;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::checkpoint::Checkpoint;
use veilgrid_store::Store;

/// Two settled rounds. When round 2 takes bids round 1 is over: that state is the one of the checkpoint.
struct Story {
    world: World,
    pause: State,
}

static STORY: LazyLock<Story> = LazyLock::new(|| {
    let mut world = World::keyed(4);
    world.round(1);
    world.bidding(2);
    let pause = world.state.clone();
    close(&mut world, 2);
    world.finish(2);
    Story { world, pause }
});

/// The story in a store, pruned up to the pause.
fn pruned(dir: &Path, checkpoint: &Checkpoint, prunes: impl Fn(&Block) -> bool) -> PathBuf {
    let path = dir.join("ledger");
    let mut store = Store::open(&path).expect("a store");
    for block in &STORY.world.blocks {
        store.append(block, certificate(&STORY.world, block).as_deref()).expect("appended");
    }
    let pruning = store.prune_bodies(STORY.pause.height(), &checkpoint.to_bytes(), prunes).expect("pruned");
    assert!(pruning.blocks > 0);
    path
}

fn export(store: &Path, ledger: &Path) -> Output {
    veilgrid(["export", text(store), text(ledger)])
}

#[test]
fn a_pruned_store_is_replayed_exported_and_audited() {
    let dir = tempfile::tempdir().expect("a folder");
    let (pause, tip) = (&STORY.pause, &STORY.world.state);
    let path = pruned(dir.path(), &pause.checkpoint(), |block| pause.may_prune(block));
    let store = Store::open(&path).expect("a store");
    let state = store.state().expect("replayed");
    assert_eq!((state.height(), state.root()), (tip.height(), tip.root()));
    drop(store);
    let ledger = dir.path().join("ledger.vgl");
    let exported = export(&path, &ledger);
    assert_eq!(code(&exported), 0, "{}", stderr(&exported));
    let genesis = hex::encode(STORY.world.blocks[0].hash());
    let report = json(&veilgrid(["audit", text(&ledger), "--genesis", &genesis, "--json"]));
    assert_eq!(report["ok"], true);
    assert_eq!(
        (&report["height"], &report["state_root"]),
        (&tip.height().into(), &hex::encode(tip.root()).into())
    );
    let pruned = &report["pruned"];
    assert_eq!(
        (&pruned["checkpoints"], &pruned["roots_unknown_from"]),
        (&1.into(), &serde_json::Value::Null)
    );
    assert_eq!(pruned["rounds_by_digest"], serde_json::json!([[1, 1]]));
    assert_eq!((&report["rounds_settled"], &report["bids"]), (&1.into(), &4.into()), "round 2 is whole");
    assert_eq!(report["certificates"]["covered_height"], tip.height());
}

#[test]
fn a_pruned_store_that_does_not_replay_is_exported_by_nobody() {
    let pause = &STORY.pause;
    let sound = pause.checkpoint();
    let mut settled = sound.clone();
    settled.finished.settled += 1;
    let later = Checkpoint { height: STORY.world.state.height() + 1, ..sound.clone() };
    let careful = |block: &Block| pause.may_prune(block);
    type Prunes<'a> = &'a dyn Fn(&Block) -> bool;
    let cases: [(&str, Checkpoint, Prunes<'_>, &str); 3] = [
        ("a false number", settled, &careful, "not the state that the next block names"),
        ("bids of an active round", sound, &|_| true, "round 2"),
        ("a checkpoint that is not reached", later, &careful, "has no bids any more"),
    ];
    for (what, checkpoint, prunes, why) in cases {
        let dir = tempfile::tempdir().expect("a folder");
        let path = pruned(dir.path(), &checkpoint, prunes);
        let store = Store::open(&path).expect("a store");
        let error = store.state().err().expect(what).to_string();
        assert!(
            error.contains("the pruned ledger does not replay") && error.contains(why),
            "{what}: {error}"
        );
        drop(store);
        let ledger = dir.path().join("ledger.vgl");
        let refused = export(&path, &ledger);
        assert_eq!(code(&refused), 2, "{what}");
        assert!(stderr(&refused).contains(why), "{what}: {}", stderr(&refused));
        assert!(!ledger.exists(), "{what}");
    }
}
