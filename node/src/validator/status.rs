//! What the process says about itself: a copy that is renewed after every block, so that nobody who asks waits for the
//! engine.

use super::application::NodeApplication;
use crate::http::StatusReport;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use veilgrid_actors::stopwatch::Stopwatch;
use veilgrid_roles::keyholder::Holding;

/// No final block for so long is trouble, however short the idle time is.
const LEAST_SILENCE: Duration = Duration::from_secs(30);
/// The same in idle times between blocks.
const SILENT_BLOCKS: u32 = 10;

/// What a validator's process is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It has not looked yet what it is.
    Starting,
    /// It takes part in the consensus.
    Validating,
    /// It is none of the validators, and follows.
    Candidate,
    /// It is one, and an epoch or more behind: it fetches blocks over HTTP first.
    CatchingUp,
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Validating => "validating",
            Self::Candidate => "candidate",
            Self::CatchingUp => "catching-up",
        }
    }

    /// Why nothing is taken in: the ledger would not have it from here.
    fn closed(self) -> Option<&'static str> {
        match self {
            Self::Validating => None,
            Self::Starting => Some("this node is starting: ask another one, or again in a moment"),
            Self::Candidate => Some("this node is not in the validator set now: ask another one"),
            Self::CatchingUp => Some("this validator is behind and catches up: ask another one"),
        }
    }

    fn trouble(self) -> Option<&'static str> {
        match self {
            Self::Validating => None,
            Self::Starting => Some("starting"),
            Self::Candidate => Some("candidate: not in the validator set; following"),
            Self::CatchingUp => Some("an epoch or more behind: catching up over HTTP"),
        }
    }
}

struct Board {
    report: StatusReport,
    mode: Mode,
    /// Since the last final block, or the start.
    silence: Stopwatch,
    height: u64,
    longest_silence: Duration,
}

/// The copy. Clones are one board.
#[derive(Clone)]
pub(super) struct StatusBoard(Arc<Mutex<Board>>);

impl StatusBoard {
    /// A board of a process that has not looked yet.
    pub(super) fn new(idle_interval_ms: u64) -> Self {
        let idle = Duration::from_millis(idle_interval_ms);
        Self(Arc::new(Mutex::new(Board {
            report: StatusReport { role: "validator", ..StatusReport::default() },
            mode: Mode::Starting,
            silence: Stopwatch::start(),
            height: 0,
            longest_silence: idle.saturating_mul(SILENT_BLOCKS).max(LEAST_SILENCE),
        })))
    }

    /// Renews the copy.
    pub(super) fn renew(&self, report: StatusReport, height: u64) {
        let mut board = self.lock();
        if height > board.height {
            (board.height, board.silence) = (height, Stopwatch::start());
        }
        board.report = report;
    }

    pub(super) fn enter(&self, mode: Mode) {
        let mut board = self.lock();
        if board.mode != mode {
            // Whoever begins with something new gets its time.
            (board.mode, board.silence) = (mode, Stopwatch::start());
        }
    }

    /// How long no final block has come, when that is too long.
    pub(super) fn silence(&self) -> Option<Duration> {
        let board = self.lock();
        Some(board.silence.elapsed()).filter(|silence| *silence > board.longest_silence)
    }

    /// What is shown.
    pub(super) fn report(&self) -> StatusReport {
        let silence = self.silence();
        let board = self.lock();
        let silent = silence.map(|silence| {
            let seconds = silence.as_secs();
            match board.mode {
                Mode::Validating => format!(
                    "no final block for {seconds} s: this validator is cut off, or fewer than n - f of them run"
                ),
                Mode::Starting | Mode::Candidate | Mode::CatchingUp => {
                    format!("no block for {seconds} s: none of validator_urls serves any")
                }
            }
        });
        let doing = board.mode.trouble().map(str::to_owned);
        let trouble = match (board.report.trouble.clone(), doing, silent) {
            (Some(stopped), _, _) => Some(stopped),
            (None, Some(doing), Some(silent)) => Some(format!("{doing}; {silent}")),
            (None, doing, silent) => doing.or(silent),
        };
        StatusReport {
            mode: Some(board.mode.name()),
            closed: board.mode.closed(),
            trouble,
            ..board.report.clone()
        }
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        // Every change of it is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the application says of itself, for the board.
pub(super) fn report_of(application: &NodeApplication, signing_key: &[u8; 32]) -> StatusReport {
    let core = &application.core;
    let summary = core.summary();
    let watched = application.watch.look(core.state());
    StatusReport {
        role: "validator",
        index: core.state().roster().and_then(|roster| roster.index_of(signing_key)),
        holds_shares: match core.holding() {
            Holding::Holds { .. } => Some(true),
            Holding::Missing { .. } => Some(false),
            Holding::NoValidator | Holding::NoKeys => None,
        },
        pool_bids: summary.bids as u64,
        pool_transactions: (summary.shares + summary.key_events + summary.roster_changes) as u64,
        certified_height: application.certified_height(),
        trouble: core.stopped().map(str::to_owned).or(watched.trouble),
        last_vote_age_s: watched.last_vote_age_s,
        votes_for_nothing: watched.votes_for_nothing,
        unknown_votes: watched.unknown_votes,
        clock_off_ms: watched.clock_off_ms,
        ..StatusReport::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_validator_that_validates_takes_something_in() {
        let board = StatusBoard::new(1_000);
        for (mode, closed, word) in [
            (Mode::Starting, true, "starting"),
            (Mode::Candidate, true, "candidate"),
            (Mode::CatchingUp, true, "behind"),
            (Mode::Validating, false, ""),
        ] {
            board.enter(mode);
            let report = board.report();
            assert_eq!((report.closed.is_some(), report.mode), (closed, Some(mode.name())));
            assert_eq!(report.trouble.is_some(), closed);
            assert!(report.trouble.unwrap_or_default().contains(word));
        }
        let stopped = StatusReport { trouble: Some("no space".to_owned()), ..StatusReport::default() };
        board.renew(stopped, 1);
        board.enter(Mode::Candidate);
        assert_eq!(board.report().trouble.as_deref(), Some("no space"), "the worst is said");
    }

    #[test]
    fn silence_is_trouble_until_the_next_block() {
        let board = StatusBoard::new(1_000);
        board.enter(Mode::Validating);
        assert_eq!((board.silence(), board.report().trouble), (None, None));
        board.lock().longest_silence = Duration::ZERO;
        std::thread::sleep(Duration::from_millis(2));
        let trouble = board.report().trouble.expect("cut off");
        assert!(trouble.contains("no final block"), "{trouble}");
        board.lock().longest_silence = LEAST_SILENCE;
        board.renew(StatusReport::default(), 5);
        assert_eq!(board.report().trouble, None);
        // Looking again at the same height is no block.
        let before = board.lock().silence.elapsed();
        board.renew(StatusReport::default(), 5);
        assert!(board.lock().silence.elapsed() >= before);
    }

    #[test]
    fn slow_ledgers_are_given_ten_blocks() {
        assert_eq!(StatusBoard::new(1_000).lock().longest_silence, LEAST_SILENCE);
        assert_eq!(StatusBoard::new(60_000).lock().longest_silence, Duration::from_secs(600));
    }
}
