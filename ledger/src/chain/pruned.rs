//! Blocks without the bodies of their bids: what is kept after the audit window.
//!
//! The body hash is made of digests, so that a pruned block is still named by its header, and its certificate covers
//! it. Its bids are only digests: a round can't be recomputed from them, receipts can still be looked up.

use crate::block::{Block, BlockHeader, MAX_BLOCK_BYTES, hash_of_digests};
use crate::hash::Hash;
use crate::refusal::BlockFault;
use crate::transaction::{DecodeContext, Transaction, bids_digest};
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::wire::{Reader, WireError, Writer};

/// A transaction of a pruned block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrunedTransaction {
    /// As it was.
    Full(Transaction),
    /// Bids by their digests.
    Bids {
        /// The round.
        round_id: u64,
        /// [`SealedBid::digest`] of each bid, in order.
        bid_digests: Vec<Hash>,
    },
}

/// A block whose bids are replaced by their digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrunedBlock {
    /// The block's header, unchanged.
    pub header: BlockHeader,
    /// The transactions in order.
    pub transactions: Vec<PrunedTransaction>,
}

const FULL: u8 = 0;
const BIDS: u8 = 1;

impl PrunedTransaction {
    /// [`Transaction::digest`] of the transaction before it was pruned.
    pub fn digest(&self) -> Hash {
        match self {
            Self::Full(transaction) => transaction.digest(),
            Self::Bids { round_id, bid_digests } => bids_digest(*round_id, bid_digests.iter().copied()),
        }
    }
}

impl PrunedBlock {
    /// Takes the bodies of the bids out of a block.
    pub fn of(block: Block) -> Self {
        let prune = |transaction| match transaction {
            Transaction::Bids { round_id, bids } => PrunedTransaction::Bids {
                round_id,
                bid_digests: bids.iter().map(SealedBid::digest).collect(),
            },
            other => PrunedTransaction::Full(other),
        };
        Self { header: block.header, transactions: block.transactions.into_iter().map(prune).collect() }
    }

    /// The block's hash, that of the block before it was pruned.
    pub fn hash(&self) -> Hash {
        self.header.hash()
    }

    /// Checks that the body hash names these transactions.
    ///
    /// # Errors
    /// [`BlockFault::Body`].
    pub fn check_body(&self) -> Result<(), BlockFault> {
        let named = hash_of_digests(self.transactions.iter().map(PrunedTransaction::digest));
        if named == self.header.body_hash { Ok(()) } else { Err(BlockFault::Body) }
    }

    /// Canonical encoding: header, number of transactions, each with its tag.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.header.write(&mut w);
        w.length(self.transactions.len());
        for transaction in &self.transactions {
            match transaction {
                PrunedTransaction::Full(full) => {
                    w.u8(FULL).blob(&full.to_bytes());
                }
                PrunedTransaction::Bids { round_id, bid_digests } => {
                    w.u8(BIDS).u64(*round_id).length(bid_digests.len()).bytes(bid_digests.as_flattened());
                }
            }
        }
        w.finish()
    }

    /// Decodes a pruned block. Whether its body hash holds is checked by [`PrunedBlock::check_body`].
    ///
    /// # Errors
    /// Anything that is not the one canonical encoding, and a block without bids: it has nothing to prune, so that it
    /// has one form.
    pub fn from_bytes(bytes: &[u8], context: &DecodeContext) -> Result<Self, WireError> {
        if bytes.len() > MAX_BLOCK_BYTES {
            let (length, bound) = (bytes.len() as u64, MAX_BLOCK_BYTES as u64);
            return Err(WireError::TooLong { field: "pruned block", length, bound });
        }
        let mut r = Reader::new(bytes);
        let header = BlockHeader::read(&mut r)?;
        let count = r.length("transactions", bytes.len(), 5)?;
        let transactions: Vec<_> =
            (0..count).map(|_| read_transaction(&mut r, context)).collect::<Result<_, WireError>>()?;
        r.finish()?;
        if !transactions.iter().any(|transaction| matches!(transaction, PrunedTransaction::Bids { .. })) {
            let why = "a block without bids is never pruned";
            return Err(WireError::Invalid { field: "pruned block", why });
        }
        Ok(Self { header, transactions })
    }
}

fn read_transaction(r: &mut Reader<'_>, context: &DecodeContext) -> Result<PrunedTransaction, WireError> {
    match r.u8("tag of a pruned transaction")? {
        FULL => {
            let full = Transaction::from_bytes(r.blob("transaction", r.remaining())?, context)?;
            if matches!(full, Transaction::Bids { .. }) {
                let why = "bids of a pruned block are digests";
                return Err(WireError::Invalid { field: "tag of a pruned transaction", why });
            }
            Ok(PrunedTransaction::Full(full))
        }
        BIDS => {
            let round_id = r.u64("round id")?;
            let count = r.length("bid digests", r.remaining(), 32)?;
            let bid_digests = (0..count).map(|_| r.array("bid digest")).collect::<Result<_, _>>()?;
            Ok(PrunedTransaction::Bids { round_id, bid_digests })
        }
        _ => {
            let why = "no such tag";
            Err(WireError::Invalid { field: "tag of a pruned transaction", why })
        }
    }
}
