//! `GET /v1/blocks`: what is asked for, and the bounds of question and answer.

use crate::frames::{MAX_CERTIFICATE_BYTES, MAX_NETWORK_BLOCK_BYTES};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Most blocks of an answer; whoever asks for more gets so many.
pub const MAX_BLOCKS: usize = 1024;
/// An answer ends with the block that brings it here; a block larger than that is an answer by itself.
pub const ANSWER_BYTES: usize = 8 << 20;
/// Most bytes of an answer: one byte short of [`ANSWER_BYTES`] there is still room for a block with its certificate.
pub const MAX_ANSWER_BYTES: usize = 12 << 20;
const _: () = assert!(ANSWER_BYTES + MAX_NETWORK_BLOCK_BYTES + MAX_CERTIFICATE_BYTES + 8 <= MAX_ANSWER_BYTES);
/// Longest wait for a new block; whoever asks for a longer one is answered after this.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long a follower lets a node wait for a new block.
pub const LONG_POLL: Duration = Duration::from_secs(3);
/// Blocks that a follower asks for at once.
pub const BLOCKS_PER_REQUEST: usize = 64;

/// Which blocks, as the query of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlocksQuery {
    /// The first height.
    pub from: u64,
    /// Most blocks.
    #[serde(default = "max_blocks")]
    pub max: u64,
    /// How long to wait for the first one, milliseconds.
    #[serde(default)]
    pub wait_ms: u64,
}

fn max_blocks() -> u64 {
    MAX_BLOCKS as u64
}
