//! A validator whose disk takes no more.

use crate::harness::{Network, Plan};

/// The keys and a few blocks of the first rounds need more than that in one file.
const FILE_KIB: u32 = 100;

#[test]
fn a_full_disk_stops_a_validator_with_a_message_and_nothing_else() {
    let mut network = Network::found("full-disk", Plan::default());
    for index in 1..=3 {
        network.start(&crate::harness::validator(index));
    }
    network.start("aggregator");
    network.start_participants();
    network.start_on_small_disk("validator-4", FILE_KIB);
    let status = network.ended("validator-4", 60);
    assert_eq!(status.code(), Some(2));
    let log = network.log("validator-4");
    // The database's own thread may say behind it that it could not write either.
    let message = log.lines().rfind(|line| !line.contains(" sled::")).expect("a message");
    assert!(
        message.starts_with("veilgrid: ") && message.contains("no space") && message.contains("free"),
        "{message}"
    );
    // The engine that it uses ends by a panic, which is caught: the log up to here is no news at the end.
    network.forget_log("validator-4");
    network.start("validator-4");
    network.wait_for_keys(120);
    let first = network.wait_for_bidding(0);
    network.wait_for_clearing(first);
    network.agree();
    network.stop("validator-4");
    network.promises_kept(&network.audit(4), first);
    network.finish();
}
