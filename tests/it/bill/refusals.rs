//! What is refused, with what is wrong and what to do; nothing is written then.

use super::DATE;
use super::place::{Place, example_order};
use crate::cli::{code, stderr, veilgrid};
use veilgrid_billing::standing::Opens;

const FINAL: [&str; 3] = ["--final", "--date", DATE];

#[test]
fn a_missing_or_estimated_value_is_refused_with_account_and_slots() {
    let place = Place::new();
    place.april();
    // A meter that nobody has read, and one that counts from a day on before which it was not read.
    place.replace(
        "meters.csv",
        "AT-108,flat-8,consumption,2026-03-16,",
        "AT-999,flat-8,consumption,2026-03-30,",
    );
    place.refused(
        "2026-03",
        &FINAL,
        &[
            "\"flat-8\"",
            "\"AT-999\"",
            "48 slots missing",
            "2026-03-29T22:00:00Z to 2026-03-31T22:00:00Z",
            "never zero",
        ],
    );
    place.replace("meters.csv", "AT-999", "AT-108");
    place.import("begin,meter,consumption_kwh,grade\n2026-03-31T10:00Z,AT-108,0.1,estimated\n");
    place.refused(
        "2026-03",
        &FINAL,
        &["\"flat-8\"", "1 slot estimated", "2026-03-31T10:00:00Z", "billed_grades"],
    );
    place.replace("community.toml", "\"substituted\"]", "\"substituted\", \"estimated\"]");
    assert_eq!(code(&place.bill("2026-03", &["--preview"])), 0);
    place.replace("community.toml", "[\"measured\", \"substituted\", \"estimated\"]", "[\"measured\"]");
    place.refused("2026-03", &FINAL, &["substituted", "more stretches"]);
    assert!(!place.path("bills").exists(), "nothing is written");
}

#[test]
fn months_are_billed_in_order_and_not_before_they_are_over() {
    let place = Place::new();
    place.refused("2026-03", &["--final", "--date", "2026-03-31"], &["2026-03-31", "not over"]);
    place.refused(
        "2026-03",
        &["--final", "--date", DATE, "--collect-on", "2026-04-01"],
        &["--collect-on 2026-04-01"],
    );
    place.refused("2026-03", &[], &["--preview", "--final"]);
    place.refused("2026-3", &FINAL, &["2026-03"]);
    place.bill_final("2026-03", DATE);
    place.refused("2026-05", &["--final", "--date", "2026-06-02"], &["next month to be billed is 2026-04"]);
    place.refused("2026-02", &FINAL, &["2026-02 is final"]);
    // April was not imported.
    place.refused("2026-04", &["--preview"], &["slots missing", "\"flat-1\""]);
}

#[test]
fn files_that_do_not_fit_are_refused() {
    let changed = |name: &str, from: &str, to: &str, words: &[&str]| {
        let place = Place::new();
        place.replace(name, from, to);
        place.refused("2026-03", &FINAL, words);
        assert!(!place.path("bills").exists(), "nothing is written");
    };
    changed(
        "community.toml",
        "Europe/Vienna",
        "Europe/London",
        &["Europe/Vienna", "Europe/London", "--calendar"],
    );
    changed("community.toml", "\"14.50\"", "\"14,50\"", &["community.toml", "buy_ct_per_kwh"]);
    changed(
        "community.toml",
        "from = \"2026-01-01\"",
        "from = \"2026-03-02\"",
        &["no price is in force", "2026-03-01"],
    );
    changed(
        "community.toml",
        "06:00-22:00\"]\n  buy_ct_per_kwh = \"14.50\"",
        "06:00-22:00\"]\n  buy_ct_per_kwh = \"9\"",
        &["members get more"],
    );
    changed(
        "accounts.csv",
        "AT483200000012345864",
        "AT483200000012345863",
        &["accounts.csv", "\"flat-1\"", "IBAN"],
    );
    changed("accounts.csv", "Anna Lechner", "家 Lechner", &["\"flat-1\"", "'家'"]);
    changed("accounts.csv", "8010 Graz,AT,6,,,,,", "8010 Graz,AT,5,,,,,", &["zone 5"]);
    changed("meters.csv", "AT-102,flat-2", "AT-101,flat-2", &["AT-101", "billed twice"]);
    changed("meters.csv", "AT-102,flat-2", "AT-102,flat-9", &["\"flat-9\""]);
    changed("orders/flat-1.json", "\"number\": 1", "\"number\": 2", &["flat-1.json", "was changed"]);
    changed("orders/flat-1.json", "\"format\": 1", "\"format\": 7", &["flat-1.json", "format 7"]);
    let place = Place::new();
    let order = serde_json::to_string(&example_order("flat-1", 4, 1, Opens::Total)).expect("JSON");
    std::fs::write(place.path("orders/flat-1.json"), order).expect("written");
    place.refused("2026-03", &FINAL, &["another key than that of account \"flat-1\""]);
}

#[test]
fn folders_that_are_something_else_are_refused() {
    let place = Place::new();
    std::fs::create_dir(place.path("bills")).expect("a folder");
    std::fs::write(place.path("bills/notes.txt"), "mine").expect("written");
    place.refused("2026-03", &FINAL, &["notes.txt", "no folder of bills"]);
    std::fs::remove_file(place.path("bills/notes.txt")).expect("removed");
    let out = place.text("orders");
    place.refused("2026-03", &["--preview", "--out", &out], &["exists already"]);
    // An import that was cut off: what it has still to say nobody knows.
    let record = place.path("readings/imports/000001.json");
    let text = std::fs::read_to_string(&record).expect("a record");
    std::fs::write(&record, text.replace("\"is_whole\": true", "\"is_whole\": false")).expect("written");
    place.refused("2026-03", &FINAL, &["import 1 of", "was cut off"]);
    let nothing = veilgrid(["bill", "status", "--bills", &place.text("nowhere")]);
    assert_eq!(code(&nothing), 2);
    let month = veilgrid(["bill", "show", "--bills", &place.text("bills"), "--period", "2026-03"]);
    assert!(stderr(&month).contains("2026-03 is not final"), "{}", stderr(&month));
}
