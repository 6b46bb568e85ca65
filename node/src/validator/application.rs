//! The validator's core as the engine calls it, with a wake-up for the rest of the process.

use super::journal::FileJournal;
use super::parts::lock;
use super::watch::Watch;
use rand_core::OsRng;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use veilgrid_client::follower::Accepted;
use veilgrid_engine::{Application, ApplicationError, GossipWork, Proposal};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::hash::Hash;
use veilgrid_roles::core::{CoreError, ValidatorCore};
use veilgrid_roles::replica::{self, CheckedGossip, GossipClass};

/// The core of a validator with its files.
pub(super) type Core = ValidatorCore<FileJournal, OsRng>;

/// Messages that were checked without the lock, each with its sender's consensus key.
type CheckedBySender = Vec<([u8; 32], CheckedGossip)>;

/// What stands behind the engine.
pub(super) struct NodeApplication {
    pub(super) core: Core,
    /// Tells of every final height; the rest of the process reads what happened from the core then.
    height: watch::Sender<u64>,
    pub(super) watch: Watch,
    /// The last height that has a certificate of its own, since the start.
    certified_height: Option<u64>,
    /// Gossip that was checked outside of the engine's mutex, with its sender.
    checked: Arc<Mutex<CheckedBySender>>,
}

impl NodeApplication {
    pub(super) fn new(core: Core, watch: Watch) -> Self {
        let height = watch::Sender::new(core.height());
        Self { core, height, watch, certified_height: None, checked: Arc::default() }
    }

    pub(super) fn certified_height(&self) -> Option<u64> {
        self.certified_height
    }

    fn note_certificate(&mut self, height: u64) {
        self.certified_height = self.certified_height.max(Some(height));
    }

    /// Applies a certified block that this process's follower has executed; durable when it returns.
    ///
    /// # Errors
    /// Why the validator stops.
    pub(super) fn finalise_accepted(&mut self, accepted: Accepted) -> Result<(), CoreError> {
        let Accepted { block, certificate, effects, state } = accepted;
        let (certificate, effects) = (certificate.as_deref(), Arc::unwrap_or_clone(effects));
        self.core.finalise_executed(&block, certificate, state, effects)?;
        self.finalised(&block, certificate);
        Ok(())
    }

    /// Tells the rest of the process of the block that was just applied.
    fn finalised(&mut self, block: &Block, certificate: Option<&[u8]>) {
        self.watch.finalised();
        if let Some(certificate) = certificate {
            self.watch.certified(self.core.state(), &block.header, certificate);
            self.note_certificate(block.header.height);
        }
        self.height.send_replace(self.core.height());
    }

    pub(super) fn heights(&self) -> watch::Receiver<u64> {
        self.height.subscribe()
    }
}

impl Application for NodeApplication {
    fn genesis(&self) -> Block {
        self.core.genesis()
    }

    fn height(&self) -> u64 {
        self.core.height()
    }

    fn knows(&self, block: &Hash) -> bool {
        self.core.knows(block)
    }

    fn learn(&mut self, block: &Block) -> Result<(), ApplicationError> {
        Ok(self.core.learn(block)?)
    }

    fn propose(&mut self, parent: &Hash, now_unix_ms: u64) -> Proposal {
        match self.core.propose(parent, now_unix_ms) {
            replica::Proposal::Block(block) => Proposal::Block(block),
            replica::Proposal::Wait { ms } => Proposal::Wait { ms },
        }
    }

    fn check(&mut self, block: &Block, now_unix_ms: u64) -> Result<(), ApplicationError> {
        let checked = self.core.check(block, now_unix_ms);
        if let Err(error) = &checked {
            let why = error.to_string();
            tracing::warn!(height = block.header.height, why, "a proposed block gets no vote");
        }
        Ok(checked?)
    }

    fn proposed(&mut self, proposer: &[u8; 32], block_unix_ms: u64, now_unix_ms: u64) {
        self.watch.proposed(*proposer, block_unix_ms, now_unix_ms);
    }

    fn finalise(&mut self, block: &Block, certificate: Option<&[u8]>) -> Result<(), ApplicationError> {
        self.core.finalise(block, certificate)?;
        self.finalised(block, certificate);
        Ok(())
    }

    fn certified(&mut self, height: u64, certificate: &[u8]) {
        self.core.certified(height, certificate);
        self.note_certificate(height);
    }

    fn is_urgent(&self) -> fn(&[u8]) -> bool {
        |message| GossipClass::of(message) == GossipClass::Urgent
    }

    fn receive(&mut self, from: &[u8; 32], message: &[u8]) -> Option<GossipWork> {
        let job = self.core.begin(from, message)?;
        let (from, checked) = (*from, Arc::clone(&self.checked));
        Some(Box::pin(async move {
            let outcome = job.run();
            lock(&checked).push((from, outcome));
        }))
    }

    fn settle(&mut self) {
        let checked = std::mem::take(&mut *lock(&self.checked));
        checked.into_iter().for_each(|(from, checked)| self.core.conclude(&from, checked));
    }

    fn take_gossip(&mut self) -> Vec<Vec<u8>> {
        self.core.take_gossip()
    }

    fn consensus_keys(&self, epoch: u64) -> Option<Vec<[u8; 32]>> {
        self.core.consensus_keys(epoch)
    }
}
