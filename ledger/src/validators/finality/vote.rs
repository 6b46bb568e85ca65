//! What a validator signs, and how it is written down.

use super::keys::ConsensusKeyBytes;
use crate::hash::Hash;

/// Separates these signatures from those of any other program, and of other purposes of this one.
const NAMESPACE: &[u8] = b"veilgrid-engine/1/consensus/";
/// The purpose: a vote that a block is final.
const PURPOSE: &[u8] = b"_FINALIZE";

/// What is voted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ballot {
    /// The ledger.
    pub ledger_id: Hash,
    /// The engine's epoch: height divided by the epoch's length in blocks.
    pub epoch: u64,
    /// The view in which the block was proposed.
    pub view: u64,
    /// The view of its parent.
    pub parent_view: u64,
    /// The block.
    pub block_hash: Hash,
}

/// A validator's signature on a ballot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vote {
    /// Who.
    pub validator: ConsensusKeyBytes,
    /// The signature.
    pub signature: [u8; 64],
}

impl Ballot {
    /// The first line of a certificate: epoch, view, parent's view, block hash.
    pub(super) fn line(&self) -> Vec<u8> {
        let mut line = Vec::with_capacity(64);
        for number in [self.epoch, self.view, self.parent_view] {
            put_varint(&mut line, number);
        }
        line.extend(self.block_hash);
        line
    }

    /// The bytes that are signed: ledger and purpose, and the first line.
    pub(super) fn message(&self) -> Vec<u8> {
        let name = [NAMESPACE, &self.ledger_id, PURPOSE].concat();
        let mut message = Vec::with_capacity(160);
        put_varint(&mut message, name.len() as u64);
        message.extend(name);
        message.extend(self.line());
        message
    }
}

/// LEB128.
pub(super) fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}
