//! Power failures while a store is made, written, pruned and built anew, and after a kill: the order of writes and syncs is
//! recorded, the worst disks that it allows are built at random cuts, and opened again.
//!
//! ```text
//! VEILGRID_CUTS=1000 cargo test --release -p veilgrid-store --test power -- --nocapture
//! ```
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_types, reason = "a recording is waited for by the clock")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../power_support/mod.rs"]
mod power_support;
mod rebuild;
mod said;

use power_support::dice::Dice;
use power_support::disk::Disk;
use power_support::trace::{Act, can_record, recorder, recording};
use power_support::{cuts, dice, scratch};
use said::Said;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::secret::Secret;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::export::MAX_CHECKPOINT_BYTES;
use veilgrid_ledger::state::State;
use veilgrid_store::{Checks, IntakeEntry, IntakeJournal, SavedKey, Store, Unsaved};

const FOLDER: &str = "VEILGRID_POWER_FOLDER";
const BLOCKS: u64 = 18;
/// Bids are pruned twice, so that a checkpoint replaces another one.
const PRUNED_UP_TO: [u64; 2] = [4, 7];
const RECEIPTS: u64 = 6;

/// Every second one is large, and lies in a file of its own.
fn blocks() -> &'static [Block] {
    static BLOCKS_MADE: OnceLock<Vec<Block>> = OnceLock::new();
    BLOCKS_MADE.get_or_init(|| common::chain_with_bids(BLOCKS, 12))
}

/// Longer than those of a hundred validators: some pages of the database are large enough for files of their own.
fn certificate() -> Vec<u8> {
    vec![7; 20_000]
}

/// As long as they may be.
fn checkpoint(height: u64) -> Vec<u8> {
    vec![u8::try_from(height).expect("small"); MAX_CHECKPOINT_BYTES]
}

fn entry(sequence: u64) -> IntakeEntry {
    let (ledger_id, account, bid_digest, signature) = ([1; 32], [2; 32], [3; 32], [4; 64]);
    let receipt = Receipt { ledger_id, round_id: 1 + sequence / 4, account, bid_digest, sequence, signature };
    IntakeEntry { bid: vec![5; 700], receipt: receipt.to_bytes() }
}

/// The folder that a child works in; none in a run that is no child.
fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// Said to whoever reads this process's output, as a receipt is.
fn say(what: &str, number: u64) {
    println!("{what} {number}");
}

/// A child: a first start.
#[test]
#[ignore = "a process of other tests"]
fn child_begins() {
    let Some(folder) = folder() else { return };
    let mut store = Store::open(&folder.join("new/home/ledger")).expect("a store");
    for (height, block) in (0..).zip(blocks()) {
        store.append(block, Some(&certificate())).expect("appended");
        say("height", height);
    }
    save(&mut store);
    say("saved", 1);
    let mut journal = IntakeJournal::open(&folder.join("new/home/intake")).expect("a journal");
    for sequence in 1..=RECEIPTS {
        journal.record(&[entry(sequence)]).expect("recorded");
        say("last", sequence);
    }
    // Their numbers stay when all files with them go.
    say("forgets", 2);
    journal.forget_up_to(2).expect("forgotten");
    say("last", RECEIPTS);
    // Pruning takes it away.
    say("saved", 0);
    for height in PRUNED_UP_TO {
        store.prune_bodies(height, &checkpoint(height), |_| true).expect("pruned");
        say("pruned", height);
        save(&mut store);
    }
}

/// The key of the saved state.
fn key() -> SavedKey {
    SavedKey::derive(&Secret::new([1; 32]))
}

/// Saves the state after block 0: it is about the file.
fn save(store: &mut Store) {
    let state = State::from_genesis_block(&blocks()[0]).expect("a genesis");
    store.save_state(&key(), Unsaved::new(&state, vec![3; 9_000])).expect("saved").expect("of this store");
}

/// A child: a start over what a killed one has left. What it finds counts as promised.
#[test]
#[ignore = "a process of other tests"]
fn child_goes_on() {
    let Some(folder) = folder() else { return };
    let (store, journal) = (folder.join("new/home/ledger"), folder.join("new/home/intake"));
    if store.exists() {
        let store = Store::open_checking(&store, Checks::SinceSaved(&key())).expect("a store");
        if let Some(tip) = store.tip() {
            say("height", tip.height);
        }
        if let Some(height) = store.pruned_up_to() {
            say("pruned", height);
        }
    }
    if journal.exists() {
        say("last", IntakeJournal::open(&journal).expect("a journal").last_sequence());
    }
}

/// Runs a child under the recorder.
fn child(name: &str, folder: &Path, to: &Path) -> Vec<Act> {
    let mut command = recorder(to);
    command.push(std::env::current_exe().expect("this test").into());
    command.extend(["--ignored", "--exact", "--nocapture", "--test-threads=1", name].map(Into::into));
    let output = Command::new(&command[0]).args(&command[1..]).env(FOLDER, folder).output();
    let output = output.expect("it starts");
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{}", text.concat());
    recording(to)
}

/// Nothing is written by calls that are not recorded.
fn is_complete(disk: &Disk, folder: &Path) {
    assert!(disk.seen() == Disk::load(folder).seen(), "something was written by calls that are not recorded");
}

fn empty(folder: &Path) {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir(folder).expect("made");
}

fn write_worst(disk: &Disk, dice: &mut Dice, at: &Path) {
    let _ = std::fs::remove_dir_all(at);
    disk.write_worst(dice, at);
}

/// Where something gets or loses a name below a folder: what is not synchronised then is missed soon behind it.
fn renamings(acts: &[Act], below: &Path) -> Vec<usize> {
    let is_one = |act: &Act| match act {
        Act::Rename { from: path, .. } | Act::Link { from: path, .. } | Act::Remove { path } => {
            path.starts_with(below)
        }
        _ => false,
    };
    (0..acts.len()).filter(|index| is_one(&acts[*index])).collect()
}

/// Half of the cuts anywhere, the others behind each renaming in turn: until the sync that follows it, or a little later.
fn cut_of(number: u64, acts: &[Act], renamings: &[usize], dice: &mut Dice) -> usize {
    let turn = usize::try_from(number / 2).expect("small");
    let behind = if dice.coin() { 3 } else { 12 };
    match number % 2 {
        0 => dice.below(acts.len()),
        _ => (renamings[turn % renamings.len()] + dice.below(behind)).min(acts.len() - 1),
    }
}

#[test]
fn a_first_start_that_the_power_ends_loses_nothing_that_was_said() {
    if !can_record("a_first_start_that_the_power_ends_loses_nothing_that_was_said") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    empty(&home);
    let before = Disk::load(&home);
    let acts = child("child_begins", &home, &folder.path().join("trace"));
    let mut disk = before.clone();
    acts.iter().for_each(|act| disk.act(act));
    is_complete(&disk, &home);
    let is_blob =
        |act: &Act| matches!(act, Act::Open { path, .. } if path.to_string_lossy().contains("/blobs/"));
    assert!(acts.iter().any(is_blob), "the database has put no page into a file of its own");
    let renamings = renamings(&acts, &home.join("new/home/intake"));
    let (scratch, mut dice, mut rebuilt) = (scratch(), dice(1), 0);
    let at = scratch.path().join("worst");
    for number in 0..cuts() {
        let cut = cut_of(number, &acts, &renamings, &mut dice);
        let (mut disk, mut said) = (before.clone(), Said::default());
        for act in &acts[..=cut] {
            disk.act(act);
            said.listen(act);
        }
        write_worst(&disk, &mut dice, &at);
        match said.check(&at.join("new/home")) {
            // Before its first word a new store may be in pieces.
            Ok(anew) => rebuilt += u64::from(anew && said != Said::default()),
            Err(why) => panic!("cut {cut} of {}, {said:?}: {why}", acts.len()),
        }
    }
    println!("{} disks of {} calls", cuts(), acts.len());
    assert_eq!(rebuilt, 0, "what has lost nothing is not called damaged");
}

/// A kill leaves what was written where the next run reads it, and not on the disk.
#[test]
fn what_a_killed_run_had_not_synchronised_is_durable_before_it_counts() {
    if !can_record("what_a_killed_run_had_not_synchronised_is_durable_before_it_counts") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (home, mut dice) = (folder.path().join("home"), dice(2));
    empty(&home);
    let before = Disk::load(&home);
    let acts = child("child_begins", &home, &folder.path().join("trace"));
    // Before each sync of a file of receipts, and some of the mark's and of all others.
    let named = |path: &Path, name: &str| path.file_name().is_some_and(|found| found == name);
    let of_receipts =
        |path: &Path| path.extension().is_some_and(|end| end == "intake") || named(path, "intake");
    let (mut receipts, mut marks, mut others) = (vec![], vec![], vec![]);
    for (index, act) in acts.iter().enumerate() {
        let Act::SyncBegins { path, .. } = act else { continue };
        match path {
            path if of_receipts(path) => receipts.push(index),
            path if named(path, "acknowledged") => marks.push(index),
            _ => others.push(index),
        }
    }
    let found = (receipts.len(), marks.len(), others.len());
    assert!(found.0 >= 6 && found.1 >= 10 && found.2 >= 20, "{found:?} syncs");
    let mut kills = receipts;
    kills.extend((0..3).map(|_| marks[dice.below(marks.len())]));
    kills.extend((0..10).map(|_| others[dice.below(others.len())]));
    let (scratch, each) = (scratch(), cuts().div_ceil(3));
    let at = scratch.path().join("worst");
    for kill in kills {
        let mut disk = before.clone();
        acts[..kill].iter().for_each(|act| disk.act(act));
        let _ = std::fs::remove_dir_all(&home);
        disk.write_seen(&home);
        let again = child("child_goes_on", &home, &folder.path().join("again"));
        let mut before_kill = Said::default();
        acts[..kill].iter().for_each(|act| before_kill.listen(act));
        let mut said = Said { forgets: before_kill.forgets, ..Said::default() };
        for act in &again {
            disk.act(act);
            said.listen(act);
        }
        is_complete(&disk, &home);
        for _ in 0..each {
            write_worst(&disk, &mut dice, &at);
            if let Err(why) = said.check(&at.join("new/home")) {
                panic!("killed before call {kill} of {}, {said:?}: {why}", acts.len());
            }
        }
    }
}
