//! `GET /v1/validators`: the validators as the final ledger has them.

use serde::{Deserialize, Serialize};
use veilgrid_crypto::keygen::{Phase, Session, Task};
use veilgrid_ledger::hash::Hex32;
use veilgrid_ledger::roster::{Roster, ValidatorEntry};
use veilgrid_ledger::state::State;

/// A validator of a set with its number in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberedValidator {
    /// From 1.
    pub number: u16,
    /// Key sessions, receipts, changes of the validators (Ristretto).
    pub signing_key: Hex32,
    /// Votes and connections (Ed25519).
    pub consensus_key: Hex32,
    /// Bids that are sent to it (X25519).
    pub envelope_key: Hex32,
}

impl NumberedValidator {
    /// All validators of a set, numbered.
    pub fn of(roster: &Roster) -> Vec<Self> {
        let numbered = (1..).zip(&roster.validators);
        numbered
            .map(|(number, entry)| Self {
                number,
                signing_key: Hex32(entry.signing_key),
                consensus_key: Hex32(entry.consensus_key),
                envelope_key: Hex32(entry.envelope_key),
            })
            .collect()
    }

    /// Its keys.
    pub fn entry(&self) -> ValidatorEntry {
        ValidatorEntry {
            signing_key: self.signing_key.0,
            consensus_key: self.consensus_key.0,
            envelope_key: self.envelope_key.0,
        }
    }
}

/// The set of validators of a list, in its order.
pub fn roster_of(validators: &[NumberedValidator]) -> Roster {
    Roster { validators: validators.iter().map(NumberedValidator::entry).collect() }
}

/// Validators that are to follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingSet {
    /// The epoch from whose first block on they are in force; none while the session that deals for them goes on (an
    /// aborted one drops the change).
    pub from_epoch: Option<u64>,
    /// They.
    pub validators: Vec<NumberedValidator>,
}

/// A key session that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionInProgress {
    /// Its number.
    pub session: u64,
    /// `generate`, `refresh` or `reshare`.
    pub task: String,
    /// `announcing`, `dealing`, `judging` or `answering`.
    pub phase: String,
}

/// What a node says about the validators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatorSet {
    /// The ledger.
    pub ledger_id: Hex32,
    /// Height of the final block that this is the state after.
    pub height: u64,
    /// Epoch of that block.
    pub epoch: u64,
    /// Blocks of an epoch.
    pub epoch_blocks: u64,
    /// First epoch of the validators in force; part of what is signed to replace them.
    pub since_epoch: u64,
    /// How many of them have to sign a change.
    pub threshold: u16,
    /// Keys of the market, one a step: with the validators they say how large key sessions are. Zero from a node that does
    /// not tell yet.
    #[serde(default)]
    pub keys: u32,
    /// The validators in force.
    pub validators: Vec<NumberedValidator>,
    /// A change that is under way.
    pub pending: Option<PendingSet>,
    /// The key session that goes on.
    pub session: Option<SessionInProgress>,
}

impl ValidatorSet {
    /// The validators of a final state.
    pub fn of(state: &State) -> Self {
        let (roster, since_epoch, timing) = (state.roster(), state.roster_since(), state.timing());
        Self {
            ledger_id: Hex32(state.community().ledger_id()),
            height: state.height(),
            epoch: state.epoch(),
            epoch_blocks: timing.epoch_blocks,
            since_epoch,
            threshold: roster.group().threshold,
            keys: u32::try_from(state.community().params().steps()).unwrap_or(u32::MAX),
            validators: NumberedValidator::of(roster),
            pending: pending(state, roster),
            session: state.session().and_then(in_progress),
        }
    }

    /// The validators in force.
    pub fn roster(&self) -> Roster {
        roster_of(&self.validators)
    }
}

fn pending(state: &State, roster: &Roster) -> Option<PendingSet> {
    if let Some(asked) = state.pending_roster() {
        return Some(PendingSet { from_epoch: None, validators: NumberedValidator::of(asked) });
    }
    // Agreed on: the receivers of the session whose keys wait, when they are others than the validators in force.
    let agreed = state.pending_keys().map(|_| state.session_receivers());
    let agreed = agreed.filter(|agreed| *agreed != roster)?;
    let from_epoch = Some(state.epoch().saturating_add(1));
    Some(PendingSet { from_epoch, validators: NumberedValidator::of(agreed) })
}

fn in_progress(session: &Session) -> Option<SessionInProgress> {
    let phase = match session.phase() {
        Phase::Announcing => "announcing",
        Phase::Dealing => "dealing",
        Phase::Judging => "judging",
        Phase::Answering => "answering",
        Phase::Ended => return None,
    };
    let task = match session.context().task {
        Task::Generate => "generate",
        Task::Refresh => "refresh",
        Task::Reshare => "reshare",
    };
    let session = session.context().session;
    Some(SessionInProgress { session, task: task.to_owned(), phase: phase.to_owned() })
}
