//! The day under the auction: the demo's members, the demo's clearing, everything in plaintext.
//!
//! Members are the models of [`crate::behaviour`], so that they shift what can wait to when it is cheap. Each slot is
//! cleared by the market crate's rule over the totals of all orders, which is what the sealed round of the demo comes to.
//! What a member does not get in the market it buys from the utility at retail, and surplus goes there at the feed-in
//! tariff, as in the demo. What still waits at the day's end is bought at retail; what is stored by then is paid for and counts for
//! nothing.

use super::bills::Bills;
use super::{Comparable, CompareError};
use crate::behaviour::{Bidder, Day, EnergyAccount, MarketTerms, Plan, bidder_for};
use veilgrid_market::{
    Order, Outcome, Rationed, Rule, Side, clear_plain, fill_q16, round_flows, step_totals,
};

/// The auction's day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuctionDay {
    /// What everybody pays.
    pub bills: Bills,
    /// What the public account pays for the rests of rounding.
    pub public_account_q16: i128,
    /// What the members' same use would have cost at the tariffs, without the market.
    pub at_tariffs_q16: i128,
    /// Slots in which something was traded.
    pub traded_slots: usize,
    /// Traded in all, Wh.
    pub volume_wh: u128,
    /// What was paid for it, mct/kWh times Wh.
    pub turnover: i128,
    /// Bought ahead and not used by the end of the day, Wh/2^16.
    pub stored_wh_q16: u128,
    /// Demand that was still waiting then and was bought at retail, Wh/2^16.
    pub waiting_wh_q16: u128,
}

/// One member's part of a slot.
struct Turn {
    plan: Plan,
    before: EnergyAccount,
}

impl Comparable<'_> {
    /// Runs the auction over every slot of the day.
    ///
    /// # Errors
    /// Energy that the models refuse, a book beyond the clearing's bounds, sums beyond 128 bits.
    pub fn auction(&self) -> Result<AuctionDay, CompareError> {
        let slots = self.members.first().ok_or(CompareError::NoMembers)?.energy.len();
        let day = Day { slot_seconds: self.slot_seconds, market_slots: (0..slots).collect() };
        let terms = MarketTerms::new(&self.grid, self.bits, self.tariffs)?;
        let bidder = |member: &&_| bidder_for(member, &terms, &day, self.seed);
        let mut bidders = self.members.iter().map(bidder).collect::<Result<Vec<_>, _>>()?;
        let mut run = AuctionDay::default();
        run.bills.members_q16 = vec![0; bidders.len()];
        for slot in 0..slots {
            self.slot(slot, &mut bidders, &mut run)?;
        }
        for (member, bidder) in bidders.iter().enumerate() {
            let account = bidder.account();
            run.stored_wh_q16 = run.stored_wh_q16.saturating_add(account.stored_wh_q16);
            run.waiting_wh_q16 = run.waiting_wh_q16.saturating_add(account.waiting_wh_q16);
            run.buy_outside(member, account.waiting_wh_q16, self.tariffs.retail_mct_per_kwh())?;
        }
        run.bills.late_wh_q16 = run.waiting_wh_q16;
        Ok(run)
    }

    fn slot(
        &self,
        slot: usize,
        bidders: &mut [Box<dyn Bidder + Send>],
        run: &mut AuctionDay,
    ) -> Result<(), CompareError> {
        let mut turns = Vec::with_capacity(bidders.len());
        for (bidder, member) in bidders.iter_mut().zip(&self.members) {
            let before = bidder.account();
            let energy = member.energy.get(slot).copied().unwrap_or_default();
            turns.push(Turn { plan: bidder.plan(slot, energy)?, before });
        }
        let outcome = self.clear(&turns, run)?;
        let (mut from_wh_q16, mut to_wh_q16) = (0u128, 0u128);
        for (member, (bidder, turn)) in bidders.iter_mut().zip(&turns).enumerate() {
            let (bought, sold) = self.fills(&outcome, &turn.plan.orders);
            bidder.settle(slot, bought, sold)?;
            run.traded(member, &outcome, bought, sold)?;
            let after = bidder.account();
            // Both only grow.
            let bought_outside = after.from_grid_wh_q16 - turn.before.from_grid_wh_q16;
            let sold_outside = after.fed_in_wh_q16 - turn.before.fed_in_wh_q16;
            run.buy_outside(member, bought_outside, self.tariffs.retail_mct_per_kwh())?;
            run.sell_outside(member, sold_outside, self.tariffs.feed_in_mct_per_kwh())?;
            run.same_use(bought, sold, self.tariffs)?;
            from_wh_q16 = from_wh_q16.checked_add(bought_outside).ok_or(CompareError::Overflow)?;
            to_wh_q16 = to_wh_q16.checked_add(sold_outside).ok_or(CompareError::Overflow)?;
        }
        run.bills.from_utility_wh_q16.push(from_wh_q16);
        run.bills.to_utility_wh_q16.push(to_wh_q16);
        Ok(())
    }

    /// Clears the slot's book and books what belongs to no member.
    fn clear(&self, turns: &[Turn], run: &mut AuctionDay) -> Result<Outcome, CompareError> {
        let book: Vec<Order> = turns.iter().flat_map(|turn| turn.plan.orders.iter().copied()).collect();
        let totals_wh = step_totals(&self.grid, &book)?;
        let outcome = clear_plain(&self.grid, Rule::Uniform, true, &totals_wh)?.outcome;
        round_flows(&self.grid, &outcome, &totals_wh)?;
        if let (Some(trade), Some(volume_wh)) = (outcome.trade, outcome.volume_wh) {
            let price = i128::from(trade.buy_price_mct_per_kwh);
            let rest_q16 = price * i128::from(trade.rest_q16);
            run.public_account_q16 += if trade.rationed == Rationed::Demand { rest_q16 } else { -rest_q16 };
            run.traded_slots += 1;
            run.volume_wh += u128::from(volume_wh);
            run.turnover += price * i128::from(volume_wh);
        }
        Ok(outcome)
    }

    fn fills(&self, outcome: &Outcome, orders: &[Order]) -> (u128, u128) {
        let filled = |side| {
            let of_side = orders.iter().filter(|order| order.side == side);
            of_side.map(|order| fill_q16(&self.grid, outcome, order)).sum()
        };
        (filled(Side::Buy), filled(Side::Sell))
    }
}

/// Energy times price; energies of one day are far below 2^87.
fn cost(energy_wh_q16: u128, price_mct_per_kwh: i64) -> Result<i128, CompareError> {
    let energy = i128::try_from(energy_wh_q16).ok();
    energy.and_then(|wh| wh.checked_mul(i128::from(price_mct_per_kwh))).ok_or(CompareError::Overflow)
}

impl AuctionDay {
    fn pay(&mut self, member: usize, cost_q16: i128) -> Result<(), CompareError> {
        let bill = self.bills.members_q16.get_mut(member).ok_or(CompareError::NoMembers)?;
        *bill = bill.checked_add(cost_q16).ok_or(CompareError::Overflow)?;
        Ok(())
    }

    fn traded(
        &mut self,
        member: usize,
        outcome: &Outcome,
        bought: u128,
        sold: u128,
    ) -> Result<(), CompareError> {
        let Some(trade) = outcome.trade else { return Ok(()) };
        self.pay(member, cost(bought, trade.buy_price_mct_per_kwh)?)?;
        self.pay(member, -cost(sold, trade.sell_price_mct_per_kwh)?)
    }

    fn buy_outside(&mut self, member: usize, energy: u128, retail: i64) -> Result<(), CompareError> {
        self.with_utility(member, cost(energy, retail)?)
    }

    fn sell_outside(&mut self, member: usize, energy: u128, feed_in: i64) -> Result<(), CompareError> {
        self.with_utility(member, -cost(energy, feed_in)?)
    }

    fn with_utility(&mut self, member: usize, cost_q16: i128) -> Result<(), CompareError> {
        self.pay(member, cost_q16)?;
        for sum in [&mut self.bills.utility_q16, &mut self.at_tariffs_q16] {
            *sum = sum.checked_add(cost_q16).ok_or(CompareError::Overflow)?;
        }
        Ok(())
    }

    /// What was traded, had it gone to and come from the utility.
    fn same_use(
        &mut self,
        bought: u128,
        sold: u128,
        tariffs: crate::behaviour::Tariffs,
    ) -> Result<(), CompareError> {
        let cost_q16 =
            cost(bought, tariffs.retail_mct_per_kwh())? - cost(sold, tariffs.feed_in_mct_per_kwh())?;
        self.at_tariffs_q16 = self.at_tariffs_q16.checked_add(cost_q16).ok_or(CompareError::Overflow)?;
        Ok(())
    }
}
