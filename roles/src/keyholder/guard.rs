//! What a validator has released: one set of bids per slot, for ever.
//!
//! # Security
//! Two final histories of one ledger are a fork of the engine or a validator that was set back to a backup. Shares for
//! both would open two sums that differ by a few bids, and their difference shows those bids. So the first set of bids
//! that a validator releases a share for is the only one of its slot, whatever the ledger says later.

use super::bytes::{Sink, read_list, read_option};
use std::collections::BTreeMap;
use veilgrid_crypto::opening::{OPENING_SHARE_BYTES, OpeningShare};
use veilgrid_crypto::wire::{Reader, WireError};
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::money::forced::{FORCED_CLAIMS, REMEMBERED_ROUNDS};

/// Slots whose set of bids is remembered. Many times the rounds that are active at once; slots at or before one that
/// was forgotten are refused, so forgetting opens nothing.
const REMEMBERED_SLOTS: usize = REMEMBERED_ROUNDS as usize;
/// More openings than any search over a grid has.
const MAX_OPENINGS: usize = 256;

/// What was released for one slot.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Slot {
    round_id: u64,
    bid_set: Hash,
    /// By number of the opening: the session whose shares made it, and the share. Only while the round is active.
    shares: BTreeMap<u32, (u64, OpeningShare)>,
}

/// What was released, by start of the slot (seconds since 1970 UTC).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ReleaseGuard {
    slots: BTreeMap<i64, Slot>,
    /// Slots up to this one are forgotten.
    forgotten_unix_s: Option<i64>,
}

/// Whether a share may be released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ruling {
    /// The first share of the slot: the guard is new.
    First,
    /// A share for the set of bids that the guard names.
    Same,
    /// Another set of bids, or a slot that was forgotten.
    Refused,
}

impl ReleaseGuard {
    /// Rules on a share for this slot, round and set of bids.
    pub(super) fn rule(&self, slot_start_unix_s: i64, round_id: u64, bid_set: &Hash) -> Ruling {
        match self.slots.get(&slot_start_unix_s) {
            Some(slot) if slot.round_id == round_id && slot.bid_set == *bid_set => Ruling::Same,
            Some(_) => Ruling::Refused,
            None if self.forgotten_unix_s.is_some_and(|until| slot_start_unix_s <= until) => Ruling::Refused,
            None => Ruling::First,
        }
    }

    /// The share that was released for an opening from the shares of session `sharing`.
    pub(super) fn released(
        &self,
        slot_start_unix_s: i64,
        opening: u32,
        sharing: u64,
    ) -> Option<OpeningShare> {
        let (made_from, share) = self.slots.get(&slot_start_unix_s)?.shares.get(&opening)?;
        (*made_from == sharing).then_some(*share)
    }

    /// Records a share that [`Self::rule`] allows.
    pub(super) fn record(
        &mut self,
        slot_start_unix_s: i64,
        round_id: u64,
        bid_set: Hash,
        opening: u32,
        made: (u64, OpeningShare),
    ) {
        let first = || Slot { round_id, bid_set, shares: BTreeMap::new() };
        let shares = &mut self.slots.entry(slot_start_unix_s).or_insert_with(first).shares;
        if opening >= FORCED_CLAIMS {
            // Claims are asked for one after another: the one before is made.
            shares.retain(|other, _| *other < FORCED_CLAIMS);
        }
        shares.insert(opening, made);
    }

    /// Forgets the shares of rounds that are over and, beyond the bound, the oldest slots. `active` is rising.
    pub(super) fn trim(&mut self, active: &[u64]) -> bool {
        let before = self.shares() + self.slots.len();
        for slot in self.slots.values_mut().filter(|slot| active.binary_search(&slot.round_id).is_err()) {
            slot.shares.clear();
        }
        while self.slots.len() > REMEMBERED_SLOTS {
            let Some((start, _)) = self.slots.pop_first() else { break };
            self.forgotten_unix_s = Some(self.forgotten_unix_s.map_or(start, |until| until.max(start)));
        }
        before != self.shares() + self.slots.len()
    }

    fn shares(&self) -> usize {
        self.slots.values().map(|slot| slot.shares.len()).sum()
    }

    pub(super) fn write(&self, sink: &mut Sink) {
        sink.option(self.forgotten_unix_s, Sink::i64);
        sink.length(self.slots.len());
        for (start, slot) in &self.slots {
            sink.i64(*start);
            sink.u64(slot.round_id);
            sink.bytes(&slot.bid_set);
            sink.length(slot.shares.len());
            for (opening, (sharing, share)) in &slot.shares {
                sink.u32(*opening);
                sink.u64(*sharing);
                sink.bytes(&share.to_bytes());
            }
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let forgotten_unix_s = read_option(r, |r| r.i64("forgotten slots"))?;
        let slots = read_list(r, "guarded slots", REMEMBERED_SLOTS, 52, |r| {
            let (start, round_id) = (r.i64("slot start")?, r.u64("round id")?);
            let bid_set = r.array("bid set")?;
            let shares = read_list(r, "released shares", MAX_OPENINGS, 12 + OPENING_SHARE_BYTES, |r| {
                let (opening, sharing) = (r.u32("opening")?, r.u64("sharing")?);
                let share = OpeningShare::from_bytes(r.bytes("opening share", OPENING_SHARE_BYTES)?)?;
                Ok((opening, (sharing, share)))
            })?;
            rising("released shares", &shares)?;
            Ok((start, Slot { round_id, bid_set, shares: shares.into_iter().collect() }))
        })?;
        rising("guarded slots", &slots)?;
        Ok(Self { slots: slots.into_iter().collect(), forgotten_unix_s })
    }
}

fn rising<K: PartialOrd, V>(field: &'static str, list: &[(K, V)]) -> Result<(), WireError> {
    if list.is_sorted_by(|a, b| a.0 < b.0) {
        Ok(())
    } else {
        Err(WireError::Invalid { field, why: "not in rising order" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(validator: u16) -> OpeningShare {
        OpeningShare { validator, point: [1; 32], challenge: [2; 32], response: [3; 32] }
    }

    fn round_trip(guard: &ReleaseGuard) -> ReleaseGuard {
        let bytes = Sink::collect(|sink| guard.write(sink));
        let mut r = Reader::new(bytes.expose());
        let read = ReleaseGuard::read(&mut r).expect("decodes");
        r.finish().expect("nothing left");
        read
    }

    #[test]
    fn a_slot_has_one_set_of_bids() {
        let mut guard = ReleaseGuard::default();
        assert_eq!(guard.rule(900, 1, &[1; 32]), Ruling::First);
        guard.record(900, 1, [1; 32], 0, (5, share(1)));
        assert_eq!(guard.rule(900, 1, &[1; 32]), Ruling::Same);
        assert_eq!(guard.rule(900, 1, &[2; 32]), Ruling::Refused);
        assert_eq!(guard.rule(900, 2, &[1; 32]), Ruling::Refused);
        assert_eq!(guard.rule(1800, 2, &[2; 32]), Ruling::First);
        assert_eq!(round_trip(&guard), guard);
    }

    #[test]
    fn a_share_is_of_one_sharing() {
        let mut guard = ReleaseGuard::default();
        guard.record(900, 1, [1; 32], 3, (5, share(1)));
        assert_eq!(guard.released(900, 3, 5), Some(share(1)));
        assert_eq!(guard.released(900, 3, 6), None);
        assert_eq!(guard.released(900, 2, 5), None);
    }

    #[test]
    fn memory_is_bounded_and_what_is_forgotten_is_refused() {
        let mut guard = ReleaseGuard::default();
        for k in 0..REMEMBERED_SLOTS as u64 + 5 {
            let start = i64::try_from(k).expect("small") * 900;
            guard.record(start, k, [1; 32], 0, (1, share(1)));
            guard.trim(&[k]);
        }
        assert_eq!(guard.slots.len(), REMEMBERED_SLOTS);
        assert_eq!(guard.shares(), 1, "shares of rounds that are over are dropped");
        // Slots 0..=4 are forgotten and can't be told from fresh ones.
        for start in [-900, 0, 450, 4 * 900] {
            assert_eq!(guard.rule(start, 1, &[1; 32]), Ruling::Refused, "{start}");
        }
        assert_eq!(guard.rule(5 * 900, 5, &[1; 32]), Ruling::Same);
        assert_eq!(guard.rule(5 * 900, 5, &[2; 32]), Ruling::Refused);
        assert_eq!(round_trip(&guard), guard);
    }
}
