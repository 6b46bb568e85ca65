//! CSV as people have it: files that pandas and polars wrote, and what no program may guess.

mod files;
mod refused;
mod repeated_hour;

use veilgrid_readings::{DecimalMark, Direction, Fault, Grade, Unit, Zone};
use veilgrid_readings_csv::{Layout, Options, Rows};

/// A reading with its energy in whole Wh.
pub(crate) type Read = (String, Direction, i64, u32, Option<(u64, Grade)>);

/// Reads a whole file.
pub(crate) fn read(text: &str, options: &Options) -> Result<Vec<Read>, Fault> {
    let layout = Layout::detect(text.as_bytes(), true, options)?;
    let mut rows = Rows::new(&layout, text.as_bytes(), None)?;
    let mut readings = Vec::new();
    let mut sink = |one: &veilgrid_readings::Reading<'_>| {
        let value = one.value.map(|(energy, grade)| (energy.rounded_wh().0, grade));
        readings.push((one.meter.to_owned(), one.direction, one.start_unix_s, one.seconds, value));
        Ok(())
    };
    while rows.step(&mut sink)? {}
    Ok(readings)
}

pub(crate) fn vienna() -> Options {
    Options { zone: Some(Zone::named("Europe/Vienna").expect("a zone")), ..Options::default() }
}

/// The options of a plain file, for tests of one thing at a time.
pub(crate) fn plain() -> Options {
    Options {
        decimal: Some(DecimalMark::Point),
        unit: Some(Unit::KWh),
        interval_s: Some(900),
        meter: None,
        ..vienna()
    }
}
