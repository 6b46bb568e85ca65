//! What people set in Home Assistant, and what of it becomes orders.

use crate::device::{Topics, put};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use thiserror::Error;
use veilgrid_household::decimal::{DecimalFault, ct_per_kwh, parse_ct_per_kwh, parse_kw, parse_kwh, short};
use veilgrid_household::{Wish, format_utc, instant};
use veilgrid_readings::{Instants, Local, Zone};

/// The longest command that is looked at, bytes.
const MAX_COMMAND_BYTES: usize = 64;
/// The furthest departure, seconds.
const FURTHEST_S: i64 = 7 * 86_400;

/// A setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    /// Energy that a car still lacks, kWh.
    ChargeKwh,
    /// The most that its charger takes, kW.
    ChargeKw,
    /// When it leaves.
    Departure,
    /// The most that its energy may cost, ct/kWh.
    ChargeLimit,
    /// Power of a battery, kW.
    BatteryKw,
    /// The battery buys up to this price, ct/kWh.
    BatteryBuy,
    /// The battery sells from this price on, ct/kWh.
    BatterySell,
}

/// Why a command was refused. The setting stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SettingFault {
    /// "A command is short text."
    #[error("no text of at most {MAX_COMMAND_BYTES} bytes")]
    Text,
    /// "It is a value of its unit."
    #[error("{0:?}: {1}")]
    Value(String, DecimalFault),
    /// "A departure is an instant ahead."
    #[error("{0:?} is no departure within a week; write 07:00 or 2026-12-02T07:00:00+01:00")]
    Departure(String),
    /// "A battery does not sell at a price at which it buys."
    #[error("the battery would buy at {0} ct/kWh and sell at {1}; the selling price has to be higher")]
    Crossed(String, String),
}

impl Setting {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::ChargeKwh,
        Self::ChargeKw,
        Self::Departure,
        Self::ChargeLimit,
        Self::BatteryKw,
        Self::BatteryBuy,
        Self::BatterySell,
    ];

    /// Its name in topics and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::ChargeKwh => "charge_kwh",
            Self::ChargeKw => "charge_kw",
            Self::Departure => "departure",
            Self::ChargeLimit => "charge_limit",
            Self::BatteryKw => "battery_kw",
            Self::BatteryBuy => "battery_buy",
            Self::BatterySell => "battery_sell",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::ChargeKwh => "Car: energy it lacks",
            Self::ChargeKw => "Car: charging power",
            Self::Departure => "Car: departure",
            Self::ChargeLimit => "Car: price limit",
            Self::BatteryKw => "Battery: power",
            Self::BatteryBuy => "Battery: buys up to",
            Self::BatterySell => "Battery: sells from",
        }
    }

    /// Its entity in the configuration of the device.
    pub(crate) fn entity(self, id: &str, topics: &Topics) -> Value {
        let mut entity = json!({
            "platform": "number",
            "name": self.title(),
            "unique_id": format!("{id}_{}", self.name()),
            "state_topic": topics.value(self.name()),
            "command_topic": topics.command(self),
            "entity_category": "config",
        });
        let (unit, most) = match self {
            Self::Departure => {
                put(&mut entity, "platform", "text".into());
                put(&mut entity, "max", MAX_COMMAND_BYTES.into());
                return entity;
            }
            Self::ChargeKwh => ("kWh", 1000),
            Self::ChargeKw | Self::BatteryKw => ("kW", 1000),
            Self::ChargeLimit | Self::BatteryBuy | Self::BatterySell => ("ct/kWh", 10_000),
        };
        let least = if unit == "ct/kWh" { -most } else { 0 };
        put(&mut entity, "min", least.into());
        put(&mut entity, "max", most.into());
        // A thousandth: what is kept exactly.
        put(&mut entity, "step", thousandth());
        put(&mut entity, "mode", "box".into());
        put(&mut entity, "unit_of_measurement", unit.into());
        entity
    }
}

/// The JSON number 0.001, from its text.
fn thousandth() -> Value {
    serde_json::from_str("0.001").unwrap_or_else(|_| 1.into())
}

/// The settings of an account, as checked text: values in their unit, a departure as an instant in UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    values: BTreeMap<Setting, String>,
}

impl Settings {
    /// Settings from names and texts, as [`Self::named`] gives them; what is none of them is left out and returned.
    pub fn from_named(named: &BTreeMap<String, String>) -> (Self, Vec<String>) {
        let (mut settings, mut refused) = (Self::default(), Vec::new());
        for (name, text) in named {
            let setting = Setting::ALL.into_iter().find(|setting| setting.name() == name);
            let checked = setting.map(|setting| (setting, checked(setting, text, None)));
            match checked {
                Some((setting, Ok(Some(value)))) => drop(settings.values.insert(setting, value)),
                _ => refused.push(name.clone()),
            }
        }
        (settings, refused)
    }

    /// Names and texts, for a file.
    pub fn named(&self) -> BTreeMap<String, String> {
        self.values.iter().map(|(setting, text)| (setting.name().to_owned(), text.clone())).collect()
    }

    /// The text of a setting.
    pub fn get(&self, setting: Setting) -> Option<&str> {
        self.values.get(&setting).map(String::as_str)
    }

    /// Takes a command. Empty text, or `None`, takes a setting away.
    ///
    /// # Errors
    /// [`SettingFault`]; nothing has changed then.
    pub fn set(
        &mut self,
        setting: Setting,
        payload: &[u8],
        now_unix_s: i64,
        zone: &Zone,
    ) -> Result<(), SettingFault> {
        let text = std::str::from_utf8(payload).ok().filter(|text| text.len() <= MAX_COMMAND_BYTES);
        let text = text.ok_or(SettingFault::Text)?.trim();
        let value = checked(setting, text, Some((now_unix_s, zone)))?;
        let mut changed = self.clone();
        match value {
            Some(value) => drop(changed.values.insert(setting, value)),
            None => drop(changed.values.remove(&setting)),
        }
        let (buy, sell) = (changed.price(Setting::BatteryBuy), changed.price(Setting::BatterySell));
        if let Some((buy, sell)) = buy.zip(sell).filter(|(buy, sell)| buy >= sell) {
            return Err(SettingFault::Crossed(ct_per_kwh(buy), ct_per_kwh(sell)));
        }
        *self = changed;
        Ok(())
    }

    fn price(&self, setting: Setting) -> Option<i64> {
        parse_ct_per_kwh(self.get(setting)?).ok()
    }

    /// What the car wants: energy, power, limit and a departure have all to be there.
    pub fn car(&self) -> Option<Wish> {
        let energy_wh = parse_kwh(self.get(Setting::ChargeKwh)?).ok()?;
        Some(Wish::Departure {
            energy_wh,
            power_w: parse_kw(self.get(Setting::ChargeKw)?).ok()?,
            ready_unix_s: self.departure_unix_s()?,
            limit_mct_per_kwh: self.price(Setting::ChargeLimit)?,
        })
    }

    /// When the car leaves, Unix seconds.
    pub fn departure_unix_s(&self) -> Option<i64> {
        instant(self.get(Setting::Departure)?).ok()
    }

    /// What the battery buys and sells.
    pub fn battery(&self) -> [Option<Wish>; 2] {
        let power_w = self.get(Setting::BatteryKw).and_then(|text| parse_kw(text).ok());
        let wish = |buys, setting| {
            Some(Wish::Standing { buys, power_w: power_w?, limit_mct_per_kwh: self.price(setting)? })
        };
        [wish(true, Setting::BatteryBuy), wish(false, Setting::BatterySell)]
    }
}

/// A setting's text in its one form; none takes it away. Without a clock a departure has to be an instant already.
fn checked(
    setting: Setting,
    text: &str,
    clock: Option<(i64, &Zone)>,
) -> Result<Option<String>, SettingFault> {
    if text.is_empty() || text == crate::UNKNOWN {
        return Ok(None);
    }
    let value = |fault| SettingFault::Value(text.to_owned(), fault);
    let kilo = |number: u64| {
        let text = format!("{}.{:03}", number / 1000, number % 1000);
        Some(short(text))
    };
    match setting {
        Setting::ChargeKwh => parse_kwh(text).map(kilo).map_err(value),
        Setting::ChargeKw | Setting::BatteryKw => parse_kw(text).map(kilo).map_err(value),
        Setting::ChargeLimit | Setting::BatteryBuy | Setting::BatterySell => {
            parse_ct_per_kwh(text).map(|price| Some(ct_per_kwh(price))).map_err(value)
        }
        Setting::Departure => {
            let refused = || SettingFault::Departure(text.to_owned());
            let at = match clock {
                None => instant(text).ok(),
                Some((now, zone)) => instant(text)
                    .ok()
                    .or_else(|| next_time(text, now, zone))
                    .filter(|at| (now..=now.saturating_add(FURTHEST_S)).contains(at)),
            };
            Ok(Some(format_utc(at.ok_or_else(refused)?)))
        }
    }
}

/// The next instant at which clocks of the zone show `HH:MM`. Of the hour that comes twice it is whichever is next; a time that a day
/// skips is the next day's.
fn next_time(text: &str, now_unix_s: i64, zone: &Zone) -> Option<i64> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str| {
        (digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| digits.parse::<i8>().ok())?
    };
    let (hour, minute) = (number(hour).filter(|hour| *hour < 24)?, number(minute)?);
    let mut at = now_unix_s;
    for _ in 0..3 {
        let day = zone.day_of(at).ok()?;
        let local = Local::new(day.date, hour, minute, 0).ok()?;
        let instants = match zone.instants(local).ok()? {
            Instants::One(one) => vec![one],
            Instants::Two(first, second) => vec![first, second],
            Instants::None => vec![],
        };
        if let Some(next) = instants.into_iter().find(|instant| *instant > now_unix_s) {
            return Some(next);
        }
        at = day.start_unix_s.checked_add(i64::from(day.seconds))?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone() -> Zone {
        Zone::named("Europe/Vienna").expect("a zone")
    }

    fn at(text: &str) -> i64 {
        instant(text).expect("an instant")
    }

    #[test]
    fn a_departure_is_the_next_time_that_clocks_show_it() {
        let next = |text: &str, now: &str| next_time(text, at(now), &zone()).map(format_utc);
        assert_eq!(next("07:00", "2026-12-01T21:00:00Z").as_deref(), Some("2026-12-02T06:00:00Z"));
        // 02:30 comes twice on 25 October, and not at all on 29 March.
        assert_eq!(next("02:30", "2026-10-24T22:00:00Z").as_deref(), Some("2026-10-25T00:30:00Z"));
        assert_eq!(next("02:30", "2026-10-25T00:45:00Z").as_deref(), Some("2026-10-25T01:30:00Z"));
        assert_eq!(next("02:30", "2026-03-29T00:00:00Z").as_deref(), Some("2026-03-30T00:30:00Z"));
        assert_eq!(
            (next("7:00", "2026-12-01T21:00:00Z"), next("24:00", "2026-12-01T21:00:00Z")),
            (None, None)
        );
    }

    #[test]
    fn settings_are_checked_and_a_refused_one_changes_nothing() {
        let (mut settings, now) = (Settings::default(), at("2026-12-01T21:00:00Z"));
        let mut set = |setting, text: &str| settings.set(setting, text.as_bytes(), now, &zone());
        assert_eq!(set(Setting::ChargeKwh, "12.500"), Ok(()));
        assert_eq!(set(Setting::ChargeKw, "11.0"), Ok(()));
        assert_eq!(set(Setting::ChargeLimit, "28.755"), Ok(()));
        assert_eq!(set(Setting::Departure, "07:00"), Ok(()));
        assert_eq!(set(Setting::BatteryKw, "5"), Ok(()));
        assert_eq!(set(Setting::BatteryBuy, "9"), Ok(()));
        assert!(matches!(set(Setting::BatterySell, "9.0"), Err(SettingFault::Crossed(..))));
        assert!(matches!(set(Setting::ChargeKwh, "12.5001"), Err(SettingFault::Value(..))));
        assert!(matches!(set(Setting::Departure, "2026-12-01T20:00:00Z"), Err(SettingFault::Departure(_))));
        assert_eq!(set(Setting::ChargeKw, &"1".repeat(65)), Err(SettingFault::Text));
        let car = Wish::Departure {
            energy_wh: 12_500,
            power_w: 11_000,
            ready_unix_s: at("2026-12-02T06:00:00Z"),
            limit_mct_per_kwh: 28_755,
        };
        assert_eq!(settings.car(), Some(car));
        let battery = Wish::Standing { buys: true, power_w: 5_000, limit_mct_per_kwh: 9_000 };
        assert_eq!(settings.battery(), [Some(battery), None]);
        // There and back through a file, and away again.
        assert_eq!(Settings::from_named(&settings.named()), (settings.clone(), Vec::new()));
        assert_eq!(settings.set(Setting::ChargeKwh, b"", now, &zone()), Ok(()));
        assert_eq!(settings.car(), None);
    }
}
