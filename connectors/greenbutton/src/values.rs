//! Values and qualities of intervals.

use crate::feed::{Interval, ReadingType};
use veilgrid_readings::{Energy, Grade, quoted};

/// Powers of ten that meters use: from nano to giga.
const POWERS: std::ops::RangeInclusive<i32> = -9..=9;

/// The energy and grade of an interval.
pub(crate) fn value(
    interval: &Interval,
    reading_type: &ReadingType,
) -> Result<Option<(Energy, Grade)>, String> {
    let Some(text) = &interval.value else { return Ok(None) };
    let number: i64 = text.parse().map_err(|_| format!("{} is no whole number", quoted(text)))?;
    let power = reading_type.power_of_ten;
    if !POWERS.contains(&power) {
        return Err(format!("has a reading type with a power of ten of {power}, which no meter has"));
    }
    // Wh times 10^9 is 10^-9 Wh.
    let scale = 10i128.pow(u32::try_from(9 + power).unwrap_or_default());
    let energy = Energy::from_nano_wh(i128::from(number) * scale)
        .ok_or_else(|| format!("{number} times 10^{power} Wh is below zero, or more than 1 GWh"))?;
    let mut worst = Grade::Measured;
    for quality in &interval.qualities {
        worst = worst.max(grade(quality)?);
    }
    Ok(Some((energy, worst)))
}

/// Codes of ESPI's QualityOfReading.
fn grade(text: &str) -> Result<Grade, String> {
    match text {
        // valid, raw, validated, verified, revenue quality
        "0" | "14" | "17" | "18" | "19" => Ok(Grade::Measured),
        // manually edited, derived
        "7" | "11" => Ok(Grade::Substituted),
        // estimated by a reference day or a line, questionable, projected
        "8" | "9" | "10" | "12" => Ok(Grade::Estimated),
        other => Err(format!(
            "has quality {}, which is no one grade (mixed, normalised for weather, other) or unknown",
            quoted(other)
        )),
    }
}
