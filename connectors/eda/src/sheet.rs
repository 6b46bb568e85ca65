//! The sheet of energy data.

use crate::cells;
use crate::workbook::Workbook;
use calamine::{Data, Range};
use std::collections::BTreeSet;
use veilgrid_readings::{Direction, Fault, Grade, Local, Reading, Sink, Zone, is_meter_id, quoted, resolve};

const ZONE: &str = "Europe/Vienna";
const SECONDS: u32 = 900;

/// What the meter counted, by the head of the code's name: without and with a factor of participation.
const COUNTED: [(Direction, &str, bool); 4] = [
    (Direction::Consumption, "Gesamtverbrauch lt. Messung", false),
    (Direction::Consumption, "Verbrauch lt. Messung entsprechend dem Teilnahmefaktor", true),
    (Direction::Generation, "Gesamte gemeinschaftliche Erzeugung", false),
    (Direction::Generation, "Erzeugung lt. Messung entsprechend dem Teilnahmefaktor", true),
];

/// What is worth a note about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeftOut {
    /// Columns of shares, rests and sums, which follow from what was counted.
    pub columns: u64,
    /// Series that are there by the factor of participation alone.
    pub by_participation: u64,
}

/// A column of values.
#[derive(Debug)]
struct Series {
    meter: String,
    direction: Direction,
    is_by_participation: bool,
    column: usize,
    qualities: Option<usize>,
}

/// Reads a file.
///
/// # Errors
/// What is wrong, with sheet and cell; what `sink` refuses.
pub fn read(file: &[u8], sink: &mut Sink<'_>) -> Result<LeftOut, Fault> {
    let mut book = Workbook::open(file)?;
    for name in book.sheets() {
        let range = book.cells(&name)?;
        let Some(sheet) = Sheet::of(&name, &range) else { continue };
        return sheet.read(&book.formulas(&name)?, sink);
    }
    Err(Fault::at(
        "the file",
        "has no sheet with rows `MeteringpointID`, `Energy direction` and `Metercode`; is it the export of energy data?",
    ))
}

/// A sheet with the rows that say what its columns are.
struct Sheet<'r> {
    name: &'r str,
    range: &'r Range<Data>,
    meters: usize,
    directions: usize,
    codes: usize,
}

impl<'r> Sheet<'r> {
    fn of(name: &'r str, range: &'r Range<Data>) -> Option<Self> {
        let row = |label: &str| {
            range
                .rows()
                .position(|row| row.first().is_some_and(|cell| cells::text(cell).eq_ignore_ascii_case(label)))
        };
        Some(Self {
            name,
            range,
            meters: row("MeteringpointID")?,
            directions: row("Energy direction")?,
            codes: row("Metercode")?,
        })
    }

    fn cell(&self, row: usize, column: usize) -> &'r Data {
        self.range.get((row, column)).unwrap_or(&Data::Empty)
    }

    /// The name of a cell as the spreadsheet shows it.
    fn fault(&self, row: usize, column: usize, what: impl std::fmt::Display) -> Fault {
        let (first_row, first_column) = self.range.start().unwrap_or_default();
        let mut number = column + first_column as usize + 1;
        let mut letters = String::new();
        while number > 0 {
            let digit = u8::try_from((number - 1) % 26).unwrap_or_default();
            letters.insert(0, char::from(b'A' + digit));
            number = (number - 1) / 26;
        }
        Fault::at(
            format!("sheet {}, cell {letters}{}", quoted(self.name), row + first_row as usize + 1),
            what,
        )
    }

    fn series(&self) -> Result<(Vec<Series>, LeftOut), Fault> {
        let mut all: Vec<Series> = Vec::new();
        let mut left_out = LeftOut::default();
        for column in 1..self.range.width() {
            let code = cells::text(self.cell(self.codes, column));
            if code.is_empty() {
                continue;
            }
            let counted = COUNTED.into_iter().find(|(_, name, _)| code.starts_with(name));
            let meter = cells::text(self.cell(self.meters, column));
            // The sums over all meters have no meter.
            let Some((direction, _, is_by_participation)) =
                counted.filter(|_| !meter.is_empty() && !meter.eq_ignore_ascii_case("TOTAL"))
            else {
                left_out.columns += 1;
                continue;
            };
            if !code.to_ascii_uppercase().ends_with("[KWH]") {
                return Err(self.fault(
                    self.codes,
                    column,
                    format!("{} is in no unit that is known; known is [KWH]", quoted(&code)),
                ));
            }
            if !is_meter_id(&meter) {
                return Err(self.fault(
                    self.meters,
                    column,
                    format!("{} is no id of a metering point", quoted(&meter)),
                ));
            }
            let said = cells::text(self.cell(self.directions, column));
            if !said.eq_ignore_ascii_case(direction.name()) {
                return Err(self.fault(
                    self.directions,
                    column,
                    format!("says {}, and the code below is one of {}", quoted(&said), direction.name()),
                ));
            }
            // A column of qualities has no code of its own.
            let is_quality =
                column + 1 < self.range.width() && cells::text(self.cell(self.codes, column + 1)).is_empty();
            all.push(Series {
                meter,
                direction,
                is_by_participation,
                column,
                qualities: is_quality.then_some(column + 1),
            });
        }
        let has_whole = |one: &Series| {
            all.iter().any(|other| {
                !other.is_by_participation && (&other.meter, other.direction) == (&one.meter, one.direction)
            })
        };
        let keep: Vec<bool> = all.iter().map(|one| !one.is_by_participation || !has_whole(one)).collect();
        let mut keep = keep.into_iter();
        let before = all.len() as u64;
        all.retain(|_| keep.next().unwrap_or(true));
        left_out.columns += before - all.len() as u64;
        left_out.by_participation = all.iter().filter(|one| one.is_by_participation).count() as u64;
        for (at, one) in all.iter().enumerate() {
            let twice = all
                .iter()
                .take(at)
                .find(|other| (&other.meter, other.direction) == (&one.meter, one.direction));
            if twice.is_some() {
                return Err(self.fault(
                    self.meters,
                    one.column,
                    format!("has {} of {} a second time", one.direction.name(), quoted(&one.meter)),
                ));
            }
        }
        if all.is_empty() {
            Err(self.fault(self.codes, 0, "has no column of what a meter counted (G.01)"))
        } else {
            Ok((all, left_out))
        }
    }

    /// Rows that begin with a time, and those times as instants.
    fn times(&self) -> Result<Vec<(usize, i64)>, Fault> {
        let head = self.meters.max(self.directions).max(self.codes);
        let mut rows: Vec<(usize, Local)> = Vec::new();
        for row in head + 1..self.range.height() {
            let cell = self.cell(row, 0);
            match cells::local(cell) {
                Some(local) => rows.push((row, local)),
                // Above the first value there are rows of sums and of counts.
                None if rows.is_empty() => {}
                None if *cell == Data::Empty
                    && (1..self.range.width()).all(|column| *self.cell(row, column) == Data::Empty) => {}
                None => {
                    return Err(self.fault(
                        row,
                        0,
                        format!("{} is no time like 25.10.2026 02:00:00", quoted(&cells::text(cell))),
                    ));
                }
            }
        }
        let locals: Vec<Local> = rows.iter().map(|(_, local)| *local).collect();
        let zone = Zone::named(ZONE).map_err(|error| Fault::at("the zone", error))?;
        let row_at = |place: usize| rows.get(place).map_or(0, |(row, _)| *row);
        let instants = resolve(&zone, &locals).map_err(|(place, what)| self.fault(row_at(place), 0, what))?;
        if instants.is_empty() {
            return Err(self.fault(head, 0, "has no values below it"));
        }
        Ok(rows.iter().map(|(row, _)| *row).zip(instants).collect())
    }

    fn read(&self, formulas: &BTreeSet<(u32, u32)>, sink: &mut Sink<'_>) -> Result<LeftOut, Fault> {
        let (series, left_out) = self.series()?;
        let times = self.times()?;
        let start = self.range.start().unwrap_or_default();
        for one in &series {
            for &(row, start_unix_s) in &times {
                let fault = |what: String| self.fault(row, one.column, what);
                let absolute = (
                    start.0 + u32::try_from(row).unwrap_or(u32::MAX),
                    start.1 + u32::try_from(one.column).unwrap_or(u32::MAX),
                );
                if formulas.contains(&absolute) {
                    // Programs that write a formula without computing it leave a 0 there, which is no reading.
                    return Err(fault("is a formula; store the sheet with values".into()));
                }
                let energy = cells::energy(self.cell(row, one.column)).map_err(fault)?;
                let grade = match one.qualities {
                    Some(column) => cells::grade(&cells::text(self.cell(row, column)))
                        .map_err(|what| self.fault(row, column, what))?,
                    None => Grade::Measured,
                };
                let value = energy.map(|energy| (energy, grade));
                let reading = Reading {
                    meter: &one.meter,
                    direction: one.direction,
                    start_unix_s,
                    seconds: SECONDS,
                    value,
                };
                sink(&reading).map_err(fault)?;
            }
        }
        Ok(left_out)
    }
}
