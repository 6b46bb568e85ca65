//! Prices below zero through the whole program: a grid, a sealed round, its audit, what is shown, and what is refused.

use crate::cli::{clear, code, json, root, stderr, veilgrid, write_book};
use serde_json::json;

#[test]
fn a_sealed_round_below_zero_is_cleared_shown_and_audited() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = dir.path().join("night.vgl");
    let ledger = ledger.to_str().expect("UTF-8");
    let book = root().join("data/order_books/n_surplus_pays_to_be_taken.csv");
    let sealed = clear(&book, &["--price-min=-16000", "--ledger", ledger]);
    assert_eq!(sealed["price_mct_per_kwh"], json!(-4_000));
    assert_eq!(sealed["price_interval_mct_per_kwh"], json!([-4_000, -4_000]));
    assert_eq!((&sealed["rationed"], &sealed["volume_wh"]), (&json!("supply"), &json!(1_300)));
    assert_eq!(sealed, clear(&book, &["--price-min", "-16000", "--plain"]), "the number may stand apart too");
    let report = json(&veilgrid(["audit", ledger, "--json"]));
    assert_eq!((&report["ok"], &report["conservation_checks"]), (&json!(true), &json!(1)));
    let shown = json(&veilgrid(["show", ledger, "--json"]));
    assert_eq!(shown["grid"]["price_min_mct_per_kwh"], json!(-16_000));
    let round = json(&veilgrid(["show", ledger, "round", "1", "--json"]));
    assert_eq!(round["outcome"]["trade"]["sell_price_mct_per_kwh"], json!(-4_000));
    let text = veilgrid(["show", ledger]);
    let text = String::from_utf8_lossy(&text.stdout);
    assert!(text.contains("-16.00 to 47.00") && text.contains("-4.00"), "{text}");
}

#[test]
fn the_program_says_the_price_in_words() {
    let book = root().join("data/order_books/n_limits_between_ticks.csv");
    let output = veilgrid(["clear", book.to_str().expect("UTF-8"), "--plain", "--price-min=-16000"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    // A limit is told as it was written, the price as the grid has it.
    for part in ["-4.75", "-0.001", "-3.999", "-4.00"] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
}

#[test]
fn impossible_grids_and_prices_are_refused_with_the_reason() {
    let book = root().join("data/order_books/n_all_below_zero.csv");
    let book = book.to_str().expect("UTF-8");
    let refused = |more: &[&str], reason: &str| {
        let output = veilgrid(["clear", book, "--plain"].iter().chain(more));
        assert_eq!(code(&output), 2, "{more:?}");
        assert!(stderr(&output).contains(reason), "{more:?}: {}", stderr(&output));
    };
    // The grid starts above what buys offer, or ends below what sells ask.
    refused(&[], "buy at -2.00 ct/kWh can never trade on the grid 0.00 to 63.00");
    refused(&["--price-min=-80000"], "sell at -9.00 ct/kWh can never trade on the grid -80.00 to -17.00");
    refused(&["--price-min=-1099511627777"], "is below -1099511627776; raise it");
    refused(&["--price-min=-9223372036854775809"], "invalid value '-9223372036854775809' for '--price-min");
    refused(&["--price-min=-1099511627776", "--tick", "68719476738"], "lower the first price or the tick");
    let dir = tempfile::tempdir().expect("a folder");
    let low = write_book(
        dir.path(),
        "low.csv",
        "id,side,price_ct_per_kwh,quantity_kwh\na,sell,-1099511627.777,1\n",
    );
    let output = veilgrid(["clear", low.to_str().expect("UTF-8"), "--plain"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("too low; at least -1099511627.776 is possible"), "{}", stderr(&output));
    // Money would leave its 63 bits on either side of zero, however small the largest order is.
    refused(&["--bits", "32", "--price-min=-200000"], "can never trade");
    let sealed = veilgrid([
        "clear",
        book,
        "--bits",
        "32",
        "--ticks",
        "4",
        "--tick",
        "2",
        "--price-min=-1099511627776",
    ]);
    assert_eq!(code(&sealed), 2);
    assert!(stderr(&sealed).contains("a price can be at most 8.192 ct/kWh from zero"), "{}", stderr(&sealed));
}

#[test]
fn a_day_with_a_feed_in_tariff_below_zero_runs_and_is_audited() {
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path().join("day");
    let out = out.to_str().expect("UTF-8");
    let few = ["--participants", "6", "--slots", "2", "--ticks", "16", "--min-bidders", "2", "--out", out];
    let day = json(&veilgrid(["demo", "--feed-in", "-12.5", "--retail=-1", "--json"].iter().chain(&few)));
    assert_eq!(day["audit"]["rounds_settled"], json!(2), "{day}");
    for round in day["rounds"].as_array().expect("rounds") {
        assert!(round["price_mct_per_kwh"].as_i64().is_some_and(|price| price < 0), "{round}");
    }
    let ledger = format!("{out}/ledger.vgl");
    let shown = json(&veilgrid(["show", &ledger, "--json"]));
    assert_eq!(shown["grid"]["price_min_mct_per_kwh"], json!(-12_500));
    assert_eq!(json(&veilgrid(["audit", &ledger, "--json"]))["ok"], json!(true));
    let wrong = veilgrid(["demo", "--feed-in", "3", "--retail", "-1"]);
    assert_eq!(code(&wrong), 2);
    assert!(stderr(&wrong).contains("feed-in 3000 mct/kWh is above retail -1000"), "{}", stderr(&wrong));
}
