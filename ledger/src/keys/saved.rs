//! Validators and keys in a saved state ([`crate::state::saved`]).
//!
//! The latest session is run again from its events, which are in blocks: it has to come to the digest that the state root covers,
//! so its keys are those that everybody agreed on. The keys before it are written whole and known by the digest that the session
//! began with.

use super::sessions::{Agreed, Network, SessionLog};
use crate::params::{read_flag, read_option, write_option};
use crate::roster::Roster;
use crate::state::State;
use crate::state::saved::{Blocks, SavedFault};
use crate::transaction::Transaction;
use crate::validators::history::Rosters;
use std::sync::Arc;
use veilgrid_crypto::keygen::{
    Event, Group, MAX_VALIDATORS, Parties, Schedule, Session, SessionContext, Task, ThresholdKeys,
};
use veilgrid_crypto::schnorr::VerifyingKey;
use veilgrid_crypto::wire::{Reader, WireError, Writer};

impl Network {
    pub(crate) fn save(&self, w: &mut Writer) {
        let Self {
            rosters,
            session,
            log,
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
        w.length(rosters.all().skip(1).count());
        for (from, roster) in rosters.all().skip(1) {
            w.u64(*from);
            roster.write(w);
        }
        w.u8(u8::from(session.is_some()));
        if let Some(session) = session {
            save_session(session, log, w);
        }
        w.u8(u8::from(*concluded)).u64(*next_session);
        w.u8(u8::from(agreed.is_some()));
        // Its keys are the session's.
        if let Some(Agreed { session, keys: _, keys_digest, waits_for_epoch, roster, lacking }) = agreed {
            w.u64(*session).bytes(keys_digest).u8(u8::from(*waits_for_epoch)).u8(u8::from(*lacking));
            save_roster(roster.as_deref(), w);
        }
        write_option(w, sharing.map(u64::to_le_bytes));
        w.bytes(keys_digest);
        save_roster(change.as_deref(), w);
        w.u8(u8::from(*deals_for_change)).u8(u8::from(*lacking)).u64(*refused).bytes(refused_digest);
    }
}

fn save_roster(roster: Option<&Roster>, w: &mut Writer) {
    w.u8(u8::from(roster.is_some()));
    if let Some(roster) = roster {
        roster.write(w);
    }
}

fn read_roster(r: &mut Reader<'_>) -> Result<Option<Arc<Roster>>, WireError> {
    read_flag(r, "validators")?.then(|| Roster::read(r).map(Arc::new)).transpose()
}

fn save_session(session: &Session, log: &SessionLog, w: &mut Writer) {
    let context = session.context();
    w.u8(context.task as u8).u64(context.session);
    for group in [context.dealers, context.receivers] {
        w.u16(group.validators).u16(group.threshold);
    }
    let Schedule { announce_until, deal_until, judge_until, answer_until } = *session.schedule();
    for height in [announce_until, deal_until, judge_until, answer_until] {
        w.u64(height);
    }
    let Parties { dealers, receivers } = session.parties();
    for keys in [dealers, receivers] {
        w.length(keys.len());
        keys.iter().for_each(|key| {
            w.bytes(&key.to_bytes());
        });
    }
    w.bytes(&context.previous).blob(&session.previous().map(ThresholdKeys::to_bytes).unwrap_or_default());
    let SessionLog { started_at, heights } = log;
    w.u64(*started_at).length(heights.len());
    heights.iter().for_each(|height| {
        w.u64(*height);
    });
    w.u64(session.height());
}

/// Most bytes of keys in a saved state: those of 128 validators and 16,384 keys.
const MAX_KEYS_BYTES: usize = 8 + 129 * 16_384 * 32;

/// A session as it is written, before its events.
struct Begun {
    context: SessionContext,
    schedule: Schedule,
    parties: Parties,
    previous: Option<ThresholdKeys>,
    log: SessionLog,
    /// The last height that it has seen.
    height: u64,
}

impl State {
    pub(crate) fn restore_keys(
        &mut self,
        r: &mut Reader<'_>,
        blocks: &mut Blocks<'_>,
    ) -> Result<(), SavedFault> {
        let mut rosters = Rosters::new(self.community.genesis().roster.clone());
        for _ in 0..r.length("changes of validators", usize::MAX, 12)? {
            let from = r.u64("epoch")?;
            rosters.replace(from, Arc::new(Roster::read(r)?));
        }
        let begun = read_flag(r, "session")?.then(|| self.read_session(r)).transpose()?;
        let (concluded, next_session) = (read_flag(r, "concluded")?, r.u64("next session")?);
        let mut log = SessionLog::default();
        let session = match begun {
            None => None,
            Some(begun) => {
                log = begun.log.clone();
                Some(run_again(begun, blocks)?)
            }
        };
        let outcome = session.as_ref().and_then(|session| session.outcome()?.as_ref().ok());
        let agreed_keys = outcome.map(|agreement| &agreement.public);
        let agreed = read_flag(r, "agreed keys")?.then(|| read_agreed(r, agreed_keys)).transpose()?;
        let sharing = read_option(r, "sharing")?.map(u64::from_le_bytes);
        let keys_digest = r.array("digest of keys")?;
        let change = read_roster(r)?;
        let (deals_for_change, lacking) = (read_flag(r, "deals for the change")?, read_flag(r, "lacking")?);
        let (refused, refused_digest) = (r.u64("refused transactions")?, r.array("digest of refusals")?);
        if let Some(number) = sharing {
            let is_latest = session.as_ref().is_some_and(|session| session.context().session == number);
            let previous = session.as_ref().and_then(Session::previous);
            let keys = if is_latest { agreed_keys } else { previous };
            self.put_keys(keys.filter(|keys| keys.digest() == keys_digest))?;
        }
        let session = session.map(Arc::new);
        self.network = Arc::new(Network {
            rosters,
            session,
            log,
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
        });
        Ok(())
    }

    fn put_keys(&mut self, keys: Option<&ThresholdKeys>) -> Result<(), SavedFault> {
        let misfit = SavedFault::Misfit { what: "keys" };
        let community = keys.and_then(|keys| self.community.with_keys(keys.clone()).ok()).ok_or(misfit)?;
        self.community = Arc::new(community);
        Ok(())
    }

    fn read_session(&self, r: &mut Reader<'_>) -> Result<Begun, SavedFault> {
        let task = match r.u8("task")? {
            0 => Task::Generate,
            1 => Task::Refresh,
            2 => Task::Reshare,
            _ => return Err(WireError::Invalid { field: "task", why: "no session has it" }.into()),
        };
        let session = r.u64("session")?;
        let mut group = || -> Result<Group, WireError> {
            Ok(Group { validators: r.u16("validators")?, threshold: r.u16("threshold")? })
        };
        let (dealers, receivers) = (group()?, group()?);
        let schedule = Schedule {
            announce_until: r.u64("deadline")?,
            deal_until: r.u64("deadline")?,
            judge_until: r.u64("deadline")?,
            answer_until: r.u64("deadline")?,
        };
        let mut keys = || -> Result<Vec<VerifyingKey>, SavedFault> {
            let count = r.length("signing keys", MAX_VALIDATORS.into(), 32)?;
            let key = |bytes| {
                VerifyingKey::from_bytes(&bytes).map_err(|_| SavedFault::Misfit { what: "validators" })
            };
            (0..count).map(|_| key(r.array("signing key")?)).collect()
        };
        let parties = Parties { dealers: keys()?, receivers: keys()? };
        // The session's own digest covers the one of the keys before.
        let digest = r.array("digest of the keys before")?;
        let bytes = r.blob("keys before", MAX_KEYS_BYTES)?;
        let previous = (!bytes.is_empty()).then(|| ThresholdKeys::from_bytes(bytes, &digest)).transpose()?;
        let started_at = r.u64("start of the session")?;
        let count = r.length("heights of key events", usize::MAX, 8)?;
        let heights = (0..count).map(|_| r.u64("height of a key event")).collect::<Result<_, _>>()?;
        let context = SessionContext {
            task,
            ledger_id: self.community.ledger_id(),
            session,
            epoch: self.community.genesis().key_epoch,
            dealers,
            receivers,
            keys: u32::try_from(self.community.params().key_count()).unwrap_or(u32::MAX),
            previous: digest,
        };
        let log = SessionLog { started_at, heights };
        Ok(Begun { context, schedule, parties, previous, log, height: r.u64("last height of the session")? })
    }
}

fn read_agreed(r: &mut Reader<'_>, keys: Option<&ThresholdKeys>) -> Result<Agreed, SavedFault> {
    let (session, keys_digest) = (r.u64("session")?, r.array("digest of keys")?);
    let (waits_for_epoch, lacking) = (read_flag(r, "waits for an epoch")?, read_flag(r, "lacking")?);
    let roster = read_roster(r)?;
    let keys = keys.filter(|keys| keys.digest() == keys_digest);
    let keys = Arc::new(keys.ok_or(SavedFault::Misfit { what: "agreed keys" })?.clone());
    Ok(Agreed { session, keys, keys_digest, waits_for_epoch, roster, lacking })
}

/// The session after its events, as the ledger has taken them: those that were refused then are refused again.
fn run_again(begun: Begun, blocks: &mut Blocks<'_>) -> Result<Session, SavedFault> {
    let Begun { context, schedule, parties, previous, log, height } = begun;
    let mut session = Session::new(context, schedule, parties, previous, log.started_at)?;
    for height in log.heights {
        let block = blocks(height).ok_or(SavedFault::Block { height })?;
        // As at the start of its block. Heights rise, so that nothing is refused here.
        let _ = session.advance(height);
        for transaction in &block.transactions {
            let Transaction::KeyEvent { session: number, event } = transaction else { continue };
            if *number != context.session || session.outcome().is_some() {
                continue;
            }
            let Ok(event) = Event::from_bytes(event, &context) else { continue };
            let mut after = session.clone();
            if after.apply(height, &event).is_ok() {
                session = after;
            }
        }
    }
    let _ = session.advance(height);
    Ok(session)
}
