//! Whose clock is wrong: the times of proposed blocks against the validator's own clock.
//!
//! A block whose time is further from a voter's clock than the market allows gets no vote. When few proposers are off,
//! their clocks are wrong; when more are off than can be faulty, the voter's is, for one of them is honest.

use std::collections::BTreeMap;

/// What a proposer's last block said is forgotten after this long, in milliseconds.
const REMEMBERED_MS: u64 = 120_000;

/// A consensus key.
type Key = [u8; 32];

/// The last difference of each proposer, block time less the validator's clock.
#[derive(Debug, Default)]
pub struct Clocks {
    seen: BTreeMap<Key, Seen>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    offset_ms: i64,
    at_unix_ms: u64,
}

/// What the differences say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClockVerdict {
    /// All proposers are near.
    Sound,
    /// These are not, and are this far ahead of the validator's clock (negative: behind), in milliseconds.
    Others(Vec<(Key, i64)>),
    /// The validator's own clock is off by at least this much (negative: it is behind), in milliseconds.
    Own(i64),
}

impl Clocks {
    /// Notes the block time of a proposal, which is `block_unix_ms` where the validator's clock says `now_unix_ms`.
    pub fn note(&mut self, proposer: Key, block_unix_ms: u64, now_unix_ms: u64) {
        let difference = i128::from(block_unix_ms) - i128::from(now_unix_ms);
        let far = if difference > 0 { i64::MAX } else { i64::MIN };
        let offset_ms = i64::try_from(difference).unwrap_or(far);
        self.seen.insert(proposer, Seen { offset_ms, at_unix_ms: now_unix_ms });
        self.seen.retain(|_, seen| now_unix_ms.abs_diff(seen.at_unix_ms) <= REMEMBERED_MS);
    }

    /// Judges with a bound of `skew_ms`, when up to `faults` validators may be faulty.
    pub fn verdict(&self, skew_ms: u64, faults: u16, now_unix_ms: u64) -> ClockVerdict {
        let recent = |seen: &&Seen| now_unix_ms.abs_diff(seen.at_unix_ms) <= REMEMBERED_MS;
        let off = |offset_ms: i64| offset_ms.unsigned_abs() > skew_ms;
        for sign in [1, -1] {
            let recent = self.seen.values().filter(recent).map(|seen| seen.offset_ms);
            let mut same: Vec<i64> = recent.filter(|ms| off(*ms) && ms.signum() == sign).collect();
            same.sort_unstable_by_key(|ms| std::cmp::Reverse(ms.unsigned_abs()));
            // One of the f + 1 furthest is honest: the validator's clock is off by what the nearest of them says.
            if let Some(least) = same.get(usize::from(faults)) {
                return ClockVerdict::Own(least.saturating_neg());
            }
        }
        let others = self.seen.iter().filter(|(_, seen)| recent(seen) && off(seen.offset_ms));
        let others: Vec<_> = others.map(|(key, seen)| (*key, seen.offset_ms)).collect();
        if others.is_empty() { ClockVerdict::Sound } else { ClockVerdict::Others(others) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn verdict(offsets: &[i64], faults: u16) -> ClockVerdict {
        let mut clocks = Clocks::default();
        for (key, offset_ms) in (1..).zip(offsets) {
            clocks.note([key; 32], NOW.saturating_add_signed(*offset_ms), NOW);
        }
        clocks.verdict(2_000, faults, NOW)
    }

    #[test]
    fn few_that_are_off_are_named_and_many_are_right() {
        assert_eq!(verdict(&[0, 2_000, -2_000], 1), ClockVerdict::Sound);
        assert_eq!(verdict(&[0, 7_000, 30], 1), ClockVerdict::Others(vec![([2; 32], 7_000)]));
        // Ahead and behind do not agree with each other.
        let both = vec![([1; 32], -9_000), ([2; 32], 7_000)];
        assert_eq!(verdict(&[-9_000, 7_000, 30], 1), ClockVerdict::Others(both));
        assert_eq!(verdict(&[6_900, 7_000, 7_100], 1), ClockVerdict::Own(-7_000));
        assert_eq!(verdict(&[-6_900, -9_000_000, 30], 1), ClockVerdict::Own(6_900));
        // Of two liars and an honest one among seven, the liars alone say nothing about the validator's clock.
        assert_eq!(verdict(&[90_000, 90_000, 0], 2).clone(), {
            ClockVerdict::Others(vec![([1; 32], 90_000), ([2; 32], 90_000)])
        });
    }

    #[test]
    fn what_was_long_ago_is_forgotten_and_a_mended_clock_is_sound() {
        let mut clocks = Clocks::default();
        clocks.note([1; 32], NOW + 9_000, NOW);
        clocks.note([2; 32], NOW + 9_000, NOW);
        assert_eq!(clocks.verdict(2_000, 1, NOW), ClockVerdict::Own(-9_000));
        assert_eq!(clocks.verdict(2_000, 1, NOW + REMEMBERED_MS + 1), ClockVerdict::Sound);
        clocks.note([1; 32], NOW + 1, NOW);
        clocks.note([2; 32], NOW + 1, NOW);
        assert_eq!(clocks.verdict(2_000, 1, NOW), ClockVerdict::Sound);
        clocks.note([3; 32], u64::MAX, NOW);
        assert!(matches!(clocks.verdict(2_000, 1, NOW), ClockVerdict::Others(_)));
    }
}
