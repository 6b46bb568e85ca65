//! Meter readings from Green Button files (NAESB REQ.21 ESPI, an Atom feed of XML).
//!
//! Entries refer to one another by links and not by their order: blocks of intervals belong to a meter reading, that has a reading type (unit,
//! power of ten, direction) and belongs to a usage point. Times are seconds since 1970 in UTC, so that days on which clocks are put need no care. What
//! is no electric energy of intervals is left out and told.
#![forbid(unsafe_code)]

mod feed;
mod values;

use feed::{Content, Entry, ReadingType};
use veilgrid_readings::{Direction, Fault, Reading, Sink, is_meter_id, quoted};

/// What was left out of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeftOut {
    /// Meter readings of something else than energy of intervals.
    pub meter_readings: u64,
}

/// Reads a feed. `meter` names the meter of a feed with one usage point; without it the usage point's own id does.
///
/// # Errors
/// What is wrong, with the line; what `sink` refuses.
pub fn read(text: &str, meter: Option<&str>, sink: &mut Sink<'_>) -> Result<LeftOut, Fault> {
    let entries = feed::entries(text)?;
    let mut left_out = LeftOut::default();
    let is_one_point =
        entries.iter().filter(|entry| matches!(entry.content, Content::UsagePoint { .. })).count() <= 1;
    if meter.is_some() && !is_one_point {
        return Err(Fault::at(
            "the feed",
            "has several usage points, and --meter names one; leave it out, their own ids are used",
        ));
    }
    let mut is_empty = true;
    for reading in entries.iter().filter(|entry| matches!(entry.content, Content::MeterReading)) {
        let Some(series) = Series::of(reading, &entries, meter)? else {
            left_out.meter_readings += 1;
            continue;
        };
        for block in entries.iter().filter(|entry| reading.is_parent_of(entry)) {
            if let Content::Intervals(intervals) = &block.content {
                is_empty = false;
                intervals.iter().try_for_each(|interval| series.hand_out(interval, sink))?;
            }
        }
    }
    if is_empty && left_out.meter_readings == 0 {
        return Err(Fault::at(
            "the feed",
            "has no intervals that belong to a meter reading; is it a Green Button file with interval data?",
        ));
    }
    Ok(left_out)
}

/// A meter reading with what its links lead to.
struct Series {
    meter: String,
    direction: Direction,
    reading_type: ReadingType,
}

impl Series {
    /// `None` for what is no energy of intervals.
    fn of(reading: &Entry, entries: &[Entry], meter: Option<&str>) -> Result<Option<Self>, Fault> {
        let types: Vec<&ReadingType> = entries
            .iter()
            .filter(|entry| reading.is_parent_of(entry))
            .filter_map(|entry| match &entry.content {
                Content::ReadingType(one) => Some(one),
                _ => None,
            })
            .collect();
        let [reading_type] = types.as_slice() else {
            return Err(Fault::line(
                reading.line,
                format!(
                    "is a meter reading with {} reading types that its links lead to, and it needs one",
                    types.len()
                ),
            ));
        };
        let points: Vec<&Entry> = entries
            .iter()
            .filter(|entry| {
                matches!(entry.content, Content::UsagePoint { .. }) && entry.is_parent_of(reading)
            })
            .collect();
        if let [Entry { content: Content::UsagePoint { is_electricity: false }, .. }] = points.as_slice() {
            return Ok(None);
        }
        if !reading_type.is_energy_of_intervals() {
            return Ok(None);
        }
        let direction = reading_type.direction().ok_or_else(|| {
            Fault::line(
                reading_type.line,
                "does not say which way the energy went (flowDirection 1, to the customer, or 19, from it)",
            )
        })?;
        let own_id = || match points.as_slice() {
            [point] => point.link_self.rsplit('/').next().map(str::to_owned).filter(|id| !id.is_empty()),
            _ => None,
        };
        let meter = meter.map(str::to_owned).or_else(own_id);
        let meter = meter.ok_or_else(|| Fault::line(reading.line, "is a meter reading without a usage point that its links lead to; say whose it is with --meter"))?;
        if !is_meter_id(&meter) {
            return Err(Fault::line(
                reading.line,
                format!("is of {}, which is no id of a meter", quoted(&meter)),
            ));
        }
        Ok(Some(Self { meter, direction, reading_type: (*reading_type).clone() }))
    }

    fn hand_out(&self, interval: &feed::Interval, sink: &mut Sink<'_>) -> Result<(), Fault> {
        let fault = |what: String| Fault::line(interval.line, what);
        let value = values::value(interval, &self.reading_type).map_err(fault)?;
        let start_unix_s = interval.start_unix_s.ok_or_else(|| fault("has no start".into()))?;
        let reading = Reading {
            meter: &self.meter,
            direction: self.direction,
            start_unix_s,
            seconds: interval.seconds,
            value,
        };
        sink(&reading).map_err(fault)
    }
}
