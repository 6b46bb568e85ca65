//! What the caller knows of a file, where the file does not say it.

use std::collections::BTreeMap;
use veilgrid_readings::{DecimalMark, Direction, Unit, Zone};

/// Which end of its interval a time stamp is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StampIs {
    /// 00:00 stands for 00:00 to 00:15.
    Begin,
    /// 00:15 stands for 00:00 to 00:15.
    End,
}

/// What a value above zero is in a signed column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Consumption; what is below zero is generation.
    ConsumptionPositive,
    /// Generation; what is below zero is consumption.
    GenerationPositive,
}

/// The order of a date with its year last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOrder {
    /// 31/12/2026
    DayFirst,
    /// 12/31/2026
    MonthFirst,
}

/// Which of two equal local times is meant where only one of them is in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HalfOfHour {
    /// Before clocks were put back.
    Earlier,
    /// After.
    Later,
}

/// What a column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Date and time of an interval's begin.
    Begin,
    /// Date and time of its end.
    End,
    /// Date and time, of begin or end.
    Time,
    /// The date alone.
    Date,
    /// The time of day alone.
    Clock,
    /// The meter's id.
    Meter,
    /// Energy out of the grid.
    Consumption,
    /// Energy into the grid.
    Generation,
    /// Energy of a direction that is told elsewhere.
    Value,
    /// The direction of `Value`.
    Direction,
    /// How the value came about.
    Grade,
}

impl Role {
    /// All, in their order.
    pub const ALL: [Self; 11] = [
        Self::Begin,
        Self::End,
        Self::Time,
        Self::Date,
        Self::Clock,
        Self::Meter,
        Self::Consumption,
        Self::Generation,
        Self::Value,
        Self::Direction,
        Self::Grade,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::End => "end",
            Self::Time => "time",
            Self::Date => "date",
            Self::Clock => "clock",
            Self::Meter => "meter",
            Self::Consumption => "consumption",
            Self::Generation => "generation",
            Self::Value => "value",
            Self::Direction => "direction",
            Self::Grade => "grade",
        }
    }
}

/// What the caller says of a file. The default says nothing but that slots have a quarter of an hour.
#[derive(Debug, Clone)]
pub struct Options {
    /// The length of the slots that are expected, in seconds. A file whose stamps are that far apart needs no `interval_s`.
    pub slot_seconds: u32,
    /// The length of the file's intervals, in seconds.
    pub interval_s: Option<u32>,
    /// Lines before the header.
    pub skip_lines: u64,
    /// What stands between fields.
    pub delimiter: Option<u8>,
    /// What stands between whole part and rest of a number.
    pub decimal: Option<DecimalMark>,
    /// The zone of times without offset.
    pub zone: Option<Zone>,
    /// Which end of the interval a stamp is.
    pub stamp: Option<StampIs>,
    /// The unit of all values.
    pub unit: Option<Unit>,
    /// The order of dates such as 05/06/2026.
    pub date_order: Option<DateOrder>,
    /// The meter of a file without a column for it.
    pub meter: Option<String>,
    /// The direction of a value column without one.
    pub direction: Option<Direction>,
    /// The value column is signed.
    pub sign: Option<Sign>,
    /// Which half is meant where a repeated hour is there once.
    pub repeated_hour: Option<HalfOfHour>,
    /// Columns by the header's exact text.
    pub columns: BTreeMap<Role, String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            slot_seconds: 900,
            interval_s: None,
            skip_lines: 0,
            delimiter: None,
            decimal: None,
            zone: None,
            stamp: None,
            unit: None,
            date_order: None,
            meter: None,
            direction: None,
            sign: None,
            repeated_hour: None,
            columns: BTreeMap::new(),
        }
    }
}
