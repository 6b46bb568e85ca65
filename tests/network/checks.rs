//! What has to hold whatever happened: one ledger, one state, an audit that passes, promises that were kept.

use crate::harness::{Network, participant, program, succeed, validator};
use crate::http;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Blocks of one request.
const BATCH: u64 = 256;

impl Network {
    /// All running validators have the same blocks, byte for byte, and the same state wherever they show the same
    /// height. Returns the height up to which blocks were compared.
    pub fn agree(&mut self) -> u64 {
        let running = self.running_validators();
        let height = self.wait_for("an answer of every validator", 60, |network| {
            let heights: Option<Vec<u64>> =
                running.iter().map(|index| network.height(&validator(*index))).collect();
            heights?.into_iter().min()
        });
        let mut from = 0;
        while from <= height {
            let max = BATCH.min(height - from + 1);
            let answers: Vec<Vec<Vec<u8>>> =
                running.iter().map(|index| self.blocks(&validator(*index), from, max)).collect();
            let shortest = answers.iter().map(Vec::len).min().unwrap_or(0);
            if shortest == 0 {
                self.fail(&format!("a validator has no block at height {from}"));
            }
            for (index, blocks) in running.iter().zip(&answers) {
                if let Some(place) = (0..shortest).find(|place| blocks[*place] != answers[0][*place]) {
                    let height = from + place as u64;
                    self.fail(&format!("validators {} and {index} differ at height {height}", running[0]));
                }
            }
            from += shortest as u64;
        }
        self.same_roots(&running);
        height
    }

    fn blocks(&self, name: &str, from: u64, max: u64) -> Vec<Vec<u8>> {
        match http::get(self.http_port(name), &format!("/v1/blocks?from={from}&max={max}")) {
            Some((200, body)) => http::blocks(&body),
            other => self.fail(&format!("{name} does not send its blocks from {from}: {other:?}")),
        }
    }

    /// Looks at the states until there is a height that all have shown.
    fn same_roots(&mut self, running: &[u16]) {
        let mut roots: BTreeMap<u64, (String, BTreeSet<u16>)> = BTreeMap::new();
        let wanted = running.len();
        self.wait_for("a height that all validators show", 60, |network| {
            for index in running {
                let status = network.status(&validator(*index))?;
                let height = status["height"].as_u64().expect("a height");
                let root = status["state_root"].as_str().expect("a root").to_owned();
                let (first, shown) = roots.entry(height).or_insert_with(|| (root.clone(), BTreeSet::new()));
                if *first != root {
                    network.fail(&format!(
                        "validator {index} has another state at height {height}: {root}, not {first}"
                    ));
                }
                shown.insert(*index);
            }
            roots.values().any(|(_, shown)| shown.len() == wanted).then_some(())
        });
    }

    /// Exports the ledger of a validator that does not run and audits it with all receipts that participants hold.
    pub fn audit(&self, index: u16) -> Value {
        let store = self.home(&validator(index)).join("data/ledger");
        self.audit_store(&store, &validator(index), &self.receipts())
    }

    /// The same of a store, wherever it is, with these receipts.
    pub fn audit_store(&self, store: &Path, name: &str, receipts: &[String]) -> Value {
        let file = self.dir.join(format!("{name}.vgl"));
        let file = file.to_str().expect("UTF-8");
        // A file of an earlier export.
        let _ = std::fs::remove_file(file);
        succeed(&program(&["export", store.to_str().expect("UTF-8"), file]));
        let genesis = std::fs::read_to_string(self.dir.join("genesis.hash")).expect("the hash");
        let list = self.dir.join("receipts.txt");
        std::fs::write(&list, receipts.concat()).expect("written");
        let list = list.to_str().expect("UTF-8");
        let output = program(&["audit", file, "--genesis", genesis.trim(), "--receipts", list, "--json"]);
        let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            self.fail(&format!("the ledger of {name} is refused: {errors} {report}"));
        }
        assert_eq!((&report["ok"], &report["genesis_trusted"]), (&true.into(), &true.into()));
        report
    }

    /// Receipts of all participants, a line each.
    pub fn receipts(&self) -> Vec<String> {
        let folders =
            (1..=self.plan.participants).map(|number| self.home(&participant(number)).join("data/receipts"));
        // Beside them may stand one that is being written.
        let whole = |file: &std::path::PathBuf| file.extension().is_some_and(|end| end == "receipt");
        let files = folders.flat_map(|folder| files(&folder)).filter(whole);
        files.map(|file| std::fs::read_to_string(file).expect("a receipt").trim().to_owned() + "\n").collect()
    }

    /// Every receipt for a round up to `last` is one of a bid that is on the ledger, and no participant holds evidence
    /// of anything else. Returns how many there are.
    pub fn promises_kept(&self, report: &Value, last: u64) -> usize {
        let findings = report["receipts"].as_array().expect("findings");
        let due =
            findings.iter().filter(|finding| finding["round_id"].as_u64().is_some_and(|round| round <= last));
        let count = due.clone().count();
        if let Some(broken) = due.clone().find(|finding| finding["verdict"] != "included") {
            self.fail(&format!("a bid with a receipt is not on the ledger: {broken}"));
        }
        self.no_evidence();
        count
    }

    /// No participant has found anything wrong.
    pub fn no_evidence(&self) {
        for number in 1..=self.plan.participants {
            let name = participant(number);
            if let Some(file) = files(&self.home(&name).join("data/evidence")).first() {
                let text = std::fs::read_to_string(file).unwrap_or_default();
                self.fail(&format!(
                    "{name} holds evidence: {} {}",
                    file.display(),
                    text.chars().take(400).collect::<String>()
                ));
            }
        }
    }
}

pub fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}
