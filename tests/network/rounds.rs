//! A network in which nothing goes wrong.

use crate::harness::{Network, Plan, validator};

#[test]
fn rounds_clear_everybody_agrees_and_every_export_audits() {
    let mut network = Network::start_all("rounds", Plan::default());
    network.wait_for_keys(60);
    let first = network.wait_for_bidding(0);
    network.wait_for_clearing(first);
    let second = network.wait_for_bidding(first);
    network.wait_for_clearing(second);
    let height = network.agree();
    // The aggregator follows the same ledger.
    network.wait_for("the aggregator's height", 20, |network| {
        network.height("aggregator").filter(|followed| *followed >= height)
    });
    for index in network.validators() {
        network.stop(&validator(index));
    }
    for index in network.validators() {
        let report = network.audit(index);
        assert!(report["height"].as_u64().expect("a height") >= height);
        assert_eq!(report["rounds_settled"], 2, "{report}");
        // The aggregator's, of each bid.
        assert_eq!(network.promises_kept(&report, second), 6, "{report}");
    }
    network.finish();
}
