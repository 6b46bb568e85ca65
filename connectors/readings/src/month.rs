//! A month of one meter in one direction as text: the same content has the same bytes, damage is found, and a person can read it.
//!
//! ```text
//! veilgrid readings 1
//! meter AT0010000000000000000000000000001
//! direction consumption
//! zone Europe/Vienna
//! slot_seconds 900
//! month 2026-03
//! 2026-03-29 import 1: 12 13 - 0 7s 9e
//! sha256 9f86d0…
//! ```
//!
//! A line per revision, the oldest first: whole Wh, `-` where nothing is known, `s` substituted, `e` estimated, nothing measured.

use crate::{Date, DayRecord, Direction, Grade, Revision, Slot, SlotValue, Zone, is_meter_id};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;
use thiserror::Error;

/// First line of a file.
const TITLE: &str = "veilgrid readings 1";

/// What is known of a month.
#[derive(Debug, Clone, PartialEq)]
pub struct Month {
    /// The meter's id.
    pub meter: String,
    /// Which way.
    pub direction: Direction,
    /// The zone whose calendar days these are.
    pub zone: Zone,
    /// Length of a slot.
    pub slot_seconds: u32,
    /// The first day of the month.
    pub first: Date,
    /// Its days, as far as something is known of them.
    pub days: BTreeMap<Date, DayRecord>,
}

/// A text that is no month of readings.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MonthError {
    /// Another first line.
    #[error("is no file of readings that this version reads (its first line is not `veilgrid readings 1`)")]
    Title,
    /// The digest does not fit, or is not there: a file that was cut off or changed.
    #[error(
        "is damaged: its digest does not fit its content; restore it from a backup, or remove it and import the month again"
    )]
    Digest,
    /// The digest fits, the content does not: written by something else.
    #[error("line {line} is not as this program writes it; remove the file and import the month again")]
    Line {
        /// Counted from 1; 0 where no line is to blame.
        line: usize,
    },
}

impl Month {
    /// Its text.
    pub fn to_text(&self) -> String {
        let mut text = String::with_capacity(1 << 14);
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "{TITLE}\nmeter {}\ndirection {}\nzone {}\nslot_seconds {}\nmonth {:04}-{:02}\n",
            self.meter,
            self.direction.name(),
            self.zone.name(),
            self.slot_seconds,
            self.first.year(),
            self.first.month()
        );
        for day in self.days.values() {
            for revision in &day.revisions {
                let _ = write!(text, "{} import {}:", day.date, revision.import);
                revision.slots.iter().for_each(|slot| write_slot(&mut text, *slot));
                text.push('\n');
            }
        }
        let digest = hex::encode(Sha256::digest(text.as_bytes()));
        let _ = writeln!(text, "sha256 {digest}");
        text
    }

    /// Reads what [`Self::to_text`] wrote, and nothing else.
    ///
    /// # Errors
    /// [`MonthError`].
    pub fn parse(text: &str) -> Result<Self, MonthError> {
        if !text.starts_with(TITLE) {
            return Err(MonthError::Title);
        }
        let body_end = text.rfind("sha256 ").ok_or(MonthError::Digest)?;
        let (body, digest) = text.split_at(body_end);
        if digest != format!("sha256 {}\n", hex::encode(Sha256::digest(body.as_bytes()))) {
            return Err(MonthError::Digest);
        }
        let mut lines = body.lines().skip(1);
        let mut field = |line: usize, name: &str| {
            let value =
                lines.next().and_then(|text| text.strip_prefix(name)).and_then(|text| text.strip_prefix(' '));
            value.ok_or(MonthError::Line { line })
        };
        let meter = field(2, "meter")?.to_owned();
        let direction = Direction::from_name(field(3, "direction")?).ok_or(MonthError::Line { line: 3 })?;
        let zone = Zone::named(field(4, "zone")?).map_err(|_| MonthError::Line { line: 4 })?;
        let slot_seconds = field(5, "slot_seconds")?.parse().map_err(|_| MonthError::Line { line: 5 })?;
        let first: Date =
            format!("{}-01", field(6, "month")?).parse().map_err(|_| MonthError::Line { line: 6 })?;
        if !is_meter_id(&meter) {
            return Err(MonthError::Line { line: 2 });
        }
        let mut month = Self { meter, direction, zone, slot_seconds, first, days: BTreeMap::new() };
        for (line, text) in (7..).zip(lines) {
            month.take_line(text).ok_or(MonthError::Line { line })?;
        }
        // Spaces, leading zeros, the order of days: one content has one text.
        if month.to_text() == text { Ok(month) } else { Err(MonthError::Line { line: 0 }) }
    }

    fn take_line(&mut self, text: &str) -> Option<()> {
        let (head, values) = text.split_once(':')?;
        let mut words = head.split(' ');
        let date: Date = words.next()?.parse().ok()?;
        let import = match [words.next()?, words.next()?] {
            ["import", import] => import.parse().ok()?,
            _ => return None,
        };
        let slots: Vec<Slot> = values.split_ascii_whitespace().map(read_slot).collect::<Option<_>>()?;
        let expected = self.zone.day(date).ok()?.slots(self.slot_seconds)?;
        if date.first_of_month() != self.first || u32::try_from(slots.len()) != Ok(expected) {
            return None;
        }
        let day = self.days.entry(date).or_insert_with(|| DayRecord::new(date));
        day.revisions.push(Revision { import, slots });
        Some(())
    }
}

fn write_slot(text: &mut String, slot: Slot) {
    let Some(SlotValue { wh, grade }) = slot else { return text.push_str(" -") };
    let letter = match grade {
        Grade::Measured => "",
        Grade::Substituted => "s",
        Grade::Estimated => "e",
    };
    let _ = write!(text, " {wh}{letter}");
}

fn read_slot(text: &str) -> Option<Slot> {
    if text == "-" {
        return Some(None);
    }
    let (digits, grade) = match text.as_bytes().last()? {
        b's' => (text.strip_suffix('s')?, Grade::Substituted),
        b'e' => (text.strip_suffix('e')?, Grade::Estimated),
        _ => (text, Grade::Measured),
    };
    Some(Some(SlotValue { wh: digits.parse().ok()?, grade }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn month(values: &[Option<(u32, u8)>]) -> Month {
        let date: Date = "2026-10-25".parse().expect("a date");
        let slots: Vec<Slot> = (0..100)
            .map(|slot| values.get(slot % values.len().max(1)).copied().flatten())
            .map(|slot| slot.map(|(wh, grade)| SlotValue { wh, grade: Grade::ALL[usize::from(grade) % 3] }))
            .collect();
        let mut record = DayRecord::new(date);
        record.merge(&slots, 1).expect("the first");
        let days =
            if record.revisions.is_empty() { BTreeMap::new() } else { BTreeMap::from([(date, record)]) };
        let zone = Zone::named("Europe/Vienna").expect("a zone");
        let first = date.first_of_month();
        Month { meter: "AT1".into(), direction: Direction::Generation, zone, slot_seconds: 900, first, days }
    }

    proptest! {
        #[test]
        fn text_is_the_inverse_and_one_content_has_one_text(
            values in proptest::collection::vec(proptest::option::of((0u32..1_000_000_001, 0u8..3)), 1..100),
            at in any::<proptest::sample::Index>(), byte in any::<u8>(),
        ) {
            let month = month(&values);
            let text = month.to_text();
            prop_assert!(Month::parse(&text).is_ok_and(|read| read == month));
            let mut altered = text.clone().into_bytes();
            let at = at.index(altered.len());
            altered[at] = byte;
            if let Ok(altered) = String::from_utf8(altered) && altered != text {
                prop_assert!(Month::parse(&altered).is_err(), "a changed byte is found");
            }
            prop_assert!(Month::parse(&text[..text.len() - 1]).is_err());
        }
    }

    #[test]
    fn a_day_of_another_length_and_a_second_text_are_refused_although_the_digest_fits() {
        let signed =
            |body: String| format!("{body}sha256 {}\n", hex::encode(Sha256::digest(body.as_bytes())));
        let text = month(&[Some((5, 0))]).to_text();
        let body = text.split_once("sha256").expect("a digest").0.to_owned();
        assert!(Month::parse(&signed(body.clone())).is_ok());
        assert_eq!(Month::parse(&signed(body.replacen(" 5 5", " 5", 1))), Err(MonthError::Line { line: 7 }));
        assert_eq!(Month::parse(&signed(body.replacen(" 5", " 05", 1))), Err(MonthError::Line { line: 0 }));
        assert_eq!(
            Month::parse(&signed(body.replacen("month 2026-10", "month 2026-09", 1))),
            Err(MonthError::Line { line: 7 })
        );
        assert_eq!(Month::parse("a"), Err(MonthError::Title));
    }
}
