//! A damaged store or journal is built anew, and the power or a kill ends that.

use crate::power_support::disk::Disk;
use crate::power_support::trace::{Act, can_record};
use crate::power_support::{cuts, dice, scratch};
use crate::said::Said;
use crate::{
    blocks, certificate, child, cut_of, empty, entry, folder, is_complete, renamings, say, write_worst,
};
use std::fs;
use std::path::{Path, PathBuf};
use veilgrid_crypto::receipt::Receipt;
use veilgrid_store::{IntakeJournal, Store};

/// Blocks of the store that is damaged; those after them come when it is built anew.
const BEFORE: usize = 9;
/// Receipts of the journal that is damaged: in the last of its first round.
const RECEIPTS_BEFORE: u64 = 3;

/// A child: a damaged store is built anew and gets further blocks. A second run goes on.
#[test]
#[ignore = "a process of other tests"]
fn child_rebuilds() {
    let Some(folder) = folder() else { return };
    let mut store = Store::open_or_rebuild(&folder.join("ledger")).expect("rebuilt").store;
    let tip = store.tip().expect("blocks").height;
    say("height", tip);
    for block in blocks().iter().filter(|block| block.header.height > tip) {
        store.append(block, Some(&certificate())).expect("appended");
        say("height", block.header.height);
    }
}

/// A child: a damaged journal is built anew and gets a further entry of that round.
#[test]
#[ignore = "a process of other tests"]
fn child_rebuilds_the_journal() {
    let Some(folder) = folder() else { return };
    let (mut journal, rounds) = IntakeJournal::open_or_rebuild(&folder.join("intake")).expect("rebuilt");
    assert_eq!(rounds.len(), 1, "it was damaged");
    let mut next = entry(RECEIPTS_BEFORE);
    let number = journal.last_sequence() + 1;
    next.receipt = numbered(&next.receipt, number);
    journal.record(&[next]).expect("recorded");
    say("last", number);
}

/// A receipt with another number.
fn numbered(receipt: &[u8], sequence: u64) -> Vec<u8> {
    let receipt = Receipt::from_bytes(receipt).expect("a receipt");
    Receipt { sequence, ..receipt }.to_bytes()
}

fn flip(path: &Path, at: impl Fn(&mut [u8]) -> &mut u8) {
    let mut bytes = fs::read(path).expect("read");
    *at(&mut bytes) ^= 1;
    fs::write(path, bytes).expect("damaged");
}

/// Makes a store whose settings are damaged; they, as they are then.
fn damaged_store(home: &Path) -> Vec<u8> {
    empty(home);
    let mut store = Store::open(&home.join("ledger")).expect("a store");
    for block in &blocks()[..BEFORE] {
        store.append(block, Some(&certificate())).expect("appended");
    }
    drop(store);
    let conf = home.join("ledger/conf");
    flip(&conf, |bytes| &mut bytes[0]);
    fs::read(conf).expect("settings")
}

/// Whether a disk has what a rebuilding promises: the damaged store somewhere, the new one in its place once it spoke, and
/// all blocks that were whole or came later.
fn check_store(at: &Path, said: Said, conf: &[u8]) -> Result<(), String> {
    let is_damaged = |folder: &str| fs::read(at.join(folder).join("conf")).is_ok_and(|found| found == conf);
    match said.height {
        None if !is_damaged("ledger") && !is_damaged("ledger.damaged-1") => {
            return Err("the damaged store is gone".to_owned());
        }
        Some(_) if !is_damaged("ledger.damaged-1") || !at.join("ledger/acknowledged").exists() => {
            return Err("the new store is not in its place, or the damaged one not aside".to_owned());
        }
        _ => {}
    }
    let whole = (BEFORE - 1) as u64;
    let said = Said { height: said.height.max(Some(whole)), ..said };
    said.check(at).map(drop)
}

/// Where the stores change their names. Most of a rebuilding is copying.
fn renames(acts: &[Act], home: &Path) -> Vec<usize> {
    let is_one = |act: &Act| matches!(act, Act::Rename { from, .. } if from.parent() == Some(home));
    (0..acts.len()).filter(|index| is_one(&acts[*index])).collect()
}

/// Threat: a store that is built anew is gone for a moment, and the next start begins an empty one without a word.
#[test]
fn a_rebuilding_that_the_power_ends_leaves_the_old_store_or_the_new_one() {
    if !can_record("a_rebuilding_that_the_power_ends_leaves_the_old_store_or_the_new_one") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    let conf = damaged_store(&home);
    let before = Disk::load(&home);
    let acts = child("rebuild::child_rebuilds", &home, &folder.path().join("trace"));
    let (mut whole, mut end) = (Said::default(), before.clone());
    for act in &acts {
        end.act(act);
        whole.listen(act);
    }
    is_complete(&end, &home);
    assert!(whole.height.is_some() && home.join("ledger.damaged-1").exists(), "it was rebuilt");
    let renames = renames(&acts, &home);
    let (scratch, mut dice) = (scratch(), dice(3));
    let at = scratch.path().join("worst");
    for number in 0..cuts() {
        let cut = cut_of(number, &acts, &renames, &mut dice);
        let (mut disk, mut said) = (before.clone(), Said::default());
        for act in &acts[..=cut] {
            disk.act(act);
            said.listen(act);
        }
        write_worst(&disk, &mut dice, &at);
        // Whenever it was: what was whole in the damaged store is in what opens now.
        if let Err(why) = check_store(&at, said, &conf) {
            panic!("cut {cut} of {}, {said:?}: {why}", acts.len());
        }
    }
}

/// A second run finishes what a kill has cut off. What it says is durable although the first one's names were not.
#[test]
fn a_rebuilding_that_was_killed_is_finished_for_good() {
    if !can_record("a_rebuilding_that_was_killed_is_finished_for_good") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    let conf = damaged_store(&home);
    let before = Disk::load(&home);
    let acts = child("rebuild::child_rebuilds", &home, &folder.path().join("trace"));
    let renames = renames(&acts, &home);
    assert_eq!(renames.len(), 2, "the damaged store aside, the new one to its place");
    let (scratch, mut dice) = (scratch(), dice(4));
    let at = scratch.path().join("worst");
    // Behind each of the two, and before and after the syncs that follow it.
    let kills = renames.iter().flat_map(|rename| [rename + 1, rename + 2, rename + 3]);
    for kill in kills {
        let mut disk = before.clone();
        acts[..kill].iter().for_each(|act| disk.act(act));
        let _ = fs::remove_dir_all(&home);
        disk.write_seen(&home);
        let again = child("rebuild::child_rebuilds", &home, &folder.path().join("again"));
        let mut said = Said::default();
        for act in &again {
            disk.act(act);
            said.listen(act);
        }
        is_complete(&disk, &home);
        assert_eq!(said.height, Some(blocks().len() as u64 - 1), "it went on");
        for _ in 0..cuts().div_ceil(5) {
            write_worst(&disk, &mut dice, &at);
            if let Err(why) = check_store(&at, said, &conf) {
                panic!("killed before call {kill} of {}: {why}", acts.len());
            }
        }
    }
}

/// A journal that is built anew loses nothing that was whole, and nothing that comes after.
#[test]
fn a_journal_that_is_built_anew_keeps_what_comes_after() {
    if !can_record("a_journal_that_is_built_anew_keeps_what_comes_after") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    empty(&home);
    let mut journal = IntakeJournal::open(&home.join("intake")).expect("a journal");
    for sequence in 1..=RECEIPTS_BEFORE {
        journal.record(&[entry(sequence)]).expect("recorded");
    }
    drop(journal);
    let segment = file_of_a_round(&home.join("intake"));
    flip(&segment, |bytes| bytes.last_mut().expect("a byte"));
    let before = Disk::load(&home);
    let acts = child("rebuild::child_rebuilds_the_journal", &home, &folder.path().join("trace"));
    let mut end = before.clone();
    acts.iter().for_each(|act| end.act(act));
    is_complete(&end, &home);
    let renamings = renamings(&acts, &home.join("intake"));
    let (scratch, mut dice) = (scratch(), dice(5));
    let at = scratch.path().join("worst");
    for number in 0..cuts() {
        let cut = cut_of(number, &acts, &renamings, &mut dice);
        let (mut disk, mut said) = (before.clone(), Said::default());
        for act in &acts[..=cut] {
            disk.act(act);
            said.listen(act);
        }
        write_worst(&disk, &mut dice, &at);
        if let Err(why) = check_journal(&at.join("intake"), said.last) {
            panic!("cut {cut} of {}, {said:?}: {why}", acts.len());
        }
    }
}

/// The only file of a round.
fn file_of_a_round(intake: &Path) -> PathBuf {
    let mut files = crate::common::files(intake);
    files.retain(|path| path.extension().is_some_and(|end| end == "intake"));
    files.pop().expect("a file of a round")
}

/// Whether a journal has what was before the damage, and the entry of this number if it is not 0.
fn check_journal(path: &Path, last: u64) -> Result<(), String> {
    let (journal, damaged) = IntakeJournal::open_or_rebuild(path).map_err(|error| error.to_string())?;
    if last > 0 && !damaged.is_empty() {
        return Err(format!("it is damaged again: {}", damaged[0].why));
    }
    // The damaged entry had the last number; how far above it the numbers go on is the journal's.
    if journal.last_sequence() < last.max(RECEIPTS_BEFORE) {
        return Err(format!("number {} would be given again", journal.last_sequence() + 1));
    }
    let kept = journal.load().map_err(|error| error.to_string())?;
    let receipts: Vec<Vec<u8>> = kept.into_values().flatten().map(|entry| entry.receipt).collect();
    let mut wanted: Vec<Vec<u8>> = (1..RECEIPTS_BEFORE).map(|sequence| entry(sequence).receipt).collect();
    if last > 0 {
        wanted.push(numbered(&entry(RECEIPTS_BEFORE).receipt, last));
    }
    match wanted.iter().find(|receipt| !receipts.contains(receipt)) {
        Some(_) => Err(format!("{} entries are left", receipts.len())),
        None => Ok(()),
    }
}
