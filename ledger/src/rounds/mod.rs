//! Rounds: their calendar, bids, openings, clearing and settlement. One file per stage.

mod bidding;
mod calendar;
pub mod checks;
mod clearing;
pub(crate) mod encoding;
pub mod expected;
pub mod foresight;
mod opening;
pub mod refusal;
pub mod round;
mod saved;
pub mod timing;
pub(crate) mod transactions;
pub mod verdicts;
