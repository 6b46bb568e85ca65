//! A disk that takes no more: the process may write files of a bounded length only, which needs no privileges and fails
//! in the same places as a full disk does.
#![cfg(unix)]

mod common;

use common::{certificate_of, chain_with_bids};
use std::path::Path;
use std::process::{Command, Stdio};
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::block::Block;
use veilgrid_store::{IntakeEntry, IntakeError, IntakeJournal, Store, StoreError};

const CHILD: &str = "VEILGRID_STORE_TEST_FULL";
const KIND: &str = "VEILGRID_STORE_TEST_FULL_KIND";

/// Blocks that fill the database, or one that is too large for a file.
fn blocks(kind: &str) -> Vec<Block> {
    match kind {
        "database" => chain_with_bids(3000, 1),
        _ => chain_with_bids(3, 1500),
    }
}

fn entry(round_id: u64, sequence: u64) -> IntakeEntry {
    let receipt = Receipt {
        ledger_id: [1; 32],
        round_id,
        account: [2; 32],
        bid_digest: [3; 32],
        sequence,
        signature: [4; 64],
    };
    IntakeEntry { bid: vec![7; 2000], receipt: receipt.to_bytes() }
}

/// Not a test by itself: the process whose files can't grow.
#[test]
fn child_on_a_full_disk() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let kind = std::env::var(KIND).expect("a kind");
    match kind.as_str() {
        "intake" => fill_intake(Path::new(&path)),
        kind => fill_store(Path::new(&path), kind),
    }
}

fn fill_store(path: &Path, kind: &str) {
    let mut store = Store::open(path).expect("store");
    let mut acknowledged = 0;
    let all = blocks(kind);
    for block in &all {
        match store.append(block, certificate_of(block).as_deref()) {
            Ok(_) => acknowledged += 1,
            Err(error) => {
                assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
                // What was not acknowledged does not show, and nothing is written any more.
                assert_eq!(store.tip().map_or(0, |tip| tip.height + 1), acknowledged);
                // A look that has to go to the disk fails as the write did; which one does, the blocks' bytes decide. What
                // was acknowledged is looked for again after a restart, by whoever started this process.
                let above = store.block(acknowledged);
                assert!(matches!(above, Ok(None) | Err(StoreError::DiskFull { .. })), "{above:?}");
                let shown = store.height_of(&block.hash());
                assert!(matches!(shown, Ok(None) | Err(StoreError::DiskFull { .. })), "{shown:?}");
                let last = &all[usize::try_from(acknowledged).expect("few") - 1];
                let found = store.block(acknowledged - 1);
                let is_last = |found: &Option<Block>| found.as_ref() == Some(last);
                assert!(
                    found.as_ref().map_or_else(|error| matches!(error, StoreError::DiskFull { .. }), is_last),
                    "{found:?}"
                );
                for again in [block, last] {
                    assert!(matches!(store.append(again, None), Err(StoreError::Halted { .. })));
                }
                assert!(matches!(store.put_certificate(0, b"c"), Err(StoreError::Halted { .. })));
                assert!(matches!(
                    store.prune_bodies(1, b"checkpoint", |_| true),
                    Err(StoreError::Halted { .. })
                ));
                assert!(matches!(store.flush(), Err(StoreError::Halted { .. })));
                println!("\nfull {acknowledged}");
                return;
            }
        }
    }
    panic!("the files could grow without a bound");
}

/// Round 5 fills its file. What fits nowhere is refused, and the rest goes on at once, without a restart.
fn fill_intake(path: &Path) {
    let mut journal = IntakeJournal::open(path).expect("journal");
    for sequence in 1.. {
        if let Err(error) = journal.record(&[entry(5, sequence)]) {
            assert!(matches!(error, IntakeError::DiskFull { .. }), "{error}");
            assert_eq!(journal.last_sequence(), sequence - 1);
            // The part of round 3 is written before that of round 5 fails.
            let of_both = journal.record(&[entry(3, sequence), entry(5, sequence + 1)]);
            assert!(matches!(of_both, Err(IntakeError::DiskFull { .. })), "{of_both:?}");
            journal.record(&[entry(3, sequence)]).expect("there is room for this round");
            assert_eq!(
                journal.load().expect("load")[&3],
                [entry(3, sequence)],
                "nothing of the failed write"
            );
            let again = journal.record(&[entry(5, sequence + 1)]);
            assert!(matches!(again, Err(IntakeError::DiskFull { .. })), "{again:?}");
            journal.forget_up_to(2).expect("goes on too");
            println!("\nfull {}", sequence - 1);
            return;
        }
    }
}

/// Runs the child with files of at most so many KiB; how much was acknowledged.
fn run(path: &Path, kind: &str, file_kib: u32) -> u64 {
    let test = std::env::current_exe().expect("this test");
    // The signal is ignored, so that the write fails as on a full disk. Units of 512 bytes, as POSIX has them.
    let script = format!(
        "trap '' XFSZ; ulimit -f {}; exec \"$0\" child_on_a_full_disk --exact --nocapture",
        2 * file_kib
    );
    let output = Command::new("sh")
        .args(["-c", &script])
        .arg(test)
        .env(CHILD, path)
        .env(KIND, kind)
        .stdin(Stdio::null())
        .output()
        .expect("child");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{kind}: {out}\n{err}");
    let full = out.lines().find_map(|line| line.strip_prefix("full ")).expect("it came to the bound");
    full.parse().expect("a number")
}

#[test]
fn a_full_disk_is_an_error_and_costs_nothing_that_was_acknowledged() {
    for (kind, file_kib) in [("database", 400), ("body", 800)] {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("store");
        let acknowledged = run(&path, kind, file_kib);
        let blocks = blocks(kind);
        let mut store = Store::open(&path).expect("opens when there is space again");
        let stored = store.tip().map_or(0, |tip| tip.height + 1);
        assert!(stored >= acknowledged && acknowledged > 1, "{kind}: {acknowledged} of {stored}");
        for block in &blocks[..stored as usize] {
            let height = block.header.height;
            assert_eq!(store.block(height).expect("read").as_ref(), Some(block));
            assert_eq!(store.certificate(height).expect("read"), certificate_of(block));
        }
        for block in blocks.iter().skip(stored as usize).take(5) {
            store.append(block, certificate_of(block).as_deref()).expect("goes on");
        }
    }
}

#[test]
fn a_full_disk_costs_no_entry_that_was_acknowledged() {
    let directory = tempfile::tempdir().expect("directory");
    let acknowledged = run(directory.path(), "intake", 100);
    assert!(acknowledged > 10);
    let mut journal = IntakeJournal::open(directory.path()).expect("opens");
    assert_eq!(journal.last_sequence(), acknowledged + 1);
    assert_eq!(journal.cut_bytes(), 0, "the parts of what failed were taken away");
    let rounds = journal.load().expect("load");
    assert_eq!(rounds.keys().copied().collect::<Vec<_>>(), [3, 5]);
    assert_eq!(rounds[&3], [entry(3, acknowledged + 1)]);
    assert_eq!(rounds[&5], (1..=acknowledged).map(|sequence| entry(5, sequence)).collect::<Vec<_>>());
    journal.record(&[entry(5, acknowledged + 2)]).expect("goes on");
}
