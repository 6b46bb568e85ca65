//! Whether a market has money, and by which rules.

use crate::capacity::CapacityClasses;
use thiserror::Error;
use veilgrid_crypto::bid::CostWeights;
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::schnorr::VerifyingKey;
use veilgrid_crypto::wire::{Reader, WireError, Writer};
use veilgrid_market::{Grid, Side};

/// Units of a balance in one cent. The unit is Wh/2^16 times mct/kWh: 1 ct are 1,000 mct of 1,000 mct/kWh·Wh of 2^16.
pub const UNITS_PER_CT: i128 = 1_000 * 1_000 * 65_536;

/// Deposits less withdrawals stay below this, and so does what a bid can cost (rule 26 of the settlement).
pub const MAX_MONEY_UNITS: i128 = 1 << 62;

/// Most rounds that a claim may take. Validators remember what they released for 64 slots, and release nothing for others.
pub const MAX_CLAIM_ROUNDS: u64 = 32;

/// The rules of a market with money. Part of its parameters, so that every bid is bound to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MoneyRules {
    /// Key under which the treasury signs deposits and payments.
    pub treasury_key: PointBytes,
    /// What the community's public account begins with, in ct: it buys and sells the rounding rest of every round.
    pub community_deposit_ct: u64,
    /// A fill that is not claimed this long after its settlement may be claimed by the validators, in milliseconds.
    pub claim_ms: u64,
}

/// Rules of money that no market may have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MoneyRulesError {
    /// "The treasury's key is a valid key."
    #[error("the treasury's key is not a valid point")]
    TreasuryKey,
    /// "Capacities have 32 bits."
    #[error(
        "capacity class {class} has {capacity_wh} Wh: with money a class has at most {} Wh; leave larger classes out",
        u32::MAX
    )]
    Capacity {
        /// The class, from 0.
        class: usize,
        /// Its capacity in Wh per slot.
        capacity_wh: u64,
    },
    /// "What a bid can cost stays below 2^62."
    #[error(
        "{capacity_wh} Wh at {price_mct_per_kwh} mct/kWh cost more than 2^62 units of money: use a smaller largest \
         capacity class, or prices nearer to zero"
    )]
    Cost {
        /// The largest class's capacity in Wh per slot.
        capacity_wh: u64,
        /// The grid's price farthest from zero.
        price_mct_per_kwh: i64,
    },
    /// "Deposits stay below 2^62 units."
    #[error("a first deposit of {deposit_ct} ct: all deposits stay below {most_ct} ct")]
    Deposit {
        /// The deposit.
        deposit_ct: u64,
        /// The bound.
        most_ct: i64,
    },
    /// "Claims have some time, and not for ever."
    #[error("{claim_ms} ms for claims: it is 1 to {most_ms}, the time of {MAX_CLAIM_ROUNDS} rounds")]
    ClaimTime {
        /// The refused time.
        claim_ms: u64,
        /// The longest.
        most_ms: u64,
    },
}

impl MoneyRules {
    /// Checks the rules together with the market's prices and capacities.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn check(
        &self,
        grid: &Grid,
        classes: &CapacityClasses,
        interval_ms: u64,
    ) -> Result<(), MoneyRulesError> {
        VerifyingKey::from_bytes(&self.treasury_key).map_err(|_| MoneyRulesError::TreasuryKey)?;
        for (class, capacity_wh) in classes.capacities_wh().iter().copied().enumerate() {
            if u32::try_from(capacity_wh).is_err() {
                return Err(MoneyRulesError::Capacity { class, capacity_wh });
            }
        }
        let capacity_wh = classes.capacities_wh().last().copied().unwrap_or(0);
        let price_mct_per_kwh = farthest_price(grid);
        let dearest = i128::from(price_mct_per_kwh.unsigned_abs()) * i128::from(capacity_wh) * Q16;
        if dearest >= MAX_MONEY_UNITS {
            return Err(MoneyRulesError::Cost { capacity_wh, price_mct_per_kwh });
        }
        let deposit_ct = self.community_deposit_ct;
        if i128::from(deposit_ct) * UNITS_PER_CT >= MAX_MONEY_UNITS {
            let most_ct = i64::try_from(MAX_MONEY_UNITS / UNITS_PER_CT).unwrap_or(i64::MAX);
            return Err(MoneyRulesError::Deposit { deposit_ct, most_ct });
        }
        let most_ms = interval_ms.saturating_mul(MAX_CLAIM_ROUNDS);
        if !(1..=most_ms).contains(&self.claim_ms) {
            return Err(MoneyRulesError::ClaimTime { claim_ms: self.claim_ms, most_ms });
        }
        Ok(())
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.bytes(&self.treasury_key).u64(self.community_deposit_ct).u64(self.claim_ms);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            treasury_key: r.array("treasury's key")?,
            community_deposit_ct: r.u64("the community's first deposit")?,
            claim_ms: r.u64("time for claims")?,
        })
    }
}

const Q16: i128 = 1 << 16;

/// The price of a grid that is farthest from zero, in mct/kWh.
pub(crate) fn farthest_price(grid: &Grid) -> i64 {
    let (low, high) = (grid.price_min_mct_per_kwh(), grid.price_max_mct_per_kwh());
    if low.unsigned_abs() > high.unsigned_abs() { low } else { high }
}

/// What a Wh costs its bidder at most, step by step, in units: a buyer pays its limit, a seller pays when its limit is
/// below zero.
pub fn cost_weights(grid: &Grid) -> CostWeights {
    let weight = |side: Side, tick: u32| {
        let price = grid.price_mct_per_kwh(tick);
        let owed = if side == Side::Buy { price } else { price.saturating_neg() };
        u64::try_from(owed.max(0)).unwrap_or(0).saturating_mul(1 << 16)
    };
    CostWeights::new(
        (0..grid.ticks()).flat_map(|tick| [weight(Side::Sell, tick), weight(Side::Buy, tick)]).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use veilgrid_crypto::schnorr::SigningKey;

    const INTERVAL_MS: u64 = 60_000;

    fn rules() -> MoneyRules {
        let key = SigningKey::generate(&mut rand_core::OsRng).verifying_key().to_bytes();
        MoneyRules { treasury_key: key, community_deposit_ct: 100, claim_ms: 60_000 }
    }

    #[test]
    fn each_rule_refuses() {
        let grid = Grid::new(10_000, 1_000, 4).expect("grid");
        let classes = CapacityClasses::of_connections(900);
        let check = |rules: MoneyRules, classes: &CapacityClasses| rules.check(&grid, classes, INTERVAL_MS);
        assert_eq!(check(rules(), &classes), Ok(()));
        let other = MoneyRules { treasury_key: [0xff; 32], ..rules() };
        assert_eq!(check(other, &classes), Err(MoneyRulesError::TreasuryKey));
        let wide = CapacityClasses::new(vec![1 << 32]).expect("rising");
        assert!(matches!(check(rules(), &wide), Err(MoneyRulesError::Capacity { class: 0, .. })));
        let dear = Grid::new((1 << 33) - 8, 2, 4).expect("grid");
        let large = CapacityClasses::new(vec![1 << 14]).expect("rising");
        assert!(matches!(rules().check(&dear, &large, INTERVAL_MS), Err(MoneyRulesError::Cost { .. })));
        let rich = MoneyRules { community_deposit_ct: 1 << 27, ..rules() };
        assert!(matches!(check(rich, &classes), Err(MoneyRulesError::Deposit { .. })));
        for claim_ms in [0, 32 * INTERVAL_MS + 1] {
            let other = MoneyRules { claim_ms, ..rules() };
            let most_ms = 32 * INTERVAL_MS;
            assert_eq!(check(other, &classes), Err(MoneyRulesError::ClaimTime { claim_ms, most_ms }));
        }
    }

    #[test]
    fn a_buyer_reserves_its_limit_and_a_seller_what_it_would_pay() {
        let grid = Grid::new(-2_000, 1_000, 4).expect("grid");
        let weights = cost_weights(&grid);
        assert_eq!(weights.weights()[..6], [2_000 << 16, 0, 1_000 << 16, 0, 0, 0]);
        assert_eq!(weights.weights()[6..], [0, 1_000 << 16]);
    }

    #[test]
    fn a_cent_in_units() {
        // 100 Wh at 10 ct/kWh cost 1 ct.
        assert_eq!(100 * 65_536 * 10_000, UNITS_PER_CT);
    }
}
