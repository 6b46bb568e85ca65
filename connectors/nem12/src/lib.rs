//! Meter readings from NEM12 (AEMO, Meter Data File Format Specification NEM12 & NEM13 2.x).
//!
//! A day is one of market time, UTC+10 all year. Streams whose suffix begins with E are energy to the customer, consumption, and those with B
//! energy from it, generation, whatever the specification calls export and import; reactive energy is left out. A stream's meter is its NMI and
//! the number of its suffix, `6123456789/1`: nothing is added up. Of rows of the same day the one with the latest update time counts.
#![forbid(unsafe_code)]

mod quality;

use quality::Qualities;
use std::collections::BTreeMap;
use veilgrid_readings::{
    Date, DecimalMark, Direction, Energy, Fault, Grade, Local, Reading, Sink, Unit, is_meter_id, is_missing,
    parse_signed_nano_wh, quoted,
};

/// Market time: UTC+10, never put forward.
const MARKET_OFFSET_S: i32 = 10 * 3600;
const DAY_MINUTES: u32 = 1440;

/// What was left out of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeftOut {
    /// Streams of reactive energy, volts and the like.
    pub streams: u64,
    /// Days that a later row replaces.
    pub replaced_days: u64,
}

/// A stream of energy, as its 200 row says.
#[derive(Debug, Clone)]
struct Stream {
    meter: String,
    direction: Direction,
    unit: Unit,
    interval_minutes: u32,
}

type Value = Option<(Energy, Grade)>;

/// A 300 row with its 400 rows.
struct Day {
    line: u64,
    updated: u64,
    seconds: u32,
    start_unix_s: i64,
    values: Vec<Value>,
}

/// The row that 400 rows belong to, before they have come.
struct Open {
    stream: Stream,
    date: Date,
    line: u64,
    updated: u64,
    energies: Vec<Option<Energy>>,
    qualities: Qualities,
}

/// Reads a file.
///
/// # Errors
/// What is wrong, with the line; what `sink` refuses.
pub fn read(text: &str, sink: &mut Sink<'_>) -> Result<LeftOut, Fault> {
    let mut file = Contents::default();
    let mut is_ended = false;
    for (line, text) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let fields: Vec<&str> = text.trim_end_matches('\r').split(',').map(str::trim).collect();
        let kind = fields.first().copied().unwrap_or_default();
        if line == 1 && (kind != "100" || fields.get(1) != Some(&"NEM12")) {
            return Err(Fault::line(1, "is not `100,NEM12,…`: this is no NEM12 file"));
        }
        if is_ended && !text.trim().is_empty() {
            return Err(Fault::line(line, "comes after the end of the file (record 900)"));
        }
        match kind {
            "100" if line == 1 => {}
            "200" => file.stream(&fields, line)?,
            "300" => file.day(&fields, line)?,
            "400" => file.event(&fields, line)?,
            "500" => {}
            "900" => is_ended = true,
            "" if text.trim().is_empty() => {}
            other => {
                return Err(Fault::line(
                    line,
                    format!("begins with {}; records are 100, 200, 300, 400, 500, 900", quoted(other)),
                ));
            }
        }
    }
    if !is_ended {
        return Err(Fault::at("the file", "has no end (record 900); was it cut off?"));
    }
    file.close_day()?;
    file.hand_out(sink)
}

#[derive(Default)]
struct Contents {
    stream: Option<Option<Stream>>,
    open: Option<Open>,
    days: BTreeMap<(String, Direction, Date), Day>,
    left_out: LeftOut,
}

impl Contents {
    fn stream(&mut self, fields: &[&str], line: u64) -> Result<(), Fault> {
        self.close_day()?;
        let field = |place: usize| fields.get(place).copied().unwrap_or_default();
        let (nmi, suffix, unit, interval) = (field(1), field(4), field(7), field(8));
        let direction = match suffix.bytes().next() {
            Some(b'E') => Some(Direction::Consumption),
            Some(b'B') => Some(Direction::Generation),
            _ => None,
        };
        let unit = match unit.to_ascii_uppercase().as_str() {
            "WH" => Some(Unit::Wh),
            "KWH" => Some(Unit::KWh),
            "MWH" => Some(Unit::MWh),
            _ => None,
        };
        let (Some(direction), Some(unit)) = (direction, unit) else {
            self.left_out.streams += 1;
            self.stream = Some(None);
            return Ok(());
        };
        let meter = format!("{nmi}/{}", suffix.get(1..).unwrap_or_default());
        if nmi.is_empty() || suffix.len() < 2 || !is_meter_id(&meter) {
            return Err(Fault::line(
                line,
                format!("names no stream: NMI {}, suffix {}", quoted(nmi), quoted(suffix)),
            ));
        }
        let interval_minutes = match interval {
            "5" => 5,
            "15" => 15,
            "30" => 30,
            other => {
                return Err(Fault::line(
                    line,
                    format!("has an interval of {} minutes; NEM12 has 5, 15 or 30", quoted(other)),
                ));
            }
        };
        self.stream = Some(Some(Stream { meter, direction, unit, interval_minutes }));
        Ok(())
    }

    fn day(&mut self, fields: &[&str], line: u64) -> Result<(), Fault> {
        self.close_day()?;
        let stream = self
            .stream
            .as_ref()
            .ok_or_else(|| Fault::line(line, "is a day (300) before any stream (200)"))?;
        let Some(stream) = stream.clone() else { return Ok(()) };
        let count = (DAY_MINUTES / stream.interval_minutes) as usize;
        let date = fields.get(1).copied().unwrap_or_default();
        let date = compact_date(date)
            .ok_or_else(|| Fault::line(line, format!("{} is no date like 20260621", quoted(date))))?;
        if fields.len() < count + 3 {
            let values = fields.len().saturating_sub(2);
            return Err(Fault::line(
                line,
                format!(
                    "has {values} fields after the date, and a day of {} minutes has {count} values and a quality",
                    stream.interval_minutes
                ),
            ));
        }
        let mut energies = Vec::with_capacity(count);
        for (place, text) in fields.iter().enumerate().skip(2).take(count) {
            energies.push(energy(text, stream.unit).map_err(|what| {
                Fault::line(line, format!("value {}: {} {what}", place - 1, quoted(text)))
            })?);
        }
        let text = fields.get(count + 2).copied().unwrap_or_default();
        let qualities = Qualities::of(text, count).map_err(|what| Fault::line(line, what))?;
        let updated = fields.get(count + 5).copied().unwrap_or_default();
        let updated = update_time(updated).ok_or_else(|| {
            Fault::line(line, format!("{} is no update time like 20260621010000", quoted(updated)))
        })?;
        self.open = Some(Open { stream, date, line, updated, energies, qualities });
        Ok(())
    }

    fn event(&mut self, fields: &[&str], line: u64) -> Result<(), Fault> {
        if matches!(self.stream, Some(None)) {
            return Ok(());
        }
        let open = self
            .open
            .as_mut()
            .ok_or_else(|| Fault::line(line, "is an event (400) without a day (300) before it"))?;
        let number = |place: usize| fields.get(place).and_then(|text| text.parse::<usize>().ok());
        let (Some(from), Some(to)) = (number(1), number(2)) else {
            return Err(Fault::line(line, "does not say from which interval to which its quality is"));
        };
        let quality = fields.get(3).copied().unwrap_or_default();
        open.qualities.set(from, to, quality).map_err(|what| Fault::line(line, what))
    }

    /// The open day is whole when the next one, another stream or the end comes.
    fn close_day(&mut self) -> Result<(), Fault> {
        let Some(Open { stream, date, line, updated, energies, qualities }) = self.open.take() else {
            return Ok(());
        };
        let grades = qualities.finish().map_err(|what| Fault::line(line, what))?;
        let mut values: Vec<Value> = Vec::with_capacity(energies.len());
        for (place, (energy, grade)) in energies.into_iter().zip(grades).enumerate() {
            values.push(match (energy, grade) {
                (_, None) => None,
                (Some(energy), Some(grade)) => Some((energy, grade)),
                (None, Some(grade)) => {
                    return Err(Fault::line(line, format!("value {} is empty, and its quality says {}; a value that is not there has quality N", place + 1, grade.name())));
                }
            });
        }
        let start = Local::new(date, 0, 0, 0)
            .and_then(|local| local.at_offset(MARKET_OFFSET_S))
            .map_err(|error| Fault::line(line, format!("{date} {error}")))?;
        let day = Day { line, updated, seconds: stream.interval_minutes * 60, start_unix_s: start, values };
        match self.days.entry((stream.meter, stream.direction, date)) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(day);
            }
            std::collections::btree_map::Entry::Occupied(mut place) => {
                let earlier = place.get();
                if earlier.updated == updated
                    && (earlier.values != day.values || earlier.seconds != day.seconds)
                {
                    return Err(Fault::line(
                        line,
                        format!(
                            "is the same day as line {} with other values, and neither has the later update time",
                            earlier.line
                        ),
                    ));
                }
                self.left_out.replaced_days += u64::from(earlier.updated != updated);
                if earlier.updated < updated {
                    place.insert(day);
                }
            }
        }
        Ok(())
    }

    fn hand_out(self, sink: &mut Sink<'_>) -> Result<LeftOut, Fault> {
        for ((meter, direction, _), day) in &self.days {
            for (place, value) in (0..).zip(&day.values) {
                let start_unix_s = day.start_unix_s + place * i64::from(day.seconds);
                let reading = Reading {
                    meter,
                    direction: *direction,
                    start_unix_s,
                    seconds: day.seconds,
                    value: *value,
                };
                sink(&reading)
                    .map_err(|what| Fault::line(day.line, format!("value {}: {what}", place + 1)))?;
            }
        }
        Ok(self.left_out)
    }
}

fn energy(text: &str, unit: Unit) -> Result<Option<Energy>, String> {
    if is_missing(text) {
        return Ok(None);
    }
    let nano_wh =
        parse_signed_nano_wh(text, DecimalMark::Point, unit, 0).map_err(|error| error.to_string())?;
    Energy::from_nano_wh(nano_wh)
        .map(Some)
        .ok_or_else(|| "is below zero; energy to and from the customer have streams of their own".into())
}

fn compact_date(text: &str) -> Option<Date> {
    if text.len() != 8 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from, to| text.get(from..to);
    Date::new(part(0, 4)?.parse().ok()?, part(4, 6)?.parse().ok()?, part(6, 8)?.parse().ok()?).ok()
}

/// `YYYYMMDDhhmmss`, which is in the order of time as a number; nothing where there is none, as in a day of quality N.
fn update_time(text: &str) -> Option<u64> {
    match text.len() {
        0 => Some(0),
        14 if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    }
}
