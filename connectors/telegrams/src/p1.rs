//! DSMR P1 (Netbeheer Nederland, P1 Companion Standard 5.0.2), and its kin in Belgium, Luxembourg, Sweden, Austria.

use crate::Stands;
use std::collections::BTreeMap;
use veilgrid_readings::{
    Date, DecimalMark, Direction, Fault, Local, Register, Sink, Unit, is_meter_id, parse_signed_nano_wh,
    quoted,
};

/// The letter behind a time says the offset: S is summer time, UTC+2, W winter time, UTC+1, whatever the date.
const SUMMER_S: i32 = 7200;
const WINTER_S: i32 = 3600;

/// What one telegram says of active energy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telegram {
    /// The meter's number (0-0:96.1.1, or 0-0:96.1.0 in Sweden), if the telegram has one.
    pub meter: Option<String>,
    /// When, seconds since 1970-01-01T00:00:00Z.
    pub unix_s: i64,
    /// Stand of the sum of the tariffs out of the grid, 10^-9 Wh.
    pub consumption_nano_wh: Option<i128>,
    /// The same into the grid.
    pub generation_nano_wh: Option<i128>,
}

/// Reads a log of telegrams, one after another, and hands out the intervals of `seconds` of which begin and end were read. `meter` names a meter whose
/// telegrams do not.
///
/// # Errors
/// What is wrong, with the line; what `sink` refuses.
pub fn read(log: &[u8], meter: Option<&str>, seconds: u32, sink: &mut Sink<'_>) -> Result<u64, Fault> {
    let mut stands = Stands::default();
    let mut count = 0;
    for (line, bytes) in telegrams(log)? {
        let telegram = parse(bytes, line)?;
        let fault = |what: String| Fault::line(line, what);
        let named = meter.map(str::to_owned).or(telegram.meter);
        let named =
            named.ok_or_else(|| fault("does not say of which meter it is; say it with --meter".into()))?;
        let both = [
            (Direction::Consumption, telegram.consumption_nano_wh),
            (Direction::Generation, telegram.generation_nano_wh),
        ];
        for (direction, nano_wh) in
            both.into_iter().filter_map(|(direction, stand)| Some((direction, stand?)))
        {
            stands.add(&named, direction, Register { unix_s: telegram.unix_s, nano_wh }).map_err(fault)?;
        }
        count += 1;
    }
    stands.hand_out(seconds, sink)?;
    Ok(count)
}

/// The telegrams of a log, each from its `/` to its checksum, with the line at which it begins.
fn telegrams(log: &[u8]) -> Result<Vec<(u64, &[u8])>, Fault> {
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(rest) = log.get(at..).filter(|rest| !rest.is_empty()) {
        let is_blank = |byte: &u8| byte.is_ascii_whitespace();
        if let Some(blank) = rest.first().filter(|byte| is_blank(byte)) {
            line += u64::from(*blank == b'\n');
            at += 1;
            continue;
        }
        if rest.first() != Some(&b'/') {
            return Err(Fault::line(
                line,
                "is outside of a telegram; telegrams go from a line that begins with / to one that begins with !",
            ));
        }
        let end = rest.windows(2).position(|pair| pair == b"\n!").map(|end| end + 2);
        let end =
            end.ok_or_else(|| Fault::line(line, "begins a telegram without an end; was the log cut off?"))?;
        let after = rest.get(end..).unwrap_or_default();
        let checksum = after.iter().take_while(|byte| byte.is_ascii_hexdigit()).count().min(4);
        let bytes = rest.get(..end + checksum).unwrap_or_default();
        found.push((line, bytes));
        line += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        at += bytes.len();
    }
    Ok(found)
}

/// Reads one telegram and checks its checksum; `line` is where it begins, for messages.
///
/// # Errors
/// What is wrong, with the line.
pub fn parse(telegram: &[u8], line: u64) -> Result<Telegram, Fault> {
    check(telegram).map_err(|what| Fault::line(line, what))?;
    let text = std::str::from_utf8(telegram)
        .map_err(|_| Fault::line(line, "begins a telegram that is no ASCII text"))?;
    let mut time = None;
    let mut meter = None;
    // By code without medium and channel: 1.8.0, 1.8.1, and so on.
    let mut registers = BTreeMap::new();
    for (line, text) in (line..).zip(text.lines()) {
        let Some((code, rest)) = text.split_once('(') else { continue };
        let value = rest.split_once(')').map_or(rest, |(value, _)| value);
        match code {
            "0-0:1.0.0" => {
                time = Some(instant(value).ok_or_else(|| {
                    Fault::line(line, format!("{} is no time like 260621120000S", quoted(value)))
                })?)
            }
            "0-0:96.1.1" | "0-0:96.1.0" if !value.is_empty() && meter.is_none() => meter = Some(name(value)),
            _ => {
                let Some(register) = code
                    .strip_prefix("1-0:")
                    .filter(|code| code.starts_with("1.8.") || code.starts_with("2.8."))
                else {
                    continue;
                };
                let stand =
                    stand(value).map_err(|what| Fault::line(line, format!("{} {what}", quoted(value))))?;
                if registers.insert(register, stand).is_some() {
                    return Err(Fault::line(line, format!("has register {register} a second time")));
                }
            }
        }
    }
    let unix_s = time.ok_or_else(|| {
        Fault::line(line, "begins a telegram without a time (0-0:1.0.0), as before DSMR 4; it can't be used")
    })?;
    if let Some(meter) = meter.as_deref().filter(|meter| !is_meter_id(meter)) {
        return Err(Fault::line(
            line,
            format!("is of a meter with the id {}, which can't be one", quoted(meter)),
        ));
    }
    let sum = |direction| total(&registers, direction);
    Ok(Telegram { meter, unix_s, consumption_nano_wh: sum("1"), generation_nano_wh: sum("2") })
}

/// The total register, or the sum of all tariffs.
fn total(registers: &BTreeMap<&str, i128>, direction: &str) -> Option<i128> {
    if let Some(total) = registers.get(format!("{direction}.8.0").as_str()) {
        return Some(*total);
    }
    let tariffs: Vec<i128> =
        registers.iter().filter(|(code, _)| code.starts_with(direction)).map(|(_, stand)| *stand).collect();
    (!tariffs.is_empty()).then(|| tariffs.iter().sum())
}

fn stand(text: &str) -> Result<i128, String> {
    let (number, unit) = text.split_once('*').ok_or("has no unit")?;
    let unit = Unit::from_name(unit)
        .filter(|unit| matches!(unit, Unit::Wh | Unit::KWh))
        .ok_or("is in no unit of energy")?;
    // Leading zeros are of no account, and a stand is larger than what one interval may be: whole and rest are read apart.
    let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
    let rest = parse_signed_nano_wh(&format!("0.{rest}"), DecimalMark::Point, unit, 0)
        .map_err(|error| error.to_string())?;
    if whole.is_empty() || whole.len() > 12 || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("is no stand of a register".into());
    }
    let whole: i128 = whole.parse().map_err(|_| "is no stand of a register")?;
    let nano = if unit == Unit::KWh { 1_000_000_000_000 } else { 1_000_000_000 };
    Ok(whole * nano + rest)
}

/// `YYMMDDhhmmssX`.
fn instant(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let digits = text.get(..12).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let offset_s = match bytes.get(12..)? {
        b"S" => SUMMER_S,
        b"W" => WINTER_S,
        _ => return None,
    };
    let pair = |at: usize| digits.get(at..at + 2)?.parse::<i8>().ok();
    let date = Date::new(2000 + i16::from(pair(0)?), pair(2)?, pair(4)?).ok()?;
    Local::new(date, pair(6)?, pair(8)?, pair(10)?).ok()?.at_offset(offset_s).ok()
}

/// The meter's number is its characters' codes in hex; what is no such text stays as it is.
fn name(text: &str) -> String {
    let decoded = hex::decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic())).unwrap_or_else(|| text.to_owned())
}

/// CRC-16/ARC over everything up to the `!`. Logs lose the carriage returns that it covers; with them put back it has to fit.
fn check(telegram: &[u8]) -> Result<(), String> {
    let end = telegram.iter().rposition(|byte| *byte == b'!').ok_or("begins a telegram without an end")?;
    let (body, checksum) = telegram.split_at(end + 1);
    let checksum = std::str::from_utf8(checksum)
        .ok()
        .filter(|text| text.len() == 4)
        .and_then(|text| u16::from_str_radix(text, 16).ok());
    let checksum = checksum.ok_or("begins a telegram without a checksum of four hex digits behind its !")?;
    let with_returns = || {
        let mut bytes = Vec::with_capacity(body.len() + 64);
        for (at, byte) in body.iter().enumerate() {
            if *byte == b'\n' && at.checked_sub(1).and_then(|at| body.get(at)) != Some(&b'\r') {
                bytes.push(b'\r');
            }
            bytes.push(*byte);
        }
        bytes
    };
    if crc16(body) == checksum || crc16(&with_returns()) == checksum {
        return Ok(());
    }
    Err(format!(
        "begins a telegram whose checksum is {:04X} and says {checksum:04X}: a character of it is wrong",
        crc16(body)
    ))
}

fn crc16(bytes: &[u8]) -> u16 {
    let step = |value: u16, _| if value & 1 == 1 { (value >> 1) ^ 0xa001 } else { value >> 1 };
    bytes.iter().fold(0, |value, byte| (0..8).fold(value ^ u16::from(*byte), step))
}
