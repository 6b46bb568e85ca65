//! What a process asks of its machine before it starts: space, a writable folder, a sound clock.

use crate::config::ChecksConfig;
use crate::open_files::Need;
use std::path::{Path, PathBuf};
use thiserror::Error;
pub use veilgrid_actors::clock::wall_clock_unix_ms;

/// 2026-01-01T00:00:00Z: this program is younger. A machine without a battery clock starts in 1970.
const EARLIEST_UNIX_MS: u64 = 1_767_225_600_000;
/// The name of the file that shows that a folder can be written.
const PROBE: &str = ".veilgrid-write-check";

/// What the machine lacks. One variant per rule.
#[derive(Debug, Error)]
pub enum CheckError {
    /// "The data directory exists or can be made, and files in it can be written."
    #[error("{}: files can't be written here: {reason}; create the folder and give it to the user of this process", path.display())]
    NotWritable {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        reason: std::io::Error,
    },
    /// "There is space for the ledger to grow."
    #[error(
        "{}: {free_mib} MiB are free and {needed_mib} are asked for (checks.min_free_mib); free some space or move data_dir",
        path.display()
    )]
    Space {
        /// The folder.
        path: PathBuf,
        /// What is free.
        free_mib: u64,
        /// What is asked for.
        needed_mib: u64,
    },
    /// "As many files may be open as the process needs to work."
    #[error(
        "at most {limit} files may be open here, and this process needs {} at least, better {}: {}; raise the limit \
         (LimitNOFILE in the unit, ulimit -Hn in a shell)",
        need.least(), need.files(), parts_of(need)
    )]
    OpenFiles {
        /// The limit of this process, raised as far as it may be.
        limit: u64,
        /// What it may need.
        need: Need,
    },
    /// "The clock is not before the program and the ledger were made."
    #[error(
        "the clock of this machine says {clock_unix_ms} ms since 1970, but {what} at {earliest_unix_ms}; set the clock (NTP)"
    )]
    ClockBefore {
        /// The machine's time.
        clock_unix_ms: u64,
        /// What happened later than the machine says it is now.
        what: &'static str,
        /// When.
        earliest_unix_ms: u64,
    },
    /// "The clock agrees with those of others."
    #[error(
        "the clock of this machine is {} ms {} those of at least {agreeing} others; at most {bound_ms} ms are allowed: \
         start its time synchronisation (NTP) and try again",
        skew_ms.unsigned_abs(), if *skew_ms > 0 { "behind" } else { "ahead of" }
    )]
    Skew {
        /// Others' time less ours, as far as it is certain.
        skew_ms: i64,
        /// How many say so.
        agreeing: usize,
        /// The bound.
        bound_ms: u64,
    },
}

/// What a need of open files consists of.
fn parts_of(need: &Need) -> String {
    let engine = need.engine.map_or_else(String::new, |engine| {
        format!(", {} for the engine with epochs of {} blocks", engine.files, engine.epoch_blocks)
    });
    format!("two for each of {} connections{engine}, the rest for stores and requests", need.connections)
}

/// Makes the data directory, shows that it can be written and that its disk has space.
///
/// # Errors
/// [`CheckError::NotWritable`], [`CheckError::Space`].
pub fn check_data_dir(dir: &Path, checks: &ChecksConfig) -> Result<(), CheckError> {
    let refused = |reason| CheckError::NotWritable { path: dir.to_owned(), reason };
    veilgrid_store::files::make_private_directory(dir).map_err(refused)?;
    let probe = dir.join(PROBE);
    std::fs::write(&probe, b"may be deleted").map_err(refused)?;
    std::fs::remove_file(&probe).map_err(refused)?;
    let free_mib = crate::disk_space::free_space(dir).map_err(refused)? >> 20;
    check_space(dir, free_mib, checks.min_free_mib)
}

fn check_space(dir: &Path, free_mib: u64, needed_mib: u64) -> Result<(), CheckError> {
    if free_mib < needed_mib {
        return Err(CheckError::Space { path: dir.to_owned(), free_mib, needed_mib });
    }
    Ok(())
}
/// Checks the clock against what has certainly happened already.
///
/// # Errors
/// [`CheckError::ClockBefore`].
pub fn check_clock_not_before(
    clock_unix_ms: u64,
    genesis_unix_ms: u64,
    checks: &ChecksConfig,
) -> Result<(), CheckError> {
    let known = [
        ("this program was made", EARLIEST_UNIX_MS),
        // The founder's clock may have been ahead as far as is allowed to everybody.
        ("the ledger began", genesis_unix_ms.saturating_sub(checks.max_skew_ms)),
    ];
    match known.into_iter().find(|(_, earliest)| clock_unix_ms < *earliest) {
        Some((what, earliest_unix_ms)) => {
            Err(CheckError::ClockBefore { clock_unix_ms, what, earliest_unix_ms })
        }
        None => Ok(()),
    }
}

/// Another process's time, as it stood in one of its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockSample {
    /// The time in the answer.
    pub peer_unix_ms: u64,
    /// How coarse it is: 1000 for the HTTP header `Date`, 1 for `/v1/status`.
    pub resolution_ms: u64,
    /// Our clock when the request was sent.
    pub sent_unix_ms: u64,
    /// Our clock when the answer came.
    pub received_unix_ms: u64,
}

impl ClockSample {
    /// The least and the most that the other clock can be ahead of ours (negative: behind), milliseconds. The answer
    /// was made between sending and receiving, and its time was cut to the resolution.
    fn ahead_ms(&self) -> (i128, i128) {
        let peer = i128::from(self.peer_unix_ms);
        let sent = i128::from(self.sent_unix_ms.min(self.received_unix_ms));
        (peer - i128::from(self.received_unix_ms), peer + i128::from(self.resolution_ms) - sent)
    }
}

/// What samples say of our clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockState {
    /// Less than f+1 others answered.
    Unknown,
    /// Nothing above the bound of a warning is certain.
    Sound,
    /// Others' time less ours, certain by this much: above the bound of a warning.
    Skewed {
        /// Milliseconds; positive: ours is behind.
        skew_ms: i64,
    },
}

/// Compares our clock with the samples, one from each of several other validators of which `faulty` may lie.
///
/// The skew is as large as f+1 others say at least, so that an honest one is among them: liars alone neither hide
/// a skew that f+1 honest ones see nor make one up.
///
/// # Errors
/// [`CheckError::Skew`] above the bound.
pub fn check_clock(
    samples: &[ClockSample],
    faulty: usize,
    checks: &ChecksConfig,
) -> Result<ClockState, CheckError> {
    let agreeing = faulty.saturating_add(1);
    let Some(skew_ms) = certain_skew_ms(samples, faulty) else { return Ok(ClockState::Unknown) };
    let size = skew_ms.unsigned_abs();
    if size > checks.max_skew_ms {
        return Err(CheckError::Skew { skew_ms, agreeing, bound_ms: checks.max_skew_ms });
    }
    Ok(if size > checks.warn_skew_ms { ClockState::Skewed { skew_ms } } else { ClockState::Sound })
}

/// Others' time less ours, in milliseconds, as far as f + 1 of them agree; none with fewer answers.
pub fn certain_skew_ms(samples: &[ClockSample], faulty: usize) -> Option<i64> {
    let mut behind: Vec<i128> = samples.iter().map(|sample| sample.ahead_ms().0).collect();
    let mut ahead: Vec<i128> = samples.iter().map(|sample| -sample.ahead_ms().1).collect();
    behind.sort_unstable_by(|a, b| b.cmp(a));
    ahead.sort_unstable_by(|a, b| b.cmp(a));
    let (behind, ahead) = (behind.get(faulty)?, ahead.get(faulty)?);
    let skew = if behind >= ahead { (*behind).max(0) } else { -(*ahead).max(0) };
    Some(i64::try_from(skew).unwrap_or(if skew > 0 { i64::MAX } else { i64::MIN }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    /// A sample of a clock that is `ahead` ms ahead, over a link of 20 ms each way.
    fn sample(ahead: i64) -> ClockSample {
        ClockSample {
            peer_unix_ms: (NOW + 20).saturating_add_signed(ahead),
            resolution_ms: 1,
            sent_unix_ms: NOW,
            received_unix_ms: NOW + 40,
        }
    }

    fn check(ahead: &[i64], faulty: usize) -> Result<ClockState, CheckError> {
        let samples: Vec<ClockSample> = ahead.iter().map(|ahead| sample(*ahead)).collect();
        check_clock(&samples, faulty, &ChecksConfig::default())
    }

    #[test]
    fn a_skew_counts_when_one_more_than_can_lie_say_so() {
        assert_eq!(check(&[0, 100, -100], 1).expect("sound"), ClockState::Sound);
        assert_eq!(check(&[900_000, 100, -100], 1).expect("one liar"), ClockState::Sound);
        assert!(matches!(check(&[900_000, 8_000, -100], 1), Err(CheckError::Skew { skew_ms: 7_980, .. })));
        assert!(matches!(check(&[-900_000, -8_000, 0], 1), Err(CheckError::Skew { skew_ms: -7_979, .. })));
        assert_eq!(check(&[700, 800, 0], 1).expect("warn"), ClockState::Skewed { skew_ms: 680 });
        assert_eq!(check(&[-700, -800, 0], 1).expect("warn"), ClockState::Skewed { skew_ms: -679 });
        assert_eq!(check(&[800], 1).expect("too few"), ClockState::Unknown);
        assert_eq!(check(&[], 0).expect("too few"), ClockState::Unknown);
        // Liars on both sides do not add up.
        assert_eq!(check(&[900_000, -900_000, 0], 1).expect("sound"), ClockState::Sound);
    }

    #[test]
    fn slow_links_and_coarse_times_prove_less() {
        let checks = ChecksConfig::default();
        let slow = ClockSample { received_unix_ms: NOW + 9_000, ..sample(8_000) };
        assert_eq!(check_clock(&[slow], 0, &checks).expect("not certain"), ClockState::Sound);
        let coarse = ClockSample { resolution_ms: 1000, ..sample(-1_400) };
        assert_eq!(check_clock(&[coarse], 0, &checks).expect("not certain"), ClockState::Sound);
        assert!(matches!(check_clock(&[sample(-1_400)], 0, &checks), Ok(ClockState::Skewed { .. })));
    }

    #[test]
    fn absurd_times_do_not_overflow() {
        let absurd = ClockSample {
            peer_unix_ms: u64::MAX,
            resolution_ms: u64::MAX,
            sent_unix_ms: u64::MAX,
            received_unix_ms: 0,
        };
        assert!(check_clock(&[absurd], 0, &ChecksConfig::default()).is_err());
    }

    #[test]
    fn a_clock_before_program_or_ledger_is_refused() {
        let checks = ChecksConfig::default();
        let error = |clock, genesis| check_clock_not_before(clock, genesis, &checks);
        assert!(matches!(error(EARLIEST_UNIX_MS - 1, 0), Err(CheckError::ClockBefore { .. })));
        assert!(matches!(error(NOW, NOW + 5_001), Err(CheckError::ClockBefore { .. })));
        assert!(error(NOW, NOW + 5_000).is_ok());
    }

    #[test]
    fn space_and_writing_are_checked() {
        let dir = tempfile::tempdir().expect("dir");
        let data = dir.path().join("data");
        assert!(check_data_dir(&data, &ChecksConfig::default()).is_ok());
        assert_eq!(std::fs::read_dir(&data).expect("made").count(), 0, "the probe is gone");
        let greedy = ChecksConfig { min_free_mib: u64::MAX, ..ChecksConfig::default() };
        assert!(matches!(check_data_dir(&data, &greedy), Err(CheckError::Space { .. })));
        assert!(check_space(&data, 200, 200).is_ok());
        let file = dir.path().join("file");
        std::fs::write(&file, b"").expect("file");
        assert!(matches!(
            check_data_dir(&file, &ChecksConfig::default()),
            Err(CheckError::NotWritable { .. })
        ));
    }
}
