//! Case study: Table 1 of "Secure Energy Trading Model Based on a Blockchain" (Sustainability 13:1634).
//!
//! The table names five personal consumers, one industrial consumer and one generation, each with a lowest and a
//! highest bid in EUR/MWh. It does not say how much energy they trade: `days_for_forecasting` is no quantity. The
//! quantities here are therefore an assumption of this project, the same in every case: 5 kWh a personal consumer
//! (half a day to a day of a household), 50 kWh the industrial consumer, 60 kWh the generation. Demand (75 kWh) is then
//! longer than supply, and no consumer alone decides the price.
//!
//! 1 EUR/MWh = 0.1 ct/kWh = 100 mct/kWh, so every limit of the table is exact.

use csv::StringRecord;
use std::fmt::Write;
use std::io::Read;
use veilgrid_market::units::{format_ct_per_kwh, format_kwh};
use veilgrid_market::{BookOrder, Order, Side};

/// 1 EUR/MWh in mct/kWh.
const MCT_PER_KWH_OF_EUR_PER_MWH: i64 = 100;

/// Highest limit that is read, EUR/MWh: ten times the cap of European day-ahead auctions.
const MAX_EUR_PER_MWH: i64 = 40_000;

/// Most rows and bytes that are read; the table has seven rows.
const MAX_ROWS: usize = 1000;
const MAX_BYTES: u64 = 1 << 20;

const PERSONAL_WH: u64 = 5_000;
const INDUSTRIAL_WH: u64 = 50_000;
const GENERATION_WH: u64 = 60_000;

/// Which of its two limits each party states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetmCase {
    /// Everybody its lowest. The generation's 40 is above every consumer's: nothing trades.
    Low,
    /// Everybody its highest. The generation's 52 is again above every consumer's: nothing trades.
    High,
    /// Everybody the limit at which it is most willing: consumers their highest bid, the generation its lowest.
    Willing,
}

impl SetmCase {
    fn takes_highest(self, side: Side) -> bool {
        match self {
            SetmCase::Low => false,
            SetmCase::High => true,
            SetmCase::Willing => side == Side::Buy,
        }
    }
}

/// Why a table can't be read. Lines count comments and the header.
#[derive(Debug, thiserror::Error)]
pub enum SetmError {
    /// Not CSV, rows of different lengths, or the reader failed.
    #[error("the table can't be read: {0}")]
    Read(#[from] csv::Error),
    /// A column is not in the header.
    #[error(
        "column `{column}` is missing: the header must name name, kind, min_bid_eur_per_mwh and max_bid_eur_per_mwh"
    )]
    MissingColumn {
        /// Which one.
        column: &'static str,
    },
    /// Neither consumer nor producer.
    #[error("line {line}, column `kind`: `{found}` is unknown: use consumer or producer")]
    UnknownKind {
        /// Line in the file.
        line: u64,
        /// What is there.
        found: String,
    },
    /// No name.
    #[error("line {line}, column `name`: is empty: every party needs a name")]
    NoName {
        /// Line in the file.
        line: u64,
    },
    /// Not a whole number of EUR/MWh within the bound. Below zero is possible, as on the exchange.
    #[error(
        "line {line}, column `{column}`: `{found}` is no whole number of EUR/MWh from -{MAX_EUR_PER_MWH} to {MAX_EUR_PER_MWH}"
    )]
    Limit {
        /// Line in the file.
        line: u64,
        /// Which column.
        column: &'static str,
        /// What is there.
        found: String,
    },
    /// The lowest bid is above the highest.
    #[error("line {line}: the lowest bid {min} is above the highest {max}: exchange them")]
    Inverted {
        /// Line in the file.
        line: u64,
        /// Lowest bid, EUR/MWh.
        min: i64,
        /// Highest bid, EUR/MWh.
        max: i64,
    },
    /// More rows or bytes than a table of parties has.
    #[error("more than {MAX_ROWS} rows or {MAX_BYTES} bytes: this is not a table of parties")]
    TooLong,
}

const COLUMNS: [&str; 4] = ["name", "kind", "min_bid_eur_per_mwh", "max_bid_eur_per_mwh"];

/// The orders of the table's parties, in the order of its rows. Ids are the names with `_` for spaces.
///
/// # Errors
/// The first rule that the table breaks, with line and column.
pub fn setm_orders(reader: impl Read, case: SetmCase) -> Result<Vec<BookOrder>, SetmError> {
    let mut table = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(reader.take(MAX_BYTES + 1));
    let orders = read_orders(&mut table, case);
    if table.get_ref().limit() == 0 {
        return Err(SetmError::TooLong);
    }
    orders
}

fn read_orders<R: Read>(table: &mut csv::Reader<R>, case: SetmCase) -> Result<Vec<BookOrder>, SetmError> {
    let header = table.headers()?.clone();
    let mut columns = [0; COLUMNS.len()];
    for (place, column) in columns.iter_mut().zip(COLUMNS) {
        *place =
            header.iter().position(|title| title == column).ok_or(SetmError::MissingColumn { column })?;
    }
    let mut orders = Vec::new();
    for record in table.records() {
        if orders.len() == MAX_ROWS {
            return Err(SetmError::TooLong);
        }
        orders.push(read_order(&record?, &columns, case)?);
    }
    Ok(orders)
}

fn read_order(
    record: &StringRecord,
    columns: &[usize; COLUMNS.len()],
    case: SetmCase,
) -> Result<BookOrder, SetmError> {
    let line = record.position().map_or(0, csv::Position::line);
    let [name, kind, min, max] = columns.map(|index| record.get(index).unwrap_or_default());
    if name.is_empty() {
        return Err(SetmError::NoName { line });
    }
    let side = match kind {
        "consumer" => Side::Buy,
        "producer" => Side::Sell,
        other => {
            return Err(SetmError::UnknownKind { line, found: shortened(other) });
        }
    };
    let limit = |column, text: &str| match text.parse() {
        Ok(limit) if (-MAX_EUR_PER_MWH..=MAX_EUR_PER_MWH).contains(&limit) => Ok(limit),
        _ => Err(SetmError::Limit { line, column, found: shortened(text) }),
    };
    let (min, max) = (limit(COLUMNS[2], min)?, limit(COLUMNS[3], max)?);
    if min > max {
        return Err(SetmError::Inverted { line, min, max });
    }
    let eur_per_mwh: i64 = if case.takes_highest(side) { max } else { min };
    let limit_mct_per_kwh = eur_per_mwh * MCT_PER_KWH_OF_EUR_PER_MWH;
    let order = Order { side, limit_mct_per_kwh, energy_wh: assumed_energy_wh(side, name) };
    Ok(BookOrder { id: name.replace(' ', "_"), line, order })
}

/// The assumed quantity: see the module's introduction.
fn assumed_energy_wh(side: Side, name: &str) -> u64 {
    match side {
        Side::Sell => GENERATION_WH,
        Side::Buy if name.starts_with("industrial") => INDUSTRIAL_WH,
        Side::Buy => PERSONAL_WH,
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(40).flat_map(char::escape_debug).collect()
}

/// A book as `id,side,price_ct_per_kwh,quantity_kwh`, exact, as `parse_book` of the market crate reads it.
pub fn book_csv(orders: &[BookOrder]) -> String {
    let mut text = String::from("id,side,price_ct_per_kwh,quantity_kwh\n");
    for BookOrder { id, order, .. } in orders {
        let (price, quantity) = (format_ct_per_kwh(order.limit_mct_per_kwh), format_kwh(order.energy_wh));
        // Writing to a String does not fail.
        let _ = writeln!(text, "{id},{},{price},{quantity}", order.side);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../data/setm_table1.csv"));
    const LOW: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../data/setm_case_low.csv"));
    const HIGH: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../data/setm_case_high.csv"));

    fn orders(case: SetmCase) -> Vec<BookOrder> {
        setm_orders(TABLE.as_bytes(), case).unwrap()
    }

    fn limits(case: SetmCase) -> Vec<i64> {
        orders(case).iter().map(|entry| entry.order.limit_mct_per_kwh).collect()
    }

    #[test]
    fn limits_are_those_of_the_table() {
        assert_eq!(limits(SetmCase::Low), [3400, 3400, 3600, 3600, 3800, 3600, 4000]);
        assert_eq!(limits(SetmCase::High), [4600, 4600, 4800, 4800, 4800, 5000, 5200]);
        assert_eq!(limits(SetmCase::Willing), [4600, 4600, 4800, 4800, 4800, 5000, 4000]);
    }

    #[test]
    fn only_the_willing_case_has_a_price_in_common() {
        for (case, trades) in [(SetmCase::Low, false), (SetmCase::High, false), (SetmCase::Willing, true)] {
            let book = orders(case);
            let limit = |side| {
                book.iter()
                    .filter(move |entry| entry.order.side == side)
                    .map(|entry| entry.order.limit_mct_per_kwh)
            };
            assert_eq!(limit(Side::Buy).max() >= limit(Side::Sell).min(), trades, "{case:?}");
        }
    }

    /// Industrial 50 (50 kWh), three personal consumers 48 (15 kWh), two 46: the generation's 60 kWh end at 48.
    #[test]
    fn the_willing_case_clears_at_the_limit_of_the_rationed_consumers() {
        use veilgrid_market::{Grid, Rationed, Rule, clear_plain, fill_q16, parse_book, step_totals};
        let grid = Grid::new(3_000, 100, 32).unwrap();
        let clear = |case| {
            let book = parse_book(book_csv(&orders(case)).as_bytes()).unwrap();
            let orders: Vec<Order> = book.iter().map(|entry| entry.order).collect();
            assert_eq!(
                orders,
                super::tests::orders(case).iter().map(|entry| entry.order).collect::<Vec<_>>()
            );
            let totals = step_totals(&grid, &orders).unwrap();
            (clear_plain(&grid, Rule::Uniform, true, &totals).unwrap().outcome, orders)
        };
        assert!(!clear(SetmCase::Low).0.traded());
        assert!(!clear(SetmCase::High).0.traded());
        let (outcome, orders) = clear(SetmCase::Willing);
        let trade = outcome.trade.unwrap();
        assert_eq!((trade.buy_price_mct_per_kwh, trade.sell_price_mct_per_kwh), (4_800, 4_800));
        assert_eq!((outcome.volume_wh, trade.rationed), (Some(60_000), Rationed::Demand));
        let filled_wh: Vec<u128> =
            orders.iter().map(|order| fill_q16(&grid, &outcome, order) >> 16).collect();
        assert_eq!(filled_wh, [0, 0, 3333, 3333, 3333, 50_000, 60_000]);
    }

    #[test]
    fn quantities_are_the_documented_assumption() {
        let book = orders(SetmCase::Low);
        let energy: Vec<u64> = book.iter().map(|entry| entry.order.energy_wh).collect();
        assert_eq!(energy, [5000, 5000, 5000, 5000, 5000, 50_000, 60_000]);
        assert_eq!(book[5].id, "industrial_consumer_1");
        assert_eq!(book[6].order.side, Side::Sell);
    }

    #[test]
    fn the_books_in_the_data_folder_are_these() {
        assert_eq!(book_csv(&orders(SetmCase::Low)), LOW);
        assert_eq!(book_csv(&orders(SetmCase::High)), HIGH);
    }

    /// On the exchange prices are below zero at times, and so are bids.
    #[test]
    fn bids_may_be_below_zero() {
        let table =
            "name,kind,min_bid_eur_per_mwh,max_bid_eur_per_mwh\nsun,producer,-12,3\nload,consumer,-5,-1\n";
        let limits = |case| -> Vec<i64> {
            let orders = setm_orders(table.as_bytes(), case).unwrap();
            orders.iter().map(|entry| entry.order.limit_mct_per_kwh).collect()
        };
        assert_eq!(
            (limits(SetmCase::Low), limits(SetmCase::Willing)),
            (vec![-1_200, -500], vec![-1_200, -100])
        );
        let book = book_csv(&setm_orders(table.as_bytes(), SetmCase::Willing).unwrap());
        assert!(book.contains("sun,sell,-1.20,60.000\nload,buy,-0.10,5.000\n"), "{book}");
    }

    #[test]
    fn broken_tables_are_refused_with_their_place() {
        let header = "# facts\nname,kind,min_bid_eur_per_mwh,max_bid_eur_per_mwh\n";
        let refused =
            |row: &str| setm_orders(format!("{header}{row}\n").as_bytes(), SetmCase::Low).unwrap_err();
        assert!(
            matches!(refused("a,trader,1,2"), SetmError::UnknownKind { line: 3, found } if found == "trader")
        );
        assert!(matches!(refused(",consumer,1,2"), SetmError::NoName { line: 3 }));
        assert!(matches!(refused("a,consumer,2,1"), SetmError::Inverted { line: 3, min: 2, max: 1 }));
        assert!(matches!(refused("a,consumer,1"), SetmError::Read(_)));
        for bad in ["-40001", "x", "", "1.5", "40001", "99999999999999999999"] {
            let error = refused(&format!("a,consumer,{bad},2"));
            assert!(
                matches!(error, SetmError::Limit { line: 3, column: "min_bid_eur_per_mwh", .. }),
                "{bad}"
            );
            let error = refused(&format!("a,consumer,0,{bad}"));
            assert!(
                matches!(error, SetmError::Limit { line: 3, column: "max_bid_eur_per_mwh", .. }),
                "{bad}"
            );
        }
        for column in COLUMNS {
            let error = setm_orders(header.replace(column, "other").as_bytes(), SetmCase::Low).unwrap_err();
            assert!(matches!(error, SetmError::MissingColumn { column: name } if name == column));
        }
        let many = format!("{header}{}", "a,consumer,1,2\n".repeat(MAX_ROWS + 1));
        assert!(matches!(setm_orders(many.as_bytes(), SetmCase::Low), Err(SetmError::TooLong)));
        assert!(matches!(setm_orders(std::io::repeat(b'a'), SetmCase::Low), Err(SetmError::TooLong)));
    }
}
