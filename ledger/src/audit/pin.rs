//! A block that the auditor knows already, from an earlier audit or from another source: everything up to it is fixed by
//! its hash.

use super::violation::{Violation, ViolationRule};
use crate::block::BlockHeader;
use crate::hash::{Hash, serialize_hex};
use serde::Serialize;

/// "At this height the ledger has this block", and with it all before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Pin {
    /// The block's height.
    pub height: u64,
    /// Its hash.
    #[serde(serialize_with = "serialize_hex")]
    pub block_hash: Hash,
}

impl Pin {
    /// Compares a block of the ledger with it, when it is the one of its height.
    pub(super) fn compare(&self, header: &BlockHeader) -> Result<(), Violation> {
        let (found, pinned) = (header.hash(), self.block_hash);
        if header.height == self.height && found != pinned {
            let rule = ViolationRule::PinnedBlock { found, pinned };
            return Err(Violation::of_height(self.height, rule));
        }
        Ok(())
    }

    /// Whether a ledger that ends at `last`, and is final up to `covered`, has it.
    pub(super) fn reached(&self, last: u64, covered: u64) -> Result<(), Violation> {
        let pinned = self.height;
        if pinned > last {
            return Err(Violation::of_ledger(ViolationRule::PinNotReached { pinned, last }));
        }
        if pinned > covered {
            return Err(Violation::of_height(pinned, ViolationRule::PinNotCovered { pinned, covered }));
        }
        Ok(())
    }
}
