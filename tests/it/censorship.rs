//! A bid that was left out after its receipt: the ledger is sound in every other way, and the receipt proves it.

use crate::certified::write_ledger;
use crate::cli::{code, json, stderr, veilgrid};
use crate::common::BOOK;
use crate::world::World;
use std::path::Path;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::transaction::Transaction;

fn audit(ledger: &Path, receipts: &Path, more: &[&str]) -> std::process::Output {
    let paths = [ledger, receipts].map(|path| path.to_str().expect("UTF-8"));
    veilgrid(["audit", paths[0], "--receipts", paths[1]].iter().chain(more))
}

/// All validators go along: keys, shares, values, outcome and settlement of the smaller round are genuine.
#[test]
fn a_bid_dropped_after_its_receipt_fails_the_audit_of_a_ledger_that_is_otherwise_sound() {
    let dir = tempfile::tempdir().expect("a folder");
    let (ledger, receipts) = (dir.path().join("round.vgl"), dir.path().join("receipts.txt"));
    let mut world = World::keyed(4);
    let write = |all: &[&Receipt]| {
        let lines: String = all.iter().map(|receipt| hex::encode(receipt.to_bytes()) + "\n").collect();
        std::fs::write(&receipts, lines).expect("writable");
    };
    // Round 1 without the last member's bid; round 2 never comes, although the aggregator took a bid for it.
    world.opening_of(1, &BOOK[..3]);
    let bids = world.blocks.iter().flat_map(|block| &block.transactions).find_map(|found| match found {
        Transaction::Bids { bids, .. } => Some(bids[0].clone()),
        _ => None,
    });
    let kept = bids.expect("bids");
    let dropped = world.bid(1, 3, &BOOK[3]);
    let passed_over = world.bid(2, 3, &BOOK[3]);
    world.finish(1);
    world.open_round(3);
    write_ledger(&world, &ledger);
    let [kept, dropped, passed_over] = [&kept, &dropped, &passed_over].map(|bid| world.receipt(bid));
    write(&[&kept]);
    assert_eq!(json(&audit(&ledger, &receipts, &["--json"]))["ok"], true);
    for broken in [&dropped, &passed_over] {
        write(&[&kept, broken]);
        let output = audit(&ledger, &receipts, &[]);
        assert_eq!(code(&output), 1, "{}", stderr(&output));
        let words = [format!("round {}", broken.round_id), hex::encode(&broken.account[..8])];
        for word in words {
            assert!(stderr(&output).contains(&word), "{word}: {}", stderr(&output));
        }
    }
    // A receipt that nobody has signed accuses nobody.
    let mut forged = dropped.clone();
    forged.sequence += 1;
    write(&[&forged]);
    assert_eq!(code(&audit(&ledger, &receipts, &[])), 0);
}
