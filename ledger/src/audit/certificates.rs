//! Which blocks of a ledger are final: those that a certificate of their validators covers.
//!
//! A certificate names a block by its hash and thereby all blocks before it. It covers them as far back as the same
//! validators were in force: those of a later epoch can't vouch for the blocks that made them validators. So the last
//! block before a change of the validators has a certificate of its own.

use super::violation::ViolationRule;
use crate::finality;
use crate::foresight::Foreseen;
use crate::hash::Hash;
use crate::state::State;
use serde::Serialize;
use std::sync::Arc;

/// Blocks at the end of a ledger that may be without a certificate still, because it was copied while it grew.
pub const MAX_UNCERTIFIED_TAIL: u64 = 16;

/// Verifies finalisation certificates: [`QuorumCertificates`], or a second verifier beside it in tests.
pub trait CertificateCheck: core::fmt::Debug + Send + Sync {
    /// Whether `certificate` shows that the block is final on this ledger. `validators` are the consensus keys of the
    /// block's epoch.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    fn check(
        &self,
        ledger_id: &Hash,
        epoch: u64,
        validators: &[[u8; 32]],
        block_hash: &Hash,
        certificate: &[u8],
    ) -> Result<(), String>;

    /// Whether all of these hold, each the hash of a block of this epoch with its certificate: exactly when
    /// [`Self::check`] accepts each of them. An implementation may only be faster.
    fn all_hold(
        &self,
        ledger_id: &Hash,
        epoch: u64,
        validators: &[[u8; 32]],
        certificates: &[(Hash, &[u8])],
    ) -> bool {
        let mut each = certificates.iter();
        each.all(|(block, bytes)| self.check(ledger_id, epoch, validators, block, bytes).is_ok())
    }
}

/// The certificates of [`crate::finality`].
#[derive(Debug, Clone, Copy, Default)]
pub struct QuorumCertificates;

impl CertificateCheck for QuorumCertificates {
    fn check(
        &self,
        ledger_id: &Hash,
        epoch: u64,
        validators: &[[u8; 32]],
        block_hash: &Hash,
        certificate: &[u8],
    ) -> Result<(), String> {
        let verdict = finality::verify(ledger_id, epoch, validators, block_hash, certificate);
        verdict.map_err(|fault| fault.to_string())
    }

    fn all_hold(
        &self,
        ledger_id: &Hash,
        epoch: u64,
        validators: &[[u8; 32]],
        certificates: &[(Hash, &[u8])],
    ) -> bool {
        finality::verify_all(ledger_id, epoch, validators, certificates)
    }
}

/// What was found about certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CertificateCounts {
    /// Always true: an audit checks them.
    pub checked: bool,
    /// Certificates that hold.
    pub certificates: u64,
    /// Blocks that they cover, the genesis block not counted.
    pub covered_blocks: u64,
    /// The last of them.
    pub covered_height: u64,
    /// Blocks after it, which are not final as far as this copy shows.
    pub uncertified_tail: u64,
}

impl Default for CertificateCounts {
    fn default() -> Self {
        Self { checked: true, certificates: 0, covered_blocks: 0, covered_height: 0, uncertified_tail: 0 }
    }
}

/// Follows the certificates of a ledger.
pub(super) struct Coverage {
    check: Arc<dyn CertificateCheck>,
    counts: CertificateCounts,
    waiting: Option<Waiting>,
}

/// Blocks of one set of validators that no certificate covers yet.
struct Waiting {
    blocks: u64,
    epoch: u64,
    last_height: u64,
    validators: Vec<[u8; 32]>,
}

impl Coverage {
    pub(super) fn new(check: Arc<dyn CertificateCheck>) -> Self {
        Self { check, counts: CertificateCounts::default(), waiting: None }
    }

    /// Takes the block that `state` was brought to, at any height but 0.
    pub(super) fn block(
        &mut self,
        state: &State,
        certificate: Option<&[u8]>,
        ahead: &Foreseen<'_>,
    ) -> Result<(), ViolationRule> {
        let (epoch, last_height) = (state.epoch(), state.height());
        let validators = state.roster().consensus_keys();
        let before = self.waiting.take();
        // "The last block of each set of validators is certified by them."
        if let Some(others) = before.as_ref().filter(|before| before.validators != validators) {
            let (epoch, height) = (others.epoch, others.last_height);
            return Err(ViolationRule::EpochNotCertified { epoch, height });
        }
        let blocks = before.map_or(0, |before| before.blocks) + 1;
        match certificate {
            None => self.waiting = Some(Waiting { blocks, epoch, last_height, validators }),
            Some(bytes) => {
                let ledger_id = state.community().ledger_id();
                // "Every certificate holds."
                if !ahead.certified(&ledger_id, epoch, &validators, &state.block_hash(), bytes) {
                    self.check
                        .check(&ledger_id, epoch, &validators, &state.block_hash(), bytes)
                        .map_err(|why| ViolationRule::Certificate { epoch, why })?;
                }
                self.counts.certificates += 1;
                self.counts.covered_blocks += blocks;
                self.counts.covered_height = last_height;
            }
        }
        Ok(())
    }

    /// Whether the block of this height is final.
    pub(super) fn covers(&self, height: u64) -> bool {
        self.counts.covered_height >= height
    }

    /// "All blocks but the last few are final."
    pub(super) fn finish(&self) -> Result<CertificateCounts, ViolationRule> {
        let mut counts = self.counts;
        counts.uncertified_tail = self.waiting.as_ref().map_or(0, |waiting| waiting.blocks);
        if counts.uncertified_tail > MAX_UNCERTIFIED_TAIL {
            let (from, blocks) = (counts.covered_height + 1, counts.uncertified_tail);
            return Err(ViolationRule::NotFinal { from, blocks });
        }
        Ok(counts)
    }
}
