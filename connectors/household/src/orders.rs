//! The owner's own rows and the wishes of devices as one file of orders, which a participant reads again for every round.
//!
//! A row of the file has a time of day and no date. Rows are therefore written for one day from the next slot on, never for more:
//! each counts for exactly the slot that is meant, as long as the file is written anew when the day moves on.

use crate::decimal::ct_per_kwh;
use crate::wish::Row;
use std::collections::BTreeMap;
use thiserror::Error;
use veilgrid_market::units::format_kwh;

/// The first line of a file of orders.
pub const HEADER: &str = "slot,side,price_ct_per_kwh,quantity_kwh";
/// The slot of rows that count for every slot without rows of its own.
const EVERY_SLOT: &str = "*";
const SECONDS_PER_DAY: i64 = 86_400;

/// The slots of one day, from the next one that is traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Start of the first slot, Unix seconds.
    pub first_unix_s: i64,
    /// Length of a slot, seconds.
    pub slot_seconds: u32,
}

impl Window {
    /// The starts of its slots, Unix seconds.
    pub fn starts(self) -> impl Iterator<Item = i64> {
        let length = i64::from(self.slot_seconds.max(60));
        (0..SECONDS_PER_DAY / length).filter_map(move |n| self.first_unix_s.checked_add(n * length))
    }
}

/// Why the owner's own rows can't be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OrdersFault {
    /// "The first line names the columns."
    #[error("the first line that is no comment has to be {HEADER}")]
    Header,
}

/// One file of orders: the owner's own rows as they stand, and for each slot with a wish these rows beside the wishes. Rows for every
/// slot count where there is none of its own, so a slot with a wish repeats them.
///
/// # Errors
/// [`OrdersFault`].
pub fn merge(own: &str, wishes: &[Row], window: Window) -> Result<String, OrdersFault> {
    let mut lines = own.trim_start_matches('\u{feff}').lines().map(str::trim);
    let is_row = |line: &&str| !line.is_empty() && !line.starts_with('#');
    if lines.find(is_row).is_some_and(|line| line.replace(' ', "") != HEADER) {
        return Err(OrdersFault::Header);
    }
    let rows: Vec<(&str, &str)> =
        lines.filter(is_row).map(|row| row.split_once(',').unwrap_or((row, ""))).collect();
    let mut by_slot: BTreeMap<i64, Vec<&Row>> = BTreeMap::new();
    for wish in wishes {
        by_slot.entry(wish.start_unix_s).or_default().push(wish);
    }
    let mut text = format!("{HEADER}\n");
    rows.iter().for_each(|(slot, rest)| push(&mut text, slot.trim(), rest));
    for start in window.starts() {
        let Some(wishes) = by_slot.get(&start) else { continue };
        let name = time_of_day(start);
        if !rows.iter().any(|(slot, _)| slot.trim() == name) {
            let every = rows.iter().filter(|(slot, _)| slot.trim() == EVERY_SLOT);
            every.for_each(|(_, rest)| push(&mut text, &name, rest));
        }
        for wish in wishes {
            let side = if wish.buys { "buy" } else { "sell" };
            let rest =
                format!("{side},{},{}", ct_per_kwh(wish.limit_mct_per_kwh), format_kwh(wish.energy_wh));
            push(&mut text, &name, &rest);
        }
    }
    Ok(text)
}

fn push(text: &mut String, slot: &str, rest: &str) {
    text.push_str(slot);
    text.push(',');
    text.push_str(rest);
    text.push('\n');
}

fn time_of_day(unix_s: i64) -> String {
    let minute = unix_s.rem_euclid(SECONDS_PER_DAY) / 60;
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { first_unix_s: 86_400 - 900, slot_seconds: 900 };

    fn wish(start_unix_s: i64) -> Row {
        Row { start_unix_s, buys: true, limit_mct_per_kwh: 28_755, energy_wh: 1_875 }
    }

    #[test]
    fn own_rows_stay_and_a_slot_with_a_wish_keeps_those_for_every_slot() {
        let own = "# mine\nslot,side,price_ct_per_kwh,quantity_kwh\n*,buy,20,0.5\n00:15, sell,9,1\n";
        let merged = merge(own, &[wish(86_400), wish(86_400 + 900)], WINDOW).expect("merged");
        assert_eq!(
            merged,
            format!(
                "{HEADER}\n*,buy,20,0.5\n00:15, sell,9,1\n00:00,buy,20,0.5\n00:00,buy,28.755,1.875\n00:15,buy,28.755,1.875\n"
            )
        );
    }

    #[test]
    fn a_wish_of_another_day_is_not_written_under_the_same_time() {
        let merged = merge("", &[wish(2 * 86_400 - 900), wish(86_400 - 1_800)], WINDOW).expect("merged");
        assert_eq!(merged, format!("{HEADER}\n"));
        assert_eq!(
            merge("", &[wish(86_400 - 900)], WINDOW).expect("merged").lines().nth(1),
            Some("23:45,buy,28.755,1.875")
        );
    }

    #[test]
    fn own_rows_without_their_first_line_are_refused() {
        assert_eq!(merge("*,buy,20,0.5\n", &[], WINDOW), Err(OrdersFault::Header));
    }
}
