//! Words of grades and directions, as files have them. Single letters are left out: E is an estimate in one country and a
//! substituted value in the next.

use veilgrid_readings::{Direction, Grade};

/// What a cell says of its value's grade; `Some(None)`: that there is no value; `None`: a word that is not known.
pub(crate) fn grade(text: &str) -> Option<Option<Grade>> {
    let text = text.trim().to_lowercase();
    Some(match text.as_str() {
        "measured" | "actual" | "valid" | "gemessen" | "wahrer wert" | "wahr" | "l1" => Some(Grade::Measured),
        "substituted" | "substitute" | "substitution" | "ersatzwert" | "ersatz" | "final substituted"
        | "l2" => Some(Grade::Substituted),
        "estimated" | "estimate" | "geschätzt" | "geschaetzt" | "vorläufig" | "vorlaeufig"
        | "provisional" | "forecast" | "l3" => Some(Grade::Estimated),
        "missing" | "fehlt" | "fehlend" | "none" => None,
        _ => return None,
    })
}

/// The direction that a cell names, by a word or an OBIS code (1.x import, 2.x export of active energy).
pub(crate) fn direction(text: &str) -> Option<Direction> {
    let word = text.trim().to_lowercase();
    match word.as_str() {
        "consumption" | "import" | "bezug" | "verbrauch" | "entnahme" | "load" => {
            return Some(Direction::Consumption);
        }
        "generation" | "export" | "einspeisung" | "erzeugung" | "production" | "feed-in" => {
            return Some(Direction::Generation);
        }
        _ => {}
    }
    // `1-1:1.29.0*255`: medium and channel before the colon.
    let code = word.split_once(':').map_or(word.as_str(), |(_, code)| code);
    match code.split('.').collect::<Vec<_>>().as_slice() {
        ["1", "8" | "9" | "29", ..] => Some(Direction::Consumption),
        ["2", "8" | "9" | "29", ..] => Some(Direction::Generation),
        _ => None,
    }
}
