//! What of a ledger counts, blocks that an auditor knows, and copies that part.

use super::{text, write_blocks, write_ledger};
use crate::cli::{code, json, stderr, veilgrid};
use crate::world::World;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::state::State;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::verdicts::VerifyAll;

/// Blocks behind others, a millisecond later each than the one before, so that they are others for each `from_ms`.
fn go_on(world: &World, to: usize, from_ms: u64, blocks: usize) -> (Vec<Block>, [u8; 32]) {
    let mut all = world.blocks[..to].to_vec();
    let mut state = State::from_genesis_block(&all[0]).expect("genesis");
    for block in &all[1..] {
        state.apply_block(block, &mut VerifyAll).expect("applied");
    }
    for later in 0..blocks as u64 {
        let time_unix_ms = state.time_unix_ms().max(from_ms) + later;
        let (height, parent) = (state.height() + 1, state.block_hash());
        let block = Block::new(height, parent, time_unix_ms, state.root(), vec![]);
        state.apply_block(&block, &mut VerifyAll).expect("applied");
        all.push(block);
    }
    (all, state.root())
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(output)
}

/// A network that has no keys yet: a few blocks, cheap to audit.
struct Copies {
    world: World,
    dir: tempfile::TempDir,
}

impl Copies {
    fn new() -> Self {
        let mut world = World::new(4);
        (0..4).for_each(|_| drop(world.push(vec![])));
        Self { world, dir: tempfile::tempdir().expect("a folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The world's first `to` blocks and others behind them, certified up to a height.
    fn write(&self, name: &str, to: usize, from_ms: u64, blocks: usize, certified: u64) -> PathBuf {
        let (blocks, root) = go_on(&self.world, to, from_ms, blocks);
        write_blocks(&self.world, &blocks, root, |height| height <= certified, &self.path(name));
        self.path(name)
    }
}

/// Threat: a block of a late time behind the last certificate, before there are keys: it voids rounds.
#[test]
fn what_follows_the_last_certificate_is_named_and_not_counted() {
    let copies = Copies::new();
    let late_ms = copies.world.ms(RoundTiming::close_ms, 2);
    let forged = copies.write("forged.vgl", 5, late_ms, 2, 4);
    let report = json(&veilgrid(["audit", text(&forged), "--json"]));
    assert_eq!(
        (&report["rounds_void"], &report["blocks"], &report["height"]),
        (&0.into(), &5.into(), &4.into())
    );
    assert_eq!(report["passed_rounds"], serde_json::json!([]));
    let uncovered = &report["uncovered"];
    assert_eq!(
        (&uncovered["blocks"], &uncovered["first_height"], &uncovered["last_height"]),
        (&2.into(), &5.into(), &6.into())
    );
    let output = veilgrid(["audit", text(&forged)]);
    let text_of = said(&output);
    assert_eq!(code(&output), 0, "{text_of}");
    assert!(text_of.contains("NOT final in this file: 2 blocks, 5 to 6, are in no certificate"), "{text_of}");
    assert!(!text_of.contains("are void"), "{text_of}");
    // With a certificate it is the network that says so.
    let certified = copies.write("certified.vgl", 5, late_ms, 2, 6);
    let report = json(&veilgrid(["audit", text(&certified), "--json"]));
    assert_eq!((&report["rounds_void"], &report["uncovered"]), (&2.into(), &serde_json::Value::Null));
}

#[test]
fn what_show_shows_of_uncovered_blocks_is_marked() {
    let copies = Copies::new();
    let late_ms = copies.world.ms(RoundTiming::close_ms, 2);
    for (certified, is_final, uncovered) in [(4, false, 2), (6, true, 0)] {
        let ledger = copies.write(&format!("to-{certified}.vgl"), 5, late_ms, 2, certified);
        let shown = json(&veilgrid(["show", text(&ledger), "--json"]));
        assert_eq!(shown["network"]["uncovered_blocks"], uncovered, "{shown}");
        assert_eq!(
            (&shown["rounds"][0]["round_id"], &shown["rounds"][0]["is_final"]),
            (&1.into(), &is_final.into())
        );
        let round = json(&veilgrid(["show", text(&ledger), "round", "1", "--json"]));
        assert_eq!((&round["round_id"], &round["is_final"]), (&1.into(), &is_final.into()), "{round}");
        for more in [&[][..], &["round", "1"]] {
            let output = veilgrid(["show", text(&ledger)].iter().chain(more));
            assert_eq!(said(&output).contains("not final"), !is_final, "{more:?}: {}", said(&output));
        }
        let blocks = said(&veilgrid(["show", text(&ledger)]));
        assert_eq!(blocks.contains("blocks 5 to 6 are in no certificate"), !is_final, "{blocks}");
    }
}

#[test]
fn a_pinned_block_has_to_be_this_ledgers_and_final() {
    let copies = Copies::new();
    let ledger = copies.write("ledger.vgl", 4, 0, 0, 2);
    let hash = |height: usize| hex::encode(copies.world.blocks[height].hash());
    let audit = |height: &str, block: &str| {
        veilgrid(["audit", text(&ledger), "--height", height, "--block", block, "--json"])
    };
    for height in [0, 1, 2] {
        let report = json(&audit(&height.to_string(), &hash(height)));
        assert_eq!(
            (&report["pinned"]["height"], &report["pinned"]["block_hash"]),
            (&height.into(), &hash(height).into())
        );
    }
    for (height, block, why) in [
        ("1", hash(2), "pinned is"),
        ("3", hash(3), "no certificate covers it"),
        ("4", hash(4), "the ledger ends at height 3"),
    ] {
        let output = audit(height, &block);
        assert_eq!(code(&output), 1, "{height}: {}", said(&output));
        assert!(stderr(&output).contains(why), "{height}: {}", stderr(&output));
    }
    let usage: [&[&str]; 3] =
        [&["--height", "1"], &["--block", &hash(1)], &["--height", "1", "--block", "5f3a"]];
    for half in usage {
        let output = veilgrid(["audit", text(&ledger)].iter().chain(half));
        assert_eq!(code(&output), 2, "{half:?}: {}", said(&output));
    }
}

fn compare(this: &Path, other: &Path) -> (i32, serde_json::Value, String) {
    let arguments = ["audit", text(this), "--compare", text(other)];
    let json = veilgrid(arguments.iter().chain(&["--json"]));
    let output = veilgrid(arguments);
    assert_eq!(code(&json), code(&output), "{}", said(&output));
    let comparison = serde_json::from_slice::<serde_json::Value>(&json.stdout).unwrap_or_default();
    (code(&output), comparison["comparison"].clone(), said(&output))
}

#[test]
fn copies_that_are_the_same_or_go_on_are_told_from_those_that_part() {
    let copies = Copies::new();
    let whole = copies.path("whole.vgl");
    write_ledger(&copies.world, &whole);
    let short = copies.write("short.vgl", 3, 0, 0, 2);
    let (exit, found, text_of) = compare(&whole, &whole);
    assert_eq!(
        (exit, &found["relation"], &found["last_height"]),
        (0, &"same".into(), &4.into()),
        "{text_of}"
    );
    let (exit, found, text_of) = compare(&whole, &short);
    assert_eq!((exit, &found["relation"]), (0, &"this_goes_on".into()), "{text_of}");
    assert_eq!((&found["last_common_height"], &found["meaning"]), (&2.into(), &"agree".into()));
    let (exit, found, text_of) = compare(&short, &whole);
    assert_eq!((exit, &found["relation"]), (0, &"other_goes_on".into()), "{text_of}");
    // Blocks of one copy that are in no certificate prove nothing.
    let tail = copies.write("tail.vgl", 3, 0, 2, 2);
    for (this, other) in [(&whole, &tail), (&tail, &whole)] {
        let (exit, found, text_of) = compare(this, other);
        assert_eq!(
            (exit, &found["height"], &found["meaning"]),
            (0, &3.into(), &"part_uncovered".into()),
            "{text_of}"
        );
    }
    // Certificates of both: whoever has the two files can show it to anybody.
    let fork = copies.write("fork.vgl", 3, 0, 2, 4);
    let (exit, found, text_of) = compare(&whole, &fork);
    assert_eq!(
        (exit, &found["relation"], &found["meaning"]),
        (1, &"part".into(), &"fork".into()),
        "{text_of}"
    );
    assert_eq!(found["block_hash"], hex::encode(copies.world.blocks[3].hash()));
    assert_ne!(found["block_hash"], found["other_block_hash"]);
    assert!(text_of.contains("at height 3") && text_of.contains("PROOF OF A FORK"), "{text_of}");
}

#[test]
fn what_can_not_be_compared_says_why() {
    let copies = Copies::new();
    let whole = copies.path("whole.vgl");
    write_ledger(&copies.world, &whole);
    let strangers = copies.path("strangers.vgl");
    let world = World::new(5);
    write_ledger(&world, &strangers);
    let (exit, found, text_of) = compare(&whole, &strangers);
    assert_eq!(
        (exit, &found["height"], &found["meaning"]),
        (1, &0.into(), &"different_ledgers".into()),
        "{text_of}"
    );
    assert!(text_of.contains("another genesis") && !text_of.contains("the same blocks"), "{text_of}");
    // A copy whose certificates do not hold is no proof.
    let (blocks, root) = go_on(&copies.world, 3, 0, 1);
    let false_copy = copies.path("false.vgl");
    let mut bytes = Vec::new();
    let mut writer = veilgrid_ledger::export::LedgerWriter::new(&mut bytes).expect("memory");
    for block in &blocks {
        writer.block(block).expect("memory");
        if block.header.height == 3 {
            writer.certificate(&[1; 40]).expect("memory");
        }
    }
    writer.finish(root).expect("memory");
    std::fs::write(&false_copy, bytes).expect("writable");
    let (exit, found, text_of) = compare(&whole, &false_copy);
    assert_eq!((exit, &found["meaning"]), (1, &serde_json::Value::Null), "{text_of}");
    assert!(found["other_violation"].as_str().is_some_and(|why| why.contains("certificate")), "{found}");
    let damaged = copies.path("damaged.vgl");
    let mut bytes = std::fs::read(&whole).expect("readable");
    *bytes.last_mut().expect("bytes") ^= 1;
    std::fs::write(&damaged, &bytes).expect("writable");
    assert_eq!(compare(&whole, &damaged).0, 1);
    let none = copies.path("none.vgl");
    std::fs::write(&none, "no ledger").expect("writable");
    let (exit, _, text_of) = compare(&whole, &none);
    assert!(exit == 2 && text_of.contains("none.vgl"), "{text_of}");
    let (exit, _, text_of) = compare(&whole, Path::new("-"));
    assert!(exit == 2 && text_of.contains("standard input"), "{text_of}");
}

#[test]
fn a_ledger_comes_by_standard_input_too() {
    let copies = Copies::new();
    let whole = copies.path("whole.vgl");
    write_ledger(&copies.world, &whole);
    let from = |path: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_veilgrid"));
        let input = Stdio::from(File::open(path).expect("readable"));
        command.args(["audit", "-", "--json"]).stdin(input).output().expect("the program starts")
    };
    assert_eq!(json(&from(&whole)), json(&veilgrid(["audit", text(&whole), "--json"])));
    let other = copies.path("other");
    std::fs::write(&other, "no ledger").expect("writable");
    assert_eq!(code(&from(&other)), 2);
    let both = veilgrid(["audit", "-", "--receipts", "-"]);
    assert!(code(&both) == 2 && stderr(&both).contains("standard input"), "{}", stderr(&both));
}

#[test]
fn the_help_says_what_its_verdicts_mean() {
    let help = said(&veilgrid(["audit", "--help"]));
    for word in ["not_checkable", "--compare", "--height", "audit -", "Exit code"] {
        assert!(help.contains(word), "{word}: {help}");
    }
}
