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
//!    bid, and [`round_flows`] checks that a round's fills add up.
//!
//! ```
//! use veilgrid_market::{Grid, OffGrid, Order, Rule, clear_plain, fill_q16, parse_book, place_book, step_totals};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let csv = "id,side,price_ct_per_kwh,quantity_kwh\n\
//!            roof,sell,10,0.040\n\
//!            barn,sell,11,0.030\n\
//!            shop,buy,12,0.050\n\
//!            flat,buy,11,0.007\n";
//! let grid = Grid::new(10_000, 1_000, 4)?; // 10, 11, 12 and 13 ct/kWh
//! let book = place_book(&grid, parse_book(csv.as_bytes())?, OffGrid::Refuse)?;
//! let orders: Vec<Order> = book.kept.iter().map(|one| one.order).collect();
//!
//! let cleared = clear_plain(&grid, Rule::Uniform, true, &step_totals(&grid, &orders)?)?;
//! let trade = cleared.outcome.trade.expect("they trade");
//! assert_eq!((trade.buy_price_mct_per_kwh, cleared.outcome.volume_wh), (11_000, Some(57)));
//! // All is bought that was bid for; the barn, at the price itself, sells the part that is left for it: 17 of 30 Wh.
//! let fills_wh = orders.iter().map(|order| fill_q16(&grid, &cleared.outcome, order) >> 16);
//! assert_eq!(fills_wh.collect::<Vec<_>>(), [40, 16, 50, 7]);
//! # Ok(())
//! # }
//! ```
//!
//! Units are in the names: energy in Wh, prices in mct/kWh (1/1000 ct), `q16` is 1/2^16 of the unit that it goes with.
#![forbid(unsafe_code)]

mod book;
mod bounds;
mod clearing;
mod decimal;
mod encoding;
mod flows;
mod grid;
mod order;
mod outcome;
mod plain;
mod rule;
pub mod sharing;
mod sums;
pub mod tariffs;
mod text;
pub mod timestamp;
pub mod units;
mod utility;

pub use book::{
    BookError, BookOrder, MAX_BOOK_BYTES, MAX_ORDERS, PlacedBook, parse_book, parse_price, parse_quantity,
    place_book,
};
pub use bounds::{BoundsError, check_bounds};
pub use clearing::{
    ClearingError, Impossible, MAX_OPENED_WH, Next, NextWithUtility, Rule, next_step, next_step_with_utility,
};
pub use decimal::{DecimalError, ScaledDecimal, parse_decimal_scaled};
pub use encoding::OutcomeError;
pub use flows::{
    FlowError, RoundFlows, community_flow_q16, round_flows, round_flows_q16, round_flows_with_utility,
};
pub use grid::{Grid, GridError, MAX_PRICE_MCT_PER_KWH, MAX_TICKS};
pub use order::{MappingError, OffGrid, OffGridOrder, Order, Side, step_of, step_quantities, step_totals};
pub use outcome::{Outcome, Rationed, Trade, fill_q16, fill_weights};
pub use plain::{ClearedBook, ClearedWithUtility, clear_plain, clear_plain_with_utility};
pub use sums::{Purpose, SumKind, SumRequest};
pub use utility::{Utility, UtilityError, UtilityFill};
