//! The sums of a frozen set of days: for each slot R_tot and X over the accounts that have a reading there.

use super::day_point::DayVector;
use crate::fast::Totals;
use crate::labels;
use curve25519_dalek::ristretto::RistrettoPoint;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The sums over all verified days of a set, in the order in which they were added.
#[derive(Clone, Default)]
pub struct DayTally {
    /// By the slots that the vectors have: each list's R_tot, X of those slots, and how many vectors.
    by_slots: BTreeMap<Vec<usize>, (Totals, u64)>,
    count: u64,
    set: [u8; 32],
}

/// What is opened of a slot: (R_tot, X) is a ciphertext of the sum of its readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotSum {
    /// Sum of the R of the vectors that have the slot.
    pub r_total: RistrettoPoint,
    /// Sum of their C_k.
    pub c_total: RistrettoPoint,
    /// How many they are.
    pub accounts: u64,
}

impl DayTally {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a day. Only what was verified can enter.
    pub fn add<'a>(&mut self, day: impl Into<DayVector<'a>>) {
        let DayVector { slots, digest, points } = day.into();
        let new = || (Totals::new(points.len()), 0);
        let (totals, count) = self.by_slots.entry(slots.to_vec()).or_insert_with(new);
        totals.add(points);
        *count += 1;
        self.count += 1;
        let mut hash = Sha256::new();
        hash.update(labels::READING_SET);
        hash.update(self.set);
        hash.update(digest);
        self.set = hash.finalize().into();
    }

    /// Number of days.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Running digest over the days' digests: what every opening share of the set is bound to.
    pub fn set(&self) -> [u8; 32] {
        self.set
    }

    /// The sum of a slot, from 0; none where nobody has a reading.
    pub fn slot(&self, slot: usize) -> Option<SlotSum> {
        let with_slot = self.by_slots.iter().filter_map(|(slots, (totals, count))| {
            let place = slots.binary_search(&slot).ok()?;
            Some(SlotSum { r_total: totals.get(0), c_total: totals.get(place + 1), accounts: *count })
        });
        with_slot.reduce(|a, b| SlotSum {
            r_total: a.r_total + b.r_total,
            c_total: a.c_total + b.c_total,
            accounts: a.accounts + b.accounts,
        })
    }
}
