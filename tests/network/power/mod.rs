//! Power failures. The order of writes and syncs of each process is recorded, and the worst disks that it allows are built
//! at random cuts. What a process had said before a cut has to be on each of them. Stores by themselves:
//! `store/tests/power/`.
//!
//! 50 cuts a process run with all other tests. Where there is no `strace`, they are left out with a message, or fail if
//! `VEILGRID_NEEDS_STRACE` is set. More:
//!
//! ```text
//! VEILGRID_CUTS=1000 cargo test --release --features network --test network -- --nocapture power::
//! ```
//!
//! `VEILGRID_CUTS_SEED` (1) changes the cuts, `VEILGRID_CUTS_RESTARTS` (1) how many whole networks are started on worst
//! disks, `VEILGRID_CUTS_LOUD` says which stores were built anew.

mod commands;
mod promises;
#[path = "../../../store/tests/power_support/mod.rs"]
mod support;

use crate::harness::{Network, Plan};
use promises::{Found, Said, hashes};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use support::dice::Dice;
use support::disk::Disk;
use support::trace::{self, Act, can_record, recording};
use support::{cuts, dice, scratch};

/// Processes that are recorded, one of each kind. The others write the same.
const RECORDED: [&str; 3] = ["validator-1", "aggregator", "participant-001"];

/// What is recorded of one process over all its runs.
struct Recorded {
    name: &'static str,
    home: PathBuf,
    /// The disk before its first run.
    before: Disk,
    acts: Vec<Act>,
}

impl Recorded {
    /// Nothing was missed: whoever does all that was recorded has the files that are there.
    fn is_complete(&self) -> Disk {
        let mut disk = self.before.clone();
        self.acts.iter().for_each(|act| disk.act(act));
        let files = disk.seen();
        let real = Disk::load(&self.home).seen();
        let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&files), names(&real), "{}: names", self.name);
        for (path, bytes) in &real {
            let same = files[path] == *bytes;
            assert!(same, "{}: {} was written by a call that is not recorded", self.name, path.display());
        }
        disk
    }

    /// Tries cuts; the first promise that is broken fails the test.
    fn try_cuts(&self, folder: &Path, whole: &BTreeMap<u64, [u8; 32]>, dice: &mut Dice) -> Found {
        let (at, mut found) = (self.cuts(dice), Found::default());
        let (mut disk, mut said) = (self.before.clone(), Said::default());
        for (index, act) in self.acts.iter().enumerate() {
            disk.act(act);
            if let Act::Sent { bytes } = act {
                said.listen(bytes, &disk);
            }
            for _ in 0..at.get(&index).copied().unwrap_or(0) {
                let home = folder.join(format!("{}-cut", self.name));
                let _ = std::fs::remove_dir_all(&home);
                disk.write_worst(dice, &home);
                if let Err(why) = said.check(&home, whole, &mut found) {
                    panic!(
                        "{}, cut after call {index} of {}: {why}; the disk is kept in {}",
                        self.name,
                        self.acts.len(),
                        home.display()
                    );
                }
            }
        }
        found
    }

    /// How many disks at which act: half of them behind something that was said, a quarter in the first tenth, where
    /// everything is new, the others anywhere.
    fn cuts(&self, dice: &mut Dice) -> BTreeMap<usize, usize> {
        let (mut disk, mut said) = (self.before.clone(), Said::default());
        let mut speaking = vec![];
        for (index, act) in self.acts.iter().enumerate() {
            disk.act(act);
            if let Act::Sent { bytes } = act
                && said.listen(bytes, &disk)
            {
                speaking.push(index);
            }
        }
        assert!(said.count() > 0, "{} said nothing: {} calls were recorded", self.name, self.acts.len());
        let mut chosen = BTreeMap::new();
        for number in 0..cuts() {
            let at = match number % 4 {
                0 | 1 => speaking[dice.below(speaking.len())],
                2 => dice.below(self.acts.len().div_ceil(10)),
                _ => dice.below(self.acts.len()),
            };
            *chosen.entry(at).or_default() += 1;
        }
        chosen
    }
}

fn start_recorded(network: &mut Network, name: &str, run: usize) -> PathBuf {
    let to = network.dir.join(format!("{name}-{run}.trace"));
    network.start_under(name, &trace::recorder(&to));
    to
}

#[test]
fn power_failures_take_nothing_that_was_said() {
    if !can_record("power_failures_take_nothing_that_was_said") {
        return;
    }
    let mut network = Network::found("power", Plan::default());
    let passphrase = std::fs::read(network.dir.join("passphrase")).expect("a passphrase");
    for name in RECORDED {
        // Where a copy of the folder is looked at, it is all that there is.
        std::fs::write(network.home(name).join("passphrase"), &passphrase).expect("written");
    }
    let before: Vec<Disk> = RECORDED.iter().map(|name| Disk::load(&network.home(name))).collect();
    let mut traces: BTreeMap<&str, Vec<PathBuf>> = BTreeMap::new();
    for name in ["validator-1", "validator-2", "validator-3", "validator-4", "aggregator"] {
        start_any(&mut network, name, 0, &mut traces);
    }
    for name in ["participant-001", "participant-002", "participant-003"] {
        start_any(&mut network, name, 0, &mut traces);
    }
    network.wait_for_keys(120);
    let first = network.wait_for_bidding(0);
    network.wait_for_end(first);
    // A kill in the middle of it all, and a second run over what the first one has left.
    let second = network.wait_for_bidding(first);
    for name in RECORDED {
        network.freeze(name);
        network.kill(name);
        start_any(&mut network, name, 1, &mut traces);
    }
    network.wait_for_end(second);
    let third = network.wait_for_bidding(second);
    // Everything at once, as the power fails.
    RECORDED.iter().for_each(|name| network.freeze(name));
    network.kill_all();
    let recorded = RECORDED.iter().zip(before).map(|(name, before)| {
        let acts = traces[name].iter().flat_map(|path| recording(path)).collect();
        Recorded { name, home: network.home(name), before, acts }
    });
    let recorded: Vec<Recorded> = recorded.collect();
    // It stays when a disk in it breaks a promise.
    let folder = scratch().keep();
    // The others were killed, and their disks did not fail.
    let others = network.homes().into_iter().filter(|home| recorded.iter().all(|one| one.home != *home));
    let mut ends: Vec<(PathBuf, Disk)> = others.map(|home| (home.clone(), Disk::load(&home))).collect();
    for (number, one) in recorded.iter().enumerate() {
        let end = one.is_complete();
        let seen = folder.join(format!("{}-whole", one.name));
        end.write_seen(&seen);
        let whole = hashes(&seen.join("data/ledger"));
        let found = one.try_cuts(&folder, &whole, &mut dice(number as u64));
        println!("{}: {} calls, {found:?}", one.name, one.acts.len());
        ends.push((one.home.clone(), end));
    }
    std::fs::remove_dir_all(folder).expect("removed");
    for restart in 0..support::restarts() {
        restart_all(&mut network, &ends, third, restart);
        println!("restart {restart}: the network went on");
    }
    network.finish();
}

fn start_any<'a>(
    network: &mut Network,
    name: &'a str,
    run: usize,
    traces: &mut BTreeMap<&'a str, Vec<PathBuf>>,
) {
    if RECORDED.contains(&name) {
        traces.entry(name).or_default().push(start_recorded(network, name, run));
    } else {
        network.start(name);
    }
}

/// Starts the whole network on worst disks of its end: it goes on, and nobody finds a broken promise. Everybody goes back to
/// that end: whoever did so alone, after the others have gone on, would be a validator that was set back.
fn restart_all(network: &mut Network, ends: &[(PathBuf, Disk)], last: u64, number: u64) {
    for (home, end) in ends {
        std::fs::remove_dir_all(home).expect("removed");
        end.write_worst(&mut dice(1000 + number), home);
    }
    network.start_validators();
    network.start("aggregator");
    network.start_participants();
    network.wait_for_keys(120);
    let next = network.wait_for_bidding(last);
    network.wait_for_end(next);
    network.agree();
    network.no_evidence();
    network.stop("validator-1");
    network.promises_kept(&network.audit(1), next);
    network.kill_all();
}
