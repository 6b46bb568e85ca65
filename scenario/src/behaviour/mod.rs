//! How members bid: integer models of a prosumer, a consumer and a charging station.
//!
//! A [`Bidder`] is asked for the orders of a slot, and told afterwards what they were filled with; what it did not get
//! and can wait for, it asks for again. Limits lie between the tariffs that everybody has without the market: nobody
//! pays more than retail or takes less than the feed-in tariff. The draws decide what members want, never a key.

pub mod account;
pub mod charging;
mod flexible;
pub mod gains;
pub mod household;
mod offers;
pub mod seed;
pub mod session;
pub mod terms;
#[cfg(test)]
mod tests;
mod turn;

use crate::community::{Participant, Role, SlotEnergy, decimal};
use veilgrid_market::{Order, Side};

pub use account::EnergyAccount;
pub use charging::{ChargingStation, Vehicle};
pub use gains::{GainError, Gains, RoleSummary, SlotTrade};
pub use household::{Consumer, Prosumer};
pub use session::Session;
pub use terms::{MarketTerms, Tariffs, TermsError};

/// One Wh in the unit of cleared quantities, Wh/2^16 (protocol section 3).
pub const WH_Q16: u64 = 1 << 16;

/// Most energy that a model takes in one slot and kind, Wh: the bound of the import.
pub const MAX_SLOT_WH: u64 = decimal::MAX_KWH * 1000;

/// What a member wants from a slot's market.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// At most one order a side and limit, all on the grid and within the bits of a step, buys first, limits rising.
    /// Empty for a member that has nothing to trade (it seals a zero bid).
    pub orders: Vec<Order>,
    /// Demand that can't wait and is more than a step holds: served by the grid outside of the market, at retail.
    pub outside_buy_wh: u64,
    /// Surplus that is more than a step holds: fed into the grid outside of the market, at the feed-in tariff.
    pub outside_sell_wh: u64,
    /// Offers before those at one price are added up.
    pub offers: usize,
    /// Those of them whose price is not what the member had in mind, because the market has no such price.
    pub moved: Vec<MovedLimit>,
}

/// A limit that is none of the market's prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct MovedLimit {
    /// Buys are moved down, sells up, except what is beyond the market's last price between the tariffs.
    pub side: Side,
    /// What the member had in mind, mct/kWh.
    pub limit_mct_per_kwh: i64,
    /// Where it counts, mct/kWh.
    pub grid_price_mct_per_kwh: i64,
}

/// Why a model refuses a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BehaviourError {
    /// A slot was planned before, or an earlier slot comes after a later one.
    #[error("slot {slot} was planned after slot {last}: plan each slot once and in rising order")]
    SlotOrder {
        /// The slot asked for.
        slot: usize,
        /// The last one planned.
        last: usize,
    },
    /// The last planned slot has no result yet.
    #[error("slot {pending} is planned and not settled: settle it, with zeros if its round was void")]
    Unsettled {
        /// The planned slot.
        pending: usize,
    },
    /// A result for a slot that is not waiting for one.
    #[error("slot {slot} is not waiting for a result: plan it first and settle it once")]
    NotPlanned {
        /// The slot of the result.
        slot: usize,
    },
    /// A slot in which the station was told that there is no market.
    #[error("slot {slot} is none of the market slots that the station was made with")]
    NoMarket {
        /// The slot asked for.
        slot: usize,
    },
    /// A quantity above [`MAX_SLOT_WH`].
    #[error(
        "{energy_wh} Wh in slot {slot}: at most {MAX_SLOT_WH} Wh of load, generation or charging; check the unit"
    )]
    TooMuchEnergy {
        /// The slot.
        slot: usize,
        /// What was given.
        energy_wh: u64,
    },
    /// More filled than offered.
    #[error(
        "{side:?} filled with {filled_wh_q16} Wh/65536 where {offered_wh_q16} were offered: not this plan's result"
    )]
    OverFill {
        /// Which side.
        side: Side,
        /// The result.
        filled_wh_q16: u128,
        /// The plan.
        offered_wh_q16: u128,
    },
}

/// A member that bids. Slots are indices into the day, planned once each in rising order and settled before the next.
pub trait Bidder {
    /// What it is.
    fn role(&self) -> Role;

    /// The orders of a slot, given the slot's energy.
    ///
    /// # Errors
    /// A slot out of order, before the last one is settled, without a market, or more energy than [`MAX_SLOT_WH`].
    fn plan(&mut self, slot: usize, energy: SlotEnergy) -> Result<Plan, BehaviourError>;

    /// What the planned orders were filled with, in Wh/2^16 (zeros if the round was void). What was bought serves the
    /// order with the highest limit first and what was sold the one with the lowest: that is how one clearing price
    /// fills them, and how a member divides its fills where all of its orders are rationed.
    ///
    /// # Errors
    /// A slot that is not planned, or more than was offered; the model is then unchanged.
    fn settle(&mut self, slot: usize, bought_wh_q16: u128, sold_wh_q16: u128) -> Result<(), BehaviourError>;

    /// Where the energy of all slots so far came from and went to.
    fn account(&self) -> EnergyAccount;
}

impl<B: Bidder + ?Sized> Bidder for Box<B> {
    fn role(&self) -> Role {
        (**self).role()
    }

    fn plan(&mut self, slot: usize, energy: SlotEnergy) -> Result<Plan, BehaviourError> {
        (**self).plan(slot, energy)
    }

    fn settle(&mut self, slot: usize, bought_wh_q16: u128, sold_wh_q16: u128) -> Result<(), BehaviourError> {
        (**self).settle(slot, bought_wh_q16, sold_wh_q16)
    }

    fn account(&self) -> EnergyAccount {
        (**self).account()
    }
}

/// The day in which a member bids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// Length of a slot in seconds.
    pub slot_seconds: u32,
    /// The slots that have a market, rising: a charging station has to know what is still to come.
    pub market_slots: Vec<usize>,
}

/// The model of a participant under the run's seed.
///
/// # Errors
/// A participant that charges more than [`MAX_SLOT_WH`] in a slot.
pub fn bidder_for(
    participant: &Participant,
    terms: &MarketTerms,
    day: &Day,
    seed: u64,
) -> Result<Box<dyn Bidder + Send>, BehaviourError> {
    let rng = seed::seeded_rng(seed, &participant.id, participant.role.name());
    Ok(match participant.role {
        Role::Prosumer => Box::new(Prosumer::new(terms.clone(), rng)),
        Role::Consumer => Box::new(Consumer::new(terms.clone(), rng)),
        Role::ChargingStation => {
            let ev_wh: Vec<u64> = participant.energy.iter().map(|energy| energy.ev_wh).collect();
            Box::new(ChargingStation::new(terms.clone(), &ev_wh, day, rng)?)
        }
    })
}

/// Refuses quantities that the models' sums are not made for.
fn check_energy(slot: usize, energy: SlotEnergy) -> Result<(), BehaviourError> {
    let largest = energy.load_wh.max(energy.generation_wh).max(energy.ev_wh);
    if largest > MAX_SLOT_WH {
        return Err(BehaviourError::TooMuchEnergy { slot, energy_wh: largest });
    }
    Ok(())
}
