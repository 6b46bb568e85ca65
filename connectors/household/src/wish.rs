//! What a device wants, and the rows of orders that ask for it.

use crate::orders::Window;
use std::collections::BTreeMap;

/// One order for one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Start of delivery, Unix seconds.
    pub start_unix_s: i64,
    /// Whether it buys.
    pub buys: bool,
    /// The limit, mct/kWh.
    pub limit_mct_per_kwh: i64,
    /// The energy, Wh.
    pub energy_wh: u64,
}

/// What a device wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Power over stretches of time, as a charging plan has it.
    Plan {
        /// From, to (Unix seconds), W.
        stretches: Vec<(i64, i64, u64)>,
        /// The most that it may cost, mct/kWh.
        limit_mct_per_kwh: i64,
    },
    /// Energy until a departure.
    Departure {
        /// What is still to be bought, Wh.
        energy_wh: u64,
        /// The most that the charger takes, W.
        power_w: u64,
        /// When it has to be there, Unix seconds.
        ready_unix_s: i64,
        /// The most that it may cost, mct/kWh.
        limit_mct_per_kwh: i64,
    },
    /// The same in every slot, as a battery buys and sells between two prices.
    Standing {
        /// Whether it buys.
        buys: bool,
        /// The power, W.
        power_w: u64,
        /// The limit, mct/kWh.
        limit_mct_per_kwh: i64,
    },
}

impl Wish {
    /// The same less what was bought for it already, Wh; plans and standing wishes say themselves what they want.
    pub fn less(mut self, bought_wh: u64) -> Self {
        if let Self::Departure { energy_wh, .. } = &mut self {
            *energy_wh = energy_wh.saturating_sub(bought_wh);
        }
        self
    }

    /// Its orders for the slots of a window, from `not_before` on (Unix seconds). What lies outside is asked for when its time
    /// comes.
    pub fn rows(&self, window: Window, not_before_unix_s: i64) -> Vec<Row> {
        let starts = window.starts().filter(|start| *start >= not_before_unix_s);
        match self {
            Self::Plan { stretches, limit_mct_per_kwh } => {
                plan_rows(stretches, *limit_mct_per_kwh, window, starts)
            }
            Self::Departure { energy_wh, power_w, ready_unix_s, limit_mct_per_kwh } => {
                let end = |start: &i64| start.saturating_add(i64::from(window.slot_seconds)) <= *ready_unix_s;
                let starts: Vec<i64> = starts.filter(end).collect();
                departure_rows(*energy_wh, slot_wh(*power_w, window), *limit_mct_per_kwh, &starts)
            }
            Self::Standing { buys, power_w, limit_mct_per_kwh } => starts
                .map(|start_unix_s| Row {
                    start_unix_s,
                    buys: *buys,
                    limit_mct_per_kwh: *limit_mct_per_kwh,
                    energy_wh: slot_wh(*power_w, window),
                })
                .filter(|row| row.energy_wh > 0)
                .collect(),
        }
    }
}

/// Whole Wh that a power brings in a slot, cut.
fn slot_wh(power_w: u64, window: Window) -> u64 {
    power_w.saturating_mul(u64::from(window.slot_seconds)) / 3600
}

fn plan_rows(
    stretches: &[(i64, i64, u64)],
    limit_mct_per_kwh: i64,
    window: Window,
    starts: impl Iterator<Item = i64>,
) -> Vec<Row> {
    let length = i64::from(window.slot_seconds);
    // Watt-seconds first: stretches that share a slot are added before anything is cut.
    let mut watt_seconds: BTreeMap<i64, u64> = starts.map(|start| (start, 0)).collect();
    for (from, to, power_w) in stretches {
        let first = from.saturating_sub(length);
        if first >= *to {
            continue;
        }
        for (start, sum) in watt_seconds.range_mut(first..*to) {
            let seconds = to.min(&start.saturating_add(length)).saturating_sub(*from.max(start));
            let seconds = u64::try_from(seconds).unwrap_or(0);
            *sum = sum.saturating_add(power_w.saturating_mul(seconds));
        }
    }
    let row = |(start_unix_s, watt_seconds): (i64, u64)| Row {
        start_unix_s,
        buys: true,
        limit_mct_per_kwh,
        energy_wh: watt_seconds / 3600,
    };
    watt_seconds.into_iter().map(row).filter(|row| row.energy_wh > 0).collect()
}

/// As much in every slot: no slot alone decides whether the car leaves full, and a bid of every slot says less than one of few. What
/// does not divide goes to the first ones.
fn departure_rows(energy_wh: u64, most_wh: u64, limit_mct_per_kwh: i64, starts: &[i64]) -> Vec<Row> {
    let slots = starts.len() as u64;
    let (Some(each), Some(rest)) = (energy_wh.checked_div(slots), energy_wh.checked_rem(slots)) else {
        return Vec::new();
    };
    let energy = |index: usize| (each + u64::from((index as u64) < rest)).min(most_wh);
    let row = |(index, start): (usize, &i64)| Row {
        start_unix_s: *start,
        buys: true,
        limit_mct_per_kwh,
        energy_wh: energy(index),
    };
    starts.iter().enumerate().map(row).filter(|row| row.energy_wh > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { first_unix_s: 9_000, slot_seconds: 900 };

    fn energies(rows: &[Row]) -> Vec<(i64, u64)> {
        rows.iter().map(|row| (row.start_unix_s, row.energy_wh)).collect()
    }

    #[test]
    fn a_plan_asks_for_the_part_of_each_slot_that_it_covers() {
        let wish = Wish::Plan {
            stretches: vec![
                (8_000, 9_450, 11_000),
                (9_450, 9_900, 4_000),
                (10_800, 11_250, 8_000),
                (50, 20, 1),
            ],
            limit_mct_per_kwh: 30_000,
        };
        // 450 s of 11 kW and 450 s of 4 kW; nothing of the slot between; half of a slot of 8 kW.
        assert_eq!(energies(&wish.rows(WINDOW, 0)), [(9_000, 1_875), (10_800, 1_000)]);
        assert_eq!(energies(&wish.rows(WINDOW, 9_001)), [(10_800, 1_000)]);
    }

    #[test]
    fn energy_by_a_departure_is_spread_and_its_sum_is_what_was_asked_for() {
        let wish = |energy_wh, power_w| Wish::Departure {
            energy_wh,
            power_w,
            ready_unix_s: 9_000 + 3 * 900 + 899,
            limit_mct_per_kwh: 1,
        };
        assert_eq!(
            energies(&wish(10_000, 22_000).rows(WINDOW, 0)),
            [(9_000, 3_334), (9_900, 3_333), (10_800, 3_333)]
        );
        assert_eq!(
            energies(&wish(10_000, 4_000).rows(WINDOW, 0)),
            [(9_000, 1_000), (9_900, 1_000), (10_800, 1_000)]
        );
        assert_eq!(energies(&wish(2, 4_000).rows(WINDOW, 0)), [(9_000, 1), (9_900, 1)]);
        assert!(wish(10_000, 22_000).rows(WINDOW, 12_000).is_empty(), "too late");
    }

    #[test]
    fn a_standing_wish_is_for_a_day_of_slots() {
        let wish = Wish::Standing { buys: false, power_w: 2_000, limit_mct_per_kwh: 9_000 };
        let rows = wish.rows(WINDOW, 0);
        assert_eq!((rows.len(), rows[95].start_unix_s, rows[95].energy_wh), (96, 9_000 + 95 * 900, 500));
    }
}
