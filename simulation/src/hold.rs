//! Blocks that are held back, by a validator that wants to lead the last block of an epoch when a round's grace begins with
//! that, and the next epoch's first block right after it.

use crate::market::{TIMING, VALIDATORS};
use veilgrid_ledger::block::Block;

/// A leader is waited for a little longer than this, in milliseconds.
const LONGEST_HOLD_MS: u64 = 1_200;
/// The last block is to be held back for about this long, in milliseconds: when its turn comes members have no promise yet.
const LAST_HOLD_MS: u64 = 900;
/// About the time from one block to the next while nobody holds one back, in milliseconds.
const BLOCK_MS: u64 = 100;

/// What it remembers between two questions.
pub(crate) struct Hold {
    epoch_blocks: u64,
    /// Height of the block that it was asked for last, and when it was so first.
    asked: Option<(u64, u64)>,
}

impl Hold {
    pub(crate) fn new(epoch_blocks: u64) -> Self {
        Self { epoch_blocks, asked: None }
    }

    /// Whether this is the last block of an epoch.
    pub(crate) fn ends_epoch(&self, block: &Block) -> bool {
        self.left(block) == 0
    }

    /// Blocks that follow this one in its epoch.
    fn left(&self, block: &Block) -> u64 {
        (self.epoch_blocks - 1).saturating_sub(block.header.height % self.epoch_blocks)
    }

    /// Whether it keeps a block of its own. It leads every fourth one, and is given up when it waits for too long.
    pub(crate) fn keeps(&mut self, block: &Block, now_ms: u64) -> bool {
        let height = block.header.height;
        let left = self.left(block);
        if !left.is_multiple_of(VALIDATORS as u64) {
            return false;
        }
        let since_ms = match self.asked {
            Some((asked, at_ms)) if asked == height => at_ms,
            _ => now_ms,
        };
        self.asked = Some((height, since_ms));
        let at_the_end_ms = now_ms + left * BLOCK_MS;
        let mut closes_ms = (1..).filter_map(|round_id| TIMING.close_ms(round_id));
        let Some(close_ms) = closes_ms.find(|close_ms| *close_ms > at_the_end_ms) else { return false };
        // The last one leaves when it can begin the grace; those before it so that its turn comes in time for that.
        let begins_ms = close_ms - TIMING.max_clock_skew_ms;
        let wanted_ms = if left == 0 { begins_ms } else { begins_ms.saturating_sub(LAST_HOLD_MS) };
        let in_reach = left > 0 || begins_ms <= since_ms + LONGEST_HOLD_MS;
        in_reach && at_the_end_ms < wanted_ms && now_ms < since_ms + LONGEST_HOLD_MS
    }
}
