//! One session, of a record with begin and end, or of two records.

use ocmf::payload::{MeterState, Payload, Reading, TransactionMarker, Unit};
use ocmf::{PublicKey, Record, Register, TimeStatus};
use std::collections::BTreeMap;
use veilgrid_readings::{DecimalMark, Direction, Fault, parse_signed_nano_wh, quoted};

/// More digits of a stand than any meter has, before and behind the point.
const MOST_DIGITS: usize = 12;

/// The certified key of a charger's meter.
#[derive(Debug, Clone)]
pub struct Key(String);

impl Key {
    /// From a SubjectPublicKeyInfo in hex or base64, as on the charger's label.
    ///
    /// # Errors
    /// What is no public key of a curve that is known (secp256r1, secp384r1, secp256k1).
    pub fn from_text(text: &str) -> Result<Self, Fault> {
        let text = text.trim();
        // The curve has to stand in the key itself: a bare point would take the record's word for it.
        PublicKey::from_text(text, None).map_err(|error| {
            Fault::at("public key", format!("{error}; give a SubjectPublicKeyInfo in hex or base64"))
        })?;
        Ok(Self(text.to_owned()))
    }
}

/// A session whose signatures hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The meter's or, in records without it, the signing component's number.
    pub meter: String,
    /// Into the vehicle is consumption.
    pub direction: Direction,
    /// When it began, 10^-3 s since 1970-01-01T00:00:00Z.
    pub begin_unix_ms: i64,
    /// When it ended.
    pub end_unix_ms: i64,
    /// Stand of the register at the begin, 10^-9 Wh.
    pub begin_nano_wh: i128,
    /// The same at the end; the difference is what was charged.
    pub end_nano_wh: i128,
    /// The register's OBIS code.
    pub register: String,
    /// The counter of the records, such as `T12345`, so that none is counted twice; empty where a record has none.
    pub pagination: Vec<String>,
    /// SHA-256 of the signed bytes of each record.
    pub digests: Vec<[u8; 32]>,
}

impl Session {
    /// What was charged, 10^-9 Wh.
    pub fn energy_nano_wh(&self) -> i128 {
        self.end_nano_wh - self.begin_nano_wh
    }
}

/// One end of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stand {
    unix_ms: i64,
    nano_wh: i128,
    direction: Direction,
}

type Stands = BTreeMap<String, Stand>;

/// Verifies one record with begin and end, or two of one session in their order, and returns the session.
///
/// # Errors
/// What does not hold, with the record.
pub fn session(records: &[&str], key: &Key) -> Result<Session, Fault> {
    if !(1..=2).contains(&records.len()) {
        return Err(Fault::at(
            "the session",
            "has one record with begin and end, or two: one of its begin, one of its end",
        ));
    }
    let (mut begins, mut ends) = (Stands::new(), Stands::new());
    let (mut meters, mut pagination, mut digests) = (Vec::new(), Vec::new(), Vec::new());
    for (place, text) in (1..).zip(records) {
        let fault = |what: String| Fault::at(format!("record {place}"), what);
        // A line's end is no part of a record.
        let record = Record::parse(text.trim_end_matches(['\r', '\n']))
            .map_err(|error| fault(format!("is no OCMF record: {error}")))?;
        let verified = ocmf::verify_key_text(&record, &key.0)
            .map_err(|error| fault(format!("its signature does not hold: {error}")))?;
        let payload = verified.payload();
        digests.push(verified.payload_digest());
        pagination.extend(payload.pagination().map(|counter| counter.to_string()));
        let meter = payload.meter_serial().or(payload.gateway_serial()).filter(|number| !number.is_empty());
        meters.push(
            meter
                .ok_or_else(|| fault("names neither its meter (MS) nor its signing component (GS)".into()))?
                .to_owned(),
        );
        ends_of(payload, &mut begins, &mut ends).map_err(fault)?;
    }
    if let [first, second] = meters.as_slice()
        && first != second
    {
        return Err(Fault::at(
            "the session",
            format!("has records of two meters: {} and {}", quoted(first), quoted(second)),
        ));
    }
    if let [first, second] = digests.as_slice()
        && first == second
    {
        return Err(Fault::at("the session", "has the same record twice"));
    }
    let (register, begin, end) = one_register(begins, ends)?;
    let session = Session {
        meter: meters.swap_remove(0),
        direction: begin.direction,
        begin_unix_ms: begin.unix_ms,
        end_unix_ms: end.unix_ms,
        begin_nano_wh: begin.nano_wh,
        end_nano_wh: end.nano_wh,
        register,
        pagination,
        digests,
    };
    if session.end_unix_ms < session.begin_unix_ms {
        return Err(Fault::at("the session", "ends before it begins"));
    }
    if session.energy_nano_wh() < 0 {
        return Err(Fault::at("the session", "has a stand at its end below that of its begin"));
    }
    Ok(session)
}

/// The stands at the begin and the end, by register.
fn ends_of(payload: &Payload<'_>, begins: &mut Stands, ends: &mut Stands) -> Result<(), String> {
    for (place, reading) in (1..).zip(payload.readings()) {
        let stands = match reading.transaction() {
            Some(marker) if marker.is_begin() => &mut *begins,
            Some(marker) if marker.is_end() => &mut *ends,
            Some(TransactionMarker::Exception) => {
                return Err(format!(
                    "reading {place} says that time or energy can't be used from there on (X)"
                ));
            }
            _ => continue,
        };
        let Some((register, stand)) = stand(reading).map_err(|what| format!("reading {place} {what}"))?
        else {
            continue;
        };
        if stands.insert(register.clone(), stand).is_some() {
            return Err(format!("reading {place} is a second begin or end of register {register}"));
        }
    }
    Ok(())
}

/// The stand of a reading of energy; `None` of anything else.
fn stand(reading: &Reading<'_>) -> Result<Option<(String, Stand)>, String> {
    let is_kwh = match reading.unit() {
        Some(Unit::KWh) => true,
        Some(Unit::Wh) => false,
        _ => return Ok(None),
    };
    let Some(obis) = reading.obis() else { return Err("does not say of which register it is (RI)".into()) };
    let direction = match obis.register() {
        Register::ActiveEnergyImport
        | Register::TotalImportMains
        | Register::TotalImportDevice
        | Register::TransactionImportMains
        | Register::TransactionImportDevice => Direction::Consumption,
        Register::ActiveEnergyExport
        | Register::TotalExportMains
        | Register::TotalExportDevice
        | Register::TransactionExportMains
        | Register::TransactionExportDevice => Direction::Generation,
        _ => return Ok(None),
    };
    if !reading.state().is_some_and(MeterState::is_ok) {
        return Err("is of a meter that was not in order (ST is not G)".into());
    }
    if reading.error_flags().any() {
        return Err("has an error flag (EF)".into());
    }
    let time = reading.time().ok_or("has no time (TM)")?;
    if time.status != Some(TimeStatus::Synchronized) {
        return Err("is by a clock that was not synchronised (TM without S)".into());
    }
    let value = reading.value().ok_or("has no value that is a decimal number (RV)")?;
    let nano_wh = stand_nano_wh(value.as_str().trim(), is_kwh).ok_or_else(|| {
        format!("has {} as its value, which is no stand of a register", quoted(value.as_str()))
    })?;
    Ok(Some((obis.canonical(), Stand { unix_ms: time.unix_millis(), nano_wh, direction })))
}

/// A stand is larger than what one interval may be: whole and rest are read apart.
fn stand_nano_wh(text: &str, is_kwh: bool) -> Option<i128> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |text: &str| {
        !text.is_empty() && text.len() <= MOST_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !is_digits(whole) || !is_digits(rest) {
        return None;
    }
    let unit = if is_kwh { veilgrid_readings::Unit::KWh } else { veilgrid_readings::Unit::Wh };
    let rest = parse_signed_nano_wh(&format!("0.{rest}"), DecimalMark::Point, unit, 0).ok()?;
    let nano = if is_kwh { 1_000_000_000_000 } else { 1_000_000_000 };
    Some(whole.parse::<i128>().ok()? * nano + rest)
}

/// The register that was read at begin and end.
fn one_register(begins: Stands, mut ends: Stands) -> Result<(String, Stand, Stand), Fault> {
    let both = begins.into_iter().filter_map(|(register, begin)| {
        let end = ends.remove(&register)?;
        Some((register, begin, end))
    });
    let mut both: Vec<_> = both.collect();
    match both.len() {
        1 => both.pop().ok_or_else(|| Fault::at("the session", "has no register")),
        0 => Err(Fault::at(
            "the session",
            "has no register of energy that was read at its begin and at its end",
        )),
        count => {
            let names: Vec<&str> = both.iter().map(|(register, ..)| register.as_str()).collect();
            Err(Fault::at(
                "the session",
                format!(
                    "has {count} registers of energy ({}), and a bill needs to know which is billed",
                    names.join(", ")
                ),
            ))
        }
    }
}
