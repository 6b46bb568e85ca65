//! The auditor's actor by itself: receipts against rounds, and violations.

use crate::common::{blocks, config, replayed, run_quietly};
use actix::{Actor, System};
use std::sync::Arc;
use veilgrid_actors::auditor::{AuditorActor, Conclude, ExpectBid, ReceiptBook};
use veilgrid_actors::follow::{FollowBlock, FollowFault};
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::audit::ReceiptVerdict;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::builder::propose;
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::VerifyAll;

fn is_bids(transaction: &Transaction) -> bool {
    matches!(transaction, Transaction::Bids { .. })
}

fn day() -> (Vec<Block>, Vec<Receipt>) {
    let dir = tempfile::tempdir().expect("directory");
    let (report, _) = run_quietly(config(dir.path()));
    (blocks(&report.store_dirs[0]), report.receipts)
}

fn follow(block: &Block) -> FollowBlock {
    FollowBlock { block: Arc::new(block.clone()), certificate: None }
}

/// The states after each block.
fn states(chain: &[Block]) -> Vec<State> {
    (1..=chain.len()).map(|count| replayed(&chain[..count])).collect()
}

/// The ledger goes on from this state with nothing but what time makes due, until its rounds are over.
fn without_bids(open: &State) -> Vec<State> {
    let close_ms = open.timing().close_ms(1).expect("in the calendar");
    let mut states = vec![open.clone()];
    while states.last().is_some_and(|state| state.round(1).is_some()) {
        let state = states.last().expect("one");
        states.push(propose(state, state.due(close_ms), close_ms, &mut VerifyAll).expect("accepted").1);
    }
    states
}

fn verdict(receipt: &Receipt, states: &[&State]) -> ReceiptVerdict {
    let mut book = ReceiptBook::default();
    book.expect(receipt.clone());
    states.iter().for_each(|state| book.look_up(state));
    let findings = book.findings(states.last().expect("a state"));
    assert_eq!(findings.len(), 1);
    findings[0].verdict
}

#[test]
fn a_receipt_is_judged_by_its_round() {
    let (chain, receipts) = day();
    let all = states(&chain);
    let genesis = &all[0];
    let open = all.iter().find(|state| state.round(1).is_some()).expect("a round");
    let bids_at = chain.iter().position(|block| block.transactions.iter().any(is_bids)).expect("bids");
    let Some(Transaction::Bids { bids, .. }) = chain[bids_at].transactions.iter().find(|one| is_bids(one))
    else {
        panic!("bids")
    };
    let bid = &all[bids_at];
    let receipt = receipts.iter().find(|receipt| receipt.account == bids[0].account).expect("its receipt");

    assert_eq!(verdict(receipt, &[genesis]), ReceiptVerdict::RoundUnknown);
    assert_eq!(verdict(receipt, &[open]), ReceiptVerdict::RoundOpen);
    assert_eq!(verdict(receipt, &[open, bid]), ReceiptVerdict::Included);
    // Another ledger of the same genesis, closed without the bid: a promise that was not kept.
    let other = without_bids(open);
    assert_eq!(verdict(receipt, &other.iter().collect::<Vec<_>>()), ReceiptVerdict::Missing);

    let mut forged = receipt.clone();
    forged.bid_digest[0] ^= 1;
    assert_eq!(verdict(&forged, &[bid]), ReceiptVerdict::Worthless);
    let (other_chain, _) = day();
    let other = State::from_genesis_block(&other_chain[0]).expect("genesis");
    assert_eq!(verdict(receipt, &[&other]), ReceiptVerdict::Worthless);
}

#[test]
fn a_violation_ends_the_audit_and_is_its_report() {
    let (chain, receipts) = day();
    System::new().block_on(async {
        let auditor = AuditorActor::new(&chain[0]).start();
        auditor.send(ExpectBid(receipts[0].clone())).await.expect("there");
        auditor.send(follow(&chain[1])).await.expect("there").expect("a good block");
        let mut bad = chain[2].clone();
        bad.header.time_unix_ms += 1;
        bad.header.prior_state_root[0] ^= 1;
        let fault = auditor.send(follow(&bad)).await.expect("there").expect_err("bad");
        assert!(matches!(fault, FollowFault::Auditor(_)), "{fault}");
        let next = auditor.send(follow(&chain[2])).await.expect("there");
        assert_eq!(next, Err(FollowFault::Ended));
        assert_eq!(auditor.send(Conclude).await.expect("there").expect_err("a violation"), fault);
    });
}
