//! A slot's offers with the reason of each, so that a fill finds its way back to what it was bought for.

use super::{BehaviourError, MarketTerms, MovedLimit, WH_Q16};
use veilgrid_market::{Order, Side};

/// What an offer is for; indices count within the model that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Demand of this slot that can't wait.
    Fixed,
    /// A batch of demand that can.
    Flexible(usize),
    /// Energy put by for later slots.
    Store,
    /// Own generation that nothing here uses.
    Surplus,
    /// A vehicle's charge.
    Session(usize),
    /// Energy lent by a vehicle.
    Lend(usize),
}

/// An offer's share of a fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fill {
    pub purpose: Purpose,
    pub energy_wh_q16: u64,
}

#[derive(Clone, Copy, Debug)]
struct Offer {
    order: Order,
    purpose: Purpose,
    /// The price that the member had in mind, when it is none of the market's.
    meant_mct_per_kwh: Option<i64>,
}

/// Offers of one slot; each step of the bid vector, a side and a limit, holds at most `max_step_wh`.
#[derive(Clone, Debug)]
pub(super) struct Offers {
    offers: Vec<Offer>,
    max_step_wh: u64,
}

impl Offers {
    pub(super) fn new(max_step_wh: u64) -> Self {
        Self { offers: Vec::new(), max_step_wh }
    }

    /// Adds an offer and returns what its step has no room for. Of two offers at one step the first is filled first.
    pub(super) fn add(
        &mut self,
        side: Side,
        limit_mct_per_kwh: i64,
        energy_wh: u64,
        purpose: Purpose,
    ) -> u64 {
        let taken: u64 = self.at_step(side, limit_mct_per_kwh).map(|offer| offer.order.energy_wh).sum();
        let fits = energy_wh.min(self.max_step_wh.saturating_sub(taken));
        if fits > 0 {
            let order = Order { side, limit_mct_per_kwh, energy_wh: fits };
            self.offers.push(Offer { order, purpose, meant_mct_per_kwh: None });
        }
        energy_wh - fits
    }

    /// Adds an offer at the market's price for a price that the member has in mind, as [`Offers::add`].
    pub(super) fn add_near(
        &mut self,
        terms: &MarketTerms,
        side: Side,
        price_mct_per_kwh: i64,
        energy_wh: u64,
        purpose: Purpose,
    ) -> u64 {
        let limit = match side {
            Side::Buy => terms.buy_limit(price_mct_per_kwh),
            Side::Sell => terms.sell_limit(price_mct_per_kwh),
        };
        let before = self.offers.len();
        let excess = self.add(side, limit, energy_wh, purpose);
        if let Some(offer) = self.offers.get_mut(before) {
            offer.meant_mct_per_kwh = (price_mct_per_kwh != limit).then_some(price_mct_per_kwh);
        }
        excess
    }

    /// The offers whose prices are not those that the member had in mind.
    pub(super) fn moved(&self) -> Vec<MovedLimit> {
        let moved = |offer: &Offer| {
            let Order { side, limit_mct_per_kwh: grid_price_mct_per_kwh, .. } = offer.order;
            Some(MovedLimit { side, limit_mct_per_kwh: offer.meant_mct_per_kwh?, grid_price_mct_per_kwh })
        };
        self.offers.iter().filter_map(moved).collect()
    }

    /// How many offers there are.
    pub(super) fn count(&self) -> usize {
        self.offers.len()
    }

    fn at_step(&self, side: Side, limit: i64) -> impl Iterator<Item = &Offer> {
        self.offers
            .iter()
            .filter(move |offer| offer.order.side == side && offer.order.limit_mct_per_kwh == limit)
    }

    fn limits(&self, side: Side) -> impl Iterator<Item = i64> {
        self.offers
            .iter()
            .filter(move |offer| offer.order.side == side)
            .map(|offer| offer.order.limit_mct_per_kwh)
    }

    pub(super) fn highest_buy(&self) -> Option<i64> {
        self.limits(Side::Buy).max()
    }

    pub(super) fn lowest_sell(&self) -> Option<i64> {
        self.limits(Side::Sell).min()
    }

    /// One order a step: buys first, limits rising.
    pub(super) fn orders(&self) -> Vec<Order> {
        let mut orders = Vec::new();
        for side in [Side::Buy, Side::Sell] {
            let mut limits: Vec<i64> = self.limits(side).collect();
            limits.sort_unstable();
            limits.dedup();
            orders.extend(limits.into_iter().map(|limit_mct_per_kwh| Order {
                side,
                limit_mct_per_kwh,
                energy_wh: self.at_step(side, limit_mct_per_kwh).map(|offer| offer.order.energy_wh).sum(),
            }));
        }
        orders
    }

    /// Divides a result among the offers: the highest buys and the lowest sells first.
    pub(super) fn divide(&self, bought_wh_q16: u128, sold_wh_q16: u128) -> Result<Vec<Fill>, BehaviourError> {
        let mut fills = self.divide_side(Side::Buy, bought_wh_q16)?;
        fills.extend(self.divide_side(Side::Sell, sold_wh_q16)?);
        Ok(fills)
    }

    fn divide_side(&self, side: Side, filled_wh_q16: u128) -> Result<Vec<Fill>, BehaviourError> {
        let mut offers: Vec<&Offer> = self.offers.iter().filter(|offer| offer.order.side == side).collect();
        // Stable: offers at one step keep the order in which they were made.
        match side {
            Side::Buy => offers.sort_by_key(|offer| std::cmp::Reverse(offer.order.limit_mct_per_kwh)),
            Side::Sell => offers.sort_by_key(|offer| offer.order.limit_mct_per_kwh),
        }
        let mut left = filled_wh_q16;
        let mut fills = Vec::with_capacity(offers.len());
        for offer in offers {
            // A step holds at most 32 bits, so that 16 more fit.
            let offered_wh_q16 = offer.order.energy_wh * WH_Q16;
            let energy_wh_q16 = u64::try_from(left).map_or(offered_wh_q16, |left| left.min(offered_wh_q16));
            left -= u128::from(energy_wh_q16);
            fills.push(Fill { purpose: offer.purpose, energy_wh_q16 });
        }
        if left > 0 {
            let offered_wh_q16 = filled_wh_q16 - left;
            return Err(BehaviourError::OverFill { side, filled_wh_q16, offered_wh_q16 });
        }
        Ok(fills)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(side: Side, limit_mct_per_kwh: i64, energy_wh: u64) -> Order {
        Order { side, limit_mct_per_kwh, energy_wh }
    }

    fn wh(energy_wh: u64) -> u128 {
        u128::from(energy_wh * WH_Q16)
    }

    #[test]
    fn a_step_is_capped_and_offers_at_it_are_merged() {
        let mut offers = Offers::new(255);
        assert_eq!(offers.add(Side::Sell, 30, 5, Purpose::Surplus), 0);
        assert_eq!(offers.add(Side::Buy, 20, 200, Purpose::Fixed), 0);
        assert_eq!(offers.add(Side::Buy, 20, 100, Purpose::Store), 45);
        assert_eq!(offers.add(Side::Buy, 20, 1, Purpose::Store), 1);
        assert_eq!(offers.add(Side::Buy, 10, 300, Purpose::Store), 45);
        let expected = [order(Side::Buy, 10, 255), order(Side::Buy, 20, 255), order(Side::Sell, 30, 5)];
        assert_eq!(offers.orders(), expected);
        assert_eq!((offers.highest_buy(), offers.lowest_sell()), (Some(20), Some(30)));
    }

    #[test]
    fn fills_go_to_the_keenest_offers_first() {
        let mut offers = Offers::new(255);
        offers.add(Side::Buy, 10, 4, Purpose::Flexible(0));
        offers.add(Side::Buy, 20, 3, Purpose::Fixed);
        offers.add(Side::Buy, 20, 2, Purpose::Store);
        offers.add(Side::Sell, 40, 3, Purpose::Lend(0));
        offers.add(Side::Sell, 30, 3, Purpose::Surplus);
        let fills = offers.divide(wh(6) + 1, wh(4)).unwrap();
        let expected = [
            (Purpose::Fixed, 3 * WH_Q16),
            (Purpose::Store, 2 * WH_Q16),
            (Purpose::Flexible(0), WH_Q16 + 1),
            (Purpose::Surplus, 3 * WH_Q16),
            (Purpose::Lend(0), WH_Q16),
        ];
        assert_eq!(fills, expected.map(|(purpose, energy_wh_q16)| Fill { purpose, energy_wh_q16 }));
    }

    #[test]
    fn more_than_offered_is_refused() {
        let mut offers = Offers::new(255);
        offers.add(Side::Buy, 10, 4, Purpose::Fixed);
        assert!(offers.divide(wh(4), 0).is_ok());
        let error = offers.divide(wh(4) + 1, 0).unwrap_err();
        let (filled_wh_q16, offered_wh_q16) = (wh(4) + 1, wh(4));
        assert_eq!(error, BehaviourError::OverFill { side: Side::Buy, filled_wh_q16, offered_wh_q16 });
        assert!(offers.divide(u128::MAX, 0).is_err());
        assert!(matches!(offers.divide(0, 1), Err(BehaviourError::OverFill { side: Side::Sell, .. })));
    }

    #[test]
    fn a_price_that_the_market_does_not_have_is_told_as_moved() {
        let grid = veilgrid_market::Grid::new(8_000, 1_000, 16).unwrap();
        let tariffs = crate::behaviour::Tariffs::new(20_000, 8_000).unwrap();
        let terms = MarketTerms::new(&grid, 16, tariffs).unwrap();
        let mut offers = Offers::new(100);
        offers.add_near(&terms, Side::Buy, 10_500, 5, Purpose::Fixed);
        offers.add_near(&terms, Side::Buy, 11_000, 5, Purpose::Fixed);
        offers.add_near(&terms, Side::Sell, 10_500, 5, Purpose::Surplus);
        // Nothing is offered, so nothing is moved; and what has no room is the caller's.
        offers.add_near(&terms, Side::Sell, 12_500, 0, Purpose::Surplus);
        assert_eq!(offers.add_near(&terms, Side::Buy, 10_100, 99, Purpose::Store), 4);
        let moved: Vec<(Side, i64, i64)> = offers
            .moved()
            .iter()
            .map(|one| (one.side, one.limit_mct_per_kwh, one.grid_price_mct_per_kwh))
            .collect();
        let buy = |meant| (Side::Buy, meant, 10_000);
        assert_eq!(moved, [buy(10_500), (Side::Sell, 10_500, 11_000), buy(10_100)]);
        assert_eq!(offers.count(), 4);
    }
}
