//! Why readings, keys or a slot were refused: one variant per rule, with the place and what to do.

use super::rows::{MAX_ROWS, MAX_ROWS_BYTES};
use super::rule::MAX_SLOT_WH;
use crate::timestamp::{TimestampError, format_utc};
use thiserror::Error;

/// A file that is no table of the columns that are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs)] // The fields are what the messages say: line, column and value from the file.
pub enum RowsError {
    /// Nothing in the file.
    #[error("the file is empty; its first line has to be {header}")]
    Empty { header: String },
    /// A column is not there.
    #[error("line 1: the column {column} is missing (found: {found}); the header has to be {header}")]
    MissingColumn { column: &'static str, found: String, header: String },
    /// A column that nobody reads: the file may be one of another kind, with values of another meaning.
    #[error("line 1: the column {column:?} is unknown; take it out, the header has to be {header}")]
    UnknownColumn { column: String, header: String },
    /// A column is there twice.
    #[error("line 1: the column {column} is there more than once; keep one")]
    DuplicateColumn { column: &'static str },
    /// A header and nothing below it.
    #[error("the file has a header but no rows; add at least one")]
    NoRows,
    /// Not a row of the header's form, or no UTF-8.
    #[error("line {line}: {reason}")]
    Malformed { line: u64, reason: String },
    /// The reader failed.
    #[error("the file can't be read: {reason}")]
    Read { reason: String },
    /// Too many bytes.
    #[error("the file is larger than {MAX_ROWS_BYTES} bytes; split it by days")]
    TooManyBytes,
    /// Too many rows.
    #[error("line {line}: more than {MAX_ROWS} rows; split the file by days")]
    TooManyRows { line: u64 },
    /// No name.
    #[error("line {line}: the account is missing; give its name")]
    MissingAccount { line: u64 },
    /// No instant.
    #[error("line {line}: slot_start {value:?} {reason}")]
    SlotStart { line: u64, value: String, reason: TimestampError },
}

/// Readings that were refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum ReadingsError {
    /// The file.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// Neither consumption nor generation.
    #[error("line {line}: the direction {value:?} is unknown; write consumption or generation")]
    UnknownDirection { line: u64, value: String },
    /// Nothing where a reading should be: it is not zero.
    #[error(
        "line {line}: energy_wh is missing; leave out the row of a reading that is missing, write 0 where nothing flowed"
    )]
    MissingEnergy { line: u64 },
    /// Not a whole number.
    #[error("line {line}: energy_wh {value:?} is not a whole number of Wh; write digits alone, like 250")]
    NotWhole { line: u64, value: String },
    /// Below zero.
    #[error(
        "line {line}: energy_wh {value} is negative; write the amount as a positive number and the way as direction"
    )]
    Negative { line: u64, value: String },
    /// More than any slot holds.
    #[error("line {line}: energy_wh {value} is above {MAX_SLOT_WH} Wh (2^40), the most that a slot holds")]
    TooLarge { line: u64, value: String },
    /// One reading too many.
    #[error(
        "line {line}: {account:?} has a reading of {direction} for {slot} in line {first_line} already; keep the one that \
         counts"
    )]
    Duplicate { line: u64, account: String, direction: &'static str, slot: String, first_line: u64 },
}

/// Sharing keys that were refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum KeysError {
    /// The file.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// Not a whole number of ppm up to the whole.
    #[error("line {line}: share_ppm {value:?} is not a whole number from 0 to 1000000 (parts per million)")]
    Share { line: u64, value: String },
    /// One share too many.
    #[error(
        "line {line}: {account:?} has a share{slot} in line {first_line} already; keep the one that counts"
    )]
    Duplicate { line: u64, account: String, slot: String, first_line: u64 },
    /// More than there is.
    #[error("the shares{slot} add up to {sum_ppm} ppm, more than the whole of 1000000; make them smaller")]
    MoreThanTheWhole { slot: String, sum_ppm: u64 },
}

/// A slot that can't be shared out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum SharingError {
    /// More energy than sums may have.
    #[error("{}more than {MAX_SLOT_WH} Wh (2^40) add up in one slot; check the unit of the readings", slot(*start_unix_s))]
    TooMuch { start_unix_s: Option<i64> },
    /// Consumers and shares are not as many.
    #[error("{consumers} consumers have {shares} shares")]
    Shares { consumers: usize, shares: usize },
    /// The shares are more than the whole.
    #[error("{}the shares add up to {sum_ppm} ppm, more than the whole of 1000000", slot(*start_unix_s))]
    MoreThanTheWhole { start_unix_s: Option<i64>, sum_ppm: u64 },
    /// More is said to be shared than there is.
    #[error(
        "{shared_q16} Wh/2^16 can't be shared where {generation_wh} Wh were generated and {consumption_wh} Wh consumed"
    )]
    SharedTooMuch { shared_q16: u64, generation_wh: u64, consumption_wh: u64 },
}

impl SharingError {
    /// The same, of this slot.
    pub(super) fn of_slot(self, start: i64) -> Self {
        match self {
            Self::TooMuch { .. } => Self::TooMuch { start_unix_s: Some(start) },
            Self::MoreThanTheWhole { sum_ppm, .. } => {
                Self::MoreThanTheWhole { start_unix_s: Some(start), sum_ppm }
            }
            other => other,
        }
    }
}

fn slot(start_unix_s: Option<i64>) -> String {
    start_unix_s.map_or_else(String::new, |start| format!("slot {}: ", format_utc(start)))
}

/// A slot in which too few accounts take part for its sums to be opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "slot {}: readings of {direction} are there of {accounts} that count where the minimum is {minimum} accounts (under a key with \
     shares only those who have one count as consumers); a sum of fewer says too much about them: leave the slot out, or take a \
     smaller minimum",
    format_utc(*start_unix_s)
)]
#[allow(missing_docs)]
pub struct MinimumError {
    pub start_unix_s: i64,
    pub direction: &'static str,
    pub accounts: usize,
    pub minimum: usize,
}
