//! The store against restarts, forks, damaged records and other programs.

use crate::common::{certificate, chain, chain_with_bids, filled, read_back};
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use veilgrid_crypto::bid::{BidFault, BidParams, VerifiedBid};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::export::{Exported, MAX_CERTIFICATE_BYTES};
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::verdicts::{BidVerdicts, BidsAsked, VerifyAll};
use veilgrid_store::{Appended, Existing, Store, StoreError, Tip, read_ledger, write_ledger};

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
    let rebuilt = store
        .replay(&mut VerifyAll, &mut |step| {
            replayed.push(step.height());
            ControlFlow::Continue(())
        })
        .expect("replay")
        .expect("state");
    assert_eq!(rebuilt.root(), state.root());
    assert_eq!(replayed, (1..8).collect::<Vec<_>>());
}

#[test]
fn the_same_block_again_is_no_error_and_another_is() {
    let directory = tempfile::tempdir().expect("directory");
    let (blocks, _) = chain(5);
    let mut store = filled(directory.path(), &blocks[..4]);
    for block in &blocks[..4] {
        assert_eq!(store.append(block, None).expect("again"), Appended::AlreadyThere);
    }
    let mut fork = blocks[2].clone();
    fork.header.time_unix_ms += 1;
    assert!(matches!(store.append(&fork, None), Err(StoreError::Fork { height: 2, .. })));
    let mut far = blocks[4].clone();
    far.header.height = 5;
    assert!(matches!(store.append(&far, None), Err(StoreError::Gap { found: 5, expected: 4 })));
    let mut other = blocks[4].clone();
    other.header.parent_hash[0] ^= 1;
    assert!(matches!(store.append(&other, None), Err(StoreError::OtherParent { height: 4 })));
    let mut body = blocks[4].clone();
    body.transactions.clear();
    assert!(matches!(store.append(&body, None), Err(StoreError::Block { height: 4, .. })));
    assert_eq!(read_back(&store), blocks[..4]);
    let (mut empty, directory) = {
        let directory = tempfile::tempdir().expect("directory");
        (Store::open(directory.path()).expect("store"), directory)
    };
    assert!(matches!(empty.append(&blocks[1], None), Err(StoreError::Gap { found: 1, expected: 0 })));
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
    let error = below(directory.path(), |db| drop(db.insert("format", &[3, 0])));
    assert!(matches!(error, StoreError::Version { found: 3, known: 2, .. }), "{error}");
    assert!(error.to_string().contains("use the program that fits"));
    let foreign = tempfile::tempdir().expect("directory");
    let error = below(foreign.path(), |db| drop(db.insert("something", "else")));
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
}

#[test]
fn damage_to_a_record_names_its_height() {
    type Change = fn(&sled::Db);
    let changes: [(u64, &str, Change); 6] = [
        (2, "its content was changed", |db| {
            let mut bytes = db.get(block_key(2)).expect("get").expect("block").to_vec();
            *bytes.last_mut().expect("bytes") ^= 1;
            db.insert(block_key(2), bytes).expect("insert");
        }),
        (4, "it is missing", |db| drop(db.remove(block_key(4)))),
        (2, "it has another height", |db| {
            let bytes = db.get(block_key(3)).expect("get").expect("block");
            db.insert(block_key(2), bytes).expect("insert");
        }),
        // The header's time: the block's hash is another one then.
        (3, "the index does not name it", |db| {
            let mut bytes = db.get(block_key(3)).expect("get").expect("block").to_vec();
            bytes[41] ^= 1;
            db.insert(block_key(3), bytes).expect("insert");
        }),
        (1, "no record begins with 115", |db| drop(db.insert(block_key(1), b"short"))),
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

#[test]
fn large_blocks_come_back_and_their_damage_is_refused() {
    let blocks = chain_with_bids(5, 40);
    let directory = tempfile::tempdir().expect("directory");
    drop(filled(directory.path(), &blocks));
    let store = Store::open(directory.path()).expect("again");
    assert_eq!(read_back(&store), blocks);
    drop(store);
    let path = directory.path().join("bodies").join(format!("{:016x}.full", 4));
    let original = fs::read(&path).expect("a file of its own");
    assert_eq!(original, blocks[4].to_bytes());
    let refused = |what: &str| {
        let error = Store::open(directory.path()).expect_err(what);
        assert!(matches!(&error, StoreError::DamagedBlock { height: 4, .. }), "{what}: {error}");
    };
    for position in [0, 4, 60, original.len() / 2, original.len() - 1] {
        let mut bytes = original.clone();
        bytes[position] ^= 0x10;
        fs::write(&path, bytes).expect("write");
        refused("changed");
    }
    fs::write(&path, &original[..original.len() - 1]).expect("write");
    refused("cut");
    fs::remove_file(&path).expect("remove");
    refused("missing");
    fs::write(&path, &original).expect("write");
    // What a crash left has no record and goes; what is not ours stays.
    let stray = directory.path().join("bodies").join(format!("{:016x}.full", 5));
    let foreign = directory.path().join("bodies").join("note.txt");
    fs::write(&stray, "half a bl").expect("write");
    fs::write(&foreign, "mine").expect("write");
    assert_eq!(read_back(&Store::open(directory.path()).expect("whole")), blocks);
    assert!(!stray.exists() && foreign.exists());
}

#[test]
fn certificates_are_kept_with_their_blocks() {
    let blocks = chain_with_bids(6, 3);
    let directory = tempfile::tempdir().expect("directory");
    let mut store = filled(directory.path(), &blocks[..5]);
    assert_eq!(store.certificate(3).expect("read"), Some(certificate(3)));
    assert_eq!(store.certificate(2).expect("read"), None);
    assert_eq!(store.certificate(5).expect("read"), None);
    assert_eq!(store.put_certificate(2, b"late").expect("put"), Appended::Written);
    assert_eq!(
        store.put_certificate(2, b"another").expect("put"),
        Appended::AlreadyThere,
        "the first one stays"
    );
    assert!(matches!(store.put_certificate(5, b"early"), Err(StoreError::Gap { found: 5, expected: 5 })));
    assert!(matches!(store.put_certificate(2, b""), Err(StoreError::Certificate { height: 2, bytes: 0 })));
    let long = vec![0; MAX_CERTIFICATE_BYTES + 1];
    assert!(matches!(store.append(&blocks[5], Some(&long)), Err(StoreError::Certificate { height: 5, .. })));
    assert_eq!(store.append(&blocks[4], Some(b"again")).expect("again"), Appended::AlreadyThere);
    store.flush().expect("flush");
    drop(store);
    let store = Store::open(directory.path()).expect("again");
    assert_eq!(store.certificate(2).expect("read").as_deref(), Some(b"late".as_slice()));
    assert_eq!(store.certificate(4).expect("read").as_deref(), Some(b"again".as_slice()));
    assert_eq!(store.block_bytes(3).expect("read"), Some(blocks[3].to_bytes()));
    assert_eq!(store.block_bytes(5).expect("read"), None);
    let usage = store.ledger_bytes();
    assert_eq!((usage.blocks, usage.certificates, usage.pruned_blocks), (5, 4, 0));
    assert_eq!(usage.block_bytes, blocks[..5].iter().map(|block| block.to_bytes().len() as u64).sum::<u64>());
    drop(store);
    // No chain covers a certificate: its digest and the mark's count do.
    let changed = below(directory.path(), |db| {
        let key = [b"c".as_slice(), &2u64.to_be_bytes()].concat();
        let mut value = db.get(&key).expect("get").expect("there").to_vec();
        *value.last_mut().expect("bytes") ^= 1;
        db.insert(key, value).expect("insert");
    });
    assert!(matches!(&changed, StoreError::DamagedBlock { height: 2, .. }), "{changed}");
    let gone = below(directory.path(), |db| drop(db.remove([b"c".as_slice(), &2u64.to_be_bytes()].concat())));
    assert!(gone.to_string().contains("4 certificates were stored, 3 are left"), "{gone}");
}

#[test]
fn an_export_appears_whole_and_replaces_nothing() {
    let directory = tempfile::tempdir().expect("directory");
    let (blocks, state) = chain(5);
    let mut store = Store::open(&directory.path().join("store")).expect("store");
    for block in &blocks[..4] {
        store.append(block, None).expect("append");
    }
    let path = directory.path().join("ledger.vgl");
    let early = store.export(&path, &state, Existing::Keep);
    assert!(matches!(early, Err(StoreError::OtherState { state: 4, tip: 3 })));
    store.append(&blocks[4], None).expect("append");
    store.export(&path, &state, Existing::Keep).expect("export");
    let read: Vec<_> = read_ledger(&path).expect("file").collect::<Result<_, _>>().expect("blocks");
    assert_eq!(read, blocks);
    let mut reader = read_ledger(&path).expect("file");
    assert_eq!(reader.by_ref().count(), 5);
    assert_eq!(reader.trailer().expect("trailer").state_root, state.root());

    let from_memory = directory.path().join("memory.vgl");
    let uncertified: Vec<_> = blocks.iter().cloned().map(|block| (block, None)).collect();
    write_ledger(&from_memory, &uncertified, state.root(), Existing::Keep).expect("write");
    assert_eq!(fs::read(&from_memory).expect("file"), fs::read(&path).expect("file"));
    fs::remove_file(&from_memory).expect("remove");
    store.put_certificate(2, &certificate(2)).expect("put");
    store.export(&path, &state, Existing::Replace).expect("export");
    let exported: Vec<_> =
        read_ledger(&path).expect("file").exported().collect::<Result<_, _>>().expect("records");
    for (exported, block) in exported.iter().zip(&blocks) {
        let certificate = (block.header.height == 2).then(|| certificate(2));
        assert_eq!(exported, &Exported::Block(block.clone(), certificate));
    }

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

/// Finds every bid verified before its block asks.
struct NotAsked;

impl BidVerdicts for NotAsked {
    fn verify(&mut self, _: &BidParams, asked: BidsAsked<'_>) -> Vec<Result<Arc<VerifiedBid>, BidFault>> {
        panic!("{} bids of round {} were not verified ahead", asked.bids.len(), asked.round.round_id)
    }
}

/// A true ledger with bids: proofs are verified over many blocks, and the visitor gets each block after it was executed, up to
/// where it has had enough.
#[test]
fn a_replay_verifies_proofs_ahead_and_stops_where_it_is_told() {
    let directory = tempfile::tempdir().expect("directory");
    let honest =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol-spec/conformance/network/honest.vgl");
    let blocks: Vec<Block> =
        read_ledger(&honest).expect("a ledger").collect::<Result<_, _>>().expect("whole blocks");
    let store = filled(directory.path(), &blocks);
    let (last, mut heights, mut bids) = (blocks.len() as u64 - 1, Vec::new(), 0);
    let state = store.replay(&mut NotAsked, &mut |step| {
        assert_eq!(step.state().map(State::height), Some(step.height()));
        heights.push(step.height());
        let of =
            |effect: &Effect| if let Effect::BidsAccepted { bids, .. } = effect { bids.len() } else { 0 };
        bids += step.effects().map(of).sum::<usize>();
        ControlFlow::Continue(())
    });
    assert_eq!(state.expect("replayed").map(|state| state.block_hash()), blocks.last().map(Block::hash));
    assert_eq!(heights, (1..=last).collect::<Vec<_>>());
    assert!(bids > 3, "{bids} bids");
    for end in [1, 2, last / 2, last] {
        let mut heights = Vec::new();
        let state = store.replay(&mut NotAsked, &mut |step| {
            heights.push(step.height());
            if step.height() == end { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(state.expect("no error").is_none());
        assert_eq!(heights, (1..=end).collect::<Vec<_>>());
    }
}
