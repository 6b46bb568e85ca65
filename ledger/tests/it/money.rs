//! One refusal per rule about money, and every attempt to spend what is not there. Not reached by any ledger, and so without
//! a test here: claims before there are keys, as nothing was filled then.

use crate::common::*;
use crate::purses::*;
use crate::world::{World, registrar_key};
use curve25519_dalek::scalar::Scalar;
use veilgrid_crypto::bid::{SealError, SealedBid};
use veilgrid_crypto::group::{encode_point, value_base};
use veilgrid_crypto::money::claim::{ClaimFault, ClaimRules, ClaimTarget};
use veilgrid_crypto::money::rest::REST_PROOF_BYTES;
use veilgrid_crypto::money::scalar_from_i128;
use veilgrid_crypto::secret::Secret;
use veilgrid_crypto::tally::settlement_side_keys;
use veilgrid_ledger::capacity::CapacityClasses;
use veilgrid_ledger::members::certificate::Certificate;
use veilgrid_ledger::members::order::Action;
use veilgrid_ledger::money::claims::Claims;
use veilgrid_ledger::money::market::{MAX_MONEY_UNITS, MoneyRules, UNITS_PER_CT};
use veilgrid_ledger::money::refusal::MoneyRefusal;
use veilgrid_ledger::money::treasury::{
    COMMUNITY_ACCOUNT, MAX_ENTRIES_PER_ORDER, TreasuryAction, TreasuryOrder,
};
use veilgrid_ledger::money::unclaimed::{outcome_digest, worth_of_a_wh};
use veilgrid_ledger::money::withdrawal::{Withdrawal, WithdrawalTerms};
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::refusal::{Account, Refusal};
use veilgrid_ledger::rounds::refusal::RoundRefusal;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_market::{Rule, fill_weights};

/// The third buys 50 Wh at up to 12 ct/kWh: 0.6 ct.
const BUYER: usize = 2;
const ZEROS: [u64; 8] = [0; 8];

fn money(refusal: MoneyRefusal) -> Refusal {
    Refusal::Money(refusal)
}

fn bids(round_id: u64, bid: SealedBid) -> Transaction {
    Transaction::Bids { round_id, bids: vec![bid] }
}

fn is_false(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Rounds(RoundRefusal::BidInvalid { .. }))
}

/// With one cent for the buyer, and round 1 open.
fn one_cent() -> Market {
    let mut market = Market::of(money_params(Rule::Uniform));
    market.deposit(&[(3, 1)]);
    market.world.open_round(1);
    market.follow();
    market
}

fn withdrawal_without_keys(number: u32, amount_ct: u64) -> Transaction {
    let terms = WithdrawalTerms { number, debit_sequence: 0, amount_ct, reference: REFERENCE };
    Transaction::Withdraw(Box::new(Withdrawal {
        terms,
        proof: vec![0; REST_PROOF_BYTES],
        signature: [0; 64],
    }))
}

#[test]
fn a_ledger_without_money_takes_nothing_about_money() {
    let mut world = World::keyed(4);
    let id = world.state.community().ledger_id();
    for action in [TreasuryAction::Deposit(vec![]), TreasuryAction::Paid(vec![])] {
        let order = TreasuryOrder::sign(&id, 0, action, &treasury_key(), &mut world.rng);
        let refusal = world.refusal(Transaction::Treasury(Box::new(order)));
        assert_eq!(refusal, money(MoneyRefusal::NoMoney));
    }
    assert_eq!(world.refusal(withdrawal_without_keys(1, 1)), money(MoneyRefusal::NoMoney));
    let claims = Claims { round_id: 1, claims: vec![] };
    assert_eq!(world.refusal(Transaction::Claims(claims)), money(MoneyRefusal::NoMoney));
}

#[test]
fn before_there_are_keys_money_comes_and_does_not_go() {
    let mut market = Market::followed(World::of_market(4, money_params(Rule::Uniform), 7));
    market.deposit(&[(1, 5), (COMMUNITY_ACCOUNT, 3)]);
    let accounts = market.world.state.accounts().expect("money");
    assert_eq!(accounts.deposited_ct(), u128::from(COMMUNITY_CT) + 8);
    assert_eq!(accounts.community_units(), Opening::ct(COMMUNITY_CT + 3).units);
    assert_eq!(market.world.refusal(withdrawal_without_keys(1, 5)), money(MoneyRefusal::NoKeys));
}

#[test]
fn an_order_of_the_treasury_is_about_one_to_a_thousand_accounts() {
    let mut market = Market::funded();
    for entries in [0, MAX_ENTRIES_PER_ORDER + 1] {
        let order = market.deposits(&vec![(1, 1); entries]);
        assert_eq!(
            market.world.try_next(order.clone()).expect_err("refused"),
            money(MoneyRefusal::Entries { entries })
        );
        if entries == 0 {
            assert_eq!(market.world.refusal(order), money(MoneyRefusal::Entries { entries }));
        }
    }
    market.deposit(&vec![(1, 1); MAX_ENTRIES_PER_ORDER]);
}

#[test]
fn an_order_of_the_treasury_counts_once_and_in_turn() {
    let mut market = Market::funded();
    let order = market.deposits(&[(1, 5)]);
    market.push(vec![order.clone()]);
    let sequence = |found, expected| money(MoneyRefusal::Sequence { found, expected });
    assert_eq!(market.world.refusal(order.clone()), sequence(1, 2));
    let id = market.world.state.community().ledger_id();
    let Transaction::Treasury(order) = order else { panic!("an order") };
    let ahead = TreasuryOrder::sign(&id, 3, order.action, &treasury_key(), &mut market.world.rng);
    assert_eq!(market.world.refusal(Transaction::Treasury(Box::new(ahead))), sequence(3, 2));
}

#[test]
fn a_forged_deposit() {
    let mut market = Market::funded();
    let sound = market.order(TreasuryAction::Deposit(vec![]));
    let Transaction::Treasury(sound) = market.deposits(&[(1, 5)]) else { panic!("{sound:?}") };
    let refusal = |market: &Market, order| market.world.refusal(Transaction::Treasury(Box::new(order)));
    let forged = |edit: fn(&mut TreasuryOrder)| {
        let mut order = (*sound).clone();
        edit(&mut order);
        order
    };
    let of_deposit = |order: &mut TreasuryOrder, edit: fn(&mut veilgrid_ledger::money::treasury::Deposit)| {
        match &mut order.action {
            TreasuryAction::Deposit(deposits) => edit(&mut deposits[0]),
            TreasuryAction::Paid(_) => panic!("a deposit"),
        }
    };
    let signature = money(MoneyRefusal::TreasurySignature);
    for edit in [(|order| order.signature[3] ^= 1) as fn(&mut TreasuryOrder), |order| {
        order.action = TreasuryAction::Paid(vec![veilgrid_ledger::money::treasury::Payment {
            number: 1,
            debit_sequence: 5,
        }])
    }] {
        assert_eq!(refusal(&market, forged(edit)), signature);
    }
    for edit in [
        (|deposit| deposit.amount_ct += 1) as fn(&mut veilgrid_ledger::money::treasury::Deposit),
        |deposit| deposit.number = 2,
        |deposit| deposit.reference[0] ^= 1,
    ] {
        let mut order = (*sound).clone();
        of_deposit(&mut order, edit);
        assert_eq!(refusal(&market, order), signature);
    }
    // Nobody else signs for the treasury, and its orders for another ledger are none of this one.
    let (sequence, action) = (sound.sequence, sound.action.clone());
    let id = market.world.state.community().ledger_id();
    let by_registrar =
        TreasuryOrder::sign(&id, sequence, action.clone(), &registrar_key(), &mut market.world.rng);
    assert_eq!(refusal(&market, by_registrar), signature);
    let elsewhere = TreasuryOrder::sign(&[1; 32], sequence, action, &treasury_key(), &mut market.world.rng);
    assert_eq!(refusal(&market, elsewhere), signature);
}

#[test]
fn money_of_accounts_that_are_not_there_and_of_nothing() {
    let mut market = Market::funded();
    let unknown = money(MoneyRefusal::Unknown { number: 5 });
    let order = market.deposits(&[(1, 1), (5, 1)]);
    assert_eq!(market.world.refusal(order), unknown);
    assert_eq!(market.world.refusal(withdrawal_without_keys(5, 1)), unknown);
    let nothing = money(MoneyRefusal::Nothing { number: 2 });
    let order = market.deposits(&[(1, 1), (2, 0)]);
    assert_eq!(market.world.refusal(order), nothing);
    let rest = market.purses[1].free();
    let none = market.withdrawal(1, 0, rest);
    assert_eq!(market.world.refusal(Transaction::Withdraw(Box::new(none))), nothing);
}

#[test]
fn deposits_stay_below_what_balances_hold() {
    let mut market = Market::funded();
    let most_ct = u64::try_from(MAX_MONEY_UNITS / UNITS_PER_CT).expect("some cents");
    let left_ct = most_ct - COMMUNITY_CT - 40;
    for amount_ct in [left_ct + 1, u64::MAX] {
        let order = market.deposits(&[(1, amount_ct)]);
        assert_eq!(market.world.refusal(order), money(MoneyRefusal::TooMuchMoney), "{amount_ct}");
    }
    market.deposit(&[(1, left_ct)]);
    let one_more = market.deposits(&[(COMMUNITY_ACCOUNT, 1)]);
    assert_eq!(market.world.refusal(one_more), money(MoneyRefusal::TooMuchMoney));
    let withdrawal = market.withdraws(0, 1);
    market.push(vec![withdrawal]);
    market.deposit(&[(COMMUNITY_ACCOUNT, 1)]);
}

#[test]
fn a_payment_is_of_a_withdrawal_that_waits() {
    let mut market = Market::funded();
    let nothing = |number, debit_sequence| money(MoneyRefusal::NothingToPay { number, debit_sequence });
    let early = market.paid(1, 0);
    assert_eq!(market.world.refusal(early), nothing(1, 0));
    let withdrawal = market.withdraws(0, 4);
    market.push(vec![withdrawal]);
    let waiting: Vec<_> = market.world.state.accounts().expect("money").unpaid().collect();
    assert_eq!(waiting, [(1, 0, 4)]);
    let other = market.paid(1, 1);
    assert_eq!(market.world.refusal(other), nothing(1, 1));
    let paid = market.paid(1, 0);
    market.push(vec![paid]);
    let again = market.paid(1, 0);
    assert_eq!(market.world.refusal(again), nothing(1, 0));
    let accounts = market.world.state.accounts().expect("money");
    assert_eq!((accounts.unpaid().len(), accounts.withdrawn_ct()), (0, 4));
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

fn certificate_of(world: &World, number: u32) -> Certificate {
    world.state.members().member(number).expect("a member").certificate.clone()
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

/// Both rounds opened with the same money.
fn overlapping() -> (Market, [SealedBid; 2]) {
    let mut market = one_cent();
    let open = market.world.open(2);
    market.world.at(market.world.ms(RoundTiming::open_ms, 2), vec![open]);
    market.follow();
    let sealed = [1, 2].map(|round_id| market.seal(round_id, BUYER, &BOOK[2]).expect("sealed"));
    (market, sealed)
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

/// The third account has a credit line of one cent, uses it, and loses it.
fn in_arrears() -> Market {
    let mut market = Market::of(money_params(Rule::Uniform));
    let credit = Opening { units: UNITS_PER_CT, blinding: Scalar::from(1_234u64) };
    let key = *market.world.state.account_key().expect("keys");
    let point = scalar_from_i128(credit.units) * value_base() + credit.blinding * key;
    let plain = certificate_of(&market.world, 3);
    let on_credit = Certificate { credit_line: Some(encode_point(&point)), ..plain.clone() };
    let order = market.world.ordered(Action::Update(vec![(3, on_credit)]));
    market.push(vec![order]);
    market.purses[BUYER].credit = credit;
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

#[test]
fn claims_in_their_order() {
    let mut market = Market::funded();
    market.round(1);
    let all = market.claims(1);
    let order = money(MoneyRefusal::ClaimOrder { round: 1 });
    let with = |claims: Vec<_>| Transaction::Claims(Claims { round_id: 1, claims });
    assert_eq!(market.world.refusal(with(vec![])), order);
    let [first, second] = [&all.claims[0], &all.claims[1]];
    assert_eq!(market.world.refusal(with(vec![second.clone(), first.clone()])), order);
    assert_eq!(market.world.refusal(with(vec![first.clone(), first.clone()])), order, "twice at once");
}

#[test]
fn a_claim_of_what_is_not_there() {
    let mut market = Market::funded();
    market.round(1);
    let claims = market.claims(1);
    let nothing = |round, number| money(MoneyRefusal::NothingToClaim { round, number });
    let of_other_round = Claims { round_id: 2, claims: claims.claims.clone() };
    assert_eq!(market.world.refusal(Transaction::Claims(of_other_round)), nothing(2, 1));
    let nobody = Claims { round_id: 1, claims: vec![(9, claims.claims[0].1.clone())] };
    assert_eq!(market.world.refusal(Transaction::Claims(nobody)), nothing(1, 9));
    let first = Claims { round_id: 1, claims: claims.claims[..1].to_vec() };
    market.push(vec![Transaction::Claims(first.clone())]);
    assert_eq!(market.world.refusal(Transaction::Claims(first)), nothing(1, 1), "twice");
    // Of a transaction that holds one false claim none counts.
    assert_eq!(market.world.refusal(Transaction::Claims(claims)), nothing(1, 1));
    let rest = market.claims(1);
    market.push(vec![Transaction::Claims(rest.clone())]);
    assert_eq!(market.world.refusal(Transaction::Claims(rest)), nothing(1, 2), "all are claimed");
}

#[test]
fn a_claim_of_another_quantity_or_of_anothers_fill() {
    let mut market = Market::funded();
    market.round(1);
    let false_claim =
        |number| money(MoneyRefusal::Claim { round: 1, number, fault: Box::new(ClaimFault::Proof) });
    let ([bought, sold], _) = market.purses[BUYER].bids[&1].filled.expect("filled");
    for filled in [[bought - 1, sold], [bought, sold + 1], [0, 0], [bought << 1, sold]] {
        let claims = market.claim_of(1, BUYER, filled);
        assert_eq!(market.world.refusal(Transaction::Claims(claims)), false_claim(3), "{filled:?}");
    }
    let mut all = market.claims(1).claims;
    let anothers = Claims { round_id: 1, claims: vec![(4, all[2].1.clone())] };
    assert_eq!(market.world.refusal(Transaction::Claims(anothers)), false_claim(4));
    // One that holds no point, beside sound ones.
    all[1].1.points[0] = [0xff; 32];
    let refusal = market.world.refusal(Transaction::Claims(Claims { round_id: 1, claims: all }));
    let Refusal::Money(MoneyRefusal::Claim { number: 2, fault, .. }) = refusal else { panic!("{refusal}") };
    assert!(matches!(*fault, ClaimFault::Malformed(_)), "{fault}");
}

#[test]
fn a_claim_under_other_weights_a_key_of_ones_own_or_another_outcome() {
    let mut market = Market::funded();
    market.round(1);
    let state = &market.world.state;
    let unclaimed = state.accounts().expect("money").unclaimed_of(1).expect("fills");
    let (grid, outcome) = (&market.world.genesis().params.grid, *unclaimed.outcome());
    let params = state.community().bid_params().expect("keys").clone();
    let sides = settlement_side_keys(&params, &fill_weights(grid, &outcome));
    let (id, key) = (state.community().ledger_id(), *params.account_key().expect("money"));
    let weights = worth_of_a_wh(&outcome);
    let mut other_outcome = outcome;
    other_outcome.trade.as_mut().expect("a trade").buy_price_mct_per_kwh -= 1;
    let (_, fill) = state.claimable(1, 3).expect("a fill");
    let filled = Secret::new(market.purses[BUYER].bids[&1].filled.expect("filled").0);
    let r = Secret::new(market.randomness(3, 1, &market.purses[BUYER].bids[&1].salt));
    let target = |key, weights| vec![ClaimTarget { key, weights }];
    let sound = target(key, weights);
    let digest = outcome_digest(&outcome);
    let rows = [
        ("cheaper", id, digest, target(key, [weights[0] + 1, weights[1]])),
        ("as if sold", id, digest, target(key, [-weights[0], weights[1]])),
        ("under a key of its own", id, digest, target(value_base() * Scalar::from(5u64), weights)),
        ("of another ledger", [1; 32], digest, sound.clone()),
        ("of another outcome", id, outcome_digest(&other_outcome), sound.clone()),
    ];
    for (name, id, digest, targets) in rows {
        let rules = ClaimRules::new(id, 1, digest, sides, targets);
        let claim = rules.claim(&fill, &r, &filled, &mut market.world.rng);
        let claims = Claims { round_id: 1, claims: vec![(3, claim)] };
        let refusal = market.world.refusal(Transaction::Claims(claims));
        let fault = Box::new(ClaimFault::Proof);
        assert_eq!(refusal, money(MoneyRefusal::Claim { round: 1, number: 3, fault }), "{name}");
    }
    let claim = ClaimRules::new(id, 1, digest, sides, sound).claim(&fill, &r, &filled, &mut market.world.rng);
    market.push(vec![Transaction::Claims(Claims { round_id: 1, claims: vec![(3, claim)] })]);
}

#[test]
fn a_round_that_the_community_could_not_fund_is_not_opened() {
    let rules = MoneyRules { community_deposit_ct: 0, ..money_rules() };
    let capacity_classes = CapacityClasses::new(vec![1_000, 4_000_000_000]).expect("rising");
    let mut market =
        Market::of(MarketParams { money: Some(rules), capacity_classes, ..money_params(Rule::Uniform) });
    market.world.due_at(market.world.ms(RoundTiming::open_ms, 1));
    assert!(market.world.state.round(1).is_none(), "due leaves it out");
    let needed = 4_000_000_000 * 4 * 13_000;
    let needed_ct = i64::try_from((needed + UNITS_PER_CT - 1) / UNITS_PER_CT).expect("small");
    let funds = |held_ct| money(MoneyRefusal::CommunityFunds { round: 1, needed_ct, held_ct });
    assert_eq!(market.world.refusal(open_round(1)), funds(0));
    market.deposit(&[(COMMUNITY_ACCOUNT, u64::try_from(needed_ct).expect("small") - 1)]);
    assert_eq!(market.world.refusal(open_round(1)), funds(needed_ct - 1));
    market.deposit(&[(COMMUNITY_ACCOUNT, 1)]);
    market.push(vec![open_round(1)]);
    // Another one beside it takes as much again, but for who has left; the open one's bidders stay.
    let order = market.world.ordered(Action::Leave(vec![1]));
    market.push(vec![order]);
    let open = market.world.open(2);
    market.world.at(market.world.ms(RoundTiming::open_ms, 2), vec![]);
    let both = 4_000_000_000 * (4 + 3) * 13_000;
    let both_ct = i64::try_from((both + UNITS_PER_CT - 1) / UNITS_PER_CT).expect("small");
    let refused = MoneyRefusal::CommunityFunds { round: 2, needed_ct: both_ct, held_ct: needed_ct };
    assert_eq!(market.world.refusal(open), money(refused));
}

/// The third of four does not claim; its time is over.
fn overdue() -> Market {
    let mut market = Market::funded();
    market.round(1);
    let claims = [0, 1, 3].map(|member| market.claim(1, member).claims[0].clone()).to_vec();
    market.push(vec![Transaction::Claims(Claims { round_id: 1, claims })]);
    assert_eq!(market.world.state.claim_request(1), None, "there is time still");
    market.let_claims_pass();
    market
}

#[test]
fn validators_claim_what_the_owner_would_have() {
    let mut market = overdue();
    let before = market.total() + market.unclaimed();
    let shares = market.claim_shares(1);
    assert_eq!(shares.len(), 3);
    let first = market.world.push(shares[..2].to_vec());
    assert!(first.effects.iter().all(|effect| matches!(effect, Effect::ShareAccepted { .. })));
    // Its owner's balance opens to the worth of its fill under the same randomness: `follow` compares.
    market.push(shares[2..].to_vec());
    assert_eq!(market.unclaimed(), 0);
    assert_eq!(market.total(), before);
    let accounts = market.world.state.accounts().expect("money");
    assert_eq!(accounts.unclaimed().len(), 0);
    assert!(accounts.iter().all(|(_, account)| account.reserved_rounds().count() == 0));
}

#[test]
fn its_owner_may_claim_late_and_nobody_twice() {
    let mut market = overdue();
    let shares = market.claim_shares(1);
    market.push(shares[..2].to_vec());
    let late = market.claim(1, BUYER);
    market.push(vec![Transaction::Claims(late.clone())]);
    let not_overdue = money(MoneyRefusal::NotOverdue { round: 1, number: 3 });
    assert_eq!(market.world.refusal(shares[2].clone()), not_overdue);
    let mut market = overdue();
    let shares = market.claim_shares(1);
    market.push(shares);
    let nothing = money(MoneyRefusal::NothingToClaim { round: 1, number: 3 });
    assert_eq!(market.world.refusal(Transaction::Claims(late)), nothing);
}

#[test]
fn shares_of_claims_before_their_time_of_others_or_false_ones() {
    let mut market = overdue();
    let shares = market.claim_shares(1);
    let not_overdue = |number| money(MoneyRefusal::NotOverdue { round: 1, number });
    // On a ledger of before.
    let early = market.world.blocks.len() - 2;
    let mut state =
        veilgrid_ledger::state::State::from_genesis_block(&market.world.blocks[0]).expect("genesis");
    for block in &market.world.blocks[1..=early] {
        state.apply_block(block, &mut veilgrid_ledger::verdicts::VerifyAll).expect("applied");
    }
    let refused = state.apply_transaction(&shares[0], &mut veilgrid_ledger::verdicts::VerifyAll);
    assert_eq!(refused, Err(not_overdue(3)));
    let edited = |edit: fn(&mut u32, &mut veilgrid_crypto::opening::OpeningShare)| match shares[0].clone() {
        Transaction::OpeningShare { round_id, mut opening_index, mut share } => {
            edit(&mut opening_index, &mut share);
            Transaction::OpeningShare { round_id, opening_index, share }
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(market.world.refusal(edited(|index, _| *index += 1)), not_overdue(4), "it has claimed");
    let opening = veilgrid_ledger::money::forced::FORCED_CLAIMS + 3;
    let unknown = RoundRefusal::UnknownValidator { round: 1, opening, validator: 9 };
    assert_eq!(market.world.refusal(edited(|_, share| share.validator = 9)), Refusal::Rounds(unknown));
    let refusal = market.world.refusal(edited(|_, share| share.response[0] ^= 1));
    assert!(matches!(refusal, Refusal::Rounds(RoundRefusal::ShareInvalid { .. })), "{refusal}");
    market.push(shares[..1].to_vec());
    let refusal = market.world.refusal(shares[0].clone());
    assert!(matches!(refusal, Refusal::Rounds(RoundRefusal::SecondShare { .. })), "{refusal}");
}

#[test]
fn shares_of_claims_are_dropped_with_the_sharing_that_they_are_of() {
    let mut market = overdue();
    let shares = market.claim_shares(1);
    market.push(shares[..2].to_vec());
    let have = |market: &Market| market.world.state.claim_request(1).expect("overdue").have.len();
    assert_eq!(have(&market), 2);
    let before = market.world.state.sharing();
    market.world.steps_until("a renewal", |world| world.state.sharing() != before);
    market.follow();
    assert_eq!(have(&market), 0);
    let refusal = market.world.refusal(shares[2].clone());
    assert!(matches!(refusal, Refusal::Rounds(RoundRefusal::ShareInvalid { .. })), "{refusal}");
    let again = market.claim_shares(1);
    market.push(again);
    assert_eq!(market.unclaimed(), 0);
}
