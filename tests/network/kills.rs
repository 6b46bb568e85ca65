//! Processes that die and come back.

use crate::harness::{Network, Plan, now_unix_ms};

#[test]
fn a_round_clears_although_a_validator_and_the_aggregator_are_killed_in_it() {
    let mut network = Network::start_all("kills", Plan::default());
    network.wait_for_keys(120);
    let round_id = network.wait_for_bidding(0);
    // In the middle of it: something has been acknowledged.
    network.wait_for("a receipt", 60, |network| (!network.receipts().is_empty()).then_some(()));
    network.kill("aggregator");
    network.kill("validator-2");
    let acknowledged = network.receipts().len();
    network.start("aggregator");
    network.start("validator-2");
    network.wait_for_clearing(round_id);
    // Once more, while the round is opened.
    let next = network.wait_for_bidding(round_id);
    network.wait_for("the close", 60, |network| {
        let stage = network.round("validator-1", next)?["stage"].as_str()?.to_owned();
        (stage != "bidding").then_some(())
    });
    network.kill("validator-3");
    network.start("validator-3");
    network.wait_for_clearing(next);
    network.agree();
    network.stop("validator-2");
    let report = network.audit(2);
    assert!(network.promises_kept(&report, next) >= acknowledged.max(3), "{report}");
    network.finish();
}

#[test]
fn a_round_that_too_few_validators_can_open_is_void_and_the_next_one_clears() {
    // A long grace: the kill comes after the close and before anything is opened. The deadline is over before the next
    // round opens.
    let plan = Plan { interval_s: 36, deadline_s: 10, grace_blocks: 40, ..Plan::default() };
    let mut network = Network::start_all("void", plan);
    network.wait_for_keys(120);
    let round_id = network.wait_for_bidding(0);
    network.wait_for("the close", 60, |network| {
        (network.round("validator-1", round_id)?["stage"] == "grace").then_some(())
    });
    network.kill("validator-3");
    network.kill("validator-4");
    let deadline_ms = network.round("validator-1", round_id).expect("it answers")["deadline_unix_ms"].clone();
    let deadline_ms = deadline_ms.as_u64().expect("a deadline");
    network.wait_for("the deadline", 60, |_| (now_unix_ms() > deadline_ms).then_some(()));
    network.start("validator-3");
    network.start("validator-4");
    let round = network.wait_for_end(round_id);
    assert_eq!(
        (&round["stage"], &round["void_reason"]),
        (&"void".into(), &"OpeningDeadline".into()),
        "{round}"
    );
    let next = network.wait_for_bidding(round_id);
    network.wait_for_clearing(next);
    network.agree();
    network.stop("validator-4");
    let report = network.audit(4);
    // On a slow machine others may be void too, and more may be settled.
    let void = report["void_rounds"].as_array().expect("a list").iter().map(|round| &round["round_id"]);
    assert!(void.clone().any(|void| *void == round_id) && void.clone().all(|void| *void != next), "{report}");
    assert!(report["rounds_settled"].as_u64() >= Some(1), "{report}");
    network.promises_kept(&report, next);
    network.finish();
}
