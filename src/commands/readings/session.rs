//! `veilgrid readings session`: a signed charging session, checked.

use super::args::SessionArgs;
use crate::failure::Failure;
use crate::output;
use serde::Serialize;
use std::fs::File;
use veilgrid_market::timestamp::format_utc;
use veilgrid_readings_ocmf::{Key, Session, session};
use veilgrid_store::files::read_at_most;

/// Records have a few hundred bytes.
const MAX_RECORD_BYTES: u64 = 1 << 16;
const NANO: i128 = 1_000_000_000;

#[derive(Serialize)]
struct Report {
    meter: String,
    direction: &'static str,
    begin: String,
    end: String,
    begin_wh: String,
    end_wh: String,
    energy_wh: String,
    register: String,
    pagination: Vec<String>,
    payload_sha256: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// A key or record that can't be read, a signature that does not hold, a session that no bill may rest on.
pub fn run(args: &SessionArgs) -> Result<(), Failure> {
    let key = Key::from_text(&args.public_key).map_err(Failure::input)?;
    let mut texts = Vec::new();
    for path in &args.records {
        let file = File::open(path).map_err(|error| Failure::file(path, error))?;
        let bytes = read_at_most(path, file, MAX_RECORD_BYTES).map_err(Failure::input)?;
        texts.push(String::from_utf8(bytes).map_err(|error| Failure::file(path, error))?);
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let report = Report::of(session(&texts, &key).map_err(Failure::input)?);
    if args.json {
        return output::json(&report);
    }
    output::line(format!(
        "the signatures hold for the exact bytes; {} Wh of {}",
        report.energy_wh, report.direction
    ));
    output::line(format!(
        "{} to {}, meter {}, register {} from {} to {} Wh",
        report.begin, report.end, report.meter, report.register, report.begin_wh, report.end_wh
    ));
    Ok(())
}

impl Report {
    fn of(session: Session) -> Self {
        let energy_nano_wh = session.energy_nano_wh();
        Self {
            meter: session.meter,
            direction: session.direction.name(),
            begin: format_utc(session.begin_unix_ms.div_euclid(1000)),
            end: format_utc(session.end_unix_ms.div_euclid(1000)),
            begin_wh: wh(session.begin_nano_wh),
            end_wh: wh(session.end_nano_wh),
            energy_wh: wh(energy_nano_wh),
            register: session.register,
            pagination: session.pagination,
            payload_sha256: session.digests.iter().map(hex::encode).collect(),
        }
    }
}

/// Wh as a decimal number, without digits that say nothing. A session has none below zero.
fn wh(nano_wh: i128) -> String {
    let text = format!("{}.{:09}", nano_wh / NANO, nano_wh % NANO);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wh_are_exact() {
        assert_eq!(
            [wh(0), wh(21_523 * NANO), wh(1_500_000_000), wh(1)],
            ["0", "21523", "1.5", "0.000000001"]
        );
    }
}
