//! `share`: the reference's JSON to the byte, sealed as plain, tables, and input that is refused.
//!
//! The long run (1,000 random communities): `cargo test --release --test it sharing -- --ignored`

use crate::cli::{code, json, root, stderr, veilgrid};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use serde_json::{Value, json as value};
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn file(name: &str) -> String {
    root().join("data/sharing").join(name).to_str().expect("UTF-8").to_owned()
}

/// The arguments for a community of `expected.json`.
fn args(community: &Value) -> Vec<String> {
    let text = |field: &str| community[field].as_str().expect(field).to_owned();
    let (name, key) = (text("name"), text("key"));
    let mut args = vec!["share".to_owned(), file(&format!("{name}.csv")), "--key".to_owned(), key.clone()];
    if key != "pro-rata" {
        args.extend(["--keys".to_owned(), file(&format!("{name}.keys.csv"))]);
    }
    args
}

fn expected() -> Vec<Value> {
    serde_json::from_slice(&std::fs::read(file("expected.json")).expect("file")).expect("JSON list")
}

/// The text of JSON without blanks, in which the order of fields shows.
fn packed(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().filter(|c| !c.is_whitespace()).collect()
}

#[test]
fn plain_results_are_those_of_the_reference_in_its_order() {
    let whole = packed(&std::fs::read(file("expected.json")).expect("file"));
    for community in expected() {
        let output =
            veilgrid(args(&community).into_iter().chain(["--plain".to_owned(), "--json".to_owned()]));
        assert_eq!(json(&output)["slots"], community["slots"], "{}", community["name"]);
        let slots = packed(&output.stdout);
        let slots =
            slots.strip_prefix("{\"slots\":[").and_then(|text| text.strip_suffix("]}")).expect("slots");
        assert!(whole.contains(slots), "{}: fields or accounts in another order", community["name"]);
    }
}

#[test]
fn tables_have_all_slots_and_accounts() {
    let output = veilgrid(["share", &file("s1_pro_rata.csv"), "--key", "pro-rata", "--plain"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for words in ["2026-10-24 00:45Z", "a005", "the community, by rounding", "plain: every reading was read"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn what_does_not_fit_is_refused_with_what_to_do() {
    let (readings, keys) = (file("s1_static.csv"), file("s1_static.keys.csv"));
    for (args, words) in [
        (vec!["--key", "static", "--plain"], "need --keys"),
        (vec!["--key", "pro-rata", "--keys", &keys, "--plain"], "leave out --keys"),
        (vec!["--key", "slots", "--keys", &keys, "--plain"], "the column slot_start is missing"),
        (
            vec!["--key", "pro-rata", "--min-consumers", "13", "--plain"],
            "slot 2026-10-24T00:00:00Z: readings of consumption",
        ),
        (
            vec!["--key", "pro-rata", "--min-producers", "4", "--plain"],
            "slot 2026-10-24T00:00:00Z: readings of generation",
        ),
    ] {
        let output = veilgrid(["share", &readings].into_iter().chain(args.iter().copied()));
        assert_eq!(code(&output), 2, "{args:?}");
        assert!(output.stdout.is_empty() && stderr(&output).contains(words), "{args:?}: {}", stderr(&output));
    }
}

fn written(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("written");
    path
}

#[test]
fn shares_that_nobody_gets_are_named_and_the_result_stands() {
    let folder = tempfile::tempdir().expect("a folder");
    let readings = "slot_start,account,direction,energy_wh\n2026-10-24T00:00:00Z,a,consumption,9\n2026-10-24T00:00:00Z,b,generation,8\n";
    let readings = written(&folder, "readings.csv", readings);
    let keys = written(&folder, "keys.csv", "account,share_ppm\na,500000\nz,500000\n");
    let paths = [readings.to_str().expect("UTF-8"), keys.to_str().expect("UTF-8")];
    let output = veilgrid(["share", paths[0], "--key", "static", "--keys", paths[1], "--plain", "--json"]);
    assert_eq!(json(&output)["slots"][0]["consumers"]["a"], 4 << 16);
    assert!(stderr(&output).contains("z has a share and no reading of consumption"), "{}", stderr(&output));
}

/// Runs a community sealed and plain; the slots have to be equal, and what was opened has to be what the key needs.
fn compare(args: &[String]) -> Value {
    let run = |more: &[&str]| json(&veilgrid(args.iter().map(String::as_str).chain(more.iter().copied())));
    let (sealed, plain) = (run(&["--json"]), run(&["--plain", "--json"]));
    assert_eq!(sealed["slots"], plain["slots"], "{args:?}");
    assert!(plain.get("opened").is_none());
    let key = &args[args.iter().position(|arg| arg == "--key").expect("a key") + 1];
    check_opened(key, &sealed);
    sealed
}

/// Pro rata the sums of both directions where anybody has a reading; else generation, and what is shared where anything may be.
fn check_opened(key: &str, sealed: &Value) {
    let mut allowed = Vec::new();
    for slot in sealed["slots"].as_array().expect("slots") {
        let start = &slot["slot_start"];
        let entry = |what: &str, amount: &Value| value!({"slot_start": start, "what": what, "value": amount});
        let has = |side: &str| slot[side].as_object().is_some_and(|accounts| !accounts.is_empty());
        if has("consumers") && key == "pro-rata" {
            allowed.push(entry("consumption", &slot["consumption_wh"]));
        }
        if has("producers") {
            allowed.push(entry("generation", &slot["generation_wh"]));
        }
        if key != "pro-rata" {
            allowed.push(entry("shared", &slot["shared_q16"]));
        }
    }
    let opened = sealed["opened"].as_array().expect("opened");
    for one in opened {
        assert!(allowed.contains(one), "{one}");
        assert_eq!(opened.iter().filter(|other| *other == one).count(), 1, "{one}");
    }
    // Of shares only those that may be something.
    let must = allowed.iter().filter(|one| one["what"] != "shared" || one["value"] != 0);
    must.for_each(|one| assert!(opened.contains(one), "{one} was not opened"));
}

#[test]
fn sealed_gives_what_plain_gives_on_all_communities() {
    for community in expected() {
        let sealed = compare(&args(&community));
        assert_eq!(sealed["slots"], community["slots"], "{}", community["name"]);
    }
}

/// A community over one or two days: readings that are missing, zero or as large as they may be, slots without anybody on one side.
fn random_community(rng: &mut ChaCha20Rng, folder: &Path, number: usize) -> Vec<String> {
    let mut draw = |below: u64| rng.next_u64() % below;
    let (accounts, slots, first) = (1 + draw(7), 1 + draw(6), draw(4));
    let start = |slot: u64| {
        // From 23:15 on, so that some pass midnight.
        let minutes = 23 * 60 + 15 * (first + slot);
        format!("2026-10-{}T{:02}:{:02}:00Z", 24 + minutes / 1_440, minutes / 60 % 24, minutes % 60)
    };
    let mut readings = "slot_start,account,direction,energy_wh\n".to_owned();
    for slot in 0..slots {
        for account in 0..accounts {
            for direction in ["consumption", "generation"] {
                if draw(4) > 0 || account + slot == 0 {
                    let energy = [0, 1, draw(500), draw(500), draw(5_000), 65_535][draw(6) as usize];
                    writeln!(readings, "{},m{account},{direction},{energy}", start(slot)).expect("a string");
                }
            }
        }
    }
    let key = ["pro-rata", "static", "slots"][number % 3];
    // The shares are the whole at most; one account has none, one that has one is in no slot.
    let mut share = || 1 + draw(1_000_000 / (accounts + 1));
    let mut keys =
        if key == "slots" { "slot_start,account,share_ppm\n" } else { "account,share_ppm\n" }.to_owned();
    let rows = if key == "slots" { slots } else { 1 };
    for slot in 0..rows {
        for account in 1..=accounts {
            let before = if key == "slots" { format!("{},", start(slot)) } else { String::new() };
            writeln!(keys, "{before}m{account},{}", share()).expect("a string");
        }
    }
    let path = |what: &str, text: &str| {
        let path = folder.join(format!("{number}.{what}.csv"));
        std::fs::write(&path, text).expect("the folder can be written");
        path.to_str().expect("UTF-8").to_owned()
    };
    let mut args = vec!["share".to_owned(), path("readings", &readings), "--key".to_owned(), key.to_owned()];
    if key != "pro-rata" {
        args.extend(["--keys".to_owned(), path("keys", &keys)]);
    }
    args
}

fn random_communities(seed: u64, count: usize) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir().expect("a folder");
    let mut shared = 0;
    for number in 0..count {
        let args = random_community(&mut rng, folder.path(), number);
        let sealed = compare(&args);
        let slots = sealed["slots"].as_array().expect("slots");
        shared += usize::from(slots.iter().any(|slot| slot["shared_q16"] != 0));
    }
    assert!(2 * shared > count, "half of the communities share something");
}

#[test]
fn sealed_gives_what_plain_gives_on_random_communities() {
    random_communities(49, 100);
}

#[test]
#[ignore = "minutes; the command stands above"]
fn sealed_gives_what_plain_gives_on_a_thousand_random_communities() {
    random_communities(50, 1_000);
}

#[test]
fn large_readings_are_sealed_pro_rata_and_refused_with_shares() {
    let folder = tempfile::tempdir().expect("a folder");
    let readings = "slot_start,account,direction,energy_wh\n2026-10-24T00:00:00Z,a,consumption,70000\n\
                    2026-10-24T00:00:00Z,b,consumption,4000000\n2026-10-24T00:00:00Z,b,generation,123456\n";
    let readings = written(&folder, "readings.csv", readings);
    let keys = written(&folder, "keys.csv", "account,share_ppm\na,500000\n");
    let [readings, keys] = [readings, keys].map(|path| path.to_str().expect("UTF-8").to_owned());
    let args = |key: &str| ["share", &readings, "--key", key].map(str::to_owned).to_vec();
    compare(&args("pro-rata"));
    let refused = veilgrid([args("static"), vec!["--keys".to_owned(), keys]].concat());
    assert_eq!(code(&refused), 2);
    assert!(stderr(&refused).contains("a has 70000 Wh in 2026-10-24T00:00:00Z"), "{}", stderr(&refused));
}
