//! Quality flags: one for a day, or V and one for each stretch of it.

use veilgrid_readings::{Grade, quoted};

/// The grades of a day's intervals; the inner `None` stands for a value that is not there (N).
pub(crate) struct Qualities {
    of_interval: Vec<Option<Option<Grade>>>,
    varies: bool,
}

impl Qualities {
    /// From the quality method of a 300 row, such as `A` or `S14`.
    pub fn of(text: &str, count: usize) -> Result<Self, String> {
        if text.starts_with('V') {
            return Ok(Self { of_interval: vec![None; count], varies: true });
        }
        Ok(Self { of_interval: vec![Some(grade(text)?); count], varies: false })
    }

    /// From a 400 row: both ends count from 1 and belong to the stretch.
    pub fn set(&mut self, from: usize, to: usize, text: &str) -> Result<(), String> {
        let count = self.of_interval.len();
        let grade = grade(text)?;
        let stretch = from.checked_sub(1).and_then(|from| self.of_interval.get_mut(from..to));
        let stretch = stretch
            .ok_or_else(|| format!("is about intervals {from} to {to}, and the day has 1 to {count}"))?;
        for place in stretch {
            if self.varies && place.is_some() {
                return Err(format!(
                    "is about intervals {from} to {to}, of which another record has told the quality"
                ));
            }
            *place = Some(grade);
        }
        Ok(())
    }

    /// The grades, once all records of the day have come.
    pub fn finish(self) -> Result<Vec<Option<Grade>>, String> {
        let untold = self.of_interval.iter().position(Option::is_none);
        match untold {
            Some(place) => Err(format!(
                "has varying quality (V), and no record 400 tells that of interval {}",
                place + 1
            )),
            None => Ok(self.of_interval.into_iter().map(Option::flatten).collect()),
        }
    }
}

/// A actual; S and F substituted; E forward estimate; N null.
fn grade(text: &str) -> Result<Option<Grade>, String> {
    match text.bytes().next() {
        Some(b'A') => Ok(Some(Grade::Measured)),
        Some(b'S' | b'F') => Ok(Some(Grade::Substituted)),
        Some(b'E') => Ok(Some(Grade::Estimated)),
        Some(b'N') => Ok(None),
        _ => Err(format!(
            "has quality {}; known are A, S, F, E, N, and V for a day with records 400",
            quoted(text)
        )),
    }
}
