//! kill -9 at random moments: what was acknowledged is there.

mod common;

use common::{Numbers, certificate, certificate_of, chain_with_bids};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::block::Block;
use veilgrid_store::{IntakeEntry, IntakeJournal, Store, Stored};

const CHILD: &str = "VEILGRID_STORE_TEST_CHILD";
const KILLS: u64 = 50;
const BLOCKS: u64 = 3000;

fn blocks() -> Vec<Block> {
    chain_with_bids(BLOCKS, 5)
}

fn entry(sequence: u64) -> IntakeEntry {
    let receipt = Receipt {
        ledger_id: [1; 32],
        round_id: sequence / 40,
        account: [2; 32],
        bid_digest: [3; 32],
        sequence,
        signature: [4; 64],
    };
    let bid = (0..500 + sequence % 300).map(|byte| (byte + sequence) as u8).collect();
    IntakeEntry { bid, receipt: receipt.to_bytes() }
}

fn say(what: &str, number: u64) {
    // One write a line, so that a kill tears none.
    std::io::stdout().write_all(format!("\n{what} {number}\n").as_bytes()).expect("stdout");
}

/// Not a test by itself: the process that is killed. It says what was acknowledged right after it was.
#[test]
fn child_that_writes_until_it_is_killed() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let path = Path::new(&path);
    let blocks = blocks();
    let mut store = Store::open(&path.join("store")).expect("store");
    let mut intake = IntakeJournal::open(&path.join("intake")).expect("journal");
    let next = store.tip().map_or(0, |tip| tip.height + 1);
    for block in &blocks[next as usize..] {
        let height = block.header.height;
        if height > 1 && height % 2 == 1 {
            // Of a block of even height the certificate comes late.
            store.put_certificate(height - 1, &certificate(height - 1)).expect("certificate");
        }
        store.append(block, certificate_of(block).as_deref()).expect("append");
        say("block", height);
        let first = intake.last_sequence() + 1;
        let batch: Vec<_> = (first..first + 3).map(entry).collect();
        intake.record(&batch).expect("record");
        say("entry", first + 2);
        if height % 16 == 0 {
            store.prune_bodies(height - 8, b"checkpoint", |_| true).expect("prune");
            say("pruned", height - 8);
            intake.forget_up_to((first / 40).saturating_sub(2)).expect("forget");
        }
    }
}

/// What the child said last of each kind.
#[derive(Debug, Default)]
struct Said {
    block: Option<u64>,
    entry: Option<u64>,
    pruned: Option<u64>,
}

/// Kills it a moment after it has stored so many blocks.
fn run_and_kill(path: &Path, blocks: u64, after: Duration, said: &mut Said) {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["child_that_writes_until_it_is_killed", "--exact", "--nocapture"])
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("child");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines().map_while(Result::ok);
    let mut heard = Vec::new();
    let mut left = blocks;
    while left > 0 {
        let Some(line) = lines.next() else { break };
        left -= u64::from(line.starts_with("block "));
        heard.push(line);
    }
    thread::sleep(after);
    child.kill().expect("kill");
    child.wait().expect("wait");
    for line in heard.into_iter().chain(lines) {
        let Some((what, number)) = line.split_once(' ') else { continue };
        let Ok(number) = number.parse() else { continue };
        match what {
            "block" => said.block = Some(number),
            "entry" => said.entry = Some(number),
            "pruned" => said.pruned = Some(number),
            _ => {}
        }
    }
}

/// Checks what is there; the first round that was not forgotten.
fn check(path: &Path, blocks: &[Block], said: &Said) -> u64 {
    let store = Store::open(&path.join("store")).expect("a killed store opens");
    let tip = store.tip().map(|tip| tip.height);
    assert!(tip >= said.block && tip.is_some(), "{said:?}, but the tip is {tip:?}");
    assert!(store.pruned_up_to() >= said.pruned, "{said:?}");
    for block in &blocks[..=tip.expect("some") as usize] {
        let height = block.header.height;
        match store.stored(height).expect("read").expect("there") {
            Stored::Full(stored) => assert_eq!(stored, *block),
            Stored::Pruned(stored) => {
                assert_eq!(stored.hash(), block.hash());
                assert_eq!(stored.check_body(), Ok(()));
            }
        }
        // Before the last acknowledged block every certificate was flushed with a block.
        if height > 0 && Some(height) < said.block {
            assert_eq!(store.certificate(height).expect("read"), Some(certificate(height)), "block {height}");
        }
    }
    drop(store);
    let intake = IntakeJournal::open(&path.join("intake")).expect("a killed journal opens");
    let last = intake.last_sequence();
    assert!(last >= said.entry.unwrap_or(0), "{said:?}, but the last entry is {last}");
    let rounds = intake.load().expect("load");
    let first_round = *rounds.keys().next().expect("a round");
    let first = (first_round * 40).max(1);
    let entries: Vec<_> = rounds.into_values().flatten().collect();
    assert_eq!(entries, (first..=last).map(entry).collect::<Vec<_>>(), "{said:?}");
    first_round
}

#[test]
fn what_was_acknowledged_survives_kills() {
    let blocks = blocks();
    let directory = tempfile::tempdir().expect("directory");
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut said = Said::default();
    let mut first_round = 0;
    for _ in 0..KILLS {
        let after = Duration::from_micros(numbers.below(20_000));
        run_and_kill(directory.path(), 1 + numbers.below(20), after, &mut said);
        first_round = check(directory.path(), &blocks, &said);
    }
    let last = said.block.expect("something was stored");
    assert!(last > KILLS * 2 && last < BLOCKS - 1, "the child did not get far enough, or to its end: {last}");
    assert!(said.pruned.is_some() && first_round > 0, "nothing was pruned or forgotten");
}
