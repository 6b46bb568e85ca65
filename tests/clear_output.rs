//! What `clear` prints and logs: the documented keys, and no member's quantity in a log.

mod common;

use common::{clear, root, stderr, veilgrid, write_book};
use serde_json::Value;

const KEYS: [&str; 9] = [
    "traded",
    "price_mct_per_kwh",
    "price_interval_mct_per_kwh",
    "volume_wh",
    "rationed",
    "fraction_q16",
    "rest_q16",
    "fills",
    "opened",
];

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

fn sorted<const N: usize>(mut keys: [&str; N]) -> [&str; N] {
    keys.sort_unstable();
    keys
}

#[test]
fn the_result_has_exactly_the_documented_keys() {
    for (name, traded) in [("t_10_s1", true), ("e_no_cross", false)] {
        let book = root().join(format!("data/order_books/{name}.csv"));
        for args in [&[][..], &["--plain"]] {
            let result = clear(&book, args);
            assert_eq!(keys(&result), sorted(KEYS), "{name}");
            assert_eq!(result["traded"], traded);
            for key in ["price_mct_per_kwh", "price_interval_mct_per_kwh", "fraction_q16"] {
                assert_eq!(result[key].is_null(), !traded, "{name}: {key}");
            }
            let fills = result["fills"].as_array().expect("fills");
            assert!(fills.iter().all(|fill| keys(fill) == sorted(["id", "side", "filled_q16"])));
            let opened = result["opened"].as_array().expect("opened");
            assert!(opened.iter().all(|sum| keys(sum) == sorted(["sum", "tick", "value_wh"])));
        }
        // Trade reduction has two prices, and says so in two more keys.
        let reduced = clear(&book, &["--rule", "trade-reduction", "--plain"]);
        let two = ["buy_price_mct_per_kwh", "sell_price_mct_per_kwh"];
        let mut all = [&KEYS[..], &two].concat();
        all.sort_unstable();
        assert_eq!(keys(&reduced), all, "{name}");
        assert!(reduced["price_mct_per_kwh"].is_null());
    }
}

#[test]
fn logs_hold_no_quantity_of_a_single_order() {
    let quantities = ["12347", "23459", "31511", "8219"];
    let mut book = "id,side,price_ct_per_kwh,quantity_kwh\n".to_owned();
    for (number, (wh, order)) in quantities.iter().zip(["buy,20", "buy,18", "sell,5", "sell,7"]).enumerate() {
        let (kwh, rest) = wh.split_at(wh.len() - 3);
        book.push_str(&format!("o{number},{order},{kwh}.{rest}\n"));
    }
    let dir = tempfile::tempdir().expect("a folder");
    let path = write_book(dir.path(), "book.csv", &book);
    for form in [&[][..], &["--log-json"]] {
        let run = ["clear", path.to_str().expect("UTF-8"), "--ticks", "32", "--log", "trace"];
        let output = veilgrid(run.iter().chain(form));
        let logs = stderr(&output);
        assert_eq!(common::code(&output), 0, "{logs}");
        for wh in quantities {
            let (kwh, rest) = wh.split_at(wh.len() - 3);
            assert!(!logs.contains(wh) && !logs.contains(&format!("{kwh}.{rest}")), "{wh}: {logs}");
        }
    }
}
