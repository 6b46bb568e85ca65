//! All that a key holder reads of the ledger. Whatever it does follows from this, and this from final blocks alone.

use veilgrid_crypto::keygen::{Session, ThresholdKeys};
use veilgrid_crypto::schnorr::VerifyingKey;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::expected::{Expected, ShareRequest};
use veilgrid_ledger::state::round::Round;

/// The final state as one validator sees it.
pub(super) struct View<'a> {
    pub(super) ledger_id: Hash,
    pub(super) height: u64,
    /// Number of the session whose shares are in force.
    pub(super) sharing: Option<u64>,
    /// Number of the session that is agreed and comes into force next.
    pub(super) pending: Option<u64>,
    /// The keys in force.
    pub(super) keys: Option<&'a ThresholdKeys>,
    /// The validator's number in the roster in force.
    pub(super) index: Option<u16>,
    pub(super) session: Option<SessionView<'a>>,
    /// Sums that rounds wait for, and claims that are overdue.
    pub(super) asked: Vec<Asked>,
    /// Ids of the active rounds and of those with overdue claims, rising.
    pub(super) active: Vec<u64>,
}

/// A session and the validator's numbers in it. They are those of the rosters in force and under way, and right while
/// receivers announce their keys; later ones are kept with what was made ([`super::running::Running`]).
#[derive(Clone, Copy)]
pub(super) struct SessionView<'a> {
    pub(super) session: &'a Session,
    pub(super) dealer: Option<u16>,
    pub(super) receiver: Option<u16>,
}

/// A sum that a round waits for, with the start of the round's slot (seconds since 1970 UTC).
pub(super) struct Asked {
    pub(super) slot_start_unix_s: i64,
    pub(super) request: Box<ShareRequest>,
}

impl<'a> View<'a> {
    pub(super) fn of(state: &'a State, me: &VerifyingKey) -> Self {
        let sum = |round: &Round| match state.expected(round.round_id()) {
            Ok(Expected::Shares(request)) => {
                Some(Asked { slot_start_unix_s: round.slot().start_unix_s, request })
            }
            _ => None,
        };
        let overdue = state.overdue_rounds();
        let claim = |round_id: &u64| {
            let slot = state.accounts()?.unclaimed_of(*round_id)?.slot();
            let request = state.claim_request(*round_id)?;
            Some(Asked { slot_start_unix_s: slot.start_unix_s, request })
        };
        let mut active: Vec<u64> =
            overdue.iter().copied().chain(state.rounds().map(Round::round_id)).collect();
        active.sort_unstable();
        Self {
            ledger_id: state.community().ledger_id(),
            height: state.height(),
            sharing: state.sharing(),
            pending: state.pending_keys(),
            keys: state.community().keys(),
            index: state.roster().index_of(&me.to_bytes()),
            session: state.session().map(|session| SessionView::of(state, session, me)),
            asked: state.rounds().filter_map(sum).chain(overdue.iter().filter_map(claim)).collect(),
            active,
        }
    }
}

impl<'a> SessionView<'a> {
    /// The validators in force deal. Those of a change under way receive, or else the same ones.
    fn of(state: &'a State, session: &'a Session, me: &VerifyingKey) -> Self {
        let me = me.to_bytes();
        Self {
            session,
            dealer: state.roster().index_of(&me),
            receiver: state.session_receivers().index_of(&me),
        }
    }
}
