//! The store against restarts, forks, damage, kills and other programs.

use std::fs;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::genesis::{FORMAT_VERSION, Genesis, GenesisDraft};
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::VerifyAll;
use veilgrid_market::{Grid, Rule};
use veilgrid_store::{Appended, Existing, Store, StoreError, Tip, read_ledger, write_ledger};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use veilgrid_crypto::keygen::deal;
use veilgrid_crypto::schnorr::SigningKey;

/// A true genesis of two validators and two members.
fn genesis() -> Genesis {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let validators = [SigningKey::generate(&mut rng), SigningKey::generate(&mut rng)];
    let bytes = |key: &SigningKey| key.verifying_key().to_bytes();
    let mut members = vec![bytes(&SigningKey::generate(&mut rng)), bytes(&SigningKey::generate(&mut rng))];
    members.sort();
    let params = MarketParams {
        grid: Grid::new(1_000, 100, 2).expect("grid"),
        bits: 8,
        rule: Rule::Uniform,
        open_volume: true,
        min_bidders: 2,
        max_members: 2,
        slot_seconds: 900,
        threshold: 2,
    };
    let draft = GenesisDraft {
        format_version: FORMAT_VERSION,
        nonce: [1; 32],
        params,
        validators: validators.iter().map(bytes).collect(),
        aggregator_receipt_key: bytes(&validators[0]),
        aggregator_envelope_key: [2; 32],
        members,
        key_epoch: 1,
        keygen_session: 1,
    };
    let ctx = draft.keygen_context();
    let packages = (1..)
        .zip(&validators)
        .map(|(dealer, key)| deal(&ctx, key, dealer, &mut rng).expect("deal").0)
        .collect();
    Genesis::new(draft, packages).expect("genesis")
}

/// Blocks of rounds that get no bid, with the state after the last.
fn chain(length: usize) -> (Vec<Block>, State) {
    let first = veilgrid_ledger::builder::genesis_block(genesis(), 5);
    let mut state = State::from_genesis_block(&first).expect("genesis");
    let mut blocks = vec![first];
    while blocks.len() < length {
        let round_id = (blocks.len() as u64).div_ceil(3);
        let transaction = match blocks.len() % 3 {
            1 => Transaction::OpenRound {
                round_id,
                slot_start_unix_s: 900 * round_id as i64,
                slot_seconds: 900,
            },
            2 => Transaction::CloseRound { round_id },
            _ => Transaction::Void { round_id, reason: veilgrid_ledger::transaction::VoidReason::TooFewBids },
        };
        let time = 5 + blocks.len() as u64;
        let (block, next, _) =
            veilgrid_ledger::builder::propose(&state, vec![transaction], time, &mut VerifyAll)
                .expect("valid");
        blocks.push(block);
        state = next;
    }
    (blocks, state)
}

fn filled(path: &Path, blocks: &[Block]) -> Store {
    let mut store = Store::open(path).expect("store");
    for block in blocks {
        assert_eq!(store.append(block).expect("append"), Appended::Written);
    }
    store
}

fn read_back(store: &Store) -> Vec<Block> {
    store.blocks().collect::<Result<_, _>>().expect("blocks")
}

#[test]
fn blocks_come_back_after_a_restart_and_give_the_same_state() {
    let directory = tempfile::tempdir().expect("directory");
    let (blocks, state) = chain(8);
    assert_eq!(Store::open(directory.path()).expect("new").tip(), None);
    drop(filled(directory.path(), &blocks));
    let store = Store::open(directory.path()).expect("again");
    assert_eq!(store.tip(), Some(Tip { height: 7, hash: blocks[7].hash() }));
    assert_eq!(read_back(&store), blocks);
    assert_eq!(store.height_of(&blocks[3].hash()).expect("index"), Some(3));
    assert_eq!(store.height_of(&[0; 32]).expect("index"), None);
    assert_eq!(store.block(8).expect("above"), None);
    let mut replayed = vec![];
    let rebuilt =
        store.replay(&mut VerifyAll, |height| replayed.push(height)).expect("replay").expect("state");
    assert_eq!(rebuilt.root(), state.root());
    assert_eq!(replayed, (0..8).collect::<Vec<_>>());
}

#[test]
fn the_same_block_again_is_no_error_and_another_is() {
    let directory = tempfile::tempdir().expect("directory");
    let (blocks, _) = chain(5);
    let mut store = filled(directory.path(), &blocks[..4]);
    for block in &blocks[..4] {
        assert_eq!(store.append(block).expect("again"), Appended::AlreadyThere);
    }
    let mut fork = blocks[2].clone();
    fork.header.time_unix_ms += 1;
    assert!(matches!(store.append(&fork), Err(StoreError::Fork { height: 2 })));
    let mut far = blocks[4].clone();
    far.header.height = 5;
    assert!(matches!(store.append(&far), Err(StoreError::Gap { found: 5, expected: 4 })));
    let mut other = blocks[4].clone();
    other.header.parent_hash[0] ^= 1;
    assert!(matches!(store.append(&other), Err(StoreError::OtherParent { height: 4 })));
    let mut body = blocks[4].clone();
    body.transactions.clear();
    assert!(matches!(store.append(&body), Err(StoreError::Block { height: 4, .. })));
    assert_eq!(read_back(&store), blocks[..4]);
    let (mut empty, directory) = {
        let directory = tempfile::tempdir().expect("directory");
        (Store::open(directory.path()).expect("store"), directory)
    };
    assert!(matches!(empty.append(&blocks[1]), Err(StoreError::Gap { found: 1, expected: 0 })));
    drop(directory);
}

#[test]
fn one_process_owns_a_store() {
    let directory = tempfile::tempdir().expect("directory");
    let store = Store::open(directory.path()).expect("store");
    assert!(matches!(Store::open(directory.path()), Err(StoreError::InUse { .. })));
    drop(store);
    assert!(Store::open(directory.path()).is_ok());
}

/// Changes the database below the store.
fn below(path: &Path, change: impl FnOnce(&sled::Db)) -> StoreError {
    let db = sled::open(path).expect("database");
    change(&db);
    db.flush().expect("flush");
    drop(db);
    Store::open(path).expect_err("the change has to be found")
}

fn block_key(height: u64) -> Vec<u8> {
    [b"b".as_slice(), &height.to_be_bytes()].concat()
}

#[test]
fn a_newer_or_foreign_database_is_refused() {
    let directory = tempfile::tempdir().expect("directory");
    drop(Store::open(directory.path()).expect("store"));
    let error = below(directory.path(), |db| drop(db.insert("format", &[2, 0])));
    assert!(matches!(error, StoreError::Version { found: 2, known: 1, .. }), "{error}");
    assert!(error.to_string().contains("use a newer program"));
    let foreign = tempfile::tempdir().expect("directory");
    let error = below(foreign.path(), |db| drop(db.insert("something", "else")));
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
}

#[test]
fn damage_to_a_record_names_its_height() {
    type Change = fn(&sled::Db);
    let changes: [(u64, &str, Change); 6] = [
        (3, "its content was changed", |db| {
            let mut bytes = db.get(block_key(3)).expect("get").expect("block").to_vec();
            *bytes.last_mut().expect("bytes") ^= 1;
            db.insert(block_key(3), bytes).expect("insert");
        }),
        (4, "it is missing", |db| drop(db.remove(block_key(4)))),
        (2, "it has another height", |db| {
            let bytes = db.get(block_key(3)).expect("get").expect("block");
            db.insert(block_key(2), bytes).expect("insert");
        }),
        // The header's time: the block's hash is another one then.
        (3, "the index does not name it", |db| {
            let mut bytes = db.get(block_key(3)).expect("get").expect("block").to_vec();
            bytes[40] ^= 1;
            db.insert(block_key(3), bytes).expect("insert");
        }),
        (1, "it is cut off", |db| drop(db.insert(block_key(1), b"short"))),
        (5, "its hash is not that of the tip", |db| {
            let mut tip = db.get("tip").expect("get").expect("tip").to_vec();
            tip[20] ^= 1;
            db.insert("tip", tip).expect("insert");
        }),
    ];
    let (blocks, _) = chain(6);
    for (expected, expected_why, change) in changes {
        let directory = tempfile::tempdir().expect("directory");
        drop(filled(directory.path(), &blocks));
        let StoreError::DamagedBlock { height, why, .. } = below(directory.path(), change) else {
            panic!("a damaged block: {expected_why}")
        };
        assert_eq!((height, why.as_str()), (expected, expected_why));
    }
    let directory = tempfile::tempdir().expect("directory");
    drop(filled(directory.path(), &blocks));
    let error = below(directory.path(), |db| drop(db.remove("tip")));
    assert!(matches!(&error, StoreError::Damaged { why, .. } if why == "blocks without a tip"), "{error}");
}

fn copy_directory(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("directory").map(|entry| entry.expect("entry")) {
        let target = to.join(entry.file_name());
        if entry.file_type().expect("type").is_dir() {
            fs::create_dir_all(&target).expect("directory");
            copy_directory(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copy");
        }
    }
}

#[test]
fn damaged_files_are_refused_or_give_the_same_blocks() {
    let (blocks, _) = chain(6);
    let original = tempfile::tempdir().expect("directory");
    drop(filled(original.path(), &blocks));
    let size = fs::metadata(original.path().join("db")).expect("file").len();
    let used = size.min(60_000);
    let mut refused = 0;
    for sample in 0..120u64 {
        let copy = tempfile::tempdir().expect("directory");
        copy_directory(original.path(), copy.path());
        if sample == 0 {
            assert_eq!(read_back(&Store::open(copy.path()).expect("untouched")), blocks);
            continue;
        }
        let mut file =
            fs::OpenOptions::new().read(true).write(true).open(copy.path().join("db")).expect("file");
        let position = sample * 7919 % used;
        if sample % 10 == 9 {
            file.set_len(position).expect("cut");
        } else {
            let mut byte = [0];
            file.seek(SeekFrom::Start(position)).expect("seek");
            file.read_exact(&mut byte).expect("read");
            byte[0] ^= 0x55;
            file.seek(SeekFrom::Start(position)).expect("seek");
            file.write_all(&byte).expect("write");
        }
        drop(file);
        match Store::open(copy.path()) {
            Err(_) => refused += 1,
            // Bytes that nothing reads: the whole chain is there.
            Ok(store) => assert_eq!(read_back(&store), blocks, "sample {sample}, byte {position}"),
        }
    }
    assert!(refused > 50, "only {refused} samples hit anything");
}

#[test]
fn large_blocks_come_back_and_their_damage_is_refused() {
    let (mut blocks, _) = chain(2);
    let parent = blocks[1].hash();
    let many = (0..150_000).map(|round_id| Transaction::CloseRound { round_id }).collect();
    blocks.push(Block::new(2, parent, 9, [0; 32], many));
    let directory = tempfile::tempdir().expect("directory");
    drop(filled(directory.path(), &blocks));
    let store = Store::open(directory.path()).expect("again");
    assert_eq!(read_back(&store), blocks);
    drop(store);
    let blob = fs::read_dir(directory.path().join("blobs")).expect("blobs").next().expect("a large value");
    let path = blob.expect("entry").path();
    let original = fs::read(&path).expect("blob");
    for position in [0, 4, original.len() / 2, original.len() - 1] {
        let mut bytes = original.clone();
        bytes[position] ^= 0x10;
        fs::write(&path, bytes).expect("write");
        assert!(Store::open(directory.path()).is_err(), "byte {position}");
        fs::write(&path, &original).expect("write");
    }
    fs::remove_file(&path).expect("remove");
    assert!(Store::open(directory.path()).is_err(), "missing");
}

#[test]
fn an_export_appears_whole_and_replaces_nothing() {
    let directory = tempfile::tempdir().expect("directory");
    let (blocks, state) = chain(5);
    let mut store = filled(&directory.path().join("store"), &blocks[..4]);
    let path = directory.path().join("ledger.vgl");
    let early = store.export(&path, &state, Existing::Keep);
    assert!(matches!(early, Err(StoreError::OtherState { state: 4, tip: 3 })));
    store.append(&blocks[4]).expect("append");
    store.export(&path, &state, Existing::Keep).expect("export");
    let read: Vec<_> = read_ledger(&path).expect("file").collect::<Result<_, _>>().expect("blocks");
    assert_eq!(read, blocks);
    let mut reader = read_ledger(&path).expect("file");
    assert_eq!(reader.by_ref().count(), 5);
    assert_eq!(reader.trailer().expect("trailer").state_root, state.root());

    let from_memory = directory.path().join("memory.vgl");
    write_ledger(&from_memory, &blocks, state.root(), Existing::Keep).expect("write");
    assert_eq!(fs::read(&from_memory).expect("file"), fs::read(&path).expect("file"));
    fs::remove_file(&from_memory).expect("remove");

    assert!(matches!(store.export(&path, &state, Existing::Keep), Err(StoreError::Exists { .. })));
    fs::write(&path, "something else").expect("write");
    assert!(matches!(read_ledger(&path), Err(StoreError::Read { .. })));
    assert!(matches!(store.export(&path, &state, Existing::Keep), Err(StoreError::Exists { .. })));
    assert_eq!(fs::read_to_string(&path).expect("kept"), "something else");
    store.export(&path, &state, Existing::Replace).expect("replace");
    assert_eq!(read_ledger(&path).expect("file").count(), 5);
    let names = fs::read_dir(directory.path()).expect("directory").count();
    assert_eq!(names, 2, "no temporary file is left");

    let missing = directory.path().join("no-such-directory").join("ledger.vgl");
    assert!(matches!(store.export(&missing, &state, Existing::Keep), Err(StoreError::Io { .. })));
    assert!(matches!(read_ledger(&missing), Err(StoreError::Io { .. })));
    let empty = Store::open(&directory.path().join("empty")).expect("store");
    assert!(matches!(empty.export(&path, &state, Existing::Replace), Err(StoreError::Empty { .. })));
}

const CHILD: &str = "VEILGRID_STORE_TEST_CHILD";

/// Not a test by itself: the process that the next one kills. Says each height after it was acknowledged.
#[test]
fn child_that_appends_until_it_is_killed() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let (blocks, _) = chain(400);
    let mut store = Store::open(Path::new(&path)).expect("store");
    for block in &blocks {
        store.append(block).expect("append");
        println!("\nacknowledged {}", block.header.height);
    }
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let (blocks, _) = chain(400);
    let directory = tempfile::tempdir().expect("directory");
    let mut last = 0;
    for run in 0..8u64 {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["child_that_appends_until_it_is_killed", "--exact", "--nocapture"])
            .env(CHILD, directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("child");
        let lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        let target = last + 3 + run;
        for line in lines.map_while(Result::ok) {
            if let Some(height) = line.strip_prefix("acknowledged ") {
                last = last.max(height.parse().expect("height"));
                if last >= target {
                    break;
                }
            }
        }
        child.kill().expect("kill");
        child.wait().expect("wait");
        let store = Store::open(directory.path()).expect("a killed store opens");
        let tip = store.tip().expect("tip").height;
        assert!(tip >= last, "run {run}: {last} was acknowledged, {tip} is stored");
        let stored = read_back(&store);
        assert_eq!(stored, blocks[..stored.len()]);
        last = tip;
    }
    assert!(last > 20, "the child was killed before it stored anything: {last}");
}
