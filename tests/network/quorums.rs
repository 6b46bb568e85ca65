//! Larger networks: keys with a silent validator, rounds with no more than a quorum.

use crate::harness::{Network, Plan, now_unix_ms, validator};
use std::time::Instant;

#[test]
#[ignore = "takes minutes: see main.rs for the command"]
fn quorums() {
    let sizes = std::env::var("VEILGRID_QUORUMS").unwrap_or_else(|_| "4,7,16".to_owned());
    for size in sizes.split(',') {
        clear_with_a_quorum(size.trim().parse().expect("VEILGRID_QUORUMS is a list of numbers"));
    }
}

fn clear_with_a_quorum(validators: u16) {
    let size = u64::from(validators);
    // Leaders that are away cost a second each.
    let plan =
        Plan { validators, lead_s: 5 + size, interval_s: 24 + size, deadline_s: 60, ..Plan::default() };
    let mut network = Network::found(&format!("quorum-{validators}"), plan);
    let silent = validator(validators);
    let began = Instant::now();
    for index in 1..validators {
        network.start(&validator(index));
    }
    network.wait_for_keys(300);
    let seconds = began.elapsed().as_secs_f64();
    println!("{validators} validators, {silent} silent: the keys are there {seconds:.1} s after the start");
    let quorum = validators - (validators - 1) / 3;
    for index in quorum + 1..validators {
        network.stop(&validator(index));
    }
    assert_eq!(network.running_validators().len(), usize::from(quorum));
    network.start("aggregator");
    network.start_participants();
    let before =
        network.status("validator-1").and_then(|status| status["last_round_id"].as_u64()).unwrap_or(0);
    let round_id = network.wait_for_bidding(before);
    let close_ms = network.round("validator-1", round_id).expect("it answers")["close_unix_ms"].as_u64();
    let close_ms = close_ms.expect("a time");
    network.wait_for_clearing(round_id);
    let opening_ms = now_unix_ms().saturating_sub(close_ms);
    println!("{quorum} of them: round {round_id} is cleared {opening_ms} ms after its close");
    network.agree();
    network.stop("validator-1");
    let report = network.audit(1);
    network.promises_kept(&report, round_id);
    network.finish();
}
