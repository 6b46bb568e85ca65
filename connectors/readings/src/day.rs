//! One day of one meter in one direction, with all its revisions: nothing that was known is ever overwritten.

use crate::{Date, Grade};
use thiserror::Error;

/// A value of a slot, in whole Wh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotValue {
    /// Energy, at most 1 GWh.
    pub wh: u32,
    /// How it came about.
    pub grade: Grade,
}

/// A slot of a day; `None` where nothing is known. That is never zero.
pub type Slot = Option<SlotValue>;

/// The whole day as known after an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// The import that it came with, counted from 1.
    pub import: u32,
    /// All slots of the day.
    pub slots: Vec<Slot>,
}

/// A day with its revisions, the oldest first; there is at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayRecord {
    /// Its date.
    pub date: Date,
    /// What was known, in the order of the imports.
    pub revisions: Vec<Revision>,
}

/// What an import changed in a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing: all of it was known.
    Unchanged,
    /// Slots that nothing was known about, in the first revision or in one of the same import.
    Filled {
        /// Their number.
        slots: u32,
    },
    /// A new revision beside the earlier ones.
    Revised {
        /// Slots that nothing was known about.
        filled: u32,
        /// Slots that had another value or grade.
        corrected: u32,
    },
}

/// One import says two things of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "{date}, slot {slot} (counted from 0): this import says {} Wh ({}) and {} Wh ({}); a file has one value per slot, corrections come in a later import",
    first.wh, first.grade.name(), second.wh, second.grade.name()
)]
pub struct Conflict {
    /// The day.
    pub date: Date,
    /// The slot's place in the day.
    pub slot: usize,
    /// What it said first.
    pub first: SlotValue,
    /// What it said then.
    pub second: SlotValue,
}

impl DayRecord {
    /// A day of which nothing is known yet; it becomes a record with its first merge.
    pub fn new(date: Date) -> Self {
        Self { date, revisions: Vec::new() }
    }

    /// What is known now.
    pub fn current(&self) -> &[Slot] {
        self.revisions.last().map_or(&[], |revision| &revision.slots)
    }

    /// Takes in what an import says of the day; slots that it says nothing of stay as they are, and so does what it calls
    /// missing: a value that was known once is not forgotten.
    ///
    /// # Errors
    /// [`Conflict`]; the record is unchanged then.
    pub fn merge(&mut self, said: &[Slot], import: u32) -> Result<Change, Conflict> {
        let Some(last) = self.revisions.last_mut() else {
            let slots = count(said.iter().flatten());
            if slots == 0 {
                return Ok(Change::Unchanged);
            }
            self.revisions.push(Revision { import, slots: said.to_vec() });
            return Ok(Change::Filled { slots });
        };
        let filled = count(pairs(&last.slots, said).filter(|(_, known, _)| known.is_none()));
        let corrections =
            pairs(&last.slots, said).filter_map(|(slot, known, second)| Some((slot, known?, second)));
        let corrections: Vec<_> = corrections.filter(|(_, first, second)| first != second).collect();
        if filled == 0 && corrections.is_empty() {
            return Ok(Change::Unchanged);
        }
        if last.import == import {
            if let Some(&(slot, first, second)) = corrections.first() {
                return Err(Conflict { date: self.date, slot, first, second });
            }
            overlay(&mut last.slots, said);
            return Ok(Change::Filled { slots: filled });
        }
        let corrected = count(corrections.iter());
        let mut slots = last.slots.clone();
        overlay(&mut slots, said);
        self.revisions.push(Revision { import, slots });
        Ok(Change::Revised { filled, corrected })
    }
}

/// What is said of a slot, with its place and what is known of it.
fn pairs<'a>(known: &'a [Slot], said: &'a [Slot]) -> impl Iterator<Item = (usize, Slot, SlotValue)> + 'a {
    known
        .iter()
        .zip(said)
        .enumerate()
        .filter_map(|(slot, (known, said))| said.map(|said| (slot, *known, said)))
}

fn overlay(known: &mut [Slot], said: &[Slot]) {
    for (known, said) in known.iter_mut().zip(said) {
        *known = said.or(*known);
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    // A day has at most 90,000 slots.
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const M: Grade = Grade::Measured;

    fn day(values: &[Option<u32>]) -> Vec<Slot> {
        values.iter().map(|value| value.map(|wh| SlotValue { wh, grade: M })).collect()
    }

    fn record() -> DayRecord {
        let mut record = DayRecord::new("2026-06-21".parse().expect("a date"));
        assert_eq!(record.merge(&day(&[Some(1), None, Some(3)]), 1), Ok(Change::Filled { slots: 2 }));
        record
    }

    #[test]
    fn a_later_import_makes_a_revision_and_overwrites_nothing() {
        let mut record = record();
        assert_eq!(
            record.merge(&day(&[Some(7), Some(0), None]), 2),
            Ok(Change::Revised { filled: 1, corrected: 1 })
        );
        assert_eq!(record.current(), day(&[Some(7), Some(0), Some(3)]));
        assert_eq!(
            record.revisions.first().map(|first| first.slots.clone()),
            Some(day(&[Some(1), None, Some(3)]))
        );
    }

    #[test]
    fn the_same_again_changes_nothing_and_missing_takes_nothing_away() {
        let mut record = record();
        let before = record.clone();
        for import in [1, 2] {
            assert_eq!(record.merge(&day(&[Some(1), None, Some(3)]), import), Ok(Change::Unchanged));
            assert_eq!(record.merge(&day(&[None, None, None]), import), Ok(Change::Unchanged));
        }
        assert_eq!(record, before);
        let mut empty = DayRecord::new(record.date);
        assert_eq!(empty.merge(&day(&[None, None]), 1), Ok(Change::Unchanged));
        assert!(empty.revisions.is_empty());
    }

    #[test]
    fn an_import_fills_its_own_day_and_never_contradicts_itself() {
        let mut record = record();
        assert_eq!(record.merge(&day(&[None, Some(2), Some(3)]), 1), Ok(Change::Filled { slots: 1 }));
        assert_eq!(record.revisions.len(), 1);
        let before = record.clone();
        let conflict = record.merge(&day(&[Some(5), None, None]), 1).expect_err("two values");
        assert_eq!((conflict.slot, conflict.first.wh, conflict.second.wh), (0, 1, 5));
        assert_eq!(record, before);
    }

    #[test]
    fn a_change_of_grade_is_a_correction() {
        let mut record = record();
        let said = vec![Some(SlotValue { wh: 1, grade: Grade::Substituted }), None, None];
        assert_eq!(record.merge(&said, 2), Ok(Change::Revised { filled: 0, corrected: 1 }));
    }
}
