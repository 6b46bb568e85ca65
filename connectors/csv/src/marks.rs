//! Delimiter and decimal mark of a file's first lines.

use crate::options::Options;
use veilgrid_readings::{DecimalMark, Fault, is_missing};

/// Characters that separate fields, with their names for messages.
const DELIMITERS: [(u8, &str); 4] = [(b';', ";"), (b',', ","), (b'\t', "tab"), (b'|', "|")];

/// The one delimiter that gives the header and all lines the same number of fields.
pub(crate) fn delimiter(head: &[u8], options: &Options) -> Result<u8, Fault> {
    if let Some(delimiter) = options.delimiter {
        return Ok(delimiter);
    }
    let fitting: Vec<(u8, &str)> =
        DELIMITERS.into_iter().filter(|(delimiter, _)| fits(head, *delimiter)).collect();
    match fitting.as_slice() {
        [(delimiter, _)] => Ok(*delimiter),
        [] => Err(Fault::at(
            "first lines",
            "no delimiter (; , tab |) gives all lines the fields of the header; say it with --delimiter, and --skip-lines when the header is not the first line",
        )),
        several => {
            let names: Vec<&str> = several.iter().map(|(_, name)| *name).collect();
            Err(Fault::at(
                "first lines",
                format!("fields may be separated by {}; say which with --delimiter", names.join(" or ")),
            ))
        }
    }
}

fn fits(head: &[u8], delimiter: u8) -> bool {
    let mut table =
        csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(head);
    let mut record = csv::ByteRecord::new();
    let mut fields = None;
    // Nothing is read but memory.
    while table.read_byte_record(&mut record).unwrap_or(false) {
        if record.len() < 2 || fields.is_some_and(|fields| fields != record.len()) {
            return false;
        }
        fields = Some(record.len());
    }
    fields.is_some()
}

/// The decimal mark that the values show: a mark after which there are not just three digits, or before which there is a lone
/// zero or more than three digits, separates no thousands.
pub(crate) fn decimal<'a>(
    values: impl Iterator<Item = &'a str>,
    options: &Options,
) -> Result<Option<DecimalMark>, Fault> {
    if options.decimal.is_some() {
        return Ok(options.decimal);
    }
    let (mut open, mut found): (Option<String>, _) = (None, None);
    for text in values.filter(|text| !is_missing(text)) {
        let digits = text.trim_start_matches(['+', '-', '−']);
        let marks = [(DecimalMark::Point, '.'), (DecimalMark::Comma, ',')];
        let Some((mark, character)) = marks
            .into_iter()
            .filter(|(_, mark)| digits.contains(*mark))
            .max_by_key(|(_, mark)| digits.rfind(*mark))
        else {
            continue;
        };
        let (whole, rest) = digits.rsplit_once(character).unwrap_or((digits, ""));
        let grouping =
            rest.len() == 3 && (1..=3).contains(&whole.len()) && whole != "0" && !whole.starts_with('0');
        if grouping {
            open.get_or_insert_with(|| text.to_owned());
            continue;
        }
        match found {
            Some(other) if other != mark => {
                return Err(Fault::at(
                    "first lines",
                    format!(
                        "have both decimal marks, as in {}; write numbers without grouping of thousands",
                        veilgrid_readings::quoted(text)
                    ),
                ));
            }
            _ => found = Some(mark),
        }
    }
    match (found, open) {
        (None, Some(text)) => Err(Fault::at(
            "first lines",
            format!(
                "{} may be a thousand times larger or not; say the decimal mark with --decimal point or comma",
                veilgrid_readings::quoted(&text)
            ),
        )),
        (found, _) => Ok(found),
    }
}
