//! What a ledger does by itself: time closes and voids rounds, heights end key sessions and begin epochs.
//!
//! Everything follows from the block's height and time, so that it is the same for everybody. A proposer asks
//! [`State::due`] for the transactions that a time makes due; the rules accept them at that time and not before.

use super::round::{Round, Stage};
use crate::refusal::Refusal;
use crate::roster::Roster;
use crate::rounds::refusal::RoundRefusal;
use crate::state::State;
use crate::state::effects::{Effect, PassedRounds};
use crate::state::round::Slot;
use crate::timing::RoundTiming;
use crate::transaction::{Transaction, VoidReason};
use std::sync::Arc;

impl State {
    /// The times of the rounds.
    pub fn timing(&self) -> &RoundTiming {
        &self.community.params().timing
    }

    /// Moves on to the next height at this block time, and does what follows from that alone: rounds that were passed
    /// over, deadlines of key sessions, new keys, grace. [`State::apply_block`] begins with it; a builder calls it on a
    /// scratch state.
    pub fn begin_block(&mut self, time_unix_ms: u64) -> Vec<Effect> {
        self.height = self.height.saturating_add(1);
        self.time_unix_ms = time_unix_ms;
        let timing = *self.timing();
        let height = self.height;
        for round in self.rounds.values_mut() {
            let closes = timing.close_ms(round.round_id).is_some_and(|close_ms| time_unix_ms >= close_ms);
            if closes && round.grace_from.is_none() && matches!(round.stage, Stage::Bidding) {
                Arc::make_mut(round).grace_from = Some(height);
            }
        }
        // Before new keys come into force: a round that passed without keys says so.
        let mut at_start: Vec<Effect> = self.pass_over(&timing).map(Effect::PassedOver).into_iter().collect();
        at_start.extend(self.begin_keys(&timing));
        at_start
    }

    /// Rounds whose bidding is over and that no block has opened can't be opened any more: they are void.
    fn pass_over(&mut self, timing: &RoundTiming) -> Option<PassedRounds> {
        let last_round_id = timing.closed_by(self.time_unix_ms)?;
        let first_round_id = self.last_round_id.unwrap_or(0).saturating_add(1);
        if first_round_id > last_round_id {
            return None;
        }
        let reason = match self.community.keys() {
            None => VoidReason::NoKeys,
            Some(_) => VoidReason::NotOpened,
        };
        let passed = PassedRounds { first_round_id, last_round_id, reason };
        self.last_round_id = Some(last_round_id);
        self.finish_unopened(&passed);
        Some(passed)
    }

    /// The transactions that are due in the next block when it has this time: closes, voids, the next round.
    pub fn due(&self, time_unix_ms: u64) -> Vec<Transaction> {
        let timing = self.timing();
        let (height, time_unix_ms) = (self.height.saturating_add(1), time_unix_ms.max(self.time_unix_ms));
        let mut due = Vec::new();
        for round in self.rounds() {
            let round_id = round.round_id;
            match round.stage {
                Stage::Bidding if self.closes(timing, round, height, time_unix_ms) => {
                    due.push(Transaction::CloseRound { round_id });
                }
                Stage::TooFewBids => {
                    due.push(Transaction::Void { round_id, reason: VoidReason::TooFewBids });
                }
                Stage::Opening(_) if is_over(timing, round_id, time_unix_ms) => {
                    due.push(Transaction::Void { round_id, reason: VoidReason::OpeningDeadline });
                }
                _ => {}
            }
        }
        let ending = due.iter().filter(|step| matches!(step, Transaction::Void { .. })).count();
        due.extend(self.due_opening_of_a_round(timing, time_unix_ms, ending));
        due
    }

    /// The opening of the round of this time, after as many rounds as `ending` have ended in the same block.
    fn due_opening_of_a_round(
        &self,
        timing: &RoundTiming,
        time_unix_ms: u64,
        ending: usize,
    ) -> Option<Transaction> {
        let round_id = timing.round_at(time_unix_ms)?;
        let slot_seconds = self.community.params().slot_seconds;
        let slot_start_unix_s = timing.slot_start_unix_s(round_id, slot_seconds)?;
        let fresh = self.last_round_id.is_none_or(|last| round_id > last);
        // The keys come into force at the start of the next block, before its transactions.
        let keyed = self.community.keys().is_some() || self.keys_come_in_force_next();
        let room = self.rounds.len().saturating_sub(ending) < crate::state::MAX_ACTIVE_ROUNDS;
        // Nobody puts into a block what it would refuse: without funds the round passes over.
        let slot = Slot { start_unix_s: slot_start_unix_s, seconds: slot_seconds };
        let funded = || {
            let params = self.community.params();
            params.money.is_none()
                || self.check_community_funds(round_id, &self.members.bidders(params, &slot)).is_ok()
        };
        (fresh && keyed && room && funded()).then_some(Transaction::OpenRound {
            round_id,
            slot_start_unix_s,
            slot_seconds,
        })
    }

    /// "A round is opened at its time, for its slot, once there are keys."
    pub(crate) fn check_open_time(&self, round_id: u64, slot_start_unix_s: i64) -> Result<(), Refusal> {
        if self.community.keys().is_none() {
            return Err(Refusal::Rounds(RoundRefusal::NoKeys { round: round_id }));
        }
        let timing = self.timing();
        let slot = timing.slot_start_unix_s(round_id, self.community.params().slot_seconds);
        if timing.round_at(self.time_unix_ms) != Some(round_id) || slot != Some(slot_start_unix_s) {
            return Err(Refusal::Rounds(RoundRefusal::NotDue {
                round: round_id,
                what: "its opening",
                time_ms: self.time_unix_ms,
            }));
        }
        Ok(())
    }

    /// "A round is closed once its grace is over."
    pub(crate) fn check_close_time(&self, round: &Round) -> Result<(), Refusal> {
        if self.closes(self.timing(), round, self.height, self.time_unix_ms) {
            return Ok(());
        }
        Err(Refusal::Rounds(RoundRefusal::NotDue {
            round: round.round_id,
            what: "its close",
            time_ms: self.time_unix_ms,
        }))
    }

    /// Whether the deadline of a round's opening has passed at the last block's time.
    pub(crate) fn is_past_deadline(&self, round_id: u64) -> bool {
        is_over(self.timing(), round_id, self.time_unix_ms)
    }

    /// Whether an opening has made no progress for so long that the round counts as suspended: it is resumed when
    /// shares come, or void at its deadline.
    pub fn is_suspended(&self, round_id: u64) -> bool {
        let Some(round) = self.round(round_id) else { return false };
        let idle_ms = self.time_unix_ms.saturating_sub(round.progress_ms);
        matches!(round.stage, Stage::Opening(_)) && idle_ms >= self.timing().suspend_after_ms
    }

    /// Whether something waits for which blocks should come fast: grace, an opening, a key session.
    pub fn is_busy(&self) -> bool {
        let waits = |round: &Round| match round.stage {
            Stage::Bidding => round.grace_from.is_some(),
            Stage::Opening(_) => !self.is_suspended(round.round_id),
            Stage::TooFewBids | Stage::Clearing(_) | Stage::Settling(_) => true,
        };
        self.rounds().any(waits) || self.keys_are_busy()
    }

    /// Grace is over when enough blocks have followed the first one at or after the close. `height` is this block's or
    /// the next one's.
    fn closes(&self, timing: &RoundTiming, round: &Round, height: u64, time_unix_ms: u64) -> bool {
        let graced = round.grace_from.is_some_and(|from| {
            let last = height.saturating_sub(1).max(from);
            height >= from.saturating_add(self.grace(timing, from, last))
        });
        graced && timing.close_ms(round.round_id).is_some_and(|close_ms| time_unix_ms >= close_ms)
    }

    /// Blocks of the grace that began with the block `from` when its last one is `last`. The validators may have become
    /// more than those for whom the market's grace was chosen, and may change among its blocks.
    fn grace(&self, timing: &RoundTiming, from: u64, last: u64) -> u64 {
        let (first_epoch, last_epoch) = (timing.epoch_of(from), timing.epoch_of(last));
        let rosters = &self.network.rosters;
        let second = (last_epoch > first_epoch).then(|| rosters.of_epoch(last_epoch).group());
        timing.grace_among(rosters.of_epoch(first_epoch).group(), second)
    }

    /// Blocks of honest proposers that the grace of a round holds for sure, as far as the validators are known that may
    /// propose them.
    pub fn honest_grace_blocks(&self) -> u64 {
        let (timing, now) = (self.timing(), self.roster().group());
        let next = self.network.next_roster().map_or(now, Roster::group);
        // Whether the round's grace begins before the change, among its blocks or after it is not known.
        let among = |first, second| timing.honest_grace_among(first, second);
        among(now, now).min(among(now, next)).min(among(next, now)).min(among(next, next))
    }
}

fn is_over(timing: &RoundTiming, round_id: u64, time_unix_ms: u64) -> bool {
    timing.deadline_ms(round_id).is_none_or(|deadline_ms| time_unix_ms >= deadline_ms)
}
