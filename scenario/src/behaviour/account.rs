//! Where a member's energy came from and went to, in Wh/2^16, so that nothing is lost or found.

use serde::Serialize;

/// Totals over the slots so far, in Wh/2^16.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EnergyAccount {
    /// What the member's load and vehicles asked for.
    pub demand_wh_q16: u128,
    /// What it generated.
    pub generation_wh_q16: u128,
    /// Own generation that covered own demand.
    pub own_use_wh_q16: u128,
    /// Bought in the market.
    pub bought_wh_q16: u128,
    /// Taken from the grid at retail.
    pub from_grid_wh_q16: u128,
    /// Sold in the market.
    pub sold_wh_q16: u128,
    /// Part of what was sold that vehicles lent, and that has to be bought back.
    pub lent_wh_q16: u128,
    /// Fed into the grid at the feed-in tariff.
    pub fed_in_wh_q16: u128,
    /// Bought ahead of its use and not used yet.
    pub stored_wh_q16: u128,
    /// Demand that still waits.
    pub waiting_wh_q16: u128,
}

impl EnergyAccount {
    /// Whether sources equal uses, on both sides of the meter.
    pub fn is_balanced(&self) -> bool {
        let uses = self.demand_wh_q16 + self.lent_wh_q16 + self.stored_wh_q16;
        let sources = self.own_use_wh_q16 + self.bought_wh_q16 + self.from_grid_wh_q16 + self.waiting_wh_q16;
        let given = self.generation_wh_q16 + self.lent_wh_q16;
        uses == sources && given == self.own_use_wh_q16 + self.sold_wh_q16 + self.fed_in_wh_q16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_total_counts() {
        let balanced = EnergyAccount {
            demand_wh_q16: 76,
            generation_wh_q16: 40,
            own_use_wh_q16: 10,
            bought_wh_q16: 46,
            from_grid_wh_q16: 20,
            sold_wh_q16: 25,
            lent_wh_q16: 5,
            fed_in_wh_q16: 10,
            stored_wh_q16: 3,
            waiting_wh_q16: 8,
        };
        assert!(balanced.is_balanced());
        let totals: [fn(&mut EnergyAccount) -> &mut u128; 10] = [
            |account| &mut account.demand_wh_q16,
            |account| &mut account.generation_wh_q16,
            |account| &mut account.own_use_wh_q16,
            |account| &mut account.bought_wh_q16,
            |account| &mut account.from_grid_wh_q16,
            |account| &mut account.sold_wh_q16,
            |account| &mut account.lent_wh_q16,
            |account| &mut account.fed_in_wh_q16,
            |account| &mut account.stored_wh_q16,
            |account| &mut account.waiting_wh_q16,
        ];
        for total in totals {
            let mut account = balanced;
            *total(&mut account) += 1;
            assert!(!account.is_balanced(), "{account:?}");
        }
    }
}
