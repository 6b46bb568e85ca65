//! A network's times as dates, and whether they make sense.
//!
//! The ledger's own rules ([`RoundTiming::check`]) say which times work together. What is refused here would work and
//! helps nobody: a first round that was over before the network was founded, a slot that is delivered before it is
//! traded. They are the ledger's for life, so whoever founds or joins a network is told first.

use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::state::MAX_ACTIVE_ROUNDS;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_market::timestamp::format_utc;

/// 2020-01-01, seconds since 1970 UTC: no network was founded before.
const LEAST_TIME_UNIX_S: u64 = 1_577_836_800;
/// 2200-01-01: a later time has the wrong unit.
const MOST_TIME_UNIX_S: u64 = 7_258_118_400;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// So much later than the founding nobody opens a first round on purpose, milliseconds: ten years.
const MOST_AHEAD_MS: u64 = 10 * 365 * DAY_MS;
/// A slot that begins this long after its round opens is a mistake, milliseconds: a year.
const MOST_SLOT_AHEAD_MS: u64 = 365 * DAY_MS;

/// The dates of a network's first round, RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Dates {
    /// Block 0.
    pub founded: String,
    /// Round 1 begins to take bids.
    pub first_open: String,
    /// It ceases to.
    pub first_close: String,
    /// It is void unless it is cleared.
    pub first_deadline: String,
    /// Delivery that it trades begins.
    pub first_slot_start: String,
    /// And ends.
    pub first_slot_end: String,
}

/// A time in milliseconds as RFC 3339, UTC.
pub fn date_of(unix_ms: u64) -> String {
    format_utc(i64::try_from(unix_ms / 1000).unwrap_or(i64::MAX))
}

/// Refuses times in another unit than their names say: they lie decades away.
pub(super) fn check_units(first_open_unix_ms: u64, first_slot_start_unix_s: i64) -> Result<(), String> {
    let sound = LEAST_TIME_UNIX_S..MOST_TIME_UNIX_S;
    if !sound.contains(&(first_open_unix_ms / 1000)) {
        return Err(format!(
            "timing.first_open_unix_ms = {first_open_unix_ms} is {}, not between 2020 and 2200: it is in milliseconds since \
             1970 UTC, `date +%s000` prints now",
            date_of(first_open_unix_ms)
        ));
    }
    if !u64::try_from(first_slot_start_unix_s).is_ok_and(|start_unix_s| sound.contains(&start_unix_s)) {
        return Err(format!(
            "timing.first_slot_start_unix_s = {first_slot_start_unix_s} is {}, not between 2020 and 2200: it is in seconds \
             since 1970 UTC, `date +%s` prints now",
            format_utc(first_slot_start_unix_s.clamp(-62_135_596_800, 253_402_300_799))
        ));
    }
    Ok(())
}

/// The dates of a network that is founded at this time, and what is odd about them, in words.
///
/// # Errors
/// What makes no sense about them, and what to do.
pub fn check_times(params: &MarketParams, founded_unix_ms: u64) -> Result<(Dates, Vec<String>), String> {
    let timing = params.timing;
    check_units(timing.first_open_unix_ms, timing.first_slot_start_unix_s)?;
    let times = Times::of(&timing, params.slot_seconds).ok_or("its times are beyond the calendar")?;
    times.check_first(&timing, founded_unix_ms)?;
    times.check_pace(&timing, params.slot_seconds)?;
    let dates = Dates {
        founded: date_of(founded_unix_ms),
        first_open: date_of(times.open_ms),
        first_close: date_of(times.close_ms),
        first_deadline: date_of(times.deadline_ms),
        first_slot_start: date_of(times.slot_start_ms),
        first_slot_end: date_of(times.slot_end_ms),
    };
    Ok((dates, times.oddities(&timing, params.slot_seconds, founded_unix_ms)))
}

/// Times of round 1, Unix milliseconds.
struct Times {
    open_ms: u64,
    close_ms: u64,
    deadline_ms: u64,
    slot_start_ms: u64,
    slot_end_ms: u64,
}

impl Times {
    fn of(timing: &RoundTiming, slot_seconds: u32) -> Option<Self> {
        let slot_start_ms = u64::try_from(timing.first_slot_start_unix_s).ok()?.checked_mul(1000)?;
        Some(Self {
            open_ms: timing.open_ms(1)?,
            close_ms: timing.close_ms(1)?,
            deadline_ms: timing.deadline_ms(1)?,
            slot_start_ms,
            slot_end_ms: slot_start_ms.checked_add(u64::from(slot_seconds).checked_mul(1000)?)?,
        })
    }

    fn check_first(&self, timing: &RoundTiming, founded_unix_ms: u64) -> Result<(), String> {
        let (open, founded) = (date_of(self.open_ms), date_of(founded_unix_ms));
        if self.open_ms.saturating_add(DAY_MS) < founded_unix_ms {
            let passed = timing.closed_by(founded_unix_ms).unwrap_or(0);
            return Err(format!(
                "timing.first_open_unix_ms = {} is {open}, and the network is founded on {founded}: its first {passed} rounds \
                 would be void; choose a time when everybody is up",
                self.open_ms
            ));
        }
        if self.open_ms > founded_unix_ms.saturating_add(MOST_AHEAD_MS) {
            return Err(format!(
                "timing.first_open_unix_ms = {} is {open}, more than ten years after the founding on {founded}",
                self.open_ms
            ));
        }
        let slot = format!("{} to {}", date_of(self.slot_start_ms), date_of(self.slot_end_ms));
        if self.slot_end_ms <= self.open_ms {
            return Err(format!(
                "timing.first_slot_start_unix_s = {}: round 1 trades the slot {slot}, which is over when the round opens on \
                 {open}; choose a slot that begins after its bids are in",
                timing.first_slot_start_unix_s
            ));
        }
        if self.slot_start_ms > self.open_ms.saturating_add(MOST_SLOT_AHEAD_MS) {
            return Err(format!(
                "timing.first_slot_start_unix_s = {}: round 1 opens on {open} and trades the slot {slot}, more than a year \
                 later",
                timing.first_slot_start_unix_s
            ));
        }
        Ok(())
    }

    /// Round k + 1 trades the slot after that of round k.
    fn check_pace(&self, timing: &RoundTiming, slot_seconds: u32) -> Result<(), String> {
        let slot_ms = u64::from(slot_seconds).saturating_mul(1000);
        if timing.interval_ms > slot_ms {
            return Err(format!(
                "timing.interval_ms = {} and market.slot_seconds = {slot_seconds}: each round trades the slot after the last \
                 one's, so rounds that come more slowly than slots trade slots that are over sooner or later; choose an interval \
                 of {slot_ms} ms",
                timing.interval_ms
            ));
        }
        if timing.suspend_after_ms == 0 {
            return Err(
                "timing.suspend_after_ms = 0: every opening would be suspended at once; 30000 is usual"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// What works and may not be meant.
    fn oddities(&self, timing: &RoundTiming, slot_seconds: u32, founded_unix_ms: u64) -> Vec<String> {
        let mut odd = Vec::new();
        if self.open_ms < founded_unix_ms {
            odd.push("round 1 opens before the founding: rounds before there are keys are void".to_owned());
        }
        if self.slot_start_ms < self.close_ms {
            odd.push("the slot of round 1 begins before its bids are in".to_owned());
        } else if self.slot_start_ms < self.deadline_ms {
            odd.push(
                "the slot of round 1 begins before the last moment at which the round may be cleared"
                    .to_owned(),
            );
        }
        let slot_ms = u64::from(slot_seconds).saturating_mul(1000);
        if timing.interval_ms < slot_ms {
            let ahead_s = slot_ms.saturating_sub(timing.interval_ms) / 1000;
            odd.push(format!(
                "rounds come faster than slots: each round trades {ahead_s} s further ahead than the one before"
            ));
        }
        let lasts_ms = timing.bidding_ms.saturating_add(timing.opening_deadline_ms);
        let at_once = lasts_ms.div_ceil(timing.interval_ms.max(1));
        if at_once > MAX_ACTIVE_ROUNDS as u64 {
            odd.push(format!(
                "up to {at_once} rounds may wait for their openings and {MAX_ACTIVE_ROUNDS} can: when openings fail, the \
                 rounds after them are void; a shorter opening_deadline_ms or a longer interval_ms prevents that"
            ));
        }
        odd
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000;
    const HOUR_MS: u64 = 60 * 60 * 1000;

    /// Quarters of an hour, traded a day ahead.
    fn params(change: impl FnOnce(&mut RoundTiming)) -> MarketParams {
        let plan = crate::founding::tests::plan_of(900_000, NOW + HOUR_MS);
        let mut params = plan.params(4, None).expect("params");
        let mut timing = params.timing;
        timing.opening_deadline_ms = 900_000;
        change(&mut timing);
        params.timing = timing;
        params
    }

    #[test]
    fn sensible_times_are_dates() {
        let (dates, odd) = check_times(&params(|_| {}), NOW).expect("sensible");
        assert_eq!(odd, [] as [String; 0]);
        assert_eq!(
            (dates.founded.as_str(), dates.first_open.as_str()),
            ("2027-01-15T08:00:00Z", "2027-01-15T09:00:00Z")
        );
        assert_eq!(
            (dates.first_close.as_str(), dates.first_deadline.as_str()),
            ("2027-01-15T09:07:30Z", "2027-01-15T09:22:30Z")
        );
        assert_eq!(
            (dates.first_slot_start.as_str(), dates.first_slot_end.as_str()),
            ("2027-01-16T08:00:00Z", "2027-01-16T08:15:00Z")
        );
    }

    #[test]
    fn times_that_make_no_sense_are_refused_with_their_dates() {
        let refused = |change: &dyn Fn(&mut RoundTiming), words: &[&str]| {
            let why = check_times(&params(change), NOW).expect_err("refused");
            assert!(words.iter().all(|word| why.contains(word)), "{words:?}: {why}");
        };
        refused(&|t| t.first_open_unix_ms /= 1000, &["1970-01-21", "milliseconds"]);
        refused(
            &|t| t.first_open_unix_ms -= 3 * 365 * DAY_MS,
            &["2024-01-16T09:00:00Z", "2027-01-15T08:00:00Z", "rounds"],
        );
        refused(&|t| t.first_open_unix_ms -= 2 * DAY_MS, &["void"]);
        refused(&|t| t.first_open_unix_ms += 11 * 365 * DAY_MS, &["2038", "ten years"]);
        refused(&|t| t.first_slot_start_unix_s *= 1000, &["seconds"]);
        refused(
            &|t| t.first_slot_start_unix_s -= 2 * 86_400,
            &["over when the round opens", "2027-01-14T08:15:00Z"],
        );
        refused(&|t| t.first_slot_start_unix_s += 400 * 86_400, &["more than a year"]);
        refused(&|t| t.interval_ms = 3_600_000, &["sooner or later", "900000 ms"]);
        refused(&|t| t.suspend_after_ms = 0, &["suspend_after_ms"]);
    }

    #[test]
    fn what_may_not_be_meant_is_said() {
        let said = |change: &dyn Fn(&mut RoundTiming), word: &str| {
            let (_, odd) = check_times(&params(change), NOW).expect("it works");
            assert!(odd.len() == 1 && odd[0].contains(word), "{word}: {odd:?}");
        };
        said(&|t| t.first_open_unix_ms -= 2 * HOUR_MS, "before the founding");
        said(&|t| t.interval_ms = 890_000, "10 s further ahead");
        said(&|t| t.opening_deadline_ms = 8 * 900_000, "9 rounds");
        let slot_s = |hour: i64| NOW as i64 / 1000 + hour * 3600;
        said(&|t| t.first_slot_start_unix_s = slot_s(1), "before its bids are in");
        said(&|t| t.first_slot_start_unix_s = slot_s(1) + 900, "last moment");
    }
}
