//! Import of a community's quantities: CSV with the columns
//! `slot_start,participant_id,role,load_kwh,generation_kwh,ev_kwh`, in any order of columns and rows.
//!
//! The table must be complete: every participant has one row in every slot and slots are equally spaced. A gap is an
//! error and not a zero, since a missing reading taken as zero would look like a member that used nothing.

mod error;
#[cfg(test)]
mod tests;

use super::decimal::{self, RoundedWh};
use super::{CommunityDay, Participant, Role, Rounding, SlotEnergy};
use csv::StringRecord;
use std::collections::{BTreeMap, btree_map::Entry};
use std::io::Read;
use veilgrid_market::timestamp::{format_utc, parse_rfc3339};

pub use error::ImportError;

/// The columns that a file must have; others are ignored.
pub const COLUMNS: [&str; 6] =
    ["slot_start", "participant_id", "role", "load_kwh", "generation_kwh", "ev_kwh"];

/// Most rows that are read: a week of quarter hours of 1,000 members.
pub const MAX_ROWS: u64 = 700_000;

/// Most bytes that are read.
pub const MAX_BYTES: u64 = 64 << 20;

/// Longest participant id in bytes.
pub const MAX_ID_BYTES: usize = 128;

/// Reads a community and rounds its quantities to whole Wh.
///
/// # Errors
/// The first rule that the file breaks, with line, column and what to do.
pub fn import_community(reader: impl Read) -> Result<CommunityDay, ImportError> {
    import_bounded(reader, MAX_ROWS, MAX_BYTES)
}

fn import_bounded(reader: impl Read, max_rows: u64, max_bytes: u64) -> Result<CommunityDay, ImportError> {
    let mut table = csv::ReaderBuilder::new()
        .trim(csv::Trim::Headers)
        .from_reader(reader.take(max_bytes.saturating_add(1)));
    let rows = read_rows(&mut table, max_rows);
    // A file cut off at the bound can end in any other error: the bound is the reason to report.
    if table.get_ref().limit() == 0 {
        return Err(ImportError::TooLong);
    }
    rows?.finish()
}

fn read_rows<R: Read>(table: &mut csv::Reader<R>, max_rows: u64) -> Result<Rows, ImportError> {
    let columns = find_columns(table.headers().map_err(ImportError::from_csv)?)?;
    let mut rows = Rows::default();
    let mut record = StringRecord::new();
    let mut count = 0;
    while table.read_record(&mut record).map_err(ImportError::from_csv)? {
        count += 1;
        if count > max_rows {
            return Err(ImportError::TooManyRows);
        }
        let line = record.position().map_or(0, csv::Position::line);
        rows.add(&Row { line, record: &record, columns: &columns })?;
    }
    Ok(rows)
}

/// Where each of [`COLUMNS`] is.
fn find_columns(header: &StringRecord) -> Result<[usize; COLUMNS.len()], ImportError> {
    if header.iter().all(str::is_empty) {
        return Err(ImportError::Empty);
    }
    let mut columns = [0; COLUMNS.len()];
    for (place, name) in columns.iter_mut().zip(COLUMNS) {
        let mut found = (0..).zip(header).filter(|(_, title)| *title == name).map(|(index, _)| index);
        *place = found.next().ok_or(ImportError::MissingColumn { column: name })?;
        if found.next().is_some() {
            return Err(ImportError::RepeatedColumn { column: name });
        }
    }
    Ok(columns)
}

/// One line of the table.
struct Row<'a> {
    line: u64,
    record: &'a StringRecord,
    columns: &'a [usize; COLUMNS.len()],
}

impl<'a> Row<'a> {
    /// The field under `COLUMNS[column]`. The reader has checked that every row is as long as the header.
    fn field(&self, column: usize) -> &'a str {
        self.columns.get(column).and_then(|&index| self.record.get(index)).unwrap_or_default()
    }

    fn slot_start(&self) -> Result<i64, ImportError> {
        let text = self.field(0);
        parse_rfc3339(text).map_err(|reason| ImportError::Timestamp {
            line: self.line,
            found: shortened(text),
            reason,
        })
    }

    fn participant_id(&self) -> Result<&'a str, ImportError> {
        let id = self.field(1);
        if id.is_empty() || id.len() > MAX_ID_BYTES || id.chars().any(char::is_control) {
            return Err(ImportError::ParticipantId { line: self.line });
        }
        Ok(id)
    }

    fn role(&self) -> Result<Role, ImportError> {
        let name = self.field(2);
        Role::from_name(name)
            .ok_or_else(|| ImportError::UnknownRole { line: self.line, found: shortened(name) })
    }

    fn quantity(&self, column: usize) -> Result<RoundedWh, ImportError> {
        let text = self.field(column);
        decimal::parse_kwh(text).map_err(|reason| ImportError::Quantity {
            line: self.line,
            column: COLUMNS.get(column).copied().unwrap_or_default(),
            found: shortened(text),
            reason,
        })
    }
}

/// What a message quotes of a field: enough to find it, never a megabyte.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 40;
    let mut quoted: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        quoted.push('…');
    }
    quoted
}

/// The rows read so far, in the order of participants and slots.
#[derive(Default)]
struct Rows {
    members: BTreeMap<String, MemberRows>,
    /// Slot start to the first line that has it.
    slots: BTreeMap<i64, u64>,
    rounding: Rounding,
}

struct MemberRows {
    role: Role,
    first_line: u64,
    /// Slot start to (line, energy).
    energy: BTreeMap<i64, (u64, SlotEnergy)>,
}

impl Rows {
    fn add(&mut self, row: &Row<'_>) -> Result<(), ImportError> {
        let (slot, id, role) = (row.slot_start()?, row.participant_id()?, row.role()?);
        let [load, generation, ev] = [row.quantity(3)?, row.quantity(4)?, row.quantity(5)?];
        let energy =
            SlotEnergy { load_wh: load.energy_wh, generation_wh: generation.energy_wh, ev_wh: ev.energy_wh };
        // Asked by reference first: a key is allocated once a member, not once a row.
        if !self.members.contains_key(id) {
            let member = MemberRows { role, first_line: row.line, energy: BTreeMap::new() };
            self.members.insert(id.to_owned(), member);
        }
        if let Some(member) = self.members.get_mut(id) {
            member.add(row.line, id, slot, role, energy)?;
        }
        self.slots.entry(slot).or_insert(row.line);
        for value in [load, generation, ev] {
            self.count_rounding(value.change_milliwatt_hours);
        }
        Ok(())
    }

    /// Sums stay below MAX_ROWS · 3 · 500 mWh, far inside 64 bits.
    fn count_rounding(&mut self, change_milliwatt_hours: i64) {
        self.rounding.changed_values += u64::from(change_milliwatt_hours != 0);
        self.rounding.signed_milliwatt_hours += change_milliwatt_hours;
        self.rounding.absolute_milliwatt_hours += change_milliwatt_hours.unsigned_abs();
    }

    fn finish(self) -> Result<CommunityDay, ImportError> {
        if self.members.is_empty() {
            return Err(ImportError::NoRows);
        }
        check_spacing(&self.slots)?;
        let slot_starts_unix_s: Vec<i64> = self.slots.keys().copied().collect();
        let participants = self
            .members
            .into_iter()
            .map(|(id, member)| member.complete(id, &slot_starts_unix_s))
            .collect::<Result<_, _>>()?;
        Ok(CommunityDay { slot_starts_unix_s, participants, rounding: self.rounding })
    }
}

impl MemberRows {
    fn add(
        &mut self,
        line: u64,
        id: &str,
        slot: i64,
        role: Role,
        energy: SlotEnergy,
    ) -> Result<(), ImportError> {
        if role != self.role {
            let (participant, first_line) = (id.to_owned(), self.first_line);
            return Err(ImportError::RoleChanged { line, participant, before: self.role, role, first_line });
        }
        match self.energy.entry(slot) {
            Entry::Vacant(place) => {
                place.insert((line, energy));
                Ok(())
            }
            Entry::Occupied(taken) => {
                let (participant, first_line) = (id.to_owned(), taken.get().0);
                Err(ImportError::Duplicate { line, participant, slot: format_utc(slot), first_line })
            }
        }
    }

    fn complete(self, id: String, slot_starts: &[i64]) -> Result<Participant, ImportError> {
        let mut energy = Vec::with_capacity(slot_starts.len());
        for slot in slot_starts {
            match self.energy.get(slot) {
                Some(&(_, values)) => energy.push(values),
                None => {
                    let first_line = self.first_line;
                    return Err(ImportError::MissingRow {
                        participant: id,
                        slot: format_utc(*slot),
                        first_line,
                    });
                }
            }
        }
        Ok(Participant { id, role: self.role, energy })
    }
}

/// Every slot starts as long after the one before as the second after the first.
fn check_spacing(slots: &BTreeMap<i64, u64>) -> Result<(), ImportError> {
    let mut expected_s = None;
    for ((before, _), (slot, line)) in slots.iter().zip(slots.iter().skip(1)) {
        // Years 0000 to 9999: differences fit.
        let found_s = slot - before;
        if *expected_s.get_or_insert(found_s) != found_s {
            let expected_s = expected_s.unwrap_or_default();
            return Err(ImportError::Spacing { line: *line, slot: format_utc(*slot), found_s, expected_s });
        }
    }
    Ok(())
}
