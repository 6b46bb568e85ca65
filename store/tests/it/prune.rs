//! Pruning: hashes and certificates stay, bids and their space go, at any moment of a crash.

use crate::common::{certificate, certificate_of, chain_with_bids, copy_directory, files, filled};
use std::fs;
use std::path::Path;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::export::{Exported, MAX_CHECKPOINT_BYTES, ReadError};
use veilgrid_ledger::pruned::PrunedBlock;
use veilgrid_ledger::state::FinishedRounds;
use veilgrid_ledger::state::checkpoint::Checkpoint;
use veilgrid_store::{Appended, LedgerBytes, Store, StoreError, Stored};

const CHECKPOINT: &[u8] = b"an encoded checkpoint";

/// What a store has to give for these blocks when those up to a height were pruned.
fn assert_pruned(store: &Store, blocks: &[Block], up_to: Option<u64>) {
    for block in blocks {
        let height = block.header.height;
        let has_bids = height > 0 && height % 2 == 0;
        let stored = store.stored(height).expect("read").expect("there");
        if has_bids && Some(height) <= up_to {
            assert_eq!(stored, Stored::Pruned(PrunedBlock::of(block.clone())), "block {height}");
            assert!(matches!(store.block(height), Err(StoreError::Pruned { height: h, .. }) if h == height));
            assert!(matches!(store.block_bytes(height), Err(StoreError::Pruned { .. })));
        } else {
            assert_eq!(stored, Stored::Full(block.clone()), "block {height}");
            assert_eq!(store.block_bytes(height).expect("read"), Some(block.to_bytes()));
        }
        assert_eq!(store.height_of(&block.hash()).expect("index"), Some(height));
        assert_eq!(store.certificate(height).expect("read"), certificate_of(block));
    }
}

fn bytes_on_disk(path: &Path) -> u64 {
    files(path).iter().map(|file| fs::metadata(file).expect("file").len()).sum()
}

#[test]
fn bids_go_and_everything_else_stays() {
    let blocks = chain_with_bids(150, 40);
    let directory = tempfile::tempdir().expect("directory");
    let mut store = filled(directory.path(), &blocks);
    let (before, disk_before) = (store.ledger_bytes(), bytes_on_disk(directory.path()));
    assert!(before.bid_bytes > before.block_bytes * 9 / 10, "{before:?}");
    let pruning = store.prune_bodies(139, CHECKPOINT, |_| true).expect("prune");
    assert_eq!(pruning.blocks, 69);
    assert_pruned(&store, &blocks, Some(139));
    assert_eq!(store.pruned_up_to(), Some(139));
    let after = store.ledger_bytes();
    assert_eq!(after.pruned_blocks, 69);
    assert_eq!(after.block_bytes, before.block_bytes - pruning.freed_bytes);
    assert_eq!(
        LedgerBytes { pruned_blocks: 0, block_bytes: 0, bid_bytes: 0, ..before },
        LedgerBytes { pruned_blocks: 0, block_bytes: 0, bid_bytes: 0, ..after }
    );
    let disk_after = bytes_on_disk(directory.path());
    // The database may grow a little; the files of the bids are gone.
    assert!(disk_before - disk_after > pruning.freed_bytes / 2, "{disk_before} to {disk_after} bytes");
    assert_eq!(store.prune_bodies(139, CHECKPOINT, |_| true).expect("again").blocks, 0);
    let mut fork = blocks[100].clone();
    fork.header.time_unix_ms += 1;
    assert!(matches!(store.append(&fork, None), Err(StoreError::Fork { height: 100, .. })));
    assert_eq!(store.append(&blocks[100], None).expect("again"), Appended::AlreadyThere);
    drop(store);
    let mut store = Store::open(directory.path()).expect("again");
    assert_eq!(store.checkpoint().expect("read").as_deref(), Some(CHECKPOINT));
    assert_eq!((store.ledger_bytes(), store.pruned_up_to()), (after, Some(139)));
    assert_pruned(&store, &blocks, Some(139));
    // Above the tip means the tip.
    assert_eq!(store.prune_bodies(u64::MAX, CHECKPOINT, |_| true).expect("all").blocks, 5);
    assert_eq!(store.ledger_bytes().bid_bytes, 0);
    assert_pruned(&store, &blocks, Some(149));
    let mut empty = Store::open(&directory.path().join("empty")).expect("store");
    assert!(matches!(empty.prune_bodies(3, CHECKPOINT, |_| true), Err(StoreError::Empty { .. })));
}

#[test]
fn a_checkpoint_above_its_bound_is_refused_and_nothing_is_pruned_for_it() {
    let blocks = chain_with_bids(12, 4);
    let directory = tempfile::tempdir().expect("directory");
    let mut store = filled(directory.path(), &blocks);
    let longest = vec![7; MAX_CHECKPOINT_BYTES];
    let error = store.prune_bodies(7, &[longest.as_slice(), &[7]].concat(), |_| true).expect_err("too long");
    assert!(
        matches!(error, StoreError::Checkpoint { bytes } if bytes == MAX_CHECKPOINT_BYTES + 1),
        "{error}"
    );
    assert_eq!((store.pruned_up_to(), store.checkpoint().expect("read")), (None, None));
    assert_pruned(&store, &blocks, None);
    assert_eq!(store.prune_bodies(7, &longest, |_| true).expect("pruned").blocks, 3);
}

#[test]
fn blocks_that_are_still_needed_wait_for_the_next_pruning() {
    let blocks = chain_with_bids(12, 5);
    let directory = tempfile::tempdir().expect("directory");
    // What is moved aside lies beside it.
    let path = directory.path().join("store");
    let mut store = filled(&path, &blocks);
    let needed = |block: &Block| block.header.height != 4;
    assert_eq!(store.prune_bodies(9, b"first", needed).expect("prune").blocks, 3);
    assert_eq!(store.pruned_up_to(), None, "block 4 has its bids");
    assert_eq!(store.block(4).expect("read"), Some(blocks[4].clone()));
    assert_eq!(store.ledger_bytes().pruned_blocks, 3);
    drop(store);
    let mut store = Store::open(&path).expect("again");
    assert_eq!(store.prune_bodies(6, b"second", |_| true).expect("prune").blocks, 1);
    assert_eq!((store.pruned_up_to(), store.ledger_bytes().pruned_blocks), (Some(6), 4));
    assert_eq!(store.checkpoint().expect("read").as_deref(), Some(b"second".as_slice()));
    drop(store);
    for (change, why) in [(true, "the checkpoint was changed"), (false, "pruned blocks and no checkpoint")] {
        let db = sled::open(&path).expect("database");
        if change {
            db.insert("checkpoint", vec![0; 40]).expect("insert");
        } else {
            db.remove("checkpoint").expect("remove");
        }
        drop(db);
        let error = Store::open(&path).expect_err("nobody gets past the pruned blocks");
        assert!(error.is_damage() && error.to_string().contains(why), "{error}");
    }
    let opened = Store::open_or_rebuild(&path).expect("rebuilt");
    assert_eq!(opened.rebuilt.expect("damaged").kept_blocks, 2, "those before the first pruned one");
}

#[test]
fn a_damaged_store_keeps_its_pruned_blocks() {
    let blocks = chain_with_bids(12, 40);
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("store");
    let mut store = filled(&path, &blocks);
    store.prune_bodies(7, CHECKPOINT, |_| true).expect("prune");
    drop(store);
    fs::remove_file(path.join("bodies").join(format!("{:016x}.full", 10))).expect("remove");
    let opened = Store::open_or_rebuild(&path).expect("rebuilt");
    assert_eq!(opened.rebuilt.expect("damaged").kept_blocks, 10);
    assert_pruned(&opened.store, &blocks[..10], Some(7));
    assert_eq!(opened.store.checkpoint().expect("read").as_deref(), Some(CHECKPOINT));
}

#[test]
fn a_pruned_ledger_is_exported_and_not_replayed() {
    let blocks = chain_with_bids(9, 5);
    let directory = tempfile::tempdir().expect("directory");
    let mut store = filled(&directory.path().join("store"), &blocks);
    store.prune_bodies(5, CHECKPOINT, |_| true).expect("prune");
    let mut heights = store.blocks().take(3).collect::<Vec<_>>();
    assert!(matches!(heights.pop(), Some(Err(StoreError::Pruned { height: 2, .. }))));
    let bytes = store.export_to(Vec::new(), [9; 32]).expect("memory");
    let mut reader = veilgrid_ledger::export::LedgerReader::new(bytes.as_slice()).expect("file");
    let exported: Vec<_> = reader.exported().collect::<Result<_, _>>().expect("records");
    assert_eq!(reader.trailer().expect("trailer").state_root, [9; 32]);
    assert_eq!(exported.len(), 9);
    for (exported, block) in exported.iter().zip(&blocks) {
        let expected = match block.header.height {
            2 | 4 => Exported::Pruned(PrunedBlock::of(block.clone()), certificate_of(block)),
            _ => Exported::Block(block.clone(), certificate_of(block)),
        };
        assert_eq!(*exported, expected);
    }
    let reader = veilgrid_ledger::export::LedgerReader::new(bytes.as_slice()).expect("file");
    let whole: Result<Vec<_>, _> = reader.collect();
    assert!(matches!(whole, Err(ReadError::Pruned { height: 2, .. })));
}

/// A copy that is taken right after a pruning, before the next block is final: without the checkpoint it audits.
#[test]
fn a_checkpoint_is_exported_when_a_later_certificate_confirms_it() {
    let blocks = chain_with_bids(9, 5);
    let last_certified =
        blocks.iter().filter(|block| certificate_of(block).is_some()).map(|b| b.header.height);
    let last_certified = last_certified.max().expect("certificates");
    for height in 2..9 {
        let (refused_digest, finished) = ([0; 32], FinishedRounds::default());
        let (last_round_id, cleared_until_unix_s, refused, active) = (None, None, 0, Vec::new());
        let checkpoint = Checkpoint {
            height,
            last_round_id,
            cleared_until_unix_s,
            finished,
            refused,
            refused_digest,
            active,
        };
        let directory = tempfile::tempdir().expect("directory");
        let mut store = filled(directory.path(), &blocks);
        store.prune_bodies(height, &checkpoint.to_bytes(), |_| true).expect("prune");
        let bytes = store.export_to(Vec::new(), [9; 32]).expect("memory");
        let mut reader = veilgrid_ledger::export::LedgerReader::new(bytes.as_slice()).expect("file");
        let exported: Vec<_> = reader.exported().collect::<Result<_, _>>().expect("records");
        let there = exported.contains(&Exported::Checkpoint(checkpoint));
        assert_eq!(there, height < last_certified, "pruned to {height}, certified to {last_certified}");
    }
    assert!((2..9).contains(&last_certified), "both happen");
}

/// The states that a crash can leave: files of both forms with either record, and half-written files.
#[test]
fn a_crash_leaves_each_block_in_one_form() {
    let blocks = chain_with_bids(12, 40);
    let directory = tempfile::tempdir().expect("directory");
    let (before, after) = (directory.path().join("before"), directory.path().join("after"));
    drop(filled(&before, &blocks));
    copy_directory_to(&before, &after);
    Store::open(&after).expect("store").prune_bodies(8, CHECKPOINT, |_| true).expect("prune");
    let bodies = |path: &Path, name: String| path.join("bodies").join(name);
    let full = |height: u64| format!("{height:016x}.full");
    let pruned = |height: u64| format!("{height:016x}.pruned");
    // Killed before the flush: pruned files, some of them cut, beside records of whole blocks.
    for height in [2, 4, 6] {
        fs::write(bodies(&before, pruned(height)), "half a blo").expect("write");
    }
    let mut store = Store::open(&before).expect("opens");
    assert_pruned(&store, &blocks, None);
    assert!(!bodies(&before, pruned(4)).exists());
    assert_eq!(store.prune_bodies(8, CHECKPOINT, |_| true).expect("goes on").blocks, 4);
    assert_pruned(&store, &blocks, Some(8));
    drop(store);
    // Killed after the flush: whole files beside records of pruned blocks.
    fs::write(bodies(&after, full(6)), blocks[6].to_bytes()).expect("write");
    let mut store = Store::open(&after).expect("opens");
    assert_pruned(&store, &blocks, Some(8));
    assert!(!bodies(&after, full(6)).exists());
    store.put_certificate(6, &certificate(6)).expect("put");
    store.flush().expect("flush");
    drop(store);
    assert_eq!(Store::open(&after).expect("opens").certificate(6).expect("read"), Some(certificate(6)));
}

fn copy_directory_to(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("directory");
    copy_directory(from, to);
}
