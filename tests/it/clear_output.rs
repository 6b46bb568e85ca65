//! What `clear` prints and logs: the documented keys, and no member's quantity in a log.

use crate::cli;
use crate::cli::{clear, root, stderr, veilgrid, write_book};
use serde_json::Value;

const KEYS: [&str; 10] = [
    "traded",
    "price_mct_per_kwh",
    "price_interval_mct_per_kwh",
    "volume_wh",
    "rationed",
    "fraction_q16",
    "rest_q16",
    "fills",
    "moved",
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
            assert!(opened.iter().all(|sum| keys(sum) == sorted(["purpose", "sum", "tick", "value_wh"])));
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
        assert_eq!(cli::code(&output), 0, "{logs}");
        for wh in quantities {
            let (kwh, rest) = wh.split_at(wh.len() - 3);
            assert!(!logs.contains(wh) && !logs.contains(&format!("{kwh}.{rest}")), "{wh}: {logs}");
        }
    }
}

#[test]
fn everything_that_is_opened_is_said_and_every_limit_that_was_moved() {
    let dir = tempfile::tempdir().expect("a folder");
    let head = "id,side,price_ct_per_kwh,quantity_kwh\n";
    let rows = "b1,buy,20.00,1.000\nb2,buy,24.50,1.000\ns1,sell,10.00,1.500\n";
    let book = write_book(dir.path(), "book.csv", &format!("{head}{rows}"));
    for args in [&[][..], &["--plain"]] {
        let result = clear(&book, args);
        let opened = result["opened"].as_array().expect("opened");
        let of = |purpose: &str| opened.iter().filter(|sum| sum["purpose"] == purpose).count();
        assert_eq!((of("Volume"), of("Path") + of("Volume")), (1, opened.len()), "{result}");
        let moved = result["moved"].as_array().expect("moved");
        assert_eq!(moved.len(), 1, "{result}");
        assert_eq!((&moved[0]["id"], &moved[0]["grid_price_mct_per_kwh"]), (&"b2".into(), &24_000.into()));
    }
    let table = veilgrid(["clear", book.to_str().expect("UTF-8"), "--plain"]);
    let shown = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(shown.contains("b2: buy 24.5"), "{shown}");
    assert!(shown.contains("counts as 24"), "{shown}");
}

#[test]
fn an_order_larger_than_a_step_is_told_what_helps() {
    let dir = tempfile::tempdir().expect("a folder");
    let head = "id,side,price_ct_per_kwh,quantity_kwh\n";
    let rows = "workshop,buy,20,70\npv field,sell,10,60\nh1,buy,18,0.2\nh2,buy,19,0.4\n";
    let book = write_book(dir.path(), "large.csv", &format!("{head}{rows}"));
    let path = book.to_str().expect("UTF-8");
    // With 32 bits capacities bound what can be opened, so that they are offered, and they help.
    let refused = veilgrid(["clear", path]);
    assert_eq!(cli::code(&refused), 2);
    assert!(stderr(&refused).contains("or take --bits 32"), "{}", stderr(&refused));
    // What no bits hold is told what else helps.
    let rows = rows.replace("buy,20,70", "buy,20,5000000");
    let beyond = write_book(dir.path(), "beyond.csv", &format!("{head}{rows}"));
    for bits in ["16", "32"] {
        let refused = veilgrid(["clear", beyond.to_str().expect("UTF-8"), "--bits", bits]);
        let message = stderr(&refused);
        assert!(cli::code(&refused) == 2 && message.contains("--plain"), "{message}");
        assert!(!message.contains("or take --bits"), "{message}");
    }
    // What it says does.
    assert_eq!(clear(&book, &["--plain"])["traded"], true);
    assert_eq!(clear(&book, &["--plain", "--bits", "32"])["traded"], true);
}

/// More than any opening could bear: who reads every order opens none.
#[test]
fn in_plaintext_there_is_no_bound_of_openings() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut text = "id,side,price_ct_per_kwh,quantity_kwh\n".to_owned();
    for number in 0..10_000 {
        let (side, price) =
            if number % 2 == 0 { ("buy", 20 + number % 7) } else { ("sell", 10 + number % 5) };
        text.push_str(&format!("o{number},{side},{price},0.5\n"));
    }
    let book = write_book(dir.path(), "many.csv", &text);
    let market = ["--ticks", "4096", "--tick", "10"];
    let result = clear(&book, &[&market[..], &["--plain"]].concat());
    assert_eq!((&result["traded"], &result["volume_wh"]), (&true.into(), &2_500_000.into()));
    let refused = veilgrid([&["clear", book.to_str().expect("UTF-8")], &market[..]].concat());
    let message = stderr(&refused);
    assert!(cli::code(&refused) == 2 && message.contains("2048 members"), "{message}");
}

#[test]
fn a_result_that_finds_no_room_is_a_failure() {
    let book = root().join("data/order_books/t_10_s1.csv");
    let full =
        std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device that is always full");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_veilgrid"))
        .args(["clear", "--plain", "--json"])
        .arg(&book)
        .stdout(full)
        .output()
        .expect("the program starts");
    assert_eq!(cli::code(&output), 2);
    assert!(stderr(&output).contains("could not be written"), "{}", stderr(&output));
}

#[test]
fn a_book_is_read_from_standard_input_and_a_level_that_does_not_exist_is_refused() {
    use std::io::Write as _;
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_veilgrid"))
        .args(["clear", "-", "--plain", "--json"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    let book = std::fs::read(root().join("data/order_books/t_10_s1.csv")).expect("read");
    child.stdin.take().expect("a pipe").write_all(&book).expect("written");
    assert!(child.wait_with_output().expect("ended").status.success());
    let refused = veilgrid(["clear", "--plain", "--log", "warning", "-"]);
    assert_eq!(cli::code(&refused), 2);
    assert!(stderr(&refused).contains("warning"), "{}", stderr(&refused));
}

/// A connection of 70 kWh in a quarter-hour: with 32 bits the members' capacities bound what can be opened, and not what a step
/// can hold.
#[test]
fn an_order_above_65_kwh_clears_with_32_bits() {
    let dir = tempfile::tempdir().expect("a folder");
    let book = "id,side,price_ct_per_kwh,quantity_kwh\nworkshop,buy,20,70\npv field,sell,10,60\nh1,buy,18,0.2\nh2,buy,19,0.4\n";
    let path = cli::write_book(dir.path(), "book.csv", book);
    let sealed = cli::clear(&path, &["--bits", "32", "--ticks", "32"]);
    let plain = cli::clear(&path, &["--bits", "32", "--ticks", "32", "--plain"]);
    assert_eq!((&sealed["volume_wh"], &sealed["fills"]), (&plain["volume_wh"], &plain["fills"]));
    assert_eq!(sealed["volume_wh"], 60_000);
}
