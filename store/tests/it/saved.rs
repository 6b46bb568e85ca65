//! A node goes on from the state that it has saved: with the state of the replay, over what has come since, and never from anything
//! else than what it has saved itself.

use crate::common::{Numbers, copy_directory, damage, files};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use veilgrid_crypto::bid::seal_bid;
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::secret::Secret;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::capacity::CapacityClasses;
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::VerifyAll;
use veilgrid_market::{Grid, Rule};
use veilgrid_roles::committee::{Founding, one_process_timing, threshold_for};
use veilgrid_roles::local::LocalCommunity;
use veilgrid_store::{Checks, LedgerBytes, SavedKey, Store, Unsaved};

pub type Certified = (Block, Option<Vec<u8>>);

const KEY_EPOCH: u64 = 1;
const FIRST_OPEN_MS: u64 = 1_700_000_000_000;
const FIRST_SLOT_S: i64 = 1_700_000_100;
const SLOT_SECONDS: u32 = 900;

/// A small community in one process, with true bids and true certificates: `rounds` rounds of `members` bids, four a block.
pub fn community(members: usize, rounds: usize) -> Vec<Certified> {
    let mut rng = ChaCha20Rng::seed_from_u64(members as u64);
    let keyrings: Vec<Keyring> =
        (0..members).map(|_| Keyring::from_seed(&KeyringSeed::generate(&mut rng))).collect();
    let timing = one_process_timing(FIRST_OPEN_MS, FIRST_SLOT_S, SLOT_SECONDS);
    let params = MarketParams {
        grid: Grid::new(0, 1000, 4).expect("grid"),
        bits: 16,
        capacity_classes: CapacityClasses::of_connections(SLOT_SECONDS),
        money: None,
        rule: Rule::Uniform,
        open_volume: true,
        min_bidders: 2,
        max_members: 200,
        slot_seconds: SLOT_SECONDS,
        threshold: threshold_for(4),
        timing,
    };
    let account = |keyring: &Keyring| keyring.account_key(KEY_EPOCH).verifying_key().to_bytes();
    let founding = Founding {
        params,
        validators: 4,
        members: keyrings.iter().map(account).collect(),
        key_epoch: KEY_EPOCH,
        time_unix_ms: Founding::genesis_time_ms(&timing),
    };
    let mut community = LocalCommunity::found(&founding, &mut rng).expect("founded");
    for _ in 0..rounds {
        let round_id = community.open_round().expect("opened");
        let context = community.state().round_context(round_id).expect("open");
        let mut bids = Vec::new();
        for (number, keyring) in keyrings.iter().enumerate() {
            let params = community.state().community().bid_params().expect("keys");
            let mut quantities_wh = vec![0; params.steps()];
            quantities_wh[2 + number % 4] = 10 + number as u64;
            bids.push(seal_bid(params, &context, keyring, &quantities_wh, &mut rng).expect("sealed"));
        }
        for some in bids.chunks(4) {
            community.submit(round_id, some, &mut rng).expect("taken");
        }
        community.finish_round(round_id).expect("finished");
    }
    community.ledger().to_vec()
}

/// Three rounds of five bids: made once.
pub fn ledger() -> &'static [Certified] {
    static LEDGER: OnceLock<Vec<Certified>> = OnceLock::new();
    LEDGER.get_or_init(|| community(5, 3))
}

/// Another one.
fn other() -> &'static [Certified] {
    static LEDGER: OnceLock<Vec<Certified>> = OnceLock::new();
    LEDGER.get_or_init(|| community(3, 1))
}

pub fn key() -> SavedKey {
    SavedKey::derive(&Secret::new([5; 32]))
}

/// The states after each block.
pub fn states(ledger: &[Certified]) -> Vec<State> {
    let mut states = vec![State::from_genesis_block(&ledger[0].0).expect("a genesis")];
    for (block, _) in &ledger[1..] {
        let mut state = states.last().expect("the one before").clone();
        state.apply_block(block, &mut VerifyAll).expect("an honest block");
        states.push(state);
    }
    states
}

/// A folder with a store of these blocks.
fn stored(ledger: &[Certified]) -> (tempfile::TempDir, PathBuf, Store) {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("store");
    let mut store = Store::open(&path).expect("a new store");
    append(&mut store, ledger);
    (directory, path, store)
}

pub fn append(store: &mut Store, blocks: &[Certified]) {
    for (block, certificate) in blocks {
        store.append(block, certificate.as_deref()).expect("the next block");
    }
}

fn save(store: &mut Store, state: &State) -> bool {
    store.save_state(&key(), Unsaved::new(state, b"notes".to_vec())).expect("written").is_some()
}

/// Opens it as a node does, and goes on: the saved height, if it was used, the state after the last block, the counts.
fn restarted(path: &Path) -> (Option<u64>, State, LedgerBytes) {
    let mut store = Store::open_checking(path, Checks::SinceSaved(&key())).expect("opened");
    let go_on = &mut |_: veilgrid_store::Replayed<'_>| ControlFlow::Continue(());
    let (from, state) = match store.resume().expect("readable") {
        Some(resumed) => {
            assert_eq!(resumed.notes, b"notes");
            let height = resumed.state.height();
            (Some(height), store.replay_from(resumed.state, &mut VerifyAll, go_on))
        }
        None => (None, store.replay(&mut VerifyAll, go_on)),
    };
    (from, state.expect("replayed").expect("not broken off"), store.ledger_bytes())
}

fn counted(path: &Path) -> LedgerBytes {
    Store::open(path).expect("whole").ledger_bytes()
}

#[test]
fn a_node_goes_on_from_what_it_has_saved_with_the_state_of_the_replay() {
    for (name, ledger) in [("three rounds", ledger()), ("one round", other())] {
        let states = states(ledger);
        let (_directory, path, store) = stored(&ledger[..2]);
        drop(store);
        let mut used = 0;
        for (height, some) in ledger.chunks(9).enumerate().map(|(at, chunk)| ((at + 1) * 9, chunk.len())) {
            // As a process lives: it starts, takes blocks, saves now and then, and is killed.
            let to = (height - 9 + some).max(2);
            let mut store = Store::open_checking(&path, Checks::SinceSaved(&key())).expect("opened");
            let from = store.tip().expect("blocks").height as usize + 1;
            append(&mut store, &ledger[from..to]);
            let at = if height % 2 == 0 { to - 2 } else { to.saturating_sub(6) };
            assert!(save(&mut store, &states[at]), "{name}: the state after block {at} of {to}");
            drop(store);
            let (resumed, state, bytes) = restarted(&path);
            assert_eq!(resumed, Some(at as u64), "{name}");
            assert_eq!(state.save(), states[to - 1].save(), "{name}: {at} of {to}");
            assert_eq!(bytes, counted(&path), "{name}: what is counted is what is there");
            used += 1;
        }
        assert!(used >= 2, "{name}: {used}");
    }
}

#[test]
fn only_a_state_of_this_store_with_a_block_behind_it_is_saved() {
    let ledger = ledger();
    let states = states(ledger);
    let (_directory, path, mut store) = stored(&ledger[..20]);
    assert!(!save(&mut store, &states[19]), "the last block's has nothing behind it");
    assert!(!save(&mut store, &states[25]), "not there yet");
    let other = State::from_genesis_block(&other()[0].0).expect("a genesis");
    assert!(!save(&mut store, &other), "another ledger's");
    drop(store);
    assert_eq!(restarted(&path).0, None);
}

/// Every byte of it, some bits of each: what is not this node's is not used, and the ledger is there all the same.
#[test]
fn a_changed_saved_state_is_not_believed() {
    let ledger = ledger();
    let states = states(ledger);
    let (_directory, path, mut store) = stored(&ledger[..12]);
    assert!(save(&mut store, &states[9]));
    drop(store);
    let file = path.join("state");
    let original = fs::read(&file).expect("saved");
    let mut numbers = Numbers(7);
    for at in (0..original.len()).step_by(original.len() / 40) {
        let mut changed = original.clone();
        changed[at] ^= 1 << numbers.below(8);
        fs::write(&file, &changed).expect("written");
        assert_eq!(restarted(&path).0, None, "byte {at}");
        fs::write(&file, &original[..at]).expect("written");
        assert_eq!(restarted(&path).0, None, "cut at {at}");
    }
    // What another node has saved of the same ledger.
    let (_elsewhere, other, mut store) = stored(&ledger[..12]);
    let foreign = SavedKey::derive(&Secret::new([6; 32]));
    store.save_state(&foreign, Unsaved::new(&states[9], Vec::new())).expect("written").expect("saved");
    fs::copy(other.join("state"), &file).expect("copied");
    assert_eq!(restarted(&path).0, None, "another node's");
    fs::write(&file, &original).expect("written");
    let (from, state, _) = restarted(&path);
    assert_eq!((from, state.root()), (Some(9), states[11].root()));
}

/// Saved by this node, of another ledger or of blocks that are gone.
#[test]
fn a_saved_state_that_does_not_fit_the_blocks_is_not_used() {
    let (one, two) = (ledger(), other());
    let (_directory, path, mut store) = stored(&one[..12]);
    assert!(save(&mut store, &states(one)[9]));
    drop(store);
    let (_elsewhere, other, store) = stored(&two[..12]);
    drop(store);
    fs::copy(path.join("state"), other.join("state")).expect("copied");
    assert_eq!(restarted(&other).0, None, "of another ledger");
    let (_shorter, shorter, store) = stored(&one[..11]);
    drop(store);
    fs::copy(path.join("state"), shorter.join("state")).expect("copied");
    assert_eq!(restarted(&shorter).0, None, "of blocks that are not there");
    // The same blocks without a certificate: nothing says that they are the network's.
    let bare: Vec<Certified> = one[..12].iter().map(|(block, _)| (block.clone(), None)).collect();
    let (_bare, bare, mut store) = stored(&bare);
    assert!(save(&mut store, &states(one)[9]));
    drop(store);
    let (from, state, _) = restarted(&bare);
    assert_eq!((from, state.root()), (None, states(one)[11].root()), "no certificate confirms it");
}

/// A certificate that is not of the validators whom the state names is none.
#[test]
fn a_false_certificate_confirms_no_saved_state() {
    let ledger = ledger();
    let states = states(ledger);
    let false_ones: Vec<Certified> = ledger[..12]
        .iter()
        .map(|(block, certificate)| (block.clone(), certificate.as_ref().map(|_| vec![7; 90])))
        .collect();
    let (_directory, path, mut store) = stored(&false_ones);
    assert!(save(&mut store, &states[9]));
    drop(store);
    assert_eq!(restarted(&path).0, None);
}

#[test]
fn certificates_that_come_late_are_counted() {
    let ledger = ledger();
    let states = states(ledger);
    let late = |height: u64| height == 5 || height == 9;
    let known = |(block, certificate): &Certified| {
        (block.clone(), certificate.clone().filter(|_| !late(block.header.height)))
    };
    let without: Vec<Certified> = ledger[..12].iter().map(known).collect();
    let (_directory, path, mut store) = stored(&without);
    assert!(save(&mut store, &states[9]));
    for height in [5u64, 9] {
        let certificate = ledger[height as usize].1.as_ref().expect("certified");
        store.put_certificate(height, certificate).expect("put");
    }
    store.flush().expect("flushed");
    drop(store);
    let (from, _, bytes) = restarted(&path);
    assert_eq!((from, bytes), (Some(9), counted(&path)));
}

/// Damage above the saved state is found when the store is opened; below it when the block is read, and at the next start that
/// checks everything.
#[test]
fn damage_costs_no_block_that_is_whole() {
    let ledger = ledger();
    let states = states(ledger);
    let large = |heights: std::ops::Range<usize>| {
        // Four bids: they lie in a file of their own.
        let bids = |at: &usize| {
            let count = |transaction: &Transaction| match transaction {
                Transaction::Bids { bids, .. } => bids.len(),
                _ => 0,
            };
            ledger[*at].0.transactions.iter().any(|transaction| count(transaction) > 3)
        };
        heights.into_iter().find(bids)
    };
    let below = large(0..ledger.len()).expect("a block with bids");
    let after = large(below + 1..ledger.len()).expect("another one");
    // One that is not needed: its round is over.
    let settled = (below..ledger.len()).find(|at| states[*at].rounds().count() == 0).expect("an end");
    for (damaged, saved) in [(below, settled), (after, after - 1)] {
        let (_directory, path, mut store) = stored(ledger);
        assert!(save(&mut store, &states[saved]));
        drop(store);
        let body = path.join("bodies").join(format!("{damaged:016x}.full"));
        damage(&body, 2, &mut Numbers(11));
        if damaged > saved {
            let error = Store::open_checking(&path, Checks::SinceSaved(&key())).expect_err("found");
            assert!(error.is_damage(), "{error}");
        } else {
            let mut store = Store::open_checking(&path, Checks::SinceSaved(&key())).expect("opened");
            assert!(store.resume().expect("readable").is_some());
            let error = store.block(damaged as u64).expect_err("found when it is read");
            assert!(error.is_damage(), "{error}");
            let hash = |height: usize| ledger[height].0.hash();
            for height in (damaged + 1..=saved).rev() {
                let parent = store.check_block(height as u64, &hash(height)).expect("whole");
                assert_eq!(parent, hash(height - 1));
            }
            let checked = store.check_block(damaged as u64, &hash(damaged)).expect_err("damaged");
            assert_eq!(checked.to_string(), error.to_string());
            assert!(store.check_block(saved as u64, &hash(0)).is_err(), "another block");
            store.distrust().expect("forgotten");
            assert!(!save(&mut store, &states[saved]), "nothing is saved on top of damage");
        }
        let opened = Store::open_checking_or_rebuild(&path, Checks::SinceSaved(&key())).expect("rebuilt");
        assert_eq!(opened.rebuilt.expect("it was damaged").kept_blocks, damaged as u64);
        assert!(!opened.store.has_saved());
    }
}

#[test]
fn what_a_crash_has_left_behind_the_tip_is_removed() {
    let ledger = ledger();
    let (_directory, path, mut store) = stored(&ledger[..12]);
    assert!(save(&mut store, &states(ledger)[9]));
    drop(store);
    let left = path.join("bodies").join(format!("{:016x}.full", 12));
    fs::write(&left, b"half a block").expect("written");
    assert_eq!(restarted(&path).0, Some(9));
    assert!(!left.exists());
}

/// A saved state is one of whole blocks: pruning takes it away first, and the next one counts what is left.
#[test]
fn pruning_takes_the_saved_state_away_and_the_next_one_holds() {
    let ledger = ledger();
    let states = states(ledger);
    let (_directory, path, mut store) = stored(ledger);
    let end = ledger.len() - 3;
    assert!(save(&mut store, &states[end]));
    let checkpoint = states[end].checkpoint();
    let pruned = store.prune_bodies(end as u64, &checkpoint.to_bytes(), |block| checkpoint.may_prune(block));
    assert!(pruned.expect("pruned").blocks > 0);
    assert!(!path.join("state").exists());
    drop(store);
    assert_eq!(restarted(&path).0, None);
    let mut store = Store::open(&path).expect("opened");
    assert!(save(&mut store, &states[end + 1]));
    drop(store);
    let (from, state, bytes) = restarted(&path);
    assert_eq!((from, state.save()), (Some(end as u64 + 1), states[ledger.len() - 1].save()));
    assert_eq!(bytes, counted(&path));
    // Without it the replay gets past the pruned blocks as before.
    fs::remove_file(path.join("state")).expect("removed");
    assert_eq!(restarted(&path).1.root(), states[ledger.len() - 1].root());
}

/// Damage anywhere in the store's files: opened with the saved state or not, no other state comes of it.
#[test]
fn no_damage_leads_to_another_state() {
    let ledger = ledger();
    let states = states(ledger);
    let (_directory, path, mut store) = stored(&ledger[..30]);
    assert!(save(&mut store, &states[20]));
    drop(store);
    let (mut numbers, mut resumed, mut refused) = (Numbers(3), 0, 0);
    for file in files(&path) {
        let name = file.strip_prefix(&path).expect("inside").to_path_buf();
        for sample in 0..6 {
            let directory = tempfile::tempdir().expect("directory");
            let copy = directory.path().join("store");
            fs::create_dir(&copy).expect("directory");
            copy_directory(&path, &copy);
            damage(&copy.join(&name), sample, &mut numbers);
            let Ok(mut store) = Store::open_checking(&copy, Checks::SinceSaved(&key())) else {
                refused += 1;
                continue;
            };
            let go_on = &mut |_: veilgrid_store::Replayed<'_>| ControlFlow::Continue(());
            let state = match store.resume() {
                Ok(Some(one)) => {
                    resumed += 1;
                    store.replay_from(one.state, &mut VerifyAll, go_on)
                }
                Ok(None) => store.replay(&mut VerifyAll, go_on),
                Err(_) => continue,
            };
            if let Ok(Some(state)) = state {
                assert_eq!(state.root(), states[state.height() as usize].root(), "{}", name.display());
                assert_eq!(state.height(), 29);
            }
        }
    }
    assert!(resumed > 0 && refused > 0, "{resumed} {refused}");
}
