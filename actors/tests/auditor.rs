//! The auditor's actor by itself: receipts against rounds, and violations.

mod common;

use actix::{Actor, System};
use common::{blocks, config, run_quietly};
use std::sync::Arc;
use veilgrid_actors::auditor::{AuditorActor, Conclude, ExpectBid, ReceiptBook};
use veilgrid_actors::sequencer::{FollowBlock, FollowFault};
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::audit::ReceiptVerdict;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::builder::propose;
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::VerifyAll;

fn day() -> (Vec<Block>, Vec<Receipt>) {
    let dir = tempfile::tempdir().expect("directory");
    let (report, _) = run_quietly(config(dir.path()));
    (blocks(&report.store_dirs[0]), report.receipts)
}

fn with(state: &State, transactions: Vec<Transaction>) -> State {
    propose(state, transactions, 0, &mut VerifyAll).expect("accepted").1
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
    let genesis = State::from_genesis_block(&chain[0]).expect("genesis");
    let open = with(&genesis, chain[1].transactions.clone());
    let Some(Transaction::Bids { bids, .. }) = chain[2].transactions.first() else { panic!("bids follow") };
    let bid = with(&open, chain[2].transactions.clone());
    let receipt = receipts.iter().find(|receipt| receipt.account == bids[0].account).expect("its receipt");

    assert_eq!(verdict(receipt, &[&genesis]), ReceiptVerdict::RoundUnknown);
    assert_eq!(verdict(receipt, &[&open]), ReceiptVerdict::RoundOpen);
    assert_eq!(verdict(receipt, &[&open, &bid]), ReceiptVerdict::Included);
    // Another ledger of the same genesis, closed without the bid: a promise that was not kept.
    let closed = with(&open, vec![Transaction::CloseRound { round_id: 1 }]);
    let finished = with(
        &closed,
        vec![Transaction::Void { round_id: 1, reason: veilgrid_ledger::transaction::VoidReason::TooFewBids }],
    );
    assert_eq!(verdict(receipt, &[&open, &closed, &finished]), ReceiptVerdict::Missing);

    let mut forged = receipt.clone();
    forged.bid_digest[0] ^= 1;
    assert_eq!(verdict(&forged, &[&bid]), ReceiptVerdict::Worthless);
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
        auditor.send(FollowBlock(Arc::new(chain[1].clone()))).await.expect("there").expect("a good block");
        let mut bad = chain[2].clone();
        bad.header.time_unix_ms += 1;
        bad.header.prior_state_root[0] ^= 1;
        let fault = auditor.send(FollowBlock(Arc::new(bad))).await.expect("there").expect_err("bad");
        assert!(matches!(fault, FollowFault::Auditor(_)), "{fault}");
        let next = auditor.send(FollowBlock(Arc::new(chain[2].clone()))).await.expect("there");
        assert_eq!(next, Err(FollowFault::Ended));
        assert_eq!(auditor.send(Conclude).await.expect("there").expect_err("a violation"), fault);
    });
}
