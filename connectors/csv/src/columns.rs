//! Which column is what, by the names in the header and never by its place.

use crate::options::{Options, Role};
use std::collections::BTreeMap;
use veilgrid_readings::{Fault, Unit, quoted};

/// Names that say what a column is, in several languages; a unit in the header and everything but letters and digits is dropped first.
const NAMES: [(Role, &[&str]); 11] = [
    (
        Role::Begin,
        &[
            "begin",
            "start",
            "from",
            "von",
            "beginn",
            "start time",
            "slot start",
            "interval start",
            "period start",
            "start datetime",
            "debut",
            "inicio",
        ],
    ),
    (
        Role::End,
        &[
            "end",
            "to",
            "until",
            "bis",
            "ende",
            "end time",
            "slot end",
            "interval end",
            "period end",
            "end datetime",
            "fin",
        ],
    ),
    (
        Role::Time,
        &[
            "timestamp",
            "time stamp",
            "datetime",
            "date time",
            "zeitstempel",
            "zeitpunkt",
            "datum zeit",
            "datum uhrzeit",
            "ts",
            "horodate",
        ],
    ),
    (Role::Date, &["date", "datum", "fecha", "tag", "day"]),
    (Role::Clock, &["time", "clock", "uhrzeit", "zeit", "hora", "heure", "time of day"]),
    (
        Role::Meter,
        &[
            "meter",
            "meter id",
            "account",
            "account id",
            "participant id",
            "member",
            "metering point",
            "meteringpoint",
            "zaehlpunkt",
            "zählpunkt",
            "zaehlpunktnummer",
            "zählpunktnummer",
            "zählpunktbezeichnung",
            "zaehler",
            "zähler",
            "zählernummer",
            "malo",
            "melo",
            "nmi",
            "mpan",
            "pod",
            "ean",
            "cups",
            "prm",
            "serial",
        ],
    ),
    (
        Role::Consumption,
        &[
            "consumption",
            "import",
            "load",
            "demand",
            "usage",
            "grid import",
            "bezug",
            "netzbezug",
            "verbrauch",
            "entnahme",
            "consumo",
            "consommation",
            "soutirage",
            "wirkarbeit bezug",
        ],
    ),
    (
        Role::Generation,
        &[
            "generation",
            "export",
            "production",
            "feed in",
            "feedin",
            "grid export",
            "einspeisung",
            "netzeinspeisung",
            "erzeugung",
            "injection",
            "generacion",
            "wirkarbeit einspeisung",
        ],
    ),
    (
        Role::Value,
        &[
            "value", "energy", "wert", "messwert", "menge", "energie", "net", "saldo", "power", "leistung",
            "quantity", "valeur", "valor", "",
        ],
    ),
    (
        Role::Direction,
        &["direction", "richtung", "register", "obis", "obis code", "obis kennzahl", "energy direction"],
    ),
    (Role::Grade, &["grade", "status", "quality", "qualität", "qualitaet", "quality flag", "ersatzwert"]),
];

/// A header of a file: its columns by what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns {
    places: BTreeMap<Role, usize>,
    /// The header's text of each column.
    titles: Vec<String>,
}

impl Columns {
    /// Finds the columns; those that nothing is known of are left alone.
    pub fn find(header: &csv::StringRecord, options: &Options) -> Result<Self, Fault> {
        let titles: Vec<String> =
            header.iter().map(|title| title.trim().trim_start_matches('\u{feff}').to_owned()).collect();
        let mut places = BTreeMap::new();
        for (role, title) in &options.columns {
            let mut found =
                titles.iter().enumerate().filter(|(_, one)| *one == title).map(|(place, _)| place);
            match (found.next(), found.next()) {
                (Some(place), None) => places.insert(*role, place),
                (None, _) => {
                    return Err(header_fault(format!(
                        "has no column {}; it has {}",
                        quoted(title),
                        listed(&titles)
                    )));
                }
                (Some(_), Some(_)) => {
                    return Err(header_fault(format!(
                        "has column {} twice; give them different names",
                        quoted(title)
                    )));
                }
            };
        }
        let told: Vec<usize> = places.values().copied().collect();
        for (place, title) in titles.iter().enumerate().filter(|(place, _)| !told.contains(place)) {
            let Some(role) = role_of(title) else { continue };
            if options.columns.contains_key(&role) {
                continue;
            }
            if let Some(first) = places.insert(role, place) {
                let first = titles.get(first).map(String::as_str).unwrap_or_default();
                return Err(header_fault(format!(
                    "has two columns that may be the {}: {} and {}; say which with --column {}=NAME",
                    role.name(),
                    quoted(first),
                    quoted(title),
                    role.name()
                )));
            }
        }
        let mut columns = Self { places, titles };
        columns.settle_times()?;
        Ok(columns)
    }

    /// `time` beside no `date` is date and time in one, and so is a `date` without a `time`.
    fn settle_times(&mut self) -> Result<(), Fault> {
        let has = |columns: &Self, role| columns.places.contains_key(&role);
        let whole = has(self, Role::Time) || has(self, Role::Begin) || has(self, Role::End);
        if !whole && has(self, Role::Clock) != has(self, Role::Date) {
            let place = self.places.remove(&Role::Clock).or_else(|| self.places.remove(&Role::Date));
            place.and_then(|place| self.places.insert(Role::Time, place));
        }
        if !whole && !has(self, Role::Time) && !has(self, Role::Date) {
            return Err(header_fault(format!(
                "has no column for the time; say which with --column begin=NAME, end=NAME or time=NAME; it has {}. If the header comes later in the file, say --skip-lines",
                listed(&self.titles)
            )));
        }
        Ok(())
    }

    /// The place of a column.
    pub fn place(&self, role: Role) -> Option<usize> {
        self.places.get(&role).copied()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.titles.len()
    }

    /// The header's text of a column.
    pub fn title(&self, role: Role) -> &str {
        self.place(role).and_then(|place| self.titles.get(place)).map(String::as_str).unwrap_or_default()
    }

    /// The unit in the header of a column.
    pub fn unit(&self, role: Role) -> Option<Unit> {
        words(self.title(role)).find_map(Unit::from_name)
    }

    /// What was found, for the importer's report.
    pub fn described(&self) -> Vec<(Role, String)> {
        self.places.keys().map(|role| (*role, self.title(*role).to_owned())).collect()
    }
}

/// A fault of the header.
pub(crate) fn header_fault(what: String) -> Fault {
    Fault::at("header", what)
}

fn listed(titles: &[String]) -> String {
    let shown: Vec<String> = titles.iter().take(12).map(|title| quoted(title)).collect();
    let more = if titles.len() > shown.len() { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

fn words(title: &str) -> impl Iterator<Item = &str> {
    title.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

fn role_of(title: &str) -> Option<Role> {
    let mut has_unit = false;
    let kept: Vec<String> = words(title)
        .filter(|word| {
            let unit = Unit::from_name(word).is_some() || matches!(*word, "mwh" | "w");
            has_unit |= unit;
            !unit
        })
        .map(str::to_lowercase)
        .collect();
    let name = kept.join(" ");
    // `kWh` alone is a value; an empty title is nothing.
    if name.is_empty() && !has_unit {
        return None;
    }
    NAMES.iter().find(|(_, names)| names.contains(&name.as_str())).map(|(role, _)| *role)
}
