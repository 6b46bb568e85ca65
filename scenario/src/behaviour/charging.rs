//! A charging station: buys for the vehicles that are there, more urgently as their departure nears.
//!
//! In each market slot a vehicle asks for what its charge point can deliver. What could no longer be delivered in the
//! market slots after this one is bought at retail, the rest at a limit that rises with the time passed; in the last
//! slot everything is at retail, and the grid serves what is still missing at departure. A vehicle that lends offers
//! energy at a high price as long as it can be bought back in time.

use super::household::q16;
use super::offers::{Fill, Offers, Purpose};
use super::seed::draw_inclusive;
use super::session::{Session, draw_sessions};
use super::turn::Turns;
use super::{BehaviourError, Bidder, Day, EnergyAccount, MarketTerms, Plan, WH_Q16, check_energy};
use crate::community::{Role, SlotEnergy};
use rand_chacha::ChaCha20Rng;
use serde::Serialize;
use veilgrid_market::Side;

/// A member that charges vehicles.
#[derive(Clone, Debug)]
pub struct ChargingStation {
    terms: MarketTerms,
    rng: ChaCha20Rng,
    market_slots: Vec<usize>,
    vehicles: Vec<Vehicle>,
    turns: Turns<Pending>,
    totals: EnergyAccount,
}

/// A session and how it was served so far, Wh/2^16: energy and lent = own, bought, from the grid and missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Vehicle {
    /// What it came for.
    pub session: Session,
    /// What it needs before it departs, what it lent included.
    pub missing_wh_q16: u64,
    /// Bought for it in the market.
    pub bought_wh_q16: u64,
    /// Charged from the station's own generation.
    pub own_wh_q16: u64,
    /// Lent by it and sold.
    pub lent_wh_q16: u64,
    /// Missing at departure and served by the grid.
    pub from_grid_wh_q16: u64,
    /// Whether it has departed or is there in no market slot.
    pub gone: bool,
}

#[derive(Clone, Debug)]
struct Pending {
    offers: Offers,
    fixed_wh: u64,
    surplus_wh: u64,
}

impl ChargingStation {
    /// A station whose sessions are drawn so that they need what `ev_wh` says, slot by slot of the day. Vehicles that
    /// are there in no market slot are served by the grid.
    ///
    /// # Errors
    /// More than [`MAX_SLOT_WH`](super::MAX_SLOT_WH) in a slot.
    pub fn new(
        terms: MarketTerms,
        ev_wh: &[u64],
        day: &Day,
        mut rng: ChaCha20Rng,
    ) -> Result<Self, BehaviourError> {
        let sessions = draw_sessions(ev_wh, day.slot_seconds, &mut rng)?;
        Ok(Self::with_sessions(terms, &sessions, day.market_slots.clone(), rng))
    }

    /// A station with known sessions, whose energy fits Wh/2^16 in 63 bits.
    pub(super) fn with_sessions(
        terms: MarketTerms,
        sessions: &[Session],
        mut market_slots: Vec<usize>,
        rng: ChaCha20Rng,
    ) -> Self {
        market_slots.sort_unstable();
        market_slots.dedup();
        let vehicles: Vec<Vehicle> = sessions.iter().map(|session| Vehicle::new(*session)).collect();
        let demand_wh_q16 = vehicles.iter().map(|vehicle| u128::from(vehicle.missing_wh_q16)).sum();
        let totals = EnergyAccount { demand_wh_q16, ..EnergyAccount::default() };
        let mut station = Self { terms, rng, market_slots, vehicles, turns: Turns::new(), totals };
        station.depart_before(0);
        station
    }

    /// The vehicles of the day, in the order of their sessions: for plug-in, progress and bill.
    pub fn vehicles(&self) -> &[Vehicle] {
        &self.vehicles
    }

    /// Lets go of the vehicles that are there in no market slot from `slot` on.
    fn depart_before(&mut self, slot: usize) {
        for vehicle in &mut self.vehicles {
            let from = slot.max(vehicle.session.arrival_slot);
            if !vehicle.gone && count_slots(&self.market_slots, from, vehicle.session.departure_slot) == 0 {
                self.totals.from_grid_wh_q16 += u128::from(vehicle.missing_wh_q16);
                vehicle.from_grid_wh_q16 = std::mem::take(&mut vehicle.missing_wh_q16);
                vehicle.gone = true;
            }
        }
    }

    /// Buys for every vehicle that is there, own generation first; returns the generation left over and the urgent
    /// demand that has no room in its step.
    fn charge(&mut self, slot: usize, mut own_wh: u64, offers: &mut Offers) -> (u64, u64) {
        let mut outside_wh = 0;
        for (index, vehicle) in
            self.vehicles.iter_mut().enumerate().filter(|(_, vehicle)| vehicle.is_there(slot))
        {
            let max_wh = vehicle.session.max_wh_per_slot;
            let own_used = own_wh.min(max_wh).min(vehicle.missing_wh_q16 / WH_Q16);
            vehicle.missing_wh_q16 -= own_used * WH_Q16;
            vehicle.own_wh_q16 += own_used * WH_Q16;
            self.totals.own_use_wh_q16 += q16(own_used);
            own_wh -= own_used;

            let later =
                count_slots(&self.market_slots, slot.saturating_add(1), vehicle.session.departure_slot);
            let needed_wh = vehicle.missing_wh_q16 / WH_Q16;
            let now_wh = needed_wh.min(max_wh - own_used);
            let urgent_wh = needed_wh.saturating_sub(max_wh.saturating_mul(later)).min(now_wh);
            let retail = self.terms.price_at(1000);
            let purpose = Purpose::Session(index);
            outside_wh += offers.add_near(&self.terms, Side::Buy, retail, urgent_wh, purpose);
            let stay =
                count_slots(&self.market_slots, vehicle.session.arrival_slot, vehicle.session.departure_slot);
            let permille = 300 + 600 * (stay - later - 1) / stay;
            let price = self.terms.price_at(permille);
            offers.add_near(&self.terms, Side::Buy, price, now_wh - urgent_wh, purpose);
        }
        (own_wh, outside_wh)
    }

    /// Offers what vehicles lend above a reserve price, and above every own bid.
    fn lend(&mut self, slot: usize, offers: &mut Offers) {
        let highest_buy = offers.highest_buy();
        for (index, vehicle) in self.vehicles.iter().enumerate() {
            let later =
                count_slots(&self.market_slots, slot.saturating_add(1), vehicle.session.departure_slot);
            if vehicle.session.lendable_wh == 0 || !vehicle.is_there(slot) || later == 0 {
                continue;
            }
            let reserve = self.terms.price_at(draw_inclusive(&mut self.rng, 700, 1000));
            let limit = self.terms.sell_limit(reserve);
            if highest_buy.is_none_or(|buy| buy < limit) {
                let max_wh = vehicle.session.max_wh_per_slot;
                let lent_wh = vehicle.can_lend_wh(later).min(max_wh);
                offers.add_near(&self.terms, Side::Sell, reserve, lent_wh, Purpose::Lend(index));
            }
        }
    }

    fn apply(&mut self, fill: Fill) {
        let energy = u128::from(fill.energy_wh_q16);
        match fill.purpose {
            Purpose::Session(index) => {
                if let Some(vehicle) = self.vehicles.get_mut(index) {
                    vehicle.missing_wh_q16 -= fill.energy_wh_q16;
                    vehicle.bought_wh_q16 += fill.energy_wh_q16;
                }
            }
            Purpose::Lend(index) => {
                if let Some(vehicle) = self.vehicles.get_mut(index) {
                    vehicle.missing_wh_q16 += fill.energy_wh_q16;
                    vehicle.lent_wh_q16 += fill.energy_wh_q16;
                    self.totals.lent_wh_q16 += energy;
                }
            }
            Purpose::Fixed => self.totals.from_grid_wh_q16 -= energy,
            Purpose::Surplus => self.totals.fed_in_wh_q16 -= energy,
            // A station has neither.
            Purpose::Flexible(_) | Purpose::Store => {}
        }
    }
}

impl Vehicle {
    fn new(session: Session) -> Self {
        Self {
            session,
            missing_wh_q16: session.energy_wh * WH_Q16,
            bought_wh_q16: 0,
            own_wh_q16: 0,
            lent_wh_q16: 0,
            from_grid_wh_q16: 0,
            gone: false,
        }
    }
    fn is_there(&self, slot: usize) -> bool {
        (self.session.arrival_slot..self.session.departure_slot).contains(&slot)
    }

    /// What it can lend now and buy back in `later` slots, what it needs besides included.
    fn can_lend_wh(&self, later: u64) -> u64 {
        let room_wh = self.session.max_wh_per_slot.saturating_mul(later);
        let needed_wh = self.missing_wh_q16.div_ceil(WH_Q16);
        let lent_wh = self.lent_wh_q16.div_ceil(WH_Q16);
        room_wh.saturating_sub(needed_wh).min(self.session.lendable_wh.saturating_sub(lent_wh))
    }
}

/// Market slots in `from..to`.
fn count_slots(market_slots: &[usize], from: usize, to: usize) -> u64 {
    let before = |slot: usize| market_slots.partition_point(|&market| market < slot);
    before(to).saturating_sub(before(from)) as u64
}

impl Bidder for ChargingStation {
    fn role(&self) -> Role {
        Role::ChargingStation
    }

    /// `energy.ev_wh` is not used: what vehicles need is in the sessions. Load of the station itself is bought at
    /// retail, its generation charges vehicles first and is then sold.
    fn plan(&mut self, slot: usize, energy: SlotEnergy) -> Result<Plan, BehaviourError> {
        self.turns.check(slot)?;
        check_energy(slot, energy)?;
        if self.market_slots.binary_search(&slot).is_err() {
            return Err(BehaviourError::NoMarket { slot });
        }
        let own_wh = energy.load_wh.min(energy.generation_wh);
        self.totals.own_use_wh_q16 += q16(own_wh);
        self.totals.demand_wh_q16 += q16(energy.load_wh);
        self.totals.generation_wh_q16 += q16(energy.generation_wh);

        let mut offers = Offers::new(self.terms.max_step_wh());
        let fixed_wh = energy.load_wh - own_wh;
        let retail = self.terms.price_at(1000);
        let mut outside_buy_wh = offers.add_near(&self.terms, Side::Buy, retail, fixed_wh, Purpose::Fixed);
        let (surplus_wh, outside_wh) = self.charge(slot, energy.generation_wh - own_wh, &mut offers);
        outside_buy_wh += outside_wh;
        let ask = self.terms.price_at(draw_inclusive(&mut self.rng, 50, 300));
        let outside_sell_wh = offers.add_near(&self.terms, Side::Sell, ask, surplus_wh, Purpose::Surplus);
        self.lend(slot, &mut offers);

        let (orders, moved) = (offers.orders(), offers.moved());
        let plan = Plan { orders, outside_buy_wh, outside_sell_wh, offers: offers.count(), moved };
        self.turns.planned(slot, Pending { offers, fixed_wh, surplus_wh });
        Ok(plan)
    }

    fn settle(&mut self, slot: usize, bought_wh_q16: u128, sold_wh_q16: u128) -> Result<(), BehaviourError> {
        let pending = self.turns.pending(slot)?;
        let fills = pending.offers.divide(bought_wh_q16, sold_wh_q16)?;
        // Everything from and to the grid at first; the fills take their part off.
        self.totals.from_grid_wh_q16 += q16(pending.fixed_wh);
        self.totals.fed_in_wh_q16 += q16(pending.surplus_wh);
        self.totals.bought_wh_q16 += bought_wh_q16;
        self.totals.sold_wh_q16 += sold_wh_q16;
        self.turns.settled();
        for fill in fills {
            self.apply(fill);
        }
        // Also those whose last slot was left out, as a market may not open.
        self.depart_before(slot.saturating_add(1));
        Ok(())
    }

    fn account(&self) -> EnergyAccount {
        let mut account = self.totals;
        account.waiting_wh_q16 = self.vehicles.iter().map(|vehicle| u128::from(vehicle.missing_wh_q16)).sum();
        if let Some(pending) = self.turns.open() {
            account.waiting_wh_q16 += q16(pending.fixed_wh);
            account.fed_in_wh_q16 += q16(pending.surplus_wh);
        }
        account
    }
}
