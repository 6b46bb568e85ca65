//! When rounds open, close and end: by block time and by numbers of blocks, the same for everybody.
//!
//! ```text
//! open      last promise   close            CloseRound         deadline
//!  |--- bidding ---|---------|--- grace blocks ---|--- opening ----|  void
//! ```
//!
//! Nothing is promised from two skews before the close on, because a leader whose clock is fast begins the grace early.
//! What was promised before enters the ledger in the grace blocks: so many that one of their proposers is honest
//! ([`RoundTiming::grace_among`]). A round that is not cleared at its deadline is void.

use thiserror::Error;
use veilgrid_crypto::keygen::Group;
use veilgrid_crypto::wire::{Reader, WireError, Writer};

/// The most blocks of a phase of a key session, of the grace, and the fewest of an engine epoch.
const MAX_BLOCKS: u32 = 10_000;

/// Blocks of a phase of a key session besides those of faulty proposers: the one that shows that the phase has begun, a
/// package, its delivery, and one for messages that come a block late.
pub const PHASE_BLOCKS: u32 = 4;

/// Fewest blocks of a phase, in the smallest network, which bears one faulty validator.
const LEAST_PHASE_BLOCKS: u32 = PHASE_BLOCKS + 1;

/// Longest time between two rounds, in milliseconds: a day.
const MAX_INTERVAL_MS: u64 = 24 * 60 * 60 * 1000;

/// The times of the rounds. Part of the market's parameters, so that every bid is bound to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundTiming {
    /// Round 1 opens in the first block at or after this time, milliseconds since 1970 UTC.
    pub first_open_unix_ms: u64,
    /// From one round's opening to the next one's, in milliseconds.
    pub interval_ms: u64,
    /// How long a round takes bids, in milliseconds; at most the interval.
    pub bidding_ms: u64,
    /// Blocks from the first one at or after the close to the block that closes the round; f + 1 when that is more, and
    /// f more when an epoch ends among them ([`RoundTiming::grace_among`]).
    pub grace_blocks: u32,
    /// A round that is not cleared this long after its close is void, in milliseconds.
    pub opening_deadline_ms: u64,
    /// An opening that has made no progress for this long is suspended, in milliseconds: blocks come slowly again.
    pub suspend_after_ms: u64,
    /// Start of the slot that round 1 trades, seconds since 1970 UTC; round k trades the (k−1)-th after it.
    pub first_slot_start_unix_s: i64,
    /// Blocks of an engine epoch: shares are renewed in each, a new set of validators begins with one.
    pub epoch_blocks: u64,
    /// Blocks that each phase of a key session lasts at most; f + 4 when that is more, so that faulty proposers can't use
    /// a phase up ([`RoundTiming::phase_blocks`]).
    pub keygen_phase_blocks: u32,
    /// Most that a block's time may differ from a voter's clock, in milliseconds.
    pub max_clock_skew_ms: u64,
}

/// Times that do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TimingError {
    /// "Rounds follow each other within a day, and each takes bids for some time before the next one opens."
    #[error(
        "rounds every {interval_ms} ms with {bidding_ms} ms of bidding: 1 <= bidding <= interval <= one day"
    )]
    Interval {
        /// Stated interval.
        interval_ms: u64,
        /// Stated bidding time.
        bidding_ms: u64,
    },
    /// "Grace has at least one block and a bound."
    #[error(
        "{grace_blocks} grace blocks: choose 1 to {MAX_BLOCKS}; it is f + 1 when that is more, and f more over an epoch's end"
    )]
    Grace {
        /// Stated number.
        grace_blocks: u32,
    },
    /// "A round has time to be opened, at most a day."
    #[error("the opening deadline is {opening_deadline_ms} ms: choose 1 ms to one day")]
    Deadline {
        /// Stated deadline.
        opening_deadline_ms: u64,
    },
    /// "A phase of a key session has room for what honest validators say in it, and a bound."
    #[error("{blocks} blocks for a phase of a key session: choose {LEAST_PHASE_BLOCKS} to {MAX_BLOCKS}")]
    Phase {
        /// Stated number.
        blocks: u32,
    },
    /// "A key session fits into an epoch."
    #[error("epochs of {epoch_blocks} blocks: a key session of {session_blocks} has to fit in")]
    Epoch {
        /// Stated length.
        epoch_blocks: u64,
        /// Four phases and the blocks between them.
        session_blocks: u64,
    },
    /// "Voters allow some difference of clocks, at most a minute."
    #[error("a clock skew of {max_clock_skew_ms} ms: choose 1 to 60000")]
    Skew {
        /// Stated bound.
        max_clock_skew_ms: u64,
    },
    /// "Bidding and opening last longer than one leader can shift the time of its block: by the skew before the voters'
    /// clocks, and by the skew behind them."
    #[error(
        "{what} of {ms} ms with a clock skew of {max_clock_skew_ms} ms: a leader could skip it; choose more than twice \
         the skew"
    )]
    Skippable {
        /// What is too short.
        what: &'static str,
        /// Its stated length.
        ms: u64,
        /// Stated bound of the skew.
        max_clock_skew_ms: u64,
    },
    /// "Slots are instants of the calendar, in whole slots."
    #[error(
        "the first slot starts at {start_unix_s} s: it has to be a multiple of the slot length after 1970"
    )]
    Slot {
        /// Stated start.
        start_unix_s: i64,
    },
}

impl RoundTiming {
    /// Checks the rules above.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn check(&self, slot_seconds: u32) -> Result<(), TimingError> {
        let Self { interval_ms, bidding_ms, grace_blocks, opening_deadline_ms, .. } = *self;
        if bidding_ms == 0 || bidding_ms > interval_ms || interval_ms > MAX_INTERVAL_MS {
            return Err(TimingError::Interval { interval_ms, bidding_ms });
        }
        if !(1..=MAX_BLOCKS).contains(&grace_blocks) {
            return Err(TimingError::Grace { grace_blocks });
        }
        if !(1..=MAX_INTERVAL_MS).contains(&opening_deadline_ms) {
            return Err(TimingError::Deadline { opening_deadline_ms });
        }
        let blocks = self.keygen_phase_blocks;
        if !(LEAST_PHASE_BLOCKS..=MAX_BLOCKS).contains(&blocks) {
            return Err(TimingError::Phase { blocks });
        }
        self.check_epoch(blocks)?;
        let max_clock_skew_ms = self.max_clock_skew_ms;
        if !(1..=60_000).contains(&max_clock_skew_ms) {
            return Err(TimingError::Skew { max_clock_skew_ms });
        }
        let skippable = |ms: u64| ms <= max_clock_skew_ms.saturating_mul(2);
        let all = [("bidding", bidding_ms), ("an opening deadline", opening_deadline_ms)];
        if let Some((what, ms)) = all.into_iter().find(|(_, ms)| skippable(*ms)) {
            return Err(TimingError::Skippable { what, ms, max_clock_skew_ms });
        }
        let start_unix_s = self.first_slot_start_unix_s;
        if start_unix_s < 0 || start_unix_s % i64::from(slot_seconds.max(1)) != 0 {
            return Err(TimingError::Slot { start_unix_s });
        }
        Ok(())
    }

    /// "A key session fits into an epoch", with phases of this many blocks.
    ///
    /// # Errors
    /// [`TimingError::Epoch`].
    pub(crate) fn check_epoch(&self, phase_blocks: u32) -> Result<(), TimingError> {
        let session_blocks = u64::from(phase_blocks).saturating_add(1).saturating_mul(4).saturating_add(4);
        let epoch_blocks = self.epoch_blocks;
        if epoch_blocks < session_blocks || epoch_blocks > u64::from(u32::MAX) {
            return Err(TimingError::Epoch { epoch_blocks, session_blocks });
        }
        Ok(())
    }

    /// When a round opens, Unix milliseconds; none for round 0 and beyond the calendar.
    pub fn open_ms(&self, round_id: u64) -> Option<u64> {
        let before = round_id.checked_sub(1)?;
        before.checked_mul(self.interval_ms)?.checked_add(self.first_open_unix_ms)
    }

    /// When a round's bidding ends, Unix milliseconds.
    pub fn close_ms(&self, round_id: u64) -> Option<u64> {
        self.open_ms(round_id)?.checked_add(self.bidding_ms)
    }

    /// When nodes stop promising bids a place in a round, Unix milliseconds of their own clocks: two skews before its
    /// close. Voters take a block that is ahead of their clocks by the skew, and their clocks may be ahead of the
    /// promising node's by as much; so no block of the grace was voted for yet when a promise is signed.
    pub fn last_promise_ms(&self, round_id: u64) -> Option<u64> {
        let early_ms = self.max_clock_skew_ms.saturating_mul(2);
        // Bidding is longer than that (`Skippable`), so this is after the opening.
        Some(self.close_ms(round_id)?.saturating_sub(early_ms))
    }

    /// When a round that is not cleared is void, Unix milliseconds.
    pub fn deadline_ms(&self, round_id: u64) -> Option<u64> {
        self.close_ms(round_id)?.checked_add(self.opening_deadline_ms)
    }

    /// Start of the slot that a round trades, Unix seconds.
    pub fn slot_start_unix_s(&self, round_id: u64, slot_seconds: u32) -> Option<i64> {
        let before = i64::try_from(round_id.checked_sub(1)?).ok()?;
        before.checked_mul(i64::from(slot_seconds))?.checked_add(self.first_slot_start_unix_s)
    }

    /// The round that takes bids at this time: open <= time < close.
    pub fn round_at(&self, time_unix_ms: u64) -> Option<u64> {
        let since = time_unix_ms.checked_sub(self.first_open_unix_ms)?;
        let round_id = since.checked_div(self.interval_ms)?.checked_add(1)?;
        (time_unix_ms < self.close_ms(round_id)?).then_some(round_id)
    }

    /// The last round whose bidding is over at this time: close <= time.
    pub fn closed_by(&self, time_unix_ms: u64) -> Option<u64> {
        let first_close_ms = self.first_open_unix_ms.checked_add(self.bidding_ms)?;
        let since = time_unix_ms.checked_sub(first_close_ms)?;
        since.checked_div(self.interval_ms)?.checked_add(1)
    }

    /// Blocks that a phase of a key session among these groups lasts at most. Validators may have become more than those
    /// for whom the market's number was chosen.
    pub fn phase_blocks(&self, groups: [Group; 2]) -> u32 {
        let faults = groups.iter().map(Group::faults).max().unwrap_or(0);
        self.keygen_phase_blocks.max(u32::from(faults).saturating_add(PHASE_BLOCKS))
    }

    /// Blocks of a round's grace when they are all of one epoch, led by `first`, or when an epoch ends among them and
    /// `second` lead the rest.
    ///
    /// Leaders take turns, (epoch + view) mod n, and the views restart with each epoch. So f faulty ones lead f views in a
    /// row, and where an epoch ends up to f of the old and f of the new validators follow each other: f + 1 blocks of one
    /// epoch, or f + f + 1 over its end, have an honest proposer. A third epoch can't matter, since a whole epoch is
    /// longer than f ([`RoundTiming::has_an_honest_block`]).
    ///
    /// The f blocks more come on top of what the market asks for. So whatever its number is, over an epoch's end the grace
    /// has as many honest proposers as within one.
    pub fn grace_among(&self, first: Group, second: Option<Group>) -> u64 {
        let within = u64::from(self.grace_blocks).max(u64::from(first.faults()).saturating_add(1));
        within.saturating_add(second.map_or(0, |second| second.faults().into()))
    }

    /// Blocks of honest proposers that the grace of a round holds for sure, wherever in an epoch of `first` it begins, when
    /// `second` lead the epoch after it.
    pub fn honest_grace_among(&self, first: Group, second: Group) -> u64 {
        let over_the_end = self.grace_among(first, Some(second));
        let split = |of_first: u64| {
            honest_blocks(of_first, first)
                .saturating_add(honest_blocks(over_the_end.saturating_sub(of_first), second))
        };
        let within = honest_blocks(self.grace_among(first, None), first);
        (1..over_the_end).map(split).min().unwrap_or(within).min(within)
    }

    /// Whether every epoch of these validators has a block of an honest proposer.
    pub fn has_an_honest_block(&self, group: Group) -> bool {
        self.epoch_blocks > group.faults().into()
    }

    /// The epoch of a height.
    pub fn epoch_of(&self, height: u64) -> u64 {
        height.checked_div(self.epoch_blocks).unwrap_or(0)
    }

    /// Whether an epoch begins with this height. The first epoch begins with block 0.
    pub fn begins_epoch(&self, height: u64) -> bool {
        height.checked_rem(self.epoch_blocks) == Some(0)
    }

    /// Appends the canonical encoding.
    pub(crate) fn write(&self, w: &mut Writer) {
        w.u64(self.first_open_unix_ms).u64(self.interval_ms).u64(self.bidding_ms).u32(self.grace_blocks);
        w.u64(self.opening_deadline_ms).u64(self.suspend_after_ms).i64(self.first_slot_start_unix_s);
        w.u64(self.epoch_blocks).u32(self.keygen_phase_blocks).u64(self.max_clock_skew_ms);
    }

    /// Reads the canonical encoding; the rules are not checked yet.
    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            first_open_unix_ms: r.u64("first opening")?,
            interval_ms: r.u64("interval")?,
            bidding_ms: r.u64("bidding time")?,
            grace_blocks: r.u32("grace blocks")?,
            opening_deadline_ms: r.u64("opening deadline")?,
            suspend_after_ms: r.u64("time to suspension")?,
            first_slot_start_unix_s: r.i64("first slot")?,
            epoch_blocks: r.u64("epoch length")?,
            keygen_phase_blocks: r.u32("phase length")?,
            max_clock_skew_ms: r.u64("clock skew")?,
        })
    }
}

/// Blocks of honest proposers among this many in a row of one epoch, at least.
fn honest_blocks(blocks: u64, group: Group) -> u64 {
    let (validators, faults) = (u64::from(group.validators).max(1), u64::from(group.faults()));
    let whole_turns = blocks.checked_div(validators).unwrap_or(0);
    let rest = blocks.checked_rem(validators).unwrap_or(0);
    let lost = whole_turns.saturating_mul(faults).saturating_add(rest.min(faults));
    blocks.saturating_sub(lost)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn timing() -> RoundTiming {
        RoundTiming {
            first_open_unix_ms: 1_000_000,
            interval_ms: 30_000,
            bidding_ms: 20_000,
            grace_blocks: 2,
            opening_deadline_ms: 60_000,
            suspend_after_ms: 5_000,
            first_slot_start_unix_s: 9_000,
            epoch_blocks: 100,
            keygen_phase_blocks: 20,
            max_clock_skew_ms: 2_000,
        }
    }

    fn refused(change: impl FnOnce(&mut RoundTiming)) -> Option<TimingError> {
        let mut timing = timing();
        change(&mut timing);
        timing.check(900).err()
    }

    #[test]
    fn each_rule_refuses() {
        assert_eq!(refused(|_| ()), None);
        assert!(matches!(refused(|t| t.bidding_ms = 0), Some(TimingError::Interval { .. })));
        assert!(matches!(refused(|t| t.bidding_ms = 30_001), Some(TimingError::Interval { .. })));
        assert!(matches!(refused(|t| t.interval_ms = u64::MAX), Some(TimingError::Interval { .. })));
        assert!(matches!(refused(|t| t.grace_blocks = 0), Some(TimingError::Grace { .. })));
        assert!(matches!(refused(|t| t.opening_deadline_ms = 0), Some(TimingError::Deadline { .. })));
        assert!(matches!(refused(|t| t.keygen_phase_blocks = 4), Some(TimingError::Phase { .. })));
        assert_eq!(refused(|t| t.keygen_phase_blocks = 5), None);
        assert!(matches!(refused(|t| t.epoch_blocks = 80), Some(TimingError::Epoch { .. })));
        assert!(matches!(refused(|t| t.max_clock_skew_ms = 0), Some(TimingError::Skew { .. })));
        assert!(matches!(refused(|t| t.first_slot_start_unix_s = 1), Some(TimingError::Slot { .. })));
        // A leader whose clock is as fast as allowed closes a round that voters with slow clocks have just opened.
        assert!(matches!(refused(|t| t.bidding_ms = 4_000), Some(TimingError::Skippable { ms: 4_000, .. })));
        assert_eq!(refused(|t| t.bidding_ms = 4_001), None);
        let deadline = refused(|t| t.opening_deadline_ms = 4_000);
        assert!(matches!(deadline, Some(TimingError::Skippable { ms: 4_000, .. })));
        assert_eq!(refused(|t| t.opening_deadline_ms = 4_001), None);
    }

    #[test]
    fn a_phase_outlasts_the_faulty_proposers_of_any_network() {
        let t = RoundTiming { keygen_phase_blocks: 6, ..timing() };
        let blocks = |dealers, receivers| t.phase_blocks([Group::of(dealers), Group::of(receivers)]);
        assert_eq!([blocks(4, 4), blocks(7, 4), blocks(7, 10), blocks(128, 4)], [6, 6, 7, 46]);
    }

    #[test]
    fn the_last_promise_is_two_skews_before_the_close() {
        assert_eq!(timing().last_promise_ms(3), Some(1_080_000 - 4_000));
        assert_eq!((timing().last_promise_ms(0), timing().last_promise_ms(u64::MAX)), (None, None));
        // Whatever times pass the check leave some time to bid.
        let least = RoundTiming { bidding_ms: 4_001, ..timing() };
        assert_eq!(least.check(900), Ok(()));
        assert!(least.last_promise_ms(3) > least.open_ms(3));
    }

    /// All places of an epoch at which grace can begin, and all validators that can be faulty there.
    #[test]
    fn of_the_blocks_of_a_grace_one_at_least_is_honest_wherever_an_epoch_ends() {
        for (old, new, grace_blocks) in
            [(4, 4, 1), (4, 7, 1), (7, 4, 1), (7, 7, 1), (7, 7, 6), (4, 4, 3), (10, 7, 2)]
        {
            let t = RoundTiming { grace_blocks, epoch_blocks: 28, ..timing() };
            let (old, new) = (Group::of(old), Group::of(new));
            let (within, over) = (t.grace_among(old, None), t.grace_among(old, Some(new)));
            let mut least = u64::MAX;
            // `of_old` blocks of the grace are of the old epoch, whose views may be any: views are skipped.
            for of_old in 0..=over {
                let total = if of_old >= within { within } else { over };
                for view in 0..u64::from(old.validators) {
                    let old_leaders =
                        (0..of_old.min(total)).map(|at| (view + at) % u64::from(old.validators));
                    let new_leaders =
                        (0..total.saturating_sub(of_old)).map(|at| at % u64::from(new.validators));
                    least = least.min(honest(old_leaders, old) + honest(new_leaders, new));
                }
            }
            assert!(least >= 1, "{old:?} {new:?} {grace_blocks}");
            assert!(least >= t.honest_grace_among(old, new), "{old:?} {new:?} {grace_blocks}: {least}");
        }
        let t = |grace_blocks| RoundTiming { grace_blocks, ..timing() };
        let (four, seven) = (Group::of(4), Group::of(7));
        assert_eq!((t(1).grace_among(four, None), t(1).grace_among(four, Some(four))), (2, 3));
        assert_eq!((t(3).grace_among(four, None), t(3).grace_among(four, Some(seven))), (3, 5));
        // What an epoch's end takes it gives back.
        for grace_blocks in 1..40 {
            let (t, within) = (t(grace_blocks), t(grace_blocks).grace_among(seven, None));
            assert_eq!(t.honest_grace_among(seven, seven), honest_blocks(within, seven), "{grace_blocks}");
        }
    }

    /// Blocks of honest leaders when the f that lead most often are faulty.
    fn honest(leaders: impl Iterator<Item = u64>, group: Group) -> u64 {
        let mut led = vec![0u64; group.validators.into()];
        leaders.for_each(|leader| led[usize::try_from(leader).expect("small")] += 1);
        led.sort_unstable();
        led[..led.len() - usize::from(group.faults())].iter().sum()
    }

    #[test]
    fn a_time_belongs_to_the_round_whose_bidding_holds_it() {
        let t = timing();
        let (open, close) = (t.open_ms(3).expect("open"), t.close_ms(3).expect("close"));
        assert_eq!((open, close), (1_060_000, 1_080_000));
        assert_eq!(t.deadline_ms(3), Some(1_140_000));
        assert_eq!(t.slot_start_unix_s(3, 900), Some(10_800));
        assert_eq!(
            [open - 1, open, close - 1, close].map(|ms| t.round_at(ms)),
            [None, Some(3), Some(3), None]
        );
        assert_eq!(t.round_at(999_999), None);
        assert_eq!(t.round_at(u64::MAX), None);
        assert_eq!((t.open_ms(0), t.open_ms(u64::MAX)), (None, None));
        assert_eq!([close - 1, close, open + 30_000].map(|ms| t.closed_by(ms)), [Some(2), Some(3), Some(3)]);
        assert_eq!([0, 1_019_999, 1_020_000].map(|ms| t.closed_by(ms)), [None, None, Some(1)]);
        assert_eq!(RoundTiming { first_open_unix_ms: u64::MAX, ..t }.closed_by(u64::MAX), None);
    }

    #[test]
    fn epochs_begin_at_multiples() {
        let t = timing();
        assert_eq!([0, 99, 100, 199, 200].map(|h| t.epoch_of(h)), [0, 0, 1, 1, 2]);
        assert_eq!([0, 99, 100, 101].map(|h| t.begins_epoch(h)), [true, false, true, false]);
    }
}
