//! Blocks: a header of fixed size that links to the parent, and the transactions that its body hash names.

use crate::hash::{Hash, hash};
use crate::refusal::BlockFault;
use crate::transaction::{DecodeContext, Transaction, TransactionKind, bids_digest};
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::labels;
use veilgrid_crypto::wire::{Reader, WireError, Writer};

/// Bytes of an encoded header.
pub const HEADER_BYTES: usize = 8 + 32 + 8 + 32 + 32;

/// Most bytes of an encoded block; builders stay below it, readers refuse more.
pub const MAX_BLOCK_BYTES: usize = 256 << 20;

/// What a block's hash covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockHeader {
    /// Distance from the genesis block, which has height 0.
    pub height: u64,
    /// Hash of the parent's header; zero in the genesis block.
    pub parent_hash: Hash,
    /// Block time, milliseconds since 1970 UTC, never before the parent's. The only clock of the ledger.
    pub time_unix_ms: u64,
    /// State root after the *parent* block, so that a certificate over this header covers a state whose block was
    /// final before; zero in the genesis block.
    pub prior_state_root: Hash,
    /// Digest over the transactions' digests.
    pub body_hash: Hash,
}

impl BlockHeader {
    /// The block's hash.
    pub fn hash(&self) -> Hash {
        let mut w = Writer::new();
        self.write(&mut w);
        hash(labels::LEDGER_BLOCK, &[&w.finish()])
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.u64(self.height).bytes(&self.parent_hash).u64(self.time_unix_ms);
        w.bytes(&self.prior_state_root).bytes(&self.body_hash);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            height: r.u64("block height")?,
            parent_hash: r.array("parent hash")?,
            time_unix_ms: r.u64("block time")?,
            prior_state_root: r.array("prior state root")?,
            body_hash: r.array("body hash")?,
        })
    }
}

/// A block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The header.
    pub header: BlockHeader,
    /// The transactions in the order of their execution.
    pub transactions: Vec<Transaction>,
}

impl Block {
    /// A block over `transactions` with the body hash filled in.
    pub fn new(
        height: u64,
        parent_hash: Hash,
        time_unix_ms: u64,
        prior_state_root: Hash,
        transactions: Vec<Transaction>,
    ) -> Self {
        let body_hash = hash_of_digests(transactions.iter().map(Transaction::digest));
        Self {
            header: BlockHeader { height, parent_hash, time_unix_ms, prior_state_root, body_hash },
            transactions,
        }
    }

    /// The block's hash.
    pub fn hash(&self) -> Hash {
        self.header.hash()
    }

    /// Checks that the body hash names these transactions and that the block fits [`MAX_BLOCK_BYTES`].
    ///
    /// # Errors
    /// [`BlockFault::Body`] or [`BlockFault::TooLarge`].
    pub fn check_body(&self) -> Result<(), BlockFault> {
        self.check_body_within(MAX_BLOCK_BYTES)
    }

    fn check_body_within(&self, bound: usize) -> Result<(), BlockFault> {
        // "The body hash names the transactions."
        if self.header.body_hash != hash_of_digests(self.transactions.iter().map(Transaction::digest)) {
            return Err(BlockFault::Body);
        }
        // "A block fits the bound."
        let bytes = HEADER_BYTES + encode_body(&self.transactions).len();
        if bytes > bound {
            return Err(BlockFault::TooLarge { bytes, bound });
        }
        Ok(())
    }

    /// Canonical encoding: header, then body.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.header.write(&mut w);
        w.bytes(&encode_body(&self.transactions));
        w.finish()
    }

    /// Decodes a block. Whether the body hash holds is a rule of the state machine
    /// ([`State::apply_block`](crate::state::State::apply_block)), which names the block.
    ///
    /// # Errors
    /// Anything that is not the one canonical encoding.
    pub fn from_bytes(bytes: &[u8], context: &DecodeContext) -> Result<Self, WireError> {
        if bytes.len() > MAX_BLOCK_BYTES {
            let (length, bound) = (bytes.len() as u64, MAX_BLOCK_BYTES as u64);
            return Err(WireError::TooLong { field: "block", length, bound });
        }
        let (header, body) = split(bytes)?;
        let mut r = Reader::new(body);
        let count = r.length("transactions", body.len(), 5)?;
        let transactions = (0..count)
            .map(|_| Transaction::from_bytes(r.blob("transaction", r.remaining())?, context))
            .collect::<Result<_, _>>()?;
        r.finish()?;
        Ok(Self { header, transactions })
    }
}

/// Splits an encoded block into its header and the bytes of its body, which [`body_hash`] names: enough to check a
/// chain of hashes without decoding one transaction.
pub fn split(bytes: &[u8]) -> Result<(BlockHeader, &[u8]), WireError> {
    let mut r = Reader::new(bytes);
    let header = BlockHeader::read(&mut r)?;
    let body = r.bytes("block body", r.remaining())?;
    Ok((header, body))
}

/// The body hash of an encoded body, from its bytes alone; none for bytes that are no body.
///
/// Only bids need a look inside, and all bids of a transaction have one length.
pub fn body_hash(body: &[u8]) -> Option<Hash> {
    let mut r = Reader::new(body);
    let count = r.length("transactions", body.len(), 5).ok()?;
    let digests: Vec<Hash> =
        (0..count).map(|_| digest_of(r.blob("transaction", r.remaining()).ok()?)).collect::<Option<_>>()?;
    r.finish().ok()?;
    Some(hash_of_digests(digests.into_iter()))
}

/// [`Transaction::digest`] of an encoded transaction.
fn digest_of(transaction: &[u8]) -> Option<Hash> {
    let mut r = Reader::new(transaction);
    if r.u8("transaction kind").ok()? != TransactionKind::Bids as u8 {
        return Some(hash(labels::LEDGER_TRANSACTION, &[transaction]));
    }
    let round_id = r.u64("round id").ok()?;
    let count = r.length("bids", transaction.len(), 1).ok()?;
    let bids = r.bytes("bids", r.remaining()).ok()?;
    if count == 0 {
        return bids.is_empty().then(|| bids_digest(round_id, core::iter::empty()));
    }
    let whole = bids.len().is_multiple_of(count);
    whole.then(|| bids_digest(round_id, bids.chunks_exact(bids.len() / count).map(SealedBid::digest_of)))
}

pub(crate) fn hash_of_digests(digests: impl Iterator<Item = Hash>) -> Hash {
    let digests: Vec<Hash> = digests.collect();
    hash(labels::LEDGER_BODY, &[digests.as_flattened()])
}

fn encode_body(transactions: &[Transaction]) -> Vec<u8> {
    let mut w = Writer::new();
    w.length(transactions.len());
    for transaction in transactions {
        w.blob(&transaction.to_bytes());
    }
    w.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> Block {
        Block::new(7, [1; 32], 8, [2; 32], vec![Transaction::CloseRound { round_id: 3 }])
    }

    #[test]
    fn each_field_of_the_header_changes_the_hash() {
        let original = block();
        let change = |f: fn(&mut BlockHeader)| {
            let mut header = original.header;
            f(&mut header);
            header.hash()
        };
        let hashes = [
            original.hash(),
            change(|h| h.height += 1),
            change(|h| h.parent_hash[31] ^= 1),
            change(|h| h.time_unix_ms += 1),
            change(|h| h.prior_state_root[0] ^= 1),
            change(|h| h.body_hash[0] ^= 1),
        ];
        let distinct: std::collections::BTreeSet<_> = hashes.iter().collect();
        assert_eq!(distinct.len(), hashes.len());
    }

    #[test]
    fn body_hash_names_the_transactions() {
        let mut changed = block();
        assert_eq!(changed.check_body(), Ok(()));
        changed.transactions[0] = Transaction::CloseRound { round_id: 4 };
        assert_eq!(changed.check_body(), Err(BlockFault::Body));
    }

    #[test]
    fn blocks_are_bounded() {
        let bytes = block().to_bytes().len();
        assert_eq!(block().check_body_within(bytes), Ok(()));
        let bound = bytes - 1;
        assert_eq!(block().check_body_within(bound), Err(BlockFault::TooLarge { bytes, bound }));
        let oversized = vec![0; MAX_BLOCK_BYTES + 1];
        let decoded = Block::from_bytes(&oversized, &DecodeContext::Genesis);
        assert!(matches!(decoded, Err(WireError::TooLong { field: "block", .. })));
    }

    #[test]
    fn split_returns_what_was_encoded() {
        let bytes = block().to_bytes();
        let (header, body) = split(&bytes).expect("split");
        assert_eq!(header, block().header);
        assert_eq!(Some(header.body_hash), body_hash(body));
        assert!(split(&bytes[..HEADER_BYTES - 1]).is_err());
    }
}
