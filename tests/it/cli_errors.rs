//! Bad input gets a clear error with its place and a non-zero exit code, and nothing is written.

use crate::cli;
use crate::cli::{code, root, stderr, veilgrid, write_book};
use std::path::Path;
use veilgrid_ledger::block::HEADER_BYTES;
use veilgrid_ledger::genesis::FORMAT_VERSION;

const HEAD: &str = "id,side,price_ct_per_kwh,quantity_kwh\n";

/// Runs `clear` on a book and expects exit code 2 and these words in the message.
fn refused(text: &str, args: &[&str], words: &[&str]) {
    let dir = tempfile::tempdir().expect("a folder");
    let book = write_book(dir.path(), "book.csv", text);
    let output = veilgrid(["clear", book.to_str().expect("UTF-8")].iter().chain(args));
    let message = stderr(&output);
    assert_eq!(code(&output), 2, "{text:?}: {message}");
    for word in words {
        assert!(message.contains(word), "{text:?}: `{word}` is not in: {message}");
    }
    assert!(output.stdout.is_empty(), "{text:?}");
}

#[test]
fn unusable_books_are_refused_with_line_and_column() {
    refused("", &[], &["empty"]);
    refused(HEAD, &[], &["no orders"]);
    refused("id,side,price_ct_per_kwh\na,buy,1\n", &[], &["quantity_kwh", "missing"]);
    let row = |row: &str| format!("{HEAD}ok,sell,10,1\n{row}\n");
    refused(&row("a,buy,10,-1"), &[], &["line 3", "-1"]);
    refused(&row("a,buy,10,one"), &[], &["line 3", "one"]);
    refused(&row("a,buy,10,NaN"), &[], &["line 3", "NaN"]);
    refused(&row("a,buy,inf,1"), &[], &["line 3", "inf"]);
    refused(&row("a,buy,10,0.0001"), &[], &["line 3", "0.0001", "Wh"]);
    // More bits help, and that is said.
    refused(&row("a,buy,10,65.536"), &[], &["line 3", "65535", "--bits 32"]);
    refused(&format!("{HEAD}a,buy,1,0.256\n"), &["--bits", "8"], &["line 2", "--bits 16"]);
    refused(&row("a,buy,10,99999999999999999999"), &[], &["line 3"]);
    refused(&row("a,hold,10,1"), &[], &["line 3", "hold"]);
    refused(&row("ok,buy,10,1"), &[], &["line 3", "ok"]);
    refused(&row("a,buy,-1,1"), &[], &["line 3", "-1"]);
}

#[test]
fn orders_that_can_never_trade_are_refused_with_the_grid_or_dropped() {
    let book = format!("{HEAD}b,buy,5,1\ns,sell,80,1\nt,sell,12,1\nc,buy,12,1\n");
    refused(&book, &["--price-min", "10000"], &["line 2", "10.00", "73.00"]);
    let dir = tempfile::tempdir().expect("a folder");
    let path = write_book(dir.path(), "book.csv", &book);
    let kept = cli::clear(&path, &["--price-min", "10000", "--off-grid", "drop", "--plain"]);
    assert_eq!(kept["volume_wh"], 1000);
    assert_eq!(kept["fills"].as_array().expect("fills").len(), 4);
}

#[test]
fn impossible_parameters_are_refused() {
    let book = format!("{HEAD}a,buy,10,1\nb,sell,5,1\n");
    refused(&book, &["--ticks", "48"], &["power of two", "48"]);
    refused(&book, &["--ticks", "1"], &["power of two"]);
    refused(&book, &["--tick", "999"], &["even", "999"]);
    refused(&book, &["--tick", "0"], &["even"]);
    refused(&book, &["--bits", "12"], &["12"]);
    // 2 members x 8,192 steps x 2^32 Wh is above 2^40, and at such prices so much energy costs more than 2^62.
    let large = format!("{HEAD}a,buy,10,4000000\nb,sell,5,1\n");
    refused(&large, &["--bits", "32", "--ticks", "4096"], &["members"]);
    refused(&book, &["--tick", "1000000000000"], &["price"]);
}

#[test]
fn usage_errors_exit_with_2() {
    for args in [vec!["clear"], vec!["frobnicate"], vec!["clear", "x.csv", "--rule", "best"], vec!["audit"]] {
        assert_eq!(code(&veilgrid(&args)), 2, "{args:?}");
    }
    let missing = veilgrid(["clear", "no-such-file.csv"]);
    assert_eq!(code(&missing), 2);
    assert!(stderr(&missing).contains("no-such-file.csv"));
    let filter = veilgrid(["clear", "no-such-file.csv", "--log", "veilgrid=loud"]);
    assert_eq!(code(&filter), 2);
    assert!(stderr(&filter).contains("--log veilgrid=loud"), "{}", stderr(&filter));
    let variable = std::process::Command::new(env!("CARGO_BIN_EXE_veilgrid"))
        .args(["clear", "no-such-file.csv"])
        .env("VEILGRID_LOG", "warning")
        .output()
        .expect("the program starts");
    assert_eq!(code(&variable), 2);
    let message = stderr(&variable);
    assert!(message.contains("VEILGRID_LOG warning") && !message.contains("--log"), "{message}");
    let hash = veilgrid(["audit", "Cargo.toml", "--genesis", "xyz"]);
    assert_eq!(code(&hash), 2);
    assert!(stderr(&hash).contains("64 hex digits"));
}

#[test]
fn every_command_has_help_with_an_example() {
    let benches = ["prepare", "verify", "prove", "tally", "readings", "round", "network"]
        .map(|what| vec!["bench", what]);
    let commands = ["demo", "clear", "share", "compare", "audit", "show", "export", "bench"]
        .map(|command| vec![command]);
    let readings = ["import", "status", "gaps", "session"].map(|what| vec!["readings", what]);
    for command in commands.into_iter().chain(benches).chain(readings) {
        let output = veilgrid(command.iter().copied().chain(["--help"]));
        let command = command.join(" ");
        assert_eq!(code(&output), 0);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            text.contains("Example:") && text.contains(&format!("veilgrid {command}")),
            "{command}: {text}"
        );
    }
}

fn demo_refused(args: &[&str], words: &[&str]) {
    let output = veilgrid([&["demo"], args].concat());
    let message = stderr(&output);
    assert_eq!(code(&output), 2, "{args:?}: {message}");
    for word in words {
        assert!(message.contains(word), "{args:?}: `{word}` is not in: {message}");
    }
}

#[test]
fn the_demo_refuses_impossible_parameters_before_it_starts() {
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path().join("day");
    let out_text = out.to_str().expect("UTF-8");
    demo_refused(&["--participants", "0", "--out", out_text], &["participants"]);
    demo_refused(&["--participants", "5000", "--out", out_text], &["5000", "121"]);
    demo_refused(&["--slots", "0", "--out", out_text], &["slots"]);
    demo_refused(&["--slots", "97", "--out", out_text], &["97", "96"]);
    demo_refused(&["--validators", "3", "--out", out_text], &["validators", "3"]);
    demo_refused(&["--ticks", "33", "--out", out_text], &["33", "power of two"]);
    demo_refused(&["--retail", "cheap", "--out", out_text], &["cheap"]);
    demo_refused(&["--retail", "5", "--feed-in", "9", "--out", out_text], &["retail", "feed-in"]);
    demo_refused(&["--min-bidders", "25", "--out", out_text], &["25", "24"]);
    demo_refused(&["--min-bidders", "1", "--out", out_text], &["min_bidders is 1", "at least 2"]);
    demo_refused(&["--data", "no-such-day.csv", "--out", out_text], &["no-such-day.csv"]);
    assert!(!out.exists(), "nothing is written by a refused run");
    std::fs::create_dir(&out).expect("a folder");
    demo_refused(&["--out", out_text], &["exists"]);
}

#[test]
fn damaged_community_data_is_refused_with_its_line() {
    let head = "slot_start,participant_id,role,load_kwh,generation_kwh,ev_kwh\n";
    let dir = tempfile::tempdir().expect("a folder");
    for (text, words) in [
        (String::new(), vec!["empty"]),
        ("slot_start,participant_id,role,load_kwh,generation_kwh\n".to_owned(), vec!["ev_kwh"]),
        (format!("{head}2016-06-22T00:00:00+02:00,a,consumer,-1,0,0\n"), vec!["line 2", "-1"]),
        (format!("{head}2016-06-22T00:00:00+02:00,a,consumer,nan,0,0\n"), vec!["line 2", "nan"]),
        (format!("{head}2016-06-22T00:00:00+02:00,a,wizard,1,0,0\n"), vec!["line 2", "wizard"]),
        (format!("{head}yesterday,a,consumer,1,0,0\n"), vec!["line 2", "yesterday"]),
    ] {
        let data = write_book(dir.path(), "day.csv", &text);
        let out = dir.path().join("out");
        let paths = ["--data", data.to_str().expect("UTF-8"), "--out", out.to_str().expect("UTF-8")];
        demo_refused(&paths, &words);
        assert!(!out.exists());
    }
}

/// How a ledger file begins: eight letters and its format's version.
const MAGIC_AND_VERSION_BYTES: usize = 10;
/// Before a block in a file.
const TAG_AND_LENGTH_BYTES: usize = 5;
/// Before the format in the body of block 0: how many transactions, the length of the first one, its kind.
const GENESIS_BEGINS_BYTES: usize = 9;

#[test]
fn damaged_ledgers_fail_the_audit_with_exit_code_1() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = dir.path().join("round.vgl");
    let ledger_text = ledger.to_str().expect("UTF-8");
    let book = root().join("data/order_books/e_one_wh.csv");
    cli::clear(&book, &["--ticks", "64", "--ledger", ledger_text]);
    let again = veilgrid(["clear", book.to_str().expect("UTF-8"), "--ledger", ledger_text]);
    assert_eq!(code(&again), 2, "an existing file is not overwritten");
    let audit = |path: &Path| veilgrid(["audit", path.to_str().expect("UTF-8")]);
    assert_eq!(code(&audit(&ledger)), 0);
    let bytes = std::fs::read(&ledger).expect("the ledger");
    let other = dir.path().join("other.vgl");
    let mut failing = vec![Vec::new(), bytes[..bytes.len() - 1].to_vec(), bytes[..bytes.len() / 2].to_vec()];
    failing.push([&bytes[..], b"x"].concat());
    for place in [0, 8, 100, bytes.len() / 3, bytes.len() / 2, bytes.len() - 40] {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        failing.push(changed);
    }
    for changed in failing {
        std::fs::write(&other, &changed).expect("writable");
        let output = audit(&other);
        // What does not begin like one is no ledger; what does and is damaged fails the audit.
        let begins = |length: usize| changed.len() < length || changed[..length] == bytes[..length];
        let expected = if begins(MAGIC_AND_VERSION_BYTES) { 1 } else { 2 };
        assert_eq!(code(&output), expected, "{} bytes: {}", changed.len(), stderr(&output));
        assert!(stderr(&output).contains("other.vgl"));
    }
    // A file of the format before: nothing of it was audited, so that no violation is claimed.
    let mut earlier = bytes;
    let format = MAGIC_AND_VERSION_BYTES + TAG_AND_LENGTH_BYTES + HEADER_BYTES + GENESIS_BEGINS_BYTES;
    assert_eq!(earlier[format..format + 2], FORMAT_VERSION.to_le_bytes());
    earlier[format] -= 1;
    std::fs::write(&other, &earlier).expect("writable");
    let other_text = other.to_str().expect("UTF-8");
    let refusals =
        [audit(&other), veilgrid(["show", other_text]), veilgrid(["bench", "audit", "--ledger", other_text])];
    for refused in refusals {
        let message = stderr(&refused);
        assert!(code(&refused) == 2 && message.contains("the program that wrote it"), "{message}");
        assert!(!message.contains("audit failed"), "{message}");
    }
    assert_eq!(code(&audit(&dir.path().join("missing.vgl"))), 2);
    let wrong = veilgrid(["audit", ledger_text, "--genesis", &"00".repeat(32)]);
    assert_eq!(code(&wrong), 1);
    let shown = veilgrid(["show", ledger_text, "round", "1"]);
    assert_eq!(code(&shown), 0, "{}", stderr(&shown));
    let missing = veilgrid(["show", ledger_text, "round", "7"]);
    assert_eq!(code(&missing), 2);
    assert!(stderr(&missing).contains("no round 7"));
}

/// Threat: a file with control characters takes the terminal of whoever looks at it over.
#[test]
fn no_control_character_of_a_file_reaches_the_terminal() {
    const RED: &str = "\u{1b}[31m";
    let dir = tempfile::tempdir().expect("a folder");
    let write =
        |name: &str, text: String| write_book(dir.path(), name, &text).to_str().expect("UTF-8").to_owned();
    let id = write("id.csv", format!("{HEAD}a{RED},buy,20.5,1\nb,sell,10,1\n"));
    let large = write("large.csv", format!("{HEAD}a{RED},buy,20,70\n"));
    let price = write("price.csv", format!("{HEAD}a,buy,2{RED},1\n"));
    let head = write("head.csv", format!("id{RED},side\na,buy\n"));
    let orders =
        write("orders.csv", format!("slot,side,price_ct_per_kwh,quantity_kwh\n*,b{RED},1,1\n{RED},,,\n"));
    // Messages of the library that reads TOML quote the line.
    let plan = write("plan.toml", format!("[market]\nticks{RED} = 3\n"));
    let field = write("field.toml", "[market]\n\"ticks\\u001b[31m\" = 3\n".to_owned());
    let config = write("config.toml", "[http]\n\"listen\\u001b[31m\" = 3\n".to_owned());
    let found = |plan: &str| {
        ["create-genesis", "--plan", plan, "--out", "x", "--public", "p"].map(str::to_owned).to_vec()
    };
    for (exit, args) in [
        (0, vec!["clear".to_owned(), id, "--plain".to_owned()]),
        (2, vec!["clear".to_owned(), large]),
        (2, vec!["clear".to_owned(), price]),
        (2, vec!["clear".to_owned(), head]),
        (2, vec!["orders".to_owned(), "check".to_owned(), orders]),
        (2, found(&plan)),
        (2, found(&field)),
        (3, vec!["validator".to_owned(), "--config".to_owned(), config]),
    ] {
        let output = veilgrid(&args);
        let (shown, told) = (String::from_utf8_lossy(&output.stdout), stderr(&output));
        assert_eq!(code(&output), exit, "{args:?}: {told}");
        let control = |c: char| c.is_control() && c != '\n';
        assert!(!shown.contains(control) && !told.contains(control), "{args:?}: {shown:?} {told:?}");
        assert!(format!("{shown}{told}").contains("u{1b}"), "it is written out: {args:?}: {shown} {told}");
    }
}
