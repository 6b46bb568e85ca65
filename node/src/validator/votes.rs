//! The engine's store of a validator whose ledger has gone on without it.
//!
//! The engine goes on from its own store, in the epoch in which that ends. A validator that was replaced, or away, has
//! got later blocks over HTTP: its peers of that epoch may be gone. What such a store is there for are the votes that
//! must not be contradicted, and those are of epochs that are over. So it is deleted, and the engine starts from the
//! last certified block of the ledger's store. As long as there may be votes in the epoch where it would start, nothing
//! is touched.

use std::io;
use std::path::Path;

/// The names of the engine's folders with votes end with the epoch.
const VOTES: &str = "validator-consensus-";

/// Deletes the engine's store when all votes in it are of epochs before `epoch`, where the engine is to start: when
/// blocks were fetched since it last ran, or else by two epochs. One epoch without any is what a restart at the end of
/// an epoch looks like, where nothing is missing.
pub(super) fn clear_if_over(engine: &Path, epoch: u64, fetched: bool) -> io::Result<()> {
    let Some(last) = last_epoch_with_votes(engine)? else { return Ok(()) };
    if last >= epoch || (!fetched && last.saturating_add(1) == epoch) {
        return Ok(());
    }
    tracing::info!(
        last_voted_epoch = last,
        epoch,
        "the engine's store is of epochs that are over: it begins anew"
    );
    // In one step: a part of it would be taken for the whole.
    let old = engine.with_extension("old");
    if old.exists() {
        std::fs::remove_dir_all(&old)?;
    }
    std::fs::rename(engine, &old)?;
    std::fs::remove_dir_all(&old)
}

/// Whether an engine's store has votes that must not be contradicted.
pub(super) fn has_votes(engine: &Path) -> io::Result<bool> {
    Ok(last_epoch_with_votes(engine)?.is_some())
}

fn last_epoch_with_votes(engine: &Path) -> io::Result<Option<u64>> {
    let entries = match std::fs::read_dir(engine) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut last = None;
    for entry in entries {
        let name = entry?.file_name();
        let Some(epoch) = name.to_str().and_then(|name| name.strip_prefix(VOTES)) else { continue };
        // A name that this program has not given: better to leave everything as it is.
        let Ok(epoch) = epoch.parse::<u64>() else { return Ok(Some(u64::MAX)) };
        last = last.max(Some(epoch));
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_votes_of_epochs_that_are_over_go() {
        let dir = tempfile::tempdir().expect("directory");
        let engine = dir.path().join("engine");
        clear_if_over(&engine, 9, true).expect("nothing is there");
        let make = |name: &str| std::fs::create_dir_all(engine.join(name)).expect("made");
        make("validator-marshal-blocks");
        clear_if_over(&engine, 9, true).expect("no votes");
        assert!(engine.exists(), "without any vote there is nothing to tell from");
        make("validator-consensus-3");
        make("validator-consensus-10");
        for (epoch, fetched) in [(0, true), (3, true), (10, true), (10, false), (11, false)] {
            clear_if_over(&engine, epoch, fetched).expect("kept");
            assert!(engine.join("validator-consensus-10").exists(), "{epoch}");
        }
        make("validator-consensus-x");
        clear_if_over(&engine, 99, true).expect("kept");
        assert!(engine.exists(), "nobody knows what that is");
        std::fs::remove_dir(engine.join("validator-consensus-x")).expect("removed");
        clear_if_over(&engine, 11, true).expect("deleted");
        assert!(!engine.exists());
        // What a crash in the middle leaves behind does not hinder it.
        make("validator-consensus-10");
        std::fs::create_dir_all(dir.path().join("engine.old").join("validator-consensus-9")).expect("made");
        clear_if_over(&engine, 12, false).expect("deleted");
        assert_eq!(std::fs::read_dir(dir.path()).expect("list").count(), 0);
    }
}
