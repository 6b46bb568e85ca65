//! How many validators hold shares of the keys in force, as far as the ledger tells.
//!
//! Nobody sees another's shares. What is certain stands on the ledger: a key session says who got none, and an opening that
//! stands still while blocks go on has shares of those alone who gave one. What validators say against themselves is
//! counted elsewhere ([`crate::survey`]): f liars who do are f of n, and n - f is enough, so that a lie makes a warning
//! and no alarm. A holder that nobody has heard of counts: the roll is an upper bound, and exact once an opening has had to
//! wait.

use std::collections::{BTreeMap, BTreeSet};
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::state::expected::Expected;
use veilgrid_ledger::transaction::VoidReason;

/// An opening that has stood still counts when so many blocks have come since: they bring shares that are there, after a
/// pause of everybody too.
const STILL_BLOCKS: u64 = 5;

/// Validators by their numbers.
pub(crate) type Validators = BTreeSet<u16>;

/// The roll of holders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ShareRoll {
    /// Whether keys are in force.
    has_keys: bool,
    /// Who got no shares of the session in force.
    lacking: Validators,
    /// The same of sessions that are agreed on.
    agreed: BTreeMap<u64, Validators>,
    /// Rounds that wait for shares: since which height, and who has given one.
    still: BTreeMap<u64, Still>,
    /// Who had given one when the last opening failed; none since one has succeeded.
    failed: Option<Validators>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Still {
    since_height: u64,
    now_height: u64,
    have: Validators,
}

impl Still {
    fn counts(&self) -> bool {
        self.now_height.saturating_sub(self.since_height) >= STILL_BLOCKS
    }
}

impl ShareRoll {
    /// Takes what a height or a transaction did.
    pub(crate) fn note(&mut self, effect: &Effect) {
        match effect {
            Effect::KeysAgreed { session, lacking, .. } => {
                self.agreed.insert(*session, lacking.iter().copied().collect());
            }
            Effect::KeysInForce { session } => {
                let lacking = self.agreed.remove(session).unwrap_or_default();
                // What openings have shown was of the shares before.
                *self = Self { has_keys: true, lacking, ..Self::default() };
            }
            Effect::ValueOpened { round_id, .. } => {
                self.still.remove(round_id);
                self.failed = None;
            }
            Effect::Voided { round_id, reason, .. } => {
                let still = self.still.remove(round_id).filter(Still::counts);
                if let Some(still) = still.filter(|_| *reason == VoidReason::OpeningDeadline) {
                    self.failed = Some(still.have);
                }
            }
            _ => {}
        }
    }

    /// Looks at the openings of a state that stand still.
    pub(crate) fn look(&mut self, state: &State) {
        let suspended = state.rounds().map(|round| round.round_id()).filter(|id| state.is_suspended(*id));
        let waiting = suspended.filter_map(|round_id| match state.expected(round_id) {
            Ok(Expected::Shares(request)) => Some((round_id, request.have.into_iter().collect())),
            _ => None,
        });
        self.look_at(state.height(), waiting.collect());
    }

    fn look_at(&mut self, height: u64, waiting: BTreeMap<u64, Validators>) {
        self.still.retain(|round_id, still| waiting.get(round_id) == Some(&still.have));
        for (round_id, have) in waiting {
            let still = Still { since_height: height, now_height: height, have };
            self.still.entry(round_id).or_insert(still).now_height = height;
        }
    }

    /// How many of the validators 1 to `validators` hold shares; none before there are keys. `without`: those who are known
    /// to hold none beside the ledger.
    pub(crate) fn holders(&self, validators: u16, without: &Validators) -> Option<u16> {
        let seen: Vec<&Validators> =
            self.still.values().filter(|still| still.counts()).map(|still| &still.have).collect();
        // Of openings at once the one with most shares says most; the last that failed counts while none stands still.
        let most = seen.into_iter().max_by_key(|have| have.len()).or(self.failed.as_ref());
        let holds = |index: &u16| {
            !self.lacking.contains(index)
                && !without.contains(index)
                && most.is_none_or(|have| have.contains(index))
        };
        let count = (1..=validators).filter(holds).count();
        self.has_keys.then(|| u16::try_from(count).unwrap_or(u16::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use veilgrid_crypto::keygen::Task;
    use veilgrid_market::{Purpose, SumKind, SumRequest};

    fn keys(roll: &mut ShareRoll, session: u64, lacking: &[u16]) {
        let (task, keys_digest, excluded, lacking) = (Task::Refresh, [0; 32], vec![], lacking.to_vec());
        roll.note(&Effect::KeysAgreed { session, task, keys_digest, excluded, lacking });
        roll.note(&Effect::KeysInForce { session });
    }

    fn set(indices: &[u16]) -> Validators {
        indices.iter().copied().collect()
    }

    fn waiting(round_id: u64, have: &[u16]) -> BTreeMap<u64, Validators> {
        [(round_id, set(have))].into()
    }

    #[test]
    fn who_got_no_shares_in_the_session_in_force_does_not_count() {
        let mut roll = ShareRoll::default();
        assert_eq!(roll.holders(5, &set(&[])), None, "no keys");
        keys(&mut roll, 1, &[]);
        assert_eq!(roll.holders(5, &set(&[])), Some(5));
        let (task, keys_digest, excluded, lacking) = (Task::Refresh, [0; 32], vec![], vec![2]);
        roll.note(&Effect::KeysAgreed { session: 2, task, keys_digest, excluded, lacking });
        assert_eq!(roll.holders(5, &set(&[])), Some(5), "not in force yet");
        roll.note(&Effect::KeysInForce { session: 2 });
        assert_eq!(roll.holders(5, &set(&[])), Some(4));
        assert_eq!(roll.holders(5, &set(&[2])), Some(4), "nobody counts twice");
        assert_eq!(roll.holders(5, &set(&[3])), Some(3), "by its own word");
        keys(&mut roll, 3, &[]);
        assert_eq!(roll.holders(5, &set(&[])), Some(5));
    }

    /// n = 5: one missed the session, another runs an old folder, which only the opening shows.
    #[test]
    fn an_opening_that_stands_still_tells_who_is_left() {
        let mut roll = ShareRoll::default();
        keys(&mut roll, 1, &[2]);
        for height in 100..100 + STILL_BLOCKS {
            roll.look_at(height, waiting(7, &[1, 3, 4]));
            assert_eq!(roll.holders(5, &set(&[])), Some(4), "they may be on their way");
        }
        roll.look_at(100 + STILL_BLOCKS, waiting(7, &[1, 3, 4]));
        assert_eq!(roll.holders(5, &set(&[])), Some(3));
        // One more has come: the count begins anew, because the others may follow.
        roll.look_at(106, waiting(7, &[1, 3, 4, 5]));
        assert_eq!(roll.holders(5, &set(&[])), Some(4));
        roll.look_at(107, BTreeMap::new());
        assert_eq!(roll.holders(5, &set(&[])), Some(4));
    }

    #[test]
    fn a_failed_opening_is_remembered_until_one_succeeds_or_the_keys_change() {
        let mut roll = ShareRoll::default();
        keys(&mut roll, 1, &[]);
        let fail = |roll: &mut ShareRoll, last_height| {
            roll.look_at(10, waiting(7, &[1, 3]));
            roll.look_at(last_height, waiting(7, &[1, 3]));
            roll.note(&Effect::Voided { round_id: 7, reason: VoidReason::OpeningDeadline, bids: 3 });
            roll.look_at(last_height + 1, BTreeMap::new());
        };
        fail(&mut roll, 10);
        assert_eq!(roll.holders(4, &set(&[])), Some(4), "void in the first block after a pause of everybody");
        fail(&mut roll, 20);
        assert_eq!(roll.holders(4, &set(&[])), Some(2));
        let mut renewed = roll.clone();
        keys(&mut renewed, 2, &[]);
        assert_eq!(renewed.holders(4, &set(&[])), Some(4));
        let request = SumRequest { kind: SumKind::W, tick: 0, purpose: Purpose::Path };
        roll.note(&Effect::ValueOpened { round_id: 8, opening_index: 0, request, value_wh: 1 });
        assert_eq!(roll.holders(4, &set(&[])), Some(4));
    }
}
