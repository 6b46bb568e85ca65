//! `compare` as a user runs it: figures, balance, the picture, and what is refused.

use crate::cli::{code, json, stderr, veilgrid};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};

fn mechanism<'a>(report: &'a Value, name: &str) -> &'a Value {
    let all = report["mechanisms"].as_array().expect("mechanisms");
    all.iter().find(|one| one["mechanism"] == name).unwrap_or_else(|| panic!("{name} is missing"))
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// The README prints these.
#[test]
fn the_built_in_day_has_the_figures_of_the_readme() {
    let report = json(&veilgrid(["compare", "--json"]));
    assert_eq!(
        (&report["members"], &report["slots"], &report["slot_seconds"]),
        (&json!(121), &json!(96), &json!(900))
    );
    assert_eq!(report["retail_mct_per_kwh"], json!(32_000));
    let names: Vec<&str> = report["mechanisms"]
        .as_array()
        .expect("mechanisms")
        .iter()
        .map(|one| one["mechanism"].as_str().expect("a name"))
        .collect();
    assert_eq!(names, ["tariffs", "mid_market_rate", "supply_demand_ratio", "bill_sharing", "auction"]);
    let readme = std::fs::read_to_string(crate::cli::root().join("README.md")).expect("the README");
    for one in report["mechanisms"].as_array().expect("mechanisms") {
        let paid = number(&one["members_q16"]) + number(&one["public_account_q16"]);
        assert_eq!(paid, number(&one["utility_q16"]), "{one}");
        let ct = |mct: &Value| format!("{}.{:02}", number(mct) / 1000, number(mct).abs() % 1000 / 10);
        for role in one["roles"].as_array().expect("roles") {
            let figure = ct(&role["cost_per_member_mct"]);
            assert!(readme.contains(&figure), "the README does not have {figure} of {one}");
        }
    }
    let share = |name: &str| number(&mechanism(&report, name)["self_sufficiency_permille"]);
    assert!(share("tariffs") < share("mid_market_rate") && share("mid_market_rate") < share("auction"));
    assert!(number(&report["auction"]["volume_wh"]) > 0);
}

#[test]
fn the_same_seed_gives_the_same_day_and_another_one_another_auction() {
    let run = |seed: &str| json(&veilgrid(["compare", "--participants", "30", "--seed", seed, "--json"]));
    let first = run("4");
    assert_eq!(first, run("4"));
    assert_ne!(mechanism(&first, "auction"), mechanism(&run("5"), "auction"));
    assert_eq!(first["members"], json!(30));
}

#[test]
fn people_get_tables_and_a_picture() {
    let dir = tempfile::tempdir().expect("a folder");
    let picture = dir.path().join("day.svg");
    let path = picture.to_str().expect("UTF-8");
    let output = veilgrid(["compare", "--participants", "20", "--svg", path]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for part in
        ["bill sharing", "peak import kW", "self-sufficiency %", "the auction saves", "kWh still wait"]
    {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    let svg = std::fs::read_to_string(&picture).expect("the picture");
    assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"") && svg.ends_with("</svg>\n"));
    // Three kinds of members, two figures more, five rows: a bar each, and the background.
    assert_eq!(svg.matches("<rect ").count(), 5 * 5 + 1);
    for tag in ["svg", "text", "title", "desc"] {
        let (opened, closed) = (format!("<{tag}"), format!("</{tag}>"));
        assert_eq!(svg.matches(&opened).count(), svg.matches(&closed).count(), "{tag}");
    }
    let again = veilgrid(["compare", "--participants", "20", "--svg", path]);
    assert_eq!(code(&again), 2);
    assert!(stderr(&again).contains("exists already"), "{}", stderr(&again));
}

#[test]
fn tariffs_below_zero_leave_out_what_has_no_price_there() {
    let report = json(&veilgrid(["compare", "--participants", "20", "--feed-in=-4", "--json"]));
    assert_eq!(report["left_out"][0]["mechanism"], json!("supply_demand_ratio"));
    assert_eq!(report["mechanisms"].as_array().expect("mechanisms").len(), 4);
    assert_eq!(report["grid"]["price_min_mct_per_kwh"], json!(-4_000));
    let text = veilgrid(["compare", "--participants", "20", "--feed-in", "-4"]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(
        text.contains("supply-demand ratio is left out: its price divides by the feed-in tariff"),
        "{text}"
    );
}

/// Runs `compare --data -` on a text.
fn compare_text(data: &str, more: &[&str]) -> std::process::Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_veilgrid"))
        .args(["compare", "--data", "-"].iter().chain(more))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child.stdin.take().expect("a pipe").write_all(data.as_bytes()).expect("written");
    child.wait_with_output().expect("it ends")
}

const HEADER: &str = "slot_start,participant_id,role,load_kwh,generation_kwh,ev_kwh\n";

#[test]
fn own_data_is_read_and_small_numbers_are_exact() {
    let rows = "2026-06-01T10:00:00Z,home,consumer,2,0,0\n2026-06-01T10:00:00Z,roof,prosumer,0,1,0\n\
                2026-06-01T10:15:00Z,home,consumer,0,0,0\n2026-06-01T10:15:00Z,roof,prosumer,0,0,0\n";
    let report =
        json(&compare_text(&format!("{HEADER}{rows}"), &["--retail", "30", "--feed-in", "10", "--json"]));
    let cost = |name: &str, role: usize| number(&mechanism(&report, name)["roles"][role]["cost_mct"]);
    let costs = |name: &str| (cost(name, 0), cost(name, 1));
    assert_eq!(costs("tariffs"), (-10_000, 60_000));
    assert_eq!(costs("mid_market_rate"), (-20_000, 50_000));
    assert_eq!(costs("supply_demand_ratio"), (-15_000, 45_000));
    assert_eq!(costs("bill_sharing"), (0, 30_000));
    assert_eq!(mechanism(&report, "tariffs")["peak_import_w"], json!(8_000));
    assert_eq!(mechanism(&report, "mid_market_rate")["self_sufficiency_permille"], json!(500));
    assert_eq!(mechanism(&report, "mid_market_rate")["self_consumption_permille"], json!(1_000));
}

#[test]
fn bad_input_is_refused_with_the_reason() {
    let refused = |output: std::process::Output, reason: &str| {
        assert_eq!(code(&output), 2, "{reason}: {}", stderr(&output));
        assert!(stderr(&output).contains(reason), "{reason}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{reason}");
    };
    refused(
        veilgrid(["compare", "--retail", "8", "--feed-in", "9"]),
        "feed-in 9000 mct/kWh is above retail 8000",
    );
    refused(veilgrid(["compare", "--retail", "much"]), "--retail much: give a price in ct/kWh");
    refused(veilgrid(["compare", "--ticks", "63"]), "a power of two of ticks");
    refused(veilgrid(["compare", "--participants", "0"]), "0 participants");
    refused(veilgrid(["compare", "--participants", "1000"]), "the data has 121");
    refused(veilgrid(["compare", "--data", "/nowhere/day.csv"]), "/nowhere/day.csv");
    refused(veilgrid(["compare", "--svg", "/nowhere/day.svg", "--participants", "4"]), "/nowhere/day.svg");
    refused(compare_text("slot_start,load\n", &[]), "participant_id");
    let one_slot = format!("{HEADER}2026-06-01T10:00:00Z,home,consumer,2,0,0\n");
    refused(compare_text(&one_slot, &[]), "single slot");
    let negative = format!("{HEADER}2026-06-01T10:00:00Z,home,consumer,-2,0,0\n");
    refused(compare_text(&negative, &[]), "line 2");
}
