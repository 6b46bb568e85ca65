//! Demand that can wait: it bids low at first, higher with every slot it waits, and retail when it can't wait longer.

use super::offers::{Offers, Purpose};
use super::{MarketTerms, WH_Q16};
use veilgrid_market::Side;

/// Energy that became due together.
#[derive(Clone, Copy, Debug)]
struct Batch {
    needed_wh_q16: u64,
    /// Market slots that it has waited, and that it can.
    waited: u64,
    patience: u64,
    /// Where its limit starts, thousandths of the way from feed-in to retail.
    start_permille: u64,
}

impl Batch {
    fn is_due(&self) -> bool {
        self.waited >= self.patience
    }

    fn permille(&self) -> u64 {
        if self.is_due() {
            return 1000;
        }
        self.start_permille + (1000 - self.start_permille) * self.waited / self.patience
    }
}

/// The demand of one member that waits; a handful of batches, as each is served when its patience ends.
#[derive(Clone, Debug, Default)]
pub(super) struct Flexible {
    batches: Vec<Batch>,
}

impl Flexible {
    /// Demand of at most [`MAX_SLOT_WH`](super::MAX_SLOT_WH) that waits `patience` market slots, `start_permille` at
    /// most 1000.
    pub(super) fn add(&mut self, energy_wh: u64, patience: u64, start_permille: u64) {
        if energy_wh > 0 {
            let needed_wh_q16 = energy_wh * WH_Q16;
            self.batches.push(Batch { needed_wh_q16, waited: 0, patience, start_permille });
        }
    }

    /// Serves up to `energy_wh` from elsewhere, the oldest first, and returns how much was used.
    pub(super) fn cover(&mut self, energy_wh: u64) -> u64 {
        let mut left = energy_wh;
        for batch in &mut self.batches {
            let used = left.min(batch.needed_wh_q16 / WH_Q16);
            batch.needed_wh_q16 -= used * WH_Q16;
            left -= used;
        }
        energy_wh - left
    }

    /// Offers to buy everything; returns how much of what can't wait has no room in its step.
    pub(super) fn offer(&self, terms: &MarketTerms, offers: &mut Offers) -> u64 {
        let mut outside_wh = 0;
        for (index, batch) in self.batches.iter().enumerate() {
            let price = terms.price_at(batch.permille());
            let energy_wh = batch.needed_wh_q16 / WH_Q16;
            let excess = offers.add_near(terms, Side::Buy, price, energy_wh, Purpose::Flexible(index));
            if batch.is_due() {
                outside_wh += excess;
            }
        }
        outside_wh
    }

    /// A batch was bought; `index` is that of the offer.
    pub(super) fn fill(&mut self, index: usize, energy_wh_q16: u64) {
        if let Some(batch) = self.batches.get_mut(index) {
            batch.needed_wh_q16 = batch.needed_wh_q16.saturating_sub(energy_wh_q16);
        }
    }

    /// Ends the slot: returns what the grid serves, Wh/2^16, which is what can't wait longer and fractions of a Wh,
    /// which can't be ordered.
    pub(super) fn end_slot(&mut self) -> u64 {
        let mut grid_wh_q16 = 0;
        self.batches.retain_mut(|batch| {
            let ends = batch.is_due() || batch.needed_wh_q16 < WH_Q16;
            if ends {
                grid_wh_q16 += batch.needed_wh_q16;
            }
            batch.waited += 1;
            !ends
        });
        grid_wh_q16
    }

    pub(super) fn waiting_wh_q16(&self) -> u128 {
        self.batches.iter().map(|batch| u128::from(batch.needed_wh_q16)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::behaviour::Tariffs;
    use veilgrid_market::{Grid, Order};

    fn orders(flexible: &Flexible, max_step_wh: u64) -> (Vec<Order>, u64) {
        let grid = Grid::new(0, 1000, 64).unwrap();
        let terms = MarketTerms::new(&grid, 16, Tariffs::new(30_000, 10_000).unwrap()).unwrap();
        let mut offers = Offers::new(max_step_wh);
        let outside = flexible.offer(&terms, &mut offers);
        (offers.orders(), outside)
    }

    #[test]
    fn limits_rise_until_the_grid_serves_the_rest() {
        let mut flexible = Flexible::default();
        flexible.add(100, 2, 200);
        let mut limits = Vec::new();
        let mut grid = Vec::new();
        for _ in 0..3 {
            limits.push(orders(&flexible, 1000).0[0].limit_mct_per_kwh);
            flexible.fill(0, 30 * WH_Q16 + 1);
            grid.push(flexible.end_slot());
        }
        assert_eq!(limits, [14_000, 22_000, 30_000]);
        assert_eq!(grid, [0, 0, 10 * WH_Q16 - 3]);
        assert_eq!(flexible.waiting_wh_q16(), 0);
    }

    #[test]
    fn own_generation_serves_the_oldest_first() {
        let mut flexible = Flexible::default();
        flexible.add(10, 1, 0);
        flexible.add(20, 4, 0);
        assert_eq!(flexible.cover(15), 15);
        assert_eq!(flexible.waiting_wh_q16(), u128::from(15 * WH_Q16));
        assert_eq!(flexible.batches[0].needed_wh_q16, 0);
        assert_eq!(flexible.cover(50), 15);
        assert_eq!(flexible.end_slot(), 0);
        assert!(flexible.batches.is_empty());
    }

    #[test]
    fn only_what_is_due_counts_as_outside() {
        let mut flexible = Flexible::default();
        flexible.add(300, 1, 0);
        assert_eq!(orders(&flexible, 255).1, 0);
        flexible.end_slot();
        assert_eq!(orders(&flexible, 255).1, 45);
    }
}
