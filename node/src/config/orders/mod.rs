//! A participant's orders as CSV: `slot,side,price_ct_per_kwh,quantity_kwh`.
//!
//! `slot` is the start of delivery as `HH:MM` in UTC, or `*` for every slot that has no rows of its own. A slot without
//! any row gets a bid over zero, so that nobody can tell who has nothing to trade. Numbers are exact decimals as in
//! order books: prices finer than a mct round down for a buy and up for a sell, quantities are whole Wh.
//!
//! A row that can't be bid is a fault with its line, and all other rows count. Its slot is still its own: the rows for
//! every slot do not step in for it. Limits between the market's prices count at the next one in the member's favour,
//! which is said too.

mod error;
mod rows;
#[cfg(test)]
mod tests;

use error::ValueFault;
pub use error::{OrdersError, RowFault};
use rows::{Row, lines_of, parse_row, shown, values_of};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use veilgrid_market::units::{format_ct_per_kwh, format_kwh};
use veilgrid_market::{Grid, Order, Side, step_of};

/// Most bytes of a file of orders.
pub const MAX_ORDERS_BYTES: u64 = 4 << 20;
/// Most rows of it.
pub const MAX_ROWS: usize = 100_000;
/// Most faults, and most moved limits, that are listed of a file; of the rest the number is said.
pub const MAX_LISTED: usize = 50;
const COLUMNS: [&str; 4] = ["slot", "side", "price_ct_per_kwh", "quantity_kwh"];
/// The slot of rows for all others.
const EVERY_SLOT: &str = "*";
const MINUTES_PER_DAY: i64 = 24 * 60;

/// What orders have to fit.
#[derive(Debug, Clone, Copy)]
pub struct OrdersMarket<'a> {
    /// The price grid.
    pub grid: &'a Grid,
    /// Bits of a quantity at one step.
    pub bits: u8,
    /// Length of a slot in seconds; slots start at its multiples.
    pub slot_seconds: u32,
}

impl OrdersMarket<'_> {
    /// The most that one step of a bid holds, Wh.
    fn most_wh(&self) -> u64 {
        1u64.checked_shl(u32::from(self.bits)).unwrap_or(0).wrapping_sub(1)
    }
}

/// Orders that can be bid.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlotOrders {
    every_slot: Vec<Order>,
    /// By minute of the day of the start of delivery, UTC.
    by_minute: BTreeMap<u32, Vec<Order>>,
}

/// A file of orders as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrdersFile {
    /// What can be bid of it.
    pub orders: SlotOrders,
    /// Rows that can be bid.
    pub sound_rows: usize,
    /// Rows that can't, by line; at most [`MAX_LISTED`].
    pub faults: Vec<RowFault>,
    /// Faults besides those.
    pub further_faults: usize,
    /// Limits that are none of the market's prices, by line; at most [`MAX_LISTED`].
    pub moved: Vec<MovedLimit>,
    /// Moved limits besides those.
    pub further_moved: usize,
}

/// An order whose limit lies between two prices of the market, or beyond its best one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MovedLimit {
    /// Its line, from 1.
    pub line: u64,
    /// Its slot as in the file.
    pub slot: String,
    /// Its side.
    pub side: Side,
    /// Its limit, mct/kWh.
    pub limit_mct_per_kwh: i64,
    /// Where it counts, mct/kWh.
    pub grid_price_mct_per_kwh: i64,
}

impl OrdersFile {
    /// Reads a file. A participant does so for every round, so that a changed file counts from the next round on.
    ///
    /// # Errors
    /// What is wrong with the whole file.
    pub fn read(path: &Path, market: OrdersMarket<'_>) -> Result<Self, OrdersError> {
        let unreadable = |reason| OrdersError::Unreadable { path: path.to_owned(), reason };
        Self::read_from(path, std::fs::File::open(path).map_err(unreadable)?, Some(market))
    }

    /// Reads from elsewhere; `path` is for messages. Without a market only the form is looked at.
    ///
    /// # Errors
    /// As [`OrdersFile::read`].
    pub fn read_from(
        path: &Path,
        source: impl Read,
        market: Option<OrdersMarket<'_>>,
    ) -> Result<Self, OrdersError> {
        let mut bytes = Vec::new();
        let read = source.take(MAX_ORDERS_BYTES + 1).read_to_end(&mut bytes);
        let length = read.map_err(|reason| OrdersError::Unreadable { path: path.to_owned(), reason })?;
        if length as u64 > MAX_ORDERS_BYTES {
            return Err(OrdersError::TooLarge { path: path.to_owned() });
        }
        Self::parse(path, &bytes, market)
    }

    /// Parses the bytes of a file; `path` is for messages.
    ///
    /// # Errors
    /// As [`OrdersFile::read`].
    pub fn parse(path: &Path, bytes: &[u8], market: Option<OrdersMarket<'_>>) -> Result<Self, OrdersError> {
        let mut lines = lines_of(bytes);
        check_header(path, lines.next())?;
        let (mut rows, mut faults, mut own_slots) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (count, (line, text)) in lines.enumerate() {
            if count == MAX_ROWS {
                return Err(OrdersError::TooLarge { path: path.to_owned() });
            }
            let (slot, row) = match values_of(text) {
                Ok(values) => parse_row(line, &values, market),
                Err(fault) => (None, Err(fault)),
            };
            own_slots.extend(slot);
            match row {
                Ok(row) => rows.push(row),
                Err(fault) => faults.push(RowFault::of_line(line, fault)),
            }
        }
        if let Some(market) = market {
            drop_full_steps(&mut rows, market, &mut faults);
        }
        Ok(Self::of(rows, faults, own_slots, market))
    }

    fn of(
        rows: Vec<Row>,
        mut faults: Vec<RowFault>,
        own_slots: BTreeSet<u32>,
        market: Option<OrdersMarket<'_>>,
    ) -> Self {
        faults.sort_by(|a, b| a.lines.cmp(&b.lines));
        let mut moved: Vec<MovedLimit> =
            rows.iter().filter_map(|row| moved_limit(market?.grid, row)).collect();
        let mut orders = SlotOrders::default();
        orders.by_minute.extend(own_slots.into_iter().map(|minute| (minute, Vec::new())));
        for row in &rows {
            match row.slot {
                None => orders.every_slot.push(row.order),
                Some(minute) => orders.by_minute.entry(minute).or_default().push(row.order),
            }
        }
        let further = |length: usize| length.saturating_sub(MAX_LISTED);
        let (further_faults, further_moved) = (further(faults.len()), further(moved.len()));
        faults.truncate(MAX_LISTED);
        moved.truncate(MAX_LISTED);
        Self { orders, sound_rows: rows.len(), faults, further_faults, moved, further_moved }
    }

    /// The orders, when every row can be bid.
    ///
    /// # Errors
    /// [`OrdersError::Rows`].
    pub fn whole(self, path: &Path) -> Result<SlotOrders, OrdersError> {
        match self.faults.is_empty() {
            true => Ok(self.orders),
            false => Err(OrdersError::Rows { path: path.to_owned(), faults: self.faults }),
        }
    }
}

impl SlotOrders {
    /// The orders for delivery from `slot_start_unix_s` on: the slot's own rows, else those of every slot; none: a bid
    /// over zero.
    pub fn for_slot(&self, slot_start_unix_s: i64) -> &[Order] {
        let minute = slot_start_unix_s.div_euclid(60).rem_euclid(MINUTES_PER_DAY);
        // A slot that starts within a minute can't be named in the file.
        let whole = slot_start_unix_s.rem_euclid(60) == 0;
        let own = u32::try_from(minute).ok().filter(|_| whole).and_then(|minute| self.by_minute.get(&minute));
        own.map_or(&self.every_slot, |own| own)
    }
}

fn check_header(path: &Path, first: Option<(u64, &[u8])>) -> Result<(), OrdersError> {
    let (line, text) = first.unwrap_or((1, b""));
    let refused = |found: &str| OrdersError::Header { path: path.to_owned(), line, found: found.to_owned() };
    let columns = values_of(text).map_err(|_| refused("no text"))?;
    match columns.iter().eq(&COLUMNS) {
        true => Ok(()),
        false => Err(refused(&shown(&columns.join(",")))),
    }
}

/// All orders of a slot go into one bid, whose steps have bounds. Of orders that are too much together none is bid: which
/// of them are meant is their owner's to say.
fn drop_full_steps(rows: &mut Vec<Row>, market: OrdersMarket<'_>, faults: &mut Vec<RowFault>) {
    let most_wh = market.most_wh();
    let key = |row: &Row| Some((row.slot, step_of(market.grid, &row.order).ok()?));
    let mut steps: BTreeMap<(Option<u32>, usize), (u64, Vec<u64>)> = BTreeMap::new();
    for row in rows.iter() {
        if let Some(key) = key(row) {
            let (total_wh, lines) = steps.entry(key).or_default();
            *total_wh = total_wh.saturating_add(row.order.energy_wh);
            lines.push(row.line);
        }
    }
    steps.retain(|_, (total_wh, _)| *total_wh > most_wh);
    rows.retain(|row| key(row).is_none_or(|key| !steps.contains_key(&key)));
    for ((slot, step), (total_wh, lines)) in steps {
        let slot = slot.map_or_else(|| EVERY_SLOT.to_owned(), format_minute);
        let price = format_ct_per_kwh(price_of(market.grid, step));
        let (total, most) = (format_kwh(total_wh), format_kwh(most_wh));
        let how = format!("one price of a bid holds {most} kWh: lower the quantity or use other prices");
        let reason = format!("slot {slot}: together {total} kWh at the market's price {price} ct/kWh; {how}");
        let discreet = format!("together too much at one of the market's prices; {how}");
        faults.push(RowFault::of_lines(lines, ValueFault { column: 4, reason, discreet }));
    }
}

fn price_of(grid: &Grid, step: usize) -> i64 {
    // Ticks beyond the grid count as the highest.
    grid.price_mct_per_kwh(u32::try_from(step / 2).unwrap_or(u32::MAX))
}

fn moved_limit(grid: &Grid, row: &Row) -> Option<MovedLimit> {
    let grid_price_mct_per_kwh = price_of(grid, step_of(grid, &row.order).ok()?);
    let Order { side, limit_mct_per_kwh, .. } = row.order;
    (grid_price_mct_per_kwh != limit_mct_per_kwh).then(|| MovedLimit {
        line: row.line,
        slot: row.slot.map_or_else(|| EVERY_SLOT.to_owned(), format_minute),
        side,
        limit_mct_per_kwh,
        grid_price_mct_per_kwh,
    })
}

/// Writes orders as a file that [`OrdersFile`] reads: by minute of the day, in this order.
pub fn format_orders<'a>(slots: impl IntoIterator<Item = (u32, &'a [Order])>) -> String {
    let mut text = COLUMNS.join(",");
    text.push('\n');
    for (minute, orders) in slots {
        for order in orders {
            let (price, quantity) = (format_ct_per_kwh(order.limit_mct_per_kwh), format_kwh(order.energy_wh));
            // Writing to a String does not fail.
            let _ = writeln!(text, "{},{},{price},{quantity}", format_minute(minute), order.side);
        }
    }
    text
}

fn format_minute(minute: u32) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}
