//! The last line of a program that failed: text for people, JSON in the form of the log's lines where those are JSON.
//!
//! Nothing is logged behind it, so that whoever reads a log from its end finds it. Threads of libraries may still run when a
//! process ends, and the database's own says on a full disk what it could not write.

use crate::output::{harmless_lines, utc};
use serde_json::json;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use veilgrid_actors::clock::wall_clock_unix_ms;

/// Whether the last line was written. Held while a line is, so that none comes in between.
static SAID: Mutex<bool> = Mutex::new(false);

fn said() -> MutexGuard<'static, bool> {
    SAID.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where log lines go: standard error, until the last line was written.
#[derive(Debug, Default)]
pub struct Logs;

impl Write for Logs {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        write_unless(*said(), line, &mut io::stderr())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a line unless the last one was written: then it is taken and dropped.
fn write_unless(said: bool, line: &[u8], to: &mut impl Write) -> io::Result<usize> {
    if said { Ok(line.len()) } else { to.write(line) }
}

/// Says on standard error why the program ends.
pub fn say(text: &str, log_json: bool) {
    let line = if log_json {
        line_of(text, wall_clock_unix_ms())
    } else {
        format!("veilgrid: {}", harmless_lines(text))
    };
    let mut said = said();
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(io::stderr(), "{line}");
    *said = true;
}

/// A line as the log's own.
fn line_of(text: &str, now_unix_ms: u64) -> String {
    let (now_unix_s, ms) = (now_unix_ms / 1_000, now_unix_ms % 1_000);
    // `2016-06-22 10:15Z`.
    let minute = utc(i64::try_from(now_unix_s).unwrap_or(i64::MAX));
    let minute = minute.trim_end_matches('Z').replace(' ', "T");
    let timestamp = format!("{minute}:{:02}.{ms:03}Z", now_unix_s % 60);
    let fields = json!({ "message": text });
    json!({ "timestamp": timestamp, "level": "ERROR", "fields": fields, "target": "veilgrid" }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_logged_behind_the_last_line() {
        let mut written = Vec::new();
        assert_eq!(write_unless(false, b"before", &mut written).expect("memory"), 6);
        say("the end", false);
        assert_eq!(write_unless(*said(), b"behind", &mut written).expect("memory"), 6);
        assert_eq!(written, b"before");
    }

    #[test]
    fn the_last_line_is_one_line_of_json_with_all_that_the_others_have() {
        let line = line_of("a \"b\"\nc", 1_466_590_561_007);
        assert!(!line.contains('\n'), "{line}");
        let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(value["timestamp"], "2016-06-22T10:16:01.007Z");
        assert_eq!((&value["level"], &value["target"]), (&"ERROR".into(), &"veilgrid".into()));
        assert_eq!(value["fields"]["message"], "a \"b\"\nc");
    }
}
