//! What the treasury may enter, and when.

use super::{BUYER, money};
use crate::purses::*;
use crate::world::{World, registrar_key};
use curve25519_dalek::scalar::Scalar;
use veilgrid_crypto::money::rest::REST_PROOF_BYTES;
use veilgrid_ledger::money::claims::Claims;
use veilgrid_ledger::money::market::{MAX_MONEY_UNITS, MoneyRules, UNITS_PER_CT};
use veilgrid_ledger::money::refusal::MoneyRefusal;
use veilgrid_ledger::money::treasury::{
    COMMUNITY_ACCOUNT, MAX_ENTRIES_PER_ORDER, TreasuryAction, TreasuryOrder,
};
use veilgrid_ledger::money::withdrawal::{Withdrawal, WithdrawalTerms};
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_market::Rule;

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

/// Who sells to members with credit lines may take out more than was ever deposited; what those pay afterwards comes in.
#[test]
fn deposits_come_in_after_more_was_withdrawn_than_deposited() {
    let rules = MoneyRules { community_deposit_ct: 1, ..money_rules() };
    let mut market = Market::of(MarketParams { money: Some(rules), ..money_params(Rule::Uniform) });
    market.give_credit(BUYER, Opening { units: 10 * UNITS_PER_CT, blinding: Scalar::from(1_234u64) });
    let sells = [255, 0, 0, 0, 0, 0, 0, 0];
    let book = [sells, sells, [0, 0, 0, 0, 0, 225, 0, 225], [0; 8]];
    assert!(matches!(market.round_of(1, &book), Effect::Settled(_)));
    market.claim_all(1);
    let first_ms = market.world.state.time_unix_ms() + 60_000;
    for (member, time_unix_ms) in [(0, first_ms), (1, first_ms + 60_000)] {
        let withdrawal = market.withdraws(member, 2);
        market.world.at(time_unix_ms, vec![withdrawal]);
        market.follow();
    }
    let watch = |market: &Market| market.world.state.money_watch().expect("money");
    let found = watch(&market);
    assert_eq!((found.overdrawn_ct, found.unpaid, found.unpaid_ct), (3, 2, 4));
    assert_eq!(found.unpaid_since_unix_ms, Some(first_ms));
    let members: i128 = market.purses.iter().map(|purse| purse.balance.units).sum();
    assert_eq!(market.world.state.accounts().expect("money").members_units(), members);
    // One cent does not make up for it, and is a deposit all the same.
    market.deposit(&[(3, 1)]);
    assert_eq!(watch(&market).overdrawn_ct, 2);
    // Their bids were the first debits.
    let paid = market.paid(1, 1);
    market.push(vec![paid]);
    assert_eq!(watch(&market).unpaid_since_unix_ms, Some(first_ms + 60_000));
    let paid = market.paid(2, 1);
    market.push(vec![paid]);
    assert_eq!((watch(&market).unpaid, watch(&market).unpaid_since_unix_ms), (0, None));
}
