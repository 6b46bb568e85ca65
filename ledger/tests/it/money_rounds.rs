//! Money and energy add up to the last unit, whatever the book, the prices and the rule; nobody pays above or earns below
//! its limit, and no fill costs more than was held back for it.

use crate::common::*;
use crate::purses::*;
use rand_core::RngCore;
use veilgrid_crypto::group::{decode_point, encode_point, value_base};
use veilgrid_crypto::money::scalar_from_i128;
use veilgrid_ledger::money::market::{MoneyRules, UNITS_PER_CT};
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::state::effects::{Effect, SettledRound};
use veilgrid_ledger::transaction::Transaction;
use veilgrid_market::{Grid, Outcome, Rule, community_flow_q16, round_flows};

/// Prices above zero, around zero, and below it, in mct/kWh.
const LOWEST: [i64; 3] = [10_000, -1_500, -9_000];
const RULES: [Rule; 2] = [Rule::Uniform, Rule::TradeReduction];

fn of_prices(lowest: i64, rule: Rule) -> Market {
    let grid = Grid::new(lowest, 1_000, 4).expect("grid");
    let params = MarketParams { grid, ..money_params(rule) };
    let mut market = Market::of_one_epoch(params);
    market.deposit(&[(1, 500), (2, 500), (3, 500), (4, 500)]);
    market
}

/// Sells at the two lower prices, buys at the two upper ones: what is left after a trade reduction has a surplus.
fn book_apart(market: &mut Market) -> [[u64; 8]; 4] {
    let rng = &mut market.world.rng;
    core::array::from_fn(|member| {
        core::array::from_fn(|step| match (member, step) {
            (0, 0) | (1, 2) | (2, 5) | (3, 7) => 1 + u64::from(rng.next_u32() % 255),
            _ => 0,
        })
    })
}

/// Quantities of four members: some none, some on one side, some on both, some the largest ones.
fn random_book(market: &mut Market) -> [[u64; 8]; 4] {
    let mut rng = &mut market.world.rng;
    core::array::from_fn(|_| {
        let sides = rng.next_u32() % 4;
        core::array::from_fn(|step| {
            let trades = sides == 3 || (sides == 1 && step % 2 == 0) || (sides == 2 && step % 2 == 1);
            let quantity = match rng.next_u32() % 4 {
                0 => u64::from(u8::MAX),
                1 => 0,
                _ => u64::from((&mut rng).next_u32() % 256),
            };
            if trades { quantity } else { 0 }
        })
    })
}

fn totals(book: &[[u64; 8]]) -> Vec<u64> {
    (0..8).map(|step| book.iter().map(|bid| bid[step]).sum()).collect()
}

/// What a member that trades nothing else than it bid pays, as of the outcome, against its limits.
fn keeps_its_limits(grid: &Grid, outcome: &Outcome, quantities_wh: &[u64]) {
    let Some(trade) = outcome.trade else { return };
    for (step, quantity) in quantities_wh.iter().enumerate().filter(|(_, quantity)| **quantity > 0) {
        let (tick, buys) = (step as u32 / 2, step % 2 == 1);
        let side = if buys { veilgrid_market::Side::Buy } else { veilgrid_market::Side::Sell };
        if outcome.fraction_q16(side, tick) == 0 {
            continue;
        }
        let limit = grid.price_mct_per_kwh(tick);
        if buys {
            assert!(trade.buy_price_mct_per_kwh <= limit, "{quantity} Wh bought above their limit");
        } else {
            assert!(trade.sell_price_mct_per_kwh >= limit, "{quantity} Wh sold below their limit");
        }
    }
}

fn settled(end: &Effect) -> &SettledRound {
    match end {
        Effect::Settled(settled) => settled,
        other => panic!("{other:?}"),
    }
}

/// One round from the bids to the last claim, with all that has to hold of it.
fn a_round_that_adds_up(market: &mut Market, round_id: u64, book: &[[u64; 8]; 4]) -> Outcome {
    let before = market.total() + market.unclaimed();
    let community = market.world.state.accounts().expect("money").community_units();
    let end = market.round_of(round_id, book);
    let outcome = settled(&end).outcome;
    let grid = market.world.genesis().params.grid;
    let flow = market.world.state.accounts().expect("money").community_units() - community;
    assert_eq!(flow, community_flow_q16(&outcome));
    let flows = round_flows(&grid, &outcome, &totals(book)).expect("energy adds up");
    let filled: Vec<_> = market.purses.iter().filter_map(|purse| purse.bids.get(&round_id)).collect();
    let sum = |of: fn([u64; 2]) -> u64| -> u128 {
        filled.iter().filter_map(|bid| bid.filled).map(|(filled, _)| u128::from(of(filled))).sum()
    };
    if outcome.trade.is_some() {
        assert_eq!((sum(|of| of[0]), sum(|of| of[1])), (flows.bought_q16, flows.sold_q16));
    }
    let worth: i128 = filled.iter().filter_map(|bid| bid.filled).map(|(_, worth)| worth).sum();
    assert_eq!(worth + flow, 0, "what members pay is what the community's account takes");
    assert_eq!(worth, flows.received_q16 - flows.paid_q16);
    for (bid, quantities) in filled.iter().zip(book) {
        let (_, worth) = bid.filled.expect("filled");
        assert!(-worth <= bid.cost.units, "a fill costs {} and {} were held back", -worth, bid.cost.units);
        assert_eq!(bid.quantities_wh, quantities);
        keeps_its_limits(&grid, &outcome, quantities);
    }
    if outcome.trade.is_some() {
        market.claim_all(round_id);
    }
    assert_eq!(market.total(), before, "nothing came and nothing went");
    assert!(market.purses.iter().all(|purse| purse.bids.is_empty() && purse.balance.units >= 0));
    assert_eq!(market.world.state.accounts().expect("money").unclaimed().len(), 0);
    outcome
}

#[test]
fn money_and_energy_add_up_for_every_book_price_and_rule() {
    let (mut trades, mut rests, mut surpluses) = (0, 0, 0);
    for lowest in LOWEST {
        for rule in RULES {
            let mut market = of_prices(lowest, rule);
            for round_id in 1..=8 {
                let book = if round_id % 2 == 0 { random_book(&mut market) } else { book_apart(&mut market) };
                let outcome = a_round_that_adds_up(&mut market, round_id, &book);
                trades += usize::from(outcome.trade.is_some());
                rests += usize::from(outcome.trade.is_some_and(|trade| trade.rest_q16 > 0));
                surpluses += usize::from(outcome.surplus_q16() > 0);
            }
            let members: i128 = market.purses.iter().map(|purse| purse.balance.units).sum();
            let accounts = market.world.state.accounts().expect("money");
            let deposited = i128::try_from(accounts.deposited_ct()).expect("small") * UNITS_PER_CT;
            assert_eq!(members + accounts.community_units(), deposited);
            audit_blocks(&market.world.blocks).expect("no violation");
        }
    }
    assert!(
        trades > 24 && rests > 10 && surpluses > 3,
        "{trades} trades, {rests} rests, {surpluses} surpluses"
    );
}

/// The sum of all balances, as points, holds what is public and nothing else: with the sum of the blindings it opens to it.
#[test]
fn the_sum_of_all_balances_is_what_was_deposited() {
    let mut market = of_prices(-1_500, Rule::Uniform);
    for round_id in 1..=3 {
        let book = random_book(&mut market);
        a_round_that_adds_up(&mut market, round_id, &book);
    }
    let withdrawal = market.withdraws(0, 7);
    market.push(vec![withdrawal]);
    let accounts = market.world.state.accounts().expect("money");
    let point = |bytes: [u8; 32]| decode_point("balance", &bytes).expect("a point");
    let sum: curve25519_dalek::RistrettoPoint =
        accounts.iter().map(|(_, account)| point(account.balance()[1])).sum();
    let blinding: curve25519_dalek::Scalar = market.purses.iter().map(|purse| purse.balance.blinding).sum();
    let public_ct = accounts.deposited_ct() - accounts.withdrawn_ct();
    let members = i128::try_from(public_ct).expect("small") * UNITS_PER_CT - accounts.community_units();
    let key = market.world.state.account_key().expect("keys");
    let expected = scalar_from_i128(members) * value_base() + blinding * key;
    assert_eq!(encode_point(&sum), encode_point(&expected));
}

#[test]
fn costs_are_free_again_when_a_round_ends_without_a_trade() {
    let mut market = Market::funded();
    // Void: one bid alone. No trade: nobody sells below what somebody pays.
    market.bidding_of(1, &BOOK[..1]);
    assert!(matches!(market.end(1), Effect::Voided { .. }));
    let apart = [[0, 0, 0, 0, 0, 0, 9, 0], [0, 9, 0, 0, 0, 0, 0, 0], [0; 8], [0; 8]];
    let end = market.round_of(2, &apart);
    assert_eq!(settled(&end).outcome.trade, None);
    let accounts = market.world.state.accounts().expect("money");
    assert_eq!(accounts.unclaimed().len(), 0);
    assert!(accounts.iter().all(|(_, account)| account.reserved_rounds().count() == 0));
    for member in 0..4 {
        let all = market.withdraws(member, 10);
        market.push(vec![all]);
    }
    assert!(market.purses.iter().all(|purse| purse.balance.units == 0));
}

/// A member that leaves, or was suspended, still has its account: it claims what it has filled and takes its money out.
#[test]
fn who_leaves_claims_and_takes_its_money_out() {
    use veilgrid_ledger::members::order::Action;
    let mut market = Market::funded();
    market.round(1);
    for action in [Action::Leave(vec![1]), Action::Suspend(vec![2])] {
        let order = market.world.ordered(action);
        market.push(vec![order]);
    }
    market.claim_all(1);
    let cents = |units: i128| u64::try_from(units / UNITS_PER_CT).expect("not negative");
    for member in 0..2 {
        let withdrawal = market.withdraws(member, cents(market.purses[member].balance.units));
        market.push(vec![withdrawal]);
    }
    assert!(market.purses[..2].iter().all(|purse| purse.balance.units < UNITS_PER_CT));
}

/// Who joins has an account with nothing on it, in the tree of accounts at its number.
#[test]
fn an_account_is_shown_to_be_in_the_root_without_the_others() {
    use veilgrid_ledger::members::order::Action;
    use veilgrid_ledger::money::tree;
    let mut market = Market::funded();
    let (_, certificate) = market.world.newcomer(200);
    let order = market.world.ordered(Action::Enrol(vec![certificate]));
    market.push(vec![order]);
    let accounts = market.world.state.accounts().expect("money");
    for (number, account) in accounts.iter() {
        let (path, place, leaves) = accounts.path(number).expect("there");
        assert_eq!((place as u32 + 1, leaves), (number, 5));
        assert_eq!(tree::root_of(&account.leaf(), place, leaves, &path), Some(accounts.root()));
    }
    assert_eq!(accounts.path(6), None);
    assert_eq!(accounts.account(5).expect("enrolled").balance(), [[0; 32]; 2]);
}

/// Every part of the money is in the state root.
#[test]
fn the_state_root_covers_all_money() {
    let mut market = Market::funded();
    market.round(1);
    let fork = |market: &Market, transaction: Transaction| {
        let mut state = market.world.state.clone();
        state.apply_transaction(&transaction, &mut veilgrid_ledger::verdicts::VerifyAll).expect("accepted");
        state.root()
    };
    let mut roots = vec![market.world.state.root()];
    for deposits in [&[(1, 1)][..], &[(2, 1)], &[(1, 2)], &[(0, 1)], &[(1, 1), (0, 1)]] {
        let order = market.deposits(deposits);
        roots.push(fork(&market, order));
    }
    for (member, amount_ct) in [(0, 1), (1, 1), (1, 2)] {
        let withdrawal = market.withdraws(member, amount_ct);
        roots.push(fork(&market, withdrawal));
    }
    for member in 0..4 {
        let claims = market.claim(1, member);
        roots.push(fork(&market, Transaction::Claims(claims)));
    }
    let withdrawal = market.withdraws(0, 1);
    market.push(vec![withdrawal]);
    roots.push(market.world.state.root());
    let withdrawal = market.withdraws(0, 1);
    market.push(vec![withdrawal]);
    // Which of two equal withdrawals is paid shows in what still waits, and nowhere else.
    for debit_sequence in [1, 2] {
        let paid = market.paid(1, debit_sequence);
        roots.push(fork(&market, paid));
    }
    let different: std::collections::BTreeSet<_> = roots.iter().collect();
    assert_eq!(different.len(), roots.len(), "two of {} states have one root", roots.len());
}

/// "32-bit quantities, 64 ticks and 1,000 members are a normal market."
#[test]
fn a_market_of_large_orders_many_prices_and_many_members_is_sound() {
    let market = |money: Option<MoneyRules>| MarketParams {
        grid: Grid::new(-16_000, 1_000, 64).expect("grid"),
        bits: 32,
        max_members: 1_000,
        money,
        ..money_params(Rule::Uniform)
    };
    assert_eq!(market(Some(money_rules())).check(4), Ok(()));
    assert!(market(None).check(4).is_err(), "without money each bid may be the largest");
}
