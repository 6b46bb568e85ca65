//! How many validators hold shares of the keys in force, as far as the ledger tells.
//!
//! Nobody sees another's shares. What is certain stands on the ledger: a key session says who got none, and an opening that
//! stands still while blocks go on says that fewer than t give one (shares come onto it when t are there, so not who). What
//! validators say against themselves is counted elsewhere ([`crate::survey`]): f liars who do are f of n, and n - f is enough,
//! so that a lie makes a warning and no alarm. A holder that nobody has heard of counts: the roll is an upper bound.

use std::collections::{BTreeMap, BTreeSet};
use veilgrid_crypto::wire::{Reader, WireError, Writer};
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
    /// Rounds that wait for shares.
    still: BTreeMap<u64, Still>,
    /// Whether the last opening failed for lack of shares.
    has_failed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Still {
    since_height: u64,
    now_height: u64,
    /// Shares that are missing.
    missing: u16,
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
                self.has_failed = false;
            }
            Effect::Voided { round_id, reason, .. } => {
                let stood = self.still.remove(round_id).is_some_and(|still| still.counts());
                self.has_failed |= stood && *reason == VoidReason::OpeningDeadline;
            }
            _ => {}
        }
    }

    /// What blocks have told, for the notes beside a saved state. What was seen by looking is not: it is looked at again.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let Self { has_keys, lacking, agreed, still: _, has_failed: _ } = self;
        let mut w = Writer::new();
        let write = |validators: &Validators, w: &mut Writer| {
            w.length(validators.len());
            for index in validators {
                w.u16(*index);
            }
        };
        w.u8(u8::from(*has_keys));
        write(lacking, &mut w);
        w.length(agreed.len());
        for (session, lacking) in agreed {
            w.u64(*session);
            write(lacking, &mut w);
        }
        w.finish()
    }

    /// What [`ShareRoll::to_bytes`] has written.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let read = |r: &mut Reader<'_>| -> Result<Validators, WireError> {
            let count = r.length("validators", usize::MAX, 2)?;
            (0..count).map(|_| r.u16("validator")).collect()
        };
        let has_keys = r.u8("keys")? != 0;
        let lacking = read(&mut r)?;
        let count = r.length("sessions", usize::MAX, 12)?;
        let agreed = (0..count).map(|_| Ok((r.u64("session")?, read(&mut r)?)));
        let agreed = agreed.collect::<Result<_, WireError>>()?;
        r.finish()?;
        Ok(Self { has_keys, lacking, agreed, ..Self::default() })
    }

    /// Looks at the openings of a state that stand still.
    pub(crate) fn look(&mut self, state: &State) {
        let suspended = state.rounds().map(|round| round.round_id()).filter(|id| state.is_suspended(*id));
        let waiting = suspended.filter_map(|round_id| match state.expected(round_id) {
            Ok(Expected::Shares(request)) => Some((round_id, request.missing)),
            _ => None,
        });
        self.look_at(state.height(), waiting.collect());
    }

    fn look_at(&mut self, height: u64, waiting: BTreeMap<u64, u16>) {
        self.still.retain(|round_id, still| waiting.get(round_id) == Some(&still.missing));
        for (round_id, missing) in waiting {
            let still = Still { since_height: height, now_height: height, missing };
            self.still.entry(round_id).or_insert(still).now_height = height;
        }
    }

    /// How many of the validators 1 to `validators` hold shares at most; none before there are keys. `threshold` of them open a
    /// sum. `without`: those who are known to hold none beside the ledger.
    pub(crate) fn holders(&self, validators: u16, threshold: u16, without: &Validators) -> Option<u16> {
        let holds = |index: &u16| !self.lacking.contains(index) && !without.contains(index);
        let count = u16::try_from((1..=validators).filter(holds).count()).unwrap_or(u16::MAX);
        let too_few = self.has_failed || self.still.values().any(Still::counts);
        let most = if too_few { threshold.saturating_sub(1) } else { u16::MAX };
        self.has_keys.then_some(count.min(most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use veilgrid_crypto::keygen::Task;
    use veilgrid_market::{Purpose, SumKind, SumRequest};

    /// Of five validators.
    const T: u16 = 4;

    fn keys(roll: &mut ShareRoll, session: u64, lacking: &[u16]) {
        let (task, keys_digest, excluded, lacking) = (Task::Refresh, [0; 32], vec![], lacking.to_vec());
        roll.note(&Effect::KeysAgreed { session, task, keys_digest, dealers: 5, excluded, lacking });
        roll.note(&Effect::KeysInForce { session });
    }

    fn set(indices: &[u16]) -> Validators {
        indices.iter().copied().collect()
    }

    fn waiting(round_id: u64, missing: u16) -> BTreeMap<u64, u16> {
        [(round_id, missing)].into()
    }

    #[test]
    fn who_got_no_shares_in_the_session_in_force_does_not_count() {
        let mut roll = ShareRoll::default();
        assert_eq!(roll.holders(5, T, &set(&[])), None, "no keys");
        keys(&mut roll, 1, &[]);
        assert_eq!(roll.holders(5, T, &set(&[])), Some(5));
        let (task, keys_digest, excluded, lacking) = (Task::Refresh, [0; 32], vec![], vec![2]);
        roll.note(&Effect::KeysAgreed { session: 2, task, keys_digest, dealers: 5, excluded, lacking });
        assert_eq!(roll.holders(5, T, &set(&[])), Some(5), "not in force yet");
        roll.note(&Effect::KeysInForce { session: 2 });
        assert_eq!(roll.holders(5, T, &set(&[])), Some(4));
        assert_eq!(roll.holders(5, T, &set(&[2])), Some(4), "nobody counts twice");
        assert_eq!(roll.holders(5, T, &set(&[3])), Some(3), "by its own word");
        keys(&mut roll, 3, &[]);
        assert_eq!(roll.holders(5, T, &set(&[])), Some(5));
    }

    /// n = 5: one missed the session, another runs an old folder, which only the opening shows.
    #[test]
    fn an_opening_that_stands_still_tells_that_too_few_are_left() {
        let mut roll = ShareRoll::default();
        keys(&mut roll, 1, &[2]);
        for height in 100..100 + STILL_BLOCKS {
            roll.look_at(height, waiting(7, 4));
            assert_eq!(roll.holders(5, T, &set(&[])), Some(4), "they may be on their way");
        }
        roll.look_at(100 + STILL_BLOCKS, waiting(7, 4));
        assert_eq!(roll.holders(5, T, &set(&[])), Some(3));
        assert_eq!(roll.holders(5, T, &set(&[1, 3, 5])), Some(1), "what is known of validators says more");
        // Some have come: the count begins anew, because the others may follow.
        roll.look_at(106, waiting(7, 1));
        assert_eq!(roll.holders(5, T, &set(&[])), Some(4));
        roll.look_at(107, BTreeMap::new());
        assert_eq!(roll.holders(5, T, &set(&[])), Some(4));
    }

    #[test]
    fn a_failed_opening_is_remembered_until_one_succeeds_or_the_keys_change() {
        let mut roll = ShareRoll::default();
        keys(&mut roll, 1, &[]);
        let fail = |roll: &mut ShareRoll, last_height| {
            roll.look_at(10, waiting(7, 4));
            roll.look_at(last_height, waiting(7, 4));
            roll.note(&Effect::Voided { round_id: 7, reason: VoidReason::OpeningDeadline, bids: 3 });
            roll.look_at(last_height + 1, BTreeMap::new());
        };
        fail(&mut roll, 10);
        assert_eq!(
            roll.holders(5, T, &set(&[])),
            Some(5),
            "void in the first block after a pause of everybody"
        );
        fail(&mut roll, 20);
        assert_eq!(roll.holders(5, T, &set(&[])), Some(3));
        let mut renewed = roll.clone();
        keys(&mut renewed, 2, &[]);
        assert_eq!(renewed.holders(5, T, &set(&[])), Some(5));
        let request = SumRequest { kind: SumKind::W, tick: 0, purpose: Purpose::Path };
        roll.note(&Effect::ValueOpened { round_id: 8, opening_index: 0, request, value_wh: 1 });
        assert_eq!(roll.holders(5, T, &set(&[])), Some(5));
    }
}
