//! What all parts of a node stand on.

use crate::application::VoteWitness;
use crate::block::BlockCodec;
use crate::config::{StartingPoint, Timing};
use crate::inbox::Inbox;
use crate::schemes::Schemes;
use crate::shared::{Faults, Shared};
use commonware_consensus::types::FixedEpocher;
use commonware_cryptography::ed25519::PrivateKey;
use commonware_runtime::buffer::paged::CacheRef;
use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;

/// What a node is, whatever it runs on.
pub(crate) struct NodeConfig {
    pub ledger_id: [u8; 32],
    pub secret: PrivateKey,
    pub codec: BlockCodec,
    pub epoch_blocks: NonZeroU64,
    pub blocks_kept: u64,
    pub timing: Timing,
    /// First part of the names in the store.
    pub prefix: String,
    /// Pages of 4 KiB that are kept in memory.
    pub cache_pages: NonZeroUsize,
    pub start: Option<StartingPoint>,
    pub witness: Option<Arc<dyn VoteWitness>>,
    /// Where peers' gossip waits; empty.
    pub letters: Inbox,
}

/// What all parts of a node stand on.
pub(crate) struct Foundation<E> {
    pub runtime: E,
    pub config: NodeConfig,
    pub shared: Shared,
    pub faults: Faults,
    pub schemes: Schemes,
    pub epocher: FixedEpocher,
    pub cache: CacheRef,
}
