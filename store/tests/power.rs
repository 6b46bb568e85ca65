//! Power failures while a store is made, written and built anew, and after a kill: the order of writes and syncs is recorded,
//! the worst disks that it allows are built at random cuts, and opened again.
//!
//! ```text
//! VEILGRID_CUTS=1000 cargo test --release -p veilgrid-store --test power -- --nocapture
//! ```
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_types, reason = "a recording is waited for by the clock")]

mod common;
mod power_support;

use common::chain;
use power_support::disk::Disk;
use power_support::trace::{Act, can_record, recorder, recording};
use power_support::{cuts, dice};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_store::{IntakeEntry, IntakeJournal, Store};

const FOLDER: &str = "VEILGRID_POWER_FOLDER";
const BLOCKS: usize = 12;
const RECEIPTS: u64 = 6;

/// The folder that a child works in; none in a run that is no child.
fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// Said to whoever reads this process's output, as a receipt is.
fn say(what: &str, number: u64) {
    println!("{what} {number}");
}

fn entry(sequence: u64) -> IntakeEntry {
    let (ledger_id, account, bid_digest, signature) = ([1; 32], [2; 32], [3; 32], [4; 64]);
    let receipt = Receipt { ledger_id, round_id: 1 + sequence / 4, account, bid_digest, sequence, signature };
    IntakeEntry { bid: vec![5; 700], receipt: receipt.to_bytes() }
}

/// A child: a first start.
#[test]
#[ignore = "a process of other tests"]
fn child_begins() {
    let Some(folder) = folder() else { return };
    let mut store = Store::open(&folder.join("new/home/ledger")).expect("a store");
    for (height, block) in (0..).zip(chain(BLOCKS).0) {
        store.append(&block, None).expect("appended");
        say("height", height);
    }
    let mut journal = IntakeJournal::open(&folder.join("new/home/intake")).expect("a journal");
    for sequence in 1..=RECEIPTS {
        journal.record(&[entry(sequence)]).expect("recorded");
        say("last", sequence);
    }
    // Their numbers stay when all files with them go.
    say("forgets", 2);
    journal.forget_up_to(2).expect("forgotten");
    say("last", RECEIPTS);
}

/// A child: a start over what a killed one has left. What it finds counts as promised.
#[test]
#[ignore = "a process of other tests"]
fn child_goes_on() {
    let Some(folder) = folder() else { return };
    let (store, journal) = (folder.join("new/home/ledger"), folder.join("new/home/intake"));
    if store.exists()
        && let Some(tip) = Store::open(&store).expect("a store").tip()
    {
        say("height", tip.height);
    }
    if journal.exists() {
        say("last", IntakeJournal::open(&journal).expect("a journal").last_sequence());
    }
}

/// A child: a damaged store is built anew.
#[test]
#[ignore = "a process of other tests"]
fn child_rebuilds() {
    let Some(folder) = folder() else { return };
    let opened = Store::open_or_rebuild(&folder.join("ledger")).expect("rebuilt");
    assert!(opened.rebuilt.is_some(), "it was damaged");
    say("height", opened.store.tip().expect("blocks").height);
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

/// What a child has said.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Said {
    height: Option<u64>,
    last: u64,
    /// Rounds up to this one may be forgotten, their numbers not.
    forgets: u64,
}

impl Said {
    fn listen(&mut self, act: &Act) {
        let Act::Sent { bytes } = act else { return };
        for line in String::from_utf8_lossy(bytes).lines() {
            // The runner of tests may have begun the line.
            let mut words = line.rsplit(' ');
            let number = words.next().and_then(|word| word.parse().ok());
            match (words.next(), number) {
                (Some("height"), Some(height)) => self.height = self.height.max(Some(height)),
                (Some("last"), Some(last)) => self.last = self.last.max(last),
                (Some("forgets"), Some(round)) => self.forgets = round,
                _ => {}
            }
        }
    }

    /// Whether the stores of a disk have it; whether the blocks' had to be built anew.
    fn check(self, home: &Path) -> Result<bool, String> {
        let mut rebuilt = false;
        let (store, journal) = (home.join("ledger"), home.join("intake"));
        if store.exists() || self.height.is_some() {
            // Without its mark a store that damage makes shorter would pass for whole.
            let marked = marked(&store.join("acknowledged"));
            if store.exists() && marked < self.height {
                return Err(format!("the mark says {marked:?}"));
            }
            let opened = Store::open_or_rebuild(&store).map_err(|error| error.to_string())?;
            rebuilt = opened.rebuilt.is_some();
            if opened.store.tip().map(|tip| tip.height) < self.height {
                let why = opened
                    .rebuilt
                    .map_or_else(String::new, |rebuilt| format!(", built anew: {}", rebuilt.why));
                return Err(format!("the store ends with {:?}{why}", opened.store.tip()));
            }
        }
        if journal.exists() || self.last > 0 {
            let journal = IntakeJournal::open(&journal).map_err(|error| error.to_string())?;
            if journal.last_sequence() < self.last {
                return Err(format!("number {} would be given again", journal.last_sequence() + 1));
            }
            let kept: usize = journal.load().map_err(|error| error.to_string())?.values().map(Vec::len).sum();
            if self.forgets == 0 && (kept as u64) < self.last {
                return Err(format!("{kept} entries are left of {}", self.last));
            }
        }
        Ok(rebuilt)
    }
}

/// The height that the file of a mark names: that of its slots that hold.
fn marked(path: &Path) -> Option<u64> {
    let bytes = std::fs::read(path).ok()?;
    let slots = [0, 4096].into_iter().filter_map(|at| bytes.get(at..at + 88));
    let whole = slots.filter(|slot| Sha256::digest(&slot[..56]).as_slice() == &slot[56..]);
    whole.map(|slot| u64::from_be_bytes(slot[8..16].try_into().expect("eight bytes"))).max()
}

/// Nothing is written by calls that are not recorded.
fn is_complete(disk: &Disk, folder: &Path) {
    assert!(disk.seen() == Disk::load(folder).seen(), "something was written by calls that are not recorded");
}

fn empty(folder: &Path) {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir(folder).expect("made");
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
    let (mut dice, mut rebuilt) = (dice(1), 0);
    for _ in 0..cuts() {
        let (cut, mut disk, mut said) = (dice.below(acts.len()), before.clone(), Said::default());
        for act in &acts[..=cut] {
            disk.act(act);
            said.listen(act);
        }
        let at = folder.path().join("worst");
        let _ = std::fs::remove_dir_all(&at);
        disk.write_worst(&mut dice, &at);
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
    // Before each sync of a file of receipts, and some of all others.
    let of_receipts = |path: &Path| {
        path.extension().is_some_and(|end| end == "intake")
            || path.file_name().is_some_and(|name| name == "intake")
    };
    let syncs = acts.iter().enumerate().filter_map(|(index, act)| match act {
        Act::SyncBegins { path, .. } => Some((index, of_receipts(path))),
        _ => None,
    });
    let (receipts, others): (Vec<_>, Vec<_>) = syncs.partition(|(_, receipts)| *receipts);
    assert!(receipts.len() >= 6 && others.len() >= 20, "{} and {} syncs", receipts.len(), others.len());
    let some = (0..10).map(|_| others[dice.below(others.len())]).collect::<Vec<_>>();
    let kills = receipts.iter().chain(&some).map(|(index, _)| *index);
    let each = cuts().div_ceil(3);
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
            let at = folder.path().join("worst");
            let _ = std::fs::remove_dir_all(&at);
            disk.write_worst(&mut dice, &at);
            if let Err(why) = said.check(&at.join("new/home")) {
                panic!("killed before call {kill} of {}, {said:?}: {why}", acts.len());
            }
        }
    }
}

/// Threat: a store that is built anew is gone for a moment, and the next start begins an empty one without a word.
#[test]
fn a_rebuilding_that_the_power_ends_leaves_the_old_store_or_the_new_one() {
    if !can_record("a_rebuilding_that_the_power_ends_leaves_the_old_store_or_the_new_one") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    empty(&home);
    let mut store = Store::open(&home.join("ledger")).expect("a store");
    for block in chain(BLOCKS).0 {
        store.append(&block, None).expect("appended");
    }
    drop(store);
    let conf = home.join("ledger/conf");
    let mut bytes = std::fs::read(&conf).expect("settings");
    bytes[0] ^= 1;
    std::fs::write(&conf, bytes).expect("damaged");
    let before = Disk::load(&home);
    let acts = child("child_rebuilds", &home, &folder.path().join("trace"));
    let (mut whole, mut end) = (Said::default(), before.clone());
    for act in &acts {
        end.act(act);
        whole.listen(act);
    }
    is_complete(&end, &home);
    assert!(whole.height.is_some(), "it was rebuilt");
    // Most of it is copying; what matters is where names change.
    let names = |act: &Act| matches!(act, Act::Rename { from, .. } if from.starts_with(&home));
    let changes: Vec<usize> = (0..acts.len()).filter(|index| names(&acts[*index])).collect();
    let mut dice = dice(3);
    for number in 0..cuts() {
        let cut = match number % 2 {
            0 => dice.below(acts.len()),
            _ => (changes[dice.below(changes.len())] + dice.below(12)).min(acts.len() - 1),
        };
        let mut disk = before.clone();
        acts[..=cut].iter().for_each(|act| disk.act(act));
        let at = folder.path().join("worst");
        let _ = std::fs::remove_dir_all(&at);
        disk.write_worst(&mut dice, &at);
        // Whenever it was: what was whole in the damaged store is in what opens now.
        if let Err(why) = whole.check(&at) {
            panic!("cut {cut} of {}, {whole:?}: {why}", acts.len());
        }
    }
}
