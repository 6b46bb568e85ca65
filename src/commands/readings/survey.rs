//! Goes through a folder's days between two dates, also through those of which nothing is known.

use super::args::SurveyArgs;
use super::folder::Folder;
use crate::failure::Failure;
use veilgrid_readings::{Date, DayRecord, Direction, Month, ZoneDay};

/// A folder and the days to look at.
pub struct Survey {
    pub folder: Folder,
    /// First and last day; `None` in a folder without readings.
    pub days: Option<(Date, Date)>,
    /// Meters and the directions that they have readings in.
    pub series: Vec<(String, Direction)>,
}

impl Survey {
    /// Opens a folder.
    ///
    /// # Errors
    /// No folder, no such meter, dates that are none.
    pub fn open(args: &SurveyArgs) -> Result<Self, Failure> {
        let folder = Folder::open(&args.dir)?;
        let mut meters = folder.meters()?;
        if let Some(asked) = &args.meter {
            meters.retain(|meter| meter == asked);
            if meters.is_empty() {
                return Err(Failure::Input(format!(
                    "--meter {asked}: nothing was imported of it; `veilgrid readings status` lists the meters"
                )));
            }
        }
        let mut series = Vec::new();
        // Ends of the range by months first: only files at its ends have to be read.
        let (mut first, mut last): (Option<Date>, Option<Date>) = (None, None);
        let mut months = Vec::new();
        for meter in meters {
            for (direction, month) in folder.months(&meter)? {
                if series.last() != Some(&(meter.clone(), direction)) {
                    series.push((meter.clone(), direction));
                }
                first = Some(first.map_or(month, |first| first.min(month)));
                last = Some(last.map_or(month, |last| last.max(month)));
                months.push((meter.clone(), direction, month));
            }
        }
        let days = match (date(args.from.as_deref(), "from")?, date(args.to.as_deref(), "to")?) {
            (Some(from), Some(to)) => Some((from, to)),
            (from, to) => {
                let (mut least, mut most): (Option<Date>, Option<Date>) = (None, None);
                for (meter, direction, month) in
                    months.iter().filter(|(_, _, month)| Some(*month) == first || Some(*month) == last)
                {
                    let month = folder.month(meter, *direction, *month)?;
                    let ends = month.days.first_key_value().zip(month.days.last_key_value());
                    if let Some(((start, _), (end, _))) = ends {
                        least = Some(least.map_or(*start, |least| least.min(*start)));
                        most = Some(most.map_or(*end, |most| most.max(*end)));
                    }
                }
                from.or(least).zip(to.or(most))
            }
        };
        if days.is_some_and(|(from, to)| to < from) {
            return Err(Failure::Input("--from is after --to".into()));
        }
        Ok(Self { folder, days, series })
    }

    /// Each day of a series, with what is known of it.
    ///
    /// # Errors
    /// A file that can't be read.
    pub fn each_day(
        &self,
        meter: &str,
        direction: Direction,
        mut look: impl FnMut(ZoneDay, u32, Option<&DayRecord>),
    ) -> Result<(), Failure> {
        let Some((from, to)) = self.days else { return Ok(()) };
        let mut month: Option<Month> = None;
        let mut date = from;
        while date <= to {
            let first = date.first_of_month();
            if month.as_ref().is_none_or(|month| month.first != first) {
                month = Some(self.folder.month(meter, direction, first)?);
            }
            let day =
                self.folder.zone.day(date).map_err(|error| Failure::Input(format!("{date} {error}")))?;
            let slots = day.slots(self.folder.slot_seconds).ok_or_else(|| {
                Failure::Input(format!(
                    "{date} has no whole number of slots of {} s in {}",
                    self.folder.slot_seconds,
                    self.folder.zone.name()
                ))
            })?;
            look(day, slots, month.as_ref().and_then(|month| month.days.get(&date)));
            date = date.tomorrow().map_err(Failure::input)?;
        }
        Ok(())
    }
}

fn date(text: Option<&str>, option: &str) -> Result<Option<Date>, Failure> {
    let parse = |text: &str| {
        text.parse().map_err(|_| Failure::Input(format!("--{option} {text}: give a date like 2026-03-01")))
    };
    text.map(parse).transpose()
}
