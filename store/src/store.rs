//! The block store.
//!
//! One tree, so that a block, its index entry and the tip are written as one atomic batch:
//!
//! ```text
//! "format"            u16     format of this layout
//! "tip"               u64 ‖ hash    last block
//! "b" ‖ height        encoded block
//! "h" ‖ block hash    height
//! ```
//!
//! Heights are big-endian, so that keys sort by them.

use crate::error::StoreError;
use crate::mark::Mark;
use crate::scan;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::{DecodeContext, Transaction};
use veilgrid_ledger::verdicts::BidVerdicts;

/// Format of the layout that this program writes.
const FORMAT: u16 = 1;
/// Blocks are read in order and once, so that a small cache is enough.
const CACHE_BYTES: u64 = 8 << 20;

pub(crate) const KEY_FORMAT: &[u8] = b"format";
pub(crate) const KEY_TIP: &[u8] = b"tip";

/// The last stored block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// Its height.
    pub height: u64,
    /// Its hash.
    pub hash: Hash,
}

/// What [`Store::append`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// The block is on disk now.
    Written,
    /// The very same block was on disk already.
    AlreadyThere,
}

/// A ledger on disk. One process owns it.
#[derive(Debug)]
pub struct Store {
    pub(crate) db: sled::Db,
    pub(crate) path: PathBuf,
    tip: Option<Tip>,
    context: DecodeContext,
    mark: Mark,
}

impl Store {
    /// Opens or creates a store and checks everything in it: format, index, the chain of hashes, every body.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::Version`], [`StoreError::Foreign`], [`StoreError::Damaged`],
    /// [`StoreError::DamagedBlock`], [`StoreError::LostBlocks`], [`StoreError::Io`], [`StoreError::DiskFull`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        guarded(path, || {
            let db = sled::Config::new()
                .path(path)
                .cache_capacity(CACHE_BYTES)
                // `append` flushes; nothing is left to a timer.
                .flush_every_ms(None)
                .open()
                .map_err(|error| StoreError::database(path, error))?;
            check_format(&db, path)?;
            let (tip, context) = scan::check_all(&db, path)?;
            let mut mark = Mark::open(path)?;
            check_mark(&mut mark, &db, path, tip)?;
            tracing::debug!(path = %path.display(), height = ?tip.map(|tip| tip.height), "store opened");
            Ok(Self { db, path: path.to_path_buf(), tip, context, mark })
        })
    }

    /// The last block, or none in a new store.
    pub fn tip(&self) -> Option<Tip> {
        self.tip
    }

    /// Stores the next block. When it returns, the block is on disk; the same block again is no error.
    ///
    /// The ledger's rules are the caller's: a block is stored after [`State::apply_block`] has accepted it.
    ///
    /// # Errors
    /// [`StoreError::Gap`], [`StoreError::OtherParent`], [`StoreError::Fork`], [`StoreError::Block`],
    /// [`StoreError::DiskFull`], [`StoreError::Io`].
    pub fn append(&mut self, block: &Block) -> Result<Appended, StoreError> {
        let (height, hash) = (block.header.height, block.hash());
        if let Some(tip) = self.tip.filter(|tip| height <= tip.height) {
            let same = tip == Tip { height, hash } || self.height_of(&hash)? == Some(height);
            return if same { Ok(Appended::AlreadyThere) } else { Err(StoreError::Fork { height }) };
        }
        let expected = self.tip.map_or(0, |tip| tip.height.saturating_add(1));
        if height != expected {
            return Err(StoreError::Gap { found: height, expected });
        }
        if block.header.parent_hash != self.tip.map_or([0; 32], |tip| tip.hash) {
            return Err(StoreError::OtherParent { height });
        }
        block.check_body().map_err(|fault| StoreError::Block { height, fault })?;
        self.write(block, Tip { height, hash })?;
        if let Some(Transaction::Genesis(genesis)) = block.transactions.first() {
            self.context = DecodeContext::of(&genesis.draft);
        }
        self.tip = Some(Tip { height, hash });
        Ok(Appended::Written)
    }

    fn write(&mut self, block: &Block, tip: Tip) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        batch.insert(block_key(tip.height).as_slice(), block.to_bytes());
        batch.insert(hash_key(&tip.hash).as_slice(), &tip.height.to_be_bytes());
        batch.insert(KEY_TIP, encode_tip(&tip));
        guarded(&self.path, || {
            self.db.apply_batch(batch).map_err(|error| StoreError::database(&self.path, error))?;
            self.db.flush().map_err(|error| StoreError::database(&self.path, error))?;
            Ok(())
        })?;
        self.sync_files()?;
        self.mark.set(tip)
    }

    /// On Linux the database's flush ends in `sync_file_range`, which neither writes the file's length nor empties the
    /// disk's cache: a power failure could take an acknowledged block. So its log is synchronised here, and the
    /// directory in which it names the large values that it has synchronised itself.
    fn sync_files(&self) -> Result<(), StoreError> {
        for name in ["db", "blobs"] {
            let path = self.path.join(name);
            let sync = File::open(&path).and_then(|file| file.sync_all());
            sync.map_err(|source| StoreError::io(&path, source))?;
        }
        Ok(())
    }

    /// Height of a stored block.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Io`].
    pub fn height_of(&self, hash: &Hash) -> Result<Option<u64>, StoreError> {
        let value = guarded(&self.path, || get(&self.db, &self.path, &hash_key(hash)))?;
        Ok(value.as_deref().and_then(scan::decode_height))
    }

    /// A stored block; none above the tip.
    ///
    /// # Errors
    /// [`StoreError::DamagedBlock`] when it can't be read back.
    pub fn block(&self, height: u64) -> Result<Option<Block>, StoreError> {
        if self.tip.is_none_or(|tip| height > tip.height) {
            return Ok(None);
        }
        let damaged = |why: String| StoreError::DamagedBlock { path: self.path.clone(), height, why };
        let bytes = guarded(&self.path, || get(&self.db, &self.path, &block_key(height)))?
            .ok_or_else(|| damaged("it is missing".into()))?;
        let context = if height == 0 { DecodeContext::Genesis } else { self.context };
        let block = Block::from_bytes(&bytes, &context).map_err(|error| damaged(error.to_string()))?;
        Ok(Some(block))
    }

    /// All blocks from the genesis on, read one at a time.
    pub fn blocks(&self) -> impl Iterator<Item = Result<Block, StoreError>> + '_ {
        let count = self.tip.map_or(0, |tip| tip.height.saturating_add(1));
        (0..count).filter_map(|height| self.block(height).transpose())
    }

    /// Rebuilds the state from the blocks; none in a new store. `on_block` gets the height of each block replayed.
    ///
    /// # Errors
    /// [`StoreError::Rule`] when a stored block breaks a rule, and the errors of [`Store::block`].
    pub fn replay(
        &self,
        verdicts: &mut dyn BidVerdicts,
        mut on_block: impl FnMut(u64),
    ) -> Result<Option<State>, StoreError> {
        let mut state: Option<State> = None;
        for block in self.blocks() {
            let block = block?;
            match &mut state {
                None => state = Some(State::from_genesis_block(&block).map_err(StoreError::Rule)?),
                Some(state) => {
                    state.apply_block(&block, verdicts).map_err(StoreError::Rule)?;
                }
            }
            on_block(block.header.height);
        }
        Ok(state)
    }
}

/// The database can panic on files that are damaged; a panic becomes [`StoreError::Damaged`].
pub(crate) fn guarded<T>(
    path: &Path,
    action: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(action)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        let why = text.unwrap_or("the database gave up").lines().next().unwrap_or_default().to_owned();
        Err(StoreError::Damaged { path: path.to_path_buf(), why })
    })
}

fn check_format(db: &sled::Db, path: &Path) -> Result<(), StoreError> {
    match get(db, path, KEY_FORMAT)?.as_deref() {
        Some(&[low, high]) => match u16::from_le_bytes([low, high]) {
            FORMAT => Ok(()),
            found => Err(StoreError::Version { path: path.to_path_buf(), found, known: FORMAT }),
        },
        None if db.is_empty() && db.tree_names().len() == 1 => {
            db.insert(KEY_FORMAT, &FORMAT.to_le_bytes())
                .and_then(|_| db.flush())
                .map_err(|error| StoreError::database(path, error))?;
            Ok(())
        }
        Some(_) | None => Err(StoreError::Foreign { path: path.to_path_buf() }),
    }
}

/// Compares the stored chain with what was acknowledged. Blocks that were stored and not marked, because the process
/// was killed in between, are marked now.
fn check_mark(mark: &mut Mark, db: &sled::Db, path: &Path, tip: Option<Tip>) -> Result<(), StoreError> {
    if let Some(marked) = mark.marked() {
        let height = get(db, path, &hash_key(&marked.hash))?;
        let indexed = height.as_deref().and_then(scan::decode_height) == Some(marked.height);
        if !indexed || tip.is_none_or(|tip| tip.height < marked.height) {
            let (acknowledged, stored) = (marked.height, tip.map(|tip| tip.height));
            return Err(StoreError::LostBlocks { path: path.to_path_buf(), acknowledged, stored });
        }
    }
    match tip {
        Some(tip) if mark.marked() != Some(tip) => mark.set(tip),
        _ => Ok(()),
    }
}

pub(crate) fn get(db: &sled::Db, path: &Path, key: &[u8]) -> Result<Option<sled::IVec>, StoreError> {
    db.get(key).map_err(|error| StoreError::database(path, error))
}

pub(crate) fn block_key(height: u64) -> [u8; 9] {
    let mut key = [b'b'; 9];
    key[1..].copy_from_slice(&height.to_be_bytes());
    key
}

pub(crate) fn hash_key(hash: &Hash) -> [u8; 33] {
    let mut key = [b'h'; 33];
    key[1..].copy_from_slice(hash);
    key
}

fn encode_tip(tip: &Tip) -> Vec<u8> {
    [tip.height.to_be_bytes().as_slice(), &tip.hash].concat()
}
