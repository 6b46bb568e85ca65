//! Small discrete logarithms: from an opened point `value·V` back to `value` (specification section 2).
//!
//! Baby-step giant-step (Shanks): a table holds j·V for 0 <= j < T; the solver looks up P − i·T·V for i = 0, −1, 1,
//! −2, 2, … and answers i·T + j, so its time grows with |value| / T and not with the bound. Opened values are
//! public: nothing here is constant time.

use crate::group::{scalar_from_i64, value_base};
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity;
use rayon::prelude::*;

/// The largest bound that a table serves.
pub const MAX_BOUND: u64 = 1 << 40;
/// The largest table, 24 MiB.
const MAX_ENTRIES: u64 = 1 << 20;
/// The largest table of [`SmallLog::for_fast_answers`], 96 MiB.
const MAX_FAST_ENTRIES: u64 = 1 << 22;
/// The smallest table: below this the set-up is lost in the noise.
const MIN_ENTRIES: u64 = 1 << 8;
/// Points whose encodings share one field inversion.
const CHUNK: usize = 256;
/// Entries that one task of the parallel set-up computes.
const BUILD_CHUNK: u64 = 1 << 12;
/// Marks a free slot; real fingerprints are odd.
const FREE: u64 = 0;

/// A table that finds `value` from `value·V` for |value| <= bound. It depends on the bound alone; share it (`Arc`)
/// among all who open sums of one market.
pub struct SmallLog {
    bound: u64,
    entries: u64,
    /// Open addressing at half load: fingerprint of the encoding of j·V, and j beside it.
    fingerprints: Vec<u64>,
    baby_steps: Vec<u32>,
    base: RistrettoPoint,
    /// T·V / 2; see [`encode_doubled`].
    half_giant: RistrettoPoint,
}

impl SmallLog {
    /// Builds the table for values in [−bound, bound]: about √(2·bound) entries, at most 2^20, which balances set-up
    /// and search. A bound above [`MAX_BOUND`] is cut to it, and then the values beyond are not found.
    pub fn new(bound: u64) -> Self {
        let balanced = (2 * bound.min(MAX_BOUND)).isqrt().next_power_of_two();
        Self::with_entries(bound, balanced.min(MAX_ENTRIES))
    }

    /// A table that is 32 times as large, at most 2^22 entries (96 MiB): it takes seconds to build once and answers in
    /// a millisecond or two, for a node that opens many sums and wants them cleared at once.
    pub fn for_fast_answers(bound: u64) -> Self {
        let balanced = (2 * bound.min(MAX_BOUND)).isqrt().next_power_of_two();
        Self::with_entries(bound, (balanced * 32).min(MAX_FAST_ENTRIES))
    }

    fn with_entries(bound: u64, entries: u64) -> Self {
        let bound = bound.min(MAX_BOUND);
        let entries = entries.max(MIN_ENTRIES);
        let base = value_base();
        let half_base = base * half();
        let slots = usize::try_from(2 * entries).expect("the table has at most 2^23 slots");
        let mut log = Self {
            bound,
            entries,
            fingerprints: vec![FREE; slots],
            baby_steps: vec![0; slots],
            base,
            half_giant: half_base * Scalar::from(entries),
        };
        let starts: Vec<u64> = (0..entries).step_by(BUILD_CHUNK as usize).collect();
        let encoded: Vec<Vec<CompressedRistretto>> = starts
            .par_iter()
            .map(|&start| encode_steps(&half_base, start, BUILD_CHUNK.min(entries - start)))
            .collect();
        // In order of j on one thread, so that the table is the same on every machine.
        for (j, encoding) in (0u32..).zip(encoded.iter().flatten()) {
            log.insert(fingerprint(encoding), j);
        }
        log
    }

    /// The largest |value| that is found.
    pub fn bound(&self) -> u64 {
        self.bound
    }

    /// The value with `point` = value·V, or none when |value| would be above the bound.
    pub fn solve(&self, point: &RistrettoPoint) -> Option<i64> {
        let last = i64::try_from(self.bound / self.entries).ok()?;
        let (mut up, mut down) = (point * half(), point * half() + self.half_giant);
        let mut giants = Vec::with_capacity(CHUNK);
        let mut halves = Vec::with_capacity(CHUNK);
        for i in 0..=last {
            giants.extend([i, -i - 1]);
            halves.extend([up, down]);
            up -= self.half_giant;
            down += self.half_giant;
            if giants.len() >= CHUNK || i == last {
                if let Some(value) = self.look_up(point, &giants, &halves) {
                    return Some(value);
                }
                giants.clear();
                halves.clear();
            }
        }
        None
    }

    /// Looks the giant steps of one chunk up in the table; a hit by fingerprint is checked against the point.
    fn look_up(&self, point: &RistrettoPoint, giants: &[i64], halves: &[RistrettoPoint]) -> Option<i64> {
        let entries = i64::try_from(self.entries).ok()?;
        for (giant, encoding) in giants.iter().zip(encode_doubled(halves)) {
            let wanted = fingerprint(&encoding);
            let mut slot = self.slot(wanted);
            while self.fingerprints[slot] != FREE {
                if self.fingerprints[slot] == wanted {
                    let value = giant.checked_mul(entries)?.checked_add(self.baby_steps[slot].into())?;
                    if value.unsigned_abs() <= self.bound && scalar_from_i64(value) * self.base == *point {
                        return Some(value);
                    }
                }
                slot = (slot + 1) % self.fingerprints.len();
            }
        }
        None
    }

    fn insert(&mut self, fingerprint: u64, baby_step: u32) {
        let mut slot = self.slot(fingerprint);
        while self.fingerprints[slot] != FREE {
            slot = (slot + 1) % self.fingerprints.len();
        }
        self.fingerprints[slot] = fingerprint;
        self.baby_steps[slot] = baby_step;
    }

    fn slot(&self, fingerprint: u64) -> usize {
        // The number of slots is a power of two; bit 0 of a fingerprint is always set.
        (fingerprint >> 1) as usize & (self.fingerprints.len() - 1)
    }
}

/// 1/2 modulo the group order.
fn half() -> Scalar {
    Scalar::from(2u8).invert()
}

/// Encodes 2·P for each P. Only the encoding of doubles can be computed with a shared inversion, so that the callers
/// walk in halves.
fn encode_doubled(halves: &[RistrettoPoint]) -> Vec<CompressedRistretto> {
    RistrettoPoint::double_and_compress_batch(halves)
}

/// Encodings of j·V for `count` values j from `start` on.
fn encode_steps(half_base: &RistrettoPoint, start: u64, count: u64) -> Vec<CompressedRistretto> {
    let mut point = if start == 0 { RistrettoPoint::identity() } else { half_base * Scalar::from(start) };
    let mut encoded = Vec::with_capacity(count as usize);
    let mut halves = Vec::with_capacity(CHUNK);
    for done in 1..=count {
        halves.push(point);
        point += half_base;
        if halves.len() == CHUNK || done == count {
            encoded.extend(encode_doubled(&halves));
            halves.clear();
        }
    }
    encoded
}

/// Eight bytes from the middle of an encoding, made odd.
fn fingerprint(encoding: &CompressedRistretto) -> u64 {
    let bytes = encoding.as_bytes();
    let mut middle = [0u8; 8];
    middle.copy_from_slice(&bytes[8..16]);
    u64::from_le_bytes(middle) | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(value: i64) -> RistrettoPoint {
        scalar_from_i64(value) * value_base()
    }

    #[test]
    fn every_value_of_a_small_bound_and_no_other() {
        let log = SmallLog::new(1_000);
        for value in -1_000..=1_000 {
            assert_eq!(log.solve(&point(value)), Some(value));
        }
        for value in [-1_001, 1_001, 5_000, -5_000] {
            assert_eq!(log.solve(&point(value)), None);
        }
    }

    #[test]
    fn edges_of_tables_and_bounds() {
        for bound in [0u64, 1, 255, 256, 257, 1 << 23, (1 << 23) + 1] {
            let log = SmallLog::new(bound);
            let edge = bound as i64;
            let t = log.entries as i64;
            for value in [0, 1, -1, edge, -edge, edge - 1, 1 - edge, t, -t, t - 1, 1 - t, t + 1, -t - 1] {
                let expected = (value.unsigned_abs() <= bound).then_some(value);
                assert_eq!(log.solve(&point(value)), expected, "{value} with bound {bound}");
            }
            assert_eq!(log.solve(&point(edge + 1)), None);
            assert_eq!(log.solve(&point(-edge - 1)), None);
        }
    }

    #[test]
    fn a_point_off_the_value_base_is_not_found() {
        let log = SmallLog::new(1 << 12);
        assert_eq!(log.solve(&curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT), None);
    }

    #[test]
    fn large_values_with_the_capped_table() {
        let log = SmallLog::new(u64::MAX);
        assert_eq!((log.bound(), log.entries), (MAX_BOUND, MAX_ENTRIES));
        for value in [1i64 << 31, -(1 << 31) + 12_345] {
            assert_eq!(log.solve(&point(value)), Some(value));
        }
    }
}
