//! Meter readings as every importer of `connectors/` gives them, and what a calendar day of them is.
//!
//! An importer turns bytes of one format into [`Reading`]s; what is here is what they have in common: exact [`Energy`], a
//! [`Zone`]'s calendar days with 92, 96 or 100 quarter-hours, the grades, whether a value is plausible for its
//! connection, register readings turned into intervals, and a [`DayRecord`] with its revisions and its canonical text.
//! Values in, values out: no clock, no disk, no rule of the ledger.
//!
//! ```
//! use veilgrid_readings::Zone;
//! let vienna = Zone::named("Europe/Vienna").expect("a zone");
//! let day = |text: &str| vienna.day(text.parse().expect("a date")).expect("a day").slots(900).expect("whole slots");
//! assert_eq!([day("2026-03-29"), day("2026-06-21"), day("2026-10-25")], [92, 96, 100]);
//! ```
#![forbid(unsafe_code)]

mod capacity;
mod day;
mod energy;
mod fault;
mod month;
mod registers;
mod sequence;
mod zone;

pub use capacity::{Capacity, Implausible};
pub use day::{Change, Conflict, DayRecord, Revision, Slot, SlotValue};
pub use energy::{DecimalMark, Energy, EnergyError, Unit, is_missing, parse_signed_nano_wh};
pub use fault::{Fault, quoted};
pub use month::{Month, MonthError};
pub use registers::{Register, Registers, RegistersError};
pub use sequence::{Halves, halves, resolve};
pub use zone::{Date, Instants, Local, LocalError, Zone, ZoneDay, ZoneError};

/// The longest id of a meter or account, in bytes: a file is named after it.
pub const MAX_METER_BYTES: usize = 64;

/// Which way energy went through a connection point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Out of the grid, into the house: OBIS 1.8, "delivered to the client" of DSMR.
    Consumption,
    /// Out of the house, into the grid: OBIS 2.8.
    Generation,
}

impl Direction {
    /// Both, in their order.
    pub const ALL: [Self; 2] = [Self::Consumption, Self::Generation];

    /// Its name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Consumption => "consumption",
            Self::Generation => "generation",
        }
    }

    /// The direction of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|direction| direction.name() == name)
    }
}

/// How a value came about. A missing value has no grade: it is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Read from the meter.
    Measured,
    /// Put by the network operator in the place of one that could not be read.
    Substituted,
    /// A guess that somebody will replace.
    Estimated,
}

impl Grade {
    /// All, in their order.
    pub const ALL: [Self; 3] = [Self::Measured, Self::Substituted, Self::Estimated];

    /// Its name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Substituted => "substituted",
            Self::Estimated => "estimated",
        }
    }
}

/// What an importer read for one interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading<'a> {
    /// The meter, account or connection point, as the file names it.
    pub meter: &'a str,
    /// Which way the energy went.
    pub direction: Direction,
    /// Begin of the interval, seconds since 1970-01-01T00:00:00Z.
    pub start_unix_s: i64,
    /// Length of the interval in seconds.
    pub seconds: u32,
    /// Energy and grade; `None` where the file says that there is no value.
    pub value: Option<(Energy, Grade)>,
}

/// Where an importer puts its readings. What it refuses (an implausible value, a contradiction) the importer gives a place.
pub type Sink<'s> = dyn FnMut(&Reading<'_>) -> Result<(), String> + 's;

/// Whether an id can name a meter: 1 to [`MAX_METER_BYTES`] bytes, nothing that a terminal would obey.
pub fn is_meter_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= MAX_METER_BYTES && id.trim() == id && !id.chars().any(char::is_control)
}
