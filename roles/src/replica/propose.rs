//! When a block is proposed. What is in it: [`super::fill`].
//!
//! A block comes at once when there is something to put into it, and after an interval when there is not. The interval
//! is short while blocks themselves are waited for: the grace of a round and the phases of a key session count them.

use super::Replica;
use super::speculation::Executed;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::builder::BlockDraft;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::expected::Expected;

/// A proposer asks again after this long at most, in milliseconds.
const POLL_MS: u64 = 20;

/// Least time from a block to the next one, in milliseconds: what comes within it shares a block.
const LEAST_GAP_MS: u64 = 20;

/// The answer to a request for a block.
#[derive(Debug)]
pub enum Proposal {
    /// The next block. It is executed and known.
    Block(Box<Block>),
    /// Nothing to propose yet: ask again after this long.
    Wait {
        /// Milliseconds, 1 to 20.
        ms: u64,
    },
}

impl Replica {
    /// The next block on a known parent, or how long to wait.
    ///
    /// Block time is this validator's, or the parent's when that is later. Time since the parent is measured from its
    /// block time or from the first call on it, whichever is longer ago, so that a parent from the future does not
    /// stop the ledger until the clocks have caught up.
    pub fn propose(&mut self, parent: &Hash, now_unix_ms: u64) -> Proposal {
        let Some(state) = self.state_after(parent).cloned() else { return Proposal::Wait { ms: POLL_MS } };
        let since_ms = self.since_parent_ms(&state, now_unix_ms);
        if since_ms < LEAST_GAP_MS {
            return Proposal::Wait { ms: LEAST_GAP_MS - since_ms };
        }
        let time_unix_ms = now_unix_ms.max(state.time_unix_ms());
        if self.has_work(&state, time_unix_ms) {
            let mut draft = BlockDraft::begin(&state, time_unix_ms);
            self.fill(&mut draft, parent);
            if !draft.is_empty() {
                return self.proposed(draft, *parent);
            }
        }
        let interval_ms = self.interval_ms(&state, time_unix_ms);
        if since_ms >= interval_ms {
            return self.proposed(BlockDraft::begin(&state, time_unix_ms), *parent);
        }
        let left_ms = interval_ms - since_ms;
        let wake_ms =
            next_instant_ms(&state, now_unix_ms).map_or(left_ms, |at| at.saturating_sub(now_unix_ms));
        Proposal::Wait { ms: left_ms.min(wake_ms).clamp(1, POLL_MS) }
    }

    fn proposed(&mut self, draft: BlockDraft<'_>, parent: Hash) -> Proposal {
        let (block, state, effects) = draft.finish();
        self.ahead.insert(Executed { parent, state, effects });
        Proposal::Block(Box::new(block))
    }

    fn since_parent_ms(&mut self, parent: &State, now_unix_ms: u64) -> u64 {
        let hash = parent.block_hash();
        let first_asked_ms = match self.asked {
            Some((asked, at_ms)) if asked == hash => at_ms,
            _ => now_unix_ms,
        };
        self.asked = Some((hash, first_asked_ms));
        now_unix_ms.saturating_sub(parent.time_unix_ms().min(first_asked_ms))
    }

    /// Whether a block on this state would hold anything. Cheap, as it is asked many times a second; it may say yes
    /// and the draft find that everything is refused.
    fn has_work(&mut self, state: &State, time_unix_ms: u64) -> bool {
        if !state.due(time_unix_ms).is_empty() || self.pool.events.has_untried(&state.block_hash()) {
            return true;
        }
        for round_id in state.overdue_rounds() {
            let Some(request) = state.claim_request(round_id) else { continue };
            if !self.pool.shares.for_request(state, &request).is_empty() {
                return true;
            }
        }
        let round_ids: Vec<u64> = state.rounds().map(|round| round.round_id()).collect();
        round_ids.into_iter().any(|round_id| match state.expected(round_id) {
            Ok(Expected::Bids { .. }) => !self.bids_for(state, round_id, usize::MAX).is_empty(),
            Ok(Expected::Shares(request)) => !self.pool.shares.for_request(state, &request).is_empty(),
            Ok(Expected::Value { .. } | Expected::Clear { .. } | Expected::Settle { .. }) => true,
            // What is to be voided is due.
            _ => false,
        })
    }

    /// How long after its parent a block comes that holds nothing.
    fn interval_ms(&self, state: &State, time_unix_ms: u64) -> u64 {
        let timing = state.timing();
        let closes_ms = state
            .rounds()
            .filter(|round| matches!(state.expected(round.round_id()), Ok(Expected::Bids { .. })))
            .filter_map(|round| timing.close_ms(round.round_id()));
        let passed: Vec<u64> = closes_ms.filter(|close_ms| *close_ms <= time_unix_ms).collect();
        // Grace begins with the first block after the close.
        if passed.iter().any(|close_ms| state.time_unix_ms() < *close_ms) {
            return 0;
        }
        let key_session = state.session().is_some_and(|session| session.outcome().is_none())
            || state.pending_keys().is_some()
            || state.pending_roster().is_some();
        if state.is_busy() && (key_session || !passed.is_empty()) {
            self.limits.busy_interval_ms
        } else {
            self.limits.idle_interval_ms
        }
    }
}

/// The next time at which something becomes due on this state, Unix milliseconds.
fn next_instant_ms(state: &State, now_unix_ms: u64) -> Option<u64> {
    let timing = state.timing();
    let next_round = match timing.round_at(now_unix_ms) {
        Some(round_id) => round_id.checked_add(1),
        None => state.last_round_id().unwrap_or(0).checked_add(1),
    };
    let opens_ms = next_round.and_then(|round_id| timing.open_ms(round_id));
    let active = state.rounds().map(|round| round.round_id());
    let ends_ms = active.flat_map(|round_id| [timing.close_ms(round_id), timing.deadline_ms(round_id)]);
    ends_ms.chain([opens_ms]).flatten().filter(|at_ms| *at_ms > now_unix_ms).min()
}
