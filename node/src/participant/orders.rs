//! The orders as they stand in the member's file when a round opens, and what is said about the file.

use crate::config::orders::{MAX_LISTED, OrdersFile, OrdersMarket, RowFault};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::state::round::Slot;
use veilgrid_market::Order;
use veilgrid_roles::member::OrderSource;

/// What a member's status says about its orders: lines and reasons, nothing of what is traded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct OrdersNote {
    /// Why nothing of the file can be read; none when it can.
    pub unreadable: Option<String>,
    /// Rows that can be bid.
    pub sound_rows: usize,
    /// Rows that can't; the others are bid.
    pub faults: Vec<NotedFault>,
    /// Faults besides those.
    pub further_faults: usize,
    /// Lines whose limits lie between the market's prices and count at one of them.
    pub moved_lines: Vec<u64>,
    /// Moved limits besides those.
    pub further_moved: usize,
}

/// Rows that are not bid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotedFault {
    /// Their lines.
    pub lines: Vec<u64>,
    /// The column that is wrong.
    pub column: &'static str,
    /// What is wrong and what to do, without any value of the file.
    pub reason: String,
}

impl NotedFault {
    fn of(fault: &RowFault) -> Self {
        Self { lines: fault.lines.clone(), column: fault.column_name, reason: fault.discreet.clone() }
    }
}

impl OrdersNote {
    fn of(file: &OrdersFile) -> Self {
        Self {
            unreadable: None,
            sound_rows: file.sound_rows,
            faults: file.faults.iter().map(NotedFault::of).collect(),
            further_faults: file.further_faults,
            moved_lines: file.moved.iter().map(|moved| moved.line).collect(),
            further_moved: file.further_moved,
        }
    }
}

/// A file that is read again for every round.
pub struct MemberOrders {
    path: PathBuf,
    params: MarketParams,
    /// What was last read.
    note: Mutex<Option<OrdersNote>>,
}

impl MemberOrders {
    /// The file at this path, for a market.
    pub fn new(path: PathBuf, params: MarketParams) -> Self {
        Self { path, params, note: Mutex::new(None) }
    }

    /// Reads the file, and says what is wrong with it when that is news.
    ///
    /// # Errors
    /// Why nothing of it can be read.
    pub fn read(&self) -> Result<OrdersFile, String> {
        let MarketParams { grid, bits, slot_seconds, .. } = &self.params;
        let market = OrdersMarket { grid, bits: *bits, slot_seconds: *slot_seconds };
        let read = OrdersFile::read(&self.path, market).map_err(|error| error.discreetly());
        let note = match &read {
            Ok(file) => OrdersNote::of(file),
            Err(reason) => OrdersNote { unreadable: Some(reason.clone()), ..OrdersNote::default() },
        };
        let mut last = self.lock();
        if last.as_ref() != Some(&note) {
            if let Ok(file) = &read {
                self.log(file);
            }
            *last = Some(note);
        }
        read
    }

    /// What was found when the file was last read.
    pub fn note(&self) -> Option<OrdersNote> {
        self.lock().clone()
    }

    /// Values of the file are nobody's business, so they are in no log.
    fn log(&self, file: &OrdersFile) {
        let path = self.path.display();
        let faults: Vec<String> = file.faults.iter().map(RowFault::discreetly).collect();
        if !faults.is_empty() {
            let (refused, further) = (faults.join("; "), file.further_faults);
            tracing::error!(
                file = %path, further, "rows of the orders are not bid, all others are: {refused}; `veilgrid orders check` says \
                 more"
            );
        }
        let moved = file.moved.len().saturating_add(file.further_moved);
        if moved > 0 {
            let lines: Vec<String> = file.moved.iter().map(|moved| moved.line.to_string()).collect();
            let more = if moved > MAX_LISTED { ", ..." } else { "" };
            tracing::info!(
                file = %path, moved, "limits lie between the market's prices and count at one of them: lines {}{more}; \
                 `veilgrid orders check` says at which", lines.join(", ")
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<OrdersNote>> {
        // Every change of it is whole.
        self.note.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OrderSource for MemberOrders {
    fn orders(&self, slot: Slot) -> Result<Vec<Order>, String> {
        Ok(self.read()?.orders.for_slot(slot.start_unix_s).to_vec())
    }
}
