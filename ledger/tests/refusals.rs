//! One refusal a rule. Not reached by any input that passes the proofs before them, and so without a test here:
//! `NotCombined` and `ValueImpossible` (shares and values that are proved), `StepKeys` (keys that key generation
//! checked).

mod common;

use common::*;
use veilgrid_crypto::bid::BidFault;
use veilgrid_crypto::opening::ShareRule;
use veilgrid_ledger::refusal::{Account, Refusal, Waits};
use veilgrid_ledger::state::MAX_ACTIVE_ROUNDS;
use veilgrid_ledger::state::expected::Expected;
use veilgrid_ledger::transaction::{Transaction, TransactionKind, VoidReason};
use veilgrid_market::Rationed;

fn open() -> (Community, Chain) {
    let community = Community::new();
    let mut chain = Chain::new(&community);
    chain.push(vec![open_round(1)]);
    (community, chain)
}

fn opening() -> (Community, Chain) {
    let mut community = Community::new();
    let mut chain = Chain::new(&community);
    chain.bid_and_close(&mut community, 1, &BOOK);
    (community, chain)
}

fn waiting(wanted: impl Fn(&Expected) -> bool) -> (Community, Chain) {
    let (mut community, mut chain) = opening();
    chain.until(&mut community, 1, wanted);
    (community, chain)
}

fn out_of_order(waits: Waits, found: TransactionKind) -> Refusal {
    Refusal::OutOfOrder { round: 1, waits, found }
}

#[test]
fn a_second_genesis() {
    let (community, chain) = open();
    let again = Transaction::Genesis(Box::new(community.genesis));
    assert_eq!(chain.refusal(again), Refusal::GenesisRepeated);
}

#[test]
fn slots_of_another_length_or_without_an_end() {
    let chain = Chain::new(&Community::new());
    for (slot_start_unix_s, slot_seconds) in [(0, 300), (i64::MAX - 899, SLOT_SECONDS)] {
        let transaction = Transaction::OpenRound { round_id: 1, slot_start_unix_s, slot_seconds };
        assert!(matches!(chain.refusal(transaction), Refusal::Slot { round: 1, .. }));
    }
}

#[test]
fn round_ids_that_do_not_rise() {
    let (_, chain) = open();
    assert_eq!(chain.refusal(open_round(1)), Refusal::RoundIdNotRising { round: 1, last: 1 });
    assert_eq!(chain.refusal(open_round(0)), Refusal::RoundIdNotRising { round: 0, last: 1 });
}

#[test]
fn slots_that_are_taken() {
    let (mut community, mut chain) = open();
    let Transaction::OpenRound { slot_start_unix_s: start, slot_seconds, .. } = open_round(1) else {
        unreachable!()
    };
    let at = |slot_start_unix_s| Transaction::OpenRound { round_id: 2, slot_start_unix_s, slot_seconds };
    for offset in [-899, 0, 899] {
        assert_eq!(chain.refusal(at(start + offset)), Refusal::SlotTaken { round: 2 }, "active");
    }
    let bids = (0..4).map(|m| community.bid(&chain.state, 1, m, &BOOK[m])).collect();
    chain.push(vec![Transaction::Bids { round_id: 1, bids }, Transaction::CloseRound { round_id: 1 }]);
    chain.finish(&mut community, 1);
    assert_eq!(chain.refusal(at(start + 899)), Refusal::SlotTaken { round: 2 }, "cleared");
    chain.push(vec![at(start + 900)]);
}

#[test]
fn too_many_rounds() {
    let mut chain = Chain::new(&Community::new());
    let ids = 1..=MAX_ACTIVE_ROUNDS as u64;
    chain.push(ids.map(open_round).collect());
    let refusal = Refusal::TooManyRounds { round: 9, active: MAX_ACTIVE_ROUNDS };
    assert_eq!(chain.refusal(open_round(9)), refusal);
}

#[test]
fn transactions_for_a_round_that_is_not_active() {
    let (mut community, chain) = finished();
    let share = match &chain.blocks[4].transactions[0] {
        Transaction::OpeningShare { share, .. } => *share,
        other => panic!("{other:?}"),
    };
    for round_id in [1, 2] {
        let bids = vec![community.bid(&chain.state, round_id, 0, &BOOK[0])];
        let outcome = chain.effects.iter().find_map(|effect| match effect {
            veilgrid_ledger::state::effects::Effect::Cleared { outcome, .. } => Some(*outcome),
            _ => None,
        });
        for transaction in [
            Transaction::Bids { round_id, bids },
            Transaction::CloseRound { round_id },
            Transaction::OpeningShare { round_id, opening_index: 0, share },
            Transaction::OpenedValue { round_id, opening_index: 0, value_wh: 0 },
            Transaction::Clear { round_id, outcome: outcome.expect("outcome") },
            Transaction::Settle { round_id, points: vec![] },
            Transaction::Void { round_id, reason: VoidReason::TooFewBids },
        ] {
            assert_eq!(chain.refusal(transaction), Refusal::RoundNotActive { round: round_id });
        }
    }
}

#[test]
fn bids_that_are_none() {
    let (mut community, chain) = open();
    let bids = |bids| Transaction::Bids { round_id: 1, bids };
    assert_eq!(chain.refusal(bids(vec![])), Refusal::NoBids { round: 1 });
    let account = Account(community.account(0));
    let other = community.bid(&chain.state, 2, 0, &BOOK[0]);
    let refusal = Refusal::BidOfOtherRound { round: 1, bid_round: 2, account };
    assert_eq!(chain.refusal(bids(vec![other])), refusal);
    let (good, mut bad) =
        (community.bid(&chain.state, 1, 1, &BOOK[1]), community.bid(&chain.state, 1, 0, &BOOK[0]));
    bad.signature[40] ^= 1;
    let refusal = Refusal::BidInvalid { round: 1, account, fault: BidFault::Signature };
    assert_eq!(chain.refusal(bids(vec![good.clone(), bad])), refusal, "one bad bid refuses the transaction");
    let mut short = good;
    short.proof.pop();
    assert!(matches!(chain.refusal(bids(vec![short])), Refusal::BidInvalid { .. }));
}

#[test]
fn a_bid_of_a_stranger() {
    let (_, chain) = open();
    let mut stranger = Community::with(params(veilgrid_market::Rule::Uniform, true), 2, 99);
    let bid = stranger.bid(&chain.state, 1, 0, &BOOK[0]);
    let refusal = Refusal::NotAMember { round: 1, account: Account(bid.account) };
    assert_eq!(chain.refusal(Transaction::Bids { round_id: 1, bids: vec![bid] }), refusal);
}

#[test]
fn a_second_bid_of_an_account() {
    let (mut community, mut chain) = open();
    let account = Account(community.account(0));
    let first = community.bid(&chain.state, 1, 0, &BOOK[0]);
    let second = community.bid(&chain.state, 1, 0, &BOOK[1]);
    let both = Transaction::Bids { round_id: 1, bids: vec![first.clone(), second.clone()] };
    assert_eq!(chain.refusal(both), Refusal::SecondBid { round: 1, account });
    chain.push(vec![Transaction::Bids { round_id: 1, bids: vec![first.clone()] }]);
    for bid in [first, second] {
        let again = Transaction::Bids { round_id: 1, bids: vec![bid] };
        assert_eq!(chain.refusal(again), Refusal::SecondBid { round: 1, account });
    }
}

#[test]
fn an_r_that_occurs_twice() {
    let (mut community, mut chain) = open();
    let first = community.bid(&chain.state, 1, 0, &BOOK[0]);
    let mut copy = community.bid(&chain.state, 1, 1, &BOOK[0]);
    copy.r = first.r;
    let (account, owner) = (Account(copy.account), Account(first.account));
    let refusal = Refusal::HandleRepeated { round: 1, account, first: owner };
    let both = Transaction::Bids { round_id: 1, bids: vec![first.clone(), copy.clone()] };
    assert_eq!(chain.refusal(both), refusal);
    chain.push(vec![Transaction::Bids { round_id: 1, bids: vec![first] }]);
    assert_eq!(chain.refusal(Transaction::Bids { round_id: 1, bids: vec![copy] }), refusal);
}

#[test]
fn stages_out_of_order() {
    let (mut community, chain) = open();
    let bid = community.bid(&chain.state, 1, 3, &BOOK[3]);
    let bids = Transaction::Bids { round_id: 1, bids: vec![bid] };
    let close = Transaction::CloseRound { round_id: 1 };
    let void = Transaction::Void { round_id: 1, reason: VoidReason::TooFewBids };
    let value = |opening_index| Transaction::OpenedValue { round_id: 1, opening_index, value_wh: 0 };
    let (_, done) = finished();
    let find = |kind| {
        let all = done.blocks.iter().flat_map(|block| &block.transactions);
        all.clone().find(|tx| tx.kind() == kind).expect("there").clone()
    };
    let share = find(TransactionKind::OpeningShare);
    let (clear, settle) = (find(TransactionKind::Clear), find(TransactionKind::Settle));

    let bidding = [void.clone(), share.clone(), value(0), clear.clone(), settle.clone()];
    for transaction in bidding {
        let kind = transaction.kind();
        assert_eq!(chain.refusal(transaction), out_of_order(Waits::Bids, kind));
    }
    let (mut community, mut few) = (community, Chain::new(&Community::new()));
    few.bid_and_close(&mut community, 1, &BOOK[..1]);
    for transaction in [bids.clone(), close.clone(), share.clone(), value(0), clear.clone(), settle.clone()] {
        let kind = transaction.kind();
        assert_eq!(few.refusal(transaction), out_of_order(Waits::Void, kind));
    }
    let (mut community, mut chain) = opening();
    // Clearing before the openings, voiding to get at a second set of bids, a value without shares: all refused.
    for transaction in [bids.clone(), close.clone(), void.clone(), value(0), clear.clone(), settle.clone()] {
        let kind = transaction.kind();
        assert_eq!(chain.refusal(transaction), out_of_order(Waits::Shares, kind));
    }
    chain.until(&mut community, 1, |e| matches!(e, Expected::Clear { .. }));
    for transaction in [bids.clone(), close.clone(), void.clone(), share.clone(), value(1), settle] {
        let kind = transaction.kind();
        assert_eq!(chain.refusal(transaction), out_of_order(Waits::Clear, kind));
    }
    chain.step(&mut community, 1);
    for transaction in [bids, close, void, share, value(1), clear] {
        let kind = transaction.kind();
        assert_eq!(chain.refusal(transaction), out_of_order(Waits::Settle, kind));
    }
}

#[test]
fn shares_that_do_not_count() {
    let (mut community, mut chain) = opening();
    let Ok(Expected::Shares(request)) = chain.state.expected(1) else { panic!("shares") };
    let share = community.share(&chain.state, &request, 2);
    let transaction = |opening_index, share| Transaction::OpeningShare { round_id: 1, opening_index, share };
    let wrong = Refusal::WrongOpening { round: 1, found: 1, expected: 0 };
    assert_eq!(chain.refusal(transaction(1, share)), wrong);
    for validator in [0, VALIDATORS + 1] {
        let mut unknown = share;
        unknown.validator = validator;
        let refusal = Refusal::UnknownValidator { round: 1, opening: 0, validator };
        assert_eq!(chain.refusal(transaction(0, unknown)), refusal);
    }
    let mut false_share = share;
    false_share.validator = 3;
    let Refusal::ShareInvalid { fault, .. } = chain.refusal(transaction(0, false_share)) else {
        panic!("the share of another validator")
    };
    assert_eq!((fault.validator, fault.rule), (3, ShareRule::Proof));
    chain.push(vec![transaction(0, share)]);
    let again = community.share(&chain.state, &request, 2);
    let refusal = Refusal::SecondShare { round: 1, opening: 0, validator: 2 };
    assert_eq!(chain.refusal(transaction(0, again)), refusal);
    // A sum that the ledger does not ask for: the share is valid for nothing.
    let mut other = request.clone();
    other.weights = vec![0, 0, 0, 0, 0, 1, 0, 0];
    let share = community.share(&chain.state, &other, 1);
    assert!(matches!(chain.refusal(transaction(0, share)), Refusal::ShareInvalid { .. }));
    chain.step(&mut community, 1);
    let late = community.share(&chain.state, &request, 4);
    let refusal = out_of_order(Waits::Value, TransactionKind::OpeningShare);
    assert_eq!(chain.refusal(transaction(0, late)), refusal, "no more than t");
}

#[test]
fn values_that_are_not_the_opened_ones() {
    let (_, chain) = waiting(|e| matches!(e, Expected::Value { .. }));
    let value = |opening_index, value_wh| Transaction::OpenedValue { round_id: 1, opening_index, value_wh };
    assert_eq!(chain.refusal(value(1, 0)), Refusal::WrongOpening { round: 1, found: 1, expected: 0 });
    assert_eq!(chain.refusal(value(0, 9)), Refusal::ValueWrong { round: 1, opening: 0, value_wh: 9 });
    let bound_wh = 4 * 4 * 255;
    for value_wh in [bound_wh + 1, -bound_wh - 1, i64::MIN] {
        let refusal =
            Refusal::ValueOutOfBounds { round: 1, opening: 0, value_wh, bound_wh: bound_wh.unsigned_abs() };
        assert_eq!(chain.refusal(value(0, value_wh)), refusal);
    }
    assert!(matches!(chain.refusal(value(0, bound_wh)), Refusal::ValueWrong { .. }));
}

#[test]
fn outcomes_that_do_not_follow() {
    let (_, chain) = waiting(|e| matches!(e, Expected::Clear { .. }));
    let Ok(Expected::Clear { outcome }) = chain.state.expected(1) else { panic!("clear") };
    type Change = fn(&mut veilgrid_market::Trade);
    let changes: [Change; 5] = [
        |trade| trade.buy_price_mct_per_kwh += 1_000,
        |trade| trade.fraction_q16 -= 1,
        |trade| trade.rest_q16 += 1,
        |trade| trade.rationed = Rationed::Demand,
        |trade| trade.highest_sell_tick = 0,
    ];
    for change in changes {
        let mut changed = outcome;
        change(changed.trade.as_mut().expect("trade"));
        let transaction = Transaction::Clear { round_id: 1, outcome: changed };
        assert_eq!(chain.refusal(transaction), Refusal::WrongOutcome { round: 1 });
    }
}

#[test]
fn settlements_that_do_not_follow() {
    let (_, chain) = waiting(|e| matches!(e, Expected::Settle { .. }));
    let points = chain.state.settlement_points(1).expect("points");
    let settle = |points| Transaction::Settle { round_id: 1, points };
    let refusal = Refusal::SettlementCount { round: 1, found: 3, bids: 4 };
    assert_eq!(chain.refusal(settle(points[1..].to_vec())), refusal);
    let mut swapped = points;
    swapped.swap(1, 2);
    let account = chain.state.round(1).and_then(|round| round.bids().nth(1)).expect("bid").account();
    let refusal = Refusal::SettlementPoint { round: 1, account: Account(account) };
    assert_eq!(chain.refusal(settle(swapped)), refusal);
}
