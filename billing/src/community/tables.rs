//! Accounts and meters, CSV with a header; columns in any order, none besides.

use super::{Settings, direction};
use crate::period::Date;
use serde::Deserialize;
use std::io::Read;
use thiserror::Error;
use veilgrid_market::sharing::Direction;

/// The longest id of an account and of a mandate.
const MAX_ID: usize = 64;

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: String,
    /// Its owner's name.
    pub name: String,
    /// Street with number.
    pub street: String,
    /// Postcode and town.
    pub town: String,
    /// Country, two letters.
    pub country: String,
    /// Zone of network fees.
    pub zone: u16,
    /// The key that signs its standing order.
    pub account_key: Option<[u8; 32]>,
    /// Its bank account.
    pub iban: Option<String>,
    /// Its bank.
    pub bic: Option<String>,
    /// Its mandate for direct debits.
    pub mandate: Option<Mandate>,
}

/// A mandate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mandate {
    /// Its reference.
    pub reference: String,
    /// When it was signed.
    pub signed: Date,
}

/// A meter, in one direction, and the account that it counts for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meter {
    /// Its id in the folder of readings.
    pub meter: String,
    /// The account.
    pub account: String,
    /// Which way.
    pub direction: Direction,
    /// The first day; all before if there is none.
    pub from: Option<Date>,
    /// The last day; all after if there is none.
    pub to: Option<Date>,
}

/// Why the tables are refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the fields are what the messages say")]
pub enum TablesError {
    /// Not a row of the form.
    #[error("line {line}: {what}")]
    Row { line: u64, what: String },
    /// No header, no UTF-8.
    #[error("{0}")]
    File(String),
    /// Two files that do not fit.
    #[error("{0}")]
    Together(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountRow {
    account: String,
    name: String,
    street: String,
    town: String,
    country: String,
    zone: u16,
    #[serde(default)]
    account_key: Option<String>,
    #[serde(default)]
    iban: Option<String>,
    #[serde(default)]
    bic: Option<String>,
    #[serde(default)]
    mandate: Option<String>,
    #[serde(default)]
    mandate_signed: Option<Date>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MeterRow {
    meter: String,
    account: String,
    direction: String,
    #[serde(default)]
    from: Option<Date>,
    #[serde(default)]
    to: Option<Date>,
}

fn rows<Row: for<'de> Deserialize<'de>, Made>(
    reader: impl Read,
    mut make: impl FnMut(Row) -> Result<Made, String>,
) -> Result<Vec<Made>, TablesError> {
    let mut table = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(reader);
    let header = table.headers().map_err(|error| TablesError::File(error.to_string()))?.clone();
    let mut made = Vec::new();
    for record in table.records() {
        let record = record.map_err(|error| TablesError::File(error.to_string()))?;
        let line = record.position().map_or(0, csv::Position::line);
        let row = record
            .deserialize::<Row>(Some(&header))
            .map_err(|error| TablesError::Row { line, what: reason(&error) })?;
        made.push(make(row).map_err(|what| TablesError::Row { line, what })?);
    }
    if made.is_empty() { Err(TablesError::File("has no rows".to_owned())) } else { Ok(made) }
}

/// What serde found, without the place that it says in other words.
fn reason(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => err.to_string(),
        _ => error.to_string(),
    }
}

fn id(what: &str, text: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > MAX_ID || text.chars().any(char::is_control) {
        return Err(format!("{what} {text:?} has to have 1 to {MAX_ID} bytes and no control characters"));
    }
    Ok(())
}

/// Reads accounts: `account,name,street,town,country,zone`, and where they are known
/// `account_key,iban,bic,mandate,mandate_signed`.
///
/// # Errors
/// [`TablesError`] with the line.
pub fn parse_accounts(reader: impl Read) -> Result<Vec<Account>, TablesError> {
    rows(reader, |row: AccountRow| {
        id("account", &row.account)?;
        if row.name.is_empty() {
            return Err(format!("account {:?} has no name", row.account));
        }
        let account_key = row.account_key.map(|text| {
            let bytes = hex::decode(&text).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            bytes.ok_or_else(|| format!("account_key {text:?} is no key of 64 hex digits"))
        });
        let mandate = match (row.mandate, row.mandate_signed) {
            (Some(reference), Some(signed)) => Some(Mandate { reference, signed }),
            (None, None) => None,
            _ => return Err("mandate and mandate_signed stand together, or neither does".to_owned()),
        };
        if mandate.is_some() && row.iban.is_none() {
            return Err("a mandate needs the iban that is debited".to_owned());
        }
        Ok(Account {
            id: row.account,
            name: row.name,
            street: row.street,
            town: row.town,
            country: row.country,
            zone: row.zone,
            account_key: account_key.transpose()?,
            iban: row.iban,
            bic: row.bic,
            mandate,
        })
    })
}

/// Reads meters: `meter,account,direction`, and `from,to` for the first and last day that they count for the account.
///
/// # Errors
/// [`TablesError`] with the line.
pub fn parse_meters(reader: impl Read) -> Result<Vec<Meter>, TablesError> {
    rows(reader, |row: MeterRow| {
        id("meter", &row.meter)?;
        let direction = direction(&row.direction).ok_or_else(|| {
            format!("direction {:?} is unknown; write consumption or generation", row.direction)
        })?;
        if row.from.zip(row.to).is_some_and(|(from, to)| to < from) {
            return Err("`to` is before `from`".to_owned());
        }
        Ok(Meter { meter: row.meter, account: row.account, direction, from: row.from, to: row.to })
    })
}

/// Checks what the tables say of one another.
pub(super) fn check(settings: &Settings, accounts: &[Account], meters: &[Meter]) -> Result<(), TablesError> {
    let wrong = |text: String| Err(TablesError::Together(text));
    let mut ids = std::collections::BTreeSet::new();
    for account in accounts {
        if !ids.insert(account.id.as_str()) {
            return wrong(format!("account {:?} is there twice", account.id));
        }
        for fees in &settings.fees {
            if fees.by_zone.of(account.zone, 0, 0).is_err() {
                return wrong(format!(
                    "account {:?} is in zone {}, for which the fees from {} have no entry",
                    account.id, account.zone, fees.from
                ));
            }
        }
    }
    for (at, meter) in meters.iter().enumerate() {
        if !ids.contains(meter.account.as_str()) {
            return wrong(format!(
                "meter {:?} counts for account {:?}, which is not among the accounts",
                meter.meter, meter.account
            ));
        }
        for other in
            meters.iter().take(at).filter(|other| other.direction == meter.direction && other.overlaps(meter))
        {
            let direction = meter.direction.name();
            if other.meter == meter.meter {
                return wrong(format!(
                    "{direction} of meter {:?} counts twice on some day; it would be billed twice",
                    meter.meter
                ));
            }
            if other.account == meter.account {
                return wrong(format!(
                    "account {:?} has two meters of {direction} on some day, {:?} and {:?}; one connection point has one: end \
                     the first with `to`, or make two accounts",
                    meter.account, other.meter, meter.meter
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Community;
    use super::*;
    use veilgrid_market::sharing::SharingKey;

    const ACCOUNTS: &str = "account,name,street,town,country,zone,account_key,iban,bic,mandate,mandate_signed\n\
                            flat,Ana,Weg 1,1010 Wien,AT,7,,AT611904300234573201,,M-1,2026-01-05\n\
                            roof,Bert,Weg 2,1010 Wien,AT,6,,,,,\n";
    const METERS: &str = "meter,account,direction,from,to\nAT1,flat,consumption,,2026-03-15\nAT3,flat,consumption,2026-03-16,\n\
                          AT2,roof,generation,,\n";

    fn community(accounts: &str, meters: &str) -> Result<Community, TablesError> {
        let settings =
            Settings::parse(include_str!("../../../data/billing/community.toml")).expect("settings");
        let (accounts, meters) = (parse_accounts(accounts.as_bytes())?, parse_meters(meters.as_bytes())?);
        Community::new(settings, accounts, meters, SharingKey::ProRata)
    }

    #[test]
    fn a_meter_that_was_replaced_counts_until_its_last_day() {
        let community = community(ACCOUNTS, METERS).expect("a community");
        let meters = |period: &str| -> Vec<String> {
            community
                .meters_of(period.parse().expect("a month"))
                .iter()
                .map(|meter| meter.meter.clone())
                .collect()
        };
        assert_eq!(meters("2026-02"), ["AT1", "AT2"]);
        assert_eq!(meters("2026-03"), ["AT1", "AT3", "AT2"]);
        assert_eq!(meters("2026-04"), ["AT3", "AT2"]);
    }

    #[test]
    fn every_rule_of_the_tables_refuses() {
        let accounts = |from: &str, to: &str| community(&ACCOUNTS.replacen(from, to, 1), METERS);
        let meters = |from: &str, to: &str| community(ACCOUNTS, &METERS.replacen(from, to, 1));
        for (refused, word) in [
            (accounts("town,", "city,"), "city"),
            (accounts("Weg 1,1010 Wien,AT,7", "Weg 1,1010 Wien,AT,x"), "line 2"),
            (accounts("AT611904300234573201", ""), "line 2: a mandate needs the iban"),
            (accounts("2026-01-05", ""), "stand together"),
            (accounts("2026-01-05", "5.1.2026"), "line 2"),
            (accounts("roof,Bert", "flat,Bert"), "there twice"),
            (accounts("AT,6", "AT,5"), "zone 5"),
            (accounts("AT,6,,", "AT,6,0102,"), "64 hex digits"),
            (accounts("roof,Bert", "roof,"), "no name"),
            (meters("AT2,roof", "AT2,barn"), "\"barn\", which is not"),
            (meters("generation", "export"), "export"),
            (meters("2026-03-16", "2026-03-15"), "two meters of consumption"),
            (meters("AT3,flat,consumption,2026-03-16,", "AT1,roof,consumption,,"), "billed twice"),
            (meters(",,2026-03-15", ",2026-03-16,2026-03-15"), "before"),
        ] {
            let error = refused.expect_err(word).to_string();
            assert!(error.contains(word), "{word}: {error}");
        }
    }
}
