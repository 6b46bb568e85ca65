//! A damaged store is moved aside and a new one begun with the blocks that are whole. The others come again from
//! whoever has them. [`crate::place`] has the folders.

use crate::database::Database;
use crate::error::StoreError;
use crate::layout::{block_key, read_certificate, read_checkpoint};
use crate::open::Checks;
use crate::place::{beside, put_in_place};
use crate::record::{Bodies, Chain, Form, Stored};
use crate::store::Store;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A store that is open, and what it cost.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Store,
    /// Set when it was damaged.
    pub rebuilt: Option<Rebuilt>,
}

/// What became of a damaged store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// How many blocks, from the genesis on, the new store has. The next ones have to be fetched again.
    pub kept_blocks: u64,
    /// Where the damaged one is now. Nothing reads it any more.
    pub moved_to: PathBuf,
    /// What was wrong with it.
    pub why: String,
}

impl Store {
    /// Opens a store; a damaged one is moved aside and built anew from the longest chain of its blocks that is whole.
    ///
    /// # Errors
    /// As [`Store::open`], but for damage.
    pub fn open_or_rebuild(path: &Path) -> Result<Opened, StoreError> {
        Self::open_checking_or_rebuild(path, Checks::All)
    }

    /// The same with [`Store::open_checking`]. A store that is built anew has no saved state.
    ///
    /// # Errors
    /// As [`Store::open_or_rebuild`].
    pub fn open_checking_or_rebuild(path: &Path, checks: Checks<'_>) -> Result<Opened, StoreError> {
        let damage = match Store::open_checking(path, checks) {
            Ok(store) => return Ok(Opened { store, rebuilt: None }),
            Err(error) if error.is_damage() => error,
            Err(error) => return Err(error),
        };
        let why = damage.to_string();
        tracing::error!(path = %path.display(), why, "the store is damaged and built anew");
        let (new, copy) = (beside(path, "rebuilding"), beside(path, "salvage"));
        let kept_blocks = salvage(path, &new, &copy)?;
        let moved_to = put_in_place(path, &new)?;
        Ok(Opened { store: Store::open(path)?, rebuilt: Some(Rebuilt { kept_blocks, moved_to, why }) })
    }
}

/// Writes the blocks that are whole to a new store; how many they are.
fn salvage(damaged: &Path, new: &Path, copy: &Path) -> Result<u64, StoreError> {
    // What its log alone gives can be more than what its own summary of the log, or its settings, let through.
    let (whole, without) = (copy.join("whole"), copy.join("log"));
    remove(copy)?;
    remove(new)?;
    copy_database(damaged, &whole, &|_| true)?;
    copy_database(damaged, &without, &|name| name != "conf" && !name.starts_with("snap."))?;
    let mut best: Option<(u64, &Path)> = None;
    for source in [&whole, &without] {
        let count = Source::open(source, damaged).walk(&mut |_, _| Ok(true))?;
        if best.is_none_or(|(most, _)| count > most) {
            best = Some((count, source));
        }
    }
    let mut store = Store::open(new)?;
    let (_, source) = best.unwrap_or((0, &whole));
    let source = Source::open(source, damaged);
    let checkpoint = source.checkpoint();
    if let Some(checkpoint) = &checkpoint {
        store.put_checkpoint(checkpoint)?;
    }
    let mut lost = false;
    let kept = source.walk(&mut |stored, certificate| {
        // Pruned blocks are worth nothing without their checkpoint: they come again, whole or with another one.
        lost |= checkpoint.is_none() && stored.form() == Form::Pruned;
        if lost { Ok(false) } else { store.put(stored, certificate.as_deref()).map(|()| true) }
    })?;
    store.flush()?;
    drop(store);
    remove(copy)?;
    Ok(kept)
}

/// Takes a block with its certificate, or says that no more are wanted.
type Visit<'a> = dyn FnMut(&Stored, Option<Vec<u8>>) -> Result<bool, StoreError> + 'a;

/// What can be read of a damaged store.
struct Source {
    /// None when it does not open at all.
    database: Option<Database>,
    bodies: Bodies,
}

impl Source {
    fn open(database: &Path, damaged: &Path) -> Self {
        Self { database: Database::open(database).ok(), bodies: Bodies::of(damaged) }
    }

    fn checkpoint(&self) -> Option<Vec<u8>> {
        self.database.as_ref().and_then(|database| read_checkpoint(database, Path::new("")).ok().flatten())
    }

    /// Hands over each block that follows the one before, until one does not or is not wanted; how many were.
    fn walk(&self, visit: &mut Visit<'_>) -> Result<u64, StoreError> {
        let mut chain = Chain::new();
        while let Some(stored) = self.candidates(chain.height).find_map(|(form, bytes)| {
            // A block that is refused leaves the chain as it was.
            chain.take(form, &bytes).ok()
        }) {
            let height = stored.header().height;
            let certificate = self.database.as_ref().and_then(|database| {
                // A certificate can be fetched again; its block is worth keeping without it.
                read_certificate(database, Path::new(""), height).ok().flatten()
            });
            if !visit(&stored, certificate)? {
                return Ok(height);
            }
        }
        Ok(chain.height)
    }

    /// What could be the block of a height: what its record says, and files whose record is gone.
    fn candidates(&self, height: u64) -> impl Iterator<Item = (Form, Vec<u8>)> + '_ {
        let record =
            self.database.as_ref().and_then(|database| database.get(&block_key(height)).ok().flatten());
        let named = record.and_then(|record| self.bodies.resolve(height, &record).ok()?.ok());
        let files = [Form::Full, Form::Pruned]
            .into_iter()
            .filter_map(move |form| Some((form, self.bodies.read(height, form).ok()?.ok()?)));
        named.into_iter().chain(files)
    }
}

/// Copies the database's own files.
fn copy_database(from: &Path, to: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<(), StoreError> {
    let failed = |source| StoreError::io(from, source);
    fs::create_dir_all(to.join("blobs")).map_err(failed)?;
    let mut copies = Vec::new();
    for (directory, target) in
        [(from.to_path_buf(), to.to_path_buf()), (from.join("blobs"), to.join("blobs"))]
    {
        let entries = match fs::read_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if entry.file_type().map_err(failed)?.is_file() && name.to_str().is_some_and(wanted) {
                copies.push((entry.path(), target.join(name)));
            }
        }
    }
    copies.into_iter().try_for_each(|(from, to)| {
        fs::copy(&from, to).map(drop).map_err(|source| StoreError::io(&from, source))
    })
}

fn remove(directory: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io(directory, error)),
        _ => Ok(()),
    }
}
