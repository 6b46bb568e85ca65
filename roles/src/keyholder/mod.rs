//! All secrets of one validator and everything that is done with them.
//!
//! A [`KeyHolder`] looks at **final** states alone: it takes part in key sessions, keeps the shares that come out, and
//! releases opening shares for exactly what the ledger asks for. It never acts on a message or a speculative state.
//!
//! | secret | from | until |
//! |---|---|---|
//! | one-time key | its announcement | the sealed shares are opened |
//! | dealt shares, package, delivery | dealing | the session ends |
//! | opened shares | judging | the session ends |
//! | next shares | agreement | they are in force |
//! | shares | they are in force | those of a later session are, whether this validator has some or not |
//!
//! # Security
//! - [`KeyHolder::act`] only prepares. The caller makes [`KeyHolder::to_bytes`] durable **before** it sends what comes
//!   back; then a validator killed at any point repeats itself to the bit and never says two different things.
//! - Secrets that are older than the ledger (a restored backup) are safe: what the ledger has of this validator is not
//!   made a second time, and opening shares are proved for the shares in force alone. A ledger that is older than the
//!   secrets is left alone until it has caught up.
//! - A slot's bids are opened for one set of bids for ever (`guard`).
//! - Shares of a session that was aborted, or that never came into force, are wiped and open nothing.
//!
//! # Validators without shares
//! A validator that announces no one-time key in time receives no sealed shares and has none afterwards
//! ([`Holding::Missing`]), so it releases none. In a **refresh** it can't get any either: new shares are the old ones
//! plus what is dealt. It still deals there (sharings of zero need no shares), but announces no key, so that it does
//! not count as a holder. A **resharing** gives it shares, even one among the same validators. A validator that has
//! announced a key and is down later loses nothing: it opens its shares when it catches up, as long as the state still
//! shows the session.

mod bytes;
mod guard;
mod held;
mod notice;
mod owed;
mod running;
mod secrets;
mod view;

pub use held::Holding;
pub use notice::Notice;
pub use owed::Owed;
pub use secrets::SecretsError;

use guard::{ReleaseGuard, Ruling};
use held::Held;
use rand_core::CryptoRngCore;
use running::{Means, Message, Running};
use std::collections::BTreeSet;
use veilgrid_crypto::keygen::{KeyShares, Phase, Session};
use veilgrid_crypto::opening::release_share;
use veilgrid_crypto::schnorr::{SigningKey, VerifyingKey};
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::state::State;
use view::{Asked, View};

/// Notices that are remembered; beyond them one may be given twice.
const MAX_NOTICED: usize = 1024;

/// A validator's secrets.
pub struct KeyHolder {
    signing_key: SigningKey,
    /// The ledger that the secrets are of, once they have seen one.
    ledger_id: Option<Hash>,
    /// Height of the state that the secrets were last changed at.
    height: u64,
    current: Option<Held>,
    next: Option<Held>,
    running: Option<Running>,
    guard: ReleaseGuard,
    /// What this process has given out already. Not kept: after a restart all is given out again.
    emitted: BTreeSet<Item>,
    /// Notices that were given, so that each is given once.
    noticed: BTreeSet<Notice>,
}

/// What follows from a final state.
#[derive(Debug, Default)]
pub struct Actions {
    /// [`KeyHolder::to_bytes`] has to be durable before anything of this is sent.
    pub secrets_changed: bool,
    /// To be sent. [`KeyHolder::pending`] gives them again until they are on the ledger.
    pub owed: Vec<Owed>,
    /// Slots whose set of bids was fixed by this: round, start of the slot in seconds since 1970 UTC, set of bids. It is
    /// part of the secrets; here for a log outside of their backups.
    pub release_guard: Vec<(u64, i64, Hash)>,
    /// What an operator should hear of.
    pub notices: Vec<Notice>,
}

/// One transaction that a validator owes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Message { session: u64, message: Message },
    Share { slot_start_unix_s: i64, round_id: u64, opening_index: u32, sharing: u64 },
}

impl KeyHolder {
    /// A validator that has a signing key and nothing else yet.
    pub fn new(signing_key: SigningKey) -> Self {
        Self {
            signing_key,
            ledger_id: None,
            height: 0,
            current: None,
            next: None,
            running: None,
            guard: ReleaseGuard::default(),
            emitted: BTreeSet::new(),
            noticed: BTreeSet::new(),
        }
    }

    /// The public half of the signing key.
    pub fn verifying_key(&self) -> VerifyingKey {
        self.signing_key.verifying_key()
    }

    /// What this validator holds at a final state.
    pub fn holding(&self, state: &State) -> Holding {
        held::holding(self.current.as_ref(), &self.view(state))
    }

    /// Does what a final state asks for. May be called again with the same state, and after a restart.
    pub fn act(&mut self, state: &State, rng: &mut impl CryptoRngCore) -> Actions {
        let me = self.verifying_key();
        self.react(&View::of(state, &me), rng)
    }

    /// What is made, what the ledger takes at this state, and what it does not have. The bytes are always the same, so
    /// repeating it costs others nothing.
    pub fn pending(&self, state: &State) -> Vec<Owed> {
        let view = self.view(state);
        if self.misfit(&view).is_some() {
            return Vec::new();
        }
        self.owed(&view).into_iter().filter_map(|item| self.made(item, &view)).collect()
    }

    fn view<'a>(&self, state: &'a State) -> View<'a> {
        View::of(state, &self.verifying_key())
    }

    fn react(&mut self, view: &View<'_>, rng: &mut impl CryptoRngCore) -> Actions {
        let mut actions = Actions::default();
        let mut notices = Vec::new();
        match self.misfit(view) {
            Some(notice) => notices.push(notice),
            None => self.follow(view, rng, &mut actions, &mut notices),
        }
        if self.noticed.len() > MAX_NOTICED {
            self.noticed.clear();
        }
        notices.retain(|notice| self.noticed.insert(notice.clone()));
        actions.notices = notices;
        actions
    }

    fn follow(
        &mut self,
        view: &View<'_>,
        rng: &mut impl CryptoRngCore,
        actions: &mut Actions,
        notices: &mut Vec<Notice>,
    ) {
        // Shares may come into force with the block that starts the next session, and a session may be agreed on and in
        // force before this validator was back to see it end.
        let before = self.promote(view, notices);
        let in_session = self.follow_session(view, rng, notices);
        let after = self.promote(view, notices) | self.expire(view, notices);
        let released = self.release(view, rng, &mut actions.release_guard, notices);
        actions.secrets_changed = before || in_session || after || released;
        if actions.secrets_changed {
            self.ledger_id = Some(view.ledger_id);
            self.height = view.height;
        }
        let owed = self.owed(view);
        let fresh = owed.iter().filter(|item| !self.emitted.contains(item));
        actions.owed = fresh.filter_map(|item| self.made(*item, view)).collect();
        self.emitted = owed.into_iter().collect();
    }

    /// Why the state is not one to act on: of another ledger than the secrets, or older than they are.
    fn misfit(&self, view: &View<'_>) -> Option<Notice> {
        if self.ledger_id.is_some_and(|ledger_id| ledger_id != view.ledger_id) {
            return Some(Notice::OtherLedger);
        }
        let secrets_height = self.height;
        (view.height < secrets_height).then_some(Notice::LedgerBehind { secrets_height })
    }

    /// Takes part in the session, or draws the shares from one that has ended. Returns whether secrets changed.
    fn follow_session(
        &mut self,
        view: &View<'_>,
        rng: &mut impl CryptoRngCore,
        notices: &mut Vec<Notice>,
    ) -> bool {
        let Some(session_view) = view.session else { return self.running.take().is_some() };
        let session = session_view.session;
        let stale = self.running.take_if(|running| !running.is_of(session)).is_some();
        let current = self.current.as_ref().filter(|held| Some(held.session) == view.sharing);
        let shares = current.map(|held| &held.shares);
        let mut means = Means { signing_key: &self.signing_key, shares, keys: view.keys, rng, notices };
        let mut running = self.running.take().unwrap_or_else(|| Running::new(session));
        let changed = running.step(&session_view, &mut means);
        if running.is_empty() {
            return stale;
        }
        if session.phase() < Phase::Ended {
            self.running = Some(running);
            return changed || stale;
        }
        // What it had of the session is wiped here. Old shares are what a refresh adds to, in force or not any more;
        // the sum is compared with what everybody agreed on.
        let old = self.current.as_ref().map(|held| &held.shares);
        self.next = conclude(&running, session, old, notices);
        true
    }

    /// Puts the next shares in force with the ledger; the old ones are wiped.
    fn promote(&mut self, view: &View<'_>, notices: &mut Vec<Notice>) -> bool {
        let Some(next) = self.next.take_if(|next| Some(next.session) == view.sharing) else { return false };
        notices.push(Notice::InForce { session: next.session });
        self.current = Some(next);
        true
    }

    /// Wipes shares that are not in force any more or never will be.
    fn expire(&mut self, view: &View<'_>, notices: &mut Vec<Notice>) -> bool {
        let before = notices.len();
        // The session that they come from is shown until another one starts or its keys are in force.
        let latest = view.session.map(|view| view.session.context().session);
        if let Some(next) = self.next.take_if(|next| ![latest, view.pending].contains(&Some(next.session))) {
            notices.push(Notice::NeverInForce { session: next.session });
        }
        if let Some(in_force) = view.sharing
            && let Some(old) = self.current.take_if(|held| held.session < in_force)
        {
            notices.push(Notice::Outdated { session: old.session, in_force });
        }
        notices.len() > before
    }

    /// Makes the shares that rounds wait for. The only place where a key share is used for an opening.
    fn release(
        &mut self,
        view: &View<'_>,
        rng: &mut impl CryptoRngCore,
        fixed: &mut Vec<(u64, i64, Hash)>,
        notices: &mut Vec<Notice>,
    ) -> bool {
        // "Shares of a session open while they are in force."
        let in_force = self.current.as_ref().filter(|held| Some(held.session) == view.sharing);
        let (Some(current), Some(keys)) = (in_force, view.keys) else { return false };
        let mut changed = false;
        for Asked { slot_start_unix_s: slot, request } in &view.asked {
            let (context, sharing) = (&request.context, current.session);
            let (round_id, opening_index) = (context.round_id, context.opening_index);
            let made = self.guard.released(*slot, opening_index, sharing).is_some();
            let ruling = self.guard.rule(*slot, round_id, &context.bid_set);
            if ruling == Ruling::Refused {
                notices.push(Notice::SecondBidSet { slot_start_unix_s: *slot, round_id, opening_index });
                continue;
            }
            if made || request.have.contains(&current.shares.index()) {
                continue;
            }
            let shares = &current.shares;
            match release_share(context, &request.weights, shares, keys, &request.r_total, rng) {
                Ok(share) => {
                    let bid_set = context.bid_set;
                    self.guard.record(*slot, round_id, bid_set, opening_index, (sharing, share));
                    fixed.extend((ruling == Ruling::First).then_some((round_id, *slot, bid_set)));
                    changed = true;
                }
                Err(error) => {
                    let why = error.to_string();
                    notices.push(Notice::NotReleased { round_id, opening_index, why });
                }
            }
        }
        if changed {
            self.guard.trim(&view.active);
        }
        changed
    }

    /// What the ledger takes now and does not have, of what is made.
    fn owed(&self, view: &View<'_>) -> Vec<Item> {
        let mut items = Vec::new();
        if let (Some(session), Some(running)) = (&view.session, &self.running)
            && running.is_of(session.session)
        {
            let number = session.session.context().session;
            let item = |message| Item::Message { session: number, message };
            items.extend(running.pending(session.session).into_iter().map(item));
        }
        let in_force = self.current.as_ref().filter(|held| Some(held.session) == view.sharing);
        if let Some(Held { session: sharing, shares }) = in_force {
            let waits = view.asked.iter().filter(|asked| !asked.request.have.contains(&shares.index()));
            items.extend(waits.map(|asked| Item::Share {
                slot_start_unix_s: asked.slot_start_unix_s,
                round_id: asked.request.context.round_id,
                opening_index: asked.request.context.opening_index,
                sharing: *sharing,
            }));
        }
        items
    }

    fn made(&self, item: Item, view: &View<'_>) -> Option<Owed> {
        match item {
            Item::Message { session, message } => {
                let event = self.running.as_ref()?.bytes_of(message)?.to_vec();
                Some(Owed::KeyEvent { session, event })
            }
            Item::Share { slot_start_unix_s, round_id, opening_index, sharing } => {
                let asked = view.asked.iter().find(|asked| asked.request.context.round_id == round_id)?;
                let bid_set = &asked.request.context.bid_set;
                if self.guard.rule(slot_start_unix_s, round_id, bid_set) != Ruling::Same {
                    return None;
                }
                let share = self.guard.released(slot_start_unix_s, opening_index, sharing)?;
                Some(Owed::Share { round_id, opening_index, share })
            }
        }
    }
}

/// The shares that an ended session leaves this validator with; none after an abort, and none for a validator that had no part.
fn conclude(
    running: &Running,
    session: &Session,
    old: Option<&KeyShares>,
    notices: &mut Vec<Notice>,
) -> Option<Held> {
    let number = session.context().session;
    let outcome = session.outcome()?;
    if let Err(abort) = outcome {
        notices.push(Notice::Aborted { session: number, why: abort.to_string() });
        return None;
    }
    // A dealer alone expects none.
    running.receiver()?;
    match running.conclude(session, old) {
        Ok(shares) => Some(Held { session: number, shares }),
        Err(why) => {
            notices.push(Notice::NoShares { session: number, why });
            None
        }
    }
}
