//! What a file's first lines show of it, and what has to be asked for.

use crate::columns::{Columns, header_fault};
use crate::marks;
use crate::options::{DateOrder, HalfOfHour, Options, Role, Sign, StampIs};
use crate::stamp::{self, Stamped};
use csv::StringRecord;
use std::collections::BTreeMap;
use veilgrid_readings::{DecimalMark, Direction, Fault, Unit, Zone, is_meter_id, quoted};

/// A value column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ValueColumn {
    pub place: usize,
    pub unit: Unit,
    pub kind: Kind,
}

/// How the direction of a value is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Fixed(Direction),
    /// By the column of this place.
    Told(usize),
    /// By its sign.
    Signed(Sign),
}

/// Where the time of a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Date and time in one cell.
    One { place: usize, is: StampIs },
    /// The same for begin and end.
    Both { begin: usize, end: usize },
    /// Date and time of day apart.
    Apart { date: usize, clock: usize, is: StampIs },
    /// One date, and times of day of begin and end.
    ApartBoth { date: usize, begin: usize, end: usize },
}

/// How a file is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    pub(crate) delimiter: u8,
    pub(crate) skip_lines: u64,
    pub(crate) columns: Columns,
    pub(crate) values: Vec<ValueColumn>,
    pub(crate) when: When,
    pub(crate) decimal: Option<DecimalMark>,
    pub(crate) order: Option<DateOrder>,
    pub(crate) zone: Option<Zone>,
    pub(crate) seconds: u32,
    pub(crate) meter: Option<String>,
    pub(crate) repeated_hour: Option<HalfOfHour>,
}

impl Layout {
    /// Looks at a file's first bytes (a megabyte is plenty); `whole` says that there are no more.
    ///
    /// # Errors
    /// What is wrong, or which option says what the file does not.
    pub fn detect(head: &[u8], whole: bool, options: &Options) -> Result<Self, Fault> {
        let head = text_of(head, whole)?;
        let head = after_lines(head, options.skip_lines)?;
        let delimiter = marks::delimiter(head, options)?;
        let (header, rows) = sample(head, delimiter)?;
        let columns = Columns::find(&header, options)?;
        let values = value_columns(&columns, options)?;
        let when = when(&columns, options)?;
        if rows.is_empty() {
            return Err(Fault::at("the file", "has a header and no values"));
        }
        let cell = |place: usize| rows.iter().filter_map(move |row| row.get(place)).map(str::trim);
        let decimal = marks::decimal(values.iter().flat_map(|value| cell(value.place)), options)?;
        let dates = match when {
            When::One { place, .. } | When::Both { begin: place, .. } => place,
            When::Apart { date, .. } | When::ApartBoth { date, .. } => date,
        };
        let order = options.date_order.or_else(|| stamp::order_of(cell(dates)));
        let meter = options.meter.clone();
        if meter.is_none() && columns.place(Role::Meter).is_none() {
            return Err(header_fault("has no column for the meter; say which with --column meter=NAME, or whose readings these are with --meter ID".into()));
        }
        if let Some(id) = meter.as_deref().filter(|id| !is_meter_id(id)) {
            return Err(Fault::at(
                "--meter",
                format!("{} is no id of a meter: 1 to 64 bytes, no control characters", quoted(id)),
            ));
        }
        let repeated_hour = options.repeated_hour;
        let zone = options.zone.clone();
        let mut layout = Self {
            delimiter,
            skip_lines: options.skip_lines,
            columns,
            values,
            when,
            decimal,
            order,
            zone,
            seconds: 0,
            meter,
            repeated_hour,
        };
        layout.seconds = layout.interval(head, &rows, options)?;
        Ok(layout)
    }

    /// The length of the file's intervals in seconds.
    pub fn interval_s(&self) -> u32 {
        self.seconds
    }

    /// The columns that are read, with the header's texts.
    pub fn columns(&self) -> Vec<(Role, String)> {
        self.columns.described()
    }

    /// Begin or end of a row, and its other end where the file has both.
    pub(crate) fn stamps(&self, row: &StringRecord) -> Result<(Stamped, Option<Stamped>), String> {
        let cell = |place: usize| row.get(place).unwrap_or_default().trim();
        let fail = |place: usize| move |what: &str| format!("{} {what}", quoted(cell(place)));
        let whole = |place: usize| stamp::parse(cell(place), self.order).map_err(fail(place));
        let date = |place: usize| stamp::parse_date(cell(place), self.order).map_err(fail(place));
        let clock = |place: usize, date| stamp::parse_clock(cell(place), date).map_err(fail(place));
        Ok(match self.when {
            When::One { place, .. } => (whole(place)?, None),
            When::Both { begin, end } => (whole(begin)?, Some(whole(end)?)),
            When::Apart { date: day, clock: time, .. } => (Stamped::Local(clock(time, date(day)?)?), None),
            When::ApartBoth { date: day, begin, end } => {
                let day = date(day)?;
                let from = clock(begin, day)?;
                let mut to = clock(end, day)?;
                if to <= from {
                    // The day's last interval ends at 00:00 of the next.
                    to = clock(end, day.tomorrow().map_err(|error| error.to_string())?)?;
                }
                (Stamped::Local(from), Some(Stamped::Local(to)))
            }
        })
    }

    /// Which end of the interval the first stamp of [`Self::stamps`] is.
    pub(crate) fn stamp_is(&self) -> StampIs {
        match self.when {
            When::One { is, .. } | When::Apart { is, .. } => is,
            When::Both { .. } | When::ApartBoth { .. } => StampIs::Begin,
        }
    }

    /// The length of an interval: said, shown by begin and end, or by stamps that are just a slot apart.
    fn interval(&self, head: &[u8], rows: &[StringRecord], options: &Options) -> Result<u32, Fault> {
        let mut last: BTreeMap<String, i64> = BTreeMap::new();
        let mut apart: Option<i64> = None;
        for row in rows {
            let fault = |what| Fault::line(line_of(head, row) + options.skip_lines, what);
            self.check_fields(row).map_err(fault)?;
            let (first, second) = self.stamps(row).map_err(fault)?;
            if matches!(first, Stamped::Local(_)) && self.zone.is_none() {
                return Err(Fault::at(
                    "times",
                    "have no offset from UTC; say their zone with --zone, such as Europe/Vienna, or UTC, or +01:00 for clocks that are never put",
                ));
            }
            if let Some(second) = second {
                return match u32::try_from(plain(second) - plain(first)) {
                    Ok(seconds) if (1..=86_400).contains(&seconds) => Ok(seconds),
                    _ => Err(fault("ends before it begins, or lasts longer than a day".into())),
                };
            }
            let key = self.key(row);
            if let Some(before) = last.insert(key, plain(first)) {
                let step = (plain(first) - before).abs();
                apart = Some(apart.map_or(step, |least| least.min(step).max(1))).filter(|step| *step > 0);
            }
        }
        match options.interval_s {
            Some(seconds) => Ok(seconds),
            None if apart == Some(i64::from(options.slot_seconds)) => Ok(options.slot_seconds),
            None => Err(Fault::at(
                "times",
                format!(
                    "do not show how long an interval is ({} minutes were expected); say --interval-minutes",
                    options.slot_seconds / 60
                ),
            )),
        }
    }

    /// Whether a row has the fields of the header.
    pub(crate) fn check_fields(&self, row: &StringRecord) -> Result<(), String> {
        let (found, expected) = (row.len(), self.columns.count());
        if found == expected {
            return Ok(());
        }
        Err(format!(
            "has {found} fields and the header {expected}; is the file cut off, or a value with the delimiter in it not quoted?"
        ))
    }

    /// What tells series of one file apart: the meter, and its direction where a column tells it.
    pub(crate) fn key(&self, row: &StringRecord) -> String {
        let cell = |role| self.columns.place(role).and_then(|place| row.get(place)).unwrap_or_default();
        format!("{}\n{}", cell(Role::Meter), cell(Role::Direction))
    }
}

/// A stamp as if its zone were UTC: for differences.
fn plain(stamped: Stamped) -> i64 {
    match stamped {
        Stamped::Instant(instant) => instant,
        // Offset 0 is in every range.
        Stamped::Local(local) => local.at_offset(0).unwrap_or_default(),
    }
}

/// The line of a row, from 1. Its position stands before line ends that are skipped in front of it.
fn line_of(head: &[u8], row: &StringRecord) -> u64 {
    let start = row.position().map_or(0, |at| usize::try_from(at.byte()).unwrap_or(usize::MAX));
    let rest = head.get(start..).unwrap_or_default();
    let skipped = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let before = head.get(..start + skipped).unwrap_or_default();
    before.iter().filter(|byte| **byte == b'\n').count() as u64 + 1
}

/// The first lines as whole lines of text.
fn text_of(head: &[u8], whole: bool) -> Result<&[u8], Fault> {
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        return Err(Fault::at(
            "the file",
            "is UTF-16; convert it first: iconv -f UTF-16 -t UTF-8 FILE > NEW",
        ));
    }
    let end =
        if whole { head.len() } else { head.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1) };
    let head = head.get(..end).unwrap_or_default();
    match std::str::from_utf8(head) {
        Err(error) => {
            let line = head
                .get(..error.valid_up_to())
                .unwrap_or_default()
                .iter()
                .filter(|byte| **byte == b'\n')
                .count()
                + 1;
            Err(Fault::at(
                format!("line {line}"),
                "is not UTF-8; convert the file first: iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW",
            ))
        }
        Ok(text) if text.trim().is_empty() => {
            Err(Fault::at("the file", "is empty, or its first line is longer than a megabyte"))
        }
        Ok(_) => Ok(head),
    }
}

fn after_lines(head: &[u8], lines: u64) -> Result<&[u8], Fault> {
    let mut rest = head;
    for _ in 0..lines {
        let end = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or_else(|| Fault::at("--skip-lines", "the file has not that many lines"))?;
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    Ok(rest)
}

fn sample(head: &[u8], delimiter: u8) -> Result<(StringRecord, Vec<StringRecord>), Fault> {
    let mut table =
        csv::ReaderBuilder::new().delimiter(delimiter).has_headers(true).flexible(true).from_reader(head);
    let fault = |error: csv::Error| Fault::at("first lines", error);
    let header = table.headers().map_err(fault)?.clone();
    let rows = table.into_records().collect::<Result<Vec<_>, _>>().map_err(fault)?;
    Ok((header, rows))
}

fn value_columns(columns: &Columns, options: &Options) -> Result<Vec<ValueColumn>, Fault> {
    let mut values = Vec::new();
    for (role, direction) in
        [(Role::Consumption, Direction::Consumption), (Role::Generation, Direction::Generation)]
    {
        if let Some(place) = columns.place(role) {
            values.push((role, place, Kind::Fixed(direction)));
        }
    }
    if let Some(place) = columns.place(Role::Value) {
        let kind = match (columns.place(Role::Direction), options.sign, options.direction) {
            (Some(told), None, None) => Kind::Told(told),
            (None, Some(sign), None) => Kind::Signed(sign),
            (None, None, Some(direction)) => Kind::Fixed(direction),
            (None, None, None) => {
                return Err(header_fault(format!(
                    "does not say which way the energy of {} went; say --direction consumption or generation, or --sign if it is signed, or --column direction=NAME",
                    quoted(columns.title(Role::Value))
                )));
            }
            _ => {
                return Err(header_fault(
                    "the direction is told twice: by a column, --direction and --sign take one".into(),
                ));
            }
        };
        values.push((Role::Value, place, kind));
    }
    if values.is_empty() {
        return Err(header_fault(
            "has no column for energy; say which with --column consumption=NAME, generation=NAME or value=NAME".into(),
        ));
    }
    if columns.place(Role::Value).is_some() && values.len() > 1 {
        return Err(header_fault(format!(
            "has {} beside columns for consumption or generation; say which are meant with --column",
            quoted(columns.title(Role::Value))
        )));
    }
    let with_unit = |(role, place, kind)| match options.unit.or_else(|| columns.unit(role)) {
        Some(unit) => Ok(ValueColumn { place, unit, kind }),
        None => Err(header_fault(format!(
            "does not say the unit of {}; say it with --unit Wh, kWh, MWh, W or kW",
            quoted(columns.title(role))
        ))),
    };
    values.into_iter().map(with_unit).collect()
}

fn when(columns: &Columns, options: &Options) -> Result<When, Fault> {
    let place = |role| columns.place(role);
    let asked = |role| {
        options.stamp.ok_or_else(|| {
            header_fault(format!("does not say whether {} is the begin or the end of its interval; say --stamp begin or --stamp end", quoted(columns.title(role))))
        })
    };
    if let (Some(date), None) = (place(Role::Date), place(Role::Time)) {
        return Ok(match (place(Role::Begin), place(Role::End), place(Role::Clock)) {
            (Some(begin), Some(end), _) => When::ApartBoth { date, begin, end },
            (Some(clock), None, _) => When::Apart { date, clock, is: StampIs::Begin },
            (None, Some(clock), _) => When::Apart { date, clock, is: StampIs::End },
            (None, None, Some(clock)) => When::Apart { date, clock, is: asked(Role::Clock)? },
            (None, None, None) => When::One { place: date, is: asked(Role::Date)? },
        });
    }
    Ok(match (place(Role::Begin), place(Role::End), place(Role::Time)) {
        (Some(begin), Some(end), _) => When::Both { begin, end },
        (Some(place), None, _) => When::One { place, is: StampIs::Begin },
        (None, Some(place), _) => When::One { place, is: StampIs::End },
        (None, None, Some(place)) => When::One { place, is: asked(Role::Time)? },
        (None, None, None) => {
            return Err(header_fault("has no column for the time; say which with --column time=NAME".into()));
        }
    })
}
