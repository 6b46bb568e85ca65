//! What a newcomer meets: orders that are checked without a network, ledgers as JSON, files from a pipe, dates and ports.

use crate::cli;
use crate::cli::{code, json, root, stderr, veilgrid, write_book};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const HEAD: &str = "slot,side,price_ct_per_kwh,quantity_kwh\n";
/// Of prices from 8 to 33.2 ct/kWh.
const MARKET: [&str; 6] = ["--price-min", "8000", "--tick", "400", "--ticks", "64"];

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs the program with this on standard input.
fn piped(args: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_veilgrid"));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    // What ends before it has read everything says why.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    child.wait_with_output().expect("ended")
}

fn check(orders: &str, more: &[&str]) -> Output {
    piped(&[&["orders", "check", "-"], more].concat(), format!("{HEAD}{orders}").as_bytes())
}

#[test]
fn every_row_that_can_t_be_bid_is_named_at_once() {
    let orders = "07:15,buy,20.00,0.300\n07:30,buy,2.00,0.300\n8:45,buy,21.00,0.200\n";
    let refused = check(orders, &MARKET);
    let message = stderr(&refused);
    assert_eq!(code(&refused), 2, "{message}");
    for words in
        ["line 3, column 3", "2.00 ct/kWh", "8.00 to 33.20 ct/kWh", "line 4, column 1", "HH:MM", "two digits"]
    {
        assert!(message.contains(words), "{words}: {message}");
    }
    let refused = check(orders, &[&MARKET[..], &["--json"]].concat());
    assert_eq!(code(&refused), 2);
    let report: Value = serde_json::from_slice(&refused.stdout).expect("JSON");
    assert_eq!((&report["ok"], &report["sound_rows"]), (&false.into(), &1.into()));
    let lines: Vec<&Value> =
        report["faults"].as_array().expect("faults").iter().map(|one| &one["lines"]).collect();
    assert_eq!(lines, [&serde_json::json!([3]), &serde_json::json!([4])]);
}

#[test]
fn orders_that_share_a_full_step_are_named_with_price_and_bound() {
    let refused = check("*,buy,20.00,60\n*,buy,20.10,60\n", &MARKET);
    let message = stderr(&refused);
    assert_eq!(code(&refused), 2, "{message}");
    for words in ["lines 2, 3", "20.00 ct/kWh", "65.535 kWh"] {
        assert!(message.contains(words), "{words}: {message}");
    }
}

#[test]
fn sound_orders_pass_and_moved_limits_are_told() {
    let sound = check("07:15,buy,20.00,0.3\n*,sell,9.50,1\n", &MARKET);
    assert_eq!(code(&sound), 0, "{}", stderr(&sound));
    assert!(stdout(&sound).contains("9.60"), "{}", stdout(&sound));
    let report = json(&check("07:15,buy,20.00,0.3\n*,sell,9.50,1\n", &[&MARKET[..], &["--json"]].concat()));
    let moved = &report["moved"][0];
    assert_eq!((&moved["line"], &moved["side"]), (&3.into(), &"sell".into()));
    assert_eq!(
        (&moved["limit_mct_per_kwh"], &moved["grid_price_mct_per_kwh"]),
        (&9_500.into(), &9_600.into())
    );
    assert_eq!(report["ok"], true);
    // Without a market the form alone is looked at, and that is said.
    let form = check("07:15,buy,0.01,0.3\n", &[]);
    assert_eq!(code(&form), 0, "{}", stderr(&form));
    assert!(stdout(&form).contains("not looked at"), "{}", stdout(&form));
    let wrong = check("", &["--ticks", "63"]);
    assert!(code(&wrong) == 2 && stderr(&wrong).contains("power of two"), "{}", stderr(&wrong));
}

#[test]
fn the_market_of_orders_comes_from_the_files_of_a_participant() {
    let dir = tempfile::tempdir().expect("a folder");
    let net = dir.path().join("net");
    let founded = veilgrid(["localnet", "--found-only", "--participants", "2", "--dir", text(&net)]);
    assert_eq!(code(&founded), 0, "{}", stderr(&founded));
    let (home, genesis) = (net.join("participant-001"), net.join("genesis.bin"));
    let config = home.join("participant.toml");
    let own = json(&veilgrid(["orders", "check", "--config", text(&config), "--json"]));
    assert!(own["ok"] == true && own["market"].as_str().expect("text").contains("8.00 to"), "{own}");
    let orders = write_book(dir.path(), "o.csv", &format!("{HEAD}07:07,buy,20,1\n*,sell,50,1\n"));
    for of in
        [["--genesis", text(&genesis)], ["--plan", text(&net.join("plan.toml"))], ["--config", text(&config)]]
    {
        let refused = veilgrid([&["orders", "check", text(&orders)], &of[..]].concat());
        let message = stderr(&refused);
        assert_eq!(code(&refused), 2, "{message}");
        for words in ["line 2, column 1", "every 15 minutes", "line 3, column 3", "50.00 ct/kWh"] {
            assert!(message.contains(words), "{of:?}: {words}: {message}");
        }
    }
    // Dates stand where people compare what they join.
    let shown = veilgrid(["genesis", "show", text(&genesis)]);
    let said = stdout(&shown);
    for words in [
        "founded        20",
        "round 1        opens 20",
        "first slot     20",
        "T08:00:00Z",
        "900 s",
        "rule           uniform",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let bytes = std::fs::read(&genesis).expect("read");
    assert_eq!(piped(&["genesis", "show", "-"], &bytes).stdout, shown.stdout);
}

#[test]
fn a_ledger_and_its_rounds_are_shown_as_json_and_from_a_pipe() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = dir.path().join("round.vgl");
    let book = root().join("data/order_books/e_one_wh.csv");
    let cleared = cli::clear(&book, &["--ledger", text(&ledger)]);
    let shown = json(&veilgrid(["show", text(&ledger), "--json"]));
    let row = &shown["rounds"][0];
    assert_eq!((&row["round_id"], &row["status"]), (&1.into(), &"settled".into()), "{shown}");
    assert_eq!(row["outcome"]["volume_wh"], cleared["volume_wh"]);
    assert_eq!(shown["grid"]["ticks"], 64);
    let network = &shown["network"];
    let after_genesis = shown["blocks"].as_u64().expect("a number") - 1;
    assert_eq!(network["certified_height"].as_u64(), Some(after_genesis), "every block is signed: {network}");
    let round = json(&veilgrid(["show", text(&ledger), "round", "1", "--json"]));
    let opened = round["opened"].as_array().expect("opened").len();
    assert_eq!(opened, cleared["opened"].as_array().expect("opened").len());
    assert_eq!(round["bids"].as_array().expect("bids").len() as u64, row["bids"].as_u64().expect("a number"));
    assert!(round["opened"][0]["shares_of"].as_array().is_some_and(|shares| shares.len() >= 3), "{round}");
    let bytes = std::fs::read(&ledger).expect("read");
    assert_eq!(json(&piped(&["show", "-", "--json"], &bytes)), shown);
    let other = piped(&["show", "-"], b"no ledger");
    assert_eq!(code(&other), 2);
}

#[test]
fn prepared_bids_and_a_community_come_from_a_pipe() {
    let dir = tempfile::tempdir().expect("a folder");
    let bids = dir.path().join("bids.bin");
    let size = ["--bids", "2", "--ticks", "8"];
    let prepared = veilgrid([&["bench", "prepare", text(&bids)], &size[..]].concat());
    assert_eq!(code(&prepared), 0, "{}", stderr(&prepared));
    let bytes = std::fs::read(&bids).expect("read");
    let measured = piped(&[&["bench", "verify", "--from", "-", "--json"], &size[..]].concat(), &bytes);
    assert_eq!(code(&measured), 0, "{}", stderr(&measured));
    let refused = piped(&["validators", "submit", "-", "--url", "http://127.0.0.1:9"], b"{}");
    assert!(code(&refused) == 2 && !stderr(&refused).contains("No such file"), "{}", stderr(&refused));
    let refused =
        piped(&["create-genesis", "--plan", "-", "--out", text(&bids), "--public", "a.json"], b"key = 1\n");
    assert!(code(&refused) == 2 && stderr(&refused).contains("unknown field"), "{}", stderr(&refused));
    let refused = piped(&["demo", "--data", "-", "--out", text(&dir.path().join("day"))], b"a,b\n");
    assert!(code(&refused) == 2 && stderr(&refused).contains("slot_start"), "{}", stderr(&refused));
}

#[test]
fn the_demo_says_which_limits_the_grid_has_moved() {
    let dir = tempfile::tempdir().expect("a folder");
    let run = |out: &str, more: &[&str]| {
        let out = dir.path().join(out);
        let args = ["demo", "--participants", "5", "--slots", "1", "--ticks", "4", "--out", text(&out)];
        veilgrid([&args[..], more].concat())
    };
    let result = json(&run("a", &["--json"]));
    let round = &result["rounds"][0];
    let (offers, moved) =
        (round["offers"].as_u64().expect("a number"), round["moved"].as_array().expect("a list"));
    assert!(!moved.is_empty() && moved.len() as u64 <= offers, "{round}");
    let grid = |price: u64| price >= 8_000 && (price - 8_000).is_multiple_of(8_000);
    for one in moved {
        let price = |name: &str| one[name].as_u64().expect("a price");
        assert!(grid(price("grid_price_mct_per_kwh")) && !grid(price("limit_mct_per_kwh")), "{one}");
    }
    let table = run("b", &[]);
    assert_eq!(code(&table), 0, "{}", stderr(&table));
    let line = format!("limits moved to the grid: {} of {offers}", moved.len());
    assert!(stdout(&table).contains(&line), "{line}: {}", stdout(&table));
}

#[test]
fn localnet_names_a_taken_port_before_it_makes_anything() {
    let dir = tempfile::tempdir().expect("a folder");
    let net = dir.path().join("net");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    // Without the check it would run: not for long.
    let soon = ["--rounds", "1", "--timeout-s", "1"];
    let refused = veilgrid([&["localnet", "--dir", text(&net), "--base-port", &port], &soon[..]].concat());
    let message = stderr(&refused);
    assert_eq!(code(&refused), 2, "{message}");
    assert!(message.contains(&format!("127.0.0.1:{port}")) && message.contains("--base-port"), "{message}");
    assert!(!message.contains("was founded") && !net.exists(), "{message}");
}
