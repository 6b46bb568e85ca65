//! Bids go when their audit window is over; their digests stay, and with them every hash.

use crate::error::StoreError;
use crate::layout::{KEY_PRUNED, block_key, insert_checkpoint, read_checkpoint};
use crate::record::{Form, Stored, decode};
use crate::store::Store;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::export::MAX_CHECKPOINT_BYTES;
use veilgrid_ledger::pruned::PrunedBlock;
use veilgrid_ledger::transaction::Transaction;

/// Blocks between two flushes: what a crash makes do again, and how many files wait to be removed.
const BLOCKS_A_FLUSH: usize = 64;

/// What [`Store::prune_bodies`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruning {
    /// Blocks that had bids.
    pub blocks: u64,
    /// By how many bytes the encoded ledger has become smaller.
    pub freed_bytes: u64,
}

impl Store {
    /// Replaces the bids of blocks up to a height by their digests, where `may_prune` allows it
    /// ([`State::may_prune`](veilgrid_ledger::state::State::may_prune)). Certificates and everything else stay, and so
    /// does every block's hash. A height above the tip means the tip.
    ///
    /// `checkpoint` is the encoded checkpoint with which a replay gets past the pruned blocks; it replaces the one
    /// before and is on disk before the first bid goes. A crash at any moment leaves each block whole or pruned;
    /// calling this again goes on.
    ///
    /// # Errors
    /// [`StoreError::Empty`], [`StoreError::Checkpoint`], [`StoreError::Halted`], [`StoreError::DiskFull`],
    /// [`StoreError::Io`], [`StoreError::DamagedBlock`].
    pub fn prune_bodies(
        &mut self,
        up_to_height: u64,
        checkpoint: &[u8],
        may_prune: impl Fn(&Block) -> bool,
    ) -> Result<Pruning, StoreError> {
        self.writable()?;
        let tip = self.tip().ok_or_else(|| StoreError::Empty { path: self.path.clone() })?;
        // It counts whole blocks, and may need the bids of some.
        self.forget_saved()?;
        self.put_checkpoint(checkpoint)?;
        let first = self.pruned_up_to.map_or(0, |height| height.saturating_add(1));
        let last = up_to_height.min(tip.height);
        let mut done = Pruning::default();
        let (mut replaced, mut complete) = (Vec::new(), true);
        for height in first..=last {
            match self.prune_block(height, &may_prune)? {
                Step::Pruned { freed_bytes } => {
                    replaced.push(height);
                    done.blocks += 1;
                    done.freed_bytes += freed_bytes;
                }
                Step::WithoutBids => {}
                Step::Kept => complete = false,
            }
            if height == last || replaced.len() == BLOCKS_A_FLUSH {
                self.finish_pruning(complete.then_some(height), &mut replaced)?;
            }
        }
        self.flush()?;
        Ok(done)
    }

    /// The checkpoint of the last pruning; none on a ledger that was never pruned.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when its digest does not hold, [`StoreError::Io`].
    pub fn checkpoint(&self) -> Result<Option<Vec<u8>>, StoreError> {
        read_checkpoint(&self.database, &self.path)
    }

    /// Stores a checkpoint. It is on disk before anything that is written later.
    pub(crate) fn put_checkpoint(&mut self, checkpoint: &[u8]) -> Result<(), StoreError> {
        let bytes = checkpoint.len();
        if bytes > MAX_CHECKPOINT_BYTES {
            return Err(StoreError::Checkpoint { bytes });
        }
        let mut batch = sled::Batch::default();
        insert_checkpoint(&mut batch, checkpoint);
        let applied = self.database.apply(batch);
        self.halt_on_error(applied)?;
        self.unflushed = true;
        Ok(())
    }

    /// Writes the pruned form of a block that has bids.
    fn prune_block(&mut self, height: u64, may_prune: impl Fn(&Block) -> bool) -> Result<Step, StoreError> {
        let Some((Form::Full, bytes)) = self.resolve(height)? else { return Ok(Step::WithoutBids) };
        let context = self.context_of(height);
        let full = decode(Form::Full, &bytes, &context).map_err(|why| self.damaged(height, why))?;
        let Stored::Full(block) = &full else { return Ok(Step::WithoutBids) };
        if !block.transactions.iter().any(|transaction| matches!(transaction, Transaction::Bids { .. })) {
            return Ok(Step::WithoutBids);
        }
        if !may_prune(block) {
            return Ok(Step::Kept);
        }
        let pruned = PrunedBlock::of(block.clone()).to_bytes();
        let written = self.bodies.put(height, Form::Pruned, &pruned).and_then(|record| {
            let mut batch = sled::Batch::default();
            batch.insert(block_key(height).as_slice(), record);
            self.database.apply(batch)
        });
        self.halt_on_error(written)?;
        self.unflushed = true;
        self.usage.prune_block(&full, bytes.len(), pruned.len());
        Ok(Step::Pruned { freed_bytes: (bytes.len() as u64).saturating_sub(pruned.len() as u64) })
    }

    /// Brings pruned blocks to the disk, and removes the files of the whole ones only then. `up_to` is set when no bid
    /// is left below it.
    fn finish_pruning(&mut self, up_to: Option<u64>, replaced: &mut Vec<u64>) -> Result<(), StoreError> {
        if let Some(height) = up_to {
            let mut batch = sled::Batch::default();
            batch.insert(KEY_PRUNED, &height.to_be_bytes());
            let applied = self.database.apply(batch);
            self.halt_on_error(applied)?;
            self.unflushed = true;
        }
        self.flush()?;
        self.pruned_up_to = up_to.or(self.pruned_up_to);
        replaced.drain(..).try_for_each(|height| self.bodies.remove(height, Form::Full))
    }
}

/// What became of a block.
enum Step {
    Pruned { freed_bytes: u64 },
    WithoutBids,
    Kept,
}
