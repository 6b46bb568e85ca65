//! An application around another that writes down what is applied.

use super::outcome::Applied;
use crate::application::{Application, ApplicationError, GossipWork, Proposal};
use std::sync::{Arc, Mutex, PoisonError};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::hash::Hash;

/// The blocks that a validator has applied, of all its lives.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<Applied>>>);

impl Log {
    pub fn copy(&self) -> Vec<Applied> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn push(&self, applied: Applied) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(applied);
    }
}

/// Forwards everything.
pub(super) struct Recorder {
    pub application: Box<dyn Application>,
    pub log: Log,
}

impl Application for Recorder {
    fn genesis(&self) -> Block {
        self.application.genesis()
    }

    fn height(&self) -> u64 {
        self.application.height()
    }

    fn knows(&self, block: &Hash) -> bool {
        self.application.knows(block)
    }

    fn learn(&mut self, block: &Block) -> Result<(), ApplicationError> {
        self.application.learn(block)
    }

    fn propose(&mut self, parent: &Hash, now_unix_ms: u64) -> Proposal {
        self.application.propose(parent, now_unix_ms)
    }

    fn check(&mut self, block: &Block, now_unix_ms: u64) -> Result<(), ApplicationError> {
        self.application.check(block, now_unix_ms)
    }

    fn finalise(&mut self, block: &Block, certificate: Option<&[u8]>) -> Result<(), ApplicationError> {
        self.application.finalise(block, certificate)?;
        self.log.push((block.header.height, block.hash()));
        Ok(())
    }

    fn certified(&mut self, height: u64, certificate: &[u8]) {
        self.application.certified(height, certificate);
    }

    fn is_urgent(&self) -> fn(&[u8]) -> bool {
        self.application.is_urgent()
    }

    fn receive(&mut self, from: &[u8; 32], message: &[u8]) -> Option<GossipWork> {
        self.application.receive(from, message)
    }

    fn settle(&mut self) {
        self.application.settle();
    }

    fn take_gossip(&mut self) -> Vec<Vec<u8>> {
        self.application.take_gossip()
    }

    fn consensus_keys(&self, epoch: u64) -> Option<Vec<[u8; 32]>> {
        self.application.consensus_keys(epoch)
    }
}
