//! A validator whose disk takes no more, and processes that may open too few files.

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
    // Also of the database's own thread, which could not write either, nothing comes behind it.
    let message = log.lines().last().expect("a message");
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

/// Threat: a process starts with a limit that it will reach, and ends in the middle of its work.
#[test]
fn a_process_that_may_open_too_few_files_says_so() {
    let mut network = Network::found("few-files", Plan::default());
    for (name, files) in [("validator-1", 300), ("aggregator", 300), ("participant-001", 200)] {
        network.start_with_few_files(name, files);
        let status = network.ended(name, 120);
        let log = network.log(name);
        let message = log.lines().last().expect("a message");
        let said = [format!("at most {files} files may be open here"), "LimitNOFILE".to_owned()];
        let clear = message.starts_with("veilgrid: ") && said.iter().all(|part| message.contains(part));
        assert!(clear && !status.success(), "{name}, {status}: {message}");
        assert!(
            log.contains("open files") && log.contains("needed"),
            "the limit is said at the start: {log}"
        );
        network.forget_log(name);
    }
    // The limit that most systems begin with is enough for everything but so many connections.
    network.start_with_few_files("validator-1", 1_024);
    network.wait_for("an answer of validator-1", 180, |network| network.status("validator-1"));
    assert!(network.log("validator-1").contains("fewer connections"), "{}", network.log("validator-1"));
    network.finish();
}
