//! What the process says about itself: a copy that is renewed after every block, so that nobody who asks waits for the
//! engine.

use super::application::NodeApplication;
use crate::vitals::Vitals;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use veilgrid_api::StatusReport;
use veilgrid_roles::keyholder::Holding;

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
}

/// The copy, with what is watched of the network. Clones are one board.
#[derive(Clone)]
pub(super) struct StatusBoard {
    board: Arc<Mutex<Board>>,
    vitals: Vitals,
}

impl StatusBoard {
    /// A board of a process that has not looked yet.
    pub(super) fn new(vitals: Vitals) -> Self {
        let report = StatusReport { role: "validator".into(), ..StatusReport::default() };
        Self { board: Arc::new(Mutex::new(Board { report, mode: Mode::Starting })), vitals }
    }

    /// Renews the copy.
    pub(super) fn renew(&self, report: StatusReport) {
        self.lock().report = report;
    }

    pub(super) fn enter(&self, mode: Mode) {
        let mut board = self.lock();
        if board.mode != mode {
            board.mode = mode;
            self.vitals.begin_silence();
        }
    }

    /// How long no final block has come, when that is too long.
    pub(super) fn silence(&self) -> Option<Duration> {
        self.vitals.silence()
    }

    /// The number of this validator when it takes part and holds no shares.
    pub(super) fn own_lack(&self) -> Option<u16> {
        let board = self.lock();
        let lacks = board.mode == Mode::Validating && board.report.holds_shares == Some(false);
        board.report.index.filter(|_| lacks)
    }

    /// What is shown.
    pub(super) fn report(&self) -> StatusReport {
        let own_lack = self.own_lack();
        let report = {
            let board = self.lock();
            let doing = board.mode.trouble().map(str::to_owned);
            StatusReport {
                mode: Some(board.mode.name().into()),
                closed: board.mode.closed(),
                trouble: board.report.trouble.clone().or(doing),
                ..board.report.clone()
            }
        };
        self.vitals.complete(report, own_lack)
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        // Every change of it is whole.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the application says of itself, for the board.
pub(super) fn report_of(application: &NodeApplication, signing_key: &[u8; 32]) -> StatusReport {
    let core = &application.core;
    let summary = core.summary();
    let watched = application.watch.look(core.state());
    StatusReport {
        role: "validator".into(),
        index: core.state().roster().index_of(signing_key),
        holds_shares: match core.holding() {
            Holding::Holds { .. } => Some(true),
            Holding::Missing { .. } => Some(false),
            Holding::NoValidator | Holding::NoKeys => None,
        },
        pool_bids: summary.bids as u64,
        pool_transactions: (summary.shares + summary.key_events + summary.roster_changes) as u64,
        certified_height: application.certified_height(),
        trouble: core.stopped().map(ToString::to_string).or(watched.trouble),
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
    use crate::disk_space::DiskWatch;
    use crate::share_roll::ShareRoll;
    use veilgrid_ledger::state::State;

    fn board() -> (StatusBoard, Vitals, State) {
        let state = crate::founding::tests::state_of_four();
        let vitals =
            Vitals::new(std::path::Path::new("."), DiskWatch::default(), ShareRoll::default(), &state);
        (StatusBoard::new(vitals.clone()), vitals, state)
    }

    #[test]
    fn only_a_validator_that_validates_takes_something_in() {
        let (board, ..) = board();
        for (mode, closed, word) in [
            (Mode::Starting, true, "starting"),
            (Mode::Candidate, true, "candidate"),
            (Mode::CatchingUp, true, "behind"),
            (Mode::Validating, false, ""),
        ] {
            board.enter(mode);
            let report = board.report();
            assert_eq!((report.closed.is_some(), report.mode), (closed, Some(mode.name().into())));
            assert_eq!(report.trouble.is_some(), closed);
            assert!(report.trouble.unwrap_or_default().contains(word));
        }
        let stopped = StatusReport { trouble: Some("no space".to_owned()), ..StatusReport::default() };
        board.renew(stopped);
        board.enter(Mode::Candidate);
        assert_eq!(board.report().trouble.as_deref(), Some("no space"), "the worst is said");
    }

    #[test]
    fn silence_is_trouble_until_the_next_block() {
        let (board, vitals, state) = board();
        board.enter(Mode::Validating);
        assert_eq!((board.silence(), board.report().trouble), (None, None));
        vitals.set_longest_silence(Duration::ZERO);
        std::thread::sleep(Duration::from_millis(2));
        let trouble = board.report().trouble.expect("cut off");
        assert!(trouble.contains("no final block"), "{trouble}");
        // Looking again at the same height is no block.
        vitals.look(&state);
        std::thread::sleep(Duration::from_millis(2));
        assert!(board.silence().is_some());
        vitals.set_longest_silence(Duration::from_secs(600));
        assert_eq!(board.report().trouble, None);
    }

    #[test]
    fn a_validator_without_shares_counts_against_the_holders_while_it_validates() {
        let (board, ..) = board();
        board.renew(StatusReport { index: Some(2), holds_shares: Some(false), ..StatusReport::default() });
        assert_eq!(board.own_lack(), None, "it has not caught up");
        board.enter(Mode::Validating);
        assert_eq!(board.own_lack(), Some(2));
        board.renew(StatusReport { index: Some(2), holds_shares: Some(true), ..StatusReport::default() });
        assert_eq!(board.own_lack(), None);
    }
}
