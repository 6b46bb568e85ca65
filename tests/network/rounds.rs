//! A network in which nothing goes wrong.

use crate::checks::files;
use crate::harness::{Network, Plan, program, succeed, validator};

#[test]
fn founding_alone_starts_nothing() {
    let network = Network::found("founding", Plan::default());
    assert!(network.home("validator-4").join("validator.toml").exists());
    assert!(!network.home("validator-1").join("data").exists());
    assert_eq!(files(&network.dir.join("logs")).len(), 0);
    let plan = std::fs::read_to_string(network.dir.join("plan.toml")).expect("the plan");
    for line in ["opening_deadline_ms = 30000", "grace_blocks = 3", "epoch_blocks = 120"] {
        assert!(plan.contains(line), "{plan}");
    }
    let dir = network.dir.to_str().expect("UTF-8");
    let again = program(&["localnet", "--found-only", "--dir", dir]);
    assert!(succeed(&again).contains("was founded before"));
    let other = program(&["localnet", "--found-only", "--dir", dir, "--deadline-s", "31"]);
    assert_eq!(other.status.code(), Some(2));
    network.finish();
}

#[test]
fn rounds_clear_everybody_agrees_and_every_export_audits() {
    let mut network = Network::start_all("rounds", Plan::default());
    network.wait_for_keys(120);
    let first = network.wait_for_bidding(0);
    network.wait_for_clearing(first);
    let second = network.wait_for_bidding(first);
    network.wait_for_clearing(second);
    let height = network.agree();
    // The aggregator follows the same ledger.
    network.wait_for("the aggregator's height", 60, |network| {
        network.height("aggregator").filter(|followed| *followed >= height)
    });
    for index in network.validators() {
        network.stop(&validator(index));
    }
    for index in network.validators() {
        let report = network.audit(index);
        assert!(report["height"].as_u64().expect("a height") >= height);
        assert!(report["rounds_settled"].as_u64() >= Some(2), "{report}");
        // The aggregator's, of each bid.
        assert!(network.promises_kept(&report, second) >= 6, "{report}");
    }
    network.finish();
}
