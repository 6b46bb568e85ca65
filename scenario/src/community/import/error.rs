//! What can be wrong with a community file.

use super::super::Role;
use super::super::decimal::QuantityError;
use super::{MAX_BYTES, MAX_ID_BYTES, MAX_ROWS};
use veilgrid_market::timestamp::TimestampError;

/// One variant per rule, with the line in the file (the header is line 1).
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// No header.
    #[error("the file is empty: it needs a header line and one line for each participant and slot")]
    Empty,
    /// A header and nothing else.
    #[error("the file has a header and no rows: it needs one line for each participant and slot")]
    NoRows,
    /// A column of [`COLUMNS`](super::COLUMNS) is not in the header.
    #[error(
        "line 1: column `{column}` is missing: the header must name slot_start, participant_id, role, load_kwh, \
         generation_kwh and ev_kwh (comma-separated)"
    )]
    MissingColumn {
        /// Which one.
        column: &'static str,
    },
    /// A column is there twice.
    #[error("line 1: column `{column}` is there twice: rename or remove one of them")]
    RepeatedColumn {
        /// Which one.
        column: &'static str,
    },
    /// A row is shorter or longer than the header.
    #[error("line {line}: {found} fields where the header has {expected}: add or remove commas")]
    RowLength {
        /// Line in the file.
        line: u64,
        /// Fields of the row.
        found: u64,
        /// Fields of the header.
        expected: u64,
    },
    /// Bytes that are not UTF-8.
    #[error("line {line}, field {field}: not UTF-8: save the file as UTF-8")]
    Encoding {
        /// Line in the file.
        line: u64,
        /// Field, counted from 1.
        field: usize,
    },
    /// The reader failed.
    #[error("reading failed: {0}")]
    Read(csv::Error),
    /// `slot_start` is not an instant.
    #[error("line {line}, column `slot_start`: `{found}` {reason}")]
    Timestamp {
        /// Line in the file.
        line: u64,
        /// What is there, shortened.
        found: String,
        /// What is wrong with it.
        reason: TimestampError,
    },
    /// `participant_id` is no id.
    #[error(
        "line {line}, column `participant_id`: must be 1 to {MAX_ID_BYTES} bytes without control characters"
    )]
    ParticipantId {
        /// Line in the file.
        line: u64,
    },
    /// `role` is none of the roles.
    #[error("line {line}, column `role`: `{found}` is unknown: use prosumer, consumer or charging_station")]
    UnknownRole {
        /// Line in the file.
        line: u64,
        /// What is there, shortened.
        found: String,
    },
    /// A quantity is missing, negative, not a number, too fine or too large.
    #[error("line {line}, column `{column}`: `{found}` {reason}")]
    Quantity {
        /// Line in the file.
        line: u64,
        /// Which column.
        column: &'static str,
        /// What is there, shortened.
        found: String,
        /// What is wrong with it.
        reason: QuantityError,
    },
    /// A participant has two rows for one slot; the same instant under two offsets counts as one slot.
    #[error(
        "line {line}: `{participant}` already has a row for {slot} on line {first_line}: remove one of them"
    )]
    Duplicate {
        /// Line in the file.
        line: u64,
        /// Whose row.
        participant: String,
        /// Slot start in UTC.
        slot: String,
        /// Line of the first row.
        first_line: u64,
    },
    /// A participant is given two roles.
    #[error(
        "line {line}, column `role`: `{participant}` is a {role} here and a {before} on line {first_line}: a \
         participant keeps its role; use two ids for two connection points"
    )]
    RoleChanged {
        /// Line in the file.
        line: u64,
        /// Who.
        participant: String,
        /// Role of its first row.
        before: Role,
        /// Role of this row.
        role: Role,
        /// Line of its first row.
        first_line: u64,
    },
    /// A participant has no row in a slot that others have.
    #[error(
        "`{participant}` (first on line {first_line}) has no row for {slot}: add one, with zeros only if nothing was \
         used"
    )]
    MissingRow {
        /// Who.
        participant: String,
        /// Slot start in UTC.
        slot: String,
        /// Line of its first row.
        first_line: u64,
    },
    /// Slots are not equally spaced.
    #[error(
        "line {line}, column `slot_start`: {slot} is {found_s} s after the slot before it, the first two slots are \
         {expected_s} s apart: slots must be equally spaced, so add what is missing or remove the stray slot"
    )]
    Spacing {
        /// First line with that slot.
        line: u64,
        /// Slot start in UTC.
        slot: String,
        /// Distance from the slot before.
        found_s: i64,
        /// Distance of the first two slots.
        expected_s: i64,
    },
    /// More than [`MAX_ROWS`].
    #[error("more than {MAX_ROWS} rows: import fewer days at a time")]
    TooManyRows,
    /// More than [`MAX_BYTES`].
    #[error("more than {MAX_BYTES} bytes: import fewer days at a time")]
    TooLong,
}

impl ImportError {
    pub(super) fn from_csv(error: csv::Error) -> Self {
        let line = error.position().map_or(0, csv::Position::line);
        match error.kind() {
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                Self::RowLength { line, found: *len, expected: *expected_len }
            }
            csv::ErrorKind::Utf8 { err, .. } => Self::Encoding { line, field: err.field().saturating_add(1) },
            _ => Self::Read(error),
        }
    }
}
