//! Four engines over real sockets.

mod common;

use common::{Behaviour, Counter, Disk, decode_context};
use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;
use veilgrid_crypto::secret::Secret;
use veilgrid_engine::{
    ApplicationError, EngineConfig, EngineError, EngineFault, EngineHandle, MAX_GOSSIP_BYTES, StartingPoint,
    Timing, VoteWitness, blocks_kept, open_files, start,
};
use veilgrid_ledger::finality::{self, ConsensusKey};

const LEDGER: [u8; 32] = [3; 32];

/// Remembers own votes over restarts; the beginning of an epoch as a vote in view 0.
#[derive(Debug, Default)]
struct Witness(Mutex<BTreeSet<(u64, u64)>>);

impl VoteWitness for Witness {
    fn begins(&self, epoch: u64) -> Result<(), ApplicationError> {
        self.voted(epoch, 0)
    }

    fn voted(&self, epoch: u64, view: u64) -> Result<(), ApplicationError> {
        self.0.lock().expect("a witness").insert((epoch, view));
        Ok(())
    }
}

struct Validator {
    disk: Arc<Mutex<Disk>>,
    application: Arc<Mutex<Counter>>,
    engine: Option<EngineHandle>,
}

fn secret(index: usize) -> Secret<[u8; 32]> {
    Secret::new([index as u8 + 1; 32])
}

fn keys(count: usize) -> Vec<[u8; 32]> {
    (0..count).map(|index| ConsensusKey::from_seed(&secret(index)).public()).collect()
}

fn free_addresses(count: usize) -> Vec<SocketAddr> {
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
    listeners.iter().map(|listener| listener.local_addr().expect("an address")).collect()
}

fn config(index: usize, addresses: &[SocketAddr], directory: &Path, epoch_blocks: u64) -> EngineConfig {
    EngineConfig {
        ledger_id: LEDGER,
        consensus_secret: secret(index),
        listen: addresses[index],
        peers: keys(addresses.len()).into_iter().zip(addresses.iter().copied()).collect(),
        storage_dir: directory.join(index.to_string()),
        max_block_bytes: 1 << 20,
        epoch_blocks,
        blocks_kept: blocks_kept(epoch_blocks),
        decode: decode_context(),
        timing: Timing::default(),
        start: None,
        witness: None,
    }
}

fn counter(count: usize, epoch_blocks: u64, pace_ms: u64, disk: &Arc<Mutex<Disk>>) -> Arc<Mutex<Counter>> {
    let keys = keys(count);
    let roster = Arc::new(move |_| Some(keys.clone()));
    let behaviour = Behaviour { pace_ms, invalid: false, tells: false, roster, epoch_blocks };
    Arc::new(Mutex::new(Counter::new(behaviour, disk.clone())))
}

fn launch(config: EngineConfig, pace_ms: u64, disk: Arc<Mutex<Disk>>) -> Validator {
    let application = counter(config.peers.len(), config.epoch_blocks, pace_ms, &disk);
    let engine = Some(start(config, application.clone()).expect("the engine starts"));
    Validator { disk, application, engine }
}

fn height(validator: &Validator) -> u64 {
    validator.disk.lock().expect("disk").blocks.len() as u64
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    // Some wait for thousands of blocks, on a machine that may have other work: only what never comes is a failure.
    for _ in 0..30_000 {
        if done() {
            return;
        }
        sleep(Duration::from_millis(10));
    }
    panic!("five minutes passed and {what} did not come");
}

fn stop(validator: &mut Validator) {
    let engine = validator.engine.take().expect("it runs");
    engine.stop();
    assert!(engine.wait().is_ok());
    assert!(!engine.is_alive());
}

#[test]
fn four_validators_agree_and_a_restarted_one_catches_up() {
    let directory = tempfile::tempdir().expect("a directory");
    let (addresses, epoch_blocks) = (free_addresses(4), 10);
    let witnesses: Vec<Arc<Witness>> = (0..4).map(|_| Arc::default()).collect();
    let begin = |index: usize, disk| {
        let mut settings = config(index, &addresses, directory.path(), epoch_blocks);
        settings.witness = Some(witnesses[index].clone());
        launch(settings, 50, disk)
    };
    let mut validators: Vec<_> = (0..4).map(|index| begin(index, Arc::default())).collect();

    let too_long = vec![1; MAX_GOSSIP_BYTES + 1];
    wait_for("10 blocks", || validators.iter().all(|v| height(v) >= 10));
    let hello = vec![5; MAX_GOSSIP_BYTES];
    for message in [too_long, hello.clone()] {
        validators[0].application.lock().expect("application").say(message);
    }
    let from = keys(4)[0];
    wait_for("gossip", || {
        validators[1..].iter().all(|v| v.application.lock().expect("lock").heard(from, &hello))
    });

    stop(&mut validators[3]);
    let stopped_at = height(&validators[3]);
    wait_for("30 blocks", || validators[..3].iter().all(|v| height(v) >= stopped_at + 20));
    validators[3] = begin(3, validators[3].disk.clone());
    wait_for("the fourth", || height(&validators[3]) >= stopped_at + 25);

    // Lost by the application, kept by the engine.
    stop(&mut validators[2]);
    validators[2] = begin(2, Arc::default());
    wait_for("the third", || height(&validators[2]) >= stopped_at + 30);

    validators.iter_mut().for_each(stop);
    let disks: Vec<Disk> = validators.iter().map(|v| v.disk.lock().expect("disk").clone()).collect();
    for disk in &disks {
        for (block, other) in disk.blocks.iter().zip(&disks[0].blocks) {
            assert_eq!(block.hash(), other.hash());
        }
        assert!(
            disk.certificates.len() * 2 > disk.blocks.len(),
            "most blocks have a certificate of their own"
        );
        for (height, bytes) in &disk.certificates {
            let hash = disk.blocks[*height as usize - 1].hash();
            let verdict = finality::verify(&LEDGER, height / epoch_blocks, &keys(4), &hash, bytes);
            assert_eq!(verdict, Ok(()), "block {height}");
        }
    }
    every_vote_in_a_certificate_was_witnessed(&disks, &witnesses);
}

/// Also those of the validators that were away: nobody who catches up is taken for somebody else.
fn every_vote_in_a_certificate_was_witnessed(disks: &[Disk], witnesses: &[Arc<Witness>]) {
    let mut votes = 0;
    for (witness, key) in witnesses.iter().zip(keys(4)) {
        let known = witness.0.lock().expect("a witness");
        for bytes in disks.iter().flat_map(|disk| disk.certificates.values()) {
            let Some((epoch, view)) = finality::own_vote(&keys(4), &key, bytes) else { continue };
            assert!(known.contains(&(epoch, view)), "epoch {epoch}, view {view}");
            assert!(known.contains(&(epoch, 0)), "the epoch began");
            votes += 1;
        }
    }
    assert!(votes > 4 * 3 * 10, "{votes} votes");
}

#[test]
fn a_node_without_a_store_starts_from_a_certified_block_although_peers_have_pruned() {
    let directory = tempfile::tempdir().expect("a directory");
    let addresses = free_addresses(4);
    let begin = |index, disk| launch(config(index, &addresses, directory.path(), 1 << 20), 0, disk);
    let mut validators: Vec<_> = (0..3).map(|index| begin(index, Arc::default())).collect();
    // Two sections of the store, so that the first can be deleted.
    wait_for("2,100 blocks", || validators.iter().all(|v| height(v) >= 2_100));
    let files = || files_below(&directory.path().join("0").join("validator-blocks-values"));
    let before = files();
    for validator in &validators {
        validator.engine.as_ref().expect("runs").prune(2_090);
    }
    wait_for("a smaller store", || files() < before);

    let mut disk = validators[0].disk.lock().expect("disk").clone();
    let last = *disk.certificates.keys().next_back().expect("a certificate");
    disk.blocks.truncate(last as usize);
    let mut settings = config(3, &addresses, directory.path(), 1 << 20);
    settings.start = Some(StartingPoint { height: last, certificate: disk.certificates[&last].clone() });
    refuse_forged_start(&settings, directory.path(), &addresses);
    let fourth = launch(settings, 0, Arc::new(Mutex::new(disk)));
    wait_for("the fourth", || height(&fourth) >= last + 50);
    validators.push(fourth);

    // Again, now from its store, and in the middle of an epoch whose first block it never had.
    stop(&mut validators[3]);
    let before = height(&validators[3]);
    let disk = validators[3].disk.clone();
    validators[3] = begin(3, disk);
    wait_for("the fourth again", || height(&validators[3]) >= before + 50);
    validators.iter_mut().for_each(stop);
}

/// Files below a directory that this process has open; those of other tests are elsewhere.
#[cfg(target_os = "linux")]
fn open_below(directory: &Path) -> u64 {
    let entries = std::fs::read_dir("/proc/self/fd").expect("this process").filter_map(Result::ok);
    let targets = entries.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    targets.filter(|target| target.starts_with(directory)).count() as u64
}

#[test]
#[cfg(target_os = "linux")]
fn open_files_do_not_grow_with_the_number_of_epochs_and_blocks() {
    // The shortest that the check allows would be 2; with 8 a run has hundreds of epochs.
    const EPOCH_BLOCKS: u64 = 8;
    // One section of the store of final blocks, so that some go within this test.
    const KEPT: u64 = 2_048;
    let directory = tempfile::tempdir().expect("a directory");
    let addresses = free_addresses(1);
    let mut settings = config(0, &addresses, directory.path(), EPOCH_BLOCKS);
    settings.blocks_kept = KEPT;
    let mut validator = launch(settings, 0, Arc::default());
    let most_at = |blocks: u64| {
        let mut most = 0;
        wait_for("more blocks", || {
            most = most.max(open_below(directory.path()));
            height(&validator) >= blocks
        });
        most
    };
    let early = most_at(6 * EPOCH_BLOCKS);
    // Sixty epochs later, in the same section.
    let later = most_at(66 * EPOCH_BLOCKS);
    let last = most_at(2 * KEPT + EPOCH_BLOCKS);
    println!("open files: {early} in 6 epochs, {later} in 66, {last} in 513");
    assert!(later <= early + 16, "{early} files are open in epochs up to 5, and {later} up to 65");
    assert!(last <= open_files(EPOCH_BLOCKS, KEPT, 0), "{last} files are open");
    // Of three sections that of now and the one before.
    wait_for("fewer sections", || {
        files_below(&directory.path().join("0").join("validator-blocks-values")) <= 2
    });
    stop(&mut validator);
}

/// A certificate with one changed signature.
fn refuse_forged_start(settings: &EngineConfig, directory: &Path, addresses: &[SocketAddr]) {
    let mut forged = config(3, addresses, directory, settings.epoch_blocks);
    let mut start_at = settings.start.clone().expect("it has one");
    *start_at.certificate.last_mut().expect("bytes") ^= 1;
    forged.start = Some(start_at);
    let error = start(forged, counter(4, settings.epoch_blocks, 0, &Arc::default())).err();
    let refused = matches!(&error, Some(EngineError::Failed(EngineFault::Engine(why))) if why.contains("does not hold"));
    assert!(refused, "{error:?}");
}

fn files_below(directory: &Path) -> usize {
    std::fs::read_dir(directory).expect("the engine's store of blocks").count()
}

#[test]
#[ignore = "measures; see `--nocapture`"]
fn time_of_a_block() {
    let directory = tempfile::tempdir().expect("a directory");
    let addresses = free_addresses(4);
    let begin = |index| launch(config(index, &addresses, directory.path(), 1 << 20), 0, Arc::default());
    let mut validators: Vec<_> = (0..4).map(begin).collect();
    wait_for("500 blocks", || validators.iter().all(|v| height(v) >= 500));
    validators.iter_mut().for_each(stop);
    let disk = validators[0].disk.lock().expect("disk");
    let times: Vec<u64> = disk.blocks[100..500].iter().map(|b| b.header.time_unix_ms).collect();
    let mut between: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    between.sort_unstable();
    println!("median {} ms, 95 % {} ms", between[between.len() / 2], between[between.len() * 95 / 100]);
}

#[test]
fn an_application_that_cannot_go_on_stops_the_engine() {
    let directory = tempfile::tempdir().expect("a directory");
    let addresses = free_addresses(1);
    let validator = launch(config(0, &addresses, directory.path(), 1 << 20), 10, Arc::default());
    wait_for("a block", || height(&validator) >= 1);
    let application = validator.application.clone();
    let poison = std::thread::spawn(move || {
        let _held = application.lock();
        panic!("poisons the lock, as it is meant to");
    });
    assert!(poison.join().is_err());
    let fault = validator.engine.as_ref().expect("it was started").wait();
    assert!(matches!(&fault, Err(EngineFault::Engine(why)) if why.contains("poisoned")), "{fault:?}");
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let addresses = free_addresses(1);
    let refused = |change: &dyn Fn(&mut EngineConfig)| {
        let mut config = config(0, &addresses, directory.path(), 10);
        change(&mut config);
        let application = counter(1, 10, 10, &Arc::default());
        match start(config, application) {
            Err(EngineError::Setting { setting, .. }) => setting,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it started"),
        }
    };
    assert_eq!(refused(&|c| c.epoch_blocks = 1), "epoch_blocks");
    assert_eq!(refused(&|c| c.blocks_kept = 2 * c.epoch_blocks - 1), "blocks_kept");
    assert_eq!(refused(&|c| c.max_block_bytes = 0), "max_block_bytes");
    assert_eq!(refused(&|c| c.timing.leader_timeout_ms = 0), "timing");
    assert_eq!(refused(&|c| c.timing.skip_after_ms = 0), "skip_after_ms");
    assert_eq!(refused(&|c| c.timing.certification_timeout_ms = 1), "certification_timeout_ms");
    let mut not_a_key = [0xffu8; 32];
    not_a_key[0] = 2;
    assert_eq!(refused(&|c| c.peers.push((not_a_key, addresses[0]))), "peers");

    let taken = TcpListener::bind(addresses[0]).expect("the port is free");
    let application = counter(1, 10, 10, &Arc::default());
    let error = start(config(0, &addresses, directory.path(), 10), application).err();
    assert!(matches!(error, Some(EngineError::Listen { .. })), "{error:?}");
    drop(taken);
}
