//! The hour that comes twice when clocks are put back. Local times do not say which of the two is meant; the order of the
//! rows does, where both are there: the time goes back once. Where it does not, nothing is assumed.

use crate::options::HalfOfHour;
use std::collections::BTreeMap;
use veilgrid_readings::{Energy, Fault, Grade, Halves, Local, halves};

/// Rows of one series that may wait: a day of minutes is more than any repeated hour has.
const MOST_WAITING: usize = 2000;

/// What a row says, without its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Said {
    pub direction: veilgrid_readings::Direction,
    pub value: Option<(Energy, Grade)>,
}

/// A row whose local time names two instants.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub line: u64,
    pub local: Local,
    /// The instant before clocks were put back, and the one after.
    pub instants: [i64; 2],
    pub meter: String,
    pub said: Vec<Said>,
}

/// Rows that wait, by series.
#[derive(Debug, Default)]
pub(crate) struct Repeated {
    waiting: BTreeMap<String, Vec<Waiting>>,
}

impl Repeated {
    /// Whether no row waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Keeps a row until its hour is over.
    pub fn wait(&mut self, key: String, row: Waiting) -> Result<(), Fault> {
        let line = row.line;
        let rows = self.waiting.entry(key).or_default();
        rows.push(row);
        if rows.len() > MOST_WAITING {
            return Err(Fault::line(
                line,
                "more rows of the repeated hour than it has; sort the file by meter and time",
            ));
        }
        Ok(())
    }

    /// The rows of a series whose hour is over, with their instants.
    pub fn over(&mut self, key: &str, half: Option<HalfOfHour>) -> Result<Vec<(i64, Waiting)>, Fault> {
        self.waiting.remove(key).map_or_else(|| Ok(Vec::new()), |rows| settle(rows, half))
    }

    /// All that still wait, at the end of the file.
    pub fn rest(&mut self, half: Option<HalfOfHour>) -> Result<Vec<(i64, Waiting)>, Fault> {
        let mut settled = Vec::new();
        for rows in std::mem::take(&mut self.waiting).into_values() {
            settled.extend(settle(rows, half)?);
        }
        Ok(settled)
    }
}

fn settle(rows: Vec<Waiting>, half: Option<HalfOfHour>) -> Result<Vec<(i64, Waiting)>, Fault> {
    let locals: Vec<Local> = rows.iter().map(|row| row.local).collect();
    let split = match (halves(&locals), half) {
        (Halves::From(place), _) => place,
        (Halves::One, Some(HalfOfHour::Earlier)) => rows.len(),
        (Halves::One, Some(HalfOfHour::Later)) => 0,
        (halves, _) => return Err(undecided(&rows, halves)),
    };
    let place = |(at, row): (usize, Waiting)| (row.instants[usize::from(at >= split)], row);
    Ok(rows.into_iter().enumerate().map(place).collect())
}

fn undecided(rows: &[Waiting], halves: Halves) -> Fault {
    let (line, local) = rows.first().map_or((0, String::new()), |row| (row.line, row.local.to_string()));
    let what = if halves == Halves::One {
        "comes once, and clocks were put back in this hour: it may be before or after. Export the file with offsets from UTC, or say --repeated-hour earlier or later"
    } else {
        "comes twice, as clocks were put back, and the order of the rows does not tell which is which. Export the file with offsets from UTC, or sort it by meter and time as it went by"
    };
    Fault::line(line, format!("{local} {what}"))
}
