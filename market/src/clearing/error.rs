//! What no book leads to.

use super::known::{Impossible, MAX_OPENED_WH};
use crate::sums::SumRequest;
use thiserror::Error;

/// Why a list of opened values belongs to no book.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClearingError {
    /// A value contradicts what was opened before it.
    #[error("opening {index} ({request}) has the value {value_wh} Wh, which no book has: {why}")]
    Impossible {
        /// Place in the list of openings, from 0.
        index: usize,
        /// The sum that was opened.
        request: SumRequest,
        /// The value given for it.
        value_wh: i64,
        /// What is impossible about it.
        why: Impossible,
    },
    /// More values than the rule asks for.
    #[error(
        "{given} values were opened but the rule is decided after {used}; nothing may be opened beyond the path"
    )]
    TooMany {
        /// Values given.
        given: usize,
        /// Values that the rule asked for.
        used: usize,
    },
    /// A book in the clear does not have one total a step of the grid.
    #[error("the book has {given} step totals but the grid has {steps} steps")]
    Totals {
        /// Totals given.
        given: usize,
        /// Steps of the grid.
        steps: usize,
    },
    /// A book in the clear holds more energy than openings can reach.
    #[error("the book holds more than {MAX_OPENED_WH} Wh on one side, the most that a clearing can open")]
    BookTooLarge,
}
