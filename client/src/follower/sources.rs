//! Whom a follower asks next.
//!
//! A source without news is passed over at once, because it may be held back or cut off; one that fails gets a pause
//! that doubles, and so does one that has pruned the blocks that are needed; one that has begun an answer and not finished
//! it, which holds a follower up for longer than silence, gets a longer one and is asked for less; one that has lied gets
//! a long one. Both are remembered for as long as the process lives. Nobody is given up for ever: with all sources set aside the one whose
//! pause ends first is asked.

/// First pause after a failure, in milliseconds.
const FAILURE_PAUSE_MS: u64 = 500;
/// Longest pause after failures, in milliseconds.
const LONGEST_FAILURE_PAUSE_MS: u64 = 20_000;
/// First pause after an answer that was begun and not finished, in milliseconds.
const STALL_PAUSE_MS: u64 = 10_000;
/// Longest pause after such answers, in milliseconds.
const LONGEST_STALL_PAUSE_MS: u64 = 600_000;
/// First pause after a lie, in milliseconds.
const LIE_PAUSE_MS: u64 = 60_000;
/// Longest pause after lies, in milliseconds.
const LONGEST_LIE_PAUSE_MS: u64 = 3_600_000;

/// What is remembered of a source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Source {
    /// Failures since the last answer.
    pub failures: u32,
    /// Answers ever that it has begun and not finished in time.
    pub stalls: u32,
    /// Lies ever.
    pub lies: u32,
    /// The last lie, in words.
    pub last_lie: Option<String>,
    /// It said last that it does not have the blocks that are needed next.
    pub lacks_blocks: bool,
    /// It is not asked before, Unix milliseconds.
    pub not_before_ms: u64,
}

/// All sources and the one that is asked now.
#[derive(Debug, Clone)]
pub struct Sources {
    sources: Vec<Source>,
    current: usize,
}

impl Sources {
    /// `count` sources of which nothing is known; the first one to be asked is `first`, so that followers spread.
    pub fn new(count: usize, first: usize) -> Self {
        Self { sources: vec![Source::default(); count], current: first.checked_rem(count).unwrap_or(0) }
    }

    /// What is remembered of each.
    pub fn all(&self) -> &[Source] {
        &self.sources
    }

    /// Whom to ask, and in how many milliseconds: the current one, or the next one that has no pause, or the one whose
    /// pause ends first. None without sources.
    pub fn choose(&mut self, now_ms: u64) -> Option<(usize, u64)> {
        let count = self.sources.len();
        let in_turn = (0..count).filter_map(|step| self.current.checked_add(step)?.checked_rem(count));
        let pause_ms = |index: &usize| {
            self.sources.get(*index).map_or(u64::MAX, |source| source.not_before_ms.saturating_sub(now_ms))
        };
        // `min_by_key` takes the first of equals: the current source stays as long as it has no pause.
        let chosen = in_turn.min_by_key(pause_ms)?;
        let pause_ms = pause_ms(&chosen);
        self.current = chosen;
        Some((chosen, pause_ms))
    }

    /// The current source has sent blocks that were accepted.
    pub fn served(&mut self) {
        if let Some(source) = self.sources.get_mut(self.current) {
            source.failures = 0;
            source.lacks_blocks = false;
        }
    }

    /// The current source has nothing new: somebody else may have.
    pub fn idle(&mut self) {
        self.served();
        self.turn();
    }

    /// The current source has not answered.
    pub fn failed(&mut self, now_ms: u64) {
        self.failed_for(now_ms, |source| {
            doubled(FAILURE_PAUSE_MS, source.failures, LONGEST_FAILURE_PAUSE_MS)
        });
    }

    /// The current source has begun an answer and not finished it.
    pub fn stalled(&mut self, now_ms: u64) {
        self.failed_for(now_ms, |source| {
            let pause_ms = doubled(STALL_PAUSE_MS, source.stalls, LONGEST_STALL_PAUSE_MS);
            source.stalls = source.stalls.saturating_add(1);
            pause_ms
        });
    }

    /// How many blocks a source is asked for instead of this many: half of them for each answer that it has not finished,
    /// which may have been too long for its line.
    pub fn portion(&self, index: usize, most: usize) -> usize {
        let stalls = self.sources.get(index).map_or(0, |source| source.stalls);
        most.checked_shr(stalls).unwrap_or(0).max(1)
    }

    /// The current source does not have what is needed next.
    pub fn lacked(&mut self, now_ms: u64) {
        if let Some(source) = self.sources.get_mut(self.current) {
            source.lacks_blocks = true;
        }
        self.failed(now_ms);
    }

    /// How many sources have said that they do not have what is needed next, when nobody else is left who might: the
    /// others do not answer, or have lied. None while there is hope.
    pub fn lacking(&self, now_ms: u64) -> Option<usize> {
        let lacking = self.sources.iter().filter(|source| source.lacks_blocks).count();
        let serves =
            |source: &Source| !source.lacks_blocks && source.failures == 0 && source.not_before_ms <= now_ms;
        (lacking > 0 && !self.sources.iter().any(serves)).then_some(lacking)
    }

    /// The current source has lied.
    pub fn lied(&mut self, now_ms: u64, lie: String) {
        if let Some(source) = self.sources.get_mut(self.current) {
            source.not_before_ms =
                now_ms.saturating_add(doubled(LIE_PAUSE_MS, source.lies, LONGEST_LIE_PAUSE_MS));
            source.lies = source.lies.saturating_add(1);
            source.last_lie = Some(lie);
        }
        self.turn();
    }

    fn failed_for(&mut self, now_ms: u64, pause_ms: impl FnOnce(&mut Source) -> u64) {
        if let Some(source) = self.sources.get_mut(self.current) {
            source.not_before_ms = now_ms.saturating_add(pause_ms(source));
            source.failures = source.failures.saturating_add(1);
        }
        self.turn();
    }

    fn turn(&mut self) {
        self.current = self.current.saturating_add(1).checked_rem(self.sources.len()).unwrap_or(0);
    }
}

/// Lets something be said now and not again for a while.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seldom {
    pause_ms: u64,
    not_before_ms: u64,
}

impl Seldom {
    pub(super) fn new(pause_ms: u64) -> Self {
        Self { pause_ms, not_before_ms: 0 }
    }

    pub(super) fn may(&mut self, now_ms: u64) -> bool {
        let may = now_ms >= self.not_before_ms;
        if may {
            self.not_before_ms = now_ms.saturating_add(self.pause_ms);
        }
        may
    }
}

/// `first · 2^times`, at most `longest`.
fn doubled(first: u64, times: u32, longest: u64) -> u64 {
    first.saturating_mul(2u64.saturating_pow(times)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_serves_stays_and_an_idle_one_is_passed_over() {
        let mut sources = Sources::new(3, 1);
        assert_eq!(sources.choose(0), Some((1, 0)));
        sources.served();
        assert_eq!(sources.choose(0), Some((1, 0)));
        sources.idle();
        assert_eq!(sources.choose(0), Some((2, 0)));
        sources.idle();
        assert_eq!(sources.choose(0), Some((0, 0)));
    }

    #[test]
    fn failures_pause_longer_and_an_answer_ends_them() {
        let mut sources = Sources::new(1, 0);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            sources.failed(1000);
            pauses.push(sources.choose(1000).expect("one").1);
        }
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000]);
        sources.served();
        sources.failed(2000);
        assert_eq!(sources.choose(2000), Some((0, 500)));
    }

    #[test]
    fn whoever_does_not_finish_is_asked_later_each_time_and_for_less() {
        let mut sources = Sources::new(2, 0);
        let mut pauses = Vec::new();
        for round in 0..8 {
            assert_eq!(sources.portion(0, 64), (64 >> round).max(1));
            sources.current = 0;
            sources.stalled(1000);
            sources.current = 0;
            pauses.push(sources.all()[0].not_before_ms - 1000);
            // An answer between two of them does not make it forgotten.
            sources.served();
        }
        assert_eq!(pauses, [10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 600_000, 600_000]);
        assert_eq!(sources.choose(1000), Some((1, 0)), "the other one is asked meanwhile");
        assert_eq!((sources.portion(1, 64), sources.all()[0].stalls), (64, 8));
        sources.sources[0].stalls = u32::MAX;
        assert_eq!(sources.portion(0, 64), 1);
    }

    #[test]
    fn a_liar_is_set_aside_and_remembered() {
        let mut sources = Sources::new(2, 0);
        sources.choose(0);
        sources.lied(0, "a forged certificate".into());
        for now_ms in [0, 1, 59_999] {
            assert_eq!(sources.choose(now_ms), Some((1, 0)));
            sources.idle();
        }
        assert_eq!(sources.all()[0].lies, 1);
        assert_eq!(sources.all()[0].last_lie.as_deref(), Some("a forged certificate"));
        // The other one gone too: whoever is free first is asked.
        sources.choose(59_999);
        sources.lied(59_999, "another".into());
        assert_eq!(sources.choose(59_999), Some((0, 1)));
        assert_eq!(sources.choose(60_000), Some((0, 0)));
        sources.lied(60_000, "again".into());
        assert_eq!(sources.all()[0].not_before_ms, 180_000);
    }

    #[test]
    fn blocks_are_lacking_when_nobody_is_left_who_may_have_them() {
        let mut sources = Sources::new(3, 0);
        assert_eq!(sources.lacking(0), None);
        sources.lacked(0);
        sources.lacked(0);
        assert_eq!(sources.lacking(0), None, "the third one was not asked yet");
        sources.failed(0);
        assert_eq!(sources.lacking(0), Some(2), "the third one does not answer");
        assert_eq!(sources.choose(0), Some((0, 500)), "they are asked again all the same");
        sources.choose(500);
        sources.idle();
        assert_eq!(sources.lacking(500), None, "one of them is fed by others");
        let mut alone = Sources::new(1, 0);
        alone.lacked(0);
        assert_eq!(alone.lacking(0), Some(1));
        alone.served();
        assert_eq!(alone.lacking(0), None);
    }

    #[test]
    fn what_is_said_seldom_is_said_once_a_minute() {
        let mut seldom = Seldom::new(60_000);
        let said: Vec<u64> = (0..200).map(|step| step * 1_000).filter(|now_ms| seldom.may(*now_ms)).collect();
        assert_eq!(said, [0, 60_000, 120_000, 180_000]);
    }

    #[test]
    fn nobody_to_ask() {
        assert_eq!(Sources::new(0, 3).choose(0), None);
    }
}
