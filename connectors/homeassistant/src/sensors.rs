//! What is shown of an account.

use crate::UNKNOWN;
use serde_json::{Value, json};
use veilgrid_household::decimal::eur_per_kwh;
use veilgrid_household::{Fills, Outlook, SlotPrice, format_utc};

/// How Home Assistant is to take a value.
#[derive(Debug, Clone, Copy)]
pub struct Sensor {
    /// Its name in topics.
    pub name: &'static str,
    /// What people read.
    pub title: &'static str,
    /// Its unit.
    pub unit: Option<&'static str>,
    /// Its device class; prices of energy have none.
    pub device_class: Option<&'static str>,
    /// Its state class.
    pub state_class: Option<&'static str>,
    /// Decimals that are shown; all of them are sent.
    pub decimals: Option<u8>,
    /// Its icon.
    pub icon: Option<&'static str>,
    /// `diagnostic` for what is about the gateway itself.
    pub category: Option<&'static str>,
    /// Whether it has more to say than a value.
    pub has_attributes: bool,
}

const fn sensor(name: &'static str, title: &'static str) -> Sensor {
    Sensor {
        name,
        title,
        unit: None,
        device_class: None,
        state_class: None,
        decimals: None,
        icon: None,
        category: None,
        has_attributes: false,
    }
}

const fn price(name: &'static str, title: &'static str, has_attributes: bool) -> Sensor {
    Sensor {
        unit: Some("EUR/kWh"),
        state_class: Some("measurement"),
        decimals: Some(4),
        icon: Some("mdi:cash"),
        has_attributes,
        ..sensor(name, title)
    }
}

const fn energy(name: &'static str, title: &'static str) -> Sensor {
    Sensor {
        unit: Some("kWh"),
        device_class: Some("energy"),
        state_class: Some("total_increasing"),
        decimals: Some(3),
        ..sensor(name, title)
    }
}

/// Name of the sensor that says why a setting was refused.
pub const REFUSAL: &str = "refusal";

/// All sensors.
pub const SENSORS: [Sensor; 9] = [
    price("buy_price", "Buy price now", true),
    price("sell_price", "Sell price now", false),
    price("next_buy_price", "Buy price of the next slot", false),
    price("next_sell_price", "Sell price of the next slot", false),
    Sensor {
        unit: Some("W"),
        device_class: Some("power"),
        state_class: Some("measurement"),
        ..sensor("bought_power", "Bought power now")
    },
    energy("bought", "Bought energy"),
    energy("sold", "Sold energy"),
    Sensor {
        unit: Some("EUR"),
        device_class: Some("monetary"),
        state_class: Some("total"),
        decimals: Some(2),
        ..sensor("cost", "Cost")
    },
    Sensor {
        category: Some("diagnostic"),
        icon: Some("mdi:alert"),
        ..sensor(REFUSAL, "Last refused setting")
    },
];

/// Names and texts of all values at an instant, with all decimals. What is not known is [`UNKNOWN`], never zero and never an old
/// value.
pub fn values(
    outlook: Option<&Outlook>,
    fills: Option<&Fills>,
    now_unix_s: i64,
) -> Vec<(&'static str, String)> {
    let now = outlook.and_then(|outlook| outlook.at(now_unix_s));
    let next = outlook.zip(now).and_then(|(outlook, now)| outlook.at(now.end_unix_s()));
    let buy = |slot: Option<&SlotPrice>| known(slot.and_then(SlotPrice::buy_mct_per_kwh).map(eur_per_kwh));
    let sell = |slot: Option<&SlotPrice>| known(slot.and_then(SlotPrice::sell_mct_per_kwh).map(eur_per_kwh));
    let power = fills.and_then(|fills| fills.at(now_unix_s)).and_then(|fill| fill.bought_w());
    vec![
        ("buy_price", buy(now)),
        ("sell_price", sell(now)),
        ("next_buy_price", buy(next)),
        ("next_sell_price", sell(next)),
        ("bought_power", known(power.map(|power| power.to_string()))),
        ("bought", known(fills.map(Fills::total_bought_kwh))),
        ("sold", known(fills.map(Fills::total_sold_kwh))),
        ("cost", known(fills.map(Fills::total_cost_eur))),
    ]
}

/// Prices ahead, as attributes of `buy_price`: numbers are text, because Home Assistant would read them as floats.
pub fn ahead(outlook: Option<&Outlook>, now_unix_s: i64) -> Value {
    let slots = outlook.into_iter().flat_map(|outlook| outlook.from(now_unix_s));
    let entry = |slot: &SlotPrice| {
        json!({
            "start": format_utc(slot.start_unix_s), "end": format_utc(slot.end_unix_s()),
            "buy": slot.buy_mct_per_kwh().map(eur_per_kwh), "sell": slot.sell_mct_per_kwh().map(eur_per_kwh),
        })
    };
    json!({ "ahead": slots.map(entry).collect::<Vec<_>>() })
}

fn known(text: Option<String>) -> String {
    text.unwrap_or_else(|| UNKNOWN.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_sensor_and_what_is_not_known_is_none() {
        let unknown = values(None, None, 1_000);
        assert!(unknown.iter().all(|(_, text)| text == UNKNOWN));
        let names: Vec<&str> =
            SENSORS.iter().map(|sensor| sensor.name).filter(|name| *name != REFUSAL).collect();
        assert_eq!(unknown.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
    }

    #[test]
    fn prices_have_all_decimals_and_a_slot_without_a_trade_has_none() {
        let mut outlook = Outlook::default();
        outlook.insert(SlotPrice { start_unix_s: 900, seconds: 900, prices: Some((28_755, -1)) });
        outlook.insert(SlotPrice { start_unix_s: 1800, seconds: 900, prices: None });
        let texts: Vec<String> =
            values(Some(&outlook), None, 1000).into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts[..4], ["0.28755", "-0.00001", UNKNOWN, UNKNOWN]);
        let ahead = ahead(Some(&outlook), 1000);
        assert_eq!((&ahead["ahead"][0]["buy"], &ahead["ahead"][1]["buy"]), (&json!("0.28755"), &Value::Null));
    }
}
