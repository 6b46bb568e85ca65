//! Stands of a register, as meters send them, into energy of intervals. Nothing is interpolated: an interval has a value when the register was read
//! at its begin and at its end.

use crate::{Energy, Fault};
use std::collections::BTreeMap;
use thiserror::Error;

/// What a register showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Register {
    /// When, seconds since 1970-01-01T00:00:00Z.
    pub unix_s: i64,
    /// What, in 10^-9 Wh.
    pub nano_wh: i128,
}

/// Stands that are no register's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the fields are what the messages say")]
pub enum RegistersError {
    /// Two stands at one time.
    #[error(
        "the register has two stands at one time ({unix_s} s since 1970): {first_nano_wh} and {second_nano_wh} 10^-9 Wh"
    )]
    Contradiction { unix_s: i64, first_nano_wh: i128, second_nano_wh: i128 },
    /// A stand below an earlier one: another meter, or one that went over its last digit.
    #[error(
        "the register goes back between {before_unix_s} and {after_unix_s} s since 1970; was the meter replaced? Import the telegrams of each meter by themselves"
    )]
    Backwards { before_unix_s: i64, after_unix_s: i64 },
    /// A wrong time among them: what is not there between the two would be written out, interval by interval.
    #[error(
        "the register was read first at {first_unix_s} and last at {last_unix_s} s since 1970, more than {MAX_INTERVALS} intervals apart; is one of the times wrong?"
    )]
    TooLong { first_unix_s: i64, last_unix_s: i64 },
}

/// Most intervals between the first stand and the last: eight years of minutes, a century of quarter-hours.
const MAX_INTERVALS: i64 = 1 << 22;

/// Stands of one register, in any order of arrival.
#[derive(Debug, Clone, Default)]
pub struct Registers {
    stands: BTreeMap<i64, i128>,
}

impl Registers {
    /// Takes a stand in; the same one again is nothing new.
    ///
    /// # Errors
    /// [`RegistersError::Contradiction`].
    pub fn add(&mut self, register: Register) -> Result<(), RegistersError> {
        let Register { unix_s, nano_wh } = register;
        match self.stands.insert(unix_s, nano_wh) {
            Some(first_nano_wh) if first_nano_wh != nano_wh => {
                Err(RegistersError::Contradiction { unix_s, first_nano_wh, second_nano_wh: nano_wh })
            }
            _ => Ok(()),
        }
    }

    /// The intervals between the first and the last stand, with begin and energy; `None` where the register was not read at
    /// begin or end. A stand counts for a boundary when it was read there, or at most `late_s` seconds after it; so the intervals of a
    /// stretch without gaps add up to the difference of its first and last stand.
    ///
    /// # Errors
    /// [`RegistersError::Backwards`], [`RegistersError::TooLong`].
    pub fn intervals(&self, seconds: u32, late_s: u32) -> Result<Vec<(i64, Option<Energy>)>, RegistersError> {
        for ((before_unix_s, before), (after_unix_s, after)) in
            self.stands.iter().zip(self.stands.iter().skip(1))
        {
            if after < before {
                return Err(RegistersError::Backwards {
                    before_unix_s: *before_unix_s,
                    after_unix_s: *after_unix_s,
                });
            }
        }
        let (Some((first, _)), Some((last, _))) =
            (self.stands.first_key_value(), self.stands.last_key_value())
        else {
            return Ok(Vec::new());
        };
        let step = i64::from(seconds.max(1));
        if last.saturating_sub(*first) / step > MAX_INTERVALS {
            return Err(RegistersError::TooLong { first_unix_s: *first, last_unix_s: *last });
        }
        let late = i64::from(late_s).min(step - 1);
        let at =
            |boundary: i64| self.stands.range(boundary..=boundary + late).next().map(|(_, stand)| *stand);
        // The first stand may belong to the boundary before it.
        let mut start = (first - late).div_euclid(step) * step;
        if start < first - late {
            start += step;
        }
        let mut intervals = Vec::new();
        while start + step <= *last {
            let energy =
                at(start).zip(at(start + step)).and_then(|(from, to)| Energy::from_nano_wh(to - from));
            intervals.push((start, energy));
            start += step;
        }
        Ok(intervals)
    }
}

impl From<RegistersError> for Fault {
    fn from(error: RegistersError) -> Self {
        Self::at("registers", error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registers(stands: &[(i64, i128)]) -> Registers {
        let mut registers = Registers::default();
        for &(unix_s, wh) in stands {
            registers.add(Register { unix_s, nano_wh: wh * 1_000_000_000 }).expect("no contradiction");
        }
        registers
    }

    fn wh(intervals: Vec<(i64, Option<Energy>)>) -> Vec<(i64, Option<u64>)> {
        intervals
            .into_iter()
            .map(|(start, energy)| (start, energy.map(|energy| energy.rounded_wh().0)))
            .collect()
    }

    #[test]
    fn intervals_are_differences_and_a_gap_stays_one() {
        let stands = registers(&[
            (0, 100),
            (300, 101),
            (900, 110),
            (1800, 130),
            (2700, 130),
            (4500, 190),
            (5400, 200),
        ]);
        let intervals = wh(stands.intervals(900, 0).expect("a register"));
        assert_eq!(
            intervals,
            [(0, Some(10)), (900, Some(20)), (1800, Some(0)), (2700, None), (3600, None), (4500, Some(10))]
        );
    }

    #[test]
    fn a_stand_a_little_late_counts_and_one_too_early_does_not() {
        let stands = registers(&[(3, 100), (904, 110), (1799, 129)]);
        assert_eq!(wh(stands.intervals(900, 10).expect("a register")), [(0, Some(10))]);
        assert_eq!(wh(stands.intervals(900, 3).expect("a register")), [(0, None)]);
        let early = registers(&[(-1, 99), (899, 110), (1801, 120)]);
        assert_eq!(wh(early.intervals(900, 10).expect("a register")), [(0, None), (900, None)]);
    }

    #[test]
    fn a_register_that_goes_back_or_contradicts_itself_is_refused() {
        assert!(matches!(
            registers(&[(0, 5), (900, 4)]).intervals(900, 0),
            Err(RegistersError::Backwards { .. })
        ));
        let mut twice = registers(&[(0, 5)]);
        assert!(twice.add(Register { unix_s: 0, nano_wh: 5_000_000_000 }).is_ok());
        assert!(twice.add(Register { unix_s: 0, nano_wh: 6_000_000_000 }).is_err());
    }
    #[test]
    fn a_wrong_time_does_not_make_intervals_for_centuries() {
        let stands = registers(&[(0, 5), (900, 6), (60_000_000_000, 7)]);
        assert!(matches!(stands.intervals(900, 10), Err(RegistersError::TooLong { .. })));
    }
}
