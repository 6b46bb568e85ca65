//! SML (BSI TR-03109-1, appendix; Smart Message Language 1.04): telegrams in a log of lines, each with the time at which the telegram came and its bytes in
//! hex:
//!
//! ```text
//! 2026-06-21T10:15:00Z 1b1b1b1b01010101760512…1a00f00d
//! ```

use crate::Stands;
use sml_rs::parser::common::{ListEntry, Value};
use sml_rs::parser::complete::{GetListResponse, MessageBody, parse};
use veilgrid_readings::{Date, Direction, Fault, Local, Register, Sink, is_meter_id, quoted};

/// 1-0:1.8.0*255 and 1-0:2.8.0*255, the stands over all tariffs.
const CONSUMPTION: [u8; 6] = [1, 0, 1, 8, 0, 255];
const GENERATION: [u8; 6] = [1, 0, 2, 8, 0, 255];
/// DLMS unit 30: Wh.
const WH: u8 = 30;

/// Reads a log and hands out the intervals of `seconds` of which begin and end were read.
///
/// # Errors
/// What is wrong, with the line; what `sink` refuses.
pub fn read(log: &str, meter: Option<&str>, seconds: u32, sink: &mut Sink<'_>) -> Result<u64, Fault> {
    let mut stands = Stands::default();
    let mut count = 0;
    for (line, text) in (1..).zip(log.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        let fault = |what: String| Fault::line(line, what);
        let (time, bytes) = text
            .trim()
            .split_once(char::is_whitespace)
            .ok_or_else(|| fault("is no time with the telegram's bytes behind it".into()))?;
        let unix_s = instant(time)
            .ok_or_else(|| fault(format!("{} is no time like 2026-06-21T10:15:00Z", quoted(time))))?;
        let bytes = hex::decode(bytes.trim())
            .map_err(|error| fault(format!("has a telegram that is no hex: {error}")))?;
        for (named, direction, nano_wh) in telegram(&bytes).map_err(fault)? {
            let named = meter.unwrap_or(&named);
            if !is_meter_id(named) {
                return Err(fault(format!(
                    "is of a meter with the id {}, which can't be one",
                    quoted(named)
                )));
            }
            stands.add(named, direction, Register { unix_s, nano_wh }).map_err(fault)?;
        }
        count += 1;
    }
    stands.hand_out(seconds, sink)?;
    Ok(count)
}

/// The stands in one telegram: meter in hex, direction, 10^-9 Wh.
///
/// # Errors
/// A telegram that is damaged, or has no stand of energy, in words.
pub fn telegram(bytes: &[u8]) -> Result<Vec<(String, Direction, i128)>, String> {
    let files = sml_rs::transport::decode(bytes);
    let [Ok(file)] = files.as_slice() else {
        return Err("is not one whole SML telegram with a checksum that fits".into());
    };
    let file = parse(file).map_err(|error| format!("has a telegram that is no SML: {error:?}"))?;
    let mut stands = Vec::new();
    for message in file.messages {
        if let MessageBody::GetListResponse(list) = message.message_body {
            of_list(&list, &mut stands)?;
        }
    }
    if stands.is_empty() {
        Err("has a telegram without a stand of energy (1.8.0 or 2.8.0)".into())
    } else {
        Ok(stands)
    }
}

fn of_list(list: &GetListResponse<'_>, stands: &mut Vec<(String, Direction, i128)>) -> Result<(), String> {
    let meter = hex::encode(list.server_id);
    for entry in &list.val_list {
        let direction = match entry.obj_name {
            code if code == CONSUMPTION => Direction::Consumption,
            code if code == GENERATION => Direction::Generation,
            _ => continue,
        };
        stands.push((meter.clone(), direction, nano_wh(entry)?));
    }
    Ok(())
}

fn nano_wh(entry: &ListEntry<'_>) -> Result<i128, String> {
    if entry.unit != Some(WH) {
        return Err(format!("has a stand of energy in unit {:?}, which is not Wh (30)", entry.unit));
    }
    let value = match entry.value {
        Value::I8(value) => i128::from(value),
        Value::I16(value) => i128::from(value),
        Value::I32(value) => i128::from(value),
        Value::I64(value) => i128::from(value),
        Value::U8(value) => i128::from(value),
        Value::U16(value) => i128::from(value),
        Value::U32(value) => i128::from(value),
        Value::U64(value) => i128::from(value),
        Value::Bool(_) | Value::Bytes(_) | Value::List(_) => {
            return Err("has a stand of energy that is no number".into());
        }
    };
    // The value times 10^scaler is Wh.
    let power = 9 + i32::from(entry.scaler.unwrap_or(0));
    let power = u32::try_from(power)
        .ok()
        .filter(|power| *power <= 18)
        .ok_or("has a stand of energy with a scaler that no meter has")?;
    if value < 0 {
        return Err("has a stand of energy below zero".into());
    }
    value.checked_mul(10i128.pow(power)).ok_or_else(|| "has a stand of energy that is too large".into())
}

/// `YYYY-MM-DDThh:mm:ss` with `Z` or an offset.
fn instant(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once('T')?;
    let date: Date = date.parse().ok()?;
    let (clock, offset) = rest.split_at_checked(8)?;
    let mut parts = clock.split(':').map(|part| part.parse::<i8>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let offset_s = match offset.as_bytes() {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let number = |from: usize| offset.get(from..from + 2)?.parse::<i32>().ok();
            (if *sign == b'+' { 1 } else { -1 }) * (number(1)? * 3600 + number(4)? * 60)
        }
        _ => return None,
    };
    Local::new(date, hour, minute, second).ok()?.at_offset(offset_s).ok()
}
