//! The forwarder: makes bids durable, sends them to all validators, says when enough have them.

use super::pending::{Acknowledgement, Pending};
use crate::client::{Client, ClientError};
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseFuture, WrapFuture};
use rand_core::OsRng;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::Instrument;
use veilgrid_actors::aggregator::{Keep, KeepError};
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::relay::RelayedBids;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::roster::Roster;
use veilgrid_ledger::state::State;
use veilgrid_roles::intake::Admitted;
use veilgrid_store::{IntakeEntry, IntakeJournal};

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

/// The form of a validator's answer.
#[derive(Deserialize)]
struct RelayAnswer {
    bids: Vec<RelayedBid>,
}

#[derive(Deserialize)]
struct RelayedBid {
    bid_digest: String,
    #[serde(default)]
    receipt: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
}

impl RelayedBid {
    fn read(self) -> Result<Acknowledgement, String> {
        let mut digest = [0u8; 32];
        hex::decode_to_slice(&self.bid_digest, &mut digest).map_err(|error| error.to_string())?;
        if let Some(refusal) = self.refusal {
            tracing::debug!(bid = self.bid_digest, refusal, "a validator refuses a relayed bid");
        }
        let read = |text: String| {
            let bytes = hex::decode(text).map_err(|error| error.to_string())?;
            Receipt::from_bytes(&bytes).map_err(|error| error.to_string())
        };
        Ok(Acknowledgement { digest, receipt: self.receipt.map(read).transpose()? })
    }
}

impl Relay for Client {
    fn name(&self) -> &str {
        Client::name(self)
    }

    fn relay(&self, batch: Vec<u8>) -> Relayed {
        let client = self.clone();
        Box::pin(async move {
            let body = Client::relay(&client, batch).await?;
            let malformed = |why| ClientError::Malformed { node: client.name().to_owned(), why };
            let answer: RelayAnswer =
                serde_json::from_slice(&body).map_err(|error| malformed(error.to_string()))?;
            answer.bids.into_iter().map(RelayedBid::read).collect::<Result<_, _>>().map_err(malformed)
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
}

/// The state after a block.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Ledger(pub State);

/// Promises from before a restart that the ledger has not kept yet.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Restored(pub Vec<Admitted>);

/// The forwarder's actor.
pub struct Forwarder {
    key: SigningKey,
    journal: Arc<Mutex<IntakeJournal>>,
    validators: Vec<Arc<dyn Relay>>,
    state: State,
    pending: Pending,
    /// Addresses with a batch under way.
    busy: BTreeSet<usize>,
    /// Counts acknowledgements, for those who wait for them.
    progress: watch::Sender<u64>,
    /// Rounds that the journal has forgotten.
    forgotten: u64,
}

impl Forwarder {
    /// A forwarder.
    pub fn new(options: ForwarderOptions) -> Self {
        let ForwarderOptions { key, journal, validators, state } = options;
        Self {
            key,
            journal: Arc::new(Mutex::new(journal)),
            validators,
            state,
            pending: Pending::default(),
            busy: BTreeSet::new(),
            progress: watch::Sender::new(0),
            forgotten: 0,
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
        let batches = self.pending.batches_for(address);
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
            actor.progress.send_modify(|count| *count = count.wrapping_add(1));
            actor.busy.remove(&address);
            // What has come meanwhile does not wait for the next turn; what was refused does.
            let is_new = |bid: &SealedBid| !sent.contains(&bid.digest());
            if actor.pending.batches_for(address).iter().any(|(_, bids)| bids.iter().any(is_new)) {
                actor.send(address, ctx);
            }
        }));
    }

    /// Validators of which one is honest: f+1.
    fn needed(&self) -> usize {
        let group = self.state.roster().map(Roster::group);
        group.map_or(1, |group| {
            usize::from(group.validators.saturating_sub(group.threshold)).saturating_add(1)
        })
    }

    /// Lets the journal forget rounds that are over.
    fn forget(&mut self) {
        let open = self.state.rounds().next().map(|round| round.round_id());
        let over = open.map_or_else(|| self.state.last_round_id(), |first| first.checked_sub(1));
        let Some(over) = over.filter(|over| *over > self.forgotten) else { return };
        self.forgotten = over;
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

/// Bids of a write to the journal: those of the largest grid are 300 KB each, and a write has a bound.
const ENTRIES_A_WRITE: usize = 64;

/// Writes bids and receipts down; they are on disk when it returns.
fn record(journal: &Mutex<IntakeJournal>, admitted: &[Admitted]) -> Result<(), KeepError> {
    let entries: Vec<IntakeEntry> = admitted
        .iter()
        .map(|one| IntakeEntry { bid: one.bid.to_bytes(), receipt: one.receipt.to_bytes() })
        .collect();
    let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
    for entries in entries.chunks(ENTRIES_A_WRITE) {
        journal.record(entries).map_err(|error| KeepError::NotDurable { why: error.to_string() })?;
    }
    Ok(())
}

impl Actor for Forwarder {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(AGAIN, Self::send_all);
    }
}

impl Handler<Keep> for Forwarder {
    type Result = ResponseFuture<Result<(), KeepError>>;

    fn handle(&mut self, Keep(admitted): Keep, ctx: &mut Self::Context) -> Self::Result {
        let (journal, own) = (Arc::clone(&self.journal), ctx.address());
        let progress = self.progress.subscribe();
        Box::pin(async move {
            let digests: Vec<[u8; 32]> = admitted.iter().map(|one| one.receipt.bid_digest).collect();
            let recorded =
                tokio::task::spawn_blocking(move || record(&journal, &admitted).map(|()| admitted)).await;
            let admitted =
                recorded.map_err(|_| KeepError::NotDurable { why: "writing ended in a panic".into() })??;
            let gone = |_| KeepError::NoRoom { why: "the forwarder is gone".into() };
            own.send(Restored(admitted)).await.map_err(gone)?;
            let enough = wait_for_enough(progress, &own, digests);
            match timeout(PATIENCE, enough).await {
                Ok(()) => Ok(()),
                Err(_) => Err(KeepError::NoRoom {
                    why: "too few validators can be reached to promise a place: send the same bytes to them"
                        .into(),
                }),
            }
        })
    }
}

/// Returns when f+1 validators have each of the bids.
async fn wait_for_enough(
    mut progress: watch::Receiver<u64>,
    forwarder: &actix::Addr<Forwarder>,
    digests: Vec<[u8; 32]>,
) {
    loop {
        // Marked as seen before asking, so that what comes in between is not missed.
        progress.borrow_and_update();
        if forwarder.send(Enough(digests.clone())).await.unwrap_or(false) {
            return;
        }
        if progress.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Asks whether f+1 validators have each of these bids.
#[derive(Message)]
#[rtype(result = "bool")]
struct Enough(Vec<[u8; 32]>);

impl Handler<Enough> for Forwarder {
    type Result = bool;

    fn handle(&mut self, Enough(digests): Enough, _: &mut Self::Context) -> bool {
        self.pending.have_all(&digests, self.needed())
    }
}

impl Handler<Restored> for Forwarder {
    type Result = ();

    fn handle(&mut self, Restored(admitted): Restored, ctx: &mut Self::Context) {
        for one in admitted.into_iter().filter(|one| !one.on_ledger) {
            self.pending.add(one.bid);
        }
        self.send_all(ctx);
    }
}

impl Handler<Ledger> for Forwarder {
    type Result = ();

    fn handle(&mut self, Ledger(state): Ledger, _: &mut Self::Context) {
        self.state = state;
        self.pending.follow(&self.state);
        self.forget();
        self.progress.send_modify(|count| *count = count.wrapping_add(1));
    }
}
