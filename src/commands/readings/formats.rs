//! Which importer reads a file, and what it is told.

use super::args::{DateOrderArg, DecimalArg, DirectionArg, FormatArg, HalfArg, ImportArgs, StampArg};
use crate::failure::Failure;
use veilgrid_readings::{DecimalMark, Direction, Fault, Sink, Unit, Zone};
use veilgrid_readings_csv::{DateOrder, HalfOfHour, Options, Role, Sign, StampIs};

/// The namespace of Green Button.
const ESPI: &[u8] = b"http://naesb.org/espi";

/// The format of a file's first bytes.
///
/// # Errors
/// Bytes of something else.
pub fn of(head: &[u8], asked: Option<FormatArg>) -> Result<FormatArg, String> {
    if let Some(format) = asked {
        return Ok(format);
    }
    match head {
        [0x1f, 0x8b, ..] => Err("is compressed (gzip); unpack it first: gunzip --keep FILE".into()),
        _ if head.starts_with(b"100,NEM12") || head.starts_with(b"\xef\xbb\xbf100,NEM12") => {
            Ok(FormatArg::Nem12)
        }
        [b'/', ..] if head.windows(2).any(|pair| pair == b"\n!") => Ok(FormatArg::P1),
        _ if head
            .split(|byte| *byte == b' ')
            .nth(1)
            .is_some_and(|word| word.to_ascii_lowercase().starts_with(b"1b1b1b1b01010101")) =>
        {
            Ok(FormatArg::Sml)
        }
        [b'P', b'K', 3, 4, ..] => Ok(FormatArg::Eda),
        _ if head.windows(ESPI.len()).any(|bytes| bytes == ESPI) => Ok(FormatArg::GreenButton),
        _ if head.contains(&0) && !head.starts_with(&[0xff, 0xfe]) && !head.starts_with(&[0xfe, 0xff]) => {
            Err("is no text, and of no format that is known; say --format if it is one".into())
        }
        _ => Ok(FormatArg::Csv),
    }
}

/// Reads a file that is read as a whole; what is worth a note about it.
///
/// # Errors
/// What is wrong with it, with the place; what `sink` refuses.
pub fn read_whole(
    format: FormatArg,
    bytes: &[u8],
    meter: Option<&str>,
    slot_seconds: u32,
    sink: &mut Sink<'_>,
) -> Result<Vec<String>, Fault> {
    let text = || {
        std::str::from_utf8(bytes)
            .map_err(|error| Fault::at(format!("byte {}", error.valid_up_to()), "is not UTF-8"))
    };
    match format {
        FormatArg::Csv => Err(Fault::at("the file", "is read row by row")),
        FormatArg::Nem12 => {
            let left_out = veilgrid_readings_nem12::read(text()?, sink)?;
            let mut notes = Vec::new();
            note(&mut notes, left_out.streams, "streams that are no active energy were left out");
            note(&mut notes, left_out.replaced_days, "days were replaced by later rows of the same file");
            Ok(notes)
        }
        FormatArg::P1 => {
            let count = veilgrid_readings_telegrams::p1::read(bytes, meter, slot_seconds, sink)?;
            Ok(vec![format!("{count} telegrams")])
        }
        FormatArg::Eda => {
            let left_out = veilgrid_readings_eda::read(bytes, sink)?;
            let mut notes = Vec::new();
            note(&mut notes, left_out.columns, "columns that are not what a meter counted were left out");
            note(
                &mut notes,
                left_out.by_participation,
                "series are the part of their factor of participation",
            );
            Ok(notes)
        }
        FormatArg::GreenButton => {
            let left_out = veilgrid_readings_greenbutton::read(text()?, meter, sink)?;
            let mut notes = Vec::new();
            note(
                &mut notes,
                left_out.meter_readings,
                "meter readings that are no electric energy of intervals were left out",
            );
            Ok(notes)
        }
        FormatArg::Sml => {
            let count = veilgrid_readings_telegrams::sml::read(text()?, meter, slot_seconds, sink)?;
            Ok(vec![format!("{count} telegrams")])
        }
    }
}

/// Its name in reports.
pub fn name(format: FormatArg) -> &'static str {
    match format {
        FormatArg::Csv => "csv",
        FormatArg::Nem12 => "nem12",
        FormatArg::P1 => "p1",
        FormatArg::Sml => "sml",
        FormatArg::Eda => "eda",
        FormatArg::GreenButton => "green-button",
    }
}

/// What a file's readings depend on beside its bytes.
pub fn settings(format: FormatArg, args: &ImportArgs) -> String {
    let ImportArgs { zone, meter, direction, .. } = args;
    format!("{} zone {zone:?} meter {meter:?} direction {direction:?}", name(format))
}

fn note(notes: &mut Vec<String>, count: u64, what: &str) {
    if count > 0 {
        notes.push(format!("{count} {what}"));
    }
}

/// The zone of `--zone`.
///
/// # Errors
/// What is none.
pub fn zone(text: Option<&str>) -> Result<Option<Zone>, Failure> {
    text.map(Zone::named).transpose().map_err(Failure::input)
}

/// A direction of the command line.
pub fn direction(arg: DirectionArg) -> Direction {
    match arg {
        DirectionArg::Consumption => Direction::Consumption,
        DirectionArg::Generation => Direction::Generation,
    }
}

/// What the importer of CSV is told.
///
/// # Errors
/// Options that say nothing.
pub fn csv_options(args: &ImportArgs, slot_seconds: u32) -> Result<Options, Failure> {
    let wrong = |option: &str, text: &str, what: &str| Failure::Input(format!("--{option} {text}: {what}"));
    let delimiter = match args.delimiter.as_deref() {
        None => None,
        Some("tab") => Some(b'\t'),
        Some(text) => match text.as_bytes() {
            [byte] if byte.is_ascii_punctuation() || *byte == b'\t' => Some(*byte),
            _ => return Err(wrong("delimiter", text, "give one character such as ; or the word tab")),
        },
    };
    let unit =
        |text: &str| Unit::from_name(text).ok_or_else(|| wrong("unit", text, "give Wh, kWh, MWh, W or kW"));
    let mut columns = std::collections::BTreeMap::new();
    for text in &args.columns {
        let role = text
            .split_once('=')
            .and_then(|(role, name)| Some((Role::ALL.into_iter().find(|one| one.name() == role)?, name)));
        let (role, name) = role.ok_or_else(|| {
            wrong(
                "column",
                text,
                "give ROLE=NAME, for example consumption=\"Wert 1\"; --help lists the roles",
            )
        })?;
        columns.insert(role, name.to_owned());
    }
    Ok(Options {
        slot_seconds,
        interval_s: args.interval_minutes.map(|minutes| minutes.saturating_mul(60)),
        skip_lines: args.skip_lines,
        delimiter,
        decimal: args.decimal.map(|decimal| {
            if decimal == DecimalArg::Comma { DecimalMark::Comma } else { DecimalMark::Point }
        }),
        zone: zone(args.zone.as_deref())?,
        stamp: args.stamp.map(|stamp| if stamp == StampArg::End { StampIs::End } else { StampIs::Begin }),
        unit: args.unit.as_deref().map(unit).transpose()?,
        date_order: args.date_order.map(|order| {
            if order == DateOrderArg::MonthFirst { DateOrder::MonthFirst } else { DateOrder::DayFirst }
        }),
        meter: args.meter.clone(),
        direction: args.direction.map(direction),
        sign: args.sign.map(|sign| {
            if sign == DirectionArg::Consumption {
                Sign::ConsumptionPositive
            } else {
                Sign::GenerationPositive
            }
        }),
        repeated_hour: args
            .repeated_hour
            .map(|half| if half == HalfArg::Earlier { HalfOfHour::Earlier } else { HalfOfHour::Later }),
        columns,
    })
}
