//! What is billed: a calendar month of the community's zone.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// A month. All of them partition time, and each has at least 28 days (settlement, rule 20).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period {
    year: u16,
    month: u8,
}

/// A text that is no month.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0} is no month of the years 1970 to 2199; write it like 2026-03")]
pub struct PeriodError(pub String);

impl Period {
    /// Its year.
    pub fn year(self) -> u16 {
        self.year
    }

    /// Its month, from 1.
    pub fn month(self) -> u8 {
        self.month
    }

    /// The month after it.
    #[must_use]
    pub fn next(self) -> Self {
        if self.month == 12 {
            Self { year: self.year + 1, month: 1 }
        } else {
            Self { month: self.month + 1, ..self }
        }
    }

    /// `March 2026`.
    pub fn title(self) -> String {
        const NAMES: [&str; 12] = [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ];
        let name = NAMES.get(usize::from(self.month).wrapping_sub(1)).unwrap_or(&"");
        format!("{name} {}", self.year)
    }
}

impl FromStr for Period {
    type Err = PeriodError;
    fn from_str(text: &str) -> Result<Self, PeriodError> {
        let wrong = || PeriodError(text.chars().take(20).collect());
        let (year, month) = text.split_once('-').ok_or_else(wrong)?;
        let is_form = year.len() == 4 && month.len() == 2;
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_form || !digits(year) || !digits(month) {
            return Err(wrong());
        }
        let (year, month) = (year.parse().map_err(|_| wrong())?, month.parse().map_err(|_| wrong())?);
        if (1970..2200).contains(&year) && (1..=12).contains(&month) {
            Ok(Self { year, month })
        } else {
            Err(wrong())
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl TryFrom<String> for Period {
    type Error = PeriodError;
    fn try_from(text: String) -> Result<Self, PeriodError> {
        text.parse()
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

/// A calendar date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Date {
    period: Period,
    day: u8,
}

/// A text that is no date.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0} is no date of the years 1970 to 2199; write it like 2026-03-29")]
pub struct DateError(pub String);

impl Date {
    /// The month that it lies in.
    pub fn period(self) -> Period {
        self.period
    }

    /// The day of the month, from 1.
    pub fn day(self) -> u8 {
        self.day
    }

    /// This many days later, at most some years.
    #[must_use]
    pub fn plus_days(self, days: u16) -> Self {
        (0..days).fold(self, |date, _| date.next())
    }

    fn next(self) -> Self {
        if self.day < self.period.days() {
            Self { day: self.day + 1, ..self }
        } else {
            Self { period: self.period.next(), day: 1 }
        }
    }
}

impl Period {
    /// Its days.
    pub fn days(self) -> u8 {
        let is_leap =
            (self.year.is_multiple_of(4) && !self.year.is_multiple_of(100)) || self.year.is_multiple_of(400);
        match self.month {
            2 if is_leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    /// A date of it, if it has that day.
    pub fn date(self, day: u8) -> Option<Date> {
        (1..=self.days()).contains(&day).then_some(Date { period: self, day })
    }
}

impl FromStr for Date {
    type Err = DateError;
    fn from_str(text: &str) -> Result<Self, DateError> {
        let wrong = || DateError(text.chars().take(20).collect());
        let (month, day) = text.rsplit_once('-').ok_or_else(wrong)?;
        if day.len() != 2 || !day.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let period: Period = month.parse().map_err(|_| wrong())?;
        period.date(day.parse().map_err(|_| wrong())?).ok_or_else(wrong)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:02}", self.period, self.day)
    }
}

impl TryFrom<String> for Date {
    type Error = DateError;
    fn try_from(text: String) -> Result<Self, DateError> {
        text.parse()
    }
}

impl From<Date> for String {
    fn from(date: Date) -> Self {
        date.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_one_another() {
        let period = |text: &str| text.parse::<Period>();
        assert_eq!(period("2026-12").map(|one| one.next().to_string()), Ok("2027-01".to_owned()));
        assert_eq!(
            period("2026-03").map(|one| (one.title(), one.next().to_string())),
            Ok(("March 2026".into(), "2026-04".into()))
        );
        for text in [
            "",
            "2026",
            "2026-3",
            "2026-13",
            "2026-00",
            "1969-12",
            "2200-01",
            "+026-01",
            "2026-03-01",
            "2026/03",
        ] {
            assert!(period(text).is_err(), "{text}");
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let date = |text: &str| text.parse::<Date>();
        assert_eq!(date("2026-02-20").map(|one| one.plus_days(14).to_string()), Ok("2026-03-06".to_owned()));
        assert_eq!(date("2028-02-20").map(|one| one.plus_days(14).to_string()), Ok("2028-03-05".to_owned()));
        assert_eq!(date("2026-12-31").map(|one| one.plus_days(1).to_string()), Ok("2027-01-01".to_owned()));
        for text in
            ["2026-02-29", "2026-04-31", "2026-1-01", "2026-01-1", "2026-01-00", "26-01-01", "2026-01-01T"]
        {
            assert!(date(text).is_err(), "{text}");
        }
    }
}
