//! The rules by which a follower accepts blocks.

use super::error::FollowerError;
use super::evidence::{CertifiedHeader, ForkEvidence};
use std::sync::Arc;
use thiserror::Error;
use veilgrid_api::CertifiedBlock;
use veilgrid_crypto::wire::WireError;
use veilgrid_ledger::audit::CertificateCheck;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::refusal::BlockFault;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::BlockEffects;
use veilgrid_ledger::verdicts::BidVerdicts;

/// A run of blocks that no honest validator sends.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SourceFault {
    /// "Blocks have the canonical encoding."
    #[error("block {height} can't be decoded: {source}")]
    Malformed {
        /// The height that was expected there.
        height: u64,
        /// Why.
        source: WireError,
    },
    /// "A run is the blocks that were asked for, without a hole."
    #[error("block {found} where block {expected} was due: the run has a hole")]
    Hole {
        /// Height found.
        found: u64,
        /// Height due.
        expected: u64,
    },
    /// "Each block names the one before it."
    #[error("block {height} does not name the block before it as its parent")]
    Parent {
        /// The block.
        height: u64,
    },
    /// "A block's header names its transactions."
    #[error("block {height}: {fault}")]
    Body {
        /// The block.
        height: u64,
        /// Why.
        fault: BlockFault,
    },
    /// "A certificate is one of the validators of the block's epoch."
    #[error("the certificate of block {height} is false: {why}")]
    Certificate {
        /// The block.
        height: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The run contradicts what is certified and has no certificate of its own.
    #[error("block {height} belongs to another chain and has no certificate")]
    OtherChain {
        /// Its first block that differs.
        height: u64,
    },
}

/// A block that was accepted and executed.
#[derive(Clone)]
pub struct Accepted {
    /// The block.
    pub block: Arc<Block>,
    /// Its certificate; none when only a later block's certificate covers it.
    pub certificate: Option<Arc<[u8]>>,
    /// What it did.
    pub effects: Arc<BlockEffects>,
    /// The state after it.
    pub state: State,
}

/// What became of a run.
#[derive(Default)]
pub struct Taken {
    /// Accepted blocks in order.
    pub accepted: Vec<Accepted>,
    /// Blocks at the end of the run that no certificate covers yet.
    pub uncovered: usize,
    /// What the source did wrong, if it did. What was accepted before stands.
    pub fault: Option<SourceFault>,
}

/// The certified chain up to some height.
pub struct Chain<C> {
    state: State,
    tip: Arc<Block>,
    tip_certificate: Option<Arc<[u8]>>,
    certificates: C,
    epoch_blocks: u64,
}

/// A block of a run, decoded.
struct Link {
    block: Arc<Block>,
    certificate: Option<Vec<u8>>,
}

impl<C: CertificateCheck + 'static> Chain<C> {
    /// A chain that ends with `tip`, after which the state is `state`.
    pub fn new(state: State, tip: Arc<Block>, tip_certificate: Option<Arc<[u8]>>, certificates: C) -> Self {
        let epoch_blocks = state.timing().epoch_blocks.max(1);
        Self { state, tip, tip_certificate, certificates, epoch_blocks }
    }

    /// The state after the last accepted block.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Takes a run that begins with the last accepted block or the one after it.
    ///
    /// # Errors
    /// [`FollowerError::Fork`] when a certified block excludes an accepted one, and
    /// [`FollowerError::CertifiedButRefused`] when a certified block breaks a rule. Both are final.
    pub fn take(
        &mut self,
        run: &[CertifiedBlock],
        verdicts: &mut dyn BidVerdicts,
    ) -> Result<Taken, FollowerError> {
        let (links, fault) = self.decode(run);
        let mut taken = Taken { fault, ..Taken::default() };
        let Some(first) = links.first() else { return Ok(taken) };
        // The block at the tip's own height only shows whether source and follower agree.
        let overlap = first.block.header.height == self.tip.header.height;
        let agrees = match overlap {
            true => first.block.hash() == self.tip.hash(),
            false => first.block.header.parent_hash == self.tip.hash(),
        };
        if !agrees {
            return self.judge_other_chain(&links);
        }
        let mut rest = links.get(usize::from(overlap)..).unwrap_or_default();
        loop {
            match self.next_covered(rest) {
                Ok(Some(count)) => {
                    let (covered, later) = rest.split_at(count);
                    self.execute(covered, verdicts, &mut taken.accepted)?;
                    rest = later;
                }
                Ok(None) => break,
                Err(fault) => {
                    taken.fault = Some(fault);
                    break;
                }
            }
        }
        taken.uncovered = rest.len();
        Ok(taken)
    }

    /// Decodes a run and checks what holds without any key; blocks before the first fault are returned.
    fn decode(&self, run: &[CertifiedBlock]) -> (Vec<Link>, Option<SourceFault>) {
        let mut links: Vec<Link> = Vec::with_capacity(run.len());
        for fetched in run {
            match self.decode_one(fetched, links.last()) {
                Ok(link) => links.push(link),
                Err(fault) => return (links, Some(fault)),
            }
        }
        (links, None)
    }

    fn decode_one(&self, fetched: &CertifiedBlock, before: Option<&Link>) -> Result<Link, SourceFault> {
        let tip = self.tip.header.height;
        let height = before.map_or(tip, |link| link.block.header.height).saturating_add(1);
        let context = self.state.community().decode_context();
        let block = Block::from_bytes(&fetched.block, &context)
            .map_err(|source| SourceFault::Malformed { height, source })?;
        let found = block.header.height;
        let begins_at_tip = before.is_none() && found == tip;
        if found != height && !begins_at_tip {
            return Err(SourceFault::Hole { found, expected: height });
        }
        if before.is_some_and(|link| link.block.hash() != block.header.parent_hash) {
            return Err(SourceFault::Parent { height });
        }
        block.check_body().map_err(|fault| SourceFault::Body { height: found, fault })?;
        Ok(Link { block: Arc::new(block), certificate: fetched.certificate.clone() })
    }

    /// How many of `links` the first usable certificate covers. Only validators that the *accepted* chain names count:
    /// blocks that are not certified yet must not choose who certifies them.
    fn next_covered(&self, links: &[Link]) -> Result<Option<usize>, SourceFault> {
        for (index, link) in links.iter().enumerate() {
            match self.certified(link) {
                None => {}
                Some(Ok(())) => return Ok(Some(index.saturating_add(1))),
                Some(Err(why)) => {
                    return Err(SourceFault::Certificate { height: link.block.header.height, why });
                }
            }
        }
        Ok(None)
    }

    /// The verdict on a link's certificate; none when it has none or its epoch's validators are not known yet.
    fn certified(&self, link: &Link) -> Option<Result<(), String>> {
        let certificate = link.certificate.as_deref()?;
        let epoch = link.block.header.height.checked_div(self.epoch_blocks)?;
        let validators = self.state.consensus_keys(epoch)?;
        let ledger_id = self.state.community().ledger_id();
        Some(self.certificates.check(&ledger_id, epoch, &validators, &link.block.hash(), certificate))
    }

    fn execute(
        &mut self,
        links: &[Link],
        verdicts: &mut dyn BidVerdicts,
        accepted: &mut Vec<Accepted>,
    ) -> Result<(), FollowerError> {
        for link in links {
            let height = link.block.header.height;
            let effects = self
                .state
                .apply_block(&link.block, verdicts)
                .map_err(|error| FollowerError::CertifiedButRefused { height, error: Box::new(error) })?;
            self.tip = Arc::clone(&link.block);
            self.tip_certificate = link.certificate.as_deref().map(Arc::from);
            accepted.push(Accepted {
                block: Arc::clone(&link.block),
                certificate: self.tip_certificate.clone(),
                effects: Arc::new(effects),
                state: self.state.clone(),
            });
        }
        Ok(())
    }

    /// A run that contradicts the accepted chain: the source's lie, or, with a certificate, everybody's problem.
    fn judge_other_chain(&self, links: &[Link]) -> Result<Taken, FollowerError> {
        let certified =
            links.iter().position(|link| self.certified(link).is_some_and(|verdict| verdict.is_ok()));
        if let Some(last) = certified {
            let theirs = links.iter().take(last.saturating_add(1));
            return Err(FollowerError::Fork(Box::new(ForkEvidence {
                ledger_id: self.state.community().ledger_id(),
                ours: CertifiedHeader::of(&self.tip, self.tip_certificate.as_deref()),
                theirs: theirs
                    .map(|link| CertifiedHeader::of(&link.block, link.certificate.as_deref()))
                    .collect(),
            })));
        }
        let height = links.first().map_or(0, |link| link.block.header.height);
        Ok(Taken { fault: Some(SourceFault::OtherChain { height }), ..Taken::default() })
    }
}
