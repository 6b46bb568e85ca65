//! A month's readings, complete or refused: a missing value is never zero, and what a grade forbids is not billed.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use thiserror::Error;
use veilgrid_market::sharing::{Direction, Reading, Readings, SlotReadings};
use veilgrid_market::timestamp::format_utc;

/// More gaps than that are counted, not listed.
const LISTED: usize = 12;

/// What a value rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// Read from the meter.
    Measured,
    /// Put by the network operator in the place of one that could not be read.
    Substituted,
    /// A guess that somebody will replace.
    Estimated,
}

impl Grade {
    /// All, in their order.
    pub const ALL: [Self; 3] = [Self::Measured, Self::Substituted, Self::Estimated];

    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Substituted => "substituted",
            Self::Estimated => "estimated",
        }
    }
}

/// A value of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value {
    /// Energy.
    pub wh: u32,
    /// How it came about.
    pub grade: Grade,
}

/// What is known of one meter of an account, from a slot of the period on; `None` is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// The account's place.
    pub account: usize,
    /// The meter's id, for messages.
    pub meter: String,
    /// Which way.
    pub direction: Direction,
    /// The first slot in which the meter counts for the account.
    pub first_slot: usize,
    /// Its values, one a slot.
    pub values: Vec<Option<Value>>,
}

/// All that is known of a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Start of its first slot, seconds since 1970 UTC.
    pub start_unix_s: i64,
    /// Length of a slot.
    pub slot_seconds: u32,
    /// Slots of the period.
    pub slots: usize,
    /// The accounts' ids.
    pub accounts: Vec<String>,
    /// The meters.
    pub series: Vec<Series>,
}

/// Slots one after another that can't be billed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The account.
    pub account: String,
    /// The meter.
    pub meter: String,
    /// `consumption` or `generation`.
    pub direction: &'static str,
    /// The first slot's start.
    pub start: String,
    /// The last slot's end.
    pub end: String,
    /// How many.
    pub slots: u64,
    /// The grade that is not billed; nothing is known if there is none.
    pub grade: Option<Grade>,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, meter, direction, start, end, slots, grade } = self;
        let what = grade.map_or("missing", Grade::name);
        let noun = if *slots == 1 { "slot" } else { "slots" };
        write!(
            f,
            "account {account:?}, {direction} of meter {meter:?}: {slots} {noun} {what}, {start} to {end}"
        )
    }
}

/// A period that can't be billed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{} slots can't be billed, a missing value is never zero:{}\nask the network operator for the values and import them, or \
         let the market bill the grade (`billed_grades` of the community file)", total(.0), listed(.0))]
pub struct Incomplete(pub Vec<Gap>);

fn total(gaps: &[Gap]) -> u64 {
    gaps.iter().map(|gap| gap.slots).sum()
}

fn listed(gaps: &[Gap]) -> String {
    let mut text: String = gaps.iter().take(LISTED).map(|gap| format!("\n  {gap}")).collect();
    if gaps.len() > LISTED {
        text.push_str(&format!("\n  and {} more stretches", gaps.len() - LISTED));
    }
    text
}

/// How many values have which grade: measured, substituted, estimated.
pub type GradeCounts = [u64; 3];

/// Readings without a gap, of grades that may be billed. Only [`complete`] makes them.
#[derive(Debug, Clone)]
pub struct Complete {
    pub(crate) readings: Readings,
    /// By account: consumption, generation.
    pub(crate) grades: Vec<[GradeCounts; 2]>,
}

impl Complete {
    /// The readings by slot.
    pub fn readings(&self) -> &Readings {
        &self.readings
    }
}

/// Checks that every slot of every meter has a value that may be billed.
///
/// # Errors
/// [`Incomplete`] with all gaps.
pub fn complete(known: &Known, billed: &[Grade]) -> Result<Complete, Incomplete> {
    let mut gaps = Vec::new();
    let mut grades = vec![[GradeCounts::default(); 2]; known.accounts.len()];
    let start_of = |slot: usize| {
        known.start_unix_s + i64::from(known.slot_seconds) * i64::try_from(slot).unwrap_or(i64::MAX >> 16)
    };
    let mut slots: Vec<SlotReadings> = (0..known.slots)
        .map(|slot| SlotReadings {
            start_unix_s: start_of(slot),
            consumption: Vec::new(),
            generation: Vec::new(),
        })
        .collect();
    for series in &known.series {
        let side = usize::from(series.direction == Direction::Generation);
        for (slot, value) in (series.first_slot..).zip(&series.values) {
            let wrong = match value {
                Some(value) if billed.contains(&value.grade) => None,
                Some(value) => Some(Some(value.grade)),
                None => Some(None),
            };
            if let Some(grade) = wrong {
                note_gap(&mut gaps, known, series, (start_of(slot), start_of(slot + 1)), grade);
                continue;
            }
            let (Some(value), Some(at), Some(counts)) =
                (value, slots.get_mut(slot), grades.get_mut(series.account))
            else {
                continue;
            };
            counts[side][value.grade as usize] += 1;
            let readings = if side == 0 { &mut at.consumption } else { &mut at.generation };
            readings.push(Reading { account: series.account, energy_wh: u64::from(value.wh) });
        }
    }
    if gaps.is_empty() {
        Ok(Complete { readings: Readings { accounts: known.accounts.clone(), slots }, grades })
    } else {
        Err(Incomplete(gaps))
    }
}

/// Adds a slot to the gap that it continues, or as a new one.
fn note_gap(
    gaps: &mut Vec<Gap>,
    known: &Known,
    series: &Series,
    (start, end): (i64, i64),
    grade: Option<Grade>,
) {
    let (start, end) = (format_utc(start), format_utc(end));
    let direction = series.direction.name();
    if let Some(last) = gaps.last_mut()
        && (last.meter.as_str(), last.direction, last.grade) == (series.meter.as_str(), direction, grade)
        && last.end == start
    {
        last.end = end;
        last.slots += 1;
        return;
    }
    let account = known.accounts.get(series.account).cloned().unwrap_or_default();
    gaps.push(Gap { account, meter: series.meter.clone(), direction, start, end, slots: 1, grade });
}

/// A day on which the readings of an account's own meter are others than they were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedDay {
    /// The day, `2026-03-29`.
    pub date: String,
    /// `consumption` or `generation`.
    pub direction: String,
    /// Slots with another value.
    pub slots: u64,
    /// What is counted more, or less, Wh.
    pub change_wh: i64,
}

/// Slots that changed and what is counted more, by day and direction.
type ChangesByDay = BTreeMap<(String, &'static str), (u64, i64)>;

/// What changed between two times of knowing a period, by account; `date_of` names a slot's day.
pub fn changed_days(
    before: &Known,
    after: &Known,
    date_of: impl Fn(usize) -> String,
) -> BTreeMap<String, Vec<ChangedDay>> {
    let mut by_account: BTreeMap<String, ChangesByDay> = BTreeMap::new();
    for (old, new) in before.series.iter().zip(&after.series) {
        for (slot, (old_value, new_value)) in (old.first_slot..).zip(old.values.iter().zip(&new.values)) {
            let wh = |value: &Option<Value>| value.map_or(0, |value| i64::from(value.wh));
            if old_value.map(|value| value.wh) == new_value.map(|value| value.wh) {
                continue;
            }
            let account = after.accounts.get(new.account).cloned().unwrap_or_default();
            let days = by_account.entry(account).or_default();
            let day = days.entry((date_of(slot), new.direction.name())).or_default();
            *day = (day.0 + 1, day.1 + wh(new_value) - wh(old_value));
        }
    }
    let days = |days: ChangesByDay| {
        let day = |((date, direction), (slots, change_wh)): ((String, &'static str), (u64, i64))| {
            ChangedDay { date, direction: direction.to_owned(), slots, change_wh }
        };
        days.into_iter().map(day).collect()
    };
    by_account.into_iter().map(|(account, changed)| (account, days(changed))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(values: &[Option<(u32, Grade)>]) -> Known {
        let values = values.iter().map(|value| value.map(|(wh, grade)| Value { wh, grade })).collect();
        let series = Series {
            account: 0,
            meter: "AT1".into(),
            direction: Direction::Consumption,
            first_slot: 0,
            values,
        };
        Known {
            start_unix_s: 0,
            slot_seconds: 900,
            slots: 4,
            accounts: vec!["flat".into()],
            series: vec![series],
        }
    }

    #[test]
    fn missing_is_never_zero_and_a_grade_that_is_not_billed_is_named() {
        use Grade::{Estimated, Measured, Substituted};
        let billed = [Measured, Substituted];
        let whole =
            known(&[Some((0, Measured)), Some((5, Substituted)), Some((7, Measured)), Some((1, Measured))]);
        let complete_month = complete(&whole, &billed).expect("complete");
        assert_eq!(complete_month.grades, [[[3, 1, 0], [0; 3]]]);
        assert_eq!(complete_month.readings().slots[0].consumption, [Reading { account: 0, energy_wh: 0 }]);
        let text = |known: &Known| complete(known, &billed).expect_err("refused").to_string();
        let missing = text(&known(&[Some((0, Measured)), None, None, Some((1, Measured))]));
        assert!(
            missing.contains("2 slots missing, 1970-01-01T00:15:00Z to 1970-01-01T00:45:00Z"),
            "{missing}"
        );
        assert!(missing.contains("account \"flat\", consumption of meter \"AT1\""), "{missing}");
        let guessed =
            known(&[Some((0, Measured)), Some((9, Estimated)), Some((9, Measured)), Some((1, Measured))]);
        assert!(text(&guessed).contains("1 slot estimated"), "{}", text(&guessed));
        assert!(complete(&guessed, &Grade::ALL).is_ok());
        assert!(complete(&whole, &[Measured]).is_err());
    }

    #[test]
    fn days_that_changed_are_told_with_what_is_counted_more() {
        use Grade::{Measured, Substituted};
        let before =
            known(&[Some((1, Measured)), Some((5, Substituted)), Some((7, Measured)), Some((1, Measured))]);
        let after =
            known(&[Some((1, Measured)), Some((5, Measured)), Some((4, Measured)), Some((9, Measured))]);
        let changed = changed_days(&before, &after, |slot| format!("day {}", slot / 2));
        // A better grade of the same value changes nothing.
        let day =
            ChangedDay { date: "day 1".into(), direction: "consumption".into(), slots: 2, change_wh: 5 };
        assert_eq!(changed, BTreeMap::from([("flat".to_owned(), vec![day])]));
        assert!(changed_days(&after, &after, |_| String::new()).is_empty());
    }
}
