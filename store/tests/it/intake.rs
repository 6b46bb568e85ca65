//! The intake's journal: order, numbers, forgetting, torn ends and damage.

use crate::common::{Numbers, copy_directory, damage, files};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use veilgrid_crypto::receipt::Receipt;
use veilgrid_store::{IntakeEntry, IntakeError, IntakeJournal};

fn entry(round_id: u64, sequence: u64) -> IntakeEntry {
    let receipt = Receipt {
        ledger_id: [1; 32],
        round_id,
        account: [2; 32],
        bid_digest: [3; 32],
        sequence,
        signature: [4; 64],
    };
    IntakeEntry { bid: vec![sequence as u8; 100 + sequence as usize % 7], receipt: receipt.to_bytes() }
}

/// Three rounds in batches of two; the second batch has entries of two rounds.
fn filled(path: &Path) -> BTreeMap<u64, Vec<IntakeEntry>> {
    let mut journal = IntakeJournal::open(path).expect("journal");
    assert_eq!((journal.last_sequence(), journal.load().expect("load").len()), (0, 0));
    let mut expected: BTreeMap<u64, Vec<IntakeEntry>> = BTreeMap::new();
    for batch in [[(1, 1), (1, 2)], [(1, 3), (2, 4)], [(2, 5), (2, 6)], [(3, 7), (3, 8)], [(2, 9), (2, 10)]] {
        let batch = batch.map(|(round_id, sequence)| entry(round_id, sequence));
        journal.record(&batch).expect("record");
        for entry in batch {
            let round_id = Receipt::from_bytes(&entry.receipt).expect("receipt").round_id;
            expected.entry(round_id).or_default().push(entry);
        }
    }
    assert_eq!(journal.load().expect("load"), expected);
    expected
}

fn file(path: &Path, round_id: u64) -> PathBuf {
    path.join(format!("round-{round_id:016x}.intake"))
}

#[test]
fn entries_come_back_in_order_with_the_last_number() {
    let directory = tempfile::tempdir().expect("directory");
    let expected = filled(directory.path());
    let mut journal = IntakeJournal::open(directory.path()).expect("again");
    assert_eq!(journal.load().expect("load"), expected);
    assert_eq!((journal.last_sequence(), journal.cut_bytes()), (10, 0));
    assert!(matches!(IntakeJournal::open(directory.path()), Err(IntakeError::InUse { .. })));
    journal.record(&[]).expect("nothing");
    let bad = IntakeEntry { bid: vec![], receipt: vec![0; 10] };
    assert!(matches!(journal.record(&[entry(3, 11), bad]), Err(IntakeError::Receipt(_))));
    assert_eq!(
        (journal.load().expect("load"), journal.last_sequence()),
        (expected, 10),
        "nothing was written"
    );
    journal.record(&[entry(4, 11)]).expect("goes on");
}

#[test]
fn a_forgotten_round_leaves_its_numbers() {
    let directory = tempfile::tempdir().expect("directory");
    let expected = filled(directory.path());
    let mut journal = IntakeJournal::open(directory.path()).expect("again");
    journal.forget_up_to(2).expect("forget");
    assert!(!file(directory.path(), 2).exists(), "the space is given back");
    assert!(matches!(journal.record(&[entry(2, 11)]), Err(IntakeError::Forgotten { round_id: 2 })));
    journal.forget_up_to(1).expect("no step back");
    drop(journal);
    // A crash between the record of what is forgotten and the removal.
    fs::write(file(directory.path(), 1), "anything").expect("write");
    let mut journal = IntakeJournal::open(directory.path()).expect("again");
    assert!(!file(directory.path(), 1).exists());
    // The highest number was given in round 2.
    assert_eq!(journal.last_sequence(), 10);
    assert_eq!(journal.load().expect("load"), BTreeMap::from([(3, expected[&3].clone())]));
    journal.forget_up_to(u64::MAX).expect("all");
    assert!(journal.load().expect("load").is_empty());
    drop(journal);
    assert_eq!(IntakeJournal::open(directory.path()).expect("again").last_sequence(), 10);
    let numbers = directory.path().join("forgotten");
    let mut bytes = fs::read(&numbers).expect("file");
    bytes[9] ^= 1;
    fs::write(&numbers, bytes).expect("write");
    for result in [
        IntakeJournal::open(directory.path()).map(drop),
        IntakeJournal::open_or_rebuild(directory.path()).map(drop),
    ] {
        assert!(matches!(result, Err(IntakeError::DamagedNumbers { .. })));
    }
}

#[test]
fn a_torn_end_is_cut_off_and_nothing_else() {
    let original = tempfile::tempdir().expect("directory");
    let expected = filled(original.path());
    let whole = fs::read(file(original.path(), 3)).expect("file");
    // A batch whose writing was cut off: each beginning of the bytes that a whole one has.
    let mut torn = Vec::new();
    {
        let other = tempfile::tempdir().expect("directory");
        copy_directory(original.path(), other.path());
        let mut journal = IntakeJournal::open(other.path()).expect("journal");
        journal.record(&[entry(3, 11)]).expect("record");
        torn.extend_from_slice(&fs::read(file(other.path(), 3)).expect("file")[whole.len()..]);
    }
    for length in 1..torn.len() {
        let copy = tempfile::tempdir().expect("directory");
        copy_directory(original.path(), copy.path());
        let mut end = OpenOptions::new().append(true).open(file(copy.path(), 3)).expect("file");
        end.write_all(&torn[..length]).expect("write");
        let mut journal = IntakeJournal::open(copy.path()).expect("opens");
        assert_eq!(journal.cut_bytes(), length as u64);
        assert_eq!(journal.load().expect("load"), expected);
        assert_eq!(journal.last_sequence(), 10);
        journal.record(&[entry(3, 11)]).expect("goes on");
        drop(journal);
        let journal = IntakeJournal::open(copy.path()).expect("again");
        assert_eq!((journal.cut_bytes(), journal.last_sequence()), (0, 11));
    }
    // All of it is there, only nobody was told: it stays.
    let copy = tempfile::tempdir().expect("directory");
    copy_directory(original.path(), copy.path());
    let mut end = OpenOptions::new().append(true).open(file(copy.path(), 3)).expect("file");
    end.write_all(&torn).expect("write");
    assert_eq!(IntakeJournal::open(copy.path()).expect("opens").last_sequence(), 11);
}

#[test]
fn damage_inside_is_said_and_what_is_before_it_is_kept() {
    let original = tempfile::tempdir().expect("directory");
    let expected = filled(original.path());
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    let mut refused = 0;
    for name in files(original.path()).iter().map(|file| file.strip_prefix(original.path()).expect("inside"))
    {
        if name == Path::new("lock") {
            continue;
        }
        for sample in 0..120 {
            let copy = tempfile::tempdir().expect("directory");
            copy_directory(original.path(), copy.path());
            damage(&copy.path().join(name), sample, &mut numbers);
            match IntakeJournal::open(copy.path()) {
                Ok(journal) => assert_eq!(journal.load().expect("load"), expected, "{name:?} {sample}"),
                Err(IntakeError::Damaged { round_id, .. }) => {
                    refused += 1;
                    let (journal, rounds) = IntakeJournal::open_or_rebuild(copy.path()).expect("rebuilt");
                    assert_eq!(rounds.len(), 1);
                    assert_eq!(rounds[0].round_id, round_id);
                    assert!(rounds[0].moved_to.exists(), "{rounds:?}");
                    assert!(journal.last_sequence() > 10, "{name:?} {sample}: numbers up to 10 were given");
                    let numbers = journal.last_sequence();
                    let loaded = journal.load().expect("load");
                    for (other, entries) in &expected {
                        let kept = &loaded[other];
                        assert_eq!(*kept, entries[..kept.len()], "{name:?} {sample}");
                        assert!(kept.len() == entries.len() || *other == round_id);
                        assert!(*other != round_id || kept.len() as u64 == rounds[0].kept_entries);
                    }
                    drop(journal);
                    let mut again = IntakeJournal::open(copy.path()).expect("whole again");
                    assert_eq!(again.last_sequence(), numbers, "{name:?} {sample}: also when none was used");
                    again.record(&[entry(round_id, 12)]).expect("goes on");
                }
                Err(error) => panic!("{name:?} {sample}: {error}"),
            }
        }
    }
    assert!(refused > 60, "only {refused} samples hit anything");
}

#[test]
fn numbers_of_lost_receipts_are_not_given_again_after_any_crash() {
    let directory = tempfile::tempdir().expect("directory");
    filled(directory.path());
    let mut journal = IntakeJournal::open(directory.path()).expect("again");
    journal.forget_up_to(1).expect("forget");
    drop(journal);
    // The highest numbers are in round 2, round 3 has the ones below: both are lost.
    for round_id in [2, 3] {
        fs::write(file(directory.path(), round_id), "").expect("write");
    }
    let (journal, rounds) = IntakeJournal::open_or_rebuild(directory.path()).expect("rebuilt");
    assert_eq!(rounds.len(), 2);
    let numbers = journal.last_sequence();
    assert!(numbers > 10);
    drop(journal);
    // As a crash between the numbers and the new file would leave it.
    fs::write(file(directory.path(), 2), "").expect("write");
    let (mut journal, rounds) = IntakeJournal::open_or_rebuild(directory.path()).expect("rebuilt again");
    assert_eq!(rounds[0].moved_to.extension().and_then(|end| end.to_str()), Some("damaged-2"));
    assert!(journal.last_sequence() > numbers);
    assert!(matches!(journal.record(&[entry(1, 11)]), Err(IntakeError::Forgotten { round_id: 1 })), "still");
    journal.record(&[entry(2, journal.last_sequence() + 1)]).expect("goes on");
}

#[test]
fn a_rebuilt_file_of_several_large_batches_can_be_read_again() {
    let directory = tempfile::tempdir().expect("directory");
    let large = |sequence| IntakeEntry { bid: vec![sequence as u8; 40 << 20], ..entry(4, sequence) };
    let mut journal = IntakeJournal::open(directory.path()).expect("journal");
    for entry in [large(1), large(2), entry(4, 3)] {
        journal.record(&[entry]).expect("record");
    }
    drop(journal);
    let path = file(directory.path(), 4);
    let mut bytes = fs::read(&path).expect("file");
    *bytes.last_mut().expect("a byte") ^= 1;
    fs::write(&path, bytes).expect("write");
    let (journal, rounds) = IntakeJournal::open_or_rebuild(directory.path()).expect("rebuilt");
    assert_eq!(rounds[0].kept_entries, 2);
    assert!(journal.last_sequence() > 1 << 32);
    drop(journal);
    let mut journal = IntakeJournal::open(directory.path()).expect("it is whole");
    assert!(journal.load().expect("load")[&4] == [large(1), large(2)], "both large ones are there");
    journal.record(&[entry(4, journal.last_sequence() + 1)]).expect("goes on");
}

#[test]
fn a_changed_end_that_was_acknowledged_is_damage() {
    let directory = tempfile::tempdir().expect("directory");
    filled(directory.path());
    let path = file(directory.path(), 2);
    let original = fs::read(&path).expect("file");
    for (what, bytes) in [
        ("changed", [&original[..original.len() - 1], &[!original[original.len() - 1]]].concat()),
        ("cut", original[..original.len() - 1].to_vec()),
        ("one batch less", original[..original.len() - 2 * (4 + 107 + 4 + 176)].to_vec()),
        ("no batch", original[..4096].to_vec()),
        ("short", original[..600].to_vec()),
        ("empty", vec![]),
    ] {
        fs::write(&path, &bytes).expect("write");
        let error = IntakeJournal::open(directory.path()).expect_err(what);
        assert!(matches!(error, IntakeError::Damaged { round_id: 2, .. }), "{what}: {error}");
    }
    // The file of another round under this round's name.
    fs::copy(file(directory.path(), 3), &path).expect("copy");
    let error = IntakeJournal::open(directory.path()).expect_err("another round's");
    assert!(matches!(error, IntakeError::Damaged { round_id: 2, offset: 0, .. }), "{error}");
}
