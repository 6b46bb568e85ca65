//! `veilgrid readings gaps`: the slots without a value.

use super::args::SurveyArgs;
use super::survey::Survey;
use crate::failure::Failure;
use crate::output;
use serde::Serialize;
use veilgrid_market::timestamp::format_utc;
use veilgrid_readings::DayRecord;

#[derive(Serialize)]
struct Report {
    zone: String,
    slot_seconds: u32,
    from: Option<String>,
    to: Option<String>,
    missing_slots: u64,
    gaps: Vec<Gap>,
}

/// A stretch of one series without a value.
#[derive(Serialize)]
struct Gap {
    meter: String,
    direction: &'static str,
    start: String,
    end: String,
    slots: u64,
    #[serde(skip)]
    end_unix_s: i64,
}

/// Runs the command.
///
/// # Errors
/// No folder of readings, a damaged file.
pub fn run(args: &SurveyArgs) -> Result<(), Failure> {
    let survey = Survey::open(args)?;
    let step = i64::from(survey.folder.slot_seconds);
    let mut gaps: Vec<Gap> = Vec::new();
    for (meter, direction) in &survey.series {
        let first_of_series = gaps.len();
        survey.each_day(meter, *direction, |day, slots, record| {
            let known = record.map(DayRecord::current).unwrap_or_default();
            for slot in (0..slots).filter(|slot| known.get(*slot as usize).copied().flatten().is_none()) {
                let start_unix_s = day.start_unix_s + i64::from(slot) * step;
                let end_unix_s = start_unix_s + step;
                match gaps.get_mut(first_of_series..).and_then(<[Gap]>::last_mut) {
                    Some(gap) if gap.end_unix_s == start_unix_s => {
                        (gap.end, gap.end_unix_s, gap.slots) =
                            (format_utc(end_unix_s), end_unix_s, gap.slots + 1);
                    }
                    _ => {
                        let (start, end) = (format_utc(start_unix_s), format_utc(end_unix_s));
                        gaps.push(Gap {
                            meter: meter.clone(),
                            direction: direction.name(),
                            start,
                            end,
                            slots: 1,
                            end_unix_s,
                        });
                    }
                }
            }
        })?;
    }
    let (from, to) = survey.days.map(|(from, to)| (from.to_string(), to.to_string())).unzip();
    let missing_slots = gaps.iter().map(|gap| gap.slots).sum();
    let (zone, slot_seconds) = (survey.folder.zone.name().to_owned(), survey.folder.slot_seconds);
    let report = Report { zone, slot_seconds, from, to, missing_slots, gaps };
    if args.json {
        return output::json(&report);
    }
    let mut table = output::table(&["meter", "direction", "from", "until", "slots"]);
    for gap in &report.gaps {
        table.add_row([
            output::harmless(&gap.meter),
            gap.direction.to_owned(),
            gap.start.clone(),
            gap.end.clone(),
            gap.slots.to_string(),
        ]);
    }
    if !report.gaps.is_empty() {
        output::line(table);
    }
    output::line(format!("{} slots without a value", report.missing_slots));
    Ok(())
}
