//! Commands that write files and end, and how files are written at all: what was said to be written is on the disk.

use super::Recorded;
use super::support::disk::Disk;
use super::support::trace::{can_record, recorder, recording};
use super::support::{cuts, dice, scratch};
use crate::harness::{Network, PROGRAM, Plan, program, succeed};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use veilgrid_store::files;

/// Where a child writes.
const CHILD: &str = "VEILGRID_POWER_CHILD";
/// No file is called so.
const NOTHING: &str = "nothing";

/// Runs a command under the recorder. When it is done, each of the worst disks has all that it wrote; a file that is made anew
/// when it is not there does not count.
fn writes_for_good(root: &Path, words: &[&str], anew: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let (to, before) = (folder.path().join("trace"), Disk::load(root));
    let mut command = recorder(&to);
    command.extend(words.iter().map(Into::into));
    let output = Command::new(&command[0]).args(&command[1..]).env(CHILD, root).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{words:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    let one = Recorded { name: "a command", home: root.to_owned(), before, acts: recording(&to) };
    let end = one.is_complete();
    let files = |disk: &Disk| {
        disk.seen().into_iter().filter(|(path, _)| !path.ends_with(anew)).collect::<BTreeMap<_, _>>()
    };
    let (whole, scratch) = (files(&end), scratch());
    assert!(whole != files(&one.before), "{words:?} wrote nothing");
    for number in 0..cuts() {
        let at = scratch.path().join(format!("disk-{number}"));
        end.write_worst(&mut dice(number), &at);
        let kept = files(&Disk::load(&at));
        let missing = whole.iter().find(|(path, bytes)| kept.get(*path) != Some(*bytes));
        let missing = missing.map(|(path, _)| path);
        assert!(missing.is_none(), "{words:?}, disk {number}: {missing:?} is not what was written");
        std::fs::remove_dir_all(at).expect("removed");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn what_was_founded_is_on_the_disk_when_it_is_said() {
    if !can_record("what_was_founded_is_on_the_disk_when_it_is_said") {
        return;
    }
    let root = tempfile::tempdir().expect("a folder");
    let net = root.path().join("net");
    let numbers = "--validators 4 --participants 2 --ticks 16 --base-port 29000";
    let words =
        [PROGRAM, "localnet", "--found-only", "--dir", text(&net)].into_iter().chain(numbers.split(' '));
    // Whoever starts it first takes the lock.
    writes_for_good(root.path(), &words.collect::<Vec<_>>(), "localnet.lock");
}

/// Threat: a key whose public part is in everybody's genesis, and that the power has taken from its owner.
#[test]
fn keys_and_a_genesis_are_on_the_disk_when_they_are_said() {
    if !can_record("keys_and_a_genesis_are_on_the_disk_when_they_are_said") {
        return;
    }
    let (root, net) = (tempfile::tempdir().expect("a folder"), Network::found("keys", Plan::default()));
    let (keys, genesis) = (root.path().join("mine.keys"), root.path().join("genesis.bin"));
    let (passphrase, plan) = (net.dir.join("passphrase"), net.dir.join("plan.toml"));
    let with = ["--passphrase-file", text(&passphrase), "--out", text(&keys)];
    writes_for_good(
        root.path(),
        &[&[PROGRAM, "keys", "new", "--kind", "validator"], &with[..]].concat(),
        NOTHING,
    );
    let mut parts = vec![];
    for home in net.homes().into_iter().chain([net.dir.join("registrar")]) {
        let shown =
            program(&["keys", "show", text(&home.join("keys")), "--passphrase-file", text(&passphrase)]);
        let part = home.with_extension("json");
        std::fs::write(&part, succeed(&shown)).expect("written");
        parts.push(part);
    }
    let mut words =
        vec![PROGRAM, "create-genesis", "--plan", text(&plan), "--out", text(&genesis), "--public"];
    words.extend(parts.iter().map(|part| text(part)));
    writes_for_good(root.path(), &words, NOTHING);
    net.finish();
}

/// A child: new folders with files that are written as those of processes are.
#[test]
#[ignore = "a process of other tests"]
fn child_writes_files() {
    let Some(root) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let evidence = root.join("home/data/evidence");
    files::make_private_directory(&evidence).expect("made");
    files::write_durably(&evidence.join("round-1.json"), b"first").expect("written");
    let bids = root.join("home/data/bids");
    files::make_private_directory(&bids).expect("made");
    files::write_once(&bids.join("1.bid"), b"a bid").expect("written");
    files::write_durably(&evidence.join("round-1.json"), b"second").expect("replaced");
}

#[test]
fn files_of_new_folders_are_on_the_disk_when_they_are_written() {
    if !can_record("files_of_new_folders_are_on_the_disk_when_they_are_written") {
        return;
    }
    let (root, this) = (tempfile::tempdir().expect("a folder"), std::env::current_exe().expect("this test"));
    let words =
        [text(&this), "--ignored", "--exact", "--test-threads=1", "power::commands::child_writes_files"];
    writes_for_good(root.path(), &words, NOTHING);
}
