//! What a folder of readings says of a community's month, now or as it was known at an import.

use super::calendar::{Calendar, zone_date};
use crate::commands::readings::folder::Folder;
use crate::commands::readings::record;
use crate::failure::Failure;
use std::fs::{File, OpenOptions};
use std::path::Path;
use veilgrid_billing::community::{Community, Meter};
use veilgrid_billing::period::Period;
use veilgrid_billing::readings::{Grade, Known, Series, Value};
use veilgrid_market::sharing::Direction;
use veilgrid_readings::{Direction as ReadDirection, Grade as ReadGrade, Month, SlotValue};
use veilgrid_store::files::open_private;

/// A folder of readings that nobody writes to meanwhile.
pub struct Readings {
    pub folder: Folder,
    /// The last import, all of which is there.
    pub last_import: u32,
    /// Held so long: an import waits.
    _lock: File,
}

impl Readings {
    /// Opens a folder.
    ///
    /// # Errors
    /// No folder of readings, one that an import writes to, one with an import that was cut off.
    pub fn open(root: &Path) -> Result<Self, Failure> {
        let folder = Folder::open(root)?;
        let path = root.join("lock");
        let lock = open_private(&path, OpenOptions::new().write(true))
            .map_err(|error| Failure::file(&path, error))?;
        lock.try_lock_shared()
            .map_err(|_| Failure::file(root, "an import writes to this folder; wait for it, then bill"))?;
        let records = record::all(&folder.imports())?;
        if let Some(cut) = records.iter().find(|record| !record.is_whole) {
            return Err(Failure::file(
                root,
                format!(
                    "import {} of {} was cut off, so that nobody knows what is still to come; start it again, it goes on by itself, then bill",
                    cut.import, cut.source
                ),
            ));
        }
        let last_import = records.iter().map(|record| record.import).max().unwrap_or(0);
        Ok(Self { folder, last_import, _lock: lock })
    }

    /// Checks that a community's calendar is the folder's.
    ///
    /// # Errors
    /// Another zone.
    pub fn check_zone(&self, community: &Community) -> Result<(), Failure> {
        let (own, asked) = (self.folder.zone.name(), &community.settings.zone);
        if own == asked {
            return Ok(());
        }
        Err(Failure::Input(format!(
            "the readings have calendar days of {own}, and the community's zone is {asked}; months would be cut at other midnights: \
             import the readings into a folder with --calendar {asked}"
        )))
    }

    /// What is known of a month; as it was known after an import, if one is named. And the newest import that says something of it.
    ///
    /// # Errors
    /// A file that can't be read.
    pub fn known(
        &self,
        community: &Community,
        period: Period,
        calendar: &Calendar,
        at_import: Option<u32>,
    ) -> Result<(Known, u32), Failure> {
        let (mut series, mut newest) = (Vec::new(), 0);
        let first = period.date(1).ok_or_else(|| Failure::Input(format!("{period} has no first day")))?;
        for meter in community.meters_of(period) {
            let direction = match meter.direction {
                Direction::Consumption => ReadDirection::Consumption,
                Direction::Generation => ReadDirection::Generation,
            };
            let month = self.folder.month(&meter.meter, direction, zone_date(first)?)?;
            let imports =
                month.days.values().flat_map(|day| day.revisions.iter().map(|revision| revision.import));
            newest = newest.max(imports.max().unwrap_or(0));
            let account = community.place(&meter.account).unwrap_or(usize::MAX);
            series.extend(one(account, meter, &month, calendar, at_import)?);
        }
        let accounts = community.accounts.iter().map(|account| account.id.clone()).collect();
        let (start_unix_s, slot_seconds, slots) =
            (calendar.start_unix_s, calendar.slot_seconds, calendar.slots);
        Ok((Known { start_unix_s, slot_seconds, slots, accounts, series }, newest))
    }
}

fn one(
    account: usize,
    meter: &Meter,
    month: &Month,
    calendar: &Calendar,
    at_import: Option<u32>,
) -> Result<Option<Series>, Failure> {
    let mut days = calendar.days.iter().filter(|day| meter.counts_on(day.date)).peekable();
    let Some(first) = days.peek() else { return Ok(None) };
    let first_slot = first.first_slot;
    let mut values = Vec::new();
    for day in days {
        let record = month.days.get(&zone_date(day.date)?);
        let revisions = record.map(|record| record.revisions.as_slice()).unwrap_or_default();
        let known = revisions.iter().rev().find(|revision| at_import.is_none_or(|at| revision.import <= at));
        let slots = known.map(|revision| revision.slots.as_slice()).unwrap_or_default();
        values.extend((0..day.slots).map(|slot| slots.get(slot).copied().flatten().map(value)));
    }
    Ok(Some(Series { account, meter: meter.meter.clone(), direction: meter.direction, first_slot, values }))
}

fn value(value: SlotValue) -> Value {
    let grade = match value.grade {
        ReadGrade::Measured => Grade::Measured,
        ReadGrade::Substituted => Grade::Substituted,
        ReadGrade::Estimated => Grade::Estimated,
    };
    Value { wh: value.wh, grade }
}
