//! A validator's part in one key session (specification sections 2.7 and 2.8).
//!
//! # Security
//! Every message is made once and kept as bytes, so that a validator that restarts repeats itself to the bit: a second
//! package would be two-faced dealing, a second one-time key would lose the shares sealed under the first.

use super::bytes::{Sink, read_list, read_option, read_secret};
use super::notice::Notice;
use super::view::SessionView;
use rand_core::CryptoRngCore;
use std::collections::BTreeMap;
use veilgrid_crypto::keygen::{
    Answer, DealtShares, Delivery, DeliveryFault, Event, KeyGenError, KeyShares, MAX_VALIDATORS, OneTimeKey,
    Opened, Package, Phase, Session, Task, ThresholdKeys, deal, deal_refresh, deal_resharing,
};
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_crypto::secret::Secret;
use veilgrid_crypto::wire::{Reader, WireError};

/// Which message of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Message {
    Announcement,
    Package,
    Delivery,
    Verdict,
    /// To the complaint of this receiver.
    Answer(u16),
}

/// What a validator brings to a session besides its part of it.
pub(super) struct Means<'a, R> {
    pub(super) signing_key: &'a SigningKey,
    /// Its shares in force.
    pub(super) shares: Option<&'a KeyShares>,
    /// The keys in force.
    pub(super) keys: Option<&'a ThresholdKeys>,
    pub(super) rng: &'a mut R,
    pub(super) notices: &'a mut Vec<Notice>,
}

impl<R> Means<'_, R> {
    /// The shares in force of validator `me`, if they are those that belong to the keys in force.
    fn true_shares(&self, me: u16) -> Option<&KeyShares> {
        self.shares.filter(|shares| are_true(shares, me, self.keys))
    }
}

fn are_true(shares: &KeyShares, me: u16, keys: Option<&ThresholdKeys>) -> bool {
    shares.index() == me && keys.is_some_and(|keys| keys.matches(shares))
}

/// What a dealer made, all at once.
struct Dealing {
    package: Vec<u8>,
    delivery: Vec<u8>,
    /// The shares of receiver i at i − 1, for answers to complaints.
    shares: Vec<Secret<Vec<u8>>>,
}

/// Everything that a validator has of the session in progress. Messages are kept as encoded events.
pub(super) struct Running {
    /// [`veilgrid_crypto::keygen::SessionContext::to_bytes`]: which session this is of.
    context: Vec<u8>,
    /// Its numbers as dealer and as receiver, from the time that it first made something as such. Rosters change
    /// before a session is forgotten.
    dealer: Option<u16>,
    receiver: Option<u16>,
    /// Until the shares are opened; nobody reads what was sealed to it afterwards.
    one_time: Option<Secret<[u8; 32]>>,
    announcement: Option<Vec<u8>>,
    dealing: Option<Dealing>,
    opened: Option<Secret<Vec<u8>>>,
    verdict: Option<Vec<u8>>,
    answers: BTreeMap<u16, Vec<u8>>,
}

impl Running {
    /// Nothing yet of this session.
    pub(super) fn new(session: &Session) -> Self {
        Self {
            context: session.context().to_bytes(),
            dealer: None,
            receiver: None,
            one_time: None,
            announcement: None,
            dealing: None,
            opened: None,
            verdict: None,
            answers: BTreeMap::new(),
        }
    }

    pub(super) fn is_of(&self, session: &Session) -> bool {
        self.context == session.context().to_bytes()
    }

    /// Its number as receiver, once it has announced a key.
    pub(super) fn receiver(&self) -> Option<u16> {
        self.receiver
    }

    /// Whether nothing was made so far, so that there is nothing to keep.
    pub(super) fn is_empty(&self) -> bool {
        self.announcement.is_none() && self.dealing.is_none()
    }

    /// Makes what the session's phase asks for and is not made yet. Returns whether anything was made.
    pub(super) fn step<R: CryptoRngCore>(
        &mut self,
        view: &SessionView<'_>,
        means: &mut Means<'_, R>,
    ) -> bool {
        let session = view.session;
        let (dealer, receiver) = (self.dealer.or(view.dealer), self.receiver);
        match (session.phase(), receiver) {
            (Phase::Announcing, _) => view.receiver.is_some_and(|me| self.announce(me, session, means)),
            (Phase::Dealing, _) => dealer.is_some_and(|me| self.deal(me, session, means)),
            (Phase::Judging, Some(me)) => {
                let opened = self.open(me, session, means.notices);
                self.judge(me, session, means) || opened
            }
            (Phase::Answering, _) => {
                // A receiver that was not there in time to judge has good shares nevertheless.
                let opened = receiver.is_some_and(|me| self.open(me, session, means.notices));
                dealer.is_some_and(|me| self.answer(me, session, means)) || opened
            }
            (Phase::Ended, Some(me)) => self.open(me, session, means.notices),
            (Phase::Judging | Phase::Ended, None) => false,
        }
    }

    fn announce<R: CryptoRngCore>(&mut self, me: u16, session: &Session, means: &mut Means<'_, R>) -> bool {
        let ctx = session.context();
        // A receiver of a refresh counts as a holder afterwards. Without old shares, or with such as are not the ledger's,
        // there is nothing to refresh: the sum would open nothing, and nobody else could see it.
        let useless = ctx.task == Task::Refresh && means.true_shares(me).is_none();
        if self.announcement.is_some() || useless {
            return false;
        }
        if session.announced().iter().any(|(receiver, _)| *receiver == me) {
            means.notices.push(Notice::OneTimeKeyLost { session: ctx.session, receiver: me });
            return false;
        }
        let key = OneTimeKey::generate(means.rng);
        let announcement = key.announce(ctx, me, means.signing_key, means.rng);
        self.announcement = Some(Event::Announcement(announcement).to_bytes());
        self.one_time = Some(key.to_bytes());
        self.receiver = Some(me);
        true
    }

    fn deal<R: CryptoRngCore>(&mut self, me: u16, session: &Session, means: &mut Means<'_, R>) -> bool {
        let number = session.context().session;
        if self.dealing.is_some() || session.dealer_faults().iter().any(|(dealer, _)| *dealer == me) {
            return false;
        }
        if session.has_package(me) {
            means.notices.push(Notice::DealingLost { session: number, dealer: me });
            return false;
        }
        match make_dealing(me, session, means) {
            Ok(dealing) => {
                (self.dealing, self.dealer) = (Some(dealing), Some(me));
                true
            }
            Err(error) => {
                let why = error.to_string();
                means.notices.push(Notice::NotDealt { session: number, dealer: me, why });
                false
            }
        }
    }

    fn open(&mut self, me: u16, session: &Session, notices: &mut Vec<Notice>) -> bool {
        let Some(key) = self.one_time.take() else { return false };
        match session.open(me, OneTimeKey::from_bytes(key.expose())) {
            Ok(opened) => {
                let session = session.context().session;
                let notice =
                    |fault: &DeliveryFault| Notice::FalseDealer { session, fault: fault.to_string() };
                notices.extend(opened.faults().iter().map(notice));
                self.opened = Some(opened.to_bytes());
                true
            }
            // Dealing is not over, which the caller excludes.
            Err(key) => {
                self.one_time = Some(key.to_bytes());
                false
            }
        }
    }

    fn judge<R: CryptoRngCore>(&mut self, me: u16, session: &Session, means: &mut Means<'_, R>) -> bool {
        if self.verdict.is_some() || session.verdict_of(me).is_some() {
            return false;
        }
        let Some(opened) = self.read_opened(session) else { return false };
        // "A verdict answers for shares that open." What was dealt in a refresh is only one half of them.
        if session.context().task == Task::Refresh && means.true_shares(me).is_none() {
            return false;
        }
        let verdict = session.verdict(&opened, means.signing_key, means.rng);
        self.verdict = Some(Event::Verdict(verdict).to_bytes());
        true
    }

    fn answer<R: CryptoRngCore>(&mut self, me: u16, session: &Session, means: &mut Means<'_, R>) -> bool {
        let Some(dealing) = &self.dealing else { return false };
        let ctx = session.context();
        let mut changed = false;
        for receiver in session.complaints_against(me) {
            let at = usize::from(receiver).checked_sub(1);
            let stored = at.and_then(|at| dealing.shares.get(at));
            let shares = stored.and_then(|s| DealtShares::from_bytes(s.expose(), &ctx.generation()).ok());
            let (Some(shares), false) = (shares, self.answers.contains_key(&receiver)) else { continue };
            means.notices.push(Notice::ComplaintAnswered { session: ctx.session, dealer: me, receiver });
            let answer = Answer::reveal(ctx, shares, means.signing_key, means.rng);
            self.answers.insert(receiver, Event::Answer(answer).to_bytes());
            changed = true;
        }
        changed
    }

    fn read_opened(&self, session: &Session) -> Option<Opened> {
        session.opened_from_bytes(self.opened.as_ref()?.expose()).ok()
    }

    /// The shares that come out of an agreement; `old` are those that a refresh adds to.
    ///
    /// # Errors
    /// Why there are none for this validator, in words.
    pub(super) fn conclude(&self, session: &Session, old: Option<&KeyShares>) -> Result<KeyShares, String> {
        let opened = self.read_opened(session).ok_or("nothing was sealed for this validator")?;
        if session.context().task != Task::Refresh {
            return session.key_shares(opened).map_err(|error| error.to_string());
        }
        // A copy: the old ones open until the new ones are in force.
        let old = old.cloned().ok_or("there are no old shares to refresh")?;
        session.refreshed_shares(old, opened).map_err(|(_, error)| error.to_string())
    }

    /// The messages that the session takes now, are made, and are not on the ledger.
    pub(super) fn pending(&self, session: &Session) -> Vec<Message> {
        let (dealer, receiver) = (self.dealer, self.receiver);
        let mut messages = Vec::new();
        match session.phase() {
            Phase::Announcing => {
                let announced = |me| session.announced().iter().any(|(receiver, _)| *receiver == me);
                messages.extend(receiver.filter(|me| !announced(*me)).map(|_| Message::Announcement));
            }
            Phase::Dealing => {
                let excluded = |me| session.dealer_faults().iter().any(|(dealer, _)| *dealer == me);
                if let Some(me) = dealer.filter(|me| !excluded(*me)) {
                    // The ledger refuses a delivery before its package, so it waits until the package is final.
                    let published = session.has_package(me);
                    messages.extend((!published).then_some(Message::Package));
                    messages.extend((published && !session.has_delivered(me)).then_some(Message::Delivery));
                }
            }
            Phase::Judging => {
                let waits = receiver.filter(|me| session.verdict_of(*me).is_none());
                messages.extend(waits.map(|_| Message::Verdict));
            }
            Phase::Answering => {
                let open = dealer.map(|me| session.complaints_against(me)).unwrap_or_default();
                messages.extend(open.into_iter().map(Message::Answer));
            }
            Phase::Ended => {}
        }
        messages.retain(|message| self.bytes_of(*message).is_some());
        messages
    }

    /// A message as it was made: an encoded event.
    pub(super) fn bytes_of(&self, message: Message) -> Option<&[u8]> {
        match message {
            Message::Announcement => self.announcement.as_deref(),
            Message::Package => self.dealing.as_ref().map(|dealing| dealing.package.as_slice()),
            Message::Delivery => self.dealing.as_ref().map(|dealing| dealing.delivery.as_slice()),
            Message::Verdict => self.verdict.as_deref(),
            Message::Answer(receiver) => self.answers.get(&receiver).map(Vec::as_slice),
        }
    }

    pub(super) fn write(&self, sink: &mut Sink) {
        sink.blob(&self.context);
        sink.option(self.dealer, Sink::u16);
        sink.option(self.receiver, Sink::u16);
        sink.option(self.one_time.as_ref(), |sink, key| sink.bytes(key.expose()));
        sink.option(self.announcement.as_ref(), |sink, bytes| sink.blob(bytes));
        sink.option(self.dealing.as_ref(), |sink, dealing| {
            sink.blob(&dealing.package);
            sink.blob(&dealing.delivery);
            sink.length(dealing.shares.len());
            dealing.shares.iter().for_each(|shares| sink.blob(shares.expose()));
        });
        sink.option(self.opened.as_ref(), |sink, opened| sink.blob(opened.expose()));
        sink.option(self.verdict.as_ref(), |sink, bytes| sink.blob(bytes));
        sink.length(self.answers.len());
        for (receiver, bytes) in &self.answers {
            sink.u16(*receiver);
            sink.blob(bytes);
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let blob =
            |r: &mut Reader<'_>, field| r.blob(field, r.remaining()).map(|bytes: &[u8]| bytes.to_vec());
        let context = blob(r, "session context")?;
        let dealer = read_option(r, |r| r.u16("dealer"))?;
        let receiver = read_option(r, |r| r.u16("receiver"))?;
        let one_time = read_option(r, |r| Ok(Secret::new(r.array("one-time key")?)))?;
        let announcement = read_option(r, |r| blob(r, "announcement"))?;
        let dealing = read_option(r, |r| {
            Ok(Dealing {
                package: blob(r, "package")?,
                delivery: blob(r, "delivery")?,
                shares: read_list(r, "dealt shares", MAX_VALIDATORS.into(), 4, |r| {
                    read_secret(r, "dealt shares")
                })?,
            })
        })?;
        let opened = read_option(r, |r| read_secret(r, "opened shares"))?;
        let verdict = read_option(r, |r| blob(r, "verdict"))?;
        let list = read_list(r, "answers", MAX_VALIDATORS.into(), 6, |r| {
            Ok((r.u16("receiver")?, blob(r, "answer")?))
        })?;
        if !list.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(WireError::Invalid { field: "answers", why: "receivers are not in rising order" });
        }
        let answers = list.into_iter().collect();
        Ok(Self { context, dealer, receiver, one_time, announcement, dealing, opened, verdict, answers })
    }
}

/// Package, delivery and shares.
fn make_dealing<R: CryptoRngCore>(
    me: u16,
    session: &Session,
    means: &mut Means<'_, R>,
) -> Result<Dealing, KeyGenError> {
    let (ctx, key, rng) = (session.context(), means.signing_key, &mut *means.rng);
    let (package, dealt) = match ctx.task {
        Task::Generate => {
            let (package, dealt) = deal(&ctx.generation(), key, me, rng)?;
            (Package::Generation(package), dealt)
        }
        // Whoever has no shares can still deal a sharing of zero.
        Task::Refresh => {
            let (package, dealt) = deal_refresh(ctx, key, me, rng)?;
            (Package::Renewal(package), dealt)
        }
        Task::Reshare => {
            // Shares that are not the ledger's would be found by all receivers and blamed on this dealer.
            let shares = means.shares.filter(|shares| are_true(shares, me, means.keys));
            let shares = shares.ok_or(KeyGenError::HeldShares { validator: me })?;
            let (package, dealt) = deal_resharing(ctx, key, shares, rng)?;
            (Package::Renewal(package), dealt)
        }
    };
    let delivery = Delivery::seal(ctx, me, package.digest(ctx), &dealt, &session.announced(), key, rng);
    Ok(Dealing {
        package: Event::Package(package).to_bytes(),
        delivery: Event::Delivery(delivery).to_bytes(),
        shares: dealt.iter().map(DealtShares::to_bytes).collect(),
    })
}
