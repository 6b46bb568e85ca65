//! The block as the engine moves it: a ledger block with its bytes and its hash.

use crate::keys::{Digest, digest};
use bytes::{BufMut, Bytes};
use commonware_codec::{Buf, EncodeSize, Error, RangeCfg, Read, Write};
use commonware_consensus::{BoundedBlock, Heightable, types::Height};
use commonware_cryptography::Digestible;
use std::sync::Arc;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::transaction::DecodeContext;

/// Largest length prefix of a block.
const PREFIX_BYTES: usize = 5;

/// What a reader has to know.
#[derive(Clone, Copy)]
pub(crate) struct BlockCodec {
    /// Most bytes of an encoded ledger block.
    pub max_bytes: usize,
    /// How transactions are framed.
    pub context: DecodeContext,
}

/// A block of the ledger. The bytes are kept because the engine writes each block several times: to the archive, to
/// peers, and to peers that catch up.
#[derive(Clone)]
pub(crate) struct EngineBlock {
    block: Arc<Block>,
    bytes: Bytes,
    hash: Hash,
}

impl EngineBlock {
    pub fn new(block: Block) -> Self {
        let bytes = Bytes::from(block.to_bytes());
        let hash = block.hash();
        Self { block: Arc::new(block), bytes, hash }
    }

    pub fn block(&self) -> &Block {
        &self.block
    }

    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Length of the ledger block in bytes.
    pub fn length(&self) -> usize {
        self.bytes.len()
    }

    pub fn number(&self) -> u64 {
        self.block.header.height
    }
}

impl std::fmt::Debug for EngineBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EngineBlock(height {}, {} bytes)", self.number(), self.bytes.len())
    }
}

impl PartialEq for EngineBlock {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

impl Eq for EngineBlock {}

impl Write for EngineBlock {
    fn write(&self, buffer: &mut impl BufMut) {
        self.bytes.write(buffer);
    }
}

impl EncodeSize for EngineBlock {
    fn encode_size(&self) -> usize {
        self.bytes.encode_size()
    }
}

impl Read for EngineBlock {
    type Cfg = BlockCodec;

    fn read_cfg(buffer: &mut impl Buf, codec: &BlockCodec) -> Result<Self, Error> {
        let bytes = Bytes::read_cfg(buffer, &RangeCfg::from(..=codec.max_bytes))?;
        // Block 0 frames its transactions differently from all others.
        let context = if is_genesis(&bytes) { &DecodeContext::Genesis } else { &codec.context };
        let block = Block::from_bytes(&bytes, context)
            .map_err(|_| Error::Invalid("block", "not the encoding of a ledger block"))?;
        // The engine trusts that equal digests are equal blocks, and the digest covers the header only: a body that
        // its header does not name must never come in.
        block.check_body().map_err(|_| Error::Invalid("block", "the header names another body"))?;
        let hash = block.hash();
        Ok(Self { block: Arc::new(block), bytes, hash })
    }
}

/// Whether the header says height 0.
fn is_genesis(bytes: &[u8]) -> bool {
    veilgrid_ledger::block::split(bytes).is_ok_and(|(header, _)| header.height == 0)
}

impl Digestible for EngineBlock {
    type Digest = Digest;

    fn digest(&self) -> Digest {
        digest(&self.hash)
    }
}

impl Heightable for EngineBlock {
    fn height(&self) -> Height {
        Height::new(self.number())
    }
}

impl commonware_consensus::Block for EngineBlock {
    fn parent(&self) -> Digest {
        digest(&self.block.header.parent_hash)
    }
}

impl BoundedBlock for EngineBlock {
    fn max_encode_size(codec: &BlockCodec) -> usize {
        PREFIX_BYTES + codec.max_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use commonware_codec::{Copying, Decode as _, Encode as _};
    use veilgrid_ledger::transaction::Transaction;

    fn codec(max_bytes: usize) -> BlockCodec {
        use veilgrid_crypto::bid::BidShape;
        let shape = BidShape { steps: 4, bits: 16, money: false };
        let context = DecodeContext::Rounds { shape, max_bids: 8 };
        BlockCodec { max_bytes, context }
    }

    fn block() -> EngineBlock {
        let transactions = vec![Transaction::CloseRound { round_id: 3 }];
        EngineBlock::new(Block::new(7, [1; 32], 8, [2; 32], transactions))
    }

    #[test]
    fn a_block_survives_its_encoding() {
        let original = block();
        let bytes = original.encode();
        let codec = codec(original.length());
        let decoded = EngineBlock::decode_cfg(bytes.clone(), &codec).expect("decodes");
        assert_eq!(decoded.block(), original.block());
        assert_eq!(decoded.digest().as_ref(), original.block().hash());
        assert_eq!(decoded.height().get(), 7);
        assert!(bytes.len() <= EngineBlock::max_encode_size(&codec));
    }

    #[test]
    fn blocks_above_the_bound_are_refused() {
        let original = block();
        let decoded = EngineBlock::decode_cfg(original.encode(), &codec(original.length() - 1));
        assert!(decoded.is_err());
    }

    #[test]
    fn a_body_that_the_header_does_not_name_is_refused() {
        let mut other = block().block().clone();
        other.transactions = vec![Transaction::CloseRound { round_id: 4 }];
        let forged = EngineBlock::new(other);
        assert_eq!(forged.digest(), block().digest());
        assert!(EngineBlock::decode_cfg(forged.encode(), &codec(1 << 20)).is_err());
    }

    #[test]
    fn every_cut_and_every_flipped_byte_is_an_error_or_another_block() {
        let original = block();
        let bytes = original.encode().to_vec();
        for length in 0..bytes.len() {
            assert!(EngineBlock::decode_cfg(Copying(&bytes[..length]), &codec(1 << 20)).is_err());
        }
        for position in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[position] ^= 1;
            if let Ok(decoded) = EngineBlock::decode_cfg(flipped, &codec(1 << 20)) {
                assert_ne!(decoded.digest(), original.digest(), "byte {position}");
            }
        }
    }
}
