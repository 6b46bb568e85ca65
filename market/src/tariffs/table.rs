//! Tariffs by time of use: what the utility charges and pays, slot of the day by slot of the day.
//!
//! A day is divided into stretches of UTC minutes, each with a retail and a feed-in price. Local time never comes in: a day
//! on which clocks change is a day with other stretches, which the table says. A table holds days with the instant from
//! which each applies; a new one applies later than now and later than the last, so that nothing changes behind anybody.

use super::TariffError;
use crate::grid::{Grid, MAX_PRICE_MCT_PER_KWH};
use crate::utility::{Utility, UtilityError};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Minutes of a day.
pub const DAY_MINUTES: u32 = 1440;
/// Most stretches of a day: one per slot of five minutes.
pub const MAX_STRETCHES: usize = 288;
/// Most days in a table.
pub const MAX_DAYS: usize = 4096;

/// A stretch of the day with its prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stretch {
    /// First minute of the UTC day.
    pub from_minute: u32,
    /// The minute after its last; 1440 is the day's end.
    pub to_minute: u32,
    /// What energy from the utility costs.
    pub retail_mct_per_kwh: i64,
    /// What the utility pays for surplus; below zero, what it charges for it.
    pub feed_in_mct_per_kwh: i64,
}

/// `17:00-20:00`.
impl fmt::Display for Stretch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.from_minute, self.to_minute);
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

/// A day's tariffs: stretches one after another from 00:00 to 24:00 UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Stretch>", into = "Vec<Stretch>")]
pub struct TariffDay(Vec<Stretch>);

impl TryFrom<Vec<Stretch>> for TariffDay {
    type Error = TariffError;
    fn try_from(stretches: Vec<Stretch>) -> Result<Self, TariffError> {
        Self::new(stretches)
    }
}

impl From<TariffDay> for Vec<Stretch> {
    fn from(day: TariffDay) -> Self {
        day.0
    }
}

impl TariffDay {
    /// A day of these stretches.
    ///
    /// # Errors
    /// One [`TariffError`] per rule, with the stretch: the whole day without gap or overlap, feed-in at most retail, prices
    /// at most [`MAX_PRICE_MCT_PER_KWH`] from zero.
    pub fn new(stretches: Vec<Stretch>) -> Result<Self, TariffError> {
        if stretches.len() > MAX_STRETCHES {
            return Err(TariffError::TooManyStretches { stretches: stretches.len() });
        }
        let mut reached = 0;
        for stretch in &stretches {
            if stretch.from_minute != reached || stretch.to_minute <= stretch.from_minute {
                return Err(TariffError::Gap { stretch: stretch.to_string(), expected: clock(reached) });
            }
            let (retail, feed_in) = (stretch.retail_mct_per_kwh, stretch.feed_in_mct_per_kwh);
            if feed_in > retail {
                return Err(TariffError::FeedInAboveRetail {
                    stretch: stretch.to_string(),
                    feed_in_mct_per_kwh: feed_in,
                    retail_mct_per_kwh: retail,
                });
            }
            if retail > MAX_PRICE_MCT_PER_KWH || feed_in < -MAX_PRICE_MCT_PER_KWH {
                return Err(TariffError::Price { stretch: stretch.to_string() });
            }
            reached = stretch.to_minute;
        }
        if reached == DAY_MINUTES {
            Ok(Self(stretches))
        } else {
            Err(TariffError::End { reached: clock(reached) })
        }
    }

    /// One price each way all day.
    ///
    /// # Errors
    /// As [`TariffDay::new`].
    pub fn flat(retail_mct_per_kwh: i64, feed_in_mct_per_kwh: i64) -> Result<Self, TariffError> {
        Self::new(vec![Stretch {
            from_minute: 0,
            to_minute: DAY_MINUTES,
            retail_mct_per_kwh,
            feed_in_mct_per_kwh,
        }])
    }

    /// The stretches, from 00:00 on.
    pub fn stretches(&self) -> &[Stretch] {
        &self.0
    }

    /// Checks that no slot of a market lies in two stretches.
    ///
    /// # Errors
    /// [`TariffError::InsideSlot`] with the first stretch that ends inside of a slot.
    pub fn check_slots(&self, slot_seconds: u32) -> Result<(), TariffError> {
        let splits = |stretch: &&Stretch| !(stretch.to_minute * 60).is_multiple_of(slot_seconds.max(1));
        match self.0.iter().find(splits) {
            None => Ok(()),
            Some(stretch) => Err(TariffError::InsideSlot { stretch: stretch.to_string(), slot_seconds }),
        }
    }

    /// The stretch of a second of the day.
    fn at_second(&self, second: u32) -> Option<&Stretch> {
        self.0.iter().find(|stretch| second / 60 < stretch.to_minute)
    }
}

/// A minute of the day as people write it.
fn clock(minute: u32) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// A table: days' tariffs with the instants from which they apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(i64, TariffDay)>", into = "Vec<(i64, TariffDay)>")]
pub struct TariffTable(Vec<(i64, TariffDay)>);

impl TryFrom<Vec<(i64, TariffDay)>> for TariffTable {
    type Error = TariffError;
    fn try_from(days: Vec<(i64, TariffDay)>) -> Result<Self, TariffError> {
        let mut days = days.into_iter();
        let (from_unix_s, day) = days.next().ok_or(TariffError::Empty)?;
        let mut table = Self::new(from_unix_s, day);
        for (from_unix_s, day) in days {
            // Each entry was announced before it applied; here only their order can be checked.
            table.announce(i64::MIN, from_unix_s, day)?;
        }
        Ok(table)
    }
}

impl From<TariffTable> for Vec<(i64, TariffDay)> {
    fn from(table: TariffTable) -> Self {
        table.0
    }
}

impl TariffTable {
    /// A table whose first tariffs apply from an instant on.
    pub fn new(from_unix_s: i64, day: TariffDay) -> Self {
        Self(vec![(from_unix_s, day)])
    }

    /// Adds tariffs that apply later than now and later than all others; `now_unix_s` is the time of the block, say.
    ///
    /// # Errors
    /// [`TariffError::Retroactive`], [`TariffError::OutOfOrder`], [`TariffError::TooManyDays`]; the table is then unchanged.
    pub fn announce(&mut self, now_unix_s: i64, from_unix_s: i64, day: TariffDay) -> Result<(), TariffError> {
        if from_unix_s <= now_unix_s {
            return Err(TariffError::Retroactive { from_unix_s, now_unix_s });
        }
        if let Some((last_unix_s, _)) = self.0.last()
            && from_unix_s <= *last_unix_s
        {
            return Err(TariffError::OutOfOrder { from_unix_s, last_unix_s: *last_unix_s });
        }
        if self.0.len() >= MAX_DAYS {
            return Err(TariffError::TooManyDays);
        }
        self.0.push((from_unix_s, day));
        Ok(())
    }

    /// The prices of a slot, by its start; none before the first tariffs apply.
    pub fn at(&self, slot_start_unix_s: i64) -> Option<&Stretch> {
        let in_force = self.0.iter().rev().find(|(from_unix_s, _)| *from_unix_s <= slot_start_unix_s);
        // A day has fewer seconds than 32 bits hold.
        let second = slot_start_unix_s.rem_euclid(86_400) as u32;
        in_force.and_then(|(_, day)| day.at_second(second))
    }

    /// Checks every day against a market: slots, ticks, and feed-in below retail, which the utility's order needs.
    ///
    /// # Errors
    /// [`TariffError::InsideSlot`]; [`TariffError::Utility`] with the first stretch whose prices are no ticks.
    pub fn check_market(&self, grid: &Grid, slot_seconds: u32) -> Result<(), TariffError> {
        for (_, day) in &self.0 {
            day.check_slots(slot_seconds)?;
            for stretch in &day.0 {
                stretch.utility(grid, 0, 0)?;
            }
        }
        Ok(())
    }
}

impl Stretch {
    /// The utility's order in a slot of this stretch.
    ///
    /// # Errors
    /// [`TariffError::Utility`] with the stretch.
    pub fn utility(
        &self,
        grid: &Grid,
        import_limit_wh: u64,
        export_limit_wh: u64,
    ) -> Result<Utility, TariffError> {
        let (retail, feed_in) = (self.retail_mct_per_kwh, self.feed_in_mct_per_kwh);
        Utility::new(grid, retail, feed_in, import_limit_wh, export_limit_wh)
            .map_err(|why: UtilityError| TariffError::Utility { stretch: self.to_string(), why })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(from_minute: u32, to_minute: u32, retail: i64, feed_in: i64) -> Stretch {
        Stretch { from_minute, to_minute, retail_mct_per_kwh: retail, feed_in_mct_per_kwh: feed_in }
    }

    fn day() -> TariffDay {
        TariffDay::new(vec![
            stretch(0, 1_020, 28_000, 8_000),
            stretch(1_020, 1_200, 40_000, 10_000),
            stretch(1_200, 1_440, 28_000, -2_000),
        ])
        .unwrap()
    }

    #[test]
    fn a_slot_has_the_prices_of_its_stretch() {
        let table = TariffTable::new(86_400, day());
        let retail = |unix_s| {
            table.at(unix_s).map(|stretch| (stretch.retail_mct_per_kwh, stretch.feed_in_mct_per_kwh))
        };
        assert_eq!(retail(86_399), None);
        assert_eq!(retail(86_400), Some((28_000, 8_000)));
        assert_eq!(retail(2 * 86_400 + 17 * 3600 - 1), Some((28_000, 8_000)));
        assert_eq!(retail(2 * 86_400 + 17 * 3600), Some((40_000, 10_000)));
        assert_eq!(retail(3 * 86_400 - 1), Some((28_000, -2_000)));
    }

    #[test]
    fn every_rule_of_a_day_names_the_stretch() {
        let refused = |stretches: &[Stretch]| TariffDay::new(stretches.to_vec()).unwrap_err().to_string();
        let all_day = stretch(0, 1_440, 30_000, 8_000);
        let wrong = refused(&[stretch(0, 1_020, 30_000, 8_000), stretch(1_020, 1_440, 9_000, 9_001)]);
        assert!(wrong.contains("17:00-24:00: feed-in 9.001 ct/kWh is above retail 9.00"), "{wrong}");
        assert!(refused(&[]).contains("end at 00:00"));
        assert!(refused(&[stretch(0, 1_439, 2, 1)]).contains("end at 23:59"));
        assert!(refused(&[stretch(0, 600, 2, 1), stretch(601, 1_440, 2, 1)]).contains("10:01-24:00"));
        assert!(refused(&[stretch(0, 600, 2, 1), stretch(599, 1_440, 2, 1)]).contains("begin at 10:00"));
        assert!(refused(&[stretch(0, 0, 2, 1), all_day]).contains("00:00-00:00"));
        assert!(refused(&[stretch(0, 1_441, 2, 1)]).contains("24:01"));
        assert!(refused(&[all_day, stretch(1_440, 1_450, 2, 1)]).contains("24:10"));
        assert!(refused(&[stretch(0, 1_440, i64::MAX, 1)]).contains("00:00-24:00"));
        assert!(refused(&[stretch(0, 1_440, 1, i64::MIN)]).contains("00:00-24:00"));
        assert!(refused(&vec![all_day; 289]).contains("289"));
        assert!(TariffDay::flat(5, 5).is_ok() && TariffDay::flat(-5, -6).is_ok());
    }

    #[test]
    fn tariffs_are_never_retroactive() {
        let (now, mut table) = (1_000_000, TariffTable::new(0, day()));
        let before = table.clone();
        let flat = TariffDay::flat(30_000, 5_000).unwrap();
        assert!(matches!(table.announce(now, now, flat.clone()), Err(TariffError::Retroactive { .. })));
        assert!(matches!(table.announce(now, 1, flat.clone()), Err(TariffError::Retroactive { .. })));
        assert_eq!(table, before);
        table.announce(now, now + 100, flat.clone()).unwrap();
        assert!(matches!(table.announce(now, now + 100, flat.clone()), Err(TariffError::OutOfOrder { .. })));
        assert!(matches!(table.announce(now, now + 99, flat), Err(TariffError::OutOfOrder { .. })));
        // What was in force stays so for the slots before.
        for unix_s in [0, now, now + 99] {
            assert_eq!(table.at(unix_s), before.at(unix_s));
        }
        assert_eq!(table.at(now + 100).unwrap().retail_mct_per_kwh, 30_000);
    }

    #[test]
    fn a_table_fits_its_market() {
        let table = TariffTable::new(0, day());
        let grid = Grid::new(-4_000, 2_000, 32).unwrap();
        assert_eq!(table.check_market(&grid, 900), Ok(()));
        assert_eq!(table.check_market(&grid, 3_600), Ok(()));
        let early = TariffTable::new(
            0,
            TariffDay::new(vec![stretch(0, 1_005, 28_000, 8_000), stretch(1_005, 1_440, 40_000, 10_000)])
                .unwrap(),
        );
        let error = early.check_market(&grid, 1_800).unwrap_err().to_string();
        assert!(error.contains("00:00-16:45") && error.contains("1800"), "{error}");
        let coarse = Grid::new(0, 8_000, 8).unwrap();
        let error = table.check_market(&coarse, 900).unwrap_err().to_string();
        assert!(error.contains("00:00-17:00: the retail tariff 28.00 ct/kWh is none"), "{error}");
        let even = TariffTable::new(0, TariffDay::flat(8_000, 8_000).unwrap());
        assert!(even.check_market(&grid, 900).unwrap_err().to_string().contains("trade with itself"));
    }

    #[test]
    fn serde_checks_on_the_way_in() {
        let mut table = TariffTable::new(5, day());
        table.announce(6, 7, TariffDay::flat(2, 1).unwrap()).unwrap();
        let text = serde_json::to_string(&table).unwrap();
        assert_eq!(serde_json::from_str::<TariffTable>(&text).unwrap(), table);
        for (from, to) in [("1020", "1021"), ("[7,", "[5,"), ("28000", "7999")] {
            assert!(text.contains(from));
            assert!(serde_json::from_str::<TariffTable>(&text.replacen(from, to, 1)).is_err(), "{from}");
        }
        assert!(serde_json::from_str::<TariffTable>("[]").is_err());
    }
}
