//! `community.toml`.

use crate::period::Date;
use crate::readings::Grade;
use serde::Deserialize;
use std::collections::BTreeMap;
use thiserror::Error;
use veilgrid_market::parse_decimal_scaled;
use veilgrid_market::tariffs::{DAY_MINUTES, Fee, ZoneFees};

use crate::tariffs::Tariff;

const FORMAT: u32 = 1;
/// mct have three decimals of a ct.
const MCT_DECIMALS: u32 = 3;

/// Why the file is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SettingsError(String);

fn wrong(text: impl std::fmt::Display) -> SettingsError {
    SettingsError(text.to_string())
}

/// How energy is shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyKind {
    /// In proportion to consumption.
    ProRata,
    /// By fixed shares.
    Static,
    /// By shares for each slot.
    Slots,
}

/// Whose bills these are, and where money goes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Creditor {
    /// Name.
    pub name: String,
    /// Street with number.
    pub street: String,
    /// Postcode and town.
    pub town: String,
    /// Country, two letters.
    pub country: String,
    /// Its account.
    pub iban: String,
    /// Its bank, where that is asked for.
    pub bic: Option<String>,
    /// Its creditor identifier, for direct debits.
    pub creditor_id: Option<String>,
    /// Whom to ask: a mail address or telephone number.
    pub contact: Option<String>,
    /// What else a bill has to say, such as why it has no tax.
    pub note: Option<String>,
}

/// Minutes of the community's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hours {
    /// First minute of the day.
    pub from_minute: u32,
    /// The minute after the last; 1440 is the day's end.
    pub to_minute: u32,
}

/// A tariff with its hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PricedHours {
    /// The hours, by the community's clock.
    pub hours: Hours,
    /// Its place in the list's tariffs.
    pub tariff: usize,
}

/// Prices from a day on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceList {
    /// The first day.
    pub from: Date,
    /// The tariffs.
    pub tariffs: Vec<Tariff>,
    /// The whole day, in order.
    pub day: Vec<PricedHours>,
}

/// Network fees from a day on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeeList {
    /// The first day.
    pub from: Date,
    /// By zone.
    pub by_zone: ZoneFees,
    /// The zones' names.
    pub names: BTreeMap<u16, String>,
}

/// What the file says.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The community's name.
    pub name: String,
    /// The zone of its calendar.
    pub zone: String,
    /// The grades that it lets be billed.
    pub billed_grades: Vec<Grade>,
    /// Sums over fewer accounts are told to nobody.
    pub min_accounts: u64,
    /// Days from a bill's date to its payment.
    pub payment_days: u16,
    /// Who reads the meters and runs this.
    pub authority: String,
    /// The key epoch of account keys.
    pub key_epoch: u64,
    /// Whose bills these are.
    pub creditor: Creditor,
    /// How energy is shared out.
    pub key: KeyKind,
    /// File of the accounts, from the file's folder.
    pub accounts_file: String,
    /// File of the meters.
    pub meters_file: String,
    /// File of the shares, unless the key is pro rata.
    pub keys_file: Option<String>,
    /// Folder of standing orders.
    pub orders_folder: Option<String>,
    /// Prices, in the order of time.
    pub prices: Vec<PriceList>,
    /// Fees, in the order of time.
    pub fees: Vec<FeeList>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    name: String,
    zone: String,
    billed_grades: Vec<Grade>,
    min_accounts: u64,
    payment_days: u16,
    #[serde(default = "first_epoch")]
    key_epoch: u64,
    accounts: String,
    meters: String,
    orders: Option<String>,
    authority: AuthorityTable,
    creditor: Creditor,
    sharing: SharingTable,
    prices: Vec<PricesTable>,
    #[serde(default)]
    fees: Vec<FeesTable>,
}

fn first_epoch() -> u64 {
    1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthorityTable {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SharingTable {
    key: KeyKind,
    keys: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PricesTable {
    from: Date,
    tariffs: Vec<TariffTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TariffTable {
    name: String,
    #[serde(default)]
    hours: Vec<String>,
    buy_ct_per_kwh: String,
    sell_ct_per_kwh: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FeesTable {
    from: Date,
    zones: Vec<FeeTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FeeTable {
    zone: u16,
    name: String,
    in_ct_per_kwh: String,
    out_ct_per_kwh: String,
}

impl Settings {
    /// Reads the file's text.
    ///
    /// # Errors
    /// [`SettingsError`] with what is wrong and where.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let file: File = toml::from_str(text).map_err(|error| wrong(error.to_string().trim_end()))?;
        if file.format != FORMAT {
            return Err(wrong(format!("format is {}, and this version reads format {FORMAT}", file.format)));
        }
        if file.billed_grades.is_empty() {
            return Err(wrong(
                "billed_grades is empty: nothing could be billed; the usual ones are measured and substituted",
            ));
        }
        let (authority, creditor) = (file.authority.name.trim(), file.creditor.name.trim());
        if authority.is_empty() || authority.to_lowercase() == creditor.to_lowercase() {
            return Err(wrong(
                "authority.name has to name who reads the meters and makes the bills, and that must not be the creditor: what the \
                 operator does not get to know, it must not be given as authority",
            ));
        }
        let needs_keys = file.sharing.key != KeyKind::ProRata;
        if needs_keys != file.sharing.keys.is_some() {
            return Err(wrong(
                "sharing.keys names the file of shares for the keys static and slots, and for those alone",
            ));
        }
        let prices = file.prices.into_iter().map(price_list).collect::<Result<Vec<_>, _>>()?;
        let fees = file.fees.into_iter().map(fee_list).collect::<Result<Vec<_>, _>>()?;
        if prices.is_empty() {
            return Err(wrong("there is no [[prices]]"));
        }
        if !prices.is_sorted_by(|a, b| a.from < b.from) || !fees.is_sorted_by(|a, b| a.from < b.from) {
            return Err(wrong("[[prices]] and [[fees]] have to be in the order of `from`, each day once"));
        }
        Ok(Self {
            name: file.name,
            zone: file.zone,
            billed_grades: file.billed_grades,
            min_accounts: file.min_accounts,
            payment_days: file.payment_days,
            authority: authority.to_owned(),
            key_epoch: file.key_epoch,
            creditor: file.creditor,
            key: file.sharing.key,
            accounts_file: file.accounts,
            meters_file: file.meters,
            keys_file: file.sharing.keys,
            orders_folder: file.orders,
            prices,
            fees,
        })
    }
}

fn price_list(table: PricesTable) -> Result<PriceList, SettingsError> {
    let mut tariffs = Vec::with_capacity(table.tariffs.len());
    let mut day = Vec::new();
    for (at, one) in table.tariffs.into_iter().enumerate() {
        let place = |what: &str| format!("prices from {}, tariff {:?}: {what}", table.from, one.name);
        let buy_mct_per_kwh =
            price(&one.buy_ct_per_kwh).map_err(|why| wrong(place(&format!("buy_ct_per_kwh {why}"))))?;
        let sell_mct_per_kwh =
            price(&one.sell_ct_per_kwh).map_err(|why| wrong(place(&format!("sell_ct_per_kwh {why}"))))?;
        if sell_mct_per_kwh > buy_mct_per_kwh {
            return Err(wrong(place(
                "members get more than members pay; let sell_ct_per_kwh be at most buy_ct_per_kwh",
            )));
        }
        if one.hours.is_empty() {
            day.push(PricedHours { hours: Hours { from_minute: 0, to_minute: DAY_MINUTES }, tariff: at });
        }
        for text in &one.hours {
            let hours = hours(text).ok_or_else(|| {
                wrong(place(&format!("hours {text:?} are none; write them like \"06:00-22:00\"")))
            })?;
            day.push(PricedHours { hours, tariff: at });
        }
        tariffs.push(Tariff { name: one.name, buy_mct_per_kwh, sell_mct_per_kwh });
    }
    day.sort_by_key(|one| one.hours);
    let ends = day.iter().map(|one| one.hours.to_minute);
    let begins = day.iter().map(|one| one.hours.from_minute).chain([DAY_MINUTES]);
    if std::iter::once(0).chain(ends).ne(begins) {
        return Err(wrong(format!(
            "prices from {}: the hours of all tariffs together have to be the whole day, 00:00-24:00, each minute once",
            table.from
        )));
    }
    Ok(PriceList { from: table.from, tariffs, day })
}

fn fee_list(table: FeesTable) -> Result<FeeList, SettingsError> {
    let (mut fees, mut names) = (BTreeMap::new(), BTreeMap::new());
    for one in table.zones {
        let place = |why: String| wrong(format!("fees from {}, zone {}: {why}", table.from, one.zone));
        let fee = |text: &str| {
            let fee = price(text)?;
            u64::try_from(fee).map_err(|_| format!("{text:?} is below zero; a fee is not"))
        };
        let in_mct_per_kwh = fee(&one.in_ct_per_kwh).map_err(place)?;
        let out_mct_per_kwh = fee(&one.out_ct_per_kwh).map_err(place)?;
        let twice = fees.insert(one.zone, Fee { in_mct_per_kwh, out_mct_per_kwh }).is_some();
        if twice || names.values().any(|name| *name == one.name) {
            return Err(place("the zone, or its name, is there twice".to_owned()));
        }
        names.insert(one.zone, one.name);
    }
    let by_zone = ZoneFees::new(fees).map_err(|why| wrong(format!("fees from {}: {why}", table.from)))?;
    Ok(FeeList { from: table.from, by_zone, names })
}

/// A price in ct/kWh with at most three decimals, as mct/kWh.
fn price(text: &str) -> Result<i64, String> {
    let number = parse_decimal_scaled(text, MCT_DECIMALS).map_err(|why| format!("{text:?}: {why}"))?;
    let mct = i64::try_from(number.floor).ok().filter(|_| number.exact);
    mct.ok_or_else(|| format!("{text:?} has more than three decimals, or is too large"))
}

/// `06:00-22:00`; the end may be 24:00.
fn hours(text: &str) -> Option<Hours> {
    let (from, to) = text.split_once('-')?;
    let minute = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let is_form = hour.len() == 2
            && minute.len() == 2
            && text.bytes().all(|byte| byte.is_ascii_digit() || b": ".contains(&byte));
        let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
        (is_form && minute < 60 && hour * 60 + minute <= DAY_MINUTES).then_some(hour * 60 + minute)
    };
    let hours = Hours { from_minute: minute(from)?, to_minute: minute(to)? };
    (hours.from_minute < hours.to_minute).then_some(hours)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = include_str!("../../../data/billing/community.toml");

    #[test]
    fn the_example_is_read() {
        let settings = Settings::parse(FILE).expect("the example");
        assert_eq!(settings.zone, "Europe/Vienna");
        assert_eq!(settings.prices.iter().map(|list| list.day.len()).collect::<Vec<_>>(), [3, 3]);
        assert_eq!(settings.fees[0].by_zone.of(7, 1 << 16, 0), Ok(2_130 << 16));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_place() {
        let refused = |from: &str, to: &str| {
            assert!(FILE.contains(from), "{from}");
            Settings::parse(&FILE.replacen(from, to, 1)).expect_err(from).to_string()
        };
        for (from, to, word) in [
            ("format = 1", "format = 2", "reads format 1"),
            ("min_accounts", "minimum_accounts", "minimum_accounts"),
            ("[\"measured\", \"substituted\"]", "[]", "billed_grades is empty"),
            ("\"substituted\"]", "\"guessed\"]", "guessed"),
            ("key = \"pro-rata\"", "key = \"static\"", "sharing.keys"),
            ("\"14.50\"", "14.50", "buy_ct_per_kwh"),
            ("\"14.50\"", "\"14.5005\"", "more than three decimals"),
            ("\"14.50\"", "\"14,50\"", "decimal point"),
            ("\"14.50\"", "\"1.50\"", "members get more"),
            ("06:00-22:00", "06:00-21:00", "whole day"),
            ("06:00-22:00", "05:00-22:00", "whole day"),
            ("06:00-22:00", "6-22", "hours \"6-22\""),
            ("from = \"2026-01-01\"", "from = \"2026-01-32\"", "2026-01-32"),
            ("from = \"2026-01-01\"", "from = \"2027-01-01\"", "order of `from`"),
            ("in_ct_per_kwh = \"2.13\"", "in_ct_per_kwh = \"-2.13\"", "below zero"),
            ("zone = 6", "zone = 7", "there twice"),
        ] {
            let error = refused(from, to);
            assert!(error.contains(word), "{from} -> {to}: {error}");
        }
        let settings = Settings::parse(FILE).expect("the example");
        let same = refused(&settings.authority, &settings.creditor.name);
        assert!(same.contains("must not be the creditor"), "{same}");
    }
}
