//! The final ledger as a process shows it: the latest state, how finished rounds ended, blocks for whoever asks.
//!
//! Whoever executes blocks publishes here; the HTTP server and everybody who waits for a height read. Cloning is cheap
//! and all clones are one view.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::{BlockEffects, Effect, SettledRound};
use veilgrid_ledger::state::round::{OpenedSum, Slot};
use veilgrid_ledger::transaction::VoidReason;
use veilgrid_market::Outcome;

/// Finished rounds whose end is remembered. Older ones are read from an export of the ledger.
const REMEMBERED_ROUNDS: usize = 4096;

/// Where encoded blocks come from. It is called on the server's threads: it may read a disk, and waits for nothing
/// else.
pub trait BlockSource: Send + Sync {
    /// The encoded final block of this height, with its certificate when there is one of this very block.
    fn block(&self, height: u64) -> Option<(Vec<u8>, Option<Vec<u8>>)>;
}

/// How a round ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoundEnd {
    /// With a result.
    Settled {
        /// What was traded.
        slot: Slot,
        /// The outcome.
        outcome: Outcome,
        /// The opened sums.
        opened: Vec<OpenedSum>,
        /// Number of bids.
        bids: u64,
    },
    /// Without one.
    Voided {
        /// Why.
        reason: VoidReason,
        /// Number of bids.
        bids: u64,
    },
}

/// How rounds ended, as far as it is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoundEnds(BTreeMap<u64, RoundEnd>);

impl RoundEnds {
    /// Takes what a height or a transaction did.
    pub fn note(&mut self, effect: &Effect) {
        match effect {
            Effect::PassedOver(passed) => {
                let remembered = REMEMBERED_ROUNDS as u64 - 1;
                let from = passed.first_round_id.max(passed.last_round_id.saturating_sub(remembered));
                let end = RoundEnd::Voided { reason: passed.reason, bids: 0 };
                self.0.extend((from..=passed.last_round_id).map(|round_id| (round_id, end.clone())));
            }
            other => self.0.extend(end_of(other)),
        }
        while self.0.len() > REMEMBERED_ROUNDS {
            self.0.pop_first();
        }
    }

    /// How a round ended.
    pub fn of(&self, round_id: u64) -> Option<&RoundEnd> {
        self.0.get(&round_id)
    }
}

/// The latest final state.
#[derive(Clone)]
pub struct Latest {
    /// The state.
    pub state: State,
    /// Its root.
    pub state_root: Hash,
}

struct Inner {
    latest: watch::Sender<Latest>,
    ended: Mutex<RoundEnds>,
    blocks: Box<dyn BlockSource>,
}

/// The final ledger of a process.
#[derive(Clone)]
pub struct LedgerView(Arc<Inner>);

impl LedgerView {
    /// A view at a state. How rounds ended that are over is not known to it.
    pub fn new(state: State, blocks: impl BlockSource + 'static) -> Self {
        Self::resumed(state, RoundEnds::default(), blocks)
    }

    /// A view at a state that was replayed, with how rounds ended on the way there.
    pub fn resumed(state: State, ended: RoundEnds, blocks: impl BlockSource + 'static) -> Self {
        let state_root = state.root();
        let latest = watch::Sender::new(Latest { state, state_root });
        Self(Arc::new(Inner { latest, ended: Mutex::new(ended), blocks: Box::new(blocks) }))
    }

    /// Takes the state after the next final block, whose effects these are. A state that is not newer is ignored, its
    /// effects too: a replay after a restart publishes from block 1 on.
    pub fn publish(&self, state: State, effects: &BlockEffects) {
        self.note(effects);
        let state_root = effects.state_root;
        self.0.latest.send_if_modified(|latest| {
            let newer = state.height() > latest.state.height();
            if newer {
                *latest = Latest { state, state_root };
            }
            newer
        });
    }

    /// Notes how rounds ended in a block; twice is as good as once.
    pub fn note(&self, effects: &BlockEffects) {
        // A panic elsewhere leaves at worst an end unremembered.
        let mut ended = self.0.ended.lock().unwrap_or_else(PoisonError::into_inner);
        effects.all().for_each(|effect| ended.note(effect));
    }

    /// The latest final state.
    pub fn latest(&self) -> Latest {
        self.0.latest.borrow().clone()
    }

    /// The latest final state without its root.
    pub fn state(&self) -> State {
        self.0.latest.borrow().state.clone()
    }

    /// Its height.
    pub fn height(&self) -> u64 {
        self.0.latest.borrow().state.height()
    }

    /// Tells of every new height from now on.
    pub fn subscribe(&self) -> watch::Receiver<Latest> {
        self.0.latest.subscribe()
    }

    /// Returns when the ledger has this height, or after `most`.
    pub async fn wait_for(&self, height: u64, most: Duration) {
        let mut heights = self.subscribe();
        let reached = heights.wait_for(|latest| latest.state.height() >= height);
        // Whether it was reached shows in the height.
        let _ = tokio::time::timeout(most, reached).await;
    }

    /// How a round ended, when it did so after this view began or is remembered from the replay before.
    pub fn end_of(&self, round_id: u64) -> Option<RoundEnd> {
        self.0.ended.lock().unwrap_or_else(PoisonError::into_inner).of(round_id).cloned()
    }

    /// An encoded final block with its certificate.
    pub fn block(&self, height: u64) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
        self.0.blocks.block(height)
    }
}

fn end_of(effect: &Effect) -> Option<(u64, RoundEnd)> {
    match effect {
        Effect::Settled(SettledRound { round_id, slot, opened, outcome, bids }) => {
            let (opened, bids) = (opened.clone(), bids.len() as u64);
            Some((*round_id, RoundEnd::Settled { slot: *slot, outcome: *outcome, opened, bids }))
        }
        Effect::Voided { round_id, reason, bids } => {
            Some((*round_id, RoundEnd::Voided { reason: *reason, bids: *bids }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use veilgrid_ledger::state::effects::PassedRounds;

    #[test]
    fn rounds_that_were_passed_over_are_void_and_not_remembered_without_bound() {
        let reason = VoidReason::NotOpened;
        let passed = |first_round_id, last_round_id| {
            Effect::PassedOver(PassedRounds { first_round_id, last_round_id, reason })
        };
        let mut ends = RoundEnds::default();
        ends.note(&passed(3, 4));
        let void = RoundEnd::Voided { reason, bids: 0 };
        assert_eq!([2, 3, 4, 5].map(|id| ends.of(id)), [None, Some(&void), Some(&void), None]);
        ends.note(&passed(5, u64::MAX));
        assert_eq!((ends.0.len(), ends.of(3)), (REMEMBERED_ROUNDS, None));
        let oldest = u64::MAX - REMEMBERED_ROUNDS as u64 + 1;
        assert_eq!([oldest - 1, oldest, u64::MAX].map(|id| ends.of(id).is_some()), [false, true, true]);
    }
}
