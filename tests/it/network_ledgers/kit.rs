//! The conformance kit, judged by the command.

use super::text;
use crate::cli::{code, stderr, veilgrid};
use std::path::Path;

/// The conformance kit of the specification, judged by the command and its engine's certificates: exit code, whether
/// a violation is named, every fact that the index has. `ledger/tests/conformance/` makes the kit and compares the rules.
#[test]
fn the_command_judges_the_conformance_kit_as_its_index_says() {
    let kit = Path::new(env!("CARGO_MANIFEST_DIR")).join("protocol-spec/conformance");
    let index = std::fs::read(kit.join("index.json")).expect("the kit's index");
    let index: serde_json::Value = serde_json::from_slice(&index).expect("JSON");
    let ledgers = index["ledgers"].as_array().expect("a list");
    assert!(ledgers.len() > 100, "{}", ledgers.len());
    for ledger in ledgers {
        let field = |name: &str| ledger[name].as_str();
        let (name, file) = (&ledger["name"], kit.join(field("file").expect("a file")));
        let mut arguments =
            vec!["audit", text(&file), "--json", "--genesis", field("genesis").expect("a hash")];
        let pin = ledger["pin"].as_object().map(|pin| (pin["height"].to_string(), pin["block"].as_str()));
        if let Some((height, Some(block))) = &pin {
            arguments.extend(["--height", height, "--block", block]);
        }
        let receipts = field("receipts").map(|file| kit.join(file));
        arguments.extend(receipts.iter().flat_map(|file| ["--receipts", text(file)]));
        let output = veilgrid(&arguments);
        assert_eq!(
            Some(u64::from(code(&output).unsigned_abs())),
            ledger["exit"].as_u64(),
            "{name}: {}",
            stderr(&output)
        );
        if code(&output) == 2 {
            assert!(output.stdout.is_empty(), "{name}: what is no ledger has no report");
            continue;
        }
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(report["ok"], field("verdict") == Some("passes"), "{name}");
        for (fact, value) in ledger["facts"].as_object().into_iter().flatten() {
            match fact.as_str() {
                "receipt_verdicts" => {
                    let findings = report["receipts"].as_array().expect("a list").iter();
                    let verdicts: Vec<_> = findings.map(|finding| finding["verdict"].clone()).collect();
                    assert_eq!(*value, serde_json::Value::from(verdicts), "{name}");
                }
                // Not in the report: prices are shown by `show`, names of rules as sentences.
                "outcomes" | "refusals" => {}
                _ => assert_eq!(report[fact], *value, "{name}: {fact}"),
            }
        }
    }
}
