//! Order books as CSV: `id,side,price_ct_per_kwh,quantity_kwh`, one order a row, columns in any order.
//!
//! Prices may be finer than a mct: a buy rounds down and a sell up. Quantities are whole Wh, so at most three decimals
//! other than zero; a zero quantity is an order that trades nothing.

use crate::decimal::{DecimalError, ScaledDecimal, parse_decimal_scaled};
use crate::grid::{Grid, MAX_PRICE_MCT_PER_KWH};
use crate::order::{OffGrid, OffGridOrder, Order, Side, step_of};
use crate::text::{Lines, shown};
use crate::units::{MAX_UNKNOWN_OPENING, format_ct_per_kwh, format_kwh};
use std::collections::BTreeMap;
use std::io::Read;
use thiserror::Error;

/// Most bytes of a book.
pub const MAX_BOOK_BYTES: u64 = 64 << 20;
/// Most orders of a book.
pub const MAX_ORDERS: usize = 1 << 20;
const COLUMNS: [&str; 4] = ["id", "side", PRICE, QUANTITY];
const PRICE: &str = "price_ct_per_kwh";
const QUANTITY: &str = "quantity_kwh";

/// One row of a book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookOrder {
    /// The name of the order, unique in its book.
    pub id: String,
    /// The line it stands in, from 1.
    pub line: u64,
    /// The order.
    pub order: Order,
}

/// A book split by whether an order can trade on the grid.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlacedBook {
    /// Orders on the grid, in the order of the book.
    pub kept: Vec<BookOrder>,
    /// Orders that were left out.
    pub dropped: Vec<BookOrder>,
}

/// Why a book was refused: one variant per rule, with the line and the value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs)] // The fields are what the messages say: line, column and value from the file.
pub enum BookError {
    /// Nothing in the file.
    #[error("the book is empty; its first line has to be id,side,price_ct_per_kwh,quantity_kwh")]
    Empty,
    /// A column is not there.
    #[error("line 1: the column {column} is missing (found: {found}); add it to the header")]
    MissingColumn { column: &'static str, found: String },
    /// A column is there twice.
    #[error("line 1: the column {column} is there more than once; keep one")]
    DuplicateColumn { column: &'static str },
    /// A header and nothing below it.
    #[error("the book has a header but no orders; add at least one row")]
    NoOrders,
    /// Not a row of the header's form, or no UTF-8.
    #[error("line {line}: {reason}")]
    Malformed { line: u64, reason: String },
    /// The reader failed.
    #[error("the book can't be read: {reason}")]
    Read { reason: String },
    /// Too many bytes.
    #[error("the book is larger than {MAX_BOOK_BYTES} bytes; split it")]
    TooManyBytes,
    /// Too many rows.
    #[error("line {line}: more than {MAX_ORDERS} orders; split the book")]
    TooManyOrders { line: u64 },
    /// No name.
    #[error("line {line}: the order has no id; give it one")]
    MissingId { line: u64 },
    /// A name twice.
    #[error("line {line}: the id {id:?} is already that of line {first_line}; every order needs its own")]
    DuplicateId { line: u64, id: String, first_line: u64 },
    /// Neither buy nor sell.
    #[error("line {line}: the side {value:?} is unknown; write buy or sell")]
    UnknownSide { line: u64, value: String },
    /// Not a number.
    #[error(
        "line {line}: {column} {value:?} is not a decimal number; write digits with a decimal point, like 1.25"
    )]
    NotANumber { line: u64, column: &'static str, value: String },
    /// NaN or an infinity.
    #[error("line {line}: {column} {value:?} is not finite; write a number like 1.25")]
    NotFinite { line: u64, column: &'static str, value: String },
    /// Below zero.
    #[error(
        "line {line}: the quantity {value} is negative; write what is traded as a positive number and the way as side"
    )]
    NegativeQuantity { line: u64, value: String },
    /// Above any market.
    #[error("line {line}: {column} {value} is too large; at most {largest} is possible")]
    TooLarge { line: u64, column: &'static str, value: String, largest: String },
    /// Below any market.
    #[error("line {line}: {column} {value} is too low; at least {lowest} is possible")]
    TooLow { line: u64, column: &'static str, value: String, lowest: String },
    /// Less than one Wh somewhere in it.
    #[error("line {line}: the quantity {value} is finer than 1 Wh; use at most three decimals")]
    QuantityTooFine { line: u64, value: String },
    /// It can never trade.
    #[error("line {line}, order {id:?}: {order}")]
    OffGrid { line: u64, id: String, order: OffGridOrder },
}

/// Reads a book.
///
/// # Errors
/// The first [`BookError`] from the top of the file.
pub fn parse_book(reader: impl Read) -> Result<Vec<BookOrder>, BookError> {
    let mut bytes = Vec::new();
    // One byte more than allowed, so that too much can be told from just enough.
    let read = reader.take(MAX_BOOK_BYTES + 1).read_to_end(&mut bytes);
    let length = read.map_err(|error| BookError::Read { reason: error.to_string() })?;
    if length as u64 > MAX_BOOK_BYTES {
        return Err(BookError::TooManyBytes);
    }
    let mut lines = Lines::of(&bytes);
    let mut rows = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(&bytes[..]);
    let columns = find_columns(rows.headers().map_err(|error| from_csv(&mut lines, error))?)?;
    let (mut orders, mut first_lines) = (Vec::new(), BTreeMap::new());
    let mut row = csv::StringRecord::new();
    while rows.read_record(&mut row).map_err(|error| from_csv(&mut lines, error))? {
        let line = lines.line_of(row.position());
        if orders.len() == MAX_ORDERS {
            return Err(BookError::TooManyOrders { line });
        }
        let parsed = parse_row(line, columns.map(|column| row.get(column).unwrap_or("")))?;
        if let Some(first_line) = first_lines.insert(parsed.id.clone(), line) {
            return Err(BookError::DuplicateId { line, id: shown(&parsed.id), first_line });
        }
        orders.push(parsed);
    }
    if orders.is_empty() { Err(BookError::NoOrders) } else { Ok(orders) }
}

/// Splits a book by the grid.
///
/// # Errors
/// [`BookError::OffGrid`] for the first order that can never trade, unless such orders are to be dropped.
pub fn place_book(grid: &Grid, book: Vec<BookOrder>, off_grid: OffGrid) -> Result<PlacedBook, BookError> {
    let mut placed = PlacedBook::default();
    for row in book {
        match (step_of(grid, &row.order), off_grid) {
            (Ok(_), _) => placed.kept.push(row),
            (Err(_), OffGrid::Drop) => placed.dropped.push(row),
            (Err(order), OffGrid::Refuse) => {
                return Err(BookError::OffGrid { line: row.line, id: shown(&row.id), order });
            }
        }
    }
    Ok(placed)
}

/// A price limit in ct/kWh as mct/kWh, rounded down for a buy and up for a sell; `line` is for the error.
///
/// # Errors
/// [`BookError`] for anything but a number at most [`MAX_PRICE_MCT_PER_KWH`] from zero.
pub fn parse_price(line: u64, side: Side, text: &str) -> Result<i64, BookError> {
    let scaled = number(line, PRICE, text, 3)?;
    let price_mct = if side == Side::Buy { scaled.floor } else { scaled.ceil() };
    let (column, value) = (PRICE, || shown(text));
    if price_mct < i128::from(-MAX_PRICE_MCT_PER_KWH) {
        let lowest = format_ct_per_kwh(-MAX_PRICE_MCT_PER_KWH);
        return Err(BookError::TooLow { line, column, value: value(), lowest });
    }
    i64::try_from(price_mct).ok().filter(|price_mct| *price_mct <= MAX_PRICE_MCT_PER_KWH).ok_or_else(|| {
        let largest = format_ct_per_kwh(MAX_PRICE_MCT_PER_KWH);
        BookError::TooLarge { line, column, value: value(), largest }
    })
}

/// A quantity in kWh as Wh; `line` is for the error.
///
/// # Errors
/// [`BookError`] for anything but a number of whole Wh from 0 to 2^40.
pub fn parse_quantity(line: u64, text: &str) -> Result<u64, BookError> {
    let scaled = number(line, QUANTITY, text, 3)?;
    if scaled.floor < 0 {
        return Err(BookError::NegativeQuantity { line, value: shown(text) });
    }
    if !scaled.exact {
        return Err(BookError::QuantityTooFine { line, value: shown(text) });
    }
    up_to(scaled.floor, MAX_UNKNOWN_OPENING).ok_or_else(|| BookError::TooLarge {
        line,
        column: QUANTITY,
        value: shown(text),
        largest: format_kwh(MAX_UNKNOWN_OPENING),
    })
}

fn parse_row(line: u64, [id, side, price, quantity]: [&str; 4]) -> Result<BookOrder, BookError> {
    if id.is_empty() {
        return Err(BookError::MissingId { line });
    }
    let side = match side {
        "buy" => Side::Buy,
        "sell" => Side::Sell,
        _ => {
            return Err(BookError::UnknownSide { line, value: shown(side) });
        }
    };
    let limit_mct_per_kwh = parse_price(line, side, price)?;
    let energy_wh = parse_quantity(line, quantity)?;
    Ok(BookOrder { id: id.to_owned(), line, order: Order { side, limit_mct_per_kwh, energy_wh } })
}

/// The places of [`COLUMNS`] in the header.
fn find_columns(header: &csv::StringRecord) -> Result<[usize; 4], BookError> {
    if header.iter().all(str::is_empty) {
        return Err(BookError::Empty);
    }
    let mut places = [0; 4];
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        let mut found = header.iter().enumerate().filter(|(_, name)| *name == column).map(|(at, _)| at);
        let missing = || BookError::MissingColumn {
            column,
            found: shown(&header.iter().collect::<Vec<_>>().join(",")),
        };
        *place = found.next().ok_or_else(missing)?;
        if found.next().is_some() {
            return Err(BookError::DuplicateColumn { column });
        }
    }
    Ok(places)
}

fn number(line: u64, column: &'static str, text: &str, scale: u32) -> Result<ScaledDecimal, BookError> {
    parse_decimal_scaled(text, scale).map_err(|error| {
        let value = shown(text);
        match error {
            DecimalError::NotFinite => BookError::NotFinite { line, column, value },
            DecimalError::Empty | DecimalError::NotANumber => BookError::NotANumber { line, column, value },
            DecimalError::TooLong => {
                BookError::TooLarge { line, column, value, largest: "a number of 37 digits".to_owned() }
            }
        }
    })
}

fn up_to(value: i128, largest: u64) -> Option<u64> {
    u64::try_from(value).ok().filter(|value| *value <= largest)
}

fn from_csv(lines: &mut Lines<'_>, error: csv::Error) -> BookError {
    let line = lines.line_of(error.position());
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => BookError::Malformed {
            line,
            reason: format!("{len} fields where the header has {expected_len}; give one value a column"),
        },
        csv::ErrorKind::Utf8 { .. } => {
            BookError::Malformed { line, reason: "not UTF-8 text; save the file as UTF-8".to_owned() }
        }
        _ => BookError::Read { reason: error.to_string() },
    }
}
