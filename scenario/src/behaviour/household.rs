//! Homes and small businesses: load, perhaps generation, some of the load able to wait.
//!
//! Own generation serves own demand first, the fixed part before the flexible part. What remains of the load is bought
//! near retail as far as it can't wait, and in batches at lower, rising limits as far as it can. What remains of the
//! generation is sold in two tranches. A prosumer has a store besides (hot water, say) that takes energy only when it
//! is cheap and serves fixed load later: so it bids to buy a little below its own asking price in the same slot.

use super::flexible::Flexible;
use super::offers::{Fill, Offers, Purpose};
use super::seed::draw_inclusive;
use super::turn::Turns;
use super::{BehaviourError, Bidder, EnergyAccount, MarketTerms, Plan, WH_Q16, check_energy};
use crate::community::{Role, SlotEnergy};
use rand_chacha::ChaCha20Rng;
use veilgrid_market::Side;

/// A member with load only.
#[derive(Clone, Debug)]
pub struct Consumer(Household);

/// A member with load and generation.
#[derive(Clone, Debug)]
pub struct Prosumer(Household);

impl Consumer {
    /// A consumer whose habits and limits are drawn from `rng`.
    pub fn new(terms: MarketTerms, rng: ChaCha20Rng) -> Self {
        Self(Household::new(terms, rng, 0))
    }
}

impl Prosumer {
    /// A prosumer whose habits, store and limits are drawn from `rng`.
    pub fn new(terms: MarketTerms, mut rng: ChaCha20Rng) -> Self {
        let store_capacity_wh = draw_inclusive(&mut rng, 400, 2000);
        Self(Household::new(terms, rng, store_capacity_wh))
    }
}

macro_rules! household_bidder {
    ($kind:ident) => {
        impl Bidder for $kind {
            fn role(&self) -> Role {
                Role::$kind
            }

            fn plan(&mut self, slot: usize, energy: SlotEnergy) -> Result<Plan, BehaviourError> {
                self.0.plan(slot, energy)
            }

            fn settle(&mut self, slot: usize, bought: u128, sold: u128) -> Result<(), BehaviourError> {
                self.0.settle(slot, bought, sold)
            }

            fn account(&self) -> EnergyAccount {
                self.0.account()
            }
        }
    };
}
household_bidder!(Consumer);
household_bidder!(Prosumer);

/// What a plan promised, kept until its result is there.
#[derive(Clone, Debug)]
struct Pending {
    offers: Offers,
    fixed_wh: u64,
    surplus_wh: u64,
}

#[derive(Clone, Debug)]
struct Household {
    terms: MarketTerms,
    rng: ChaCha20Rng,
    /// Share of the load that can wait, in percent.
    flexible_percent: u64,
    store_capacity_wh: u64,
    store_wh_q16: u64,
    flexible: Flexible,
    turns: Turns<Pending>,
    totals: EnergyAccount,
}

impl Household {
    fn new(terms: MarketTerms, mut rng: ChaCha20Rng, store_capacity_wh: u64) -> Self {
        let flexible_percent = draw_inclusive(&mut rng, 15, 40);
        Self {
            terms,
            rng,
            flexible_percent,
            store_capacity_wh,
            store_wh_q16: 0,
            flexible: Flexible::default(),
            turns: Turns::new(),
            totals: EnergyAccount::default(),
        }
    }

    fn plan(&mut self, slot: usize, energy: SlotEnergy) -> Result<Plan, BehaviourError> {
        self.turns.check(slot)?;
        check_energy(slot, energy)?;
        let can_wait_wh = energy.load_wh * self.flexible_percent / 100;
        self.wait_with(can_wait_wh, energy.ev_wh);
        let (fixed_wh, surplus_wh) = self.use_own(energy.load_wh - can_wait_wh, energy.generation_wh);
        let fixed_wh = self.use_store(fixed_wh);

        let mut offers = Offers::new(self.terms.max_step_wh());
        let mut outside_buy_wh = self.flexible.offer(&self.terms, &mut offers);
        outside_buy_wh += self.buy(&mut offers, fixed_wh, [950, 1000], Purpose::Fixed);
        let outside_sell_wh = self.sell_surplus(&mut offers, surplus_wh);
        self.fill_store(&mut offers);

        self.totals.demand_wh_q16 += q16(energy.load_wh) + q16(energy.ev_wh);
        self.totals.generation_wh_q16 += q16(energy.generation_wh);
        let (orders, moved) = (offers.orders(), offers.moved());
        let plan = Plan { orders, outside_buy_wh, outside_sell_wh, offers: offers.count(), moved };
        self.turns.planned(slot, Pending { offers, fixed_wh, surplus_wh });
        Ok(plan)
    }

    /// Queues the slot's flexible demand: a less and a more patient half of the load, and the vehicle.
    fn wait_with(&mut self, load_wh: u64, ev_wh: u64) {
        for (energy_wh, patience) in [(load_wh / 2, [1, 2]), (load_wh - load_wh / 2, [2, 4]), (ev_wh, [2, 6])]
        {
            let [least, most] = patience;
            let patience = draw_inclusive(&mut self.rng, least, most);
            let start_permille = draw_inclusive(&mut self.rng, 150, 700);
            self.flexible.add(energy_wh, patience, start_permille);
        }
    }

    /// Serves own demand from own generation; returns the fixed demand and the generation that remain.
    fn use_own(&mut self, fixed_wh: u64, generation_wh: u64) -> (u64, u64) {
        let fixed_used = fixed_wh.min(generation_wh);
        let flexible_used = self.flexible.cover(generation_wh - fixed_used);
        self.totals.own_use_wh_q16 += q16(fixed_used) + q16(flexible_used);
        (fixed_wh - fixed_used, generation_wh - fixed_used - flexible_used)
    }

    /// Serves fixed demand from the store; returns what remains.
    fn use_store(&mut self, fixed_wh: u64) -> u64 {
        let used = fixed_wh.min(self.store_wh_q16 / WH_Q16);
        self.store_wh_q16 -= used * WH_Q16;
        fixed_wh - used
    }

    /// Bids at a limit drawn between two thousandths of the way from feed-in to retail; returns what has no room.
    fn buy(&mut self, offers: &mut Offers, energy_wh: u64, permille: [u64; 2], purpose: Purpose) -> u64 {
        let permille = draw_inclusive(&mut self.rng, permille[0], permille[1]);
        offers.add_near(&self.terms, Side::Buy, self.terms.price_at(permille), energy_wh, purpose)
    }

    /// Two tranches, most of it cheap and the rest dearer; returns what has no room.
    fn sell_surplus(&mut self, offers: &mut Offers, surplus_wh: u64) -> u64 {
        let cheap_wh = surplus_wh * draw_inclusive(&mut self.rng, 55, 75) / 100;
        let mut outside_wh = 0;
        for (energy_wh, permille) in [(cheap_wh, [50, 300]), (surplus_wh - cheap_wh, [300, 600])] {
            let permille = draw_inclusive(&mut self.rng, permille[0], permille[1]);
            let price = self.terms.price_at(permille);
            outside_wh += offers.add_near(&self.terms, Side::Sell, price, energy_wh, Purpose::Surplus);
        }
        outside_wh
    }

    /// Bids low for a quarter of the store, and always below its own asking price: nobody trades with itself.
    fn fill_store(&mut self, offers: &mut Offers) {
        let permille = draw_inclusive(&mut self.rng, 20, 250);
        let price = self.terms.price_at(permille);
        let wanted = self.terms.buy_limit(price);
        let limit = match offers.lowest_sell() {
            Some(ask) => wanted.min(ask.saturating_sub_unsigned(self.terms.tick_mct_per_kwh())),
            None => wanted,
        };
        // Below the lowest sensible price there is nobody to buy from.
        if limit < self.terms.buy_limit(self.terms.price_at(0)) {
            return;
        }
        let room_wh = (self.store_capacity_wh * WH_Q16).saturating_sub(self.store_wh_q16) / WH_Q16;
        let energy_wh = room_wh.min(self.store_capacity_wh / 4);
        // What lies below its own asking price was meant so.
        let price = if limit == wanted { price } else { limit };
        offers.add_near(&self.terms, Side::Buy, price, energy_wh, Purpose::Store);
    }

    fn settle(&mut self, slot: usize, bought_wh_q16: u128, sold_wh_q16: u128) -> Result<(), BehaviourError> {
        let pending = self.turns.pending(slot)?;
        let fills = pending.offers.divide(bought_wh_q16, sold_wh_q16)?;
        let (fixed, surplus) = (q16(pending.fixed_wh), q16(pending.surplus_wh));
        self.turns.settled();
        let mut fixed_bought = 0;
        for Fill { purpose, energy_wh_q16 } in fills {
            match purpose {
                Purpose::Fixed => fixed_bought += u128::from(energy_wh_q16),
                Purpose::Flexible(index) => self.flexible.fill(index, energy_wh_q16),
                Purpose::Store => self.store_wh_q16 += energy_wh_q16,
                // Counted by the total sold; a household has no vehicles that lend.
                Purpose::Surplus | Purpose::Session(_) | Purpose::Lend(_) => {}
            }
        }
        let expired = u128::from(self.flexible.end_slot());
        self.totals.bought_wh_q16 += bought_wh_q16;
        self.totals.from_grid_wh_q16 += fixed - fixed_bought + expired;
        self.totals.sold_wh_q16 += sold_wh_q16;
        self.totals.fed_in_wh_q16 += surplus - sold_wh_q16;
        Ok(())
    }

    /// Between plan and settle the planned slot's fixed demand and surplus are still open: they count as waiting, and
    /// as fed in.
    fn account(&self) -> EnergyAccount {
        let mut account = self.totals;
        account.waiting_wh_q16 = self.flexible.waiting_wh_q16();
        account.stored_wh_q16 = u128::from(self.store_wh_q16);
        if let Some(pending) = self.turns.open() {
            account.waiting_wh_q16 += q16(pending.fixed_wh);
            account.fed_in_wh_q16 += q16(pending.surplus_wh);
        }
        account
    }
}

/// Whole Wh in Wh/2^16.
pub(super) fn q16(energy_wh: u64) -> u128 {
    u128::from(energy_wh) * u128::from(WH_Q16)
}
