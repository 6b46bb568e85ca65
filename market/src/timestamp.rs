//! Instants: RFC 3339 text to whole seconds since 1970-01-01T00:00:00Z and back.
//!
//! Slots are UTC instants (protocol section 3); the offset in the text only says which instant is meant.

/// Why a text is not an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// Not of the shape `YYYY-MM-DDThh:mm:ssZ` or with an offset `+hh:mm`.
    #[error("is not RFC 3339: write it like 2016-06-22T00:15:00+02:00 or 2016-06-21T22:15:00Z")]
    Shape,
    /// The shape is right, the date or time does not exist (leap seconds are not slots).
    #[error("names a date, time or offset that does not exist")]
    OutOfRange,
    /// A slot that starts within a second.
    #[error("has a fraction of a second: slots start on whole seconds")]
    Fraction,
}

/// Seconds since 1970-01-01T00:00:00Z of an RFC 3339 instant of years 0000 to 9999.
pub fn parse_rfc3339(text: &str) -> Result<i64, TimestampError> {
    let bytes = text.as_bytes();
    let separators = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    // RFC 3339, section 5.6, allows a blank between date and time; pandas writes it so.
    let parted = matches!(bytes.get(10), Some(b'T' | b't' | b' '));
    let shaped = |&(at, byte): &(usize, u8)| bytes.get(at) == Some(&byte);
    if !parted || !separators.iter().all(shaped) {
        return Err(TimestampError::Shape);
    }
    let field = |from, to| digits(bytes, from, to).ok_or(TimestampError::Shape);
    let (year, month, day) = (field(0, 4)?, field(5, 7)?, field(8, 10)?);
    let (hour, minute, second) = (field(11, 13)?, field(14, 16)?, field(17, 19)?);
    let offset_s = parse_offset(bytes.get(19..).unwrap_or_default())?;
    let exists = (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !exists {
        return Err(TimestampError::OutOfRange);
    }
    Ok(days_from_epoch(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset_s)
}

/// The instant in UTC, `YYYY-MM-DDThh:mm:ssZ`; for messages and reports.
pub fn format_utc(unix_s: i64) -> String {
    let (days, second) = (unix_s.div_euclid(86_400), unix_s.rem_euclid(86_400));
    let (year, month, day) = date_of(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Seconds east of UTC.
fn parse_offset(bytes: &[u8]) -> Result<i64, TimestampError> {
    let sign = match bytes {
        [b'Z' | b'z'] => return Ok(0),
        [b'.', ..] => return Err(TimestampError::Fraction),
        [b'+', _, _, b':', _, _] => 1,
        [b'-', _, _, b':', _, _] => -1,
        _ => return Err(TimestampError::Shape),
    };
    let field = |from, to| digits(bytes, from, to).ok_or(TimestampError::Shape);
    let (hours, minutes) = (field(1, 3)?, field(4, 6)?);
    if hours > 23 || minutes > 59 {
        return Err(TimestampError::OutOfRange);
    }
    Ok(sign * (hours * 3600 + minutes * 60))
}

/// At most four ASCII digits as a number.
fn digits(bytes: &[u8], from: usize, to: usize) -> Option<i64> {
    let part = bytes.get(from..to)?;
    part.iter()
        .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar. Years are counted from March, so that the leap day comes last and
/// a month's first day is a linear function of the month.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_from_epoch`].
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blank_may_stand_for_the_t() {
        let with_t = parse_rfc3339("2026-06-21T10:00:00+00:00");
        assert!(with_t.is_ok());
        assert_eq!(parse_rfc3339("2026-06-21 10:00:00+00:00"), with_t);
        assert_eq!(parse_rfc3339("2026-06-21_10:00:00+00:00"), Err(TimestampError::Shape));
    }

    #[test]
    fn known_instants() {
        assert_eq!(parse_rfc3339("1970-01-01T00:00:00Z"), Ok(0));
        assert_eq!(parse_rfc3339("2016-06-22T00:00:00+02:00"), Ok(1_466_546_400));
        assert_eq!(parse_rfc3339("2016-06-21t22:00:00z"), Ok(1_466_546_400));
        assert_eq!(parse_rfc3339("2000-02-29T12:34:56-05:30"), Ok(951_847_496));
        assert_eq!(parse_rfc3339("1969-12-31T23:59:59Z"), Ok(-1));
        assert_eq!(parse_rfc3339("2100-03-01T00:00:00Z"), Ok(4_107_542_400));
    }

    #[test]
    fn format_is_the_inverse() {
        for unix_s in [0, -1, 1_466_546_400, 951_868_800, 4_107_542_399, 253_402_300_799] {
            assert_eq!(parse_rfc3339(&format_utc(unix_s)), Ok(unix_s));
        }
        assert_eq!(format_utc(1_466_546_400), "2016-06-21T22:00:00Z");
        // Every day of 400 years, leap centuries included.
        for day in 0..146_097 {
            assert_eq!(parse_rfc3339(&format_utc(day * 86_400)), Ok(day * 86_400));
        }
    }

    #[test]
    fn what_does_not_exist_is_refused() {
        for text in [
            "2016-13-01T00:00:00Z",
            "2016-00-01T00:00:00Z",
            "2015-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2016-04-31T00:00:00Z",
            "2016-06-00T00:00:00Z",
            "2016-06-22T24:00:00Z",
            "2016-06-22T00:60:00Z",
            "2016-06-22T23:59:60Z",
            "2016-06-22T00:00:00+24:00",
            "2016-06-22T00:00:00+02:60",
        ] {
            assert_eq!(parse_rfc3339(text), Err(TimestampError::OutOfRange), "{text}");
        }
    }

    #[test]
    fn other_shapes_are_refused() {
        for text in [
            "",
            "2016-06-22",
            "2016-06-22T00:00:00",
            "2016-06-22T00:00:00+0200",
            "2016-06-22T00:00:00Z ",
            "2016/06/22T00:00:00Z",
            "+016-06-22T00:00:00Z",
            "2016-06-2éT00:00:00Z",
            "22.06.2016 00:00",
        ] {
            assert_eq!(parse_rfc3339(text), Err(TimestampError::Shape), "{text}");
        }
        assert_eq!(parse_rfc3339("2016-06-22T00:00:00.5Z"), Err(TimestampError::Fraction));
    }
}
