//! Provers that deviate in what a bid with money proves besides its quantities.

use crate::bid::batch::all_valid;
use crate::bid::money::{AccountTerms, AvailableOpening, CostWeights};
use crate::bid::prepared::Prepared;
use crate::bid::range_prover::ExtraValues;
use crate::bid::seal::{Money, seal};
use crate::bid::tests::{World, world};
use crate::bid::{
    BidFault, BidParams, SealError, SealedBid, equations, seal_bid_with_money, verify_bids_with_money,
};
use crate::group::encode_point;
use crate::secret::Secret;
use curve25519_dalek::scalar::Scalar;

const STEPS: usize = 8;
/// Cost weights of the eight steps: sells cost nothing, buys their price.
const COSTS: [u64; STEPS] = [0, 10, 0, 20, 0, 30, 0, 40];
/// Buys 5 at 10 and 7 at 40, sells 9: costs 330.
const QUANTITIES_WH: [u64; STEPS] = [0, 5, 9, 0, 0, 0, 0, 7];
const COST: i128 = 330;
/// All that those quantities ask for.
const ASKED: u64 = 21;

struct Market {
    world: World,
    terms: AccountTerms,
    available: AvailableOpening,
}

/// A market with money and an account that has `amount` and may buy 12 and sell 9.
fn market(amount: i128) -> Market {
    let mut world = world(16, STEPS);
    let keys = world.params.step_keys().to_vec();
    let account_key = world.point();
    world.params = BidParams::with_money(16, keys, account_key, [3; 32]).expect("valid parameters");
    let blinding = world.scalar();
    let value = Scalar::from(amount.unsigned_abs());
    let value = if amount < 0 { -value } else { value };
    let available = encode_point(&(value * world.params.bases().value() + blinding * account_key));
    let costs = CostWeights::new(COSTS.to_vec());
    let terms = AccountTerms { import_wh: 12, export_wh: 9, available, debit_sequence: 3, costs };
    let available = AvailableOpening { amount: Secret::new(amount), blinding: Secret::new(blinding) };
    Market { world, terms, available }
}

/// The values that an honest prover of these quantities would have with `amount`.
fn honest(amount: i128) -> ([u64; 3], [Scalar; 2]) {
    ([0, 0, (amount - COST) as u64], [Scalar::from(ASKED), Scalar::ZERO])
}

impl Market {
    fn forge(&mut self, left: [u64; 3], product: [Scalar; 2]) -> SealedBid {
        self.forge_cost(left, product, COST as u64)
    }

    /// As [`Self::forge`] with a commitment to another cost.
    fn forge_cost(&mut self, left: [u64; 3], product: [Scalar; 2], cost: u64) -> SealedBid {
        let keyring = self.world.keyring();
        let (left, product) = (Secret::new(left), Secret::new(product));
        let values = ExtraValues { left, product, cost: Secret::new(Scalar::from(cost)) };
        let money = Money { terms: &self.terms, available: &self.available, values };
        let World { params, round, rng } = &mut self.world;
        seal(params, round, &keyring, &QUANTITIES_WH, Some(money), rng).expect("quantities of 16 bits")
    }

    fn honest_bid(&mut self, quantities_wh: &[u64]) -> Result<SealedBid, SealError> {
        let keyring = self.world.keyring();
        let World { params, round, rng } = &mut self.world;
        seal_bid_with_money(params, round, &keyring, quantities_wh, &self.terms, &self.available, rng)
    }

    /// The clear verifier's verdict, which the batch shares.
    fn verdict(&self, bid: &SealedBid) -> Result<(), BidFault> {
        let World { params, round, .. } = &self.world;
        let prepared = Prepared::new(params, round, bid, Some(&self.terms))?;
        let verdict = equations::check(params, &prepared);
        assert_eq!(all_valid(params, &[&prepared]), verdict.is_ok(), "the batch: {verdict:?}");
        verdict
    }
}

#[test]
fn the_values_of_an_honest_prover_are_accepted() {
    let mut market = market(1_000);
    let (left, product) = honest(1_000);
    let bid = market.forge(left, product);
    assert_eq!(market.verdict(&bid), Ok(()));
    let bid = market.honest_bid(&QUANTITIES_WH).expect("it can pay");
    assert_eq!(market.verdict(&bid), Ok(()));
}

#[test]
fn a_capacity_that_is_exceeded_cannot_be_proved() {
    for side in 0..2 {
        let mut market = market(1_000);
        match side {
            0 => market.terms.import_wh = 11,
            _ => market.terms.export_wh = 8,
        }
        let refused = [SealError::ImportCapacity, SealError::ExportCapacity];
        assert_eq!(market.honest_bid(&QUANTITIES_WH), Err(refused[side].clone()));
        let (left, product) = honest(1_000);
        // What is left is −1: no 32 bits are that, the largest no more than any other.
        for wrong in [0, 1, u64::from(u32::MAX)] {
            let mut left = left;
            left[side] = wrong;
            let bid = market.forge(left, product);
            assert_eq!(market.verdict(&bid), Err(BidFault::Values), "side {side}, {wrong} left");
        }
    }
}

#[test]
fn a_balance_that_does_not_suffice_cannot_be_proved() {
    let mut market = market(COST - 1);
    assert_eq!(market.honest_bid(&QUANTITIES_WH), Err(SealError::Balance));
    let (asked, lacking) = (Scalar::from(ASKED), -Scalar::ONE);
    // Nothing left; a product that is not zero; a product of another amount that is asked for.
    let attempts = [[asked, Scalar::ZERO], [asked, lacking], [Scalar::ZERO, lacking], [Scalar::ONE, lacking]];
    for product in attempts {
        for left in [0, 1, u64::MAX >> 1] {
            let bid = market.forge([0, 0, left], product);
            assert_eq!(market.verdict(&bid), Err(BidFault::Values), "{left} left");
        }
    }
}

#[test]
fn an_account_in_arrears_bids_zero_and_nothing_else() {
    let mut market = market(-5_000);
    let bid = market.honest_bid(&[0; STEPS]).expect("nothing is asked for");
    assert_eq!(market.verdict(&bid), Ok(()));
    let mut quantities = [0; STEPS];
    quantities[0] = 1;
    assert_eq!(market.honest_bid(&quantities), Err(SealError::Balance), "a sell that costs nothing neither");
}

#[test]
fn a_cost_of_another_amount_is_refused() {
    let mut market = market(1_000);
    let (mut left, product) = honest(1_000);
    // Everything fits the cost that the bid commits to: it leaves all of the balance, or one unit more than it would.
    for cost in [0, COST as u64 - 1, COST as u64 + 1] {
        left[2] = 1_000 - cost;
        let cheap = market.forge_cost(left, product, cost);
        assert_eq!(market.verdict(&cheap), Err(BidFault::Values), "a cost of {cost}");
    }
    // The same prover with the right cost is an honest one.
    left[2] = 1_000 - COST as u64;
    let honest = market.forge_cost(left, product, COST as u64);
    assert_eq!(market.verdict(&honest), Ok(()));
}

#[test]
fn a_bid_answers_the_terms_it_was_sealed_for_and_no_others() {
    let mut market = market(1_000);
    let bid = market.honest_bid(&QUANTITIES_WH).expect("it can pay");
    let terms = market.terms.clone();
    let more = market.world.point();
    let others = [
        AccountTerms { import_wh: 13, ..terms.clone() },
        AccountTerms { export_wh: 10, ..terms.clone() },
        AccountTerms { available: encode_point(&more), ..terms.clone() },
        AccountTerms { available: [0; 32], ..terms.clone() },
        AccountTerms { costs: CostWeights::new(vec![1; STEPS]), ..terms.clone() },
    ];
    for other in others {
        market.terms = other;
        assert!(market.verdict(&bid).is_err());
    }
    market.terms = AccountTerms { debit_sequence: 4, ..terms };
    assert_eq!(market.verdict(&bid), Err(BidFault::Sequence { bid: 3, account: 4 }));
}

/// A step without a weight would cost nothing: whoever makes the terms has to be told, by the clear verifier and by the batch.
#[test]
fn terms_for_another_number_of_steps_are_refused() {
    let mut market = market(1_000);
    for weights in [Vec::new(), COSTS[..STEPS - 1].to_vec(), [&COSTS[..], &[0]].concat()] {
        market.terms.costs = CostWeights::new(weights);
        let (left, product) = honest(1_000);
        let bid = market.forge(left, product);
        assert!(matches!(market.verdict(&bid), Err(BidFault::Malformed(_))));
        let World { params, round, .. } = &market.world;
        let found = verify_bids_with_money(params, round, &[bid], std::slice::from_ref(&market.terms));
        assert!(matches!(found[..], [Err(BidFault::Malformed(_))]));
    }
}

#[test]
fn the_opening_of_the_balance_has_to_be_known() {
    let mut market = market(1_000);
    market.available.blinding = Secret::new(market.world.scalar());
    let (left, product) = honest(1_000);
    let bid = market.forge(left, product);
    assert_eq!(market.verdict(&bid), Err(BidFault::Values));
}
