//! `veilgrid bill`: a month previewed, billed, corrected, refused, changed behind its back, and what the operator gets of it.
//!
//! The example's golden files are written anew with `VEILGRID_BLESS=1`.

mod corrections;
mod operator;
mod place;
mod raw;
mod refusals;

use crate::cli::{code, json, root, stderr, veilgrid};
use place::{Place, example_key, example_order, tree};
use serde_json::Value;
use std::path::Path;
use veilgrid_billing::standing::Opens;

const DATE: &str = "2026-04-02";

/// Accounts of the example with a standing order, by their place.
const OPENED: [(usize, &str); 5] =
    [(0, "flat-1"), (1, "flat-2"), (2, "house-3"), (3, "house-4"), (4, "bakery")];

fn is_blessed() -> bool {
    std::env::var_os("VEILGRID_BLESS").is_some()
}

#[test]
fn the_examples_keys_and_orders_are_those_of_this_test() {
    let folder = root().join("data/billing");
    let accounts = std::fs::read_to_string(folder.join("accounts.csv")).expect("accounts");
    for (place, account) in OPENED {
        let key = hex::encode(example_key(place).verifying_key().to_bytes());
        let text = serde_json::to_string_pretty(&example_order(account, place, 1, Opens::Total))
            .expect("JSON")
            + "\n";
        let path = folder.join("orders").join(format!("{account}.json"));
        if is_blessed() {
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(&path, &text).expect("written");
        }
        let line =
            accounts.lines().find(|line| line.starts_with(&format!("{account},"))).expect("an account");
        assert!(line.contains(&key), "account_key of {account}: {key}");
        assert_eq!(std::fs::read_to_string(&path).expect("an order"), text);
    }
}

#[test]
fn a_preview_keeps_nothing_and_a_final_month_is_final() {
    let place = Place::new();
    let preview = json(&place.bill("2026-03", &["--preview", "--date", DATE]));
    assert!(!place.path("bills").exists(), "a preview keeps nothing");
    let out = place.text("previews");
    json(&place.bill("2026-03", &["--preview", "--date", DATE, "--out", &out]));
    assert_eq!(tree(Path::new(&out)).len(), 8 * 3 + 1);
    let first = place.bill_final("2026-03", DATE);
    assert_eq!(preview["billed_ct"], first["billed_ct"]);
    assert_eq!(preview["payees"], first["payees"]);
    let files = tree(&place.path("bills"));
    place.refused("2026-03", &["--final", "--date", DATE], &["2026-03 is final", "next month's bills"]);
    place.refused("2026-03", &["--preview"], &["2026-03 is final"]);
    assert_eq!(tree(&place.path("bills")), files, "not a byte has changed");
    let status = json(&place.status());
    assert_eq!((&status["months"][0]["bills"], &status["next_period"]), (&8.into(), &"2026-04".into()));
    for member in 1..=8 {
        let pdf = std::fs::read(place.path(&format!("bills/2026-03/members/2026-03-{member:04}.pdf")))
            .expect("a PDF");
        assert!(pdf.starts_with(b"%PDF-1.7") && pdf.len() > 5_000, "{} bytes", pdf.len());
    }
    let table = veilgrid([
        "bill",
        "show",
        "--bills",
        &place.text("bills"),
        "--period",
        "2026-03",
        "--account",
        "bakery",
    ]);
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.contains("kWh × 14.50 ct/kWh = "), "{table}");
}

#[test]
fn bills_are_those_of_the_golden_files() {
    let place = Place::new();
    place.bill_final("2026-03", DATE);
    for name in [
        "run.json",
        "members/2026-03-0003.json",
        "members/2026-03-0003.csv",
        "operator/totals.json",
        "operator/totals.csv",
        "operator/pain.008.xml",
        "operator/pain.001.xml",
    ] {
        let made = place.read(&format!("bills/2026-03/{name}"));
        let golden = root().join("data/billing/expected").join(Path::new(name).file_name().expect("a name"));
        if is_blessed() {
            std::fs::create_dir_all(golden.parent().expect("a folder")).expect("made");
            std::fs::write(&golden, &made).expect("written");
        }
        assert_eq!(
            made,
            std::fs::read_to_string(&golden).unwrap_or_default(),
            "{name} is not that of {}",
            golden.display()
        );
    }
}

#[test]
fn what_was_cut_off_is_written_anew_and_what_was_changed_is_found() {
    let place = Place::new();
    let unfinished = place.path("bills/.unfinished-2026-03/members");
    std::fs::create_dir_all(&unfinished).expect("a folder");
    std::fs::write(unfinished.join("half.pdf"), "%PDF").expect("written");
    place.bill_final("2026-03", DATE);
    assert_eq!(code(&place.status()), 0);
    let root = place.path("bills/2026-03");
    for (path, bytes) in tree(&root) {
        let mut changed = bytes.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        std::fs::write(&path, &changed).expect("written");
        let status = place.status();
        assert_eq!(code(&status), 2, "a changed byte of {}", path.display());
        std::fs::remove_file(&path).expect("removed");
        let status = place.status();
        assert_eq!(code(&status), 2, "without {}", path.display());
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(stderr(&status).contains(name), "{}", stderr(&status));
        std::fs::write(&path, &bytes).expect("written");
    }
    std::fs::write(root.join("operator/more.json"), "{}").expect("written");
    assert!(stderr(&place.status()).contains("is not of this month"));
    std::fs::remove_file(root.join("operator/more.json")).expect("removed");
    assert_eq!(code(&place.status()), 0);
    // Another amount with all digests made anew: the sums do not add up.
    place.replace("bills/2026-03/run.json", "\"total_ct\": ", "\"total_ct\": 1");
    assert!(stderr(&place.status()).contains("do not add up"), "{}", stderr(&place.status()));
}

#[test]
fn a_bill_says_its_formula_exactly() {
    let place = Place::new();
    place.bill_final("2026-03", DATE);
    let bill = place.show("2026-03", "house-3");
    let number = |value: &Value| value.as_str().expect("text").parse::<i128>().expect("a number");
    let mut sum = 0;
    for line in bill["lines"].as_array().expect("lines") {
        let sign = if line["kind"] == "sold" { -1 } else { 1 };
        let price = i128::from(line["price_mct_per_kwh"].as_i64().expect("a price"));
        assert_eq!(number(&line["amount"]), sign * number(&line["energy_q16"]) * price);
        sum += number(&line["amount"]);
    }
    let total = i128::from(bill["total_ct"].as_i64().expect("ct"));
    assert_eq!((number(&bill["exact"]), sum.div_euclid(65_536_000_000)), (sum, total));
    assert_eq!(number(&bill["rounding"]), sum - total * 65_536_000_000);
}
