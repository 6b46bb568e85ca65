//! The forwarder: makes bids durable, sends them to all validators, says of each when enough have it.

use super::pending::{Acknowledgement, Dropped, Pending};
use crate::way::{Way, way_of};
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseFuture, WrapFuture};
use rand_core::OsRng;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::Instrument;
use veilgrid_actors::aggregator::{Confirm, Keep, KeepError, journal};
use veilgrid_api::RelayedBid;
use veilgrid_api::bids::NoReceipt;
use veilgrid_client::{Client, ClientError};
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::relay::RelayedBids;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::state::State;
use veilgrid_roles::intake::Admitted;
use veilgrid_store::IntakeJournal;

/// Whether a receipt may leave.
type Confirmed = Result<(), KeepError>;

/// How long a sender waits for f+1 validators.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often validators that have not acknowledged are asked again.
const AGAIN: Duration = Duration::from_secs(1);
/// Messages that may wait.
const MAILBOX: usize = 64;

/// The answer of a validator to a batch.
pub type Relayed = Pin<Box<dyn Future<Output = Result<Vec<Acknowledgement>, ClientError>> + Send>>;

/// How batches get to a validator. A trait, so that the forwarder can be tested without a network.
pub trait Relay: Send + Sync + 'static {
    /// The name, for logs.
    fn name(&self) -> &str;

    /// Hands a signed batch over.
    fn relay(&self, batch: Vec<u8>) -> Relayed;
}

/// What a validator says about a bid.
fn acknowledgement(bid: &RelayedBid) -> Result<Acknowledgement, NoReceipt> {
    if let Some(refusal) = &bid.refusal {
        tracing::debug!(bid = %bid.bid_digest, refusal, "a validator refuses a relayed bid");
    }
    Ok(Acknowledgement { digest: bid.bid_digest.0, receipt: bid.receipt()? })
}

impl Relay for Client {
    fn name(&self) -> &str {
        Client::name(self)
    }

    fn relay(&self, batch: Vec<u8>) -> Relayed {
        let client = self.clone();
        Box::pin(async move {
            let answer = Client::relay(&client, batch).await?;
            let read = answer.bids.iter().map(acknowledgement).collect::<Result<_, _>>();
            read.map_err(|error| ClientError::malformed(client.name(), error))
        })
    }
}

/// What a forwarder needs.
pub struct ForwarderOptions {
    /// Signs batches: the receipt key.
    pub key: SigningKey,
    /// The journal of admitted bids.
    pub journal: IntakeJournal,
    /// The validators.
    pub validators: Vec<Arc<dyn Relay>>,
    /// The ledger as far as it is known.
    pub state: State,
    /// Promises from before a restart that the ledger has not kept yet: they are sent on from the start.
    pub promised: Vec<Admitted>,
}

/// The state after a block.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Ledger(pub State);

/// Bids that are in the journal now, to be sent on.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Journaled(pub Vec<Admitted>);

/// The forwarder's actor.
pub struct Forwarder {
    key: SigningKey,
    journal: Arc<Mutex<IntakeJournal>>,
    validators: Vec<Arc<dyn Relay>>,
    state: State,
    pending: Pending,
    /// Addresses with a batch under way.
    busy: BTreeSet<usize>,
    /// Who waits for which bid to be had by enough.
    waiting: BTreeMap<[u8; 32], Vec<oneshot::Sender<Confirmed>>>,
    /// Digests of bids that the ledger has, with their rounds.
    on_ledger: BTreeMap<[u8; 32], u64>,
    /// Rounds that the journal has forgotten.
    forgotten: u64,
}

impl Forwarder {
    /// A forwarder.
    pub fn new(options: ForwarderOptions) -> Self {
        let ForwarderOptions { key, journal, validators, state, promised } = options;
        let mut forwarder = Self {
            key,
            journal: Arc::new(Mutex::new(journal)),
            validators,
            state,
            pending: Pending::default(),
            busy: BTreeSet::new(),
            waiting: BTreeMap::new(),
            on_ledger: BTreeMap::new(),
            forgotten: 0,
        };
        forwarder.take(promised);
        forwarder
    }

    /// Takes bids of the journal, to be sent on.
    fn take(&mut self, admitted: Vec<Admitted>) {
        for one in admitted {
            // The intake may know of a block of which this actor has not heard yet.
            match one.on_ledger {
                true => drop(self.on_ledger.insert(one.receipt.bid_digest, one.bid.round_id)),
                false => self.pending.add(one.bid),
            }
        }
    }

    /// Sends each validator what it has not acknowledged, unless something is under way to it.
    fn send_all(&mut self, ctx: &mut Context<Self>) {
        for address in 0..self.validators.len() {
            self.send(address, ctx);
        }
    }

    fn send(&mut self, address: usize, ctx: &mut Context<Self>) {
        if self.busy.contains(&address) {
            return;
        }
        let Some(validator) = self.validators.get(address).map(Arc::clone) else { return };
        let batches = self.pending.batches_for(address, &self.state);
        if batches.is_empty() {
            return;
        }
        self.busy.insert(address);
        let digests =
            |(_, bids): &(u64, Vec<SealedBid>)| bids.iter().map(SealedBid::digest).collect::<Vec<_>>();
        let sent: BTreeSet<[u8; 32]> = batches.iter().flat_map(digests).collect();
        let (key, ledger_id) = (self.key.clone(), self.state.community().ledger_id());
        let answered = relay_all(validator, key, ledger_id, batches);
        ctx.spawn(answered.into_actor(self).map(move |answers, actor, ctx| {
            actor.pending.acknowledge(address, &answers, &actor.state);
            answers.iter().for_each(|answer| actor.tell(&answer.digest));
            actor.busy.remove(&address);
            // What has come meanwhile does not wait for the next turn; what was refused does.
            let is_new = |bid: &SealedBid| !sent.contains(&bid.digest());
            if actor
                .pending
                .batches_for(address, &actor.state)
                .iter()
                .any(|(_, bids)| bids.iter().any(is_new))
            {
                actor.send(address, ctx);
            }
        }));
    }

    /// Validators of which one is honest: f+1.
    fn needed(&self) -> usize {
        usize::from(self.state.roster().group().faults()).saturating_add(1)
    }

    /// What is known of a bid whose receipt waits; none when that is not decided.
    fn verdict(&self, digest: &[u8; 32]) -> Option<Confirmed> {
        if self.on_ledger.contains_key(digest) {
            return Some(Ok(()));
        }
        match self.pending.validators(digest, &self.state) {
            Some(validators) => (validators >= self.needed()).then_some(Ok(())),
            None => Some(Err(KeepError::TooLate)),
        }
    }

    /// Answers those who wait for a bid if there is something to say.
    fn tell(&mut self, digest: &[u8; 32]) {
        if let Some(verdict) = self.verdict(digest) {
            for sender in self.waiting.remove(digest).unwrap_or_default() {
                // Whoever has lost patience asks again.
                let _ = sender.send(verdict.clone());
            }
        }
    }

    /// Lets the journal forget rounds that are over.
    fn forget(&mut self) {
        let over = journal::last_round_over(&self.state);
        let Some(over) = over.filter(|over| *over > self.forgotten) else { return };
        self.forgotten = over;
        self.on_ledger.retain(|_, round_id| *round_id > over);
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = journal.forget_up_to(over) {
            // Nothing is lost by remembering; new bids will show whether the disk works.
            tracing::error!(%error, over, "the journal can't forget finished rounds");
        }
    }
}

/// Sends batches one after another until one is not answered; returns the answers so far.
async fn relay_all(
    validator: Arc<dyn Relay>,
    key: SigningKey,
    ledger_id: [u8; 32],
    batches: Vec<(u64, Vec<SealedBid>)>,
) -> Vec<Acknowledgement> {
    let mut answers = Vec::new();
    for (round_id, bids) in batches {
        let count = bids.len();
        let batch = RelayedBids::sign(&key, ledger_id, round_id, bids, &mut OsRng);
        let span = tracing::debug_span!("relay", round_id, count, validator = validator.name());
        match validator.relay(batch.to_bytes()).instrument(span).await {
            Ok(of_batch) => answers.extend(of_batch),
            Err(error) => {
                tracing::warn!(%error, round_id, count, "bids are not taken; they are sent again");
                break;
            }
        }
    }
    answers
}

impl Actor for Forwarder {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(AGAIN, Self::send_all);
        self.send_all(ctx);
    }
}

impl Handler<Keep> for Forwarder {
    type Result = ResponseFuture<Result<(), KeepError>>;

    fn handle(&mut self, Keep(admitted): Keep, ctx: &mut Self::Context) -> Self::Result {
        let (journal, own) = (Arc::clone(&self.journal), ctx.address());
        Box::pin(async move {
            let record = move || {
                let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
                journal::record(&mut journal, &admitted).map(|()| admitted)
            };
            let recorded = tokio::task::spawn_blocking(record).await;
            let admitted =
                recorded.map_err(|_| KeepError::NotDurable { why: "writing ended in a panic".into() })??;
            let gone = |_| KeepError::NoRoom { why: "the forwarder is gone".into() };
            own.send(Journaled(admitted)).await.map_err(gone)
        })
    }
}

impl Handler<Confirm> for Forwarder {
    type Result = ResponseFuture<Confirmed>;

    fn handle(&mut self, Confirm(receipt): Confirm, _: &mut Context<Self>) -> Self::Result {
        let digest = receipt.bid_digest;
        // After a restart nothing is known of bids that were on the ledger then.
        if way_of(&self.state, receipt.round_id, &receipt.account, &digest) == Way::OnLedger {
            self.on_ledger.insert(digest, receipt.round_id);
        }
        if let Some(verdict) = self.verdict(&digest) {
            return Box::pin(async { verdict });
        }
        let (sender, decided) = oneshot::channel();
        let waiting = self.waiting.entry(digest).or_default();
        waiting.retain(|sender| !sender.is_closed());
        waiting.push(sender);
        Box::pin(async move {
            let too_few = "too few validators can be reached to promise a place: send the same bytes to them";
            match timeout(PATIENCE, decided).await {
                Ok(Ok(verdict)) => verdict,
                Ok(Err(_)) | Err(_) => Err(KeepError::NoRoom { why: too_few.into() }),
            }
        })
    }
}

impl Handler<Journaled> for Forwarder {
    type Result = ();

    fn handle(&mut self, Journaled(admitted): Journaled, ctx: &mut Self::Context) {
        self.take(admitted);
        self.send_all(ctx);
    }
}

impl Handler<Ledger> for Forwarder {
    type Result = ();

    fn handle(&mut self, Ledger(state): Ledger, _: &mut Self::Context) {
        let replaced = self.state.roster_since() != state.roster_since();
        self.state = state;
        let Dropped { on_ledger, too_late } = self.pending.follow(&self.state);
        for (round_id, digest) in &too_late {
            let digest = hex::encode(digest);
            tracing::warn!(
                round_id,
                bid = digest,
                "the round has closed without a bid that too few validators had"
            );
        }
        self.on_ledger.extend(on_ledger.iter().map(|(round_id, digest)| (*digest, *round_id)));
        on_ledger.iter().chain(&too_late).for_each(|(_, digest)| self.tell(digest));
        if replaced {
            // Other validators are in force: fewer may be enough.
            let waiting: Vec<_> = self.waiting.keys().copied().collect();
            waiting.iter().for_each(|digest| self.tell(digest));
        }
        self.forget();
    }
}
