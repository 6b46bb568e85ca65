//! What members gained by the market against the tariffs that they would have had without it.
//!
//! A buyer gains (retail − price) for what it bought, a seller (price − feed-in) for what it sold. Sums are exact, in
//! mct/kWh times Wh/2^16, and rounded once, for display.

use super::Tariffs;
use crate::community::Role;
use serde::Serialize;
use std::collections::BTreeMap;

/// One mct in the unit of the sums: 1000 Wh a kWh, 2^16 parts a Wh.
const MCT: i128 = 1000 << 16;

/// A member's result in one slot. The prices differ under trade reduction only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotTrade {
    /// Bought, Wh/2^16.
    pub bought_wh_q16: u128,
    /// Price of what was bought, mct/kWh.
    pub buy_price_mct_per_kwh: i64,
    /// Sold, Wh/2^16.
    pub sold_wh_q16: u128,
    /// Price of what was sold, mct/kWh.
    pub sell_price_mct_per_kwh: i64,
}

/// Why a trade can't be recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GainError {
    /// A member under two roles.
    #[error("`{member}` is a {before} and was given as a {role}: a member keeps its role")]
    RoleChanged {
        /// Who.
        member: String,
        /// Its role so far.
        before: Role,
        /// The role given now.
        role: Role,
    },
    /// The sums left 128 bits.
    #[error(
        "`{member}`: the sum of gains leaves 128 bits: quantities or prices are not in Wh/65536 and mct/kWh"
    )]
    Overflow {
        /// Who.
        member: String,
    },
}

/// What a role gained, rounded for display.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RoleSummary {
    /// Which role.
    pub role: Role,
    /// Members, those that did not trade included.
    pub members: usize,
    /// Bought, Wh, rounded to the nearest, halves to even.
    pub bought_wh: i128,
    /// Sold, Wh, rounded likewise.
    pub sold_wh: i128,
    /// Gained against the tariffs, mct, rounded likewise.
    pub gain_mct: i128,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    bought_wh_q16: i128,
    sold_wh_q16: i128,
    /// mct/kWh · Wh/2^16.
    gain: i128,
}

/// The gains of all members.
#[derive(Clone, Debug, Default)]
pub struct Gains {
    members: BTreeMap<String, (Role, Sums)>,
}

impl Gains {
    /// No members.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a member, whether it trades or not.
    ///
    /// # Errors
    /// A member that has another role already.
    pub fn enrol(&mut self, member: &str, role: Role) -> Result<(), GainError> {
        self.sums(member, role).map(|_| ())
    }

    /// Adds a slot's result under the tariffs of that slot; a loss (a price above retail, say) counts as negative.
    ///
    /// # Errors
    /// A member that has another role already, or sums that leave 128 bits; nothing is added then.
    pub fn record(
        &mut self,
        member: &str,
        role: Role,
        tariffs: Tariffs,
        trade: SlotTrade,
    ) -> Result<(), GainError> {
        let sums = self.sums(member, role)?;
        let saved = i128::from(tariffs.retail_mct_per_kwh()) - i128::from(trade.buy_price_mct_per_kwh);
        let earned = i128::from(trade.sell_price_mct_per_kwh) - i128::from(tariffs.feed_in_mct_per_kwh());
        let added = || {
            let bought = i128::try_from(trade.bought_wh_q16).ok()?;
            let sold = i128::try_from(trade.sold_wh_q16).ok()?;
            let gain = saved.checked_mul(bought)?.checked_add(earned.checked_mul(sold)?)?;
            Some(Sums {
                bought_wh_q16: sums.bought_wh_q16.checked_add(bought)?,
                sold_wh_q16: sums.sold_wh_q16.checked_add(sold)?,
                gain: sums.gain.checked_add(gain)?,
            })
        };
        *sums = added().ok_or_else(|| GainError::Overflow { member: member.to_owned() })?;
        Ok(())
    }

    fn sums(&mut self, member: &str, role: Role) -> Result<&mut Sums, GainError> {
        let (before, sums) = self.members.entry(member.to_owned()).or_insert((role, Sums::default()));
        if *before != role {
            return Err(GainError::RoleChanged { member: member.to_owned(), before: *before, role });
        }
        Ok(sums)
    }

    /// A member's gain in mct, rounded; none for a stranger.
    pub fn member_gain_mct(&self, member: &str) -> Option<i128> {
        self.members.get(member).map(|(_, sums)| round_half_even(sums.gain, MCT))
    }

    /// One line a role that has members, in the order of [`Role::ALL`]. Exact sums of the members, rounded once.
    pub fn summary(&self) -> Vec<RoleSummary> {
        Role::ALL.into_iter().filter_map(|role| self.summary_of(role)).collect()
    }

    fn summary_of(&self, role: Role) -> Option<RoleSummary> {
        let sums: Vec<&Sums> =
            self.members.values().filter(|(of, _)| *of == role).map(|(_, sums)| sums).collect();
        if sums.is_empty() {
            return None;
        }
        // A total beyond 128 bits would need more energy than there is; it shows as the bound.
        let total =
            |get: fn(&Sums) -> i128| sums.iter().fold(0_i128, |sum, sums| sum.saturating_add(get(sums)));
        Some(RoleSummary {
            role,
            members: sums.len(),
            bought_wh: round_half_even(total(|sums| sums.bought_wh_q16), 1 << 16),
            sold_wh: round_half_even(total(|sums| sums.sold_wh_q16), 1 << 16),
            gain_mct: round_half_even(total(|sums| sums.gain), MCT),
        })
    }
}

/// `value / unit` to the nearest whole number, halves to even; `unit` is positive.
pub(crate) fn round_half_even(value: i128, unit: i128) -> i128 {
    let (whole, rest) = (value.div_euclid(unit), value.rem_euclid(unit));
    let to_next = unit - rest;
    whole + i128::from(rest > to_next || (rest == to_next && whole % 2 != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KWH: u128 = 1000 << 16;

    fn tariffs() -> Tariffs {
        Tariffs::new(30_000, 8_000).unwrap()
    }

    fn trade(bought_wh_q16: u128, sold_wh_q16: u128, price: i64) -> SlotTrade {
        SlotTrade { bought_wh_q16, buy_price_mct_per_kwh: price, sold_wh_q16, sell_price_mct_per_kwh: price }
    }

    #[test]
    fn buyers_and_sellers_share_the_spread() {
        let mut gains = Gains::new();
        gains.enrol("idle", Role::Consumer).unwrap();
        gains.record("home", Role::Consumer, tariffs(), trade(2 * KWH, 0, 18_000)).unwrap();
        gains.record("roof", Role::Prosumer, tariffs(), trade(0, 2 * KWH, 18_000)).unwrap();
        let summary = gains.summary();
        let line = |role, members, bought_wh, sold_wh, gain_mct| RoleSummary {
            role,
            members,
            bought_wh,
            sold_wh,
            gain_mct,
        };
        assert_eq!(
            summary,
            [line(Role::Prosumer, 1, 0, 2000, 20_000), line(Role::Consumer, 2, 2000, 0, 24_000)]
        );
        assert_eq!(gains.member_gain_mct("home"), Some(24_000));
        assert_eq!(gains.member_gain_mct("nobody"), None);
    }

    #[test]
    fn fractions_are_summed_before_rounding() {
        let mut gains = Gains::new();
        // 0.4 mct each: 12 mct/kWh below retail for 1/30 kWh, three times.
        for name in ["a", "b", "c"] {
            gains.record(name, Role::Consumer, tariffs(), trade(KWH / 30, 0, 29_988)).unwrap();
            assert_eq!(gains.member_gain_mct(name), Some(0));
        }
        assert_eq!(gains.summary()[0].gain_mct, 1);
        assert_eq!(gains.summary()[0].bought_wh, 100);
    }

    #[test]
    fn trade_reduction_has_two_prices_and_losses_count() {
        let mut gains = Gains::new();
        let both = SlotTrade {
            bought_wh_q16: KWH,
            buy_price_mct_per_kwh: 31_000,
            sold_wh_q16: KWH,
            sell_price_mct_per_kwh: 7_500,
        };
        gains.record("a", Role::ChargingStation, tariffs(), both).unwrap();
        assert_eq!(gains.member_gain_mct("a"), Some(-1_500));
    }

    #[test]
    fn halves_round_to_even_on_both_sides_of_zero() {
        let rounded = [-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5].map(|value| round_half_even(value, 2));
        assert_eq!(rounded, [-2, -2, -2, -1, 0, 0, 0, 1, 2, 2, 2]);
        assert_eq!([-3, -1, 1, 3].map(|value| round_half_even(value, 4)), [-1, 0, 0, 1]);
        assert_eq!([-4, -2, 1, 2, 4, 5].map(|value| round_half_even(value, 3)), [-1, -1, 0, 1, 1, 2]);
    }

    #[test]
    fn a_second_role_and_an_overflow_change_nothing() {
        let mut gains = Gains::new();
        gains.record("a", Role::Consumer, tariffs(), trade(KWH, 0, 29_000)).unwrap();
        let error = gains.record("a", Role::Prosumer, tariffs(), trade(KWH, 0, 0)).unwrap_err();
        assert!(matches!(error, GainError::RoleChanged { before: Role::Consumer, role: Role::Prosumer, .. }));
        let loss = trade(u128::MAX >> 2, 0, i64::MAX);
        gains.record("a", Role::Consumer, tariffs(), loss).unwrap_err();
        assert_eq!(gains.member_gain_mct("a"), Some(1_000));
    }
}
