//! Damaged files: found or harmless, and what is whole is kept. Never a panic of the process, never a wrong block.

use crate::common::{
    Numbers, certificate_of, chain_with_bids, copy_directory, damage, files, filled, read_back,
};
use std::fs;
use std::path::Path;
use veilgrid_ledger::block::Block;
use veilgrid_store::{Opened, Store, StoreError};

const SAMPLES_A_FILE: u64 = 30;

fn copy(from: &Path) -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().expect("directory");
    let store = directory.path().join("store");
    fs::create_dir(&store).expect("directory");
    copy_directory(from, &store);
    (directory, store)
}

/// The store has these blocks from the genesis on, and goes on with the next ones.
fn assert_true_prefix(store: &mut Store, blocks: &[Block], why: &str) {
    let stored = read_back(store);
    assert_eq!(stored, blocks[..stored.len()], "{why}");
    for block in &stored {
        let certificate =
            store.certificate(block.header.height).expect("a certificate that is there can be read");
        assert!(certificate.is_none() || certificate == certificate_of(block), "{why}");
    }
    for block in &blocks[stored.len()..] {
        store
            .append(block, certificate_of(block).as_deref())
            .expect("the blocks that are missing come again");
    }
}

/// Damages every file of a store in many places. Returns how many were refused and how many blocks of those were kept.
fn damage_everything(original: &Path, blocks: &[Block], numbers: &mut Numbers) -> (u64, u64) {
    let (mut refused, mut kept) = (0, 0);
    for file in files(original) {
        let name = file.strip_prefix(original).expect("inside");
        for sample in 0..SAMPLES_A_FILE {
            let (_directory, path) = copy(original);
            damage(&path.join(name), sample, numbers);
            let why = format!("{} sample {sample}", name.display());
            let error = match Store::open(&path) {
                Ok(store) => {
                    assert_eq!(read_back(&store), blocks, "{why}: opens with all blocks");
                    for block in blocks {
                        let certificate = store.certificate(block.header.height).expect("read");
                        assert_eq!(certificate, certificate_of(block), "{why}");
                    }
                    continue;
                }
                Err(error) => error,
            };
            assert!(error.is_damage(), "{why}: {error}");
            refused += 1;
            let Opened { mut store, rebuilt } = Store::open_or_rebuild(&path).expect("rebuilt");
            let rebuilt = rebuilt.expect("it was damaged");
            assert!(
                rebuilt.moved_to.ends_with("store.damaged-1") && rebuilt.moved_to.is_dir(),
                "{rebuilt:?}"
            );
            assert_eq!(rebuilt.kept_blocks, store.tip().map_or(0, |tip| tip.height + 1));
            kept += rebuilt.kept_blocks;
            assert_true_prefix(&mut store, blocks, &why);
            drop(store);
            let again = Store::open_or_rebuild(&path).expect("opens");
            assert!(again.rebuilt.is_none(), "{why}: the new store is whole");
        }
    }
    (refused, kept)
}

#[test]
fn damage_is_found_or_harmless_and_what_is_whole_is_kept() {
    let blocks = chain_with_bids(8, 20);
    let directory = tempfile::tempdir().expect("directory");
    let original = directory.path().join("store");
    drop(filled(&original, &blocks));
    let mut numbers = Numbers(0x1234_5678_9abc_def1);
    // As it was left by its writer, and after it was opened again: the database has a summary of its log then.
    let (refused, _) = damage_everything(&original, &blocks, &mut numbers);
    assert!(refused > 100, "only {refused} samples hit anything");
    drop(Store::open(&original).expect("again"));
    let (refused, kept) = damage_everything(&original, &blocks, &mut numbers);
    assert!(refused > 100, "only {refused} samples hit anything");
    assert!(kept > refused, "{kept} blocks were kept in {refused} cases");
}

#[test]
fn one_damaged_block_costs_no_block_before_it() {
    let blocks = chain_with_bids(14, 20);
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("store");
    drop(filled(&path, &blocks));
    let body = path.join("bodies").join(format!("{:016x}.full", 8));
    fs::write(&body, "something else").expect("write");
    fs::create_dir(directory.path().join("store.damaged-1")).expect("an earlier one");
    let Opened { mut store, rebuilt } = Store::open_or_rebuild(&path).expect("rebuilt");
    let rebuilt = rebuilt.expect("it was damaged");
    assert_eq!(rebuilt.kept_blocks, 8);
    assert!(rebuilt.moved_to.ends_with("store.damaged-2"));
    assert!(rebuilt.why.contains("block 8: bodies/0000000000000008.full was changed"), "{}", rebuilt.why);
    for height in 0..8 {
        assert_eq!(store.certificate(height).expect("read"), certificate_of(&blocks[height as usize]));
    }
    assert_true_prefix(&mut store, &blocks, "rebuilt");
    let names: Vec<_> = fs::read_dir(directory.path()).expect("directory").collect();
    assert_eq!(names.len(), 3, "nothing of the work is left: {names:?}");
}

#[test]
fn settings_and_summary_of_the_database_cost_nothing() {
    let blocks = chain_with_bids(14, 20);
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("store");
    drop(filled(&path, &blocks));
    drop(Store::open(&path).expect("again"));
    for prefix in ["conf", "snap."] {
        let file = fs::read_dir(&path)
            .expect("directory")
            .map(|entry| entry.expect("entry").path())
            .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)));
        fs::write(file.expect("there"), [7; 80]).expect("write");
        let Opened { store, rebuilt } = Store::open_or_rebuild(&path).expect("rebuilt");
        assert_eq!(rebuilt.expect("it was damaged").kept_blocks, 14, "{prefix}");
        assert_eq!(read_back(&store), blocks);
        drop(store);
        drop(Store::open(&path).expect("again"));
    }
}

#[test]
fn a_rebuilding_that_was_cut_off_is_finished() {
    let blocks = chain_with_bids(6, 3);
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("store");
    // The damaged one was moved away already, the new one is complete.
    drop(filled(&directory.path().join("store.rebuilding"), &blocks));
    assert_eq!(read_back(&Store::open(&path).expect("finished")), blocks);
    // The damaged one is still there: what was begun is begun anew.
    drop(filled(&directory.path().join("store.rebuilding"), &blocks[..1]));
    fs::create_dir_all(directory.path().join("store.salvage").join("log")).expect("directory");
    fs::write(path.join("conf"), [7; 80]).expect("write");
    assert_eq!(Store::open_or_rebuild(&path).expect("rebuilt").rebuilt.expect("damaged").kept_blocks, 6);
}

#[test]
fn only_damage_is_rebuilt() {
    let blocks = chain_with_bids(6, 3);
    let directory = tempfile::tempdir().expect("directory");
    let store = filled(directory.path(), &blocks);
    assert!(matches!(Store::open_or_rebuild(directory.path()), Err(StoreError::InUse { .. })));
    drop(store);
    let opened = Store::open_or_rebuild(directory.path()).expect("whole");
    assert!(opened.rebuilt.is_none());
    drop(opened);
    let foreign = tempfile::tempdir().expect("directory");
    let path = foreign.path().join("other");
    let db = sled::open(&path).expect("database");
    db.insert("something", "else").expect("insert");
    drop(db);
    assert!(matches!(Store::open_or_rebuild(&path), Err(StoreError::Foreign { .. })));
    assert!(path.exists());
}
