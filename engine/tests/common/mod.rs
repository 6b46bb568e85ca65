//! An application that counts: every block closes the round that has the block's number.

#![allow(dead_code, reason = "each test uses its part")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use veilgrid_crypto::bid::BidShape;
use veilgrid_engine::{Application, ApplicationError, GossipWork, Proposal};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::transaction::{DecodeContext, Transaction};

/// A final block that does not come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("block {found} after {last}")]
pub struct OutOfOrder {
    pub found: u64,
    pub last: u64,
}

/// A disk that takes no more blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the disk is full")]
pub struct DiskFull {
    pub blocks: u64,
}

/// What is left of an application when its process is killed.
#[derive(Debug, Default, Clone)]
pub struct Disk {
    pub blocks: Vec<Block>,
    pub certificates: BTreeMap<u64, Vec<u8>>,
    /// Gossip, with who sent it.
    pub received: BTreeSet<([u8; 32], Vec<u8>)>,
    /// It has room for this many blocks; none: for all.
    pub room: Option<u64>,
}

/// The validators of an epoch.
pub type Roster = Arc<dyn Fn(u64) -> Option<Vec<[u8; 32]>> + Send + Sync>;

/// How a counting application behaves.
#[derive(Clone)]
pub struct Behaviour {
    /// Time between blocks.
    pub pace_ms: u64,
    /// Proposes blocks that its peers refuse, and accepts everything.
    pub invalid: bool,
    pub roster: Roster,
    /// Tells the others of each block that it applies.
    pub tells: bool,
    /// Length of an engine epoch: the validators are known up to the epoch after the next block's.
    pub epoch_blocks: u64,
}

pub struct Counter {
    behaviour: Behaviour,
    disk: Arc<Mutex<Disk>>,
    executed: BTreeMap<Hash, Block>,
    outgoing: Vec<Vec<u8>>,
}

pub fn genesis() -> Block {
    Block::new(0, [0; 32], 0, [0; 32], Vec::new())
}

pub fn decode_context() -> DecodeContext {
    DecodeContext::Rounds { shape: BidShape { steps: 4, bits: 16, money: false }, max_bids: 8 }
}

impl Counter {
    pub fn new(behaviour: Behaviour, disk: Arc<Mutex<Disk>>) -> Self {
        let mut counter = Self { behaviour, disk, executed: BTreeMap::new(), outgoing: Vec::new() };
        let last = counter.disk.lock().expect("disk").blocks.last().cloned().unwrap_or_else(genesis);
        counter.executed.insert(last.hash(), last);
        counter
    }

    pub fn heard(&self, from: [u8; 32], message: &[u8]) -> bool {
        self.disk.lock().expect("disk").received.contains(&(from, message.to_vec()))
    }

    pub fn say(&mut self, message: Vec<u8>) {
        self.outgoing.push(message);
    }

    fn execute(&mut self, block: &Block) -> Result<(), ApplicationError> {
        let parent = self.executed.get(&block.header.parent_hash).ok_or("the parent is unknown")?;
        let expected = [Transaction::CloseRound { round_id: block.header.height }];
        if !self.behaviour.invalid && block.transactions != expected {
            return Err("the block counts wrong".into());
        }
        if block.header.prior_state_root != parent.hash()
            || block.header.time_unix_ms < parent.header.time_unix_ms
        {
            return Err("the header is wrong".into());
        }
        self.executed.insert(block.hash(), block.clone());
        Ok(())
    }
}

impl Application for Counter {
    fn genesis(&self) -> Block {
        genesis()
    }

    fn height(&self) -> u64 {
        self.disk.lock().expect("disk").blocks.len() as u64
    }

    fn knows(&self, block: &Hash) -> bool {
        self.executed.contains_key(block)
    }

    fn learn(&mut self, block: &Block) -> Result<(), ApplicationError> {
        self.execute(block)
    }

    fn propose(&mut self, parent: &Hash, now_unix_ms: u64) -> Proposal {
        let parent = self.executed.get(parent).expect("the engine promises that the parent is known");
        if now_unix_ms < parent.header.time_unix_ms + self.behaviour.pace_ms {
            return Proposal::Wait { ms: 20 };
        }
        let height = parent.header.height + 1;
        let round_id = if self.behaviour.invalid { height + 1_000 } else { height };
        let hash = parent.hash();
        let block = Block::new(height, hash, now_unix_ms, hash, vec![Transaction::CloseRound { round_id }]);
        self.executed.insert(block.hash(), block.clone());
        Proposal::Block(Box::new(block))
    }

    fn check(&mut self, block: &Block, now_unix_ms: u64) -> Result<(), ApplicationError> {
        if block.header.time_unix_ms > now_unix_ms + 500 {
            return Err("the block is from the future".into());
        }
        self.execute(block)
    }

    fn finalise(&mut self, block: &Block, certificate: Option<&[u8]>) -> Result<(), ApplicationError> {
        let height = self.height();
        if block.header.height > height {
            if block.header.height != height + 1 {
                return Err(OutOfOrder { found: block.header.height, last: height }.into());
            }
            if self.disk.lock().expect("disk").room.is_some_and(|room| height >= room) {
                return Err(DiskFull { blocks: height }.into());
            }
            self.execute(block)?;
            self.disk.lock().expect("disk").blocks.push(block.clone());
            if self.behaviour.tells {
                self.say(block.header.height.to_be_bytes().to_vec());
            }
        }
        // As an application that prunes: only what builds on the last final block is kept.
        let last = self.height();
        self.executed.retain(|_, executed| executed.header.height >= last);
        if let Some(certificate) = certificate {
            self.certified(block.header.height, certificate);
        }
        Ok(())
    }

    fn certified(&mut self, height: u64, certificate: &[u8]) {
        self.disk.lock().expect("disk").certificates.insert(height, certificate.to_vec());
    }

    fn receive(&mut self, from: &[u8; 32], message: &[u8]) -> Option<GossipWork> {
        self.disk.lock().expect("disk").received.insert((*from, message.to_vec()));
        None
    }

    fn take_gossip(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.outgoing)
    }

    fn consensus_keys(&self, epoch: u64) -> Option<Vec<[u8; 32]>> {
        // Known for the epoch of the next block, and for the one after it when its predecessor has but one block to go.
        let known = (self.height() + 2) / self.behaviour.epoch_blocks;
        (epoch <= known).then(|| (self.behaviour.roster)(epoch)).flatten()
    }
}
