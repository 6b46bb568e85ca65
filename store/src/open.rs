//! Opening a store: what is checked, and compared with what was acknowledged.

use crate::database::Database;
use crate::error::StoreError;
use crate::layout::{FORMAT, KEY_FORMAT, Tip, decode_height, hash_key};
use crate::mark::{Acknowledged, Mark, is_marked};
use crate::place;
use crate::record::Bodies;
use crate::saved::{self, Saved, SavedKey};
use crate::scan::{self, Scanned};
use crate::store::Store;
use std::path::Path;

/// What is checked when a store is opened.
#[derive(Clone, Copy)]
pub enum Checks<'a> {
    /// Everything.
    All,
    /// What has come since this node saved a state, if it has.
    SinceSaved(&'a SavedKey),
    /// Everything; proofs of blocks that this node has verified when it saved are not verified again by a replay.
    AllButProofs(&'a SavedKey),
}

impl Store {
    /// Opens or creates a store and checks everything in it: format, index, the chain of hashes, every body and every
    /// certificate. [`Store::open_or_rebuild`] goes on with what is left of a damaged one.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::Version`], [`StoreError::Foreign`], [`StoreError::Damaged`],
    /// [`StoreError::DamagedBlock`], [`StoreError::LostBlocks`], [`StoreError::Io`], [`StoreError::DiskFull`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_checking(path, Checks::All)
    }

    /// As [`Store::open`]; with [`Checks::SinceSaved`] only blocks are read that have come since the node saved a state under
    /// its key ([`Store::save_state`]). One that is not believed is logged, and all is checked.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_checking(path: &Path, checks: Checks<'_>) -> Result<Self, StoreError> {
        place::finish_interrupted(path)?;
        let database = Database::open(path)?;
        check_format(&database, path)?;
        let bodies = Bodies::of(path);
        bodies.create()?;
        let mut mark = Mark::open(path)?;
        let since = match checks {
            Checks::All | Checks::AllButProofs(_) => None,
            Checks::SinceSaved(key) => check_since_saved(&mut mark, &database, &bodies, path, key)?,
        };
        let (scanned, saved) = match since {
            Some((scanned, saved)) => {
                bodies.keep_named(
                    &scanned.named_files,
                    scanned.from,
                    scanned.tip.map_or(0, |tip| tip.height),
                )?;
                (scanned, Some(saved))
            }
            None => {
                let scanned = scan::check_all(&database, &bodies, path)?;
                check_mark(&mut mark, &database, path, scanned.tip, scanned.usage.certificates)?;
                bodies.keep_only(&scanned.named_files)?;
                (scanned, None)
            }
        };
        let Scanned { tip, context, pruned_up_to, usage, uncertified, from, .. } = scanned;
        tracing::debug!(path = %path.display(), height = ?tip.map(|tip| tip.height), from, "store opened");
        let verified_up_to = match checks {
            Checks::AllButProofs(key) => verified_up_to(&database, path, key)?,
            _ => None,
        };
        let path = path.to_path_buf();
        let (unflushed, halted) = (false, false);
        Ok(Self {
            verified_up_to,
            database,
            bodies,
            path,
            tip,
            context,
            mark,
            pruned_up_to,
            usage,
            uncertified,
            saved,
            distrusted: false,
            unflushed,
            halted,
        })
    }
}

fn check_format(database: &Database, path: &Path) -> Result<(), StoreError> {
    match database.get(KEY_FORMAT)?.as_deref() {
        Some(&[low, high]) => match u16::from_le_bytes([low, high]) {
            FORMAT => Ok(()),
            found => Err(StoreError::Version { path: path.to_path_buf(), found, known: FORMAT }),
        },
        None if database.is_new()? => {
            let mut batch = sled::Batch::default();
            batch.insert(KEY_FORMAT, &FORMAT.to_le_bytes());
            database.apply(batch)?;
            database.flush()
        }
        // A store's mark beside it: this was one.
        Some(_) | None if is_marked(path) => {
            Err(StoreError::Damaged { path: path.to_path_buf(), why: "its format can't be read".into() })
        }
        Some(_) | None => Err(StoreError::Foreign { path: path.to_path_buf() }),
    }
}

/// Reads the saved state and what has come since; none when all has to be checked, and the log says why.
fn check_since_saved(
    mark: &mut Mark,
    database: &Database,
    bodies: &Bodies,
    path: &Path,
    key: &SavedKey,
) -> Result<Option<(Scanned, Saved)>, StoreError> {
    let why = match saved::read(path, key)? {
        None => return Ok(None),
        Some(Err(why)) => why,
        Some(Ok(saved)) => match scan::check_since(&saved, database, bodies, path)? {
            Ok(scanned) => {
                check_mark(mark, database, path, scanned.tip, scanned.usage.certificates)?;
                return Ok(Some((scanned, saved)));
            }
            Err(why) => why,
        },
    };
    tracing::warn!(path = %path.display(), why, "the saved state is not used: every block is checked and executed again");
    Ok(None)
}

/// The last block that this node has verified when it saved; none when that is not known, and the log says why.
fn verified_up_to(database: &Database, path: &Path, key: &SavedKey) -> Result<Option<u64>, StoreError> {
    let why = match saved::read(path, key)? {
        None => return Ok(None),
        Some(Err(why)) => why,
        Some(Ok(Saved { at, .. })) => {
            let indexed = database.get(&hash_key(&at.hash))?;
            if indexed.as_deref().and_then(decode_height) == Some(at.height) {
                return Ok(Some(at.height));
            }
            format!("block {} is another one", at.height)
        }
    };
    tracing::warn!(path = %path.display(), why, "what was verified is not known: every proof is verified again");
    Ok(None)
}

/// Compares what is stored with what was acknowledged. What was stored and not marked, because the process was killed
/// in between, is marked now.
fn check_mark(
    mark: &mut Mark,
    database: &Database,
    path: &Path,
    tip: Option<Tip>,
    certificates: u64,
) -> Result<(), StoreError> {
    if let Some(Acknowledged { tip: marked, certificates: acknowledged }) = mark.marked() {
        let indexed = database.get(&hash_key(&marked.hash))?;
        let indexed = indexed.as_deref().and_then(decode_height) == Some(marked.height);
        if !indexed || tip.is_none_or(|tip| tip.height < marked.height) {
            let (acknowledged, stored) = (marked.height, tip.map(|tip| tip.height));
            return Err(StoreError::LostBlocks { path: path.to_path_buf(), acknowledged, stored });
        }
        if certificates < acknowledged {
            let why = format!("{acknowledged} certificates were stored, {certificates} are left");
            return Err(StoreError::Damaged { path: path.to_path_buf(), why });
        }
    }
    match tip.map(|tip| Acknowledged { tip, certificates }) {
        Some(stored) if mark.marked() != Some(stored) => mark.set(stored),
        _ => Ok(()),
    }
}
