//! Pruning: bids of rounds that ended long enough ago are replaced by their digests.

use std::collections::VecDeque;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::{BlockEffects, Effect};

/// Finds out when something is to be pruned.
pub(super) struct Retention {
    /// Rounds whose bids stay after they have ended; none: all of them.
    window: Option<usize>,
    /// Heights at which the last rounds ended, oldest first.
    ends: VecDeque<u64>,
}

/// What is to be pruned now.
pub(super) struct Due {
    /// Blocks up to this height, where the state allows it.
    pub(super) up_to_height: u64,
    /// The encoded checkpoint with which a replay gets past them.
    pub(super) checkpoint: Vec<u8>,
}

impl Retention {
    pub(super) fn new(prune_after_rounds: Option<u64>) -> Self {
        let window = prune_after_rounds.map(|rounds| usize::try_from(rounds).unwrap_or(usize::MAX));
        Self { window, ends: VecDeque::new() }
    }

    /// Notes the rounds that a block has ended. `state` is the final state now, which may be later than the block.
    pub(super) fn follow(&mut self, effects: &BlockEffects, state: &State) -> Option<Due> {
        self.note(effects);
        let up_to_height = self.overdue()?;
        let checkpoint = state.checkpoint()?.to_bytes();
        Some(Due { up_to_height, checkpoint })
    }

    fn note(&mut self, effects: &BlockEffects) {
        let is_end = |effect: &&Effect| matches!(effect, Effect::Settled(_) | Effect::Voided { .. });
        if self.window.is_some() {
            self.ends.extend(effects.effects.iter().filter(is_end).map(|_| effects.height));
        }
    }

    /// The height at which the youngest round outside of the window ended.
    fn overdue(&mut self) -> Option<u64> {
        let window = self.window?;
        let mut overdue = None;
        while self.ends.len() > window {
            overdue = self.ends.pop_front();
        }
        overdue
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use veilgrid_ledger::transaction::VoidReason;

    fn ended(height: u64) -> BlockEffects {
        let reason = VoidReason::TooFewBids;
        let effects = vec![Effect::Voided { round_id: height, reason, bids: 0 }];
        BlockEffects { height, block_hash: [0; 32], state_root: [0; 32], outset: Vec::new(), effects }
    }

    #[test]
    fn the_window_counts_rounds() {
        let mut retention = Retention::new(Some(2));
        let heights: Vec<_> = [5, 9, 12, 20]
            .map(|height| {
                retention.note(&ended(height));
                retention.overdue()
            })
            .into();
        assert_eq!(heights, [None, None, Some(5), Some(9)]);
        let mut forever = Retention::new(None);
        forever.note(&ended(1));
        assert_eq!(forever.overdue(), None);
    }
}
