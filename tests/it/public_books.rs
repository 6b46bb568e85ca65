//! `clear --plain` against the reference results of all public books.

use crate::cli;
use crate::cli::{clear, root};
use serde_json::{Value, json};

/// The reference's result in the words of `clear --json` (`data/order_books`: p_min, tick, prices in 0.01 ct; buy and
/// sell for demand and supply).
fn in_our_words(expected: &Value) -> Value {
    let traded = expected["traded"] == json!(true);
    let times_ten = |value: &Value| value.as_i64().map(|price| price * 10);
    json!({
        "traded": traded,
        "price_mct_per_kwh": expected["price_x2"].as_i64().map(|price_x2| price_x2 * 5),
        "price_interval_mct_per_kwh":
            traded.then(|| [times_ten(&expected["price_lo"]), times_ten(&expected["price_hi"])]),
        "volume_wh": expected["volume_wh"],
        "rationed": match expected["rationed"].as_str() {
            Some("buy") => "demand",
            Some("sell") => "supply",
            _ => "none",
        },
        "fraction_q16": expected["fraction"],
        "rest_q16": expected["rest"],
    })
}

#[test]
fn plain_clearing_equals_the_reference_on_all_public_books() {
    let books: Vec<Value> = serde_json::from_str(
        &std::fs::read_to_string(root().join("data/order_books/expected.json")).expect("reference results"),
    )
    .expect("JSON");
    assert_eq!(books.len(), 21 + 16, "a grid each, and two grids for those with prices below zero");
    for expected in &books {
        let name = expected["book"].as_str().expect("a name");
        let (p_min, tick) =
            (expected["p_min"].as_i64().expect("p_min"), expected["tick"].as_i64().expect("tick"));
        let ours = clear(
            &root().join(format!("data/order_books/{name}.csv")),
            &[
                "--plain",
                "--off-grid",
                "drop",
                "--price-min",
                &(p_min * 10).to_string(),
                "--tick",
                &(tick * 10).to_string(),
                "--ticks",
                &expected["L"].to_string(),
            ],
        );
        let wanted = in_our_words(expected);
        for (key, value) in wanted.as_object().expect("an object") {
            assert_eq!(&ours[key], value, "{name}: {key}");
        }
        let fills = ours["fills"].as_array().expect("fills");
        assert_eq!(fills.len(), expected["fills"].as_object().expect("fills").len(), "{name}");
        for fill in fills {
            let id = fill["id"].as_str().expect("an id");
            assert_eq!(fill["filled_q16"], expected["fills"][id], "{name}: fill of {id}");
        }
        let opened: Vec<Value> = ours["opened"]
            .as_array()
            .expect("opened")
            .iter()
            .filter(|sum| sum["purpose"] == "Path")
            .map(|sum| json!([sum["sum"], sum["tick"], sum["value_wh"]]))
            .collect();
        assert_eq!(json!(opened), expected["openings"], "{name}: path");
    }
}

/// What the audit finds opened on a sealed ledger against the reference's path, which shares no code with ours: the
/// path, then the traded volume at the marginal tick, and nothing else.
#[test]
fn a_sealed_ledger_opens_exactly_the_path_of_the_reference_and_the_volume() {
    let text = std::fs::read_to_string(root().join("data/order_books/expected.json")).expect("results");
    let books: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let dir = tempfile::tempdir().expect("a folder");
    let (mut checked, mut volumes) = (0, 0);
    for expected in &books {
        let name = expected["book"].as_str().expect("a name");
        if name.starts_with("t_100") || name.starts_with("n_100") {
            // Books of hundreds of orders belong to the long run of `sealed_equals_plain`.
            continue;
        }
        let ledger = dir.path().join(format!("{name}-{}.vgl", expected["L"]));
        let ledger = ledger.to_str().expect("UTF-8");
        let times_ten = |key: &str| (expected[key].as_i64().expect("a number") * 10).to_string();
        let (p_min, tick, ticks) = (times_ten("p_min"), times_ten("tick"), expected["L"].to_string());
        let grid = ["--price-min", &p_min, "--tick", &tick, "--ticks", &ticks, "--off-grid", "drop"];
        clear(
            &root().join(format!("data/order_books/{name}.csv")),
            &[&grid[..], &["--ledger", ledger]].concat(),
        );
        let report = cli::json(&cli::veilgrid(["audit", ledger, "--json"]));
        let opened = report["opened_values"].as_array().expect("opened");
        let of = |purpose: &str| -> Vec<Value> {
            let wanted = opened.iter().filter(|sum| sum["purpose"] == purpose);
            wanted.map(|sum| json!([sum["kind"], sum["tick"], sum["value_wh"]])).collect()
        };
        assert_eq!(json!(of("Path")), expected["openings"], "{name}");
        let volume = match (expected["marginal_tick"].as_u64(), expected["rationed"].as_str()) {
            // At the end of the grid the path has the volume: W_{-1} is all of the demand.
            (Some(0), Some("sell")) => Vec::new(),
            (Some(tick), Some("sell")) => vec![json!(["D", tick, expected["volume_wh"]])],
            (Some(tick), _) => vec![json!(["S", tick, expected["volume_wh"]])],
            (None, _) => Vec::new(),
        };
        assert_eq!(of("Volume"), volume, "{name}");
        checked += 1;
        volumes += volume.len();
    }
    assert_eq!(checked, 15 + 14);
    assert!(volumes > 5);
}

#[test]
fn the_setm_case_study_clears_in_its_low_high_and_willing_limits() {
    let grid = ["--price-min", "3000", "--tick", "100", "--ticks", "32"];
    for (case, traded, price, volume) in [
        ("low", false, json!(null), 0),
        ("high", false, json!(null), 0),
        ("willing", true, json!(4800), 60_000),
    ] {
        let dir = tempfile::tempdir().expect("a folder");
        let ledger = dir.path().join("setm.vgl");
        let book = root().join(format!("data/setm_case_{case}.csv"));
        let more = [&grid[..], &["--ledger", ledger.to_str().expect("UTF-8")]].concat();
        let sealed = clear(&book, &more);
        assert_eq!(sealed["traded"], json!(traded), "{case}");
        assert_eq!(sealed["price_mct_per_kwh"], price, "{case}");
        assert_eq!(sealed["volume_wh"], json!(volume), "{case}");
        assert_eq!(sealed, clear(&book, &[&grid[..], &["--plain"]].concat()), "{case}");
        let report = cli::json(&cli::veilgrid(["audit", ledger.to_str().expect("UTF-8"), "--json"]));
        assert_eq!(report["ok"], json!(true), "{case}");
        assert_eq!(report["bids"], json!(7), "{case}");
    }
}
