//! Reads line by line.

use crate::detect::{Kind, Layout, ValueColumn};
use crate::grades;
use crate::options::{Role, Sign, StampIs};
use crate::repeated::{Repeated, Said, Waiting};
use crate::source::Source;
use crate::stamp::Stamped;
use csv::StringRecord;
use std::io::Read;
use veilgrid_readings::{
    DecimalMark, Direction, Energy, EnergyError, Fault, Grade, Instants, Local, Reading, Sink, Zone, ZoneDay,
    is_meter_id, is_missing, parse_signed_nano_wh, quoted,
};

/// A place between two lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Bytes before it.
    pub byte: u64,
    /// The number of the line after it, counted from 1.
    pub line: u64,
}

/// A file's rows. Memory is bounded by one line and the rows of a repeated hour.
pub struct Rows<'l, R> {
    layout: &'l Layout,
    table: csv::Reader<Source<R>>,
    record: StringRecord,
    /// Where the source began.
    base: Place,
    /// The header is the next line.
    header_is_next: bool,
    repeated: Repeated,
    /// The day of the last row, since the next is most often of the same.
    day: Option<ZoneDay>,
}

impl<'l, R: Read> Rows<'l, R> {
    /// Rows of a source that begins at a place which an earlier reader of the same file gave, or at the file's begin. Lines before
    /// the header are read byte by byte: give a source with a buffer.
    ///
    /// # Errors
    /// A source that can't be read, or ends before its header.
    pub fn new(layout: &'l Layout, mut source: R, at: Option<Place>) -> Result<Self, Fault> {
        let base = match at {
            Some(place) => place,
            None => after_lines(&mut source, layout.skip_lines)?,
        };
        let table = csv::ReaderBuilder::new()
            .delimiter(layout.delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(Source::new(source));
        let header_is_next = at.is_none();
        Ok(Self {
            layout,
            table,
            record: StringRecord::new(),
            base,
            header_is_next,
            repeated: Repeated::default(),
            day: None,
        })
    }

    /// The place after the last row. Reading may go on there if [`Self::is_settled`].
    pub fn place(&self) -> Place {
        let position = self.table.position();
        Place { byte: self.base.byte + position.byte(), line: self.base.line + position.line() - 1 }
    }

    /// Whether everything that was read has been handed out; rows of a repeated hour wait for its end.
    pub fn is_settled(&self) -> bool {
        !self.header_is_next && self.repeated.is_empty()
    }

    /// Reads the next row, and hands out what is certain by now. `false` at the end.
    ///
    /// # Errors
    /// What is wrong, with the line; what `sink` refuses.
    pub fn step(&mut self, sink: &mut Sink<'_>) -> Result<bool, Fault> {
        if std::mem::take(&mut self.header_is_next) {
            self.next()?;
        }
        if !self.next()? {
            let half = self.layout.repeated_hour;
            for (start, row) in self.repeated.rest(half)? {
                self.hand_out(start, &row.meter, &row.said, row.line, sink)?;
            }
            return Ok(false);
        }
        let line = self.line();
        self.layout.check_fields(&self.record).map_err(|what| Fault::line(line, what))?;
        self.take(line, sink)?;
        Ok(true)
    }

    fn next(&mut self) -> Result<bool, Fault> {
        // Where the last row ended: a row that is too long has no end to be named by.
        let begin = self.table.position().line();
        self.table.get_mut().begin_row();
        self.table.read_record(&mut self.record).map_err(|error| match error.kind() {
            csv::ErrorKind::Utf8 { .. } => Fault::line(
                self.line(),
                "is not UTF-8; convert the file first: iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW",
            ),
            csv::ErrorKind::Io(error) => Fault::line(self.base.line + begin - 1, error),
            _ => Fault::line(self.line(), error),
        })
    }

    /// The line in which the row ends that was read last.
    fn line(&mut self) -> u64 {
        let end = self.table.position().byte();
        self.base.line + self.table.get_mut().lines_before(end)
    }

    fn take(&mut self, line: u64, sink: &mut Sink<'_>) -> Result<(), Fault> {
        let layout = self.layout;
        let fault = |what: String| Fault::line(line, what);
        let (first, second) = layout.stamps(&self.record).map_err(fault)?;
        let said = said(layout, &self.record).map_err(fault)?;
        let meter = match (&layout.meter, layout.columns.place(Role::Meter)) {
            (_, Some(place)) => self.record.get(place).unwrap_or_default().trim().to_owned(),
            (told, None) => told.clone().unwrap_or_default(),
        };
        if !is_meter_id(&meter) {
            return Err(Fault::line(
                line,
                format!("{} is no id of a meter: 1 to 64 bytes, no control characters", quoted(&meter)),
            ));
        }
        if layout.meter.as_ref().is_some_and(|told| *told != meter) {
            return Err(Fault::line(
                line,
                format!("is of meter {}, and --meter says another", quoted(&meter)),
            ));
        }
        let instants = match first {
            Stamped::Instant(instant) => Instants::One(instant),
            Stamped::Local(local) => self.instants(local).map_err(fault)?,
        };
        let shift = if layout.stamp_is() == StampIs::End { i64::from(layout.seconds) } else { 0 };
        if let Some(second) = second {
            check_end(layout, first, second, instants).map_err(fault)?;
        }
        match (instants, first) {
            (Instants::One(instant), _) => {
                if !self.repeated.is_empty() {
                    let key = layout.key(&self.record);
                    for (start, row) in self.repeated.over(&key, layout.repeated_hour)? {
                        self.hand_out(start, &row.meter, &row.said, row.line, sink)?;
                    }
                }
                self.hand_out(instant - shift, &meter, &said, line, sink)
            }
            (Instants::Two(earlier, later), Stamped::Local(local)) => {
                let row = Waiting { line, local, instants: [earlier - shift, later - shift], meter, said };
                self.repeated.wait(layout.key(&self.record), row)
            }
            (Instants::None | Instants::Two(..), _) => {
                let zone = layout.zone.as_ref().map_or("", Zone::name);
                Err(Fault::line(
                    line,
                    format!(
                        "names a time that is left out in {zone}, as clocks are put forward; is it another zone, or one whose clocks are never put, such as +01:00?"
                    ),
                ))
            }
        }
    }

    fn instants(&mut self, local: Local) -> Result<Instants, String> {
        let no_zone = || "has no offset from UTC, although the first lines have one".to_owned();
        let zone = self.layout.zone.as_ref().ok_or_else(no_zone)?;
        let date = local.date();
        if self.day.is_none_or(|day| day.date != date) {
            self.day = Some(zone.day(date).map_err(|error| format!("{local} {error}"))?);
        }
        match self.day.and_then(|day| day.offset_s) {
            Some(offset_s) => local.at_offset(offset_s).map(Instants::One),
            None => zone.instants(local),
        }
        .map_err(|error| format!("{local} {error}"))
    }

    fn hand_out(
        &self,
        start_unix_s: i64,
        meter: &str,
        said: &[Said],
        line: u64,
        sink: &mut Sink<'_>,
    ) -> Result<(), Fault> {
        let seconds = self.layout.seconds;
        for &Said { direction, value } in said {
            let reading = Reading { meter, direction, start_unix_s, seconds, value };
            sink(&reading).map_err(|what| Fault::line(line, what))?;
        }
        Ok(())
    }
}

fn after_lines(source: &mut impl Read, lines: u64) -> Result<Place, Fault> {
    let mut place = Place { byte: 0, line: 1 };
    let mut byte = [0];
    while place.line <= lines {
        match source.read(&mut byte) {
            Ok(0) => {
                return Err(Fault::line(
                    place.line,
                    "is the last one, and the header comes after it by --skip-lines",
                ));
            }
            Ok(_) => place = Place { byte: place.byte + 1, line: place.line + u64::from(byte == *b"\n") },
            Err(error) => return Err(Fault::line(place.line, error)),
        }
    }
    Ok(place)
}

/// Whether the other end of the interval is where it has to be, by the clock on the wall or in truth.
fn check_end(layout: &Layout, first: Stamped, second: Stamped, begin: Instants) -> Result<(), String> {
    let seconds = i64::from(layout.seconds);
    let fits = match (first, second) {
        (Stamped::Instant(first), Stamped::Instant(second)) => second - first == seconds,
        (Stamped::Local(first), Stamped::Local(second)) => {
            let by_the_clock = first
                .at_offset(0)
                .ok()
                .zip(second.at_offset(0).ok())
                .is_some_and(|(first, second)| second - first == seconds);
            let end = layout.zone.as_ref().and_then(|zone| zone.instants(second).ok());
            let among = |instants: Option<Instants>, wanted: i64| match instants {
                Some(Instants::One(one)) => one == wanted,
                Some(Instants::Two(earlier, later)) => earlier == wanted || later == wanted,
                Some(Instants::None) | None => false,
            };
            by_the_clock
                || match begin {
                    Instants::One(begin) => among(end, begin + seconds),
                    Instants::Two(earlier, later) => {
                        among(end, earlier + seconds) || among(end, later + seconds)
                    }
                    Instants::None => false,
                }
        }
        _ => return Err("has an offset from UTC at one end of the interval alone".into()),
    };
    if fits {
        Ok(())
    } else {
        Err(format!("does not last {} minutes, as the first interval does", seconds / 60))
    }
}

fn said(layout: &Layout, row: &StringRecord) -> Result<Vec<Said>, String> {
    let grade = match layout.columns.place(Role::Grade).and_then(|place| row.get(place)).map(str::trim) {
        None | Some("") => Some(Grade::Measured),
        Some(text) => grades::grade(text).ok_or_else(|| {
            format!("{} is no grade that is known; known are measured, substituted, estimated, missing and their like", quoted(text))
        })?,
    };
    let mut said = Vec::with_capacity(2);
    for column in &layout.values {
        let text = row.get(column.place).unwrap_or_default().trim();
        let value = if is_missing(text) { None } else { grade.zip(Some(nano_wh(layout, column, text)?)) };
        value_of(column, row, text, value, &mut said)?;
    }
    Ok(said)
}

fn nano_wh(layout: &Layout, column: &ValueColumn, text: &str) -> Result<i128, String> {
    let say = |error: EnergyError| format!("{} {error}", quoted(text));
    let mark = match layout.decimal {
        Some(mark) => mark,
        None if text.contains(['.', ',']) => {
            return Err(format!(
                "{} is the first value with a decimal mark; say which it is with --decimal point or comma",
                quoted(text)
            ));
        }
        None => DecimalMark::Point,
    };
    parse_signed_nano_wh(text, mark, column.unit, layout.seconds).map_err(say)
}

fn value_of(
    column: &ValueColumn,
    row: &StringRecord,
    text: &str,
    value: Option<(Grade, i128)>,
    said: &mut Vec<Said>,
) -> Result<(), String> {
    let energy = |nano_wh: i128| {
        Energy::from_nano_wh(nano_wh).ok_or_else(|| {
            format!("{} is below zero, and the column is not signed; say --sign if it is", quoted(text))
        })
    };
    let direction = match column.kind {
        Kind::Fixed(direction) => direction,
        Kind::Told(place) => {
            let word = row.get(place).unwrap_or_default();
            grades::direction(word).ok_or_else(|| {
                format!(
                    "{} is no direction that is known, nor an OBIS code 1.x or 2.x of energy",
                    quoted(word)
                )
            })?
        }
        Kind::Signed(sign) => {
            for direction in Direction::ALL {
                let positive = (sign == Sign::ConsumptionPositive) == (direction == Direction::Consumption);
                let part = |nano_wh: i128| energy(if positive { nano_wh.max(0) } else { (-nano_wh).max(0) });
                let value =
                    value.map(|(grade, nano_wh)| Ok::<_, String>((part(nano_wh)?, grade))).transpose()?;
                said.push(Said { direction, value });
            }
            return Ok(());
        }
    };
    let value = value.map(|(grade, nano_wh)| Ok::<_, String>((energy(nano_wh)?, grade))).transpose()?;
    said.push(Said { direction, value });
    Ok(())
}
