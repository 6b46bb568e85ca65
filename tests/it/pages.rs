//! Pages that the program writes: a day's, and an audit's.

use crate::cli::{code, stderr, veilgrid};
use std::path::Path;

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a page")
}

/// A day with its page, and the audit's page of the same ledger; a ledger that was changed is told on its page, nothing of it is
/// drawn, and no page is written over another file.
#[test]
fn a_day_and_its_audit_as_pages() {
    let dir = tempfile::tempdir().expect("a folder");
    let day = dir.path().join("day");
    let size = ["--participants", "8", "--slots", "2", "--ticks", "16", "--min-bidders", "2"];
    let run = veilgrid([["demo", "--lang", "de", "--json", "--out", text(&day)].as_slice(), &size].concat());
    assert_eq!(code(&run), 0, "{}", stderr(&run));
    let json: serde_json::Value = serde_json::from_slice(&run.stdout).expect("JSON");
    let page = read(&day.join("report.html"));
    assert!(page.contains("Ein Tag in der Gemeinschaft") && page.contains("<svg"), "{page}");

    let (ledger, audit) = (day.join("ledger.vgl"), dir.path().join("audit.html"));
    let run = veilgrid(["audit", text(&ledger), "--html", text(&audit)]);
    assert_eq!(code(&run), 0, "{}", stderr(&run));
    let page = read(&audit);
    assert!(page.contains("Everything holds"));
    // Every opened sum of the day stands on the page.
    for round in json["rounds"].as_array().expect("rounds") {
        for sum in round["opened"].as_array().expect("sums") {
            let value = sum["value_wh"].as_i64().expect("a value");
            let request = &sum["request"];
            let name = format!("{}{}={value}", request["kind"].as_str().expect("a kind"), request["tick"]);
            assert!(page.contains(&name), "{name}");
        }
    }

    let again = veilgrid(["audit", text(&ledger), "--html", text(&audit)]);
    assert_eq!(code(&again), 2);
    assert!(stderr(&again).contains("exists already"), "{}", stderr(&again));

    let mut bytes = std::fs::read(&ledger).expect("the ledger");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let (changed, verdict) = (dir.path().join("changed.vgl"), dir.path().join("verdict.html"));
    std::fs::write(&changed, bytes).expect("writable");
    let run = veilgrid(["audit", text(&changed), "--html", text(&verdict)]);
    assert_eq!(code(&run), 1, "{}", stderr(&run));
    let page = read(&verdict);
    assert!(page.contains("does not hold") && !page.contains("<svg") && !page.contains("Everything holds"));
}
