//! `veilgrid readings`: what is imported, corrected, refused, cut off and missing.

use crate::cli::{code, json, stderr, veilgrid};
use serde_json::Value;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const HEAD: &str = "begin,meter,consumption_kwh\n";

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn import(&self, text: &str, more: &[&str]) -> std::process::Output {
        let file = self.path("file.csv");
        std::fs::write(&file, text).expect("written");
        let into = self.path("readings");
        let words = [
            "readings",
            "import",
            text_of(&file),
            "--into",
            text_of(&into),
            "--zone",
            "Europe/Vienna",
            "--json",
        ];
        veilgrid(words.iter().chain(more))
    }

    fn ask(&self, what: &str, more: &[&str]) -> Value {
        let into = self.path("readings");
        json(&veilgrid(["readings", what, text_of(&into), "--json"].iter().chain(more)))
    }
}

fn text_of(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// A day's quarter-hours of one meter, `value` kWh each but those of `others`.
fn day(date: &str, value: &str, others: &[(usize, &str)]) -> String {
    (0..96).fold(HEAD.to_owned(), |mut text, slot| {
        let value = others.iter().find(|(other, _)| *other == slot).map_or(value, |(_, value)| value);
        writeln!(text, "{date} {:02}:{:02},AT1,{value}", slot / 4, slot % 4 * 15).expect("a string grows");
        text
    })
}

#[test]
fn a_correction_is_a_revision_and_missing_stays_missing() {
    let place = Place::new();
    let first = json(&place.import(&day("2026-06-21", "0.1", &[(5, ""), (6, "NaN"), (9, "0")]), &[]));
    assert_eq!(
        (&first["import"], &first["filled_slots"], &first["missing"]),
        (&1.into(), &94.into(), &2.into())
    );
    let again = json(&place.import(&day("2026-06-21", "0.1", &[(5, ""), (6, "NaN"), (9, "0")]), &[]));
    assert_eq!(again["already_imported"], true);
    let gaps = place.ask("gaps", &[]);
    assert_eq!(gaps["missing_slots"], 2);
    assert_eq!(gaps["gaps"].as_array().expect("a list").len(), 1);
    assert_eq!(
        (&gaps["gaps"][0]["start"], &gaps["gaps"][0]["end"]),
        (&"2026-06-20T23:15:00Z".into(), &"2026-06-20T23:45:00Z".into())
    );
    let corrected = json(&place.import(&day("2026-06-21", "0.1", &[(5, "0.2"), (6, "-"), (9, "0.3")]), &[]));
    assert_eq!(
        (&corrected["revised_days"], &corrected["filled_slots"], &corrected["corrected_slots"]),
        (&1.into(), &1.into(), &1.into())
    );
    let status = place.ask("status", &["--days"]);
    let series = &status["series"][0];
    assert_eq!(
        (&series["slots"], &series["measured"], &series["missing"]),
        (&96.into(), &95.into(), &1.into())
    );
    assert_eq!(series["days"][0]["revisions"], 2);
    let month = place.path("readings/meters/AT1/consumption-2026-06.readings");
    let text = std::fs::read_to_string(&month).expect("a month");
    assert!(text.contains("import 1: 100 100 100 100 100 - - 100 100 0 "), "what was known stays: {text}");
    assert!(text.contains("import 2: 100 100 100 100 100 200 - 100 100 300 "), "{text}");
    // A changed byte is found.
    std::fs::write(&month, text.replacen(" 200 ", " 201 ", 1)).expect("written");
    let damaged = veilgrid(["readings", "status", text_of(&place.path("readings"))]);
    assert_eq!(code(&damaged), 2);
    assert!(stderr(&damaged).contains("damaged"), "{}", stderr(&damaged));
}

#[test]
fn a_refused_file_changes_no_day() {
    let place = Place::new();
    let refused = |text: &str, more: &[&str], words: &[&str]| {
        let output = place.import(text, more);
        let message = stderr(&output);
        assert_eq!(code(&output), 2, "{message}");
        for word in words {
            assert!(message.contains(word), "`{word}` is not in: {message}");
        }
    };
    // Wh under a header that says kWh.
    refused(&day("2026-06-21", "100", &[]), &["--capacity-kw", "11"], &["line 2", "400000 W", "11000 W"]);
    let capacities = place.path("capacities.csv");
    std::fs::write(&capacities, "meter,import_kw,export_kw\nAT1,11,0\nAT2,1,1\n").expect("written");
    let capacities = ["--capacities", text_of(&capacities)];
    refused(&day("2026-06-21", "0.1", &[(95, "12")]), &capacities, &["line 97", "48000 W"]);
    refused(
        &day("2026-06-21", "0.1", &[]).replace("AT1", "AT3"),
        &capacities,
        &["line 2", "AT3", "--capacities"],
    );
    refused(
        &day("2026-06-21", "0.1", &[]).replace(":15,", ":16,"),
        &["--interval-minutes", "15"],
        &["line 3", "no begin of a slot"],
    );
    let twice = format!("{}2026-06-21 00:00,AT1,0.2\n", day("2026-06-21", "0.1", &[]));
    refused(&twice, &[], &["line 98", "second value"]);
    let hours = "begin,meter,consumption_kwh\n2026-06-21 00:00,AT1,0.2\n";
    refused(hours, &["--interval-minutes", "60"], &["line 2", "3600 s", "900 s"]);
    assert_eq!(place.ask("status", &[])["series"], Value::Array(vec![]));
    let kept = json(&place.import(&day("2026-06-21", "0.1", &[]), &["--capacity-kw", "11", "--dry-run"]));
    assert_eq!(
        (&kept["dry_run"], &kept["import"], &kept["filled_slots"]),
        (&true.into(), &Value::Null, &96.into())
    );
    assert_eq!(place.ask("status", &[])["series"], Value::Array(vec![]));
}

#[test]
fn days_of_92_and_100_quarter_hours_are_complete() {
    let place = Place::new();
    let mut text = HEAD.to_owned();
    for (start, slots) in [(1_774_738_800, 92), (1_792_879_200, 100)] {
        for slot in 0..slots {
            let begin = veilgrid_market::timestamp::format_utc(start + slot * 900);
            writeln!(text, "{begin},AT1,0.1").expect("a string grows");
        }
    }
    assert_eq!(json(&place.import(&text, &[]))["filled_slots"], 192);
    for (date, slots) in [("2026-03-29", 92), ("2026-10-25", 100)] {
        let status = place.ask("status", &["--from", date, "--to", date]);
        assert_eq!(
            (&status["series"][0]["slots"], &status["series"][0]["missing"]),
            (&slots.into(), &0.into())
        );
    }
}

#[test]
fn a_whole_file_of_another_format_is_known_by_its_first_bytes() {
    let place = Place::new();
    let file = crate::cli::root().join("connectors/nem12/tests/fixtures/sydney.csv");
    let into = place.path("readings");
    let words = [
        "readings",
        "import",
        text_of(&file),
        "--into",
        text_of(&into),
        "--calendar",
        "Australia/Sydney",
        "--json",
    ];
    let first = json(&veilgrid(words));
    assert_eq!(
        (&first["format"], &first["filled_slots"], &first["missing"]),
        (&"nem12".into(), &1344.into(), &192.into())
    );
    assert_eq!(json(&veilgrid(words))["already_imported"], true);
    for (date, slots) in [("2026-04-05", 100), ("2026-10-04", 92)] {
        let status = place.ask("status", &["--from", date, "--to", date]);
        assert_eq!(
            (&status["series"][1]["slots"], &status["series"][1]["missing"]),
            (&slots.into(), &0.into())
        );
    }
}

#[test]
fn workbooks_feeds_and_telegrams_are_known_too() {
    for (file, calendar, format, filled) in [
        ("eda/tests/fixtures/portal.xlsx", "Europe/Vienna", "eda", 566),
        ("greenbutton/tests/fixtures/new_york.xml", "America/New_York", "green-button", 566),
        ("telegrams/tests/fixtures/p1.log", "Europe/Amsterdam", "p1", 570),
        ("telegrams/tests/fixtures/sml.log", "Europe/Berlin", "sml", 570),
    ] {
        let place = Place::new();
        let file = crate::cli::root().join("connectors").join(file);
        let into = place.path("readings");
        let words = [
            "readings",
            "import",
            text_of(&file),
            "--into",
            text_of(&into),
            "--calendar",
            calendar,
            "--capacity-kw",
            "11",
            "--json",
        ];
        let report = json(&veilgrid(words));
        assert_eq!(
            (&report["format"], &report["filled_slots"]),
            (&format.into(), &filled.into()),
            "{report}"
        );
    }
}

#[test]
fn a_signed_session_is_said_exactly_and_a_changed_one_is_refused() {
    let place = Place::new();
    let records = include_str!("../../connectors/ocmf/tests/fixtures/records.txt");
    let fields: Vec<&str> = records.lines().next().expect("a line").split('\t').collect();
    let file = place.path("record.ocmf");
    std::fs::write(&file, fields[3]).expect("written");
    let report =
        json(&veilgrid(["readings", "session", text_of(&file), "--public-key", fields[1], "--json"]));
    assert_eq!(
        (&report["energy_wh"], &report["begin"], &report["end"]),
        (&"21523".into(), &"2026-10-25T00:15:00Z".into(), &"2026-10-25T01:15:00Z".into())
    );
    std::fs::write(&file, fields[3].replacen("2957.123", "2957.124", 1)).expect("written");
    let refused = veilgrid(["readings", "session", text_of(&file), "--public-key", fields[1]]);
    assert_eq!(code(&refused), 2);
    assert!(stderr(&refused).contains("signature does not hold"), "{}", stderr(&refused));
}

/// Ten meters, thirty days, all meters of a slot one after another.
fn month_of_ten() -> String {
    let mut text = "begin,meter,consumption_kwh,generation_kwh\n".to_owned();
    for slot in 0..30 * 96 {
        let begin = veilgrid_market::timestamp::format_utc(1_780_264_800 + slot * 900);
        for meter in 0..10 {
            writeln!(text, "{begin},AT{meter},0.{:03},0.{:03}", slot * 7 % 990 + meter, slot * 13 % 900)
                .expect("a string grows");
        }
    }
    text
}

/// The files below a folder with their contents.
fn tree(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(tree(&path));
        } else if path.extension().is_some_and(|ending| ending == "readings") {
            files.push((path.clone(), std::fs::read(&path).expect("read")));
        }
    }
    files.sort();
    files
}

#[test]
fn an_import_that_was_killed_goes_on_and_nothing_is_lost_or_doubled() {
    let (whole, cut) = (Place::new(), Place::new());
    let text = month_of_ten();
    assert_eq!(json(&whole.import(&text, &[]))["filled_slots"], 57_600);
    let file = cut.path("file.csv");
    std::fs::write(&file, &text).expect("written");
    let into = cut.path("readings");
    let words = [
        "readings",
        "import",
        text_of(&file),
        "--into",
        text_of(&into),
        "--zone",
        "Europe/Vienna",
        "--hold-slots",
        "2000",
        "--json",
    ];
    let mut run = Command::new(env!("CARGO_BIN_EXE_veilgrid"))
        .args(words)
        .stdout(Stdio::null())
        .spawn()
        .expect("started");
    let record = into.join("imports/000001.json");
    let is_under_way = || {
        std::fs::read(&record).is_ok_and(|bytes| {
            serde_json::from_slice::<Value>(&bytes).is_ok_and(|one| one["done_bytes"].as_u64() > Some(0))
        })
    };
    while !is_under_way() {
        assert!(run.try_wait().expect("waited").is_none(), "it ended before it was killed");
        std::thread::sleep(Duration::from_millis(1));
    }
    run.kill().expect("killed");
    assert!(!run.wait().expect("waited").success(), "it was killed before its end");
    let resumed = json(&veilgrid(words));
    assert!(resumed["resumed_at_byte"].as_u64() > Some(0), "{resumed}");
    assert_eq!(resumed["import"], 1);
    let names = |place: &Place| {
        tree(&place.path("readings"))
            .into_iter()
            .map(|(path, bytes)| (path.strip_prefix(place.folder.path()).expect("below").to_owned(), bytes))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&whole), names(&cut));
    assert_eq!(json(&veilgrid(words))["already_imported"], true);
    // The same path with another content is another import, from its begin.
    std::fs::write(&file, text.replacen("0.000,", "0.001,", 1)).expect("written");
    let other = json(&veilgrid(words));
    assert_eq!(
        (&other["import"], &other["resumed_at_byte"], &other["corrected_slots"]),
        (&2.into(), &Value::Null, &1.into())
    );
}

/// Cut off after the months were written and before the record was: another file of the same length must not go on there.
#[test]
fn a_file_that_was_written_since_is_an_import_of_its_own() {
    let place = Place::new();
    let text = day("2026-06-21", "0.1", &[]);
    assert_eq!(json(&place.import(&text, &[]))["import"], 1);
    let record = place.path("readings/imports/000001.json");
    let mut cut: Value = serde_json::from_slice(&std::fs::read(&record).expect("a record")).expect("JSON");
    cut["is_whole"] = false.into();
    cut["done_bytes"] = 0.into();
    cut["sha256"] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".into();
    std::fs::write(&record, cut.to_string()).expect("written");
    let other = json(&place.import(&text.replacen("0.1", "0.2", 1), &[]));
    assert_eq!((&other["import"], &other["corrected_slots"]), (&2.into(), &1.into()));
}

#[test]
fn a_last_line_without_an_end_and_another_calendar_are_told() {
    let place = Place::new();
    let text = day("2026-06-21", "0.1", &[]);
    assert_eq!(json(&place.import(&text, &[]))["notes"], Value::Array(Vec::new()));
    let cut = json(&place.import(text.trim_end(), &[]));
    assert!(cut["notes"][0].as_str().is_some_and(|note| note.contains("no line end")), "{cut}");
    let other = place.import(&text, &["--calendar", "UTC"]);
    assert_eq!(code(&other), 2);
    assert!(stderr(&other).contains("has the days of Europe/Vienna"), "{}", stderr(&other));
}
