//! A file's slots as days: vectors of one account and direction over the slots between the first and the last reading of a UTC day.

use crate::failure::Failure;
use crate::output;
use std::collections::BTreeMap;
use veilgrid_crypto::reading::MAX_SLOTS;
use veilgrid_market::sharing::{Direction, Readings};
use veilgrid_market::timestamp::format_utc;

/// Length of a slot where a day has only one.
const QUARTER_HOUR_S: u32 = 900;
const DAY_S: i64 = 86_400;
/// Readings are this wide where they fit, else twice as wide.
pub(super) const NARROW_BITS: u32 = 16;
const WIDE_BITS: u32 = 32;

/// One day of a file.
pub(super) struct Day {
    /// Start of its first slot, seconds since 1970 UTC.
    pub start_unix_s: i64,
    pub slot_seconds: u32,
    /// Slots from the first to the last one.
    pub slots: u16,
    /// Place in the file's slots and in the day, of each slot that has readings.
    pub places: Vec<(usize, usize)>,
}

/// The readings of one account and direction on a day.
pub(super) struct Row {
    pub account: usize,
    pub direction: Direction,
    /// Slot of the day and Wh, in the order of slots.
    pub readings: Vec<(usize, u64)>,
}

/// Splits a file into days.
///
/// # Errors
/// A day that has more slots than a vector.
pub(super) fn days_of(readings: &Readings) -> Result<Vec<Day>, Failure> {
    let mut by_day: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (at, slot) in readings.slots.iter().enumerate() {
        by_day.entry(slot.start_unix_s.div_euclid(DAY_S)).or_default().push(at);
    }
    by_day.into_values().map(|places| day_of(readings, &places)).collect()
}

fn day_of(readings: &Readings, places: &[usize]) -> Result<Day, Failure> {
    let start = |at: usize| readings.slots[at].start_unix_s;
    let start_unix_s = places.first().map_or(0, |first| start(*first));
    let since: Vec<u32> =
        places.iter().map(|at| u32::try_from(start(*at) - start_unix_s).unwrap_or(u32::MAX)).collect();
    let common = since.iter().fold(0, |common, seconds| greatest_common_divisor(common, *seconds));
    let slot_seconds = if common == 0 { QUARTER_HOUR_S } else { common };
    let in_day = |seconds: &u32| (seconds / slot_seconds) as usize;
    let slots = since.last().map_or(0, in_day) + 1;
    if slots > MAX_SLOTS {
        return Err(Failure::Input(format!(
            "the day from {} on has {slots} slots of {slot_seconds} s, more than the {MAX_SLOTS} that are sealed together; check \
             the starts of its slots, or share it out with --plain",
            format_utc(start_unix_s)
        )));
    }
    let places = places.iter().copied().zip(since.iter().map(in_day)).collect();
    Ok(Day { start_unix_s, slot_seconds, slots: slots as u16, places })
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

impl Day {
    /// The readings of all accounts, by account, consumption first.
    pub fn rows(&self, readings: &Readings) -> Vec<Row> {
        let mut rows: BTreeMap<(usize, Direction), Vec<(usize, u64)>> = BTreeMap::new();
        for (at, slot) in &self.places {
            for direction in [Direction::Consumption, Direction::Generation] {
                for reading in readings.slots[*at].of(direction) {
                    rows.entry((reading.account, direction)).or_default().push((*slot, reading.energy_wh));
                }
            }
        }
        let row = |((account, direction), readings)| Row { account, direction, readings };
        rows.into_iter().map(row).collect()
    }
}

/// Bits that hold every reading of a file.
///
/// # Errors
/// Readings that are too large to be sealed, and so many large ones that their sum could not be opened; with the first one. Shares
/// are proved of narrow readings alone.
pub(super) fn bits_for(readings: &Readings, pro_rata: bool) -> Result<u32, Failure> {
    let all = || {
        readings.slots.iter().flat_map(|slot| {
            let both = slot.consumption.iter().chain(&slot.generation);
            both.map(move |reading| (slot.start_unix_s, reading))
        })
    };
    let above = |bits: u32| all().find(|(_, reading)| reading.energy_wh >> bits != 0);
    let Some((start, first)) = above(NARROW_BITS) else { return Ok(NARROW_BITS) };
    let wide = pro_rata && above(WIDE_BITS).is_none() && readings.accounts.len() <= 1 << (40 - WIDE_BITS);
    if wide {
        return Ok(WIDE_BITS);
    }
    let (start, first) = above(WIDE_BITS).unwrap_or((start, first));
    let account = output::harmless(&readings.accounts[first.account]);
    Err(Failure::Input(format!(
        "{account} has {} Wh in {}: sealed readings are below 65536 Wh, with --key pro-rata and up to 256 accounts below 4294967296 \
         Wh; check the unit, or share it out with --plain",
        first.energy_wh,
        format_utc(start)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use veilgrid_market::sharing::parse_readings;

    fn readings(rows: &[(&str, &str, &str, u64)]) -> Readings {
        let mut text = "slot_start,account,direction,energy_wh\n".to_owned();
        for (slot, account, direction, energy) in rows {
            text += &format!("{slot},{account},{direction},{energy}\n");
        }
        parse_readings(text.as_bytes()).expect("readings")
    }

    #[test]
    fn slots_lie_where_their_time_says() {
        let readings = readings(&[
            ("2026-10-24T10:00:00Z", "a", "consumption", 1),
            ("2026-10-24T10:45:00Z", "a", "consumption", 2),
            ("2026-10-24T10:15:00Z", "b", "generation", 3),
            ("2026-10-25T00:00:00Z", "b", "generation", 4),
        ]);
        let days = days_of(&readings).expect("days");
        assert_eq!((days[0].slots, days[0].slot_seconds, days[0].places.len()), (4, 900, 3));
        assert_eq!(days[0].places, [(0, 0), (1, 1), (2, 3)]);
        assert_eq!((days[1].slots, days[1].slot_seconds), (1, 900));
        let rows = days[0].rows(&readings);
        assert_eq!((rows[0].account, &rows[0].readings[..]), (0, &[(0, 1), (3, 2)][..]));
        assert_eq!((rows[1].direction, &rows[1].readings[..]), (Direction::Generation, &[(1, 3)][..]));
    }

    #[test]
    fn what_can_not_be_sealed_is_named() {
        let apart = readings(&[
            ("2026-10-24T00:00:00Z", "a", "consumption", 1),
            ("2026-10-24T00:00:07Z", "a", "consumption", 2),
            ("2026-10-24T20:00:00Z", "b", "generation", 3),
        ]);
        assert!(days_of(&apart).err().expect("too many").to_string().contains("--plain"));
        let large = readings(&[("2026-10-24T00:00:00Z", "a", "consumption", 65_536)]);
        assert_eq!(bits_for(&large, true).expect("wide"), 32);
        assert!(bits_for(&large, false).expect_err("refused").to_string().contains("a has 65536 Wh"));
        let huge = readings(&[("2026-10-24T00:00:00Z", "a", "consumption", 1 << 32)]);
        assert!(bits_for(&huge, true).is_err());
        let small = readings(&[("2026-10-24T00:00:00Z", "a", "consumption", 65_535)]);
        assert_eq!(bits_for(&small, false).expect("narrow"), 16);
    }
}
