//! What an import says when it is done.

use super::buffer::{Counts, Rounding};
use crate::output;
use serde::Serialize;
use veilgrid_market::timestamp::format_utc;

/// What `--json` says.
#[derive(Serialize)]
pub struct Report {
    import: Option<u32>,
    source: String,
    format: &'static str,
    columns: Vec<Column>,
    notes: Vec<String>,
    interval_s: Option<u32>,
    readings: u64,
    missing: u64,
    first_start: Option<String>,
    last_start: Option<String>,
    filled_slots: u64,
    revised_days: u64,
    corrected_slots: u64,
    rounding: Rounding,
    resumed_at_byte: Option<u64>,
    already_imported: bool,
    capacities_checked: bool,
    dry_run: bool,
}

/// How the import went.
pub struct Course {
    /// Its number; `None` in a dry run.
    pub import: Option<u32>,
    pub source: String,
    pub counts: Counts,
    pub resumed_at_byte: Option<u64>,
    pub already_imported: bool,
    pub capacities_checked: bool,
}

/// What is said of the file itself.
pub struct Shape {
    pub format: &'static str,
    pub columns: Vec<Column>,
    pub notes: Vec<String>,
    pub interval_s: Option<u32>,
}

#[derive(Serialize)]
pub struct Column {
    pub role: &'static str,
    pub title: String,
}

impl Report {
    /// Puts it together.
    pub fn new(course: Course, shape: Shape) -> Self {
        let Course { import, source, counts, resumed_at_byte, already_imported, capacities_checked } = course;
        Self {
            import,
            source,
            format: shape.format,
            columns: shape.columns,
            notes: shape.notes,
            interval_s: shape.interval_s,
            readings: counts.readings,
            missing: counts.missing,
            first_start: counts.first_start_unix_s.map(format_utc),
            last_start: counts.last_start_unix_s.map(format_utc),
            filled_slots: counts.filled_slots,
            revised_days: counts.revised_days,
            corrected_slots: counts.corrected_slots,
            rounding: counts.rounding,
            resumed_at_byte,
            already_imported,
            capacities_checked,
            dry_run: import.is_none(),
        }
    }
}

/// Prints it for people.
pub fn print(report: &Report) {
    for column in &report.columns {
        output::line(format!("{:>12}: column `{}`", column.role, column.title));
    }
    if report.already_imported {
        output::line(format!(
            "{} was imported before, as import {}: nothing to do",
            report.source,
            report.import.unwrap_or_default()
        ));
        return;
    }
    if let Some(byte) = report.resumed_at_byte {
        output::line(format!(
            "went on at byte {byte}, where import {} was cut off",
            report.import.unwrap_or_default()
        ));
    }
    let between = match (&report.first_start, &report.last_start) {
        (Some(first), Some(last)) => {
            format!(" that begin from {first} to {last}")
        }
        _ => String::new(),
    };
    let length = report.interval_s.map(|seconds| format!(" of {} minutes", seconds / 60)).unwrap_or_default();
    output::line(format!(
        "{} intervals{length}{between}, {} of them without a value",
        report.readings, report.missing
    ));
    report.notes.iter().for_each(output::line);
    let what = if report.dry_run { "would be" } else { "were" };
    output::line(format!(
        "{} slots {what} filled; {} days got a new revision, with {} slots corrected",
        report.filled_slots, report.revised_days, report.corrected_slots
    ));
    let rounding = &report.rounding;
    if rounding.values > 0 {
        output::line(format!(
            "{} values were rounded to whole Wh, by {} Wh together",
            rounding.values,
            rounding.added_nano_wh / 1_000_000_000
        ));
    }
    if !report.capacities_checked {
        output::line(
            "values were not checked against certified capacities; --capacities or --capacity-kw does, and finds wrong units",
        );
    }
}
