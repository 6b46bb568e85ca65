//! The process: one task that holds the desk; sealing and sending happen elsewhere and come back as events.

use super::archive::Archive;
use super::delivery::{Answer, Target};
use super::desk::{Desk, Wanted};
use super::orders::MemberOrders;
use super::post::{HttpPost, Post, PostError, envelope};
use super::results::Results;
use super::sealing::{OrderSource, SealFailure, SealTask};
use super::shown::Shown;
use super::status::{Status, StatusFile};
use crate::checks::wall_clock_unix_ms;
use crate::config::ParticipantConfig;
use crate::disk_space::DiskWatch;
use crate::error::NodeError;
use crate::http::HealthDoor;
use crate::keyfile::{self, ParticipantKeys};
use crate::open_files::{self, Need};
use crate::passphrase;
use crate::share_roll::ShareRoll;
use crate::start;
use crate::survey::keep_watch;
use crate::vitals::Vitals;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{spawn, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval};
use tracing::Instrument;
use veilgrid_api::blocks::{BLOCKS_PER_REQUEST, LONG_POLL};
use veilgrid_client::follower::{Accepted, Follower, FollowerOptions, Keeper, QuorumCertificates};
use veilgrid_client::genesis::read_genesis;
use veilgrid_client::ledger_view::LedgerView;
use veilgrid_client::shutdown::Shutdown;
use veilgrid_client::{Client, ClientOptions};
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::wallet::Wallet;
use veilgrid_ledger::state::State;
use veilgrid_ledger::verdicts::VerifyAll;

/// How often the clocks of deliveries are turned.
const TICK: Duration = Duration::from_millis(100);
/// Blocks and events that may wait for the desk.
const WAITING: usize = 64;
/// A bid that was not answered for so long is sent again.
const INTAKE: Duration = Duration::from_secs(8);
/// Pause before orders that can't be used are read again, in milliseconds.
const ORDERS_PAUSE_MS: u64 = 1000;
/// How often the validators are asked what they say of themselves; seldom, because there may be many participants.
const ASK_EVERY: Duration = Duration::from_secs(300);

/// Runs a participant until `shutdown` is raised.
///
/// # Errors
/// [`NodeError`]: configuration, keys, checks at the start; a fork of the ledger or a failing disk later.
pub fn run(config: ParticipantConfig, shutdown: Shutdown) -> Result<(), NodeError> {
    let health = match config.health_listen {
        // A participant has no other listener.
        None => None,
        listen => start::open_health(listen)?,
    };
    open_files::secure(Need { connections: 0, engine: None })?;
    start::check_machine(&config.data_dir, &config.checks)?;
    let disk = DiskWatch::start(&config.data_dir, config.checks.min_free_mib, &shutdown)
        .map_err(|error| NodeError::start("the watch of the disk", error))?;
    let passphrase = passphrase::existing(config.passphrase_file.as_deref(), &config.key_file)?;
    let (_, keys) = keyfile::open::<ParticipantKeys>(&config.key_file, &passphrase)?;
    drop(passphrase);
    let wallet = Arc::new(Wallet::from_seed(&keys.seed));
    drop(keys);
    start::block_on(participate(config, wallet, health, disk, shutdown))?
}

async fn participate(
    config: ParticipantConfig,
    wallet: Arc<Wallet>,
    health: Option<HealthDoor>,
    disk: DiskWatch,
    shutdown: Shutdown,
) -> Result<(), NodeError> {
    let refuse = |error: &dyn std::fmt::Display| NodeError::start("the participant", error);
    let genesis = read_genesis(&config.genesis, Some(&config.genesis_hash.0))?;
    let state = State::from_genesis_block(&genesis).map_err(|error| refuse(&error))?;
    let data = &config.data_dir;
    let archive = Archive::open(data).map_err(|error| refuse(&error))?;
    let results = Results::open(&data.join("results.csv")).map_err(|error| refuse(&error))?;
    let orders = Arc::new(MemberOrders::new(config.orders.clone(), state.community().params().clone()));
    // What is wrong with them is said at the start, not when a round opens; they may still be put right until then.
    if let Err(error) = orders.read() {
        tracing::error!(error, "the orders can't be read yet");
    }
    let options = ClientOptions { intake: INTAKE, ..ClientOptions::default() };
    let options = options.trusting(config.ca_file.as_deref());
    let client = |url: &String| Client::new(url, &options).map_err(|error| refuse(&error));
    let validators = config.validator_urls.iter().map(client).collect::<Result<Vec<_>, _>>()?;
    start::check_clock(&validators, genesis.header.time_unix_ms, &state, &config.checks).await?;
    let post = HttpPost::new(client(&config.aggregator_url)?, validators.clone());
    let mut desk = Desk::new(wallet, state, archive, results);
    if !desk.state().community().is_member(&desk.account()) {
        return Err(NodeError::refused(
            "the participant",
            "the account of this key file is not among the members of the genesis",
        ));
    }
    let keeper = Keeper::open(&data.join("ledger"), genesis).map_err(|error| refuse(&error))?;
    let view = LedgerView::new(desk.state().clone(), keeper.store());
    let options = FollowerOptions {
        keeper,
        evidence: desk.archive().evidence_folder().to_owned(),
        sources: validators.iter().cloned().map(|client| Arc::new(client) as _).collect(),
        first_source: usize::from(desk.account().first().copied().unwrap_or(0)),
        long_poll: LONG_POLL,
        batch: BLOCKS_PER_REQUEST,
        certificates: QuorumCertificates,
        verdicts: Box::new(VerifyAll),
    };
    // Nothing else runs yet, so the stored blocks are executed on this thread.
    let (mut observed, mut roll) = (Ok(()), ShareRoll::default());
    let follower = Follower::open(options, |block| {
        observed = desk.observe(&block);
        view.publish(block.state.clone(), &block.effects);
        block.effects.all().for_each(|effect| roll.note(effect));
        observed.is_ok() && !shutdown.is_triggered()
    });
    let follower = follower.map_err(|error| NodeError::start("the follower", error))?;
    observed.map_err(|error| refuse(&error))?;
    let Some(follower) = follower else { return Ok(()) };
    let (blocks, applied) = mpsc::channel(WAITING);
    let following = spawn(follower.run(blocks, shutdown.clone()));
    let shown = Shown::new(Vitals::new(data, disk, roll, desk.state()), view, desk.counts());
    let _health = start::start_health(health, shown.services(&shutdown), None)?;
    spawn(keep_watch(shown.vitals.clone(), validators, ASK_EVERY, || None, shutdown.clone()));
    let session = Session::new(desk, post, orders, StatusFile::new(data), shown);
    let worked = session.run(applied, shutdown.clone()).await;
    // Whatever ends one of the two ends the other.
    shutdown.trigger();
    let followed = following.await;
    worked?;
    let followed =
        followed.map_err(|_| NodeError::stopped("the follower", "it ended in a panic: please report it"))?;
    followed.map_err(|error| NodeError::stopped("the follower", error))
}

/// What comes back from elsewhere.
enum Event {
    Sealed { round_id: u64, sealed: Result<SealedBid, SealFailure> },
    Answered { round_id: u64, from: Target, answer: Result<Receipt, PostError> },
}

/// A desk with its network.
struct Session<P> {
    desk: Desk,
    post: Arc<P>,
    orders: Arc<dyn OrderSource>,
    status: StatusFile,
    shown: Shown,
    /// Rounds whose bid is being sealed; after a failure not before this time, Unix milliseconds.
    sealing: BTreeMap<u64, Sealing>,
    events: mpsc::Sender<Event>,
    inbox: mpsc::Receiver<Event>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sealing {
    UnderWay,
    After { unix_ms: u64 },
}

impl<P: Post> Session<P> {
    fn new(desk: Desk, post: Arc<P>, orders: Arc<dyn OrderSource>, status: StatusFile, shown: Shown) -> Self {
        let (events, inbox) = mpsc::channel(WAITING);
        Self { desk, post, orders, status, shown, sealing: BTreeMap::new(), events, inbox }
    }

    async fn run(
        mut self,
        mut applied: mpsc::Receiver<Accepted>,
        shutdown: Shutdown,
    ) -> Result<(), NodeError> {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let failed = |error| NodeError::stopped("the participant", error);
        loop {
            tokio::select! {
                () = shutdown.wait() => return Ok(()),
                block = applied.recv() => match block {
                    Some(block) => {
                        self.desk.observe(&block).map_err(failed)?;
                        self.shown.take(&block);
                    }
                    // The follower says why.
                    None => return Ok(()),
                },
                Some(event) = self.inbox.recv() => self.take(event).map_err(failed)?,
                _ = ticks.tick() => self.turn(),
            }
            self.shown.count(self.desk.counts());
            self.status.show(Status::of(&self.desk, self.orders.note()));
        }
    }

    /// Begins what is due.
    fn turn(&mut self) {
        let now_unix_ms = wall_clock_unix_ms();
        for wanted in self.desk.wanted(now_unix_ms) {
            self.seal(wanted, now_unix_ms);
        }
        let mut due = Vec::new();
        for (round_id, active) in self.desk.active_mut() {
            let before = active.delivery.fallback();
            for target in active.delivery.due(now_unix_ms) {
                due.push((round_id, target, Arc::clone(&active.bid)));
            }
            if let Some(reason) = active.delivery.fallback().filter(|_| before.is_none()) {
                tracing::warn!(round_id, ?reason, "the bid goes to validators too");
            }
        }
        for (round_id, target, bid) in due {
            self.send(round_id, target, bid);
        }
    }

    fn seal(&mut self, wanted: Wanted, now_unix_ms: u64) {
        let Wanted { round_id, slot, bidding_ms: (open_ms, last_promise_ms) } = wanted;
        let before = self.sealing.get(&round_id).copied();
        match before {
            Some(Sealing::UnderWay) => return,
            Some(Sealing::After { unix_ms }) if now_unix_ms < unix_ms => return,
            _ => {}
        }
        self.sealing.retain(|round, _| *round >= round_id);
        self.sealing.insert(round_id, Sealing::UnderWay);
        // Orders that can't be used may be put right for half of the bidding; then zeros are bid, because absence
        // would be seen by everybody.
        let half_ms = open_ms.saturating_add(last_promise_ms.saturating_sub(open_ms) / 2);
        let gave_up = now_unix_ms >= half_ms && matches!(before, Some(Sealing::After { .. }));
        if gave_up {
            tracing::error!(round_id, "the orders can't be used: a bid without orders is made");
        }
        let task = SealTask {
            wallet: self.desk.wallet(),
            state: self.desk.state().clone(),
            round_id,
            slot,
            orders: (!gave_up).then(|| Arc::clone(&self.orders)),
            archive: self.desk.archive().clone(),
        };
        let events = self.events.clone();
        let sealed = async move {
            let sealed = match spawn_blocking(move || task.run()).await {
                Ok(sealed) => sealed,
                Err(_) => Err(SealFailure::Panicked),
            };
            // Nobody takes it when the process ends; the bid is on disk.
            let _ = events.send(Event::Sealed { round_id, sealed }).await;
        };
        spawn(sealed.instrument(tracing::info_span!("seal", round_id)));
    }

    /// Sends a bid that is on disk.
    fn send(&self, round_id: u64, to: Target, bid: Arc<SealedBid>) {
        let (post, events, state) = (Arc::clone(&self.post), self.events.clone(), self.desk.state().clone());
        let sent = async move {
            let answer = match envelope(&state, to, &bid) {
                Ok(envelope) => post.post(to, envelope).await,
                Err(error) => Err(error),
            };
            // Nobody takes it when the process ends: the same bytes get the same receipt later.
            let _ = events.send(Event::Answered { round_id, from: to, answer }).await;
        };
        spawn(sent.instrument(tracing::info_span!("send", round_id, ?to)));
    }

    fn take(&mut self, event: Event) -> Result<(), super::desk::DeskError> {
        let now_unix_ms = wall_clock_unix_ms();
        match event {
            Event::Sealed { round_id, sealed: Ok(bid) } => {
                self.sealing.remove(&round_id);
                tracing::info!(round_id, "the bid is sealed and on disk");
                self.desk.begin(bid, now_unix_ms);
                self.turn();
            }
            Event::Sealed { round_id, sealed: Err(SealFailure::Archive(error)) } => {
                tracing::error!(
                    round_id, %error,
                    "no bid: no other one is made for this round, because two reveal their difference. When the round is over \
                     the participant starts without it"
                );
                return Err(error.into());
            }
            Event::Sealed { round_id, sealed: Err(error) } => {
                tracing::error!(round_id, %error, "no bid yet");
                let unix_ms = now_unix_ms.saturating_add(ORDERS_PAUSE_MS);
                self.sealing.insert(round_id, Sealing::After { unix_ms });
            }
            Event::Answered { round_id, from, answer } => {
                let answer = match answer {
                    Ok(receipt) if receipt.round_id == round_id => self.desk.receipt(from, &receipt)?,
                    Ok(_) => Answer::Refused,
                    Err(error) => {
                        tracing::info!(round_id, ?from, %error, "no receipt");
                        error.answer()
                    }
                };
                self.desk.answered(round_id, from, answer, now_unix_ms);
            }
        }
        Ok(())
    }
}
