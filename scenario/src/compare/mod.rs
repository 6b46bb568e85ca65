//! One day of a community under five ways to share its energy: what each kind of member pays, and how much comes from
//! outside.
//!
//! Four of them look at meters only ([`bills`]); in them everybody uses energy when the data says. The fifth is the
//! auction of this software ([`auction`]), in which members bid and shift what can wait. Under each, what members pay
//! is what the community pays to the utility, to the last unit.

pub mod auction;
pub mod bills;
mod split;
#[cfg(test)]
mod tests;

use crate::behaviour::gains::round_half_even;
use crate::behaviour::{BehaviourError, Tariffs, TermsError, WH_Q16};
use crate::community::{Participant, Role};
use serde::Serialize;
use std::fmt;
use thiserror::Error;
use veilgrid_market::{ClearingError, FlowError, Grid, MappingError};

pub use auction::AuctionDay;
pub use bills::{Bills, Meters};

/// One mct in the unit of money: 1000 Wh a kWh, 2^16 parts a Wh.
const MCT_Q16: i128 = 1000 << 16;

/// Why a day can't be compared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CompareError {
    /// Nobody is there.
    #[error("a day without members has nothing to compare")]
    NoMembers,
    /// Tariffs, grid and bits do not go together.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// Energy that the models refuse.
    #[error(transparent)]
    Behaviour(#[from] BehaviourError),
    /// An order off the grid, or more of them than a total holds.
    #[error(transparent)]
    Orders(#[from] MappingError),
    /// More energy than a clearing can open.
    #[error(transparent)]
    Clearing(#[from] ClearingError),
    /// A round that does not add up.
    #[error("a round of the auction does not add up: {0}")]
    Flows(#[from] FlowError),
    /// A sum left 128 bits.
    #[error("a sum of energy or money leaves 128 bits: quantities are not in kWh, or prices not in ct/kWh")]
    Overflow,
}

/// A way to share a community's energy and its money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mechanism {
    /// Everybody with the utility alone.
    Tariffs,
    /// The middle between the tariffs.
    MidMarketRate,
    /// A price that falls with the ratio of supply to demand.
    SupplyDemandRatio,
    /// The community's bill, divided by energy.
    BillSharing,
    /// The double auction of this software.
    Auction,
}

impl Mechanism {
    /// The name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Mechanism::Tariffs => "retail and feed-in only",
            Mechanism::MidMarketRate => "mid-market rate",
            Mechanism::SupplyDemandRatio => "supply-demand ratio",
            Mechanism::BillSharing => "bill sharing",
            Mechanism::Auction => "auction",
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// What is compared.
#[derive(Clone, Debug)]
pub struct Comparable<'a> {
    /// The members with their day.
    pub members: Vec<&'a Participant>,
    /// Length of a slot in seconds.
    pub slot_seconds: u32,
    /// Retail and feed-in.
    pub tariffs: Tariffs,
    /// The auction's prices.
    pub grid: Grid,
    /// Bits of a quantity at one step of a bid.
    pub bits: u32,
    /// What members want is drawn under it.
    pub seed: u64,
}

/// What a kind of member pays for the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RoleCost {
    /// Which kind.
    pub role: Role,
    /// How many.
    pub members: usize,
    /// All of them together, mct, rounded to the nearest, halves to even; below zero they earn.
    pub cost_mct: i128,
    /// Their mean, mct, rounded likewise.
    pub cost_per_member_mct: i128,
}

/// A day under one mechanism.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MechanismResult {
    /// Which one.
    pub mechanism: Mechanism,
    /// What members pay by kind, in the order of [`Role::ALL`].
    pub roles: Vec<RoleCost>,
    /// What all of them pay, mct, rounded to the nearest, halves to even.
    pub cost_mct: i128,
    /// The same exactly, in mct/kWh times Wh/2^16.
    pub members_q16: i128,
    /// What a public account pays for rests of rounding (the auction's), exactly.
    pub public_account_q16: i128,
    /// What the community pays to the utility: members and public account together, exactly.
    pub utility_q16: i128,
    /// Bought from the utility, Wh, rounded likewise.
    pub from_utility_wh: i128,
    /// Sold to the utility, Wh, rounded likewise.
    pub to_utility_wh: i128,
    /// Part of the consumption that was not bought from the utility, in thousandths, rounded likewise; none without
    /// consumption.
    pub self_sufficiency_permille: Option<i128>,
    /// Part of the generation that was not sold to the utility, in thousandths, rounded likewise; none without generation.
    pub self_consumption_permille: Option<i128>,
    /// The most that was bought from the utility in one slot, as mean power in W, rounded likewise.
    pub peak_import_w: i128,
}

/// All mechanisms on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Energy that members use, Wh.
    pub consumption_wh: u128,
    /// Energy that they generate, Wh.
    pub generation_wh: u128,
    /// The mechanisms, the auction last.
    pub results: Vec<MechanismResult>,
    /// A mechanism that has no price under these tariffs, and why.
    pub left_out: Vec<(Mechanism, &'static str)>,
    /// More about the auction.
    pub auction: AuctionDay,
}

impl AuctionDay {
    /// What a traded kWh cost in the mean, rounded to the nearest, halves to even; none without trade.
    pub fn mean_price_mct_per_kwh(&self) -> Option<i128> {
        let volume_wh = self.volume_wh.cast_signed();
        (volume_wh > 0).then(|| round_half_even(self.turnover, volume_wh))
    }

    /// What the members' same use would have cost at the tariffs, mct, rounded likewise.
    pub fn at_tariffs_mct(&self) -> i128 {
        round_half_even(self.at_tariffs_q16, MCT_Q16)
    }

    /// Bought ahead and not used by the end of the day, Wh, rounded likewise.
    pub fn stored_wh(&self) -> i128 {
        round_half_even(self.stored_wh_q16.cast_signed(), WH_Q16.into())
    }

    /// Demand that was still waiting then, Wh, rounded likewise.
    pub fn waiting_wh(&self) -> i128 {
        round_half_even(self.waiting_wh_q16.cast_signed(), WH_Q16.into())
    }
}

impl Comparable<'_> {
    /// Computes the day under every mechanism.
    ///
    /// # Errors
    /// [`CompareError`].
    pub fn compare(&self) -> Result<Comparison, CompareError> {
        let meters = Meters::of(&self.members)?;
        let totals = self.totals()?;
        let (tariffs, mut results, mut left_out) = (self.tariffs, Vec::new(), Vec::new());
        let mut add = |mechanism, bills: &Bills| {
            results.push(self.result(mechanism, bills, 0, totals)?);
            Ok::<_, CompareError>(())
        };
        add(Mechanism::Tariffs, &meters.at_tariffs(tariffs)?)?;
        add(Mechanism::MidMarketRate, &meters.at_mid_market_rate(tariffs)?)?;
        match meters.at_supply_demand_ratio(tariffs)? {
            Some(bills) => add(Mechanism::SupplyDemandRatio, &bills)?,
            None => left_out.push((
                Mechanism::SupplyDemandRatio,
                "its price divides by the feed-in tariff, which has to be above zero",
            )),
        }
        add(Mechanism::BillSharing, &meters.by_bill_sharing(tariffs)?)?;
        let auction = self.auction()?;
        results.push(self.result(Mechanism::Auction, &auction.bills, auction.public_account_q16, totals)?);
        let (consumption_wh, generation_wh) = totals;
        Ok(Comparison { consumption_wh, generation_wh, results, left_out, auction })
    }

    /// Consumption and generation, Wh.
    fn totals(&self) -> Result<(u128, u128), CompareError> {
        let energy = self.members.iter().flat_map(|member| &member.energy);
        energy
            .clone()
            .try_fold((0u128, 0u128), |(used, generated), one| {
                let used = used.checked_add(u128::from(one.load_wh))?.checked_add(u128::from(one.ev_wh))?;
                Some((used, generated.checked_add(u128::from(one.generation_wh))?))
            })
            .ok_or(CompareError::Overflow)
    }

    fn result(
        &self,
        mechanism: Mechanism,
        bills: &Bills,
        public_account_q16: i128,
        (consumption_wh, generation_wh): (u128, u128),
    ) -> Result<MechanismResult, CompareError> {
        let members_q16 = sum(bills.members_q16.iter().copied())?;
        let from_q16 = sum(bills.from_utility_wh_q16.iter().map(|wh| wh.cast_signed()))?;
        // What was bought after the last slot is in the total and in no slot.
        let from_q16 = from_q16.checked_add(bills.late_wh_q16.cast_signed()).ok_or(CompareError::Overflow)?;
        let to_q16 = sum(bills.to_utility_wh_q16.iter().map(|wh| wh.cast_signed()))?;
        let peak_q16 = bills.from_utility_wh_q16.iter().max().map_or(0, |wh| wh.cast_signed());
        let seconds = i128::from(self.slot_seconds.max(1));
        let peak = peak_q16.checked_mul(3600).ok_or(CompareError::Overflow)?;
        Ok(MechanismResult {
            mechanism,
            roles: self.roles(&bills.members_q16)?,
            cost_mct: round_half_even(members_q16, MCT_Q16),
            members_q16,
            public_account_q16,
            utility_q16: bills.utility_q16,
            from_utility_wh: round_half_even(from_q16, WH_Q16.into()),
            to_utility_wh: round_half_even(to_q16, WH_Q16.into()),
            self_sufficiency_permille: part_not_outside(from_q16, consumption_wh)?,
            self_consumption_permille: part_not_outside(to_q16, generation_wh)?,
            peak_import_w: round_half_even(peak, seconds << 16),
        })
    }

    fn roles(&self, members_q16: &[i128]) -> Result<Vec<RoleCost>, CompareError> {
        let mut roles = Vec::new();
        for role in Role::ALL {
            let of_role = self.members.iter().zip(members_q16).filter(|(member, _)| member.role == role);
            let members = of_role.clone().count();
            if members == 0 {
                continue;
            }
            let cost_q16 = sum(of_role.map(|(_, cost)| *cost))?;
            roles.push(RoleCost {
                role,
                members,
                cost_mct: round_half_even(cost_q16, MCT_Q16),
                cost_per_member_mct: round_half_even(cost_q16, MCT_Q16 * members as i128),
            });
        }
        Ok(roles)
    }
}

fn sum(parts: impl Iterator<Item = i128>) -> Result<i128, CompareError> {
    parts.into_iter().try_fold(0i128, i128::checked_add).ok_or(CompareError::Overflow)
}

/// 1 less what went through the utility, of a whole, in thousandths.
fn part_not_outside(outside_wh_q16: i128, whole_wh: u128) -> Result<Option<i128>, CompareError> {
    let whole_q16 = i128::try_from(whole_wh).ok().and_then(|wh| wh.checked_mul(WH_Q16.into()));
    let whole_q16 = whole_q16.ok_or(CompareError::Overflow)?;
    let inside_q16 = whole_q16.checked_sub(outside_wh_q16).and_then(|inside| inside.checked_mul(1000));
    let inside_q16 = inside_q16.ok_or(CompareError::Overflow)?;
    Ok((whole_q16 > 0).then(|| round_half_even(inside_q16, whole_q16)))
}
