//! The market of veilgrid: price grid, orders, clearing rules and what follows from an outcome, in exact integers.
//!
//! Everything here is a pure function of its arguments: no clock, no randomness, no floats, no input or output but a
//! reader that the caller hands over. The path of an order through the crate:
//!
//! 1. [`parse_book`] reads orders from CSV, [`place_book`] refuses or drops what can never trade on a [`Grid`];
//! 2. [`step_quantities`] maps one member's orders to the steps of its bid vector;
//! 3. [`next_step`] names the next sum of the whole book that has to be opened, or the [`Outcome`] once the sums opened
//!    so far decide it ([`clear_plain`] runs the same search over known totals);
//! 4. [`fill_weights`] gives the public weight of every step, so that a member's net fill is a linear function of its
//!    bid, and [`round_balance`] checks that a round's fills add up.
//!
//! Units are in the names: energy in Wh, prices in mct/kWh (1/1000 ct), `q16` is 1/2^16 of the unit that it goes with.
#![forbid(unsafe_code)]

mod balance;
mod book;
mod bounds;
mod clearing;
mod decimal;
mod encoding;
mod grid;
mod order;
mod outcome;
mod plain;
mod sums;
pub mod timestamp;
pub mod units;

pub use balance::{BalanceError, RoundBalance, round_balance, round_balance_q16};
pub use book::{
    BookError, BookOrder, MAX_BOOK_BYTES, MAX_ORDERS, PlacedBook, parse_book, parse_price, parse_quantity,
    place_book,
};
pub use bounds::{BoundsError, check_bounds};
pub use clearing::{ClearingError, Impossible, MAX_OPENED_WH, Next, Rule, next_step};
pub use decimal::{DecimalError, ScaledDecimal, parse_decimal_scaled};
pub use encoding::OutcomeError;
pub use grid::{Grid, GridError, MAX_PRICE_MCT_PER_KWH, MAX_TICKS};
pub use order::{MappingError, OffGrid, OffGridOrder, Order, Side, step_of, step_quantities, step_totals};
pub use outcome::{Outcome, Rationed, Trade, fill_q16, fill_weights};
pub use plain::{ClearedBook, clear_plain};
pub use sums::{Purpose, SumKind, SumRequest};
