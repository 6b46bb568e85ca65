//! Readings as CSV: `slot_start,account,direction,energy_wh`, one reading per row.
//!
//! A slot starts at an RFC 3339 instant, the direction is `consumption` or `generation`, and energy is whole Wh. An account may
//! have both directions. A reading that is missing has no row: it is never zero.

use super::error::ReadingsError;
use super::rows::{account, read_rows, slot_start};
use super::rule::MAX_SLOT_WH;
use crate::text::shown;
use crate::timestamp::format_utc;
use std::collections::BTreeMap;
use std::io::Read;

const COLUMNS: [&str; 4] = ["slot_start", "account", "direction", "energy_wh"];

/// Which way energy flowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From the grid.
    Consumption,
    /// Into the grid.
    Generation,
}

impl Direction {
    /// As files write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Consumption => "consumption",
            Self::Generation => "generation",
        }
    }
}

/// What one account consumed or generated in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Its place in [`Readings::accounts`].
    pub account: usize,
    /// Energy, Wh.
    pub energy_wh: u64,
}

/// The readings of a slot, each list in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotReadings {
    /// Start, seconds since 1970 UTC.
    pub start_unix_s: i64,
    /// What was consumed.
    pub consumption: Vec<Reading>,
    /// What was generated.
    pub generation: Vec<Reading>,
}

impl SlotReadings {
    /// The readings of one direction.
    pub fn of(&self, direction: Direction) -> &[Reading] {
        match direction {
            Direction::Consumption => &self.consumption,
            Direction::Generation => &self.generation,
        }
    }
}

/// A file of readings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readings {
    /// The accounts, in the order in which the file first names them.
    pub accounts: Vec<String>,
    /// The slots, in the order of time.
    pub slots: Vec<SlotReadings>,
}

/// The readings of a slot while the file is read.
#[derive(Default)]
struct Gathered {
    readings: [Vec<Reading>; 2],
    /// The line of each account and direction.
    lines: BTreeMap<(Direction, usize), u64>,
}

/// Reads readings.
///
/// # Errors
/// The first [`ReadingsError`] from the top of the file.
pub fn parse_readings(reader: impl Read) -> Result<Readings, ReadingsError> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut slots: BTreeMap<i64, Gathered> = BTreeMap::new();
    read_rows(reader, COLUMNS, |line, [start, name, direction, energy]| {
        let start_unix_s = slot_start(line, start)?;
        let name = account(line, name)?;
        let direction = parse_direction(line, direction)?;
        let energy_wh = parse_energy(line, energy)?;
        let account = match places.get(name) {
            Some(place) => *place,
            None => {
                let place = places.len();
                places.insert(name.to_owned(), place);
                place
            }
        };
        let slot = slots.entry(start_unix_s).or_default();
        if let Some(first_line) = slot.lines.insert((direction, account), line) {
            return Err(ReadingsError::Duplicate {
                line,
                account: shown(name),
                direction: direction.name(),
                slot: format_utc(start_unix_s),
                first_line,
            });
        }
        slot.readings[usize::from(direction == Direction::Generation)].push(Reading { account, energy_wh });
        Ok(())
    })?;
    let mut accounts = vec![String::new(); places.len()];
    for (name, place) in places {
        accounts[place] = name;
    }
    let slots = slots.into_iter().map(|(start_unix_s, Gathered { readings, .. })| {
        let [consumption, generation] = readings;
        SlotReadings { start_unix_s, consumption, generation }
    });
    Ok(Readings { accounts, slots: slots.collect() })
}

fn parse_direction(line: u64, text: &str) -> Result<Direction, ReadingsError> {
    let both = [Direction::Consumption, Direction::Generation];
    let unknown = || ReadingsError::UnknownDirection { line, value: shown(text) };
    both.into_iter().find(|direction| direction.name() == text).ok_or_else(unknown)
}

fn parse_energy(line: u64, text: &str) -> Result<u64, ReadingsError> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if text.is_empty() {
        return Err(ReadingsError::MissingEnergy { line });
    }
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ReadingsError::NotWhole { line, value: shown(text) });
    }
    if digits.len() < text.len() {
        return Err(ReadingsError::Negative { line, value: shown(text) });
    }
    // What does not fit into 64 bits is above the bound, too.
    let energy = digits.parse::<u64>().ok().filter(|energy| *energy <= MAX_SLOT_WH);
    energy.ok_or_else(|| ReadingsError::TooLarge { line, value: shown(text) })
}
