//! Pruning: bids of rounds that ended long enough ago are replaced by their digests.

use std::collections::VecDeque;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::checkpoint::Checkpoint;
use veilgrid_ledger::state::effects::{BlockEffects, Effect};

/// Finds out when something is to be pruned.
pub(super) struct Retention {
    /// Rounds whose bids stay after they have ended; none: all of them.
    window: Option<usize>,
    /// For each of the last rounds that ended, oldest first, the checkpoint of that time. Bids go up to its height, no
    /// further: a checkpoint of a later one would ask a replay to get past rounds that the window keeps.
    ends: VecDeque<Checkpoint>,
}

/// What is to be pruned now.
pub(super) struct Due {
    /// Of the blocks up to its height those that it allows; with it a replay gets past them.
    pub(super) checkpoint: Checkpoint,
}

impl Retention {
    pub(super) fn new(prune_after_rounds: Option<u64>) -> Self {
        let window = prune_after_rounds.map(|rounds| usize::try_from(rounds).unwrap_or(usize::MAX));
        Self { window, ends: VecDeque::new() }
    }

    /// As it was when this was noted ([`Retention::kept`]). With another window than then it begins with what is there: rounds
    /// that are not, are pruned later than they could be.
    pub(super) fn noted(prune_after_rounds: Option<u64>, kept: Vec<Checkpoint>) -> Self {
        let mut retention = Self::new(prune_after_rounds);
        if retention.window.is_some() {
            retention.ends = kept.into();
        }
        retention
    }

    /// The ends that it has, for the notes beside a saved state.
    pub(super) fn kept(&self) -> Vec<Checkpoint> {
        self.ends.iter().cloned().collect()
    }

    /// Notes the rounds that a block has ended. `state` is the final state now, which may be later than the block.
    pub(super) fn follow(&mut self, effects: &BlockEffects, state: &State) -> Option<Due> {
        self.note(effects, || state.checkpoint());
        self.overdue(state.height()).map(|checkpoint| Due { checkpoint })
    }

    /// Notes what a replay at the start tells of a stored block, with the state after it; the window goes on where it was
    /// when the process stopped. Rounds that ended among pruned blocks are outside of it already. Of those that are outside only the youngest is
    /// ever asked for, so that no more are kept.
    pub(super) fn replayed(&mut self, effect: &Effect, after: Option<&State>) {
        let is_end = effect.ended_round().is_some();
        let Some((window, after)) = self.window.zip(after).filter(|_| is_end) else { return };
        self.ends.push_back(after.checkpoint());
        let keep = window.saturating_add(1);
        self.ends.drain(..self.ends.len().saturating_sub(keep));
    }

    fn note(&mut self, effects: &BlockEffects, now: impl Fn() -> Checkpoint) {
        if self.window.is_some() {
            self.ends.extend(effects.all().filter_map(Effect::ended_round).map(|_| now()));
        }
    }

    /// The checkpoint of the youngest round outside of the window. One of the last block waits for the next, which
    /// confirms it.
    fn overdue(&mut self, height: u64) -> Option<Checkpoint> {
        let window = self.window?;
        let mut overdue = None;
        while self.ends.len() > window && self.ends.front().is_some_and(|end| end.height < height) {
            overdue = self.ends.pop_front();
        }
        overdue
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use veilgrid_ledger::state::FinishedRounds;
    use veilgrid_ledger::transaction::VoidReason;

    fn at(height: u64) -> Checkpoint {
        Checkpoint {
            height,
            last_round_id: None,
            cleared_until_unix_s: None,
            finished: FinishedRounds::default(),
            refused: 0,
            refused_digest: [0; 32],
            active: Vec::new(),
        }
    }

    fn ended(height: u64) -> BlockEffects {
        let reason = VoidReason::TooFewBids;
        let effects = vec![Effect::Voided { round_id: height, reason, bids: 0 }];
        BlockEffects { height, block_hash: [0; 32], state_root: [0; 32], at_start: Vec::new(), effects }
    }

    #[test]
    fn the_window_counts_rounds() {
        let mut retention = Retention::new(Some(2));
        let heights: Vec<_> = [5, 9, 12, 20]
            .map(|height| {
                retention.note(&ended(height), || at(height));
                retention.overdue(height).map(|checkpoint| checkpoint.height)
            })
            .into();
        assert_eq!(heights, [None, None, Some(5), Some(9)]);
        let mut forever = Retention::new(None);
        forever.note(&ended(1), || at(1));
        assert_eq!(forever.overdue(2), None);
    }

    /// A validator that catches up sees many rounds end at once; and a window of none.
    #[test]
    fn a_checkpoint_waits_for_the_block_that_confirms_it() {
        let mut retention = Retention::new(Some(0));
        [5, 9].iter().for_each(|height| retention.note(&ended(*height), || at(9)));
        assert_eq!(retention.overdue(9), None);
        assert_eq!(retention.overdue(10), Some(at(9)));
        assert_eq!(retention.overdue(11), None);
    }
}
