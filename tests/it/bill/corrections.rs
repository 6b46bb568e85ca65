//! Corrections: no final bill changes, each is in the next bill, once.

use super::DATE;
use super::place::{Place, tree};
use crate::cli::{code, json};
use serde_json::Value;
use std::fmt::Write;

const HEAD: &str = "begin,meter,consumption_kwh,generation_kwh,grade\n";

/// An evening hour of flat-1 in March with another value.
fn correction(kwh: &str, grade: &str) -> String {
    format!("{HEAD}2026-03-20T16:00Z,AT-101,{kwh},,{grade}\n")
}

fn may() -> String {
    let mut text = HEAD.to_owned();
    for hour in 0..31 * 24 {
        let begin = veilgrid_market::timestamp::format_utc(1_777_586_400 + hour * 3_600);
        for meter in 101..=108 {
            writeln!(text, "{begin},AT-{meter},0.{:03},0.{:03},measured", 100 + meter, meter % 7)
                .expect("a string grows");
        }
    }
    text
}

fn notes(bill: &Value) -> usize {
    bill["corrections"].as_array().expect("notes").len()
}

#[test]
fn a_correction_is_in_the_next_bill_and_in_no_other() {
    let place = Place::new();
    let march = place.bill_final("2026-03", DATE);
    place.april();
    let april_alone = place.preview("2026-04");
    let before = tree(&place.path("bills"));
    place.import(&correction("2.500", "measured"));
    let april = place.bill_final("2026-04", "2026-05-04");
    let march_files: Vec<_> = tree(&place.path("bills/2026-03"));
    assert!(
        before.iter().all(|file| march_files.contains(file) || file.0.ends_with("lock")),
        "March is as it was"
    );
    // Shared out pro rata, one reading changes what every consumer of that hour got.
    assert_eq!(april["corrected"][0]["period"], "2026-03");
    let accounts = april["corrected"][0]["accounts"].as_u64().expect("a number");
    assert!(accounts > 3, "{april}");
    let own = place.show("2026-04", "flat-1");
    assert_eq!(notes(&own), 1);
    let note = &own["corrections"][0];
    assert_eq!((&note["period"], &note["bill"]), (&"2026-03".into(), &"2026-03-0001".into()));
    assert_eq!((&note["days"][0]["date"], &note["days"][0]["slots"]), (&"2026-03-20".into(), &1.into()));
    assert!(
        note["amount"].as_str().expect("units").parse::<i128>().expect("a number") > 0,
        "it used more: a debit note"
    );
    let other = place.show("2026-04", "bakery");
    assert_eq!((notes(&other), &other["corrections"][0]["days"]), (1, &Value::Array(vec![])));
    // What April itself comes to is what it came to without; the rest is the correction.
    for (bill, alone) in
        april["bills"].as_array().expect("bills").iter().zip(april_alone["bills"].as_array().expect("bills"))
    {
        let units =
            |value: &Value| value["exact_units"].as_str().expect("text").parse::<i128>().expect("a number");
        let note = place.show("2026-04", bill["account"].as_str().expect("an account"));
        let notes: i128 = note["corrections"]
            .as_array()
            .expect("notes")
            .iter()
            .map(|one| one["amount"].as_str().expect("text").parse::<i128>().expect("a number"))
            .sum();
        assert_eq!(units(bill), units(alone) + notes);
    }
    place.import(&may());
    let next = place.preview("2026-05");
    assert_eq!(next["corrected"], Value::Array(vec![]), "not a second time");
    // The value as it was: all is billed back, in May.
    let original = std::fs::read_to_string(crate::cli::root().join("data/billing/march.csv")).expect("march");
    let line = original.lines().find(|line| line.starts_with("2026-03-20T16:00Z,AT-101,")).expect("the hour");
    place.import(&format!("{HEAD}{line}\n"));
    let back = place.bill_final("2026-05", "2026-06-02");
    let sum = |run: &Value| {
        run["corrected"][0]["amount"].as_str().expect("units").parse::<i128>().expect("a number")
    };
    assert_eq!(sum(&back), -sum(&april));
    assert_eq!(back["corrected"].as_array().expect("a list").len(), 1);
    assert_eq!(march["period"], "2026-03");
    let status = json(&place.status());
    assert_eq!(
        (&status["months"][2]["corrected"][0], &status["next_period"]),
        (&"2026-03".into(), &"2026-06".into())
    );
}

#[test]
fn a_correction_that_may_not_be_billed_waits_and_stops_nothing() {
    let place = Place::new();
    place.bill_final("2026-03", DATE);
    place.april();
    place.import(&correction("2.500", "estimated"));
    let april = place.bill_final("2026-04", "2026-05-04");
    assert_eq!(april["corrected"], Value::Array(vec![]));
    let reason = april["deferred"][0]["reason"].as_str().expect("a reason");
    assert!(
        reason.contains("flat-1") && reason.contains("1 slot estimated, 2026-03-20T16:00:00Z"),
        "{reason}"
    );
    place.import(&may());
    place.import(&correction("2.400", "measured"));
    let may = place.bill_final("2026-05", "2026-06-02");
    assert_eq!(
        (&may["corrected"][0]["period"], &may["deferred"]),
        (&"2026-03".into(), &Value::Array(vec![]))
    );
    assert_eq!(notes(&place.show("2026-05", "flat-1")), 1);
}

#[test]
fn who_has_left_gets_its_correction_and_is_not_forgotten() {
    let place = Place::new();
    place.bill_final("2026-03", DATE);
    place.april();
    place.import(&correction("2.500", "measured"));
    let accounts = place.read("accounts.csv");
    place.replace("meters.csv", "AT-101,flat-1,consumption,,", "AT-101,flat-1,consumption,,2026-03-31");
    let april = place.preview("2026-04");
    let own = april["bills"]
        .as_array()
        .expect("bills")
        .iter()
        .find(|bill| bill["account"] == "flat-1")
        .expect("a bill");
    assert_ne!(own["corrections_ct"], "0");
    // Without the account nobody would be left to be billed.
    let line = accounts.lines().find(|line| line.starts_with("flat-1,")).expect("a line");
    place.replace("accounts.csv", &format!("{line}\n"), "");
    place.replace("meters.csv", "AT-101,flat-1,consumption,,2026-03-31\n", "");
    std::fs::remove_file(place.path("orders/flat-1.json")).expect("removed");
    place.refused("2026-04", &["--preview"], &["\"flat-1\"", "put it back"]);
    assert_eq!(code(&place.status()), 0);
}
