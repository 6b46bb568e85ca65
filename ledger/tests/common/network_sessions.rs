//! What the validators of a test's network do in key sessions.

use super::{Running, Validator, World};
use rand_chacha::ChaCha20Rng;
use veilgrid_crypto::keygen::{
    DealtShares, Delivery, Event, KeyShares, OneTimeKey, Package, Phase, Session, Task, deal, deal_refresh,
    deal_resharing,
};
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::transaction::Transaction;

impl World {
    /// Every message that the session's phase asks for, of everybody who is not silent.
    pub fn key_events(&mut self) -> Vec<Transaction> {
        let running = self.state.session().filter(|session| session.outcome().is_none()).cloned();
        let Some(session) = running else { return Vec::new() };
        let number = session.context().session;
        let who: Vec<usize> = (0..self.validators.len()).filter(|who| !self.silent.contains(who)).collect();
        let events: Vec<Event> = who.into_iter().flat_map(|who| self.messages(who, &session)).collect();
        events
            .iter()
            .map(|event| Transaction::KeyEvent { session: number, event: event.to_bytes() })
            .collect()
    }

    fn messages(&mut self, who: usize, session: &Session) -> Vec<Event> {
        let validator = &mut self.validators[who];
        let signing_key = validator.entry.signing_key;
        let dealer = self.state.roster().index_of(&signing_key);
        let receiver = self.state.session_receivers().index_of(&signing_key);
        let ctx = session.context();
        let running = validator.running.get_or_insert_default();
        if running.session != ctx.session {
            *running = Running { session: ctx.session, ..Running::default() };
        }
        match (session.phase(), dealer, receiver) {
            (Phase::Announcing, _, Some(me)) if running.one_time.is_none() => {
                let key = OneTimeKey::generate(&mut self.rng);
                let announced = key.announce(ctx, me, &validator.key, &mut self.rng);
                running.one_time = Some(key);
                vec![Event::Announcement(announced)]
            }
            (Phase::Dealing, Some(me), _) if !session.has_package(me) => {
                let shares = validator.shares.as_ref().map(|(_, shares)| shares);
                let Some((package, dealt)) = deal_for(me, session, &validator.key, shares, &mut self.rng)
                else {
                    return Vec::new();
                };
                let (announced, digest) = (session.announced(), package.digest(ctx));
                let delivery =
                    Delivery::seal(ctx, me, digest, &dealt, &announced, &validator.key, &mut self.rng);
                vec![Event::Package(package), Event::Delivery(delivery)]
            }
            (Phase::Judging, _, Some(me)) if session.verdict_of(me).is_none() => {
                let Some(key) = running.one_time.take() else { return Vec::new() };
                let opened = session.open(me, key).expect("dealing is over");
                let verdict = session.verdict(&opened, &validator.key, &mut self.rng);
                running.opened = Some(opened);
                vec![Event::Verdict(verdict)]
            }
            _ => Vec::new(),
        }
    }

    /// Everybody makes its shares when a session has ended, and uses them when they come into force.
    pub(super) fn take_shares(&mut self) {
        let sharing = self.state.sharing();
        for validator in &mut self.validators {
            if validator.shares.as_ref().map(|(session, _)| *session) != sharing {
                validator.shares = validator.next.take_if(|(session, _)| Some(*session) == sharing);
            }
            let session = self.state.session().filter(|session| matches!(session.outcome(), Some(Ok(_))));
            let Some((session, running)) = session.zip(validator.running.as_mut()) else { continue };
            let number = session.context().session;
            let Some(opened) = running.opened.take_if(|_| running.session == number) else { continue };
            let fresh = match (session.context().task, validator.shares.clone()) {
                (Task::Refresh, Some((_, old))) => session.refreshed_shares(old, opened).ok(),
                (Task::Refresh, None) => None,
                _ => session.key_shares(opened).ok(),
            };
            validator.next = fresh.map(|fresh| (number, fresh));
        }
    }

    /// The people who hold shares that are in force.
    pub fn holders(&self) -> Vec<usize> {
        let keys = self.state.community().keys().expect("keys");
        let holds = |v: &Validator| v.shares.as_ref().is_some_and(|(_, shares)| keys.matches(shares));
        (0..self.validators.len()).filter(|who| holds(&self.validators[*who])).collect()
    }
}

fn deal_for(
    me: u16,
    session: &Session,
    key: &SigningKey,
    shares: Option<&KeyShares>,
    rng: &mut ChaCha20Rng,
) -> Option<(Package, Vec<DealtShares>)> {
    let ctx = session.context();
    Some(match ctx.task {
        Task::Generate => {
            let (package, dealt) = deal(&ctx.generation(), key, me, rng).expect("dealt");
            (Package::Generation(package), dealt)
        }
        Task::Refresh => {
            let (package, dealt) = deal_refresh(ctx, key, me, rng).expect("dealt");
            (Package::Renewal(package), dealt)
        }
        Task::Reshare => {
            let (package, dealt) = deal_resharing(ctx, key, shares?, rng).expect("dealt");
            (Package::Renewal(package), dealt)
        }
    })
}
