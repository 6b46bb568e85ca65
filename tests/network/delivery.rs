//! Bids without the aggregator's help.

use crate::harness::{Network, Plan};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc;

/// Bids come by other ways, so that the round takes them for longer.
const PLAN: Plan = Plan {
    validators: 4,
    participants: 3,
    lead_s: 10,
    interval_s: 24,
    deadline_s: 30,
    grace_blocks: 3,
    epoch_blocks: 120,
    newcomers: 0,
    prune_after_rounds: None,
    money: false,
};

#[test]
fn bids_arrive_without_an_aggregator() {
    let mut network = Network::found("absent-aggregator", PLAN);
    clear_through_validators(&mut network);
    network.finish();
}

#[test]
fn bids_arrive_when_the_aggregator_never_answers() {
    let mut network = Network::found("silent-aggregator", PLAN);
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, network.http_port("aggregator"))).expect("its port");
    // It takes every connection and says nothing. The thread ends with the test's process.
    let (connected, connections) = mpsc::channel::<TcpStream>();
    std::thread::spawn(move || {
        listener
            .incoming()
            .flatten()
            .take_while(|stream| stream.try_clone().is_ok_and(|stream| connected.send(stream).is_ok()))
            .for_each(std::mem::forget);
    });
    clear_through_validators(&mut network);
    assert!(connections.try_iter().count() >= 3, "every participant asked it");
    network.finish();
}

/// A round with all bids, each with receipts of f + 1 validators that were kept.
fn clear_through_validators(network: &mut Network) {
    network.start_validators();
    network.start_participants();
    network.wait_for_keys(120);
    let round_id = network.wait_for_bidding(0);
    network.wait_for_clearing(round_id);
    network.agree();
    network.stop("validator-4");
    let report = network.audit(4);
    assert!(network.promises_kept(&report, round_id) >= 3 * 2, "{report}");
}
