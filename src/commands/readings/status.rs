//! `veilgrid readings status`: how complete the readings are.

use super::args::SurveyArgs;
use super::survey::Survey;
use crate::failure::Failure;
use crate::output;
use serde::Serialize;
use veilgrid_readings::{DayRecord, Grade};

#[derive(Serialize)]
struct Report {
    zone: String,
    slot_seconds: u32,
    from: Option<String>,
    to: Option<String>,
    series: Vec<Series>,
}

#[derive(Serialize)]
struct Series {
    meter: String,
    direction: &'static str,
    #[serde(flatten)]
    tally: Tally,
    revised_days: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    days: Option<Vec<Day>>,
}

#[derive(Serialize)]
struct Day {
    date: String,
    #[serde(flatten)]
    tally: Tally,
    revisions: usize,
}

/// Slots by grade.
#[derive(Default, Clone, Copy, Serialize)]
struct Tally {
    slots: u64,
    measured: u64,
    substituted: u64,
    estimated: u64,
    missing: u64,
}

impl Tally {
    fn of(slots: u32, day: Option<&DayRecord>) -> Self {
        let mut tally = Self { slots: u64::from(slots), ..Self::default() };
        for value in day.map(DayRecord::current).unwrap_or_default().iter().flatten() {
            match value.grade {
                Grade::Measured => tally.measured += 1,
                Grade::Substituted => tally.substituted += 1,
                Grade::Estimated => tally.estimated += 1,
            }
        }
        tally.missing = tally.slots.saturating_sub(tally.measured + tally.substituted + tally.estimated);
        tally
    }

    fn add(&mut self, other: Self) {
        self.slots += other.slots;
        self.measured += other.measured;
        self.substituted += other.substituted;
        self.estimated += other.estimated;
        self.missing += other.missing;
    }

    fn cells(&self) -> [String; 5] {
        [self.slots, self.measured, self.substituted, self.estimated, self.missing]
            .map(|count| count.to_string())
    }
}

/// Runs the command.
///
/// # Errors
/// No folder of readings, a damaged file.
pub fn run(args: &SurveyArgs) -> Result<(), Failure> {
    let survey = Survey::open(args)?;
    let mut series = Vec::new();
    for (meter, direction) in &survey.series {
        let (mut tally, mut revised_days, mut days) = (Tally::default(), 0, Vec::new());
        survey.each_day(meter, *direction, |day, slots, record| {
            let one = Tally::of(slots, record);
            let revisions = record.map_or(0, |record| record.revisions.len());
            tally.add(one);
            revised_days += u64::from(revisions > 1);
            if args.days {
                days.push(Day { date: day.date.to_string(), tally: one, revisions });
            }
        })?;
        let days = args.days.then_some(days);
        series.push(Series { meter: meter.clone(), direction: direction.name(), tally, revised_days, days });
    }
    let (from, to) = survey.days.map(|(from, to)| (from.to_string(), to.to_string())).unzip();
    let report = Report {
        zone: survey.folder.zone.name().to_owned(),
        slot_seconds: survey.folder.slot_seconds,
        from,
        to,
        series,
    };
    if args.json {
        return output::json(&report);
    }
    print(&report);
    Ok(())
}

fn print(report: &Report) {
    let (Some(from), Some(to)) = (&report.from, &report.to) else {
        return output::line("nothing was imported yet");
    };
    output::line(format!(
        "{from} to {to}, slots of {} minutes, calendar days of {}",
        report.slot_seconds / 60,
        report.zone
    ));
    let mut table = output::table(&[
        "meter",
        "direction",
        "day",
        "slots",
        "measured",
        "substituted",
        "estimated",
        "missing",
        "revisions",
    ]);
    for series in &report.series {
        let mut row = |day: &str, tally: &Tally, revisions: String| {
            let mut cells =
                vec![output::harmless(&series.meter), series.direction.to_owned(), day.to_owned()];
            cells.extend(tally.cells());
            cells.push(revisions);
            table.add_row(cells);
        };
        match &series.days {
            None => row("all", &series.tally, format!("of {} days", series.revised_days)),
            Some(days) => days.iter().for_each(|day| row(&day.date, &day.tally, day.revisions.to_string())),
        }
    }
    output::line(table);
}
