//! The conformance kit (`protocol-spec/conformance/`): small ledgers, honest and altered, with what a verifier has to say
//! of each, so that one in any language can be tested without this program.
//!
//! `VEILGRID_BLESS=1 cargo test --release -p veilgrid-ledger --test it conformance` writes it anew, the same bytes
//! each time. Every maker states the verdict that it expects, so that a wrong one is never written down; the facts beside
//! it are those of this audit. Files and certificates are written by hand, as chapters 9 and 13 say it, and certificates
//! are verified by a second verifier ([`certificates`]); `tests/it/network_ledgers/` has the command judge the same files.

mod case;
mod certificates;
mod certified;
mod changes;
mod covered;
pub mod file;
mod files;
mod geneses;
mod key_events;
pub mod members;
pub mod money;
mod network;
mod promises;
mod pruned;

use case::{Case, judge, parse_receipts};
use rayon::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What other files of the specification may be in the folder.
const README: &str = "README.md";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../protocol-spec/conformance")
}

fn cases() -> Vec<Case> {
    [
        files::cases(),
        geneses::cases(),
        network::cases(),
        members::cases(),
        money::cases(),
        pruned::cases(),
        promises::cases(),
    ]
    .concat()
}

/// All files of the kit by their path in the folder.
fn made() -> BTreeMap<String, Vec<u8>> {
    let cases = cases();
    let entries: Vec<Result<Value, String>> = cases.par_iter().map(Case::entry).collect();
    let wrong: Vec<&String> = entries.iter().filter_map(|entry| entry.as_ref().err()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let entries: Vec<Value> = entries.into_iter().flatten().collect();
    let mut files = BTreeMap::new();
    for case in &cases {
        let before = files.insert(case.file.clone(), case.bytes.clone());
        assert!(before.is_none_or(|before| before == case.bytes), "{} has two contents", case.file);
        if let Some(receipts) = &case.receipts {
            files.insert(case.receipts_file(), case::receipts_text(receipts).into_bytes());
        }
    }
    // One ledger a line, so that a change of one is a change of one line.
    let lines: Vec<String> = entries.iter().map(Value::to_string).collect();
    let index = format!("{{\"format\":1,\"ledgers\":[\n{}\n]}}\n", lines.join(",\n"));
    files.insert("index.json".to_owned(), index.into_bytes());
    files
}

fn read_folder(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("the kit's folder is there") {
        let path = entry.expect("readable").path();
        let name = format!("{prefix}{}", path.file_name().expect("a name").to_str().expect("UTF-8"));
        if path.is_dir() {
            read_folder(&path, &format!("{name}/"), files);
        } else if name != README {
            files.insert(name, fs::read(&path).expect("readable"));
        }
    }
}

fn write_folder(files: &BTreeMap<String, Vec<u8>>) {
    let mut before = BTreeMap::new();
    read_folder(&folder(), "", &mut before);
    before.keys().for_each(|name| fs::remove_file(folder().join(name)).expect("writable"));
    for (name, bytes) in files {
        let path = folder().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
        fs::write(path, bytes).expect("writable");
    }
}

/// Compared byte by byte; both halves are one test, because the second reads what the first may write.
#[test]
fn the_conformance_kit_is_made_again_and_judged_as_its_index_says() {
    let made = made();
    if std::env::var_os("VEILGRID_BLESS").is_some_and(|value| value == "1") {
        write_folder(&made);
    }
    let mut stored = BTreeMap::new();
    read_folder(&folder(), "", &mut stored);
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&stored), names(&made), "other files than the makers make");
    for (name, bytes) in &made {
        assert!(stored[name] == *bytes, "{name} is not what its maker makes: see conformance/README.md");
    }
    assert!(stored.values().map(Vec::len).sum::<usize>() < 3 << 20, "the kit is to stay small");
    from_the_folder_alone(&stored);
}

/// As a verifier in another language would use it.
fn from_the_folder_alone(stored: &BTreeMap<String, Vec<u8>>) {
    let index: Value = serde_json::from_slice(&stored["index.json"]).expect("JSON");
    let entries = index["ledgers"].as_array().expect("a list");
    entries.par_iter().for_each(|entry| {
        let text = |field: &str| entry[field].as_str().map(str::to_owned);
        let file = text("file").expect("a file");
        let genesis = hex::decode(text("genesis").expect("a hash")).expect("hex");
        let genesis = genesis.try_into().expect("32 bytes");
        let receipts = text("receipts").map_or_else(Vec::new, |name| parse_receipts(&stored[&name]));
        let pin = entry["pin"].as_object().map(|pin| {
            let block = hex::decode(pin["block"].as_str().expect("a hash")).expect("hex");
            (pin["height"].as_u64().expect("a height"), block.try_into().expect("32 bytes"))
        });
        let judged = judge(&stored[&file], genesis, pin, receipts).to_json();
        for field in ["exit", "verdict", "violation", "facts"] {
            assert_eq!(judged[field], entry[field], "{file}: {field}");
        }
    });
}

/// The kit has what it is there for: each verdict, each kind of transaction altered, pruned files, receipts.
#[test]
fn the_conformance_kit_covers_every_kind() {
    let cases = cases();
    let verdicts: std::collections::BTreeSet<_> = cases.iter().map(|case| case.judge().verdict).collect();
    assert_eq!(
        verdicts.into_iter().collect::<Vec<_>>(),
        ["broken promise", "passes", "unreadable", "violation"]
    );
    let altered = |folder: &str, kind: &str| {
        let prefix = format!("{folder}/{kind}");
        assert!(cases.iter().any(|case| case.name.starts_with(&prefix)), "{prefix}: nothing is altered");
    };
    for kind in
        ["open-round", "bids", "close-round", "opening-share", "opened-value", "clear", "settle", "void"]
    {
        altered("network", kind);
    }
    altered("file", "not-a-ledger");
    altered("network", "replace-registrar");
    altered("network", "replace-aggregator");
    for kind in [
        "key-event",
        "change-validators",
        "certificate",
        "uncovered",
        "pin",
        "enrol",
        "update",
        "suspend",
        "leave",
    ] {
        altered("network", kind);
    }
    for kind in ["deposit", "paid", "withdraw", "claims", "bids"] {
        altered("money", kind);
    }
}
