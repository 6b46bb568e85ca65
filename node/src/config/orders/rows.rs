//! The lines of a file of orders, each by itself: what is wrong with one, a quotation mark that is not closed among it,
//! says nothing about the others.

use super::error::ValueFault;
use super::{COLUMNS, EVERY_SLOT, OrdersMarket, format_minute};
use veilgrid_market::units::format_ct_per_kwh;
use veilgrid_market::{Order, Side, parse_price, parse_quantity, step_of};

/// The lines of a file with their numbers, without those that are empty or comments. Lines end as anywhere.
pub(super) fn lines_of(bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut rest = Some(bytes);
    let split = std::iter::from_fn(move || {
        let text = rest?;
        match text.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
            None => {
                rest = None;
                Some(text)
            }
            Some(end) => {
                let (line, after) = text.split_at(end);
                rest = after.strip_prefix(b"\r\n").or_else(|| after.get(1..));
                Some(line)
            }
        }
    });
    let counts = |line: &&[u8]| !line.is_empty() && line.first() != Some(&b'#');
    (1u64..).zip(split.map(<[u8]>::trim_ascii)).filter(move |(_, line)| counts(line))
}

/// The values of a line.
pub(super) fn values_of(line: &[u8]) -> Result<Vec<String>, ValueFault> {
    if !line.contains(&b'"') {
        let text = |(place, value): (usize, &[u8])| match std::str::from_utf8(value) {
            Ok(value) => Ok(value.trim().to_owned()),
            Err(_) => Err(no_text(place)),
        };
        return line.split(|byte| *byte == b',').enumerate().map(text).collect();
    }
    let mut rows =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(line);
    let mut row = csv::StringRecord::new();
    match rows.read_record(&mut row) {
        Ok(_) => Ok(row.iter().map(str::to_owned).collect()),
        Err(error) => match error.kind() {
            csv::ErrorKind::Utf8 { err, .. } => Err(no_text(err.field())),
            _ => Err(ValueFault::plain(1, error.to_string())),
        },
    }
}

fn no_text(place: usize) -> ValueFault {
    ValueFault::plain(place + 1, "not UTF-8 text; save the file as UTF-8")
}

/// A row of the file whose order can trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    /// The line, from 1.
    pub line: u64,
    /// Minute of the day of the start of delivery, UTC; none for every slot.
    pub slot: Option<u32>,
    /// What is wanted.
    pub order: Order,
}

/// A row's slot (as far as one can tell which is meant, and none where one can't) and its order, or what is wrong.
pub(super) fn parse_row(
    line: u64,
    values: &[String],
    market: Option<OrdersMarket<'_>>,
) -> (Option<u32>, Result<Row, ValueFault>) {
    let meant = values.first().and_then(|slot| meant_minute(slot));
    (meant, parse_values(line, values, market))
}

fn parse_values(line: u64, values: &[String], market: Option<OrdersMarket<'_>>) -> Result<Row, ValueFault> {
    let [slot, side, price, quantity] = values else {
        let (len, expected) = (values.len(), COLUMNS.len());
        let column = len.min(expected).max(1);
        return Err(ValueFault::plain(column, format!("the row has {len} values instead of {expected}")));
    };
    let slot = if slot == EVERY_SLOT { None } else { Some(parse_slot(slot, market)?) };
    let side = match side.as_str() {
        "buy" => Side::Buy,
        "sell" => Side::Sell,
        _ => {
            let reason = format!("the side {:?} is unknown; write buy or sell", shown(side));
            return Err(ValueFault { column: 2, reason, discreet: "no side; write buy or sell".to_owned() });
        }
    };
    // Their messages begin with a line of their own, which is the place said already.
    let own = |error: veilgrid_market::BookError| {
        let text = error.to_string();
        text.strip_prefix("line 0: ").map(str::to_owned).unwrap_or(text)
    };
    let limit_mct_per_kwh = parse_price(0, side, price).map_err(|error| ValueFault {
        column: 3,
        reason: own(error),
        discreet: "no price; write ct/kWh, like 19.25 or -0.5".to_owned(),
    })?;
    let energy_wh = parse_quantity(0, quantity).map_err(|error| ValueFault {
        column: 4,
        reason: own(error),
        discreet: "no quantity; write kWh with at most three decimals, zero or more, like 1.25".to_owned(),
    })?;
    let order = Order { side, limit_mct_per_kwh, energy_wh };
    if let Some(market) = market
        && step_of(market.grid, &order).is_err()
    {
        return Err(never_trades(&order, market));
    }
    Ok(Row { line, slot, order })
}

/// A buy below the lowest price, or a sell above the highest one.
fn never_trades(order: &Order, market: OrdersMarket<'_>) -> ValueFault {
    let (grid, side) = (market.grid, order.side);
    let way_out = match side {
        Side::Buy => format!("buy at {} or more", format_ct_per_kwh(grid.price_min_mct_per_kwh())),
        Side::Sell => format!("sell at {} or less", format_ct_per_kwh(grid.price_max_mct_per_kwh())),
    };
    let limit = format_ct_per_kwh(order.limit_mct_per_kwh);
    let why = format!("can never trade: the market's prices are {}; {way_out}", grid.describe());
    ValueFault {
        column: 3,
        reason: format!("a {side} at {limit} ct/kWh {why}"),
        discreet: format!("an order at this price {why}"),
    }
}

/// The minute of a slot that the market has.
fn parse_slot(text: &str, market: Option<OrdersMarket<'_>>) -> Result<u32, ValueFault> {
    let how = "write the start of delivery in UTC as HH:MM with two digits each, or *";
    let refused = || ValueFault {
        column: 1,
        reason: format!("{:?} is no slot; {how}", shown(text)),
        discreet: format!("no slot; {how}"),
    };
    let whole = text.len() == 5;
    let minute = meant_minute(text).filter(|_| whole).ok_or_else(refused)?;
    let slot_seconds = market.map_or(60, |market| market.slot_seconds).max(60);
    let slot_minutes = slot_seconds / 60;
    if minute % slot_minutes != 0 {
        let why = format!(
            "no slot of the market starts then: they start every {slot_minutes} minutes from 00:00 UTC on"
        );
        let (before, reason) = (minute - minute % slot_minutes, format_minute(minute));
        let reason = format!("{reason}: {why}; write {} or another start", format_minute(before));
        return Err(ValueFault { column: 1, reason, discreet: why });
    }
    Ok(minute)
}

/// The minute that a time of the day means, also one with too few digits: its slot is not left to the rows for every
/// slot.
fn meant_minute(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |digits: &str, below: u32| {
        let digits_only = (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<u32>().ok().filter(|number| digits_only && *number < below)
    };
    Some(number(hours, 24)? * 60 + number(minutes, 60)?)
}

/// A value from the file as it goes into a message: short. Messages quote it (`{:?}`), which writes control characters out.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}
