//! Receipts of a network's validators: what f + 1 of them have signed is a promise, what fewer have signed is none.

use crate::story::{STORY, run, with_checkpoint};
use crate::world::{World, receipt_key};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::sync::atomic::{AtomicU64, Ordering};
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::audit::ReceiptVerdict::{
    Included, Missing, OtherBid, RoundUnknown, SecondBid, TooFewReceipts, Worthless,
};
use veilgrid_ledger::audit::{AuditRequest, ReceiptVerdict, Record};
use veilgrid_ledger::transaction::Transaction;

/// No member's: no bid of it is on the ledger.
const ACCOUNT: [u8; 32] = [1; 32];
const BID: [u8; 32] = [2; 32];

/// The aggregator's receipt key, then the signing keys of the story's people from the second one on.
fn keys() -> Vec<SigningKey> {
    let others = World::new(4).validators.into_iter().skip(1).map(|validator| validator.key);
    std::iter::once(receipt_key()).chain(others).collect()
}

/// A receipt for a bid, another one each time: number and nonce differ.
fn receipt(key: &SigningKey, round_id: u64, account: [u8; 32], digest: [u8; 32]) -> Receipt {
    static SEQUENCE: AtomicU64 = AtomicU64::new(1);
    let id = STORY.states[0].community().ledger_id();
    let sequence = SEQUENCE.fetch_add(1, Ordering::Relaxed);
    let mut rng = ChaCha20Rng::seed_from_u64(sequence);
    Receipt::issue(key, id, round_id, account, digest, sequence, &mut rng)
}

fn verdicts_in(records: Vec<Record>, receipts: Vec<Receipt>) -> Vec<ReceiptVerdict> {
    let request = AuditRequest { receipts, ..STORY.request() };
    let report = run(records, request).expect("passes");
    report.receipts.iter().map(|finding| finding.verdict).collect()
}

fn verdicts(receipts: Vec<Receipt>) -> Vec<ReceiptVerdict> {
    verdicts_in(STORY.records(|_| true), receipts)
}

/// Receipts of these people for the bid that was left out.
fn left_out(round_id: u64, who: &[usize]) -> Vec<Receipt> {
    let keys = keys();
    who.iter().map(|who| receipt(&keys[*who], round_id, ACCOUNT, BID)).collect()
}

/// The first bid of a round on the ledger.
fn bid_of(round: u64) -> veilgrid_crypto::bid::SealedBid {
    let transactions = STORY.blocks.iter().flat_map(|block| &block.transactions);
    let mut bids = transactions.filter_map(|transaction| match transaction {
        Transaction::Bids { round_id, bids } if *round_id == round => Some(bids[0].clone()),
        _ => None,
    });
    bids.next().expect("a bid")
}

#[test]
fn f_receipts_prove_nothing_and_one_more_does() {
    // Round 1: four validators, f = 1. Round 5: seven, f = 2.
    for (round_id, all) in [(1, [1, 2, 3].as_slice()), (5, &[1, 2, 3, 4, 5, 6])] {
        let f = all.len() / 3;
        assert_eq!(verdicts(left_out(round_id, &all[..f])), vec![TooFewReceipts; f]);
        for some in all.windows(f + 1) {
            assert_eq!(verdicts(left_out(round_id, some)), vec![Missing; f + 1], "{some:?}");
        }
    }
    // The aggregator's word alone is a promise, and makes none of a validator's.
    assert_eq!(verdicts(left_out(1, &[0])), [Missing]);
    assert_eq!(verdicts(left_out(1, &[0, 1])), [Missing, TooFewReceipts]);
    let broken = [Missing, OtherBid];
    for verdict in [Missing, OtherBid, SecondBid, TooFewReceipts, Worthless, Included, RoundUnknown] {
        assert_eq!(verdict.is_broken_promise(), broken.contains(&verdict));
    }
}

#[test]
fn a_validator_counts_once_however_often_it_signs() {
    assert_eq!(verdicts(left_out(1, &[2, 2, 2])), [TooFewReceipts; 3]);
    let receipts = left_out(1, &[2]);
    assert_eq!(verdicts([receipts.clone(), receipts].concat()), [TooFewReceipts; 2]);
    assert_eq!(verdicts(left_out(1, &[2, 3, 2])), [Missing; 3]);
}

#[test]
fn receipts_for_different_bids_do_not_add_up() {
    let keys = keys();
    let promises = [(ACCOUNT, BID), (ACCOUNT, [3; 32]), ([4; 32], BID)];
    let receipts = promises.iter().zip(&keys[1..]);
    let receipts = receipts.map(|((account, digest), key)| receipt(key, 1, *account, *digest));
    assert_eq!(verdicts(receipts.collect()), [TooFewReceipts; 3]);
    // Of two rounds of the same validators.
    let both = [left_out(5, &[1, 2]), left_out(6, &[3, 4])].concat();
    assert_eq!(verdicts(both), [TooFewReceipts; 4]);
}

#[test]
fn who_is_no_validator_while_a_round_takes_bids_promises_nothing() {
    // Those of round 1 are four; the others come later.
    assert_eq!(verdicts(left_out(1, &[4, 5, 6])), [Worthless; 3]);
    assert_eq!(verdicts(left_out(1, &[1, 4, 5, 6])), [TooFewReceipts, Worthless, Worthless, Worthless]);
    let stranger = SigningKey::generate(&mut ChaCha20Rng::seed_from_u64(0));
    let mut receipts = left_out(1, &[1]);
    receipts.extend((0..3).map(|_| receipt(&stranger, 1, ACCOUNT, BID)));
    let mut changed = receipt(&keys()[2], 1, ACCOUNT, [9; 32]);
    changed.bid_digest = BID;
    receipts.push(changed);
    assert_eq!(verdicts(receipts), [TooFewReceipts, Worthless, Worthless, Worthless, Worthless]);
    // Round 3 was passed over and 90 has not come: no honest validator has taken bids for them.
    assert_eq!(verdicts(left_out(3, &[1, 2, 3])), [TooFewReceipts; 3]);
    assert_eq!(verdicts(left_out(90, &[1, 2, 3])), [RoundUnknown; 3]);
    assert_eq!(verdicts(left_out(3, &[0])), [Missing]);
}

#[test]
fn a_bid_that_is_there_is_found_and_a_second_bid_of_the_account_accuses_no_validator() {
    let (keys, bid) = (keys(), bid_of(5));
    let signed = |who: usize, digest| receipt(&keys[who], 5, bid.account, digest);
    assert_eq!(verdicts(vec![signed(4, bid.digest()), signed(0, bid.digest())]), [Included; 2]);
    // All of them may have kept it; the account has signed another one, which came first.
    let receipts = (1..7).map(|who| signed(who, BID)).chain([signed(0, BID)]);
    let mut expected = vec![SecondBid; 6];
    expected.push(OtherBid);
    assert_eq!(verdicts(receipts.collect()), expected);
}

/// Of a round whose bids are pruned its validators are known, although nothing of it is executed.
#[test]
fn promises_are_counted_in_pruned_rounds_too() {
    let checkpointed = |receipts| {
        let (records, checkpoint) = STORY.checkpointed();
        verdicts_in(with_checkpoint(records, checkpoint), receipts)
    };
    assert_eq!(checkpointed(left_out(5, &[4, 5])), [TooFewReceipts; 2]);
    // The round may hold another bid of the account, which validators are not to blame for; the digests do not tell.
    let not_checkable = [ReceiptVerdict::NotCheckable; 3];
    assert_eq!(checkpointed(left_out(5, &[4, 5, 6])), not_checkable);
    assert_eq!(checkpointed(left_out(1, &[4, 5, 6])), [Worthless; 3]);
    let bid = bid_of(5);
    let kept = receipt(&keys()[4], 5, bid.account, bid.digest());
    assert_eq!(checkpointed(vec![kept]), [ReceiptVerdict::IncludedByDigest]);
    // Without a checkpoint, and with everything pruned.
    let all = STORY.pruned(STORY.pause, |_| true);
    assert_eq!(verdicts_in(all, left_out(5, &[4, 5, 6])), not_checkable);
}

/// A ledger that ends with rounds that no block opened: they never come, also the last one of them.
#[test]
fn a_receipt_for_a_round_that_was_passed_over_is_a_broken_promise_of_the_aggregator() {
    let story = &*STORY;
    let end = story.states.iter().position(|state| state.last_round_id() == Some(4)).expect("passed over");
    assert!(story.states[end].round(4).is_none());
    let mut records = story.records(|_| true);
    records.truncate(end + 1);
    let found = |round_id, who: &[usize]| verdicts_in(records.clone(), left_out(round_id, who));
    for passed in [3, 4] {
        assert_eq!(found(passed, &[0]), [Missing], "round {passed}, the aggregator");
        assert_eq!(found(passed, &[1, 2]), [TooFewReceipts; 2], "round {passed}, two validators");
    }
    assert_eq!(found(5, &[0]), [RoundUnknown]);
}
