//! A day that is interrupted or killed leaves a ledger that audits up to its last block.
#![cfg(unix)]

use crate::cli::{code, stderr, veilgrid};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Whether block 1 is on disk: the store's mark is written in two slots in turn, and the second write goes to the
/// file's beginning.
fn has_block_1(mark: &Path) -> bool {
    std::fs::read(mark).is_ok_and(|mark| mark.get(..8).is_some_and(|number| number != [0; 8]))
}

/// Starts a day that takes longer than any of these tests, and waits for its first block after the genesis.
fn started(out: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_veilgrid"));
    command.args(["demo", "--participants", "12", "--slots", "90", "--ticks", "16", "--out"]).arg(out);
    let mut day = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let marks = [1, 2, 3, 4].map(|n| out.join(format!("validators/validator-{n}/acknowledged")));
    for _ in 0..1200 {
        if marks.iter().all(|mark| has_block_1(mark)) {
            return day;
        }
        assert!(day.try_wait().expect("a child").is_none(), "the day ended before its first round");
        std::thread::sleep(Duration::from_millis(50));
    }
    day.kill().expect("killed");
    panic!("no block in a minute");
}

#[test]
fn a_signal_ends_the_day_with_a_ledger_that_audits() {
    for signal in ["-INT", "-TERM"] {
        let dir = tempfile::tempdir().expect("a folder");
        let out = dir.path().join("day");
        let day = started(&out);
        let sent = Command::new("kill").args([signal, &day.id().to_string()]).status().expect("kill");
        assert!(sent.success());
        let ended = day.wait_with_output().expect("it ends");
        assert_eq!(code(&ended), 130, "{signal}: {}", stderr(&ended));
        assert!(stderr(&ended).contains("interrupted"), "{}", stderr(&ended));
        let (ledger, receipts) = (out.join("ledger.vgl"), out.join("receipts.txt"));
        let paths = [&ledger, &receipts].map(|path| path.to_str().expect("UTF-8"));
        let audit = veilgrid(["audit", paths[0], "--receipts", paths[1]]);
        assert_eq!(code(&audit), 0, "{}", stderr(&audit));
    }
}

#[test]
fn the_stores_of_a_killed_day_export_to_a_ledger_that_audits() {
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path().join("day");
    let mut day = started(&out);
    let store = |validator: u16| {
        let store = out.join(format!("validators/validator-{validator}"));
        store.to_str().expect("UTF-8").to_owned()
    };
    let ledger = dir.path().join("rescued.vgl");
    let ledger = ledger.to_str().expect("UTF-8");
    let in_use = veilgrid(["export", &store(1), ledger]);
    assert_eq!(code(&in_use), 2);
    assert!(stderr(&in_use).contains("in use"), "{}", stderr(&in_use));
    // SIGKILL: nothing of the program runs any more.
    day.kill().expect("killed");
    day.wait().expect("it ends");
    for validator in 1..=4 {
        let ledger = dir.path().join(format!("{validator}.vgl"));
        let ledger = ledger.to_str().expect("UTF-8");
        let export = veilgrid(["export", &store(validator), ledger]);
        assert_eq!(code(&export), 0, "{}", stderr(&export));
        let audit = veilgrid(["audit", ledger]);
        assert_eq!(code(&audit), 0, "{}", stderr(&audit));
        assert_eq!(code(&veilgrid(["export", &store(validator), ledger])), 2, "nothing is overwritten");
    }
}

#[test]
fn an_export_of_no_store_is_refused_and_begins_none() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().to_str().expect("UTF-8");
    let ledger = dir.path().join("ledger.vgl");
    let output = veilgrid(["export", path, ledger.to_str().expect("UTF-8")]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("no validator's store"), "{}", stderr(&output));
    assert_eq!(std::fs::read_dir(dir.path()).expect("readable").count(), 0);
}
