//! The forecast of a custom tariff.

use std::fmt::Write;
use veilgrid_household::decimal::eur_per_kwh;
use veilgrid_household::{Outlook, format_utc};

/// Which price of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What buys pay: evcc's tariff `grid`.
    Buy,
    /// What sells get: evcc's tariff `feedin`.
    Sell,
}

/// The slots that end after `from_unix_s` as evcc reads them, by start. A slot without a price is left out: evcc then has none for it,
/// and plans around it. Numbers are written with exactly the decimals that they have.
pub fn forecast(outlook: &Outlook, side: Side, from_unix_s: i64) -> String {
    let mut json = String::from("[");
    for slot in outlook.from(from_unix_s) {
        let price = match side {
            Side::Buy => slot.buy_mct_per_kwh(),
            Side::Sell => slot.sell_mct_per_kwh(),
        };
        let Some(price) = price else { continue };
        let comma = if json.len() > 1 { "," } else { "" };
        let (start, end) = (format_utc(slot.start_unix_s), format_utc(slot.end_unix_s()));
        // Writing into a string does not fail.
        let _ = write!(json, r#"{comma}{{"start":"{start}","end":"{end}","value":{}}}"#, eur_per_kwh(price));
    }
    json.push(']');
    json
}

#[cfg(test)]
mod tests {
    use super::*;
    use veilgrid_household::SlotPrice;

    #[test]
    fn prices_have_all_their_decimals_and_a_slot_without_one_is_a_gap() {
        let mut outlook = Outlook::default();
        let prices = [Some((28_755, -1)), None, Some((0, 28_750))];
        for (n, prices) in (0..).zip(prices) {
            // 25 October 2026, across the hour that comes twice.
            outlook.insert(SlotPrice { start_unix_s: 1_792_889_100 + n * 900, seconds: 900, prices });
        }
        assert_eq!(
            forecast(&outlook, Side::Buy, 0),
            r#"[{"start":"2026-10-25T00:45:00Z","end":"2026-10-25T01:00:00Z","value":0.28755},{"start":"2026-10-25T01:15:00Z","end":"2026-10-25T01:30:00Z","value":0}]"#
        );
        assert!(forecast(&outlook, Side::Sell, 0).contains(r#""value":-0.00001}"#));
        assert_eq!(forecast(&outlook, Side::Sell, 1_792_889_100 + 2700), "[]");
    }
}
