//! Key events, changes of validators, orders of the registrar, replacements of keys and what moves money, by their digests.

use super::money;
use crate::replica::error::{OfferRefusal, Offered};
use std::collections::BTreeMap;
use veilgrid_crypto::keygen::{Event, Party, Refusal, Session};
use veilgrid_crypto::wire::WireError;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::members::offices::KeyReplacement;
use veilgrid_ledger::members::order::RegistrarOrder;
use veilgrid_ledger::members::refusal::MembersRefusal;
use veilgrid_ledger::roster::RosterChange;
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::Transaction;

/// Most different events for one place in a session. An honest party fills each place once; two of one party are its
/// own doing, as they carry its signature.
const MAX_PER_PLACE: usize = 2;

/// Most changes of validators. Each is signed by t validators.
const MAX_CHANGES: usize = 4;

/// Most orders of the registrar, and of the treasury, that wait: each is signed by it, and they count one after another.
pub(super) const MAX_ORDERS: usize = 16;

/// Most different orders of one number. The registrar signs one; a second is its own doing.
pub(super) const MAX_PER_NUMBER: usize = 2;

/// Most replacements of keys. Each is signed by t validators.
const MAX_REPLACEMENTS: usize = 4;

/// A party's place in a session: what kind of event (in the order of the phases), whose, and for an answer the
/// receiver that complained.
type Place = (u8, Party, u16);

/// What a transaction is for; key events come before changes, and orders of the registrar in the order of their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Of {
    /// A place in the session of this number.
    Session(u64, Place),
    /// The replacement of the roster that is in force since this epoch.
    Roster(u64),
    /// New keys after so many replacements, by the roster that is in force since this epoch.
    Office(u64, u64),
    /// The registrar's order of this number.
    Order(u64),
    /// The treasury's order of this number.
    Treasury(u64),
    /// The claim of an account in a round.
    Claim(u64, u32),
    /// A withdrawal of this account.
    Withdrawal(u32),
}

struct Pooled {
    transaction: Transaction,
    bytes: usize,
    of: Of,
    /// The block on which it was tried last and refused: the state there says the same again.
    refused_on: Option<Hash>,
}

/// The events.
pub(in crate::replica) struct EventPool {
    entries: BTreeMap<Hash, Pooled>,
    bytes: usize,
    bound_bytes: usize,
}

impl EventPool {
    pub(super) fn new(bound_bytes: usize) -> Self {
        Self { entries: BTreeMap::new(), bytes: 0, bound_bytes }
    }

    /// Number of key events.
    pub(in crate::replica) fn key_events(&self) -> usize {
        self.entries.values().filter(|entry| matches!(entry.of, Of::Session(..))).count()
    }

    /// Number of changes of validators.
    pub(in crate::replica) fn changes(&self) -> usize {
        self.count(|of| matches!(of, Of::Roster(_)))
    }

    pub(super) fn count(&self, of: impl Fn(Of) -> bool) -> usize {
        self.entries.values().filter(|entry| of(entry.of)).count()
    }

    pub(in crate::replica) fn get(&self, digest: &Hash) -> Option<&Transaction> {
        self.entries.get(digest).map(|entry| &entry.transaction)
    }

    /// Takes an event of the session in progress. Its signature is checked here, so that nobody fills another's place.
    ///
    /// # Errors
    /// No session, no event of it, refused by it for good, or no room.
    pub(in crate::replica) fn offer_event(
        &mut self,
        state: &State,
        number: u64,
        event: &[u8],
    ) -> Result<(Hash, Offered), OfferRefusal> {
        let transaction = Transaction::KeyEvent { session: number, event: event.to_vec() };
        let digest = transaction.digest();
        if self.entries.contains_key(&digest) {
            return Ok((digest, Offered::Known));
        }
        let session = state.session().filter(|session| session.context().session == number);
        let session = session.ok_or(OfferRefusal::NoSession { session: number })?;
        let (length, bound) = (event.len() as u64, Event::max_bytes(session.context()) as u64);
        if length > bound {
            let fault = WireError::TooLong { field: "key event", length, bound };
            return Err(OfferRefusal::EventMalformed(fault));
        }
        let event = Event::from_bytes(event, session.context()).map_err(OfferRefusal::EventMalformed)?;
        let place = place_of(&event);
        let of = Of::Session(number, place);
        if self.entries.values().filter(|entry| entry.of == of).count() >= MAX_PER_PLACE {
            return Err(OfferRefusal::PartyFull { party: place.1 });
        }
        match try_on(session, state.height(), &event) {
            Err(Refusal::Repeated { .. }) => return Ok((digest, Offered::Known)),
            Err(refusal) if !may_come_later(&refusal) => return Err(OfferRefusal::EventRefused(refusal)),
            _ => {}
        }
        self.insert(digest, transaction, of)
    }

    /// Takes a change of validators whose signatures hold.
    ///
    /// # Errors
    /// A change that is not valid for the current roster, or no room.
    pub(in crate::replica) fn offer_change(
        &mut self,
        state: &State,
        change: &RosterChange,
    ) -> Result<(Hash, Offered), OfferRefusal> {
        let transaction = Transaction::ChangeValidators(Box::new(change.clone()));
        let digest = transaction.digest();
        if self.entries.contains_key(&digest) {
            return Ok((digest, Offered::Known));
        }
        if self.changes() >= MAX_CHANGES {
            return Err(OfferRefusal::PoolFull { bytes: self.bytes, bound: self.bound_bytes });
        }
        let since_epoch = state.roster_since();
        state.check_change(change).map_err(OfferRefusal::Change)?;
        self.insert(digest, transaction, Of::Roster(since_epoch))
    }

    /// Takes an order of the registrar: the next one after all checks; a later one, which waits for those before it, by its
    /// signature.
    ///
    /// # Errors
    /// Not the registrar's, refused by the ledger, or no room.
    pub(in crate::replica) fn offer_order(
        &mut self,
        state: &State,
        order: &RegistrarOrder,
    ) -> Result<(Hash, Offered), OfferRefusal> {
        let transaction = Transaction::Registrar(Box::new(order.clone()));
        let digest = transaction.digest();
        if self.entries.contains_key(&digest) {
            return Ok((digest, Offered::Known));
        }
        let (found, expected) = (order.sequence, state.members().sequence());
        let last = expected.saturating_add(MAX_ORDERS as u64);
        if !(expected..last).contains(&found) {
            return Err(MembersRefusal::Sequence { found, expected }.into());
        }
        if found == expected {
            state.check_order(order)?;
        } else {
            let community = state.community();
            order.verify(&community.ledger_id(), community.registrar_key())?;
        }
        let full = self.count(|of| matches!(of, Of::Order(_))) >= MAX_ORDERS;
        if full || self.count(|of| of == Of::Order(found)) >= MAX_PER_NUMBER {
            return Err(OfferRefusal::PoolFull { bytes: self.bytes, bound: self.bound_bytes });
        }
        self.insert(digest, transaction, Of::Order(found))
    }

    /// Takes new keys of the registrar or the aggregator.
    ///
    /// # Errors
    /// Refused by the ledger, or no room.
    pub(in crate::replica) fn offer_replacement(
        &mut self,
        state: &State,
        replacement: &KeyReplacement,
    ) -> Result<(Hash, Offered), OfferRefusal> {
        let transaction = Transaction::ReplaceKeys(Box::new(replacement.clone()));
        let digest = transaction.digest();
        if self.entries.contains_key(&digest) {
            return Ok((digest, Offered::Known));
        }
        if self.count(|of| matches!(of, Of::Office(..))) >= MAX_REPLACEMENTS {
            return Err(OfferRefusal::PoolFull { bytes: self.bytes, bound: self.bound_bytes });
        }
        state.check_replacement(replacement)?;
        self.insert(digest, transaction, office_of(state))
    }

    pub(super) fn full(&self) -> OfferRefusal {
        OfferRefusal::PoolFull { bytes: self.bytes, bound: self.bound_bytes }
    }

    pub(super) fn insert(
        &mut self,
        digest: Hash,
        transaction: Transaction,
        of: Of,
    ) -> Result<(Hash, Offered), OfferRefusal> {
        let bytes = transaction.to_bytes().len();
        if self.bytes.saturating_add(bytes) > self.bound_bytes {
            return Err(OfferRefusal::PoolFull { bytes: self.bytes, bound: self.bound_bytes });
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.entries.insert(digest, Pooled { transaction, bytes, of, refused_on: None });
        Ok((digest, Offered::New))
    }

    /// Whether anything is here that was not refused on this parent.
    pub(in crate::replica) fn has_untried(&self, parent: &Hash) -> bool {
        self.entries.values().any(|entry| entry.refused_on != Some(*parent))
    }

    /// What was not refused on this parent: key events in the order of their phases, then changes of validators.
    pub(in crate::replica) fn untried(&self, parent: &Hash) -> Vec<(Hash, Transaction)> {
        let mut untried: Vec<_> =
            self.entries.iter().filter(|(_, entry)| entry.refused_on != Some(*parent)).collect();
        untried.sort_by_key(|(_, entry)| entry.of);
        untried.into_iter().map(|(digest, entry)| (*digest, entry.transaction.clone())).collect()
    }

    /// Notes that an entry was refused on a parent.
    pub(in crate::replica) fn refused_on(&mut self, digest: &Hash, parent: &Hash) {
        if let Some(entry) = self.entries.get_mut(digest) {
            entry.refused_on = Some(*parent);
        }
    }

    /// Drops one entry.
    pub(in crate::replica) fn remove(&mut self, digest: &Hash) {
        if let Some(entry) = self.entries.remove(digest) {
            self.bytes = self.bytes.saturating_sub(entry.bytes);
        }
    }

    /// Drops the events of other sessions than the one in progress, and those that it will never take; changes that
    /// another roster has overtaken.
    pub(super) fn follow(&mut self, state: &State) {
        let gone: Vec<Hash> = self
            .entries
            .iter()
            .filter(|(_, entry)| !is_possible(state, entry))
            .map(|(digest, _)| *digest)
            .collect();
        gone.iter().for_each(|digest| self.remove(digest));
    }
}

/// Whether the final state may ever take the transaction; cheap, without its proofs.
fn is_possible(state: &State, entry: &Pooled) -> bool {
    match &entry.transaction {
        Transaction::KeyEvent { session, event } => {
            let current = state.session().filter(|current| current.context().session == *session);
            current.is_some_and(|current| {
                Event::from_bytes(event, current.context()).is_ok_and(|event| !is_over(current, &event))
            })
        }
        Transaction::ChangeValidators(change) => {
            let is_under_way = state.pending_roster() == Some(&change.roster);
            entry.of == Of::Roster(state.roster_since()) && !is_under_way
        }
        Transaction::ReplaceKeys(_) => entry.of == office_of(state),
        // Of the next one everything is known; there is one of them, or two.
        Transaction::Registrar(order) if order.sequence == state.members().sequence() => {
            state.check_order(order).is_ok()
        }
        Transaction::Registrar(order) => order.sequence > state.members().sequence(),
        other => money::is_possible(state, other),
    }
}

/// What a replacement of keys that is signed now is for.
fn office_of(state: &State) -> Of {
    Of::Office(state.offices().replaced(), state.roster_since())
}

/// Whether the event's place in the session is taken or its phase has passed.
fn is_over(session: &Session, event: &Event) -> bool {
    use veilgrid_crypto::keygen::Phase;
    let phase = session.phase();
    match event {
        Event::Announcement(event) => {
            let taken = session.announced().iter().any(|(receiver, _)| *receiver == event.receiver);
            taken || phase > Phase::Announcing
        }
        Event::Package(package) => session.has_package(package.dealer()) || phase > Phase::Dealing,
        Event::Delivery(event) => session.has_delivered(event.dealer) || phase > Phase::Dealing,
        Event::Verdict(event) => session.verdict_of(event.receiver).is_some() || phase > Phase::Judging,
        Event::Answer(event) => {
            let open = session.complaints_against(event.shares.dealer);
            phase > Phase::Answering || phase == Phase::Answering && !open.contains(&event.shares.receiver)
        }
    }
}

/// The signature comes before the copy of the session, so that only its parties can make a validator copy it. The copy
/// is cheap compared with the other checks of an event.
fn try_on(session: &Session, height: u64, event: &Event) -> Result<(), Refusal> {
    session.check_signature(event)?;
    session.clone().apply(height.saturating_add(1), event).map(|_| ())
}

/// Whether a session that refuses an event now may take it later.
pub(in crate::replica) fn may_come_later(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Early { .. } | Refusal::NoPackage { .. })
}

fn place_of(event: &Event) -> Place {
    match event {
        Event::Announcement(event) => (0, Party::Receiver(event.receiver), 0),
        Event::Package(package) => (1, Party::Dealer(package.dealer()), 0),
        Event::Delivery(event) => (2, Party::Dealer(event.dealer), 0),
        Event::Verdict(event) => (3, Party::Receiver(event.receiver), 0),
        Event::Answer(event) => (4, Party::Dealer(event.shares.dealer), event.shares.receiver),
    }
}
