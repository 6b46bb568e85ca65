//! What a bid with money proves besides its quantities: that they keep to two capacities, and that the account can pay for
//! the worst outcome, or asks for nothing. Chapter 3.11 of the specification has the equations, 5.9 why they are sound.
//!
//! Everything is a weight in the equation E1 and a place in the vectors of the range proof. Beside the vector there is one
//! point, the cost C = cost·V + γ·Y_0, which the ledger takes off the account's balance until the round is claimed.

use crate::absorb::Absorb;
use crate::bid::layout::extra;
use crate::bid::params::BidParams;
use crate::bid::range_prover::powers;
use crate::group::PointBytes;
use crate::labels;
use crate::secret::Secret;
use curve25519_dalek::scalar::Scalar;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// What a Wh at each step costs its bidder at most, in Wh/2^16 times mct/kWh, the unit of balances: a buyer's limit with its
/// fees, what a seller's fees exceed its limit by. Cloning is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostWeights(Arc<(Vec<u64>, [u8; 32])>);

impl CostWeights {
    /// One weight a step.
    pub fn new(weights: Vec<u64>) -> Self {
        let mut hash = Sha256::new();
        hash.update(labels::BID_WITH_MONEY);
        weights.iter().for_each(|weight| hash.update(weight.to_le_bytes()));
        let digest = hash.finalize().into();
        Self(Arc::new((weights, digest)))
    }
    /// The weights, one a step.
    pub fn weights(&self) -> &[u64] {
        &self.0.0
    }
    /// The digest that a bid's transcript absorbs.
    pub fn digest(&self) -> [u8; 32] {
        self.0.1
    }
}

/// What the ledger says of an account when a round opens: public, the same for everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountTerms {
    /// Most that all its buys may add up to, in Wh.
    pub import_wh: u32,
    /// Most that all its sells may add up to, in Wh.
    pub export_wh: u32,
    /// P = available·V + b·Y_0, encoded: its balance with its credit line, less what is reserved elsewhere. The identity is
    /// allowed.
    pub available: PointBytes,
    /// The account's debit sequence: each debit names it and advances it.
    pub debit_sequence: u64,
    /// What a Wh at each step costs at most, in the account's zone.
    pub costs: CostWeights,
}

/// The owner's opening of [`AccountTerms::available`].
#[derive(Debug, Clone)]
pub struct AvailableOpening {
    /// The amount, negative in arrears.
    pub amount: Secret<i128>,
    /// b.
    pub blinding: Secret<Scalar>,
}

/// The part of a sealed bid that is about money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BidMoney {
    /// C = cost·V + γ·Y_0.
    pub cost: PointBytes,
    /// The debit sequence that the bid is the next debit after.
    pub debit_sequence: u64,
}

/// Bytes of [`BidMoney`] on the wire.
pub(crate) const MONEY_BYTES: usize = 32 + 8;

/// Steps alternate: a sell, then a buy at the same price.
pub(crate) fn is_buy(step: usize) -> bool {
    step % 2 == 1
}

impl AccountTerms {
    /// The terms, in the place of the tagged "none" of a bid without money.
    pub(crate) fn absorb(&self, t: &mut impl Absorb) {
        t.absorb(b"balance-snapshot", &self.available);
        t.absorb_u64(b"debit-sequence", self.debit_sequence);
        t.absorb_u64(b"import", u64::from(self.import_wh));
        t.absorb_u64(b"export", u64::from(self.export_wh));
        t.absorb(b"costs", &self.costs.digest());
    }

    /// A digest of the terms: a verdict on a bid depends on all of them.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(labels::BID_WITH_MONEY);
        hash.update(self.to_bytes());
        hash.finalize().into()
    }

    /// The terms in bytes, for the salt's PRF.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut w = crate::wire::Writer::new();
        w.bytes(&self.available).u64(self.debit_sequence);
        w.u32(self.import_wh).u32(self.export_wh).bytes(&self.costs.digest());
        w.finish()
    }
}

/// The powers of z that weigh what money adds to E1: z^{M+2} to z^{M+6}.
pub(crate) struct MoneyWeights {
    /// What the buys leave of the import capacity, and what the sells leave of the export capacity.
    pub capacity: [Scalar; 2],
    /// What the cost leaves of the balance.
    pub balance: Scalar,
    /// The product's first factor, all that is asked for.
    pub asked: Scalar,
    /// That the cost is the vector's.
    pub cost: Scalar,
}

impl MoneyWeights {
    /// The weights for M quantities; M is a power of two.
    pub fn of(z: &Scalar, steps: usize) -> Self {
        let z_m = (0..steps.trailing_zeros()).fold(*z, |power, _| power * power);
        let first = z_m * z * z;
        let second = first * z;
        let balance = second * z;
        let asked = balance * z;
        Self { capacity: [first, second], balance, asked, cost: asked * z }
    }

    /// Weights of the three values whose bits follow the quantities.
    pub fn values(&self) -> [Scalar; 3] {
        [self.capacity[0], self.capacity[1], self.balance]
    }

    /// What a sell and a buy weigh in E1 besides their own power of z and their cost.
    pub fn sides(&self) -> [Scalar; 2] {
        [self.asked - self.capacity[1], self.asked - self.capacity[0]]
    }

    /// What the public parts add to the multiple of V in E1: the capacities, and what the places of money add to δ.
    ///
    /// `y_at` and `y_inverse_at_product` are y to the place of the first bit of money and 1/y to the product's place.
    pub fn value_part(&self, terms: &AccountTerms, y: &Scalar, z: &Scalar, at: &YPowers) -> Scalar {
        let capacities = self.capacity[0] * Scalar::from(terms.import_wh)
            + self.capacity[1] * Scalar::from(terms.export_wh);
        let y_sum = at.first * geometric_sum_below(y, extra::PRODUCT);
        let all_ones = extra::VALUES.map(|bits| Scalar::from(u64::MAX >> (64 - bits.len())));
        let ranges: Scalar = self.values().iter().zip(&all_ones).map(|(weight, ones)| weight * ones).sum();
        capacities + (z - z * z) * y_sum - z * ranges + at.product_inverse * self.balance * self.asked
    }
}

/// The weights of C_1..C_M in E1: z^{1+k}, and with money what each side weighs besides, and what the step costs.
pub(crate) fn vector_weights(z: &Scalar, steps: usize, costs: Option<&CostWeights>) -> Vec<Scalar> {
    let mut weights = powers(z * z, z, steps);
    if let Some(costs) = costs {
        let money = MoneyWeights::of(z, steps);
        let sides = money.sides();
        for (step, (weight, cost)) in weights.iter_mut().zip(costs.weights()).enumerate() {
            *weight += sides[usize::from(is_buy(step))] + money.cost * Scalar::from(*cost);
        }
    }
    weights
}

/// Powers of y at the places of money.
pub(crate) struct YPowers {
    /// y to the place of the first bit.
    pub first: Scalar,
    /// 1/y to the same.
    pub first_inverse: Scalar,
    /// 1/y to the place of the product.
    pub product_inverse: Scalar,
}

impl YPowers {
    pub fn of(params: &BidParams, y: &Scalar, y_inverse: &Scalar) -> Self {
        let squarings = params.bases().layout().quantities().trailing_zeros();
        let to_first = |base: &Scalar| (0..squarings).fold(*base, |power, _| power * power);
        let first_inverse = to_first(y_inverse);
        // The product's place is the last but one below a power of two of places.
        let to_places = (0..extra::PLACES.trailing_zeros()).fold(*y_inverse, |power, _| power * power);
        Self { first: to_first(y), first_inverse, product_inverse: first_inverse * to_places * y }
    }
}

/// 1 + x + … + x^{count−1} for a count one below a power of two.
fn geometric_sum_below(x: &Scalar, count: usize) -> Scalar {
    // 2^k − 1 terms: s ← 1 + x·s doubled as s ← s + x^{len}·(s·x) … by Horner over the bits, all ones.
    let (mut sum, mut power, mut length) = (Scalar::ONE, *x, 1);
    while length < count {
        // From `length` terms to 2·length + 1.
        sum = Scalar::ONE + x * sum * (Scalar::ONE + power);
        power = power * power * x;
        length = 2 * length + 1;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_powers_are_those_of_the_definitions() {
        let x = Scalar::from(7u64);
        let terms: Scalar = powers(Scalar::ONE, &x, extra::PRODUCT).iter().sum();
        assert_eq!(geometric_sum_below(&x, extra::PRODUCT), terms);
        let weights = MoneyWeights::of(&x, 8);
        let all = powers(Scalar::ONE, &x, 15);
        let found = [weights.capacity[0], weights.capacity[1], weights.balance, weights.asked, weights.cost];
        assert_eq!(found, all[10..15]);
    }

    #[test]
    fn each_term_of_an_account_changes_the_bytes() {
        let costs = CostWeights::new(vec![1, 2, 3, 4]);
        let terms = AccountTerms { import_wh: 1, export_wh: 2, available: [3; 32], debit_sequence: 4, costs };
        let changed = [
            AccountTerms { import_wh: 2, ..terms.clone() },
            AccountTerms { export_wh: 1, ..terms.clone() },
            AccountTerms { available: [4; 32], ..terms.clone() },
            AccountTerms { debit_sequence: 3, ..terms.clone() },
            AccountTerms { costs: CostWeights::new(vec![1, 2, 3, 5]), ..terms.clone() },
        ];
        assert!(changed.iter().all(|other| other.to_bytes() != terms.to_bytes()));
    }
}
