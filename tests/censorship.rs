//! A bid that was left out after its receipt: the ledger is sound in every other way, and the receipt proves it.

mod common;
#[path = "../ledger/tests/common/mod.rs"]
mod community;

use common::{code, json, stderr, veilgrid};
use community::{BOOK, Chain, Community, open_round};
use std::path::Path;
use veilgrid_crypto::receipt::Receipt;

fn audit(ledger: &Path, receipts: &Path, more: &[&str]) -> std::process::Output {
    let paths = [ledger, receipts].map(|path| path.to_str().expect("UTF-8"));
    veilgrid(["audit", paths[0], "--receipts", paths[1]].iter().chain(more))
}

/// All validators go along: keys, shares, values, outcome and settlement of the smaller round are genuine.
#[test]
fn a_bid_dropped_after_its_receipt_fails_the_audit_of_a_ledger_that_is_otherwise_sound() {
    let dir = tempfile::tempdir().expect("a folder");
    let (ledger, receipts) = (dir.path().join("round.vgl"), dir.path().join("receipts.txt"));
    let mut community = Community::new();
    let mut chain = Chain::new(&community);
    let write = |all: &[&Receipt]| {
        let lines: String = all.iter().map(|receipt| hex::encode(receipt.to_bytes()) + "\n").collect();
        std::fs::write(&receipts, lines).expect("writable");
    };
    // Round 1 without the last member's bid; round 2 never comes, although the aggregator took a bid for it.
    chain.bid_and_close(&mut community, 1, &BOOK[..3]);
    let dropped = community.bid(&chain.state, 1, 3, &BOOK[3]);
    let passed_over = community.bid(&chain.state, 2, 3, &BOOK[3]);
    chain.finish(&mut community, 1);
    chain.push(vec![open_round(3)]);
    std::fs::write(&ledger, chain.export()).expect("writable");

    let kept = match &chain.blocks[2].transactions[0] {
        veilgrid_ledger::transaction::Transaction::Bids { bids, .. } => bids[0].clone(),
        other => panic!("{other:?}"),
    };
    let [kept, dropped, passed_over] =
        [&kept, &dropped, &passed_over].map(|bid| community.receipt(&chain.state, bid));
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
