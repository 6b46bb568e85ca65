//! Tables, progress bars and times for people.

use crate::failure::Failure;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::io::Write;
use std::sync::OnceLock;
use veilgrid_ledger::state::round::OpenedSum;
use veilgrid_market::units::{format_ct_per_kwh, format_kwh};
use veilgrid_market::{Outcome, Rationed};

/// A table whose first column is left-aligned and all others are right-aligned.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    for (position, column) in table.column_iter_mut().enumerate() {
        column.set_cell_alignment(if position == 0 { CellAlignment::Left } else { CellAlignment::Right });
    }
    table
}

/// A progress bar on standard error; invisible where that is no terminal, or when results go out as JSON.
pub fn progress(length: u64, what: &'static str, json: bool) -> ProgressBar {
    let target = if json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(length), target);
    let style = ProgressStyle::with_template("{msg:>22} [{bar:40}] {pos}/{len} {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
    bar.set_message(what);
    bar
}

/// Why results could not be written, once that has happened.
static UNWRITTEN: OnceLock<String> = OnceLock::new();

/// Writes a line, or several, to standard output. What is shown may come from a file or from another node, so that no
/// control character of it gets through.
pub fn line(text: impl std::fmt::Display) {
    write(&harmless_lines(&text.to_string()));
}

/// A reader that has gone away (`| head`) ends the output, not the program's sense; any other failure is the command's
/// ([`written`]).
fn write(text: &str) {
    let mut out = std::io::stdout();
    if let Err(error) = writeln!(out, "{text}").and_then(|()| out.flush())
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        let _ = UNWRITTEN.set(error.to_string());
    }
}

/// Whether all results have come out.
///
/// # Errors
/// The first failure of standard output that was not a reader who has gone away.
pub fn written() -> Result<(), Failure> {
    match UNWRITTEN.get() {
        None => Ok(()),
        Some(error) => Err(Failure::Input(format!(
            "the result could not be written to standard output: {error}; what the command did besides printing is done"
        ))),
    }
}

/// Text of several lines as a terminal may show it.
pub fn harmless_lines(text: &str) -> String {
    text.split('\n').map(harmless).collect::<Vec<_>>().join("\n")
}

/// Text from a file as a terminal may show it: control characters are written out.
pub fn harmless(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

/// Prints a value as JSON.
///
/// # Errors
/// A value that JSON can't hold.
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    // Programs read it, and it has escapes of its own.
    write(&serde_json::to_string_pretty(value).map_err(Failure::input)?);
    Ok(())
}

/// Date and time of a Unix time in UTC, `2016-06-22 10:15Z` (Howard Hinnant's civil-from-days).
pub fn utc(unix_s: i64) -> String {
    let (days, second) = (unix_s.div_euclid(86_400), unix_s.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}Z", second / 3600, second / 60 % 60)
}

/// The price of an outcome, ct/kWh: one, or buy and sell price under trade reduction; a dash without trade.
pub fn price(outcome: &Outcome) -> String {
    match outcome.trade {
        None => "-".to_owned(),
        Some(trade) if trade.buy_price_mct_per_kwh == trade.sell_price_mct_per_kwh => {
            format_ct_per_kwh(trade.buy_price_mct_per_kwh)
        }
        Some(trade) => format!(
            "buy {} / sell {}",
            format_ct_per_kwh(trade.buy_price_mct_per_kwh),
            format_ct_per_kwh(trade.sell_price_mct_per_kwh)
        ),
    }
}

/// The traded volume in kWh.
pub fn volume(outcome: &Outcome) -> String {
    outcome.volume_wh.map_or_else(|| "not published".to_owned(), format_kwh)
}

/// The side that gets less than it asked for, with its part.
pub fn rationing(outcome: &Outcome) -> String {
    match outcome.trade.map(|trade| (trade.rationed, trade.fraction_q16)) {
        None | Some((Rationed::None, _)) => "-".to_owned(),
        Some((Rationed::Demand, part)) => format!("buys {}", percent_q16(part)),
        Some((Rationed::Supply, part)) => format!("sells {}", percent_q16(part)),
    }
}

fn percent_q16(part: u32) -> String {
    let tenths = u64::from(part) * 1000 / 65_536;
    format!("{}.{}%", tenths / 10, tenths % 10)
}

/// Opened sums in the order of their opening, `W31=-120`.
pub fn opened(sums: &[OpenedSum]) -> String {
    let text: Vec<String> = sums
        .iter()
        .map(|sum| format!("{:?}{}={}", sum.request.kind, sum.request.tick, sum.value_wh))
        .collect();
    text.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_civil_and_utc() {
        assert_eq!(utc(0), "1970-01-01 00:00Z");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00Z");
        assert_eq!(utc(1_466_590_500), "2016-06-22 10:15Z");
        assert_eq!(utc(-1), "1969-12-31 23:59Z");
    }

    #[test]
    fn control_characters_are_written_out() {
        assert_eq!(harmless("a\u{1b}[31mb\r\n"), "a\\u{1b}[31mb\\r\\n");
        assert_eq!(harmless("Süd 3"), "Süd 3");
        assert_eq!(harmless_lines("a \u{1b}[31mb\r\n  c\td\u{9b}"), "a \\u{1b}[31mb\\r\n  c\\td\\u{9b}");
        assert_eq!(harmless_lines("Süd:\n  Größe"), "Süd:\n  Größe");
    }

    #[test]
    fn parts_are_percent() {
        assert_eq!(percent_q16(65_536), "100.0%");
        assert_eq!(percent_q16(32_768), "50.0%");
    }
}
