//! What fills are worth: claimed once, by its owner or for it, and by nobody else.

use super::{BUYER, money};
use crate::common::*;
use crate::purses::*;
use curve25519_dalek::scalar::Scalar;
use veilgrid_crypto::group::value_base;
use veilgrid_crypto::money::claim::{ClaimFault, ClaimRules, ClaimTarget};
use veilgrid_crypto::secret::Secret;
use veilgrid_crypto::tally::settlement_side_keys;
use veilgrid_ledger::capacity::CapacityClasses;
use veilgrid_ledger::members::order::Action;
use veilgrid_ledger::money::claims::Claims;
use veilgrid_ledger::money::forced::REMEMBERED_ROUNDS;
use veilgrid_ledger::money::market::{MoneyRules, UNITS_PER_CT};
use veilgrid_ledger::money::refusal::MoneyRefusal;
use veilgrid_ledger::money::treasury::COMMUNITY_ACCOUNT;
use veilgrid_ledger::money::unclaimed::{outcome_digest, worth_of_a_wh};
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::refusal::Refusal;
use veilgrid_ledger::rounds::refusal::RoundRefusal;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_market::{Rule, fill_weights};

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
    let watch = market.world.state.money_watch().expect("money");
    assert_eq!((watch.is_unfunded(), watch.community_ct), (true, needed_ct - 1));
    assert_eq!(i64::try_from(watch.round_needs_ct), Ok(needed_ct));
    assert_eq!(market.world.refusal(open_round(1)), funds(needed_ct - 1));
    market.deposit(&[(COMMUNITY_ACCOUNT, 1)]);
    let watch = market.world.state.money_watch().expect("money");
    assert_eq!((watch.is_unfunded(), watch.is_short()), (false, true));
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

/// Fills that are overdue are counted, and those of rounds that validators may have forgotten are in nobody's way.
#[test]
fn rounds_that_validators_may_have_forgotten_come_last() {
    let mut market = Market::of_one_epoch(money_params(Rule::Uniform));
    market.deposit(&[(1, 10), (2, 10), (3, 10), (4, 10)]);
    let watch = |market: &Market| {
        let watch = market.world.state.money_watch().expect("money");
        (watch.unclaimed_fills, watch.overdue_fills)
    };
    for round_id in 1..=8 {
        market.round(round_id);
    }
    assert_eq!(watch(&market), (32, 0));
    let time_ms = market.world.ms(RoundTiming::open_ms, 8 + REMEMBERED_ROUNDS - 1);
    market.world.at(time_ms, vec![]);
    market.follow();
    let last = market.world.state.last_round_id().expect("passed over");
    market.round(last + 1);
    assert_eq!(watch(&market), (36, 32));
    market.let_claims_pass();
    assert_eq!(watch(&market), (36, 36));
    let asked = market.world.state.overdue_rounds();
    let remembered =
        |round_id: &u64| *round_id + REMEMBERED_ROUNDS > market.world.state.last_round_id().expect("rounds");
    assert!(!remembered(&1) && remembered(&(last + 1)));
    assert_eq!((asked.len(), asked[0], asked[1]), (8, last + 1, 1));
}
