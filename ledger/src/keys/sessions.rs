//! The threshold keys: generated over the ledger, their shares renewed every epoch, and dealt anew when
//! the validators change (specification sections 2.7 and 2.8).
//!
//! ```text
//! height 0     Generate, again under the next number after an abort
//! each epoch   Refresh; or Reshare onto the same validators when one of them holds no shares
//! a change     Reshare onto the new validators, who begin with the next epoch
//! ```
//!
//! A session ends at the start of a block. What it agreed on is in force from the start of the next one, a resharing
//! from the first block of the next epoch. Shares of an opening that were collected before are dropped then, because
//! shares of two sharings don't combine; the same sum is asked for again.

use crate::hash::Hash;
use crate::keys::refusal::KeyRefusal;
use crate::params::write_option;
use crate::refusal::Refusal;
use crate::roster::Roster;
use crate::rounds::round::Stage;
use crate::state::State;
use crate::state::effects::Effect;
use crate::timing::RoundTiming;
use crate::validators::history::Rosters;
use std::sync::Arc;
use veilgrid_crypto::keygen::{
    Effect as SessionEffect, Event, KeyGenError, Parties, Schedule, Session, SessionContext, Task,
    ThresholdKeys,
};
use veilgrid_crypto::wire::Writer;

/// What a ledger has besides rounds.
#[derive(Clone)]
pub(crate) struct Network {
    pub(crate) rosters: Rosters,
    /// The latest session, running or ended.
    pub(super) session: Option<Arc<Session>>,
    /// Where its events are.
    pub(super) log: SessionLog,
    /// Whether what the session ended in was taken over, which happens at the start of a block.
    pub(super) concluded: bool,
    /// The number of the next session.
    pub(super) next_session: u64,
    /// Agreed on, not in force yet.
    pub(super) agreed: Option<Agreed>,
    /// The session whose shares are in force.
    pub(super) sharing: Option<u64>,
    /// [`ThresholdKeys::digest`] of keys and share keys in force; zero before. Kept, because it costs a point encoding
    /// a key and validator and every state root has it.
    pub(super) keys_digest: Hash,
    /// A change that waits for its session, or is in it.
    pub(crate) change: Option<Arc<Roster>>,
    /// Whether the session deals for the change. One that began before the change deals for the validators in force.
    pub(super) deals_for_change: bool,
    /// Validators without shares of the sharing in force.
    pub(super) lacking: bool,
    pub(crate) refused: u64,
    pub(crate) refused_digest: Hash,
}

#[derive(Clone)]
pub(super) struct Agreed {
    pub(super) session: u64,
    pub(super) keys: Arc<ThresholdKeys>,
    pub(super) keys_digest: Hash,
    /// In force from the first block of an epoch only.
    pub(super) waits_for_epoch: bool,
    pub(super) roster: Option<Arc<Roster>>,
    pub(super) lacking: bool,
}

/// Where the latest session's events are, for whoever runs it again.
#[derive(Clone, Default)]
pub(super) struct SessionLog {
    /// The height at which it began.
    pub(super) started_at: u64,
    /// Blocks with an event that counts, in rising order.
    pub(super) heights: Vec<u64>,
}

impl Network {
    /// The network of a genesis, its first session begun.
    pub(crate) fn new(
        roster: Roster,
        timing: &RoundTiming,
        context: SessionContext,
    ) -> Result<Self, KeyGenError> {
        let mut network = Self {
            rosters: Rosters::new(roster),
            session: None,
            log: SessionLog::default(),
            concluded: false,
            next_session: context.session,
            agreed: None,
            sharing: None,
            keys_digest: [0; 32],
            change: None,
            deals_for_change: false,
            lacking: false,
            refused: 0,
            refused_digest: [0; 32],
        };
        network.start(context, timing, None, 0)?;
        Ok(network)
    }

    /// The validators of the next epoch when they are others.
    pub(crate) fn next_roster(&self) -> Option<&Roster> {
        self.agreed.as_ref()?.roster.as_deref()
    }

    pub(crate) fn roster(&self) -> &Roster {
        &self.rosters.in_force().1
    }

    /// Whether a session goes on, or has ended in the block before and nobody has looked yet.
    fn is_running(&self) -> bool {
        self.session.is_some() && !self.concluded
    }

    fn start(
        &mut self,
        context: SessionContext,
        timing: &RoundTiming,
        previous: Option<ThresholdKeys>,
        height: u64,
    ) -> Result<(), KeyGenError> {
        self.next_session = self.next_session.saturating_add(1);
        let blocks = u64::from(timing.phase_blocks([context.dealers, context.receivers]));
        let phase = |count: u64| height.saturating_add(count.saturating_mul(blocks));
        let schedule = Schedule {
            announce_until: phase(1),
            deal_until: phase(2),
            judge_until: phase(3),
            answer_until: phase(4),
        };
        let keys = |roster: &Roster| {
            let none = |_| KeyGenError::Context { why: "a signing key of the validators is none" };
            roster.verifying_keys().map_err(none)
        };
        let dealers = keys(self.roster())?;
        let deals_for = self.change.as_deref().filter(|_| context.task == Task::Reshare);
        let deals_for_change = deals_for.is_some();
        let receivers = deals_for.map_or_else(|| Ok(dealers.clone()), keys)?;
        let session = Session::new(context, schedule, Parties { dealers, receivers }, previous, height)?;
        self.session = Some(Arc::new(session));
        self.log = SessionLog { started_at: height, heights: Vec::new() };
        (self.concluded, self.deals_for_change) = (false, deals_for_change);
        Ok(())
    }

    /// All of it, for the state root. A field that is left out here does not compile.
    pub(crate) fn write(&self, w: &mut Writer) {
        let Self {
            rosters,
            session,
            // The session's digest has its events.
            log: _,
            concluded,
            next_session,
            agreed,
            sharing,
            keys_digest,
            change,
            deals_for_change,
            lacking,
            refused,
            refused_digest,
        } = self;
        let digest_of =
            |roster: &Option<Arc<Roster>>| roster.as_ref().map_or([0; 32], |roster| roster.digest());
        rosters.write(w);
        w.u64(*next_session).bytes(&session.as_ref().map_or([0; 32], |session| session.digest()));
        w.u8(u8::from(*concluded));
        write_option(w, sharing.map(u64::to_le_bytes));
        w.bytes(keys_digest).u8(u8::from(*lacking));
        w.bytes(&digest_of(change)).u8(u8::from(*deals_for_change));
        w.u8(u8::from(agreed.is_some()));
        if let Some(Agreed { session, keys: _, keys_digest, waits_for_epoch, roster, lacking }) = agreed {
            w.u64(*session).bytes(keys_digest).u8(u8::from(*waits_for_epoch));
            w.bytes(&digest_of(roster)).u8(u8::from(*lacking));
        }
        w.u64(*refused).bytes(refused_digest);
    }
}

impl State {
    /// The latest key session, running or ended.
    pub fn session(&self) -> Option<&Session> {
        self.network.session.as_deref()
    }

    /// Number of the session whose shares are in force.
    pub fn sharing(&self) -> Option<u64> {
        self.network.sharing
    }

    /// Number of a session that was agreed on and is not in force yet.
    pub fn pending_keys(&self) -> Option<u64> {
        self.network.agreed.as_ref().map(|agreed| agreed.session)
    }

    /// The validators who get shares in the latest key session: those of a change when it deals, or dealt, for one.
    pub fn session_receivers(&self) -> &Roster {
        let network = &self.network;
        let others = if network.is_running() {
            network.change.as_deref().filter(|_| network.deals_for_change)
        } else {
            // Once they are in force they are the roster.
            network.next_roster()
        };
        others.unwrap_or_else(|| self.roster())
    }

    pub(crate) fn keys_are_busy(&self) -> bool {
        let network = &self.network;
        let change_waits = network.change.is_some() && network.agreed.is_none();
        network.is_running() || self.keys_come_in_force_next() || change_waits
    }

    pub(crate) fn keys_come_in_force_next(&self) -> bool {
        self.network.agreed.as_ref().is_some_and(|agreed| !agreed.waits_for_epoch)
    }

    /// What a height does to the keys.
    pub(crate) fn begin_keys(&mut self, timing: &RoundTiming) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.put_in_force(timing, &mut effects);
        self.end_session(&mut effects);
        self.start_session(timing, &mut effects);
        effects
    }

    fn put_in_force(&mut self, timing: &RoundTiming, effects: &mut Vec<Effect>) {
        let epoch_begins = timing.begins_epoch(self.height);
        let due = |agreed: &Agreed| !agreed.waits_for_epoch || epoch_begins;
        if !self.network.agreed.as_ref().is_some_and(due) {
            return;
        }
        let network = Arc::make_mut(&mut self.network);
        let Some(agreed) = network.agreed.take() else { return };
        // The session has checked the keys; one that can't be used leaves the old ones in force.
        let Ok(community) = self.community.with_keys((*agreed.keys).clone()) else { return };
        self.community = Arc::new(community);
        (network.sharing, network.keys_digest) = (Some(agreed.session), agreed.keys_digest);
        network.lacking = agreed.lacking;
        effects.push(Effect::KeysInForce { session: agreed.session });
        if let Some(roster) = agreed.roster {
            let epoch = timing.epoch_of(self.height);
            effects.push(Effect::ValidatorsChanged { epoch, validators: roster.group().validators });
            network.rosters.replace(epoch, roster);
        }
        if let Some(accounts) = self.accounts_mut() {
            accounts.drop_shares();
        }
        for round in self.rounds.values_mut() {
            if matches!(round.stage, Stage::Opening(_))
                && let Stage::Opening(opening) = &mut Arc::make_mut(round).stage
            {
                opening.shares.clear();
            }
        }
    }

    fn end_session(&mut self, effects: &mut Vec<Effect>) {
        let height = self.height;
        if !self.network.is_running() {
            return;
        }
        let network = Arc::make_mut(&mut self.network);
        let Some(session) = &mut network.session else { return };
        let session = Arc::make_mut(session);
        // Heights rise, so that nothing is refused here.
        let _ = session.advance(height);
        let context = *session.context();
        let Some(outcome) = session.outcome() else { return };
        network.concluded = true;
        let dealt_for = if network.deals_for_change { network.change.take() } else { None };
        network.deals_for_change = false;
        match outcome {
            Ok(agreement) => {
                let excluded = agreement.dealer_faults.iter().map(|(dealer, _)| *dealer).collect();
                let lacking: Vec<u16> = agreement.receiver_faults.iter().map(|(r, _)| *r).collect();
                let keys = Arc::new(agreement.public.clone());
                let keys_digest = keys.digest();
                effects.push(Effect::KeysAgreed {
                    session: context.session,
                    task: context.task,
                    keys_digest,
                    dealers: context.dealers.validators,
                    excluded,
                    lacking: lacking.clone(),
                });
                network.agreed = Some(Agreed {
                    session: context.session,
                    keys,
                    keys_digest,
                    waits_for_epoch: dealt_for.is_some(),
                    roster: dealt_for,
                    lacking: !lacking.is_empty(),
                });
            }
            // The change goes with its session; it can be asked for again.
            Err(abort) => {
                let (session, reason) = (context.session, abort.to_string());
                effects.push(Effect::KeysAborted { session, task: context.task, reason });
            }
        }
    }

    fn start_session(&mut self, timing: &RoundTiming, effects: &mut Vec<Effect>) {
        let network = &self.network;
        if network.is_running() || network.agreed.is_some() {
            return;
        }
        let group = network.roster().group();
        let keys = self.community.keys();
        let task = match keys {
            None => Task::Generate,
            Some(_) if network.change.is_some() => Task::Reshare,
            Some(_) if !timing.begins_epoch(self.height) => return,
            Some(_) if network.lacking => Task::Reshare,
            Some(_) => Task::Refresh,
        };
        let receivers = match &network.change {
            Some(change) if task == Task::Reshare => change.group(),
            _ => group,
        };
        let context = SessionContext {
            task,
            ledger_id: self.community.ledger_id(),
            session: network.next_session,
            epoch: self.community.genesis().key_epoch,
            dealers: group,
            receivers,
            keys: u32::try_from(self.community.params().key_count()).unwrap_or(u32::MAX),
            previous: network.keys_digest,
        };
        let previous = keys.cloned();
        let height = self.height;
        // A context that the session refuses can't come from a checked genesis and roster.
        if Arc::make_mut(&mut self.network).start(context, timing, previous, height).is_ok() {
            effects.push(Effect::SessionStarted { session: context.session, task });
        }
    }

    pub(crate) fn take_key_event(&mut self, session: u64, event: &[u8]) -> Result<Effect, Refusal> {
        let height = self.height;
        let running = self.session().filter(|running| running.outcome().is_none());
        // "A key event is of the session in progress."
        let Some(running) = running.filter(|running| running.context().session == session) else {
            return Err(Refusal::Keys(KeyRefusal::NoSession { session }));
        };
        let decoded = Event::from_bytes(event, running.context())
            .map_err(|fault| Refusal::Keys(KeyRefusal::KeyEventMalformed { session, fault }))?;
        let refuse = |refusal| Refusal::Keys(KeyRefusal::KeyEvent { session, refusal: Box::new(refusal) });
        // Before the session is copied: whoever has no key of it costs no more than a signature's check.
        running.check_signature(&decoded).map_err(refuse)?;
        let mut after = running.clone();
        let effect = after.apply(height, &decoded).map_err(refuse)?;
        let network = Arc::make_mut(&mut self.network);
        network.session = Some(Arc::new(after));
        if network.log.heights.last() != Some(&height) {
            network.log.heights.push(height);
        }
        let excluded = match effect {
            SessionEffect::Accepted => None,
            SessionEffect::Excluded { dealer } => Some(dealer),
        };
        Ok(Effect::KeyEventAccepted { session, excluded })
    }
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;
