//! Certified capacities of connections, for the check of units.

use crate::failure::Failure;
use crate::input;
use std::collections::BTreeMap;
use std::path::Path;
use veilgrid_readings::{Capacity, DecimalMark, Reading, Unit, parse_signed_nano_wh, quoted};

const NANO: i128 = 1_000_000_000;
const HOUR_S: u32 = 3600;

/// What is known of the connections.
pub enum Capacities {
    /// Nothing.
    Unknown,
    /// The same of all.
    All(Capacity),
    /// By meter.
    ByMeter(BTreeMap<String, Capacity>),
}

impl Capacities {
    /// As the options say.
    ///
    /// # Errors
    /// A file or number that is none.
    pub fn read(file: Option<&Path>, all_kw: Option<&str>) -> Result<Self, Failure> {
        match (file, all_kw) {
            (Some(path), _) => Self::from_csv(path),
            (None, Some(text)) => {
                let watts = watts(text).ok_or_else(|| {
                    Failure::Input(format!("--capacity-kw {text}: give kilowatts, for example 11 or 17.25"))
                })?;
                Ok(Self::All(Capacity { import_w: watts, export_w: watts }))
            }
            (None, None) => Ok(Self::Unknown),
        }
    }

    fn from_csv(path: &Path) -> Result<Self, Failure> {
        let failed = |line: u64, what: &str| Failure::file(path, format!("line {line}: {what}"));
        let mut table = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(input::open(path)?);
        let header = table.headers().map_err(|error| Failure::file(path, error))?.clone();
        let place = |name: &str| {
            header.iter().position(|title| title == name).ok_or_else(|| {
                failed(1, &format!("column {name} is missing; the columns are meter,import_kw,export_kw"))
            })
        };
        let (meter, import, export) = (place("meter")?, place("import_kw")?, place("export_kw")?);
        let mut capacities = BTreeMap::new();
        for row in table.into_records() {
            let row = row.map_err(|error| Failure::file(path, error))?;
            let line = row.position().map_or(0, csv::Position::line);
            let kw = |place: usize| {
                let text = row.get(place).unwrap_or_default();
                watts(text).ok_or_else(|| {
                    failed(line, &format!("{} is no number of kilowatts, like 11 or 17.25", quoted(text)))
                })
            };
            let capacity = Capacity { import_w: kw(import)?, export_w: kw(export)? };
            let id = row.get(meter).unwrap_or_default().to_owned();
            if capacities.insert(id.clone(), capacity).is_some() {
                return Err(failed(line, &format!("{} is there twice", quoted(&id))));
            }
        }
        Ok(Self::ByMeter(capacities))
    }

    /// Whether values are checked.
    pub fn are_known(&self) -> bool {
        !matches!(self, Self::Unknown)
    }

    /// Checks a reading's value.
    ///
    /// # Errors
    /// More than its connection carries, and a meter of which nothing is known; in words.
    pub fn check(&self, reading: &Reading<'_>) -> Result<(), String> {
        let capacity = match self {
            Self::Unknown => return Ok(()),
            Self::All(capacity) => capacity,
            Self::ByMeter(capacities) => capacities.get(reading.meter).ok_or_else(|| {
                format!("is of meter {}, which is not in the file of --capacities", quoted(reading.meter))
            })?,
        };
        match reading.value {
            None => Ok(()),
            Some((energy, _)) => {
                capacity.check(reading.direction, energy, reading.seconds).map_err(|error| error.to_string())
            }
        }
    }
}

/// Whole watts: the energy of an hour at this power.
fn watts(kilowatts: &str) -> Option<u64> {
    let nano_wh = parse_signed_nano_wh(kilowatts.trim(), DecimalMark::Point, Unit::KW, HOUR_S).ok()?;
    u64::try_from(nano_wh / NANO).ok()
}
