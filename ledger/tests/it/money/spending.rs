//! Every attempt to spend what is not there: by withdrawing, by bidding, or by both.

use super::{BUYER, bids, certificate_of, money, one_cent};
use crate::common::*;
use crate::purses::*;
use crate::world::World;
use curve25519_dalek::scalar::Scalar;
use veilgrid_crypto::bid::{SealError, SealedBid};
use veilgrid_crypto::group::{encode_point, value_base};
use veilgrid_ledger::members::certificate::Certificate;
use veilgrid_ledger::members::order::Action;
use veilgrid_ledger::money::market::UNITS_PER_CT;
use veilgrid_ledger::money::refusal::MoneyRefusal;
use veilgrid_ledger::money::withdrawal::Withdrawal;
use veilgrid_ledger::refusal::{Account, Refusal};
use veilgrid_ledger::rounds::refusal::RoundRefusal;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_market::Rule;

const ZEROS: [u64; 8] = [0; 8];

fn is_false(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Rounds(RoundRefusal::BidInvalid { .. }))
}

/// Both rounds opened with the same money.
fn overlapping() -> (Market, [SealedBid; 2]) {
    let mut market = one_cent();
    let open = market.world.open(2);
    market.world.at(market.world.ms(RoundTiming::open_ms, 2), vec![open]);
    market.follow();
    let sealed = [1, 2].map(|round_id| market.seal(round_id, BUYER, &BOOK[2]).expect("sealed"));
    (market, sealed)
}

/// The third account has a credit line of one cent, uses it, and loses it.
fn in_arrears() -> Market {
    let mut market = Market::of(money_params(Rule::Uniform));
    let credit = Opening { units: UNITS_PER_CT, blinding: Scalar::from(1_234u64) };
    let plain = certificate_of(&market.world, 3);
    market.give_credit(BUYER, credit);
    market.deposit(&[(4, 1)]);
    assert!(matches!(market.round(1), Effect::Settled(_)));
    let order = market.world.ordered(Action::Update(vec![(3, plain)]));
    market.push(vec![order]);
    market.purses[BUYER].credit = Opening::ZERO;
    market.claim_all(1);
    assert!(market.purses[BUYER].balance.units < 0);
    market.world.open_round(2);
    market.follow();
    market
}

#[test]
fn a_withdrawal_beyond_the_balance() {
    let mut market = Market::funded();
    // Its owner says that there is more, and knows how to open that.
    let lie = Opening::ct(11);
    let withdrawal = market.withdrawal(0, 11, lie.minus(Opening::ct(11)));
    let refusal = market.world.refusal(Transaction::Withdraw(Box::new(withdrawal)));
    assert_eq!(refusal, money(MoneyRefusal::Rest { number: 1 }));
    let all = market.withdraws(0, 10);
    market.push(vec![all]);
    assert_eq!(market.purses[0].balance.units, 0);
}

#[test]
fn a_withdrawal_is_its_owners_and_of_this_moment() {
    let mut market = Market::funded();
    let Transaction::Withdraw(sound) = market.withdraws(0, 4) else { panic!("a withdrawal") };
    let signature = money(MoneyRefusal::AccountSignature { number: 1 });
    let edited = |edit: fn(&mut Withdrawal)| {
        let mut withdrawal = (*sound).clone();
        edit(&mut withdrawal);
        Transaction::Withdraw(Box::new(withdrawal))
    };
    for edit in [
        (|withdrawal| withdrawal.signature[9] ^= 1) as fn(&mut Withdrawal),
        |withdrawal| withdrawal.terms.amount_ct = 3,
        |withdrawal| withdrawal.terms.reference[0] ^= 1,
        |withdrawal| withdrawal.proof[20] ^= 1,
    ] {
        assert_eq!(market.world.refusal(edited(edit)), signature);
    }
    let other = edited(|withdrawal| withdrawal.terms.number = 2);
    assert_eq!(market.world.refusal(other), money(MoneyRefusal::AccountSignature { number: 2 }));
    let sequence = |found, expected| money(MoneyRefusal::DebitSequence { number: 1, found, expected });
    assert_eq!(market.world.refusal(edited(|it| it.terms.debit_sequence = 1)), sequence(1, 0));
    let sound = Transaction::Withdraw(sound);
    market.push(vec![sound.clone()]);
    assert_eq!(market.world.refusal(sound), sequence(0, 1), "once");
}

#[test]
fn a_bid_beyond_the_balance() {
    let mut market = one_cent();
    let dear = [0, 0, 0, 0, 0, 90, 0, 0];
    assert_eq!(market.seal(1, BUYER, &dear).expect_err("1.08 ct"), SealError::Balance);
    let lie = Opening::ct(2);
    let bid = market.seal_with(1, BUYER, &dear, lie, |_| {}).expect("sealed");
    assert!(is_false(&market.world.refusal(bids(1, bid))));
    let affordable = market.seal(1, BUYER, &[0, 0, 0, 0, 0, 83, 0, 0]).expect("0.996 ct");
    market.push(vec![bids(1, affordable)]);
}

#[test]
fn a_bid_beyond_a_capacity() {
    let mut world = World::of_market(4, money_params(Rule::Uniform), 7).with_keys();
    // Class 0 is none.
    let smallest = world.genesis().params.capacity_classes.capacities_wh()[1];
    let small = Certificate { import_class: 1, export_class: 1, ..certificate_of(&world, 3) };
    let order = world.ordered(Action::Update(vec![(3, small)]));
    world.push(vec![order]);
    let mut market = Market::followed(world);
    market.deposit(&[(3, 1_000)]);
    market.world.open_round(1);
    market.follow();
    let step = u64::from(u8::MAX);
    assert!(smallest >= step && smallest < 4 * step, "{smallest} Wh");
    let beyond = [0, step, 0, step, 0, step, 0, step];
    assert_eq!(market.seal(1, BUYER, &beyond).expect_err("too much"), SealError::ImportCapacity);
    let sells = [step, 0, step, 0, step, 0, step, 0];
    assert_eq!(market.seal(1, BUYER, &sells).expect_err("too much"), SealError::ExportCapacity);
    let available = market.purses[BUYER].available(1);
    for book in [beyond, sells] {
        let larger = |terms: &mut veilgrid_crypto::bid::AccountTerms| {
            (terms.import_wh, terms.export_wh) = (5_000, 5_000);
        };
        let bid = market.seal_with(1, BUYER, &book, available, larger).expect("sealed");
        assert!(is_false(&market.world.refusal(bids(1, bid))));
    }
}

#[test]
fn bids_of_strangers_of_the_suspended_and_second_ones() {
    let mut market = Market::funded();
    let order = market.world.ordered(Action::Suspend(vec![4]));
    market.push(vec![order]);
    market.world.open_round(1);
    market.follow();
    let suspended = market.seal_with(1, 3, &BOOK[3], Opening::ZERO, |_| {}).expect_err("beyond");
    assert_eq!(suspended, SealError::Balance);
    let suspended = market.seal_with(1, 3, &BOOK[3], Opening::ct(10), |_| {}).expect("sealed");
    let refusal = market.world.refusal(bids(1, suspended));
    assert!(matches!(refusal, Refusal::Rounds(RoundRefusal::Suspended { .. })), "{refusal}");
    // A stranger who says what it has.
    let (keyring, _) = market.world.newcomer(200);
    market.world.keyrings.push(keyring);
    let mut purse = market.purses[0].clone();
    purse.number = 5;
    market.purses.push(purse);
    let stranger = market.seal_with(1, 4, &BOOK[2], Opening::ct(10), |_| {}).expect("sealed");
    let account = Account(stranger.account);
    assert_eq!(
        market.world.refusal(bids(1, stranger)),
        Refusal::Rounds(RoundRefusal::NotAMember { round: 1, account })
    );
    market.world.keyrings.pop();
    market.purses.pop();
    let first = market.seal(1, BUYER, &BOOK[2]).expect("sealed");
    let other = market.seal(1, BUYER, &BOOK[3]).expect("sealed");
    market.push(vec![bids(1, first.clone())]);
    for bid in [first, other] {
        let account = Account(bid.account);
        let second = Refusal::Rounds(RoundRefusal::SecondBid { round: 1, account });
        assert_eq!(market.world.refusal(bids(1, bid)), second);
    }
}

/// The certificate in force says what an account may, whoever's a bid is proved against.
#[test]
fn a_bid_with_anothers_terms() {
    let mut market = Market::funded();
    market.world.open_round(1);
    market.follow();
    let rich = market.purses[0].available(1);
    let bid = market.seal(1, BUYER, &BOOK[2]).expect("sealed");
    let stolen = SealedBid { account: market.world.account(3), ..bid.clone() };
    assert!(is_false(&market.world.refusal(bids(1, stolen.clone()))));
    let first = Account(bid.account);
    let account = Account(stolen.account);
    let both = Transaction::Bids { round_id: 1, bids: vec![bid.clone(), stolen] };
    let repeated = Refusal::Rounds(RoundRefusal::HandleRepeated { round: 1, account, first });
    assert_eq!(market.world.refusal(both), repeated, "two points under one R and key");
    for edit in [
        (|bid| bid.money.as_mut().expect("money").cost = encode_point(&value_base())) as fn(&mut SealedBid),
        |bid| bid.money = None,
    ] {
        let mut other = bid.clone();
        edit(&mut other);
        assert!(is_false(&market.world.refusal(bids(1, other))));
    }
    let free = market.seal_with(1, BUYER, &BOOK[2], rich, |terms| {
        terms.costs = veilgrid_crypto::bid::CostWeights::new(vec![0; 8]);
    });
    assert!(is_false(&market.world.refusal(bids(1, free.expect("sealed")))), "other prices");
}

#[test]
fn the_same_money_by_withdrawing_after_the_snapshot() {
    let mut market = one_cent();
    let sealed = market.seal(1, BUYER, &BOOK[2]).expect("sealed");
    let snapshot = market.purses[BUYER].available(1);
    let all = market.withdraws(BUYER, 1);
    market.push(vec![all]);
    let stale = money(MoneyRefusal::DebitSequence { number: 3, found: 0, expected: 1 });
    assert_eq!(market.world.refusal(bids(1, sealed.clone())), stale);
    let mut renumbered = sealed;
    renumbered.money.as_mut().expect("money").debit_sequence = 1;
    assert!(is_false(&market.world.refusal(bids(1, renumbered))));
    assert_eq!(market.seal(1, BUYER, &BOOK[2]).expect_err("gone"), SealError::Balance);
    let lie = market.seal_with(1, BUYER, &BOOK[2], snapshot, |_| {}).expect("sealed");
    assert!(is_false(&market.world.refusal(bids(1, lie))));
    let zeros = market.seal(1, BUYER, &ZEROS).expect("sealed");
    market.push(vec![bids(1, zeros)]);
}

#[test]
fn the_same_money_in_rounds_that_overlap() {
    let (mut market, [first, second]) = overlapping();
    let stale = money(MoneyRefusal::DebitSequence { number: 3, found: 0, expected: 1 });
    // In one block.
    let transactions = vec![bids(1, first.clone()), bids(2, second.clone())];
    let mut state = market.world.state.clone();
    let block = veilgrid_ledger::block::Block::new(
        state.height() + 1,
        state.block_hash(),
        state.time_unix_ms(),
        state.root(),
        transactions,
    );
    let effects = state.apply_block(&block, &mut veilgrid_ledger::verdicts::VerifyAll).expect("sound");
    assert_eq!(effects.effects[1], Effect::Refused(Box::new(stale.clone())));
    // One after the other.
    let snapshot = market.purses[BUYER].available(2);
    market.push(vec![bids(1, first)]);
    assert_eq!(market.world.refusal(bids(2, second)), stale);
    assert_eq!(market.seal(2, BUYER, &BOOK[2]).expect_err("held back"), SealError::Balance);
    let lie = market.seal_with(2, BUYER, &BOOK[2], snapshot, |_| {}).expect("sealed");
    assert!(is_false(&market.world.refusal(bids(2, lie))));
    // What is left may be bid.
    let rest = market.seal(2, BUYER, &[0, 0, 0, 0, 0, 33, 0, 0]).expect("0.396 ct");
    market.push(vec![bids(2, rest)]);
}

#[test]
fn the_same_money_by_not_claiming() {
    let mut market = Market::of(money_params(Rule::Uniform));
    market.deposit(&[(1, 1), (2, 1), (3, 1), (4, 1)]);
    assert!(matches!(market.round(1), Effect::Settled(_)));
    // The fill at 11 ct/kWh is not claimed: the whole limit of 0.6 ct stays held back, and the balance is a cent still.
    assert_eq!(market.purses[BUYER].balance, Opening::ct(1));
    let lie = market.purses[BUYER].balance.minus(Opening::ct(1));
    let withdrawal = market.withdrawal(BUYER, 1, lie);
    let refusal = market.world.refusal(Transaction::Withdraw(Box::new(withdrawal)));
    assert_eq!(refusal, money(MoneyRefusal::Rest { number: 3 }));
    market.world.open_round(2);
    market.follow();
    assert_eq!(market.seal(2, BUYER, &BOOK[2]).expect_err("held back"), SealError::Balance);
    let lie = market.purses[BUYER].balance;
    let bid = market.seal_with(2, BUYER, &BOOK[2], lie, |_| {}).expect("sealed");
    assert!(is_false(&market.world.refusal(bids(2, bid))));
    // What is claimed in this round counts from the next one on.
    market.claim_all(1);
    assert_eq!(market.seal(2, BUYER, &BOOK[2]).expect_err("the snapshot"), SealError::Balance);
}

#[test]
fn a_stale_snapshot() {
    let mut market = Market::of(money_params(Rule::Uniform));
    market.deposit(&[(3, 1)]);
    market.world.open_round(1);
    market.follow();
    let rich = market.purses[BUYER].available(1);
    let withdrawal = market.withdraws(BUYER, 1);
    market.push(vec![withdrawal]);
    market.deposit(&[(3, 2)]);
    // Deposits after the opening do not count for it, with whatever number.
    assert_eq!(market.purses[BUYER].available(1).units, 0);
    for available in [rich, Opening::ct(2)] {
        let bid = market.seal_with(1, BUYER, &BOOK[2], available, |_| {}).expect("sealed");
        assert!(is_false(&market.world.refusal(bids(1, bid))));
    }
    market.world.open_round(2);
    market.follow();
    // What was available in an earlier round is not what is in this one.
    let bid = market.seal_with(2, BUYER, &BOOK[2], rich, |_| {}).expect("sealed");
    assert!(is_false(&market.world.refusal(bids(2, bid))));
    let sound = market.seal(2, BUYER, &BOOK[2]).expect("sealed");
    market.push(vec![bids(2, sound)]);
}

#[test]
fn in_arrears_nothing_but_the_zero_bid() {
    let mut market = in_arrears();
    let owed = market.purses[BUYER].available(2);
    assert!(owed.units < 0);
    // Sells at a price above zero cost nothing and are refused all the same.
    for book in [BOOK[2], [5, 0, 0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0, 0]] {
        assert_eq!(market.seal(2, BUYER, &book).expect_err("in arrears"), SealError::Balance);
        let bid = market.seal_with(2, BUYER, &book, Opening::ct(1), |_| {}).expect("sealed");
        assert!(is_false(&market.world.refusal(bids(2, bid))));
    }
    let zeros = market.seal(2, BUYER, &ZEROS).expect("sealed");
    let trades = market.seal(2, 3, &BOOK[3]).expect("sealed");
    let idle = market.seal(2, 0, &ZEROS).expect("sealed");
    let length = |bid: &SealedBid| bid.to_bytes().len();
    assert_eq!((length(&zeros), length(&idle)), (length(&trades), length(&trades)));
    market.push(vec![Transaction::Bids { round_id: 2, bids: vec![zeros, trades, idle] }]);
    let rest = Opening::ct(5);
    let withdrawal = market.withdrawal(BUYER, 1, rest);
    let refusal = market.world.refusal(Transaction::Withdraw(Box::new(withdrawal)));
    assert_eq!(refusal, money(MoneyRefusal::Rest { number: 3 }));
}
