//! `clear --plain` with the utility's order beside the book.

use crate::cli::{clear, code, root, stderr, veilgrid, write_book};
use serde_json::{Value, json};

const HEAD: &str = "id,side,price_ct_per_kwh,quantity_kwh\n";

fn fill(result: &Value, id: &str) -> u64 {
    let fills = result["fills"].as_array().expect("fills");
    let one = fills.iter().find(|fill| fill["id"] == id).expect("the order");
    one["filled_q16"].as_u64().expect("a number")
}

#[test]
fn members_come_before_the_utility_and_limits_bind() {
    let dir = tempfile::tempdir().expect("a folder");
    let rows = "load,buy,32,1\nroof,sell,32,0.3\nsun,sell,8,0.2\n";
    let book = write_book(dir.path(), "night.csv", &format!("{HEAD}{rows}"));
    let with =
        |more: &[&str]| clear(&book, &[&["--plain", "--retail", "32", "--feed-in", "8"], more].concat());
    let open = with(&[]);
    assert_eq!(open["utility"], json!({"sold_wh": 500, "bought_wh": 0}));
    assert_eq!((&open["price_mct_per_kwh"], &open["volume_wh"]), (&json!(32_000), &json!(1_000)));
    assert_eq!((fill(&open, "load"), fill(&open, "roof")), (1_000 << 16, 300 << 16));
    let bound = with(&["--import-limit", "0.25"]);
    assert_eq!(bound["utility"], json!({"sold_wh": 250, "bought_wh": 0}));
    assert_eq!((fill(&bound, "load"), &bound["rationed"]), (750 << 16, &json!("demand")));
    // Without the options there is no utility, in the result neither.
    let alone = clear(&book, &["--plain"]);
    assert_eq!((alone.get("utility"), fill(&alone, "load")), (None, 500 << 16));
    // More sun than load: it goes to the utility at feed-in, or stays where it is.
    let rows = "load,buy,20,0.1\nsun,sell,-2,0.7\n";
    let noon = write_book(dir.path(), "noon.csv", &format!("{HEAD}{rows}"));
    let tariffs = ["--plain", "--retail", "32", "--feed-in=-1", "--price-min=-16000"];
    let open = clear(&noon, &tariffs);
    assert_eq!(open["utility"], json!({"sold_wh": 0, "bought_wh": 600}));
    assert_eq!(open["price_mct_per_kwh"], json!(-1_000));
    let bound = clear(&noon, &[&tariffs[..], &["--export-limit", "0.2"]].concat());
    assert_eq!(bound["utility"], json!({"sold_wh": 0, "bought_wh": 200}));
    assert_eq!((&bound["price_mct_per_kwh"], &bound["rationed"]), (&json!(-2_000), &json!("supply")));
    let noon = noon.to_str().expect("UTF-8");
    let text = veilgrid([&["clear", noon], &tariffs[..]].concat());
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("the utility buys kWh") && text.contains("0.600"), "{text}");
}

#[test]
fn a_utility_that_no_market_has_is_refused() {
    let book = root().join("data/order_books/t_10_s1.csv");
    let book = book.to_str().expect("UTF-8");
    let refused = |more: &[&str], reason: &str| {
        let output = veilgrid(["clear", book].iter().chain(more));
        assert_eq!(code(&output), 2, "{more:?}");
        assert!(stderr(&output).contains(reason), "{more:?}: {}", stderr(&output));
    };
    refused(&["--retail", "32", "--feed-in", "8"], "--plain");
    refused(&["--plain", "--retail", "32"], "--feed-in");
    refused(&["--plain", "--import-limit", "3"], "--retail");
    let with =
        |retail: &'static str, feed_in: &'static str| ["--plain", "--retail", retail, "--feed-in", feed_in];
    refused(&with("8", "32"), "the feed-in tariff 32.00 ct/kWh has to be below retail, 8.00 ct/kWh");
    refused(&with("8", "8"), "the utility would trade with itself");
    refused(
        &with("32.5", "8"),
        "the retail tariff 32.50 ct/kWh is none of the market's prices (0.00 to 63.00",
    );
    refused(&with("32.0001", "8"), "--retail 32.0001: give a price in ct/kWh with at most three decimals");
    refused(&with("32", "-1"), "the feed-in tariff -1.00 ct/kWh is none of the market's prices");
    refused(&with("much", "8"), "--retail much: give a price");
    let limit = |limit: &'static str| [&with("32", "8")[..], &["--import-limit", limit]].concat();
    refused(&limit("0.0001"), "--import-limit 0.0001: give kWh in whole Wh");
    refused(&limit("2000000000000"), "--import-limit 2000000000000: give kWh");
    let reduction = [&with("32", "8")[..], &["--rule", "trade-reduction"]].concat();
    refused(&reduction, "under trade reduction the utility has no order");
}
