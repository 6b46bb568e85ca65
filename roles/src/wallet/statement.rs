//! The lines of a statement.

use veilgrid_ledger::state::round::Slot;
use veilgrid_market::Trade;

/// A change of the balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Height of the block.
    pub height: u64,
    /// Block time, Unix milliseconds.
    pub time_unix_ms: u64,
    /// What it was.
    pub kind: LineKind,
    /// What came, or went (below zero), in units of balances.
    pub units: i128,
    /// The balance after it, in units.
    pub balance_units: i128,
}

/// Why a balance has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineKind {
    /// Money has come from outside.
    Deposit {
        /// What the treasury knows it by.
        reference: [u8; 32],
    },
    /// Money has gone out.
    Withdrawal {
        /// The debit's number.
        debit_sequence: u64,
    },
    /// A fill was claimed.
    Fill {
        /// The round.
        round_id: u64,
        /// What was traded.
        slot: Slot,
        /// Energy bought, Wh/2^16.
        bought_wh_q16: u64,
        /// Energy sold, Wh/2^16.
        sold_wh_q16: u64,
        /// The round's terms.
        trade: Trade,
    },
}
