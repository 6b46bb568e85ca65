//! Validators that have lost their files, or find them damaged.

use crate::checks::files;
use crate::harness::{Network, Plan};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[test]
fn a_validator_without_its_data_catches_up() {
    let mut network = Network::start_all("lost-data", Plan::default());
    network.wait_for_keys(120);
    let first = network.wait_for_bidding(0);
    network.wait_for_clearing(first);
    network.kill("validator-4");
    std::fs::remove_dir_all(network.home("validator-4").join("data")).expect("removed");
    network.start("validator-4");
    catch_up(&mut network, "validator-4");
    network.agree();
    let next = network.wait_for_bidding(first);
    network.wait_for_clearing(next);
    network.agree();
    network.stop("validator-4");
    let report = network.audit(4);
    assert!(report["rounds_settled"].as_u64() >= Some(2), "{report}");
    network.promises_kept(&report, next);
    network.finish();
}

/// Killed or stopped, validator and aggregator execute what has come since they saved their state, and know of earlier rounds what
/// they knew; told to, or with a saved state that is not their own, they execute everything.
#[test]
fn a_validator_and_an_aggregator_go_on_from_what_they_have_saved() {
    let mut network = Network::start_all("saved", Plan::default());
    network.wait_for_keys(120);
    let first = network.wait_for_bidding(0);
    network.wait_for_clearing(first);
    let goes_on = "the ledger goes on from the saved state";
    let state = |network: &Network, name: &str| network.home(name).join("data/ledger/state");
    for name in ["validator-2", "aggregator"] {
        network.stop(name);
        let ended = network.round("validator-1", first).expect("it answers");
        network.forget_log(name);
        network.start(name);
        catch_up(&mut network, name);
        assert!(network.log(name).contains(goes_on), "{name}: {}", network.log(name));
        // How the round ended was in blocks that were not executed again.
        let known = network.round(name, first).expect("it answers");
        assert_eq!((&known["stage"], &known["outcome"]), (&ended["stage"], &ended["outcome"]), "{name}");
    }
    // Another node's.
    network.kill("validator-2");
    network.stop("validator-3");
    std::fs::copy(state(&network, "validator-3"), state(&network, "validator-2")).expect("copied");
    for (name, says, not) in
        [("validator-3", goes_on, "is not used"), ("validator-2", "the saved state is not used", goes_on)]
    {
        network.forget_log(name);
        network.start(name);
        catch_up(&mut network, name);
        let log = network.log(name);
        assert!(log.contains(says) && !log.contains(not), "{name}: {log}");
    }
    network.stop("validator-4");
    network.forget_log("validator-4");
    let all = ["env", "VEILGRID_VALIDATOR__CHECKS__VERIFY_ALL=true"].map(Into::into);
    network.start_under("validator-4", &all);
    catch_up(&mut network, "validator-4");
    let log = network.log("validator-4");
    assert!(!log.contains(goes_on) && !log.contains("is not used"), "told to execute everything: {log}");
    let next = network.wait_for_bidding(first);
    network.wait_for_clearing(next);
    network.agree();
    network.stop("validator-2");
    let report = network.audit(2);
    network.promises_kept(&report, next);
    network.finish();
}

/// Picks the file of a store that is damaged.
type FileOf = fn(&Path) -> PathBuf;
/// Damages it.
type Damage = fn(&Path);

#[test]
fn a_damaged_store_is_rebuilt_or_refused_and_the_others_go_on() {
    let mut network = Network::start_all("damage", Plan::default());
    network.wait_for_keys(120);
    let first = network.wait_for_bidding(0);
    network.wait_for_clearing(first);
    let faults: [(&str, FileOf, Damage); 5] = [
        ("a bit of a block is flipped", largest_body, flip),
        ("a block is cut", largest_body, cut),
        ("a bit of the database is flipped", database, flip),
        ("the database is cut", database, cut),
        ("what was acknowledged is cut", acknowledged, cut),
    ];
    for (what, file, damage) in faults {
        network.kill("validator-3");
        let store = network.home("validator-3").join("data/ledger");
        damage(&file(&store));
        network.start("validator-3");
        if let Some(ended) = rebuilt_or_ended(&mut network, "validator-3") {
            println!("{what}: it ends with {ended}");
            std::fs::remove_dir_all(&store).expect("removed, as the message says");
            network.start("validator-3");
        } else {
            println!("{what}: it goes on");
        }
        catch_up(&mut network, "validator-3");
    }
    network.agree();
    let next = network.wait_for_bidding(first);
    network.wait_for_clearing(next);
    network.agree();
    network.stop("validator-3");
    network.promises_kept(&network.audit(3), next);
    network.finish();
}

/// Threat: a validator is started with a backup of all that it had, engine and mark of own votes included. It finds its later
/// votes in the others' certificates and stops, says what to do, and does not go on before that is done.
#[test]
fn a_validator_that_was_set_back_stops_and_goes_on_without_its_engines_store() {
    let mut network = Network::found("set-back", Plan::default());
    network.start_validators();
    network.wait_for_keys(120);
    // Votes of the first seconds are forgiven: an engine with a new store has forgotten earlier ones.
    std::thread::sleep(Duration::from_secs(15));
    network.stop("validator-4");
    let (data, backup) =
        (network.home("validator-4").join("data"), network.home("validator-4").join("backup"));
    copy(&data, &backup);
    // The mark is ahead of the votes; here it is as if the backup were older by as much.
    let mark = backup.join("own-votes");
    let mut bytes = std::fs::read(&mark).expect("a mark");
    bytes[1..17].fill(0);
    std::fs::write(&mark, bytes).expect("written");
    network.start("validator-4");
    catch_up(&mut network, "validator-4");
    let height = network.height("validator-4").expect("it runs");
    network.wait_for("10 blocks", 60, |network| network.height("validator-4").filter(|h| *h >= height + 10));

    network.kill("validator-4");
    std::fs::remove_dir_all(&data).expect("removed");
    std::fs::rename(&backup, &data).expect("restored");
    for says in ["that this process has not given", "stopped before because of votes that are not its own"] {
        network.forget_log("validator-4");
        network.start("validator-4");
        // A restart does not mend it: the systemd units start it no further time.
        assert_eq!(network.ended("validator-4", 90).code(), Some(3));
        let log = network.log("validator-4");
        let message = log.lines().find(|line| line.starts_with("veilgrid:")).unwrap_or_default();
        assert!(message.contains(says) && message.contains("move engine/ out of data_dir"), "{log}");
    }
    std::fs::rename(data.join("engine"), data.join("engine.old")).expect("moved, as the message says");
    network.start("validator-4");
    catch_up(&mut network, "validator-4");
    std::thread::sleep(Duration::from_secs(15));
    network.all_alive();
    let status = network.status("validator-4").expect("it serves");
    assert!(status["trouble"].is_null() && status["unknown_votes"] == 0, "{status}");
    assert!(status["last_vote_age_s"].as_u64().is_some_and(|age_s| age_s < 15), "it votes: {status}");
    network.finish();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(&from, &to).expect("copied");
        }
    }
}

/// Waits until a validator has what the others had when this began.
fn catch_up(network: &mut Network, name: &str) {
    let height = network.height("validator-1").expect("it runs");
    network.wait_for(&format!("{name} at height {height}"), 60, |network| {
        network.height(name).filter(|reached| *reached >= height)
    });
}

/// How a validator ended that refuses its store, with its message; none when it serves.
fn rebuilt_or_ended(network: &mut Network, name: &str) -> Option<String> {
    let before = network.log(name).len();
    let end = Instant::now() + Duration::from_secs(30);
    while Instant::now() < end {
        if network.status(name).is_some() {
            return None;
        }
        if let Some(status) = network.has_ended(name) {
            assert!(!status.success(), "{name} ends as if all were well");
            let log = network.log(name).split_off(before);
            let message = log.lines().find(|line| line.starts_with("veilgrid:")).map(str::to_owned);
            return Some(
                message.unwrap_or_else(|| network.fail(&format!("{name} does not say why it ends: {log}"))),
            );
        }
        std::thread::sleep(crate::harness::LOOK);
    }
    network.fail(&format!("{name} neither serves nor ends"))
}

fn largest_body(store: &Path) -> PathBuf {
    let bodies = files(&store.join("bodies"));
    let length = |path: &PathBuf| std::fs::metadata(path).expect("a file").len();
    bodies.into_iter().max_by_key(length).expect("a body")
}

fn database(store: &Path) -> PathBuf {
    store.join("db")
}

fn acknowledged(store: &Path) -> PathBuf {
    store.join("acknowledged")
}

/// The first bit of the byte in the middle of what is not zero.
fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).expect("read");
    let used = bytes.iter().rposition(|byte| *byte != 0).expect("not empty");
    bytes[used / 2] ^= 1;
    std::fs::write(path, bytes).expect("written");
}

fn cut(path: &Path) {
    let bytes = std::fs::read(path).expect("read");
    let used = bytes.iter().rposition(|byte| *byte != 0).expect("not empty");
    std::fs::write(path, &bytes[..used / 2]).expect("written");
}
