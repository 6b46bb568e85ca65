//! Prices of shared energy by time of use, as a table by UTC time that a ledger can hold too, from hours of the community's clock.

use std::collections::BTreeMap;
use thiserror::Error;
use veilgrid_market::tariffs::{DAY_MINUTES, Stretch, TariffDay, TariffError, TariffTable, ZoneFees};
use veilgrid_market::units::format_ct_per_kwh;

const DAY_S: i64 = 86_400;

/// A price with its name: what a member pays for shared energy, and what it gets for it. The difference is the community's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tariff {
    /// As the bill shows it.
    pub name: String,
    /// What a member pays, mct/kWh.
    pub buy_mct_per_kwh: i64,
    /// What a member gets, mct/kWh; at most what one pays.
    pub sell_mct_per_kwh: i64,
}

/// A tariff from an instant on, until the next one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Seconds since 1970 UTC.
    pub from_unix_s: i64,
    /// Its place among the tariffs.
    pub tariff: usize,
}

/// Why prices are refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the fields are what the messages say")]
pub enum PriceError {
    /// The market's own rules.
    #[error("{0}")]
    Table(#[from] TariffError),
    /// One price under two names: a bill could not tell them apart.
    #[error(
        "the tariffs {first:?} and {second:?} both cost {} and bring {} ct/kWh; give them one name",
        format_ct_per_kwh(*buy), format_ct_per_kwh(*sell)
    )]
    TwoNames { first: String, second: String, buy: i64, sell: i64 },
    /// Instants that do not rise, or of no whole minute.
    #[error("tariffs change at an instant that is no whole minute, or not later than the one before")]
    Steps,
    /// A slot before the first prices.
    #[error("no price is in force at {0}; add [[prices]] with an earlier `from`")]
    NoPrice(String),
    /// A slot before the first fees.
    #[error(
        "no fees are in force at {0}; add [[fees]] with an earlier `from`, or leave [[fees]] out altogether"
    )]
    NoFees(String),
}

/// Fees of all zones from an instant on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fees {
    /// Seconds since 1970 UTC.
    pub from_unix_s: i64,
    /// By zone, mct/kWh.
    pub by_zone: ZoneFees,
    /// The zones' names on bills.
    pub names: BTreeMap<u16, String>,
}

/// The prices of a month.
#[derive(Debug, Clone)]
pub struct Prices {
    tariffs: Vec<Tariff>,
    table: TariffTable,
    by_price: BTreeMap<(i64, i64), usize>,
}

impl Prices {
    /// Prices from their steps, in the order of time.
    ///
    /// # Errors
    /// [`PriceError`].
    pub fn new(tariffs: Vec<Tariff>, steps: &[Step], slot_seconds: u32) -> Result<Self, PriceError> {
        let mut by_price = BTreeMap::new();
        for (at, tariff) in tariffs.iter().enumerate() {
            let price = (tariff.buy_mct_per_kwh, tariff.sell_mct_per_kwh);
            let before = *by_price.entry(price).or_insert(at);
            if let Some(first) = tariffs.get(before).filter(|first| first.name != tariff.name) {
                let (first, second) = (first.name.clone(), tariff.name.clone());
                return Err(PriceError::TwoNames { first, second, buy: price.0, sell: price.1 });
            }
        }
        let table = table_of(&tariffs, steps, slot_seconds)?;
        Ok(Self { tariffs, table, by_price })
    }

    /// The tariffs.
    pub fn tariffs(&self) -> &[Tariff] {
        &self.tariffs
    }

    /// The same as a ledger would hold it.
    pub fn table(&self) -> &TariffTable {
        &self.table
    }

    /// The tariff of a slot.
    pub fn at(&self, slot_start_unix_s: i64) -> Option<usize> {
        let stretch = self.table.at(slot_start_unix_s)?;
        self.by_price.get(&(stretch.retail_mct_per_kwh, stretch.feed_in_mct_per_kwh)).copied()
    }
}

/// Steps as days of UTC, each from its midnight on; days that repeat are there once.
fn table_of(tariffs: &[Tariff], steps: &[Step], slot_seconds: u32) -> Result<TariffTable, PriceError> {
    let rises = steps.is_sorted_by(|a, b| a.from_unix_s < b.from_unix_s);
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else {
        return Err(TariffError::Empty.into());
    };
    if !rises || steps.iter().any(|step| step.from_unix_s % 60 != 0) {
        return Err(PriceError::Steps);
    }
    let mut table: Option<(TariffTable, TariffDay)> = None;
    let (first_day, last_day) = (first.from_unix_s.div_euclid(DAY_S), last.from_unix_s.div_euclid(DAY_S) + 1);
    for day in first_day..=last_day {
        let stretches = day_of(tariffs, steps, day * DAY_S);
        let stretches = TariffDay::new(stretches)?;
        stretches.check_slots(slot_seconds)?;
        // The first day's prices hold from its midnight, too; nobody bills a slot from before the first step.
        table = Some(match table {
            None => (TariffTable::new(first.from_unix_s, stretches.clone()), stretches),
            Some((mut table, before)) if before != stretches => {
                table.announce(i64::MIN, day * DAY_S, stretches.clone())?;
                (table, stretches)
            }
            Some(same) => same,
        });
    }
    table.map(|(table, _)| table).ok_or_else(|| TariffError::Empty.into())
}

/// The stretches of the UTC day that begins at an instant.
fn day_of(tariffs: &[Tariff], steps: &[Step], midnight: i64) -> Vec<Stretch> {
    let in_force = steps.partition_point(|step| step.from_unix_s <= midnight).saturating_sub(1);
    let until = midnight + DAY_S;
    let inside = steps.iter().skip(in_force).take_while(|step| step.from_unix_s < until);
    let inside: Vec<&Step> = inside.collect();
    let minute =
        |unix_s: i64| u32::try_from((unix_s.clamp(midnight, until) - midnight) / 60).unwrap_or(DAY_MINUTES);
    let mut stretches = Vec::with_capacity(inside.len());
    for (at, step) in inside.iter().enumerate() {
        let Some(tariff) = tariffs.get(step.tariff) else { continue };
        let end = inside.get(at + 1).map_or(until, |next| next.from_unix_s);
        stretches.push(Stretch {
            from_minute: if at == 0 { 0 } else { minute(step.from_unix_s) },
            to_minute: minute(end),
            retail_mct_per_kwh: tariff.buy_mct_per_kwh,
            feed_in_mct_per_kwh: tariff.sell_mct_per_kwh,
        });
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tariff(name: &str, buy: i64, sell: i64) -> Tariff {
        Tariff { name: name.into(), buy_mct_per_kwh: buy, sell_mct_per_kwh: sell }
    }

    #[test]
    fn every_slot_has_the_tariff_of_its_step_in_any_zone() {
        let tariffs = vec![
            tariff("night", 10_000, 8_000),
            tariff("day", 15_000, 12_000),
            tariff("gift", -2_000, -3_000),
        ];
        // Steps as of a zone one hour east, with a day of 23 hours in between.
        let steps: Vec<Step> =
            [(-3_600, 0), (18_000, 1), (75_600, 0), (100_800, 1), (162_000, 2), (180_000, 0)]
                .map(|(from_unix_s, tariff)| Step { from_unix_s, tariff })
                .into();
        let prices = Prices::new(tariffs, &steps, 900).expect("prices");
        for slot in (-3_600..400_000).step_by(900) {
            let expected = steps.iter().rev().find(|step| step.from_unix_s <= slot).map(|step| step.tariff);
            assert_eq!(prices.at(slot), expected, "{slot}");
        }
        assert_eq!(prices.at(-3_601), None);
    }

    #[test]
    fn every_rule_of_prices_refuses() {
        let steps = [Step { from_unix_s: 0, tariff: 0 }];
        let refused = |tariffs: Vec<Tariff>, steps: &[Step]| {
            Prices::new(tariffs, steps, 900).expect_err("refused").to_string()
        };
        let two = vec![tariff("a", 5, 5), tariff("b", 5, 5)];
        assert!(refused(two, &steps).contains("\"a\" and \"b\""));
        assert!(refused(vec![tariff("a", 5, 6)], &steps).contains("is above retail"));
        assert!(refused(vec![tariff("a", 5, 5)], &[]).contains("at least one day"));
        let falls = [Step { from_unix_s: 60, tariff: 0 }, Step { from_unix_s: 60, tariff: 0 }];
        assert!(refused(vec![tariff("a", 5, 5)], &falls).contains("not later"));
        let odd = [Step { from_unix_s: 30, tariff: 0 }];
        assert!(refused(vec![tariff("a", 5, 5)], &odd).contains("whole minute"));
        let inside = [Step { from_unix_s: 0, tariff: 0 }, Step { from_unix_s: 600, tariff: 1 }];
        assert!(refused(vec![tariff("a", 5, 5), tariff("b", 6, 6)], &inside).contains("inside of a slot"));
    }
}
