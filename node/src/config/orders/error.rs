//! What is wrong with a file of orders: the whole file, or rows of it.

use super::{COLUMNS, MAX_ORDERS_BYTES, MAX_ROWS};
use serde::Serialize;
use std::path::PathBuf;
use thiserror::Error;

/// Why a file of orders was refused as a whole. Lines count from 1.
#[derive(Debug, Error)]
pub enum OrdersError {
    /// "The file can be read."
    #[error("orders {}: {reason}; name a readable CSV file", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: std::io::Error,
    },
    /// "The file and its number of rows are bounded."
    #[error("orders {}: more than {MAX_ORDERS_BYTES} bytes or {MAX_ROWS} rows; is this the right file?", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// "The first line names the columns."
    #[error("orders {}, line {line}: the columns are {found:?}; the first line has to be slot,side,price_ct_per_kwh,quantity_kwh", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// The first line that is neither empty nor a comment.
        line: u64,
        /// What stands there.
        found: String,
    },
    /// "Every row can be bid"; for whoever wants all rows or none.
    #[error("orders {}, {}", path.display(), faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Rows {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        faults: Vec<RowFault>,
    },
}

impl OrdersError {
    /// The same without any value of the file: a first line that names no columns may be an order.
    pub fn discreetly(&self) -> String {
        match self {
            Self::Header { path, line, .. } => format!(
                "orders {}, line {line}: the first line has to be slot,side,price_ct_per_kwh,quantity_kwh",
                path.display()
            ),
            Self::Rows { path, faults } => {
                let faults: Vec<String> = faults.iter().map(RowFault::discreetly).collect();
                format!("orders {}, {}", path.display(), faults.join("; "))
            }
            Self::Unreadable { .. } | Self::TooLarge { .. } => self.to_string(),
        }
    }
}

/// Rows that are not bid, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowFault {
    /// Their lines, from 1, rising. More than one when each is sound and together they are too much.
    pub lines: Vec<u64>,
    /// The column that is wrong, from 1.
    #[serde(skip)]
    pub column: usize,
    /// Its name.
    #[serde(rename = "column")]
    pub column_name: &'static str,
    /// What is wrong and what to do, with the values of the file.
    pub reason: String,
    /// The same without any value of the file, for logs and status.
    #[serde(skip)]
    pub discreet: String,
}

impl RowFault {
    /// A fault of one line.
    pub(super) fn of_line(line: u64, fault: ValueFault) -> Self {
        Self::of_lines(vec![line], fault)
    }

    /// A fault of several.
    pub(super) fn of_lines(lines: Vec<u64>, fault: ValueFault) -> Self {
        let ValueFault { column, reason, discreet } = fault;
        let column_name = column.checked_sub(1).and_then(|place| COLUMNS.get(place)).copied().unwrap_or("-");
        Self { lines, column, column_name, reason, discreet }
    }

    /// The place and the fault without any value of the file.
    pub fn discreetly(&self) -> String {
        format!("{}: {}", self.place(), self.discreet)
    }

    fn place(&self) -> String {
        let lines = self.lines.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
        let word = if self.lines.len() == 1 { "line" } else { "lines" };
        format!("{word} {lines}, column {} ({})", self.column, self.column_name)
    }
}

impl std::fmt::Display for RowFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place(), self.reason)
    }
}

/// What is wrong with a value.
#[derive(Debug)]
pub(super) struct ValueFault {
    /// Its column, from 1.
    pub column: usize,
    /// With the value.
    pub reason: String,
    /// Without it.
    pub discreet: String,
}

impl ValueFault {
    /// A fault whose text quotes nothing.
    pub(super) fn plain(column: usize, text: impl Into<String>) -> Self {
        let reason = text.into();
        Self { column, discreet: reason.clone(), reason }
    }
}
