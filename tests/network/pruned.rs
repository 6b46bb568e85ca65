//! Validators that prune, for many rounds: whatever moment a ledger is copied at, it audits, and every receipt of an honest
//! network is judged to have been kept.

use crate::harness::{Network, Plan, validator};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Rounds whose bids stay.
const WINDOW: u64 = 3;
/// Whole rounds that an export may have: the window, the one that just ended, and one whose pruning waits for a certificate.
const MOST_WHOLE: u64 = WINDOW + 2;
/// A process that was told to stand still does so within this time, on a busy machine too.
const STANDS_STILL: Duration = Duration::from_millis(300);
/// The validator that is restarted half-way, in order.
const RESTARTED: u16 = 2;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
#[ignore = "takes minutes: see main.rs for the command"]
fn pruned_ledgers_audit_at_any_moment() {
    let rounds = number("VEILGRID_PRUNED_ROUNDS", 30);
    let participants = number("VEILGRID_PRUNED_PARTICIPANTS", 20);
    let plan = Plan {
        participants: u32::try_from(participants).expect("a number of participants"),
        lead_s: 20,
        interval_s: number("VEILGRID_PRUNED_INTERVAL_S", 14),
        deadline_s: 60,
        prune_after_rounds: Some(WINDOW),
        ..Plan::default()
    };
    println!(
        "{participants} participants, {rounds} rounds every {} s, bids stay for {WINDOW}",
        plan.interval_s
    );
    let mut network = Network::start_all("pruned", plan);
    network.wait_for_keys(180);
    let first = network.wait_for_bidding(0);
    let (began, mut seen) = (Instant::now(), Seen::default());
    // Twice the calendar's time and some minutes, on a machine that is busy with other things.
    let longest = Duration::from_secs(2 * rounds * plan.interval_s + 600);
    let mut restarted = false;
    while seen.ended < rounds {
        assert!(began.elapsed() < longest, "{} of {rounds} rounds in {longest:?}", seen.ended);
        for index in network.validators() {
            let report = network.audit_copy(index);
            seen.judge(&network, index, &report);
        }
        network.all_alive();
        if !restarted && seen.ended >= rounds / 2 {
            network.stop(&validator(RESTARTED));
            network.start(&validator(RESTARTED));
            (restarted, seen.ended_at_restart) = (true, seen.ended);
        }
    }
    println!("rounds from {first} on, {} s: {seen:?}", began.elapsed().as_secs());
    for index in network.validators() {
        network.stop(&validator(index));
        let report = network.audit(index);
        seen.judge(&network, index, &report);
    }
    network.no_evidence();
    assert!(seen.pruned_exports > 0 && seen.not_compared > 0, "nothing was ever pruned: {seen:?}");
    network.finish();
}

/// What exports have shown so far.
#[derive(Debug, Default)]
struct Seen {
    exports: u64,
    pruned_exports: u64,
    /// Exports with stretches whose state roots were not compared.
    not_compared: u64,
    /// Ended rounds of the export that had fewest, in the last turn.
    ended: u64,
    ended_at_restart: u64,
    most_whole: u64,
    verdicts: BTreeMap<String, u64>,
}

impl Seen {
    /// An export of a validator, audited with all receipts that were there when its store was copied.
    fn judge(&mut self, network: &Network, index: u16, report: &Value) {
        let count = |name: &str| report[name].as_u64().expect("a number");
        let of_pruned = &report["pruned"];
        let by_digest: u64 = ranges(&of_pruned["rounds_by_digest"]).iter().map(|(a, b)| b - a + 1).sum();
        let (whole, void) = (count("rounds_settled"), count("rounds_void"));
        self.exports += 1;
        self.pruned_exports += u64::from(of_pruned["blocks"] != 0);
        self.not_compared += u64::from(!ranges(&of_pruned["roots_not_compared"]).is_empty());
        if of_pruned["roots_unknown_from"] != Value::Null {
            network
                .fail(&format!("validator {index} prunes without a checkpoint that leads on: {of_pruned}"));
        }
        let ended = whole + by_digest;
        self.ended = if index == 1 { ended } else { self.ended.min(ended) };
        self.most_whole = self.most_whole.max(whole);
        if whole > MOST_WHOLE {
            network.fail(&format!(
                "validator {index} has {whole} whole rounds of {ended} ({void} void), of {WINDOW} bids were to stay \
                 (restarted after {}): {of_pruned}",
                self.ended_at_restart
            ));
        }
        for finding in report["receipts"].as_array().expect("findings") {
            let verdict = finding["verdict"].as_str().expect("a verdict");
            *self.verdicts.entry(verdict.to_owned()).or_default() += 1;
            if !["included", "included_by_digest", "round_open", "round_unknown"].contains(&verdict) {
                network.fail(&format!("validator {index}, everybody was honest: {finding} {of_pruned}"));
            }
        }
    }
}

fn ranges(value: &Value) -> Vec<(u64, u64)> {
    serde_json::from_value(value.clone()).expect("ranges")
}

impl Network {
    /// Copies the store of a running validator while it stands still, as a crash would leave it, and audits the copy.
    fn audit_copy(&self, index: u16) -> Value {
        let (name, copy) = (validator(index), self.dir.join("copy"));
        let _ = std::fs::remove_dir_all(&copy);
        self.signal(&name, "STOP");
        std::thread::sleep(STANDS_STILL);
        copy_folder(&self.home(&name).join("data/ledger"), &copy);
        self.signal(&name, "CONT");
        // Those that come later are for rounds that the copy may not have.
        self.audit_store(&copy, &format!("copy-{index}"), &self.receipts())
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("created");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target: PathBuf = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}
