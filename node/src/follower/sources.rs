//! Whom a follower asks next.
//!
//! A source without news is passed over at once, because it may be held back or cut off; one that fails gets a pause
//! that doubles; one that has lied gets a long one, and is remembered for as long as the process lives. Nobody is
//! given up for ever: with all sources set aside the one whose pause ends first is asked.

/// First pause after a failure, in milliseconds.
const FAILURE_PAUSE_MS: u64 = 500;
/// Longest pause after failures, in milliseconds.
const LONGEST_FAILURE_PAUSE_MS: u64 = 20_000;
/// First pause after a lie, in milliseconds.
const LIE_PAUSE_MS: u64 = 60_000;
/// Longest pause after lies, in milliseconds.
const LONGEST_LIE_PAUSE_MS: u64 = 3_600_000;

/// What is remembered of a source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Source {
    /// Failures since the last answer.
    pub failures: u32,
    /// Lies ever.
    pub lies: u32,
    /// The last lie, in words.
    pub last_lie: Option<String>,
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
        }
    }

    /// The current source has nothing new: somebody else may have.
    pub fn idle(&mut self) {
        self.served();
        self.turn();
    }

    /// The current source has not answered.
    pub fn failed(&mut self, now_ms: u64) {
        if let Some(source) = self.sources.get_mut(self.current) {
            source.not_before_ms =
                now_ms.saturating_add(doubled(FAILURE_PAUSE_MS, source.failures, LONGEST_FAILURE_PAUSE_MS));
            source.failures = source.failures.saturating_add(1);
        }
        self.turn();
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

    fn turn(&mut self) {
        self.current = self.current.saturating_add(1).checked_rem(self.sources.len()).unwrap_or(0);
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
    fn nobody_to_ask() {
        assert_eq!(Sources::new(0, 3).choose(0), None);
    }
}
