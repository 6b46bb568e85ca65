//! A participant's orders as CSV: `slot,side,price_ct_per_kwh,quantity_kwh`.
//!
//! `slot` is the start of delivery as `HH:MM` in UTC, or `*` for every slot that has no rows of its own. A slot without
//! any row gets a bid over zero, so that nobody can tell who has nothing to trade. Numbers are exact decimals as in
//! order books: prices finer than a mct round down for a buy and up for a sell, quantities are whole Wh.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};
use thiserror::Error;
use veilgrid_market::units::{format_ct_per_kwh, format_kwh};
use veilgrid_market::{
    Grid, MappingError, Order, Side, parse_price, parse_quantity, step_of, step_quantities,
};

/// Most bytes of a file of orders.
pub const MAX_ORDERS_BYTES: u64 = 4 << 20;
/// Most rows of it.
pub const MAX_ROWS: usize = 100_000;
const COLUMNS: [&str; 4] = ["slot", "side", "price_ct_per_kwh", "quantity_kwh"];
/// The slot of rows for all others.
const EVERY_SLOT: &str = "*";
const MINUTES_PER_DAY: i64 = 24 * 60;

/// Why a file of orders was refused. Lines and columns count from 1.
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
    #[error("orders {}, line 1: the columns are {found:?}; the first line has to be slot,side,price_ct_per_kwh,quantity_kwh", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What stands there.
        found: String,
    },
    /// "Every value is of its form and on the grid."
    #[error("orders {}, line {line}, column {column} ({}): {reason}", path.display(), COLUMNS.get(column - 1).unwrap_or(&"-"))]
    Value {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// The column.
        column: usize,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// "The orders of a slot fit into a bid."
    #[error("orders {}, slot {slot}: {reason}", path.display())]
    Slot {
        /// The file.
        path: PathBuf,
        /// The slot, as in the file.
        slot: String,
        /// What is wrong, and what to do.
        reason: String,
    },
}

/// The price grid and the bits of a step that orders have to fit.
#[derive(Debug, Clone, Copy)]
pub struct OrdersMarket<'a> {
    /// The grid.
    pub grid: &'a Grid,
    /// Bits of a quantity at one step.
    pub bits: u8,
}

/// A file of orders, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlotOrders {
    every_slot: Vec<Order>,
    /// By minute of the day of the start of delivery, UTC.
    by_minute: BTreeMap<u32, Vec<Order>>,
}

impl SlotOrders {
    /// Reads a file. A participant does so for every round, so that a changed file counts from the next round on.
    ///
    /// # Errors
    /// The first [`OrdersError`] from the top of the file.
    pub fn read(path: &Path, market: OrdersMarket<'_>) -> Result<Self, OrdersError> {
        let unreadable = |reason| OrdersError::Unreadable { path: path.to_owned(), reason };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let mut bytes = Vec::new();
        let read = file.take(MAX_ORDERS_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if read as u64 > MAX_ORDERS_BYTES {
            return Err(OrdersError::TooLarge { path: path.to_owned() });
        }
        Self::parse(path, &bytes, market)
    }

    /// Parses the bytes of a file; `path` is for messages.
    ///
    /// # Errors
    /// As [`SlotOrders::read`].
    pub fn parse(path: &Path, bytes: &[u8], market: OrdersMarket<'_>) -> Result<Self, OrdersError> {
        let mut rows = csv::ReaderBuilder::new().trim(csv::Trim::All).comment(Some(b'#')).from_reader(bytes);
        let header = rows.headers().map_err(|error| from_csv(path, bytes, &error))?;
        if !header.iter().eq(COLUMNS) {
            let found = header.iter().collect::<Vec<_>>().join(",").chars().take(80).collect();
            return Err(OrdersError::Header { path: path.to_owned(), found });
        }
        let mut orders = Self::default();
        let mut row = csv::StringRecord::new();
        let (mut count, mut lines) = (0, Vec::new());
        while rows.read_record(&mut row).map_err(|error| from_csv(path, bytes, &error))? {
            count += 1;
            if count > MAX_ROWS {
                return Err(OrdersError::TooLarge { path: path.to_owned() });
            }
            let fields = std::array::from_fn(|column| row.get(column).unwrap_or(""));
            let line = line_of(bytes, row.position());
            let (slot, order) = parse_row(fields, market).map_err(|(column, reason)| OrdersError::Value {
                path: path.to_owned(),
                line,
                column,
                reason,
            })?;
            lines.push((slot, order, line));
            match slot {
                None => orders.every_slot.push(order),
                Some(minute) => orders.by_minute.entry(minute).or_default().push(order),
            }
        }
        orders.check_steps(path, market, &lines)?;
        Ok(orders)
    }

    /// The orders for delivery from `slot_start_unix_s` on: the slot's own rows, else those of every slot; none: a bid
    /// over zero.
    pub fn for_slot(&self, slot_start_unix_s: i64) -> &[Order] {
        let minute = slot_start_unix_s.div_euclid(60).rem_euclid(MINUTES_PER_DAY);
        // A slot that starts within a minute can't be named in the file.
        let whole = slot_start_unix_s.rem_euclid(60) == 0;
        let own = u32::try_from(minute).ok().filter(|_| whole).and_then(|minute| self.by_minute.get(&minute));
        own.map_or(&self.every_slot, |own| own)
    }

    /// All orders of a slot go into one bid, whose steps have bounds.
    fn check_steps(&self, path: &Path, market: OrdersMarket<'_>, lines: &[Row]) -> Result<(), OrdersError> {
        let every = std::iter::once((None, &self.every_slot));
        let own = self.by_minute.iter().map(|(minute, orders)| (Some(*minute), orders));
        for (slot, orders) in every.chain(own) {
            step_quantities(market.grid, orders, u32::from(market.bits)).map_err(|error| {
                let reason = match &error {
                    MappingError::StepTooLarge { side, price_mct_per_kwh, .. } => {
                        let shared = sharing(market.grid, lines, slot, *side, *price_mct_per_kwh);
                        format!("lines {shared} count at one price of the market's grid: {error}")
                    }
                    _ => error.to_string(),
                };
                let slot = slot.map_or_else(|| EVERY_SLOT.to_owned(), format_minute);
                OrdersError::Slot { path: path.to_owned(), slot, reason }
            })?;
        }
        Ok(())
    }
}

/// A row of the file: its slot, its order and its line.
type Row = (Option<u32>, Order, u64);

/// The lines of a slot whose orders count at one price.
fn sharing(grid: &Grid, rows: &[Row], slot: Option<u32>, side: Side, price_mct_per_kwh: u64) -> String {
    let at = Order { side, limit_mct_per_kwh: price_mct_per_kwh, energy_wh: 0 };
    let step = step_of(grid, &at);
    let shares = |(of, order, _): &&Row| *of == slot && order.side == side && step_of(grid, order) == step;
    let lines: Vec<String> = rows.iter().filter(shares).map(|(_, _, line)| line.to_string()).collect();
    lines.join(", ")
}

/// Writes orders as a file that [`SlotOrders`] reads: by minute of the day, in this order.
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

/// A row, or the column (from 1) that is wrong with the reason.
fn parse_row(
    [slot, side, price, quantity]: [&str; 4],
    market: OrdersMarket<'_>,
) -> Result<(Option<u32>, Order), (usize, String)> {
    let slot =
        if slot == EVERY_SLOT { None } else { Some(parse_minute(slot).map_err(|reason| (1, reason))?) };
    let side = match side {
        "buy" => Side::Buy,
        "sell" => Side::Sell,
        _ => return Err((2, format!("the side {:?} is unknown; write buy or sell", shown(side)))),
    };
    // Their messages begin with a line of their own, which is the place said already.
    let own = |error: veilgrid_market::BookError| {
        let text = error.to_string();
        text.strip_prefix("line 0: ").map(str::to_owned).unwrap_or(text)
    };
    let limit_mct_per_kwh = parse_price(0, side, price).map_err(|error| (3, own(error)))?;
    let energy_wh = parse_quantity(0, quantity).map_err(|error| (4, own(error)))?;
    let order = Order { side, limit_mct_per_kwh, energy_wh };
    step_of(market.grid, &order).map_err(|error| (3, error.to_string()))?;
    Ok((slot, order))
}

fn parse_minute(text: &str) -> Result<u32, String> {
    let refused =
        || format!("{:?} is no slot; write the start of delivery in UTC as HH:MM, or *", shown(text));
    let (hours, minutes) = text.split_once(':').ok_or_else(refused)?;
    let number = |digits: &str, below: u32| {
        let two = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<u32>().ok().filter(|number| two && *number < below).ok_or_else(refused)
    };
    Ok(number(hours, 24)? * 60 + number(minutes, 60)?)
}

/// A value from the file as it goes into a message: short, and without control characters.
fn shown(text: &str) -> String {
    let safe = |c: char| if c.is_control() { c.escape_default().collect() } else { vec![c] };
    text.chars().take(40).flat_map(safe).collect()
}

fn from_csv(path: &Path, bytes: &[u8], error: &csv::Error) -> OrdersError {
    let (column, reason) = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let place = usize::try_from(*len.min(expected_len)).unwrap_or(COLUMNS.len());
            (place.clamp(1, COLUMNS.len()), format!("the row has {len} values instead of {expected_len}"))
        }
        csv::ErrorKind::Utf8 { err, .. } => {
            (err.field() + 1, "not UTF-8 text; save the file as UTF-8".to_owned())
        }
        _ => (1, error.to_string()),
    };
    OrdersError::Value { path: path.to_owned(), line: line_of(bytes, error.position()), column, reason }
}

/// The line of a row, from 1. The CSV reader's own count stands before the line ends that it skips in front of a row.
fn line_of(bytes: &[u8], position: Option<&csv::Position>) -> u64 {
    let start = position.map_or(0, |position| usize::try_from(position.byte()).unwrap_or(usize::MAX));
    let (before, after) = bytes.split_at(start.min(bytes.len()));
    let skipped =
        after.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).filter(|byte| **byte == b'\n');
    1 + (before.iter().filter(|byte| **byte == b'\n').count() + skipped.count()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SlotOrders, OrdersError> {
        let grid = Grid::new(8_000, 1_000, 16).expect("grid");
        SlotOrders::parse(Path::new("o.csv"), text.as_bytes(), OrdersMarket { grid: &grid, bits: 16 })
    }

    const HEADER: &str = "slot,side,price_ct_per_kwh,quantity_kwh\n";

    fn orders(rows: &str) -> SlotOrders {
        parse(&format!("{HEADER}{rows}")).expect("sound")
    }

    fn fault(rows: &str) -> String {
        parse(&format!("{HEADER}{rows}")).expect_err("refused").to_string()
    }

    #[test]
    fn a_slot_has_its_own_rows_or_those_of_every_slot() {
        let orders =
            orders("*,buy,20,0.5\n# a comment\n08:15,sell,9.5,1.25\n 08:15 , buy , 8.0005 , 0.001\n");
        let noon = orders.for_slot(12 * 3600);
        assert_eq!(noon, [Order { side: Side::Buy, limit_mct_per_kwh: 20_000, energy_wh: 500 }]);
        let own = orders.for_slot(1_800_000_000 / 86_400 * 86_400 + 8 * 3600 + 15 * 60);
        assert_eq!(own[0], Order { side: Side::Sell, limit_mct_per_kwh: 9_500, energy_wh: 1_250 });
        assert_eq!(own[1], Order { side: Side::Buy, limit_mct_per_kwh: 8_000, energy_wh: 1 });
        assert_eq!(orders.for_slot(-86_400 + 8 * 3600 + 900), own, "before 1970 too");
        assert_eq!(orders.for_slot(8 * 3600 + 901), noon, "no whole minute");
        assert!(parse(HEADER).expect("no rows").for_slot(0).is_empty());
    }

    #[test]
    fn faults_name_line_and_column() {
        for (rows, place) in [
            ("24:00,buy,20,1\n", "line 2, column 1 (slot)"),
            ("8:15,buy,20,1\n", "line 2, column 1 (slot)"),
            ("08:60,buy,20,1\n", "line 2, column 1 (slot)"),
            ("+8:15,buy,20,1\n", "line 2, column 1 (slot)"),
            ("*,buy,20,1\n\n*,hold,20,1\n", "line 4, column 2 (side)"),
            ("*,buy,x,1\n", "line 2, column 3 (price_ct_per_kwh)"),
            ("*,buy,NaN,1\n", "line 2, column 3 (price_ct_per_kwh)"),
            ("*,buy,-1,1\n", "line 2, column 3 (price_ct_per_kwh)"),
            ("*,buy,7.999,1\n", "line 2, column 3 (price_ct_per_kwh)"),
            ("*,sell,23.001,1\n", "line 2, column 3 (price_ct_per_kwh)"),
            ("*,buy,20,0.0001\n", "line 2, column 4 (quantity_kwh)"),
            ("*,buy,20,-1\n", "line 2, column 4 (quantity_kwh)"),
            ("*,buy,20\n", "line 2, column 3"),
            ("*,buy,20,1,1\n", "line 2, column 4"),
            ("*,buy,20,60\n*,sell,20,1\n*,buy,20.1,10\n", "slot *: lines 2, 4 count at one price"),
            ("*,buy,\u{1b}[31m,1\n", "\\u{1b}[31m"),
            ("07:00,buy,20,60\n07:00,buy,20,10\n", "slot 07:00"),
        ] {
            let text = fault(rows);
            assert!(text.starts_with("orders o.csv, ") && text.contains(place), "{rows:?}: {text}");
            assert!(!text.contains("line 0"), "{text}");
        }
        assert!(fault("*,buy,20,1\r\n\r\n*,buy,x,1\r\n").contains("line 4, column 3"));
        assert!(
            parse("").expect_err("empty").to_string().contains("slot,side,price_ct_per_kwh,quantity_kwh")
        );
        assert!(parse("side,slot,price_ct_per_kwh,quantity_kwh\n").is_err());
    }

    #[test]
    fn what_is_written_is_read_back() {
        let slot = [
            Order { side: Side::Buy, limit_mct_per_kwh: 20_000, energy_wh: 501 },
            Order { side: Side::Sell, limit_mct_per_kwh: 9_000, energy_wh: 1 },
        ];
        let text = format_orders([(495, &slot[..]), (0, &slot[1..])]);
        let read = parse(&text).expect("read back");
        assert_eq!(read.for_slot(495 * 60), slot);
        assert_eq!(read.for_slot(0), &slot[1..]);
    }
}
