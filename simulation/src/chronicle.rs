//! What the ledger did, from the blocks that validators applied; and whether all of them applied the same.

use crate::market::FAULTY;
use crate::plan::Sabotage;
use std::collections::{BTreeMap, BTreeSet};
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::keygen::{DealerFault, Task};
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::{Effect, PassedRounds, SettledRound};
use veilgrid_ledger::state::expected::Expected;
use veilgrid_ledger::transaction::VoidReason;
use veilgrid_market::{Outcome, SumRequest};
use veilgrid_roles::core::Applied;

/// How a round ended.
#[derive(Debug, Clone)]
pub(crate) enum End {
    Settled(Box<SettledRound>),
    Voided { reason: VoidReason, bids: u64 },
}

/// The life of a round on the ledger.
#[derive(Debug, Clone, Default)]
pub(crate) struct RoundStory {
    pub(crate) opened_ms: u64,
    /// Block time of the close.
    pub(crate) closed_ms: Option<u64>,
    /// Account and digest of each bid, in order.
    pub(crate) bids: Vec<(PointBytes, Hash)>,
    /// How many of them came when f + 1 blocks of the grace were over.
    pub(crate) late_bids: usize,
    pub(crate) opened: Vec<(SumRequest, i64)>,
    pub(crate) outcome: Option<Outcome>,
    /// Height and manner.
    pub(crate) end: Option<(u64, End)>,
}

/// A key session that ended.
#[derive(Debug, Clone)]
pub(crate) struct SessionStory {
    pub(crate) session: u64,
    pub(crate) task: Task,
    pub(crate) from_ms: u64,
    pub(crate) to_ms: u64,
    /// None: aborted.
    pub(crate) agreed: Option<Agreed>,
}

/// What a session agreed on.
#[derive(Debug, Clone)]
pub(crate) struct Agreed {
    pub(crate) excluded: Vec<(u16, DealerFault)>,
    pub(crate) lacking: Vec<u16>,
}

/// The ledger as it was applied.
#[derive(Default)]
pub(crate) struct Chronicle {
    /// Hash and state root of each height.
    blocks: BTreeMap<u64, (Hash, Hash)>,
    pub(crate) rounds: BTreeMap<u64, RoundStory>,
    /// Rounds that no block opened in their time, with height and time of the block that said so.
    pub(crate) passed: Vec<(u64, u64, PassedRounds)>,
    /// The block in which the first keys came into force.
    pub(crate) keyed_height: Option<u64>,
    pub(crate) sessions: Vec<SessionStory>,
    session_from_ms: BTreeMap<u64, u64>,
    /// Round, opening and sharing of all shares that a final state has asked for.
    requests: BTreeSet<(u64, u32, u64)>,
    keys: Option<Vec<PointBytes>>,
    sabotage: Option<Sabotage>,
    pub(crate) violations: Vec<String>,
}

impl Chronicle {
    pub(crate) fn new(sabotage: Option<Sabotage>) -> Self {
        Self { sabotage, ..Self::default() }
    }

    /// A validator applied a block; `state` is its state afterwards.
    pub(crate) fn apply(&mut self, validator: usize, applied: &Applied, state: &State) {
        let effects = &applied.effects;
        let (height, mut found) = (effects.height, (effects.block_hash, effects.state_root));
        if self.sabotage == Some(Sabotage::StateRoot) && (validator, height) == (2, 5) {
            found.1[0] ^= 1;
        }
        match self.blocks.get(&height) {
            Some(known) if *known == found => return,
            Some(known) => {
                let what = if known.0 == found.0 { "another state root" } else { "another block" };
                return self.violations.push(format!("validator {validator} has {what} at height {height}"));
            }
            None => self.blocks.insert(height, found),
        };
        let time_ms = applied.block.header.time_unix_ms;
        for effect in effects.all() {
            self.take(height, time_ms, effect, state);
        }
        self.asks(state);
    }

    /// Notes the shares that a final state asks for.
    pub(crate) fn asks(&mut self, state: &State) {
        if self.sabotage == Some(Sabotage::Requests) {
            return;
        }
        let sharing = state.sharing().unwrap_or(0);
        for round in state.rounds() {
            if let Ok(Expected::Shares(request)) = state.expected(round.round_id()) {
                self.requests.insert((round.round_id(), request.context.opening_index, sharing));
            }
        }
    }

    pub(crate) fn has_asked(&self, round_id: u64, opening_index: u32, sharing: u64) -> bool {
        self.requests.contains(&(round_id, opening_index, sharing))
    }

    /// Last height and its root.
    pub(crate) fn tip(&self) -> (u64, Hash) {
        self.blocks.last_key_value().map_or((0, [0; 32]), |(height, (_, root))| (*height, *root))
    }

    fn take(&mut self, height: u64, time_ms: u64, effect: &Effect, state: &State) {
        match effect {
            Effect::RoundOpened { round_id, .. } => self.round(*round_id).opened_ms = time_ms,
            Effect::BidsAccepted { round_id, bids } => {
                let grace_from = state.round(*round_id).and_then(|round| round.grace_from());
                if grace_from.is_some_and(|from| height > from + FAULTY as u64) {
                    self.round(*round_id).late_bids += bids.len();
                }
                let bids = bids.iter().map(|bid| (bid.account, bid.bid_digest));
                self.round(*round_id).bids.extend(bids);
            }
            Effect::RoundClosed { round_id, .. } => self.round(*round_id).closed_ms = Some(time_ms),
            Effect::ValueOpened { round_id, request, value_wh, .. } => {
                self.round(*round_id).opened.push((*request, *value_wh));
            }
            Effect::Cleared { round_id, outcome } => self.round(*round_id).outcome = Some(*outcome),
            Effect::Settled(settled) => {
                self.round(settled.round_id).end = Some((height, End::Settled(Box::new(settled.clone()))));
            }
            Effect::Voided { round_id, reason, bids } => {
                let end = End::Voided { reason: *reason, bids: *bids };
                let story = self.round(*round_id);
                story.closed_ms = story.closed_ms.or(Some(time_ms));
                story.end = Some((height, end));
            }
            Effect::PassedOver(passed) => self.passed.push((height, time_ms, *passed)),
            Effect::SessionStarted { session, .. } => {
                self.session_from_ms.insert(*session, time_ms);
            }
            Effect::KeysAgreed { session, task, lacking, .. } => {
                let outcome = state.session().and_then(|session| session.outcome());
                let excluded = match outcome {
                    Some(Ok(agreement)) => agreement.dealer_faults.clone(),
                    _ => Vec::new(),
                };
                self.end_session(
                    *session,
                    *task,
                    time_ms,
                    Some(Agreed { excluded, lacking: lacking.clone() }),
                );
            }
            Effect::KeysAborted { session, task, .. } => self.end_session(*session, *task, time_ms, None),
            Effect::KeysInForce { session } => {
                self.keyed_height = self.keyed_height.or(Some(height));
                self.compare_keys(*session, state);
            }
            Effect::Refused(refusal) => {
                self.violations.push(format!("block {height} holds a refused transaction: {refusal}"));
            }
            _ => {}
        }
    }

    fn round(&mut self, round_id: u64) -> &mut RoundStory {
        self.rounds.entry(round_id).or_default()
    }

    fn end_session(&mut self, session: u64, task: Task, to_ms: u64, agreed: Option<Agreed>) {
        // The first one begins with the ledger.
        let from_ms = self.session_from_ms.get(&session).copied().unwrap_or(0);
        self.sessions.push(SessionStory { session, task, from_ms, to_ms, agreed });
    }

    /// Renewals change shares, never keys.
    fn compare_keys(&mut self, session: u64, state: &State) {
        let Some(keys) = state.community().keys() else { return };
        let keys: Vec<PointBytes> = keys.keys().iter().map(|key| key.compress().to_bytes()).collect();
        match &self.keys {
            Some(before) if *before != keys => {
                self.violations.push(format!("session {session} changed the keys of the market"));
            }
            Some(_) => {}
            None => self.keys = Some(keys),
        }
    }
}
