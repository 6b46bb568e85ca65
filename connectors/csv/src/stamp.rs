//! Dates and times of a cell.

use crate::options::DateOrder;
use veilgrid_readings::{Date, Local};

/// What a cell's text is, before anybody knows its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stamped {
    /// With `Z` or an offset: one instant.
    Instant(i64),
    /// Without.
    Local(Local),
}

/// Why a text is no time stamp.
pub(crate) const SHAPE: &str = "is no date and time; they are read like 2026-06-21T10:15:00+02:00, 2026-06-21 10:15, 21.06.2026 10:15:00 or 21/06/2026 10:15, with four digits of the year";

/// A date and a time of day in one text.
pub(crate) fn parse(text: &str, order: Option<DateOrder>) -> Result<Stamped, &'static str> {
    let (date, rest) = text.split_once(['T', ' ', 't']).ok_or(SHAPE)?;
    let date = parse_date(date, order)?;
    let rest = rest.trim_start();
    let cut = rest.find(['Z', 'z', '+', '-', '−']).unwrap_or(rest.len());
    let (clock, offset) = rest.split_at(cut);
    let local = parse_clock(clock.trim_end(), date)?;
    match offset {
        "" => Ok(Stamped::Local(local)),
        _ => local.at_offset(offset_s(offset).ok_or(SHAPE)?).map(Stamped::Instant).map_err(|_| NOT_THERE),
    }
}

const NOT_THERE: &str = "names a date or time that does not exist, or not in the years 1970 to 2199";

/// A time of day on a date; 24:00 is the day's end. Seconds may have a fraction of zeros.
pub(crate) fn parse_clock(text: &str, date: Date) -> Result<Local, &'static str> {
    let mut parts = text.split(':');
    let (hour, minute) =
        (parts.next().and_then(two_digits).ok_or(SHAPE)?, parts.next().and_then(two_digits).ok_or(SHAPE)?);
    let second = match parts.next() {
        None => 0,
        Some(second) => {
            let (whole, fraction) = second.split_once(['.', ',']).unwrap_or((second, "0"));
            if fraction.is_empty() || !fraction.bytes().all(|byte| byte == b'0') {
                return Err("has a fraction of a second; intervals begin on whole seconds");
            }
            two_digits(whole).ok_or(SHAPE)?
        }
    };
    if parts.next().is_some() {
        return Err(SHAPE);
    }
    Local::new(date, hour, minute, second).map_err(|_| NOT_THERE)
}

/// A date, year first or last.
pub(crate) fn parse_date(text: &str, order: Option<DateOrder>) -> Result<Date, &'static str> {
    let separator = text.bytes().find(|byte| !byte.is_ascii_digit()).ok_or(SHAPE)?;
    let mut parts = text.split(char::from(separator));
    let (Some(first), Some(second), Some(third), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(SHAPE);
    };
    let (year, month, day) = match (first.len(), third.len(), separator) {
        (4, 2, b'-' | b'/' | b'.') => (first, second, third),
        (2, 4, b'.') => (third, second, first),
        (2, 4, b'/' | b'-') => match order {
            Some(DateOrder::DayFirst) => (third, second, first),
            Some(DateOrder::MonthFirst) => (third, first, second),
            None => {
                return Err(
                    "may begin with the day or with the month; say --date-order day-first or month-first",
                );
            }
        },
        _ => return Err(SHAPE),
    };
    let year = if year.bytes().all(|byte| byte.is_ascii_digit()) {
        year.parse::<i16>().map_err(|_| SHAPE)?
    } else {
        return Err(SHAPE);
    };
    let (month, day) = (two_digits(month).ok_or(SHAPE)?, two_digits(day).ok_or(SHAPE)?);
    if !(1970..2200).contains(&year) {
        return Err(NOT_THERE);
    }
    Date::new(year, month, day).map_err(|_| NOT_THERE)
}

/// What the dates of some cells say of their order: a first number above 12 is a day, a second one too.
pub(crate) fn order_of<'a>(texts: impl Iterator<Item = &'a str>) -> Option<DateOrder> {
    for text in texts {
        let date = text.split(['T', ' ']).next().unwrap_or_default();
        let mut parts = date.split(['/', '-']);
        let (first, second) = (parts.next().and_then(two_digits), parts.next().and_then(two_digits));
        match (first, second) {
            (Some(13..=31), _) => return Some(DateOrder::DayFirst),
            (Some(_), Some(13..=31)) => return Some(DateOrder::MonthFirst),
            _ => {}
        }
    }
    None
}

fn offset_s(text: &str) -> Option<i32> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let (sign, rest) = text
        .strip_prefix('+')
        .map(|rest| (1, rest))
        .or_else(|| text.strip_prefix(['-', '−']).map(|rest| (-1, rest)))?;
    let (hours, minutes) = match rest.split_once(':') {
        Some(parts) => parts,
        None if rest.len() == 4 => (rest.get(..2)?, rest.get(2..)?),
        None => (rest, "00"),
    };
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    (hours <= 14 && minutes < 60).then(|| sign * (i32::from(hours) * 3600 + i32::from(minutes) * 60))
}

fn two_digits(text: &str) -> Option<i8> {
    match text.as_bytes() {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => i8::try_from((tens - b'0') * 10 + (ones - b'0')).ok(),
        [ones @ b'0'..=b'9'] => i8::try_from(ones - b'0').ok(),
        _ => None,
    }
}
