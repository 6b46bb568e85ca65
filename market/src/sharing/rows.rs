//! Rows of a CSV file with exactly the columns that are asked for, in any order.

use super::error::RowsError;
use crate::text::{Lines, shown};
use crate::timestamp::parse_rfc3339;
use std::io::Read;

/// Most bytes of a file: 1,000 members' quarter-hours of a month.
pub const MAX_ROWS_BYTES: u64 = 256 << 20;
/// Most rows of a file.
pub const MAX_ROWS: usize = 1 << 22;

/// Reads a file of `N` columns and hands out each row with its line.
pub(super) fn read_rows<const N: usize, E: From<RowsError>>(
    reader: impl Read,
    columns: [&'static str; N],
    mut each: impl FnMut(u64, [&str; N]) -> Result<(), E>,
) -> Result<(), E> {
    let mut bytes = Vec::new();
    // One byte more than allowed, so that too much can be told from just enough.
    let read = reader.take(MAX_ROWS_BYTES + 1).read_to_end(&mut bytes);
    let length = read.map_err(|error| RowsError::Read { reason: error.to_string() })?;
    if length as u64 > MAX_ROWS_BYTES {
        return Err(RowsError::TooManyBytes.into());
    }
    let mut lines = Lines::of(&bytes);
    let mut rows = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(&bytes[..]);
    let header = rows.headers().map_err(|error| from_csv(&mut lines, error))?;
    let places = find_columns(header, columns)?;
    let (mut count, mut row) = (0usize, csv::StringRecord::new());
    while rows.read_record(&mut row).map_err(|error| from_csv(&mut lines, error))? {
        let line = lines.line_of(row.position());
        if count == MAX_ROWS {
            return Err(RowsError::TooManyRows { line }.into());
        }
        count += 1;
        each(line, places.map(|place| row.get(place).unwrap_or("")))?;
    }
    if count == 0 { Err(RowsError::NoRows.into()) } else { Ok(()) }
}

/// An account's name, which is any text.
pub(super) fn account(line: u64, name: &str) -> Result<&str, RowsError> {
    if name.is_empty() { Err(RowsError::MissingAccount { line }) } else { Ok(name) }
}

/// The start of a slot.
pub(super) fn slot_start(line: u64, text: &str) -> Result<i64, RowsError> {
    parse_rfc3339(text).map_err(|reason| RowsError::SlotStart { line, value: shown(text), reason })
}

fn find_columns<const N: usize>(
    header: &csv::StringRecord,
    columns: [&'static str; N],
) -> Result<[usize; N], RowsError> {
    let wanted = || columns.join(",");
    if header.iter().all(str::is_empty) {
        return Err(RowsError::Empty { header: wanted() });
    }
    let mut places = [0; N];
    for (place, column) in places.iter_mut().zip(columns) {
        let mut found = header.iter().enumerate().filter(|(_, name)| *name == column).map(|(at, _)| at);
        let missing = || RowsError::MissingColumn {
            column,
            found: shown(&header.iter().collect::<Vec<_>>().join(",")),
            header: wanted(),
        };
        *place = found.next().ok_or_else(missing)?;
        if found.next().is_some() {
            return Err(RowsError::DuplicateColumn { column });
        }
    }
    match header.iter().find(|name| !columns.contains(name)) {
        Some(column) => Err(RowsError::UnknownColumn { column: shown(column), header: wanted() }),
        None => Ok(places),
    }
}

fn from_csv(lines: &mut Lines<'_>, error: csv::Error) -> RowsError {
    let line = lines.line_of(error.position());
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => RowsError::Malformed {
            line,
            reason: format!("{len} fields where the header has {expected_len}; give one value per column"),
        },
        csv::ErrorKind::Utf8 { .. } => {
            RowsError::Malformed { line, reason: "not UTF-8 text; save the file as UTF-8".to_owned() }
        }
        _ => RowsError::Read { reason: error.to_string() },
    }
}
