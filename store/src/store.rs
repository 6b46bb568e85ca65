//! The block store; [`crate::layout`] says what stands where.

use crate::database::Database;
use crate::error::StoreError;
use crate::layout::{self, KEY_TIP, Tip, block_key, decode_height, hash_key};
use crate::mark::{Acknowledged, Mark};
use crate::record::{Bodies, Form, Stored, decode, later_context};
use crate::saved::Saved;
use crate::usage::LedgerBytes;
use std::collections::BTreeSet;
use std::path::PathBuf;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::transaction::DecodeContext;

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
    pub(crate) database: Database,
    pub(crate) bodies: Bodies,
    pub(crate) path: PathBuf,
    pub(crate) tip: Option<Tip>,
    pub(crate) context: DecodeContext,
    pub(crate) mark: Mark,
    pub(crate) pruned_up_to: Option<u64>,
    pub(crate) usage: LedgerBytes,
    /// Blocks without a certificate.
    pub(crate) uncertified: BTreeSet<u64>,
    /// The saved state that the store was opened with.
    pub(crate) saved: Option<Saved>,
    /// Proofs of blocks up to this one are not verified again by a replay.
    pub(crate) verified_up_to: Option<u64>,
    /// A block was found damaged: no state is saved on top of it.
    pub(crate) distrusted: bool,
    /// Something was applied that no flush has brought to the disk yet.
    pub(crate) unflushed: bool,
    /// A write failed: what the disk holds is known again when the store is opened again.
    pub(crate) halted: bool,
}

impl Store {
    /// The last block, or none in a new store.
    pub fn tip(&self) -> Option<Tip> {
        self.tip
    }

    /// Up to which height no bids are left.
    pub fn pruned_up_to(&self) -> Option<u64> {
        self.pruned_up_to
    }

    /// How a block is decoded.
    pub(crate) fn context_of(&self, height: u64) -> DecodeContext {
        if height == 0 { DecodeContext::Genesis } else { self.context }
    }

    /// How many bytes the ledger has.
    pub fn ledger_bytes(&self) -> LedgerBytes {
        self.usage
    }

    /// Stores the next block and, if it is there already, its certificate. When it returns, both are on disk. The same
    /// block again is no error; a certificate that it brings is stored as by [`Store::put_certificate`].
    ///
    /// The ledger's rules are the caller's: a block is stored after [`veilgrid_ledger::state::State::apply_block`] has accepted it.
    ///
    /// # Errors
    /// [`StoreError::Gap`], [`StoreError::OtherParent`], [`StoreError::Fork`], [`StoreError::Block`],
    /// [`StoreError::Certificate`], [`StoreError::DiskFull`], [`StoreError::Io`]. After one of the last two, whether
    /// the block is stored is unknown and every write is refused ([`StoreError::Halted`]) until the store is opened
    /// again.
    pub fn append(&mut self, block: &Block, certificate: Option<&[u8]>) -> Result<Appended, StoreError> {
        self.writable()?;
        let (height, hash) = (block.header.height, block.hash());
        if let Some(certificate) = certificate {
            layout::check_certificate_length(height, certificate)?;
        }
        if self.tip.is_some_and(|tip| height <= tip.height) {
            return self.append_again(height, hash, certificate);
        }
        let expected = self.tip.map_or(0, |tip| tip.height.saturating_add(1));
        if height != expected {
            return Err(StoreError::Gap { found: height, expected });
        }
        if block.header.parent_hash != self.tip.map_or([0; 32], |tip| tip.hash) {
            return Err(StoreError::OtherParent { height });
        }
        block.check_body().map_err(|fault| StoreError::Block { height, fault })?;
        self.put(&Stored::Full(block.clone()), certificate)?;
        self.flush()?;
        Ok(Appended::Written)
    }

    fn append_again(
        &mut self,
        height: u64,
        offered: Hash,
        certificate: Option<&[u8]>,
    ) -> Result<Appended, StoreError> {
        if self.height_of(&offered)? != Some(height) {
            let stored = self.header_hash(height)?;
            return Err(StoreError::Fork { height, stored, offered });
        }
        if let Some(certificate) = certificate {
            self.put_certificate(height, certificate)?;
        }
        Ok(Appended::AlreadyThere)
    }

    /// Writes a block that follows the tip. It is durable after [`Store::flush`].
    pub(crate) fn put(&mut self, stored: &Stored, certificate: Option<&[u8]>) -> Result<(), StoreError> {
        let (height, hash) = (stored.header().height, stored.header().hash());
        let bytes = stored.to_bytes();
        let mut batch = sled::Batch::default();
        batch.insert(hash_key(&hash).as_slice(), &height.to_be_bytes());
        batch.insert(KEY_TIP, [height.to_be_bytes().as_slice(), &hash].concat());
        if let Some(certificate) = certificate {
            layout::insert_certificate(&mut batch, height, certificate);
        }
        let written = self.bodies.put(height, stored.form(), &bytes).and_then(|record| {
            batch.insert(block_key(height).as_slice(), record);
            self.database.apply(batch)
        });
        self.halt_on_error(written)?;
        if let Some(context) = later_context(stored) {
            self.context = context;
        }
        self.usage.add_block(stored, bytes.len());
        match certificate {
            Some(certificate) => self.usage.add_certificate(certificate.len()),
            None => {
                self.uncertified.insert(height);
            }
        }
        (self.tip, self.unflushed) = (Some(Tip { height, hash }), true);
        Ok(())
    }

    /// Brings everything to the disk; certificates that came after their block wait for this or for the next block.
    ///
    /// # Errors
    /// [`StoreError::Halted`], [`StoreError::DiskFull`], [`StoreError::Io`].
    pub fn flush(&mut self) -> Result<(), StoreError> {
        self.writable()?;
        if !self.unflushed {
            return Ok(());
        }
        let flushed = self.database.flush().and_then(|()| match self.tip {
            Some(tip) => self.mark.set(Acknowledged { tip, certificates: self.usage.certificates }),
            None => Ok(()),
        });
        self.halt_on_error(flushed)?;
        self.unflushed = false;
        Ok(())
    }

    /// Refuses writes after one has failed.
    pub(crate) fn writable(&self) -> Result<(), StoreError> {
        if self.halted { Err(StoreError::Halted { path: self.path.clone() }) } else { Ok(()) }
    }

    pub(crate) fn halt_on_error<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        self.halted |= result.is_err();
        // Nothing that was not acknowledged shows: the tip goes back to what is on disk for certain.
        if self.halted {
            self.tip = self.mark.marked().map(|marked| marked.tip);
        }
        result
    }

    /// Height of a stored block.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Io`].
    pub fn height_of(&self, hash: &Hash) -> Result<Option<u64>, StoreError> {
        let value = self.database.get(&hash_key(hash))?;
        let height = value.as_deref().and_then(decode_height);
        Ok(height.filter(|height| self.tip.is_some_and(|tip| *height <= tip.height)))
    }

    /// A stored block in the form in which it is stored; none above the tip.
    ///
    /// # Errors
    /// [`StoreError::DamagedBlock`] when it can't be read back, [`StoreError::Io`].
    pub fn stored(&self, height: u64) -> Result<Option<Stored>, StoreError> {
        let Some((form, bytes)) = self.resolve(height)? else { return Ok(None) };
        let stored =
            decode(form, &bytes, &self.context_of(height)).map_err(|why| self.damaged(height, why))?;
        Ok(Some(stored))
    }

    /// A stored block with its bids; none above the tip.
    ///
    /// # Errors
    /// [`StoreError::Pruned`] when its bids are gone, and as [`Store::stored`].
    pub fn block(&self, height: u64) -> Result<Option<Block>, StoreError> {
        match self.stored(height)? {
            None => Ok(None),
            Some(Stored::Full(block)) => Ok(Some(block)),
            Some(Stored::Pruned(_)) => Err(StoreError::Pruned { path: self.path.clone(), height }),
        }
    }

    /// The encoding of a stored block with its bids, for whoever sends it on; none above the tip.
    ///
    /// # Errors
    /// As [`Store::block`].
    pub fn block_bytes(&self, height: u64) -> Result<Option<Vec<u8>>, StoreError> {
        match self.resolve(height)? {
            None => Ok(None),
            Some((Form::Full, bytes)) => Ok(Some(bytes)),
            Some((Form::Pruned, _)) => Err(StoreError::Pruned { path: self.path.clone(), height }),
        }
    }

    /// All blocks from the genesis on, read one at a time; a pruned one is an error.
    pub fn blocks(&self) -> impl Iterator<Item = Result<Block, StoreError>> + '_ {
        let count = self.tip.map_or(0, |tip| tip.height.saturating_add(1));
        (0..count).filter_map(|height| self.block(height).transpose())
    }

    /// Form and bytes of a block that should be there.
    pub(crate) fn resolve(&self, height: u64) -> Result<Option<(Form, Vec<u8>)>, StoreError> {
        if self.tip.is_none_or(|tip| height > tip.height) {
            return Ok(None);
        }
        let record = self.database.get(&block_key(height))?;
        let record = record.ok_or_else(|| self.damaged(height, "it is missing".into()))?;
        let resolved = self.bodies.resolve(height, &record)?;
        Ok(Some(resolved.map_err(|why| self.damaged(height, why))?))
    }

    fn header_hash(&self, height: u64) -> Result<Hash, StoreError> {
        match self.stored(height)? {
            Some(stored) => Ok(stored.header().hash()),
            None => Err(self.damaged(height, "it is missing".into())),
        }
    }

    pub(crate) fn damaged(&self, height: u64, why: String) -> StoreError {
        StoreError::DamagedBlock { path: self.path.clone(), height, why }
    }
}
