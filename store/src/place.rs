//! Where a store is built anew, and how the new one takes the old one's place.
//!
//! ```text
//! <store>.salvage      a copy of the database in which it is tried what can be read; the store itself stays as it is
//! <store>.rebuilding   the new store, which becomes <store> when <store> has become
//! <store>.damaged-<n>  the damaged one
//! ```
//!
//! Of these steps a crash can leave any: as long as `<store>` is there it is as damaged as before, and when it is gone
//! the new one is complete.

use crate::durable::sync_name;
use crate::error::StoreError;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// Finishes the rebuilding that a crash has cut off after the damaged store was moved.
pub(crate) fn finish_interrupted(path: &Path) -> Result<(), StoreError> {
    let new = beside(path, "rebuilding");
    if path.exists() || !new.exists() {
        return Ok(());
    }
    fs::rename(&new, path).and_then(|()| sync_name(path)).map_err(|source| StoreError::io(path, source))
}

/// Moves the damaged store aside and the new one to its place.
pub(crate) fn put_in_place(path: &Path, new: &Path) -> Result<PathBuf, StoreError> {
    let free = (1..u32::MAX).map(|n| beside(path, &format!("damaged-{n}"))).find(|path| !path.exists());
    let Some(moved_to) = free else { return Err(StoreError::Exists { path: path.to_path_buf() }) };
    // The new store's name first: without it, after a power failure, nothing would be where the damaged one was, and the
    // next start would begin an empty store without a word.
    let renamed = sync_name(new)
        .and_then(|()| fs::rename(path, &moved_to))
        .and_then(|()| sync_name(path))
        .and_then(|()| fs::rename(new, path))
        .and_then(|()| sync_name(path));
    renamed.map_err(|source| StoreError::io(path, source))?;
    Ok(moved_to)
}

/// `<path>.<suffix>`, in the same directory.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path.file_name().unwrap_or_default());
    name.push(format!(".{suffix}"));
    path.with_file_name(name)
}
