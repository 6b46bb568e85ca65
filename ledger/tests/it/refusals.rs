//! One refusal per rule. Not reached by any input that passes the proofs before them, and so without a test here:
//! `NotCombined` and `ValueImpossible` (shares and values that are proved), `SlotTaken` (the calendar gives each
//! round a slot of its own).

use crate::common::*;
use crate::world::World;
use veilgrid_crypto::bid::BidFault;
use veilgrid_crypto::opening::ShareRule;
use veilgrid_ledger::refusal::{Account, Refusal, Waits};
use veilgrid_ledger::rounds::refusal::RoundRefusal;
use veilgrid_ledger::state::MAX_ACTIVE_ROUNDS;
use veilgrid_ledger::state::expected::Expected;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::{Transaction, TransactionKind, VoidReason};
use veilgrid_market::Rationed;

fn open() -> World {
    let mut world = World::keyed(4);
    world.open_round(1);
    world
}

fn opening() -> World {
    let mut world = World::keyed(4);
    world.opening(1);
    world
}

fn waiting(wanted: impl Fn(&Expected) -> bool) -> World {
    let mut world = opening();
    world.until(1, wanted);
    world
}

fn out_of_order(waits: Waits, found: TransactionKind) -> Refusal {
    Refusal::Rounds(RoundRefusal::OutOfOrder { round: 1, waits, found })
}

#[test]
fn a_second_genesis() {
    let world = open();
    let again = Transaction::Genesis(Box::new(world.genesis().clone()));
    assert_eq!(world.refusal(again), Refusal::GenesisRepeated);
}

#[test]
fn slots_of_another_length_or_without_an_end() {
    let world = World::keyed(4);
    for (slot_start_unix_s, slot_seconds) in [(0, 300), (i64::MAX - 899, SLOT_SECONDS)] {
        let transaction = Transaction::OpenRound { round_id: 1, slot_start_unix_s, slot_seconds };
        assert!(matches!(world.refusal(transaction), Refusal::Rounds(RoundRefusal::Slot { round: 1, .. })));
    }
}

#[test]
fn rounds_at_another_time_or_for_another_slot() {
    let world = open();
    assert_eq!(
        world.refusal(open_round(1)),
        Refusal::Rounds(RoundRefusal::RoundIdNotRising { round: 1, last: 1 })
    );
    let Transaction::OpenRound { slot_start_unix_s, slot_seconds, .. } = open_round(2) else {
        unreachable!()
    };
    for round_id in [0, 1, 2] {
        let transaction = Transaction::OpenRound { round_id, slot_start_unix_s, slot_seconds };
        let time_ms = world.state.time_unix_ms();
        let expected =
            Refusal::Rounds(RoundRefusal::NotDue { round: round_id, what: "its opening", time_ms });
        assert_eq!(world.refusal(transaction), expected);
    }
}

#[test]
fn too_many_rounds() {
    let mut world = World::keyed(4);
    for round_id in 1..=MAX_ACTIVE_ROUNDS as u64 {
        // Nobody closes or voids a round.
        world.at(world.ms(RoundTiming::open_ms, round_id), vec![open_round(round_id)]);
    }
    world.at(world.ms(RoundTiming::open_ms, 9), vec![]);
    let refusal = Refusal::Rounds(RoundRefusal::TooManyRounds { round: 9, active: MAX_ACTIVE_ROUNDS });
    assert_eq!(world.refusal(open_round(9)), refusal);
}

#[test]
fn transactions_for_a_round_that_is_not_active() {
    let mut world = World::finished();
    let shares = world.blocks.iter().flat_map(|block| &block.transactions).find_map(|found| match found {
        Transaction::OpeningShare { share, .. } => Some(*share),
        _ => None,
    });
    let share = shares.expect("a share");
    for round_id in [1, 2] {
        let bids = vec![world.bid(round_id, 0, &BOOK[0])];
        let outcome = world.all_effects().find_map(|effect| match effect {
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
            assert_eq!(
                world.refusal(transaction),
                Refusal::Rounds(RoundRefusal::RoundNotActive { round: round_id })
            );
        }
    }
}

#[test]
fn bids_that_are_none() {
    let mut world = open();
    let bids = |bids| Transaction::Bids { round_id: 1, bids };
    assert_eq!(world.refusal(bids(vec![])), Refusal::Rounds(RoundRefusal::NoBids { round: 1 }));
    let account = Account(world.account(0));
    let other = world.bid(2, 0, &BOOK[0]);
    let refusal = Refusal::Rounds(RoundRefusal::BidOfOtherRound { round: 1, bid_round: 2, account });
    assert_eq!(world.refusal(bids(vec![other])), refusal);
    let (good, mut bad) = (world.bid(1, 1, &BOOK[1]), world.bid(1, 0, &BOOK[0]));
    bad.signature[40] ^= 1;
    let refusal = Refusal::Rounds(RoundRefusal::BidInvalid { round: 1, account, fault: BidFault::Signature });
    assert_eq!(world.refusal(bids(vec![good.clone(), bad])), refusal, "one bad bid refuses the transaction");
    let mut short = good;
    short.proof.pop();
    assert!(matches!(world.refusal(bids(vec![short])), Refusal::Rounds(RoundRefusal::BidInvalid { .. })));
}

#[test]
fn a_bid_of_a_stranger() {
    let mut world = open();
    let mut bid = world.bid(1, 0, &BOOK[0]);
    bid.account = world.validators[0].entry.signing_key;
    let refusal = Refusal::Rounds(RoundRefusal::NotAMember { round: 1, account: Account(bid.account) });
    assert_eq!(world.refusal(Transaction::Bids { round_id: 1, bids: vec![bid] }), refusal);
}

#[test]
fn a_second_bid_of_an_account() {
    let mut world = open();
    let account = Account(world.account(0));
    let first = world.bid(1, 0, &BOOK[0]);
    let second = world.bid(1, 0, &BOOK[1]);
    let both = Transaction::Bids { round_id: 1, bids: vec![first.clone(), second.clone()] };
    assert_eq!(world.refusal(both), Refusal::Rounds(RoundRefusal::SecondBid { round: 1, account }));
    world.push(vec![Transaction::Bids { round_id: 1, bids: vec![first.clone()] }]);
    for bid in [first, second] {
        let again = Transaction::Bids { round_id: 1, bids: vec![bid] };
        assert_eq!(world.refusal(again), Refusal::Rounds(RoundRefusal::SecondBid { round: 1, account }));
    }
}

#[test]
fn an_r_that_occurs_twice() {
    let mut world = open();
    let first = world.bid(1, 0, &BOOK[0]);
    let mut copy = world.bid(1, 1, &BOOK[0]);
    copy.r = first.r;
    let (account, owner) = (Account(copy.account), Account(first.account));
    let refusal = Refusal::Rounds(RoundRefusal::HandleRepeated { round: 1, account, first: owner });
    let both = Transaction::Bids { round_id: 1, bids: vec![first.clone(), copy.clone()] };
    assert_eq!(world.refusal(both), refusal);
    world.push(vec![Transaction::Bids { round_id: 1, bids: vec![first] }]);
    assert_eq!(world.refusal(Transaction::Bids { round_id: 1, bids: vec![copy] }), refusal);
}

#[test]
fn stages_out_of_order() {
    let mut world = open();
    let bid = world.bid(1, 3, &BOOK[3]);
    let bids = Transaction::Bids { round_id: 1, bids: vec![bid] };
    let close = Transaction::CloseRound { round_id: 1 };
    let void = Transaction::Void { round_id: 1, reason: VoidReason::TooFewBids };
    let value = |opening_index| Transaction::OpenedValue { round_id: 1, opening_index, value_wh: 0 };
    let done = World::finished();
    let find = |kind| {
        let all = done.blocks.iter().flat_map(|block| &block.transactions);
        all.clone().find(|tx| tx.kind() == kind).expect("there").clone()
    };
    let share = find(TransactionKind::OpeningShare);
    let (clear, settle) = (find(TransactionKind::Clear), find(TransactionKind::Settle));

    let bidding = [void.clone(), share.clone(), value(0), clear.clone(), settle.clone()];
    for transaction in bidding {
        let kind = transaction.kind();
        assert_eq!(world.refusal(transaction), out_of_order(Waits::Bids, kind));
    }
    let mut few = World::keyed(4);
    few.opening_of(1, &BOOK[..1]);
    for transaction in [bids.clone(), close.clone(), share.clone(), value(0), clear.clone(), settle.clone()] {
        let kind = transaction.kind();
        assert_eq!(few.refusal(transaction), out_of_order(Waits::Void, kind));
    }
    let mut world = opening();
    // Clearing before the openings, voiding to get at a second set of bids, a value without shares: all refused.
    for transaction in [bids.clone(), close.clone(), void.clone(), value(0), clear.clone(), settle.clone()] {
        let kind = transaction.kind();
        assert_eq!(world.refusal(transaction), out_of_order(Waits::Shares, kind));
    }
    world.until(1, |e| matches!(e, Expected::Clear { .. }));
    for transaction in [bids.clone(), close.clone(), void.clone(), share.clone(), value(1), settle] {
        let kind = transaction.kind();
        assert_eq!(world.refusal(transaction), out_of_order(Waits::Clear, kind));
    }
    world.advance(1);
    for transaction in [bids, close, void, share, value(1), clear] {
        let kind = transaction.kind();
        assert_eq!(world.refusal(transaction), out_of_order(Waits::Settle, kind));
    }
}

#[test]
fn shares_that_do_not_count() {
    let mut world = opening();
    let Ok(Expected::Shares(request)) = world.state.expected(1) else { panic!("shares") };
    let share = world.share(&request, 2);
    let transaction = |opening_index, share| Transaction::OpeningShare { round_id: 1, opening_index, share };
    let wrong = Refusal::Rounds(RoundRefusal::WrongOpening { round: 1, found: 1, expected: 0 });
    assert_eq!(world.refusal(transaction(1, share)), wrong);
    for validator in [0, 5] {
        let mut unknown = share;
        unknown.validator = validator;
        let refusal = Refusal::Rounds(RoundRefusal::UnknownValidator { round: 1, opening: 0, validator });
        assert_eq!(world.refusal(transaction(0, unknown)), refusal);
    }
    let mut false_share = share;
    false_share.validator = 3;
    let Refusal::Rounds(RoundRefusal::ShareInvalid { fault, .. }) =
        world.refusal(transaction(0, false_share))
    else {
        panic!("the share of another validator")
    };
    assert_eq!((fault.validator, fault.rule), (3, ShareRule::Proof));
    world.push(vec![transaction(0, share)]);
    let again = world.share(&request, 2);
    let refusal = Refusal::Rounds(RoundRefusal::SecondShare { round: 1, opening: 0, validator: 2 });
    assert_eq!(world.refusal(transaction(0, again)), refusal);
    // A sum that the ledger does not ask for: the share is valid for nothing.
    let mut other = request.clone();
    other.weights = vec![0, 0, 0, 0, 0, 1, 0, 0];
    let share = world.share(&other, 1);
    assert!(matches!(
        world.refusal(transaction(0, share)),
        Refusal::Rounds(RoundRefusal::ShareInvalid { .. })
    ));
    world.advance(1);
    let late = world.share(&request, 4);
    let refusal = out_of_order(Waits::Value, TransactionKind::OpeningShare);
    assert_eq!(world.refusal(transaction(0, late)), refusal, "no more than t");
}

#[test]
fn values_that_are_not_the_opened_ones() {
    let world = waiting(|e| matches!(e, Expected::Value { .. }));
    let value = |opening_index, value_wh| Transaction::OpenedValue { round_id: 1, opening_index, value_wh };
    assert_eq!(
        world.refusal(value(1, 0)),
        Refusal::Rounds(RoundRefusal::WrongOpening { round: 1, found: 1, expected: 0 })
    );
    assert_eq!(
        world.refusal(value(0, 9)),
        Refusal::Rounds(RoundRefusal::ValueWrong { round: 1, opening: 0, value_wh: 9 })
    );
    let bound_wh = 4 * 4 * 255;
    for value_wh in [bound_wh + 1, -bound_wh - 1, i64::MIN] {
        let refusal = Refusal::Rounds(RoundRefusal::ValueOutOfBounds {
            round: 1,
            opening: 0,
            value_wh,
            bound_wh: bound_wh.unsigned_abs(),
        });
        assert_eq!(world.refusal(value(0, value_wh)), refusal);
    }
    assert!(matches!(world.refusal(value(0, bound_wh)), Refusal::Rounds(RoundRefusal::ValueWrong { .. })));
}

#[test]
fn outcomes_that_do_not_follow() {
    let world = waiting(|e| matches!(e, Expected::Clear { .. }));
    let Ok(Expected::Clear { outcome }) = world.state.expected(1) else { panic!("clear") };
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
        assert_eq!(world.refusal(transaction), Refusal::Rounds(RoundRefusal::WrongOutcome { round: 1 }));
    }
}

#[test]
fn settlements_that_do_not_follow() {
    let world = waiting(|e| matches!(e, Expected::Settle { .. }));
    let points = world.state.settlement_points(1).expect("points");
    let settle = |points| Transaction::Settle { round_id: 1, points };
    let refusal = Refusal::Rounds(RoundRefusal::SettlementCount { round: 1, found: 3, bids: 4 });
    assert_eq!(world.refusal(settle(points[1..].to_vec())), refusal);
    let mut swapped = points;
    swapped.swap(1, 2);
    let account = world.state.round(1).and_then(|round| round.bids().nth(1)).expect("bid").account();
    let refusal = Refusal::Rounds(RoundRefusal::SettlementPoint { round: 1, account: Account(account) });
    assert_eq!(world.refusal(settle(swapped)), refusal);
}
