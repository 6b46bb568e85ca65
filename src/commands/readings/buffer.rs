//! Readings on their way to the folder: days in memory, a bounded number of slots, written by month.

use super::folder::Folder;
use crate::failure::Failure;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use veilgrid_readings::{Change, Date, DayRecord, Direction, Reading, Slot, SlotValue, ZoneDay, quoted};

/// What became of the readings.
#[derive(Debug, Default, Clone, Serialize, serde::Deserialize)]
pub struct Counts {
    pub readings: u64,
    pub missing: u64,
    pub first_start_unix_s: Option<i64>,
    pub last_start_unix_s: Option<i64>,
    pub filled_slots: u64,
    pub revised_days: u64,
    pub corrected_slots: u64,
    pub rounding: Rounding,
}

/// What rounding to whole Wh did.
#[derive(Debug, Default, Clone, Serialize, serde::Deserialize)]
pub struct Rounding {
    /// Values that it changed.
    pub values: u64,
    /// What it added to all of them together, in 10^-9 Wh.
    pub added_nano_wh: i64,
    /// The sum without signs.
    pub moved_nano_wh: u64,
}

/// A series by its meter's place in the list, its direction, and the day.
type Key = (u32, Direction, Date);

/// The days that wait.
pub struct Buffer<'f> {
    folder: &'f Folder,
    /// `None`: nothing is written.
    import: Option<u32>,
    meters: BTreeMap<String, u32>,
    names: Vec<String>,
    days: BTreeMap<Key, Vec<Slot>>,
    held_slots: usize,
    most_slots: usize,
    day: Option<ZoneDay>,
    pub counts: Counts,
}

impl<'f> Buffer<'f> {
    /// A buffer of about so many slots before a folder; without an import's number it checks and writes nothing.
    pub fn new(folder: &'f Folder, import: Option<u32>, most_slots: usize, counts: Counts) -> Self {
        let (meters, names, days) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        Self { folder, import, meters, names, days, held_slots: 0, most_slots, day: None, counts }
    }

    /// Whether it is time to write.
    pub fn is_full(&self) -> bool {
        self.held_slots >= self.most_slots
    }

    /// Takes a reading in.
    ///
    /// # Errors
    /// An interval that is no slot, two values for one; in words, for whoever knows the place in the file.
    pub fn take(&mut self, reading: &Reading<'_>) -> Result<(), String> {
        let (day, slot) = self.slot_of(reading)?;
        self.counts.readings += 1;
        let start = Some(reading.start_unix_s);
        self.counts.first_start_unix_s = self.counts.first_start_unix_s.min(start).or(start);
        self.counts.last_start_unix_s = self.counts.last_start_unix_s.max(start);
        let key = (self.meter(reading.meter), reading.direction, day.date);
        let Some((energy, grade)) = reading.value else {
            self.counts.missing += 1;
            return Ok(());
        };
        let (wh, change) = energy.rounded_wh();
        if change != 0 {
            let rounding = &mut self.counts.rounding;
            rounding.values += 1;
            rounding.added_nano_wh += change;
            rounding.moved_nano_wh += change.unsigned_abs();
        }
        // At most 1 GWh.
        let value = SlotValue { wh: u32::try_from(wh).unwrap_or(u32::MAX), grade };
        let slots = day.slots(self.folder.slot_seconds).unwrap_or_default() as usize;
        let held = &mut self.held_slots;
        let said = self.days.entry(key).or_insert_with(|| {
            *held += slots;
            vec![None; slots]
        });
        match said.get_mut(slot) {
            Some(Some(first)) if *first != value => Err(format!(
                "gives meter {} a second value for one slot of {}: {} Wh and {} Wh; a correction comes in a file of its own",
                quoted(reading.meter),
                day.date,
                first.wh,
                value.wh
            )),
            Some(place) => {
                *place = Some(value);
                Ok(())
            }
            None => Err("lies beyond the end of its day".into()),
        }
    }

    /// The day of a reading and its place there.
    fn slot_of(&mut self, reading: &Reading<'_>) -> Result<(ZoneDay, usize), String> {
        let slot_s = self.folder.slot_seconds;
        if reading.seconds != slot_s {
            return Err(format!(
                "has intervals of {} s, and the folder's slots have {slot_s} s: name a folder of its own (--slot-minutes), or have the file made with such intervals",
                reading.seconds
            ));
        }
        if self.day.is_none_or(|day| !day.contains(reading.start_unix_s)) {
            self.day = Some(
                self.folder.zone.day_of(reading.start_unix_s).map_err(|error| format!("its day {error}"))?,
            );
        }
        let day = self.day.ok_or("has no day")?;
        let off_grid = || {
            let begins = veilgrid_market::timestamp::format_utc(reading.start_unix_s);
            format!(
                "begins at {begins}, which is no begin of a slot of {slot_s} s in {}; is the stamp the begin or the end, and the zone right?",
                self.folder.zone.name()
            )
        };
        day.slots(slot_s).ok_or_else(off_grid)?;
        let into_day = reading.start_unix_s - day.start_unix_s;
        if into_day % i64::from(slot_s) != 0 {
            return Err(off_grid());
        }
        let slot = usize::try_from(into_day / i64::from(slot_s)).map_err(|_| off_grid())?;
        Ok((day, slot))
    }

    fn meter(&mut self, name: &str) -> u32 {
        if let Some(place) = self.meters.get(name) {
            return *place;
        }
        let place = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.meters.insert(name.to_owned(), place);
        self.names.push(name.to_owned());
        place
    }

    /// Writes everything; it is on disk when this returns.
    ///
    /// # Errors
    /// The folder's, and a file that contradicts itself.
    pub fn write(&mut self, mut each: impl FnMut()) -> Result<(), Failure> {
        let months: BTreeSet<Key> = self
            .days
            .keys()
            .map(|(meter, direction, date)| (*meter, *direction, date.first_of_month()))
            .collect();
        for month in months {
            self.write_month(month)?;
            each();
        }
        Ok(())
    }

    fn write_month(&mut self, (meter, direction, date): Key) -> Result<(), Failure> {
        let (first, last) = (date.first_of_month(), date.last_of_month());
        let range = (meter, direction, first)..=(meter, direction, last);
        let dates: Vec<Date> = self.days.range(range).map(|((_, _, date), _)| *date).collect();
        let name = self.names.get(meter as usize).cloned().unwrap_or_default();
        let mut month = self.folder.month(&name, direction, first)?;
        let mut is_changed = false;
        for date in dates {
            let Some(said) = self.days.remove(&(meter, direction, date)) else { continue };
            self.held_slots = self.held_slots.saturating_sub(said.len());
            let day = month.days.entry(date).or_insert_with(|| DayRecord::new(date));
            let merged = day.merge(&said, self.import.unwrap_or(u32::MAX));
            let change =
                merged.map_err(|conflict| Failure::Input(format!("meter {}: {conflict}", quoted(&name))))?;
            is_changed |= change != Change::Unchanged;
            self.count(change);
        }
        month.days.retain(|_, day| !day.revisions.is_empty());
        if is_changed && self.import.is_some() { self.folder.write(&month) } else { Ok(()) }
    }

    fn count(&mut self, change: Change) {
        match change {
            Change::Unchanged => {}
            Change::Filled { slots } => self.counts.filled_slots += u64::from(slots),
            Change::Revised { filled, corrected } => {
                self.counts.revised_days += 1;
                self.counts.filled_slots += u64::from(filled);
                self.counts.corrected_slots += u64::from(corrected);
            }
        }
    }
}
