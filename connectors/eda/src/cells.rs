//! What a cell holds.

use calamine::{Data, ExcelDateTime};
use veilgrid_readings::{
    Date, DecimalMark, Energy, Grade, Local, Unit, is_missing, parse_signed_nano_wh, quoted,
};

/// A cell's text, without blanks around it; a number as it would be typed.
pub(crate) fn text(cell: &Data) -> String {
    match cell {
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => text.trim().to_owned(),
        Data::Int(number) => number.to_string(),
        Data::Float(number) => number.to_string(),
        _ => String::new(),
    }
}

/// The energy of a cell in kWh. An empty cell is no zero.
pub(crate) fn energy(cell: &Data) -> Result<Option<Energy>, String> {
    let text = match cell {
        Data::Empty => return Ok(None),
        // The shortest text of a number is the one that was typed.
        Data::Int(_) | Data::Float(_) | Data::String(_) => text(cell),
        Data::Error(error) => return Err(format!("is an error of the spreadsheet ({error})")),
        _ => return Err("is no number".into()),
    };
    if is_missing(&text) {
        return Ok(None);
    }
    // Numbers are written with a point; text is as people in Austria write it.
    let mark = if matches!(cell, Data::String(_)) && text.contains(',') {
        DecimalMark::Comma
    } else {
        DecimalMark::Point
    };
    if matches!(cell, Data::String(_)) && may_be_grouped(&text) {
        return Err(format!(
            "{} is text, and may be a thousand times larger or not; store the sheet with numbers",
            quoted(&text)
        ));
    }
    let nano_wh = parse_signed_nano_wh(&text, mark, Unit::KWh, 0)
        .map_err(|error| format!("{} {error}", quoted(&text)))?;
    Energy::from_nano_wh(nano_wh).map(Some).ok_or_else(|| format!("{} is below zero", quoted(&text)))
}

/// `1.234` as text: people in Austria separate thousands by a point.
fn may_be_grouped(text: &str) -> bool {
    text.split_once('.').is_some_and(|(whole, rest)| {
        rest.len() == 3 && (1..=3).contains(&whole.len()) && !whole.starts_with('0')
    })
}

/// L1 measured, L2 substituted, L3 estimated; nothing: as if there were no column.
pub(crate) fn grade(text: &str) -> Result<Grade, String> {
    match text {
        "" | "L1" => Ok(Grade::Measured),
        "L2" => Ok(Grade::Substituted),
        "L3" => Ok(Grade::Estimated),
        other => Err(format!("{} is no quality; known are L1, L2 and L3", quoted(other))),
    }
}

/// A date and time, as text like `25.10.2026 02:00:00` or as a date of the spreadsheet.
pub(crate) fn local(cell: &Data) -> Option<Local> {
    match cell {
        Data::DateTime(moment) => of_moment(*moment),
        Data::String(text) => of_text(text.trim()),
        _ => None,
    }
}

fn of_moment(moment: ExcelDateTime) -> Option<Local> {
    let (year, month, day, hour, minute, second, milli) = moment.to_ymd_hms_milli();
    let small = |number: u8| i8::try_from(number).ok();
    let date = Date::new(i16::try_from(year).ok()?, small(month)?, small(day)?).ok()?;
    let local = Local::new(date, small(hour)?, small(minute)?, small(second)?).ok()?;
    // Spreadsheets count in parts of a day, and a quarter-hour is no finite one: 00:14:59.999 is 00:15.
    let plain_s = local.at_offset(0).ok()? + i64::from(milli >= 500);
    Local::from_plain_s(plain_s).ok()
}

fn of_text(text: &str) -> Option<Local> {
    let (date, clock) = text.split_once(' ')?;
    let number = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<i16>().ok()).flatten()
    };
    let mut parts = date.split('.').map(number);
    let (Some(Some(day)), Some(Some(month)), Some(Some(year)), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let small = |number: i16| i8::try_from(number).ok();
    let mut parts = clock.trim_start().split(':').map(number);
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    Local::new(
        Date::new(year, small(month)?, small(day)?).ok()?,
        small(hour)?,
        small(minute)?,
        small(second)?,
    )
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_may_be_thousands_is_refused_and_a_number_is_not() {
        let wh = |cell: Data| energy(&cell).map(|energy| energy.map(|energy| energy.rounded_wh().0));
        assert_eq!(wh(Data::Float(1.234)), Ok(Some(1234)));
        let text = |text: &str| wh(Data::String(text.to_owned()));
        assert_eq!(
            [text("1,234"), text("0.125"), text("1.5")],
            [Ok(Some(1234)), Ok(Some(125)), Ok(Some(1500))]
        );
        assert!(text("1.234").expect_err("refused").contains("thousand times"));
        assert!(text("1.234,5").is_err());
        assert_eq!([text(""), wh(Data::Empty)], [Ok(None), Ok(None)]);
    }
}
