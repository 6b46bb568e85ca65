//! The process: follower, intake, forwarder and server in one actix system.

use super::forwarder::{Forwarder, ForwarderOptions, Ledger, Relay};
use crate::checks::wall_clock_unix_ms;
use crate::config::AggregatorConfig;
use crate::disk_space::DiskWatch;
use crate::error::NodeError;
use crate::http::{Door, HealthDoor, HttpServer, Services};
use crate::keyfile::{self, AggregatorKeys};
use crate::notes::Notes;
use crate::open_files::{self, Need};
use crate::passphrase;
use crate::round_log::log_block;
use crate::start;
use crate::survey::keep_watch;
use crate::vitals::Vitals;
use actix::{Actor, Addr};
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{spawn, spawn_blocking};
use veilgrid_actors::aggregator::{Advance, AggregatorActor, Confirm, Keep, Keeper, journal};
use veilgrid_actors::cancel::CancelFlag;
use veilgrid_actors::pool::ProofPool;
use veilgrid_actors::verdicts::SharedVerdicts;
use veilgrid_api::StatusReport;
use veilgrid_api::blocks::{BLOCKS_PER_REQUEST, LONG_POLL};
use veilgrid_client::Client;
use veilgrid_client::follower::{self, Accepted, Follower, FollowerOptions, QuorumCertificates};
use veilgrid_client::genesis::read_genesis;
use veilgrid_client::ledger::Restart;
use veilgrid_client::ledger_view::LedgerView;
use veilgrid_client::recheck;
use veilgrid_client::saver::Saver;
use veilgrid_client::shutdown::Shutdown;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_store::SavedKey;

/// Blocks that may wait for the actors.
const WAITING: usize = 64;
/// Rounds whose verdicts are remembered at once.
const REMEMBERED_ROUNDS: usize = 2;
/// How often the validators are asked what they say of themselves.
const ASK_EVERY: Duration = Duration::from_secs(10);

/// Runs an aggregator until `shutdown` is raised.
///
/// # Errors
/// [`NodeError`]: configuration, keys, checks at the start; a fork of the ledger or a failing disk later.
pub fn run(mut config: AggregatorConfig, shutdown: Shutdown) -> Result<(), NodeError> {
    start::check_listen("http.listen", config.http.listen)?;
    let health = start::open_health(config.health_listen)?;
    let need = Need { connections: config.limits.connections, engine: None };
    config.limits.connections = open_files::secure(need)?;
    start::check_machine(&config.data_dir, &config.checks)?;
    let disk = DiskWatch::start(&config.data_dir, config.checks.min_free_mib, &shutdown).map_err(refuse)?;
    let passphrase = passphrase::existing(config.passphrase_file.as_deref(), &config.key_file)?;
    let (_, keys) = keyfile::open::<AggregatorKeys>(&config.key_file, &passphrase)?;
    drop(passphrase);
    let trusted = config.genesis_hash.map(|trusted| trusted.0);
    let genesis = read_genesis(&config.genesis, trusted.as_ref())?;
    let state = State::from_genesis_block(&genesis).map_err(refuse)?;
    // Keys that were replaced since are named by the ledger alone.
    if !config.data_dir.join("ledger").exists() {
        check_keys(&keys, &state)?;
    }
    let system = actix_rt::System::new();
    system.block_on(aggregate(config, keys, genesis, state, health, disk, shutdown))
}

fn refuse(error: impl Display) -> NodeError {
    NodeError::start("the aggregator", error)
}

/// The ledger names the keys under which members expect receipts and seal envelopes.
fn check_keys(keys: &AggregatorKeys, state: &State) -> Result<(), NodeError> {
    let named = state.offices().aggregator();
    if keys.receipt.verifying_key().to_bytes() != named.receipt
        || keys.envelope.public().to_bytes() != named.envelope
    {
        return Err(NodeError::refused(
            "the aggregator",
            "the key file is not that of the aggregator whom the ledger names; name the right file",
        ));
    }
    Ok(())
}

async fn aggregate(
    config: AggregatorConfig,
    keys: AggregatorKeys,
    genesis: Block,
    state: State,
    health: Option<HealthDoor>,
    disk: DiskWatch,
    shutdown: Shutdown,
) -> Result<(), NodeError> {
    let options = start::client_options(&config.limits).trusting(config.ca_file.as_deref());
    let client = |url: &String| Client::new(url, &options).map_err(refuse);
    let validators = config.validator_urls.iter().map(client).collect::<Result<Vec<_>, _>>()?;
    start::check_clock(&validators, genesis.header.time_unix_ms, &state, &config.checks).await?;
    let members = state.community().params().max_members as usize;
    let verdicts = SharedVerdicts::new(members.saturating_mul(REMEMBERED_ROUNDS));
    let restart =
        Restart { key: SavedKey::derive(&keys.envelope.to_bytes()), verify_all: config.checks.verify_all };
    let path = config.data_dir.join("ledger");
    let opened = follower::Keeper::open_saved(&path, genesis, &restart, Notes::from_bytes);
    let (keeper, notes) = opened.map_err(refuse)?;
    let store = keeper.store();
    if let Some(saved) = keeper.saved_state() {
        recheck::start(store.clone(), saved, shutdown.clone()).map_err(refuse)?;
    }
    let Notes { height: noted, ended, mut roll, .. } = notes.unwrap_or_default();
    let view = LedgerView::resumed(keeper.first_state().map_err(refuse)?, ended, store.clone());
    let follower = Follower::open(
        FollowerOptions {
            keeper,
            evidence: config.data_dir.join("evidence"),
            sources: validators.iter().cloned().map(|client| Arc::new(client) as _).collect(),
            first_source: 0,
            long_poll: LONG_POLL,
            batch: BLOCKS_PER_REQUEST,
            certificates: QuorumCertificates,
            verdicts: Box::new(verdicts.clone()),
        },
        |block| {
            view.publish(block.state.clone(), &block.effects);
            forget_finished(&verdicts, &block);
            if block.state.height() > noted {
                block.effects.all().for_each(|effect| roll.note(effect));
            }
            !shutdown.is_triggered()
        },
    );
    let Some(follower) = follower.map_err(refuse)? else { return Ok(()) };
    check_keys(&keys, &view.state())?;
    // Before the actors: from there on there is no way back.
    let door = Door::open(start::http_options(&config.http, config.limits));
    let door = door.map_err(|error| NodeError::server("the aggregator", &error))?;
    let vitals = Vitals::new(&config.data_dir, disk, roll, follower.state());
    vitals.set_certificate(door.certificate_expires_unix_s());
    let actors =
        Actors::start(&config, keys, follower.state().clone(), &validators, verdicts, vitals.clone())?;
    let services = actors.services(&view, &shutdown);
    let server = HttpServer::behind(door, services.clone());
    let server = server.map_err(|error| NodeError::server("the aggregator", &error))?;
    let _health = match start::start_health(health, services, Some(server.metrics())) {
        Ok(health) => health,
        Err(error) => {
            server.stop().await;
            return Err(error);
        }
    };
    spawn(keep_watch(vitals, validators, ASK_EVERY, || None, shutdown.clone()));
    tracing::info!(addresses = ?server.addresses(), "the aggregator takes bids");
    let saver = Saver::new(store, &restart, view.state());
    let (blocks, accepted) = mpsc::channel(WAITING);
    let following = spawn(follower.run(blocks, shutdown.clone()));
    actors.follow(accepted, &view, saver).await;
    // The follower has ended: it was told to, or it says why.
    server.stop().await;
    let followed = following.await.map_err(|_| NodeError::stopped("the follower", "it ended in a panic"))?;
    shutdown.trigger();
    followed.map_err(|error| NodeError::stopped("the follower", error))
}

/// The actors and what the server reads of them.
struct Actors {
    intake: Addr<AggregatorActor>,
    forwarder: Addr<Forwarder>,
    verdicts: SharedVerdicts,
    certified: Arc<AtomicU64>,
    vitals: Vitals,
}

impl Actors {
    fn start(
        config: &AggregatorConfig,
        keys: AggregatorKeys,
        state: State,
        validators: &[Client],
        verdicts: SharedVerdicts,
        vitals: Vitals,
    ) -> Result<Self, NodeError> {
        let journal = start::open_journal(&config.data_dir.join("intake")).map_err(refuse)?;
        let (envelope, receipt) = (keys.envelope.clone(), keys.receipt.clone());
        let restored = journal::restore(envelope, receipt, state.clone(), &journal);
        let (intake, promised) = restored.map_err(refuse)?;
        let pool = ProofPool::new("verify", None, CancelFlag::new()).map_err(refuse)?;
        let validators =
            validators.iter().cloned().map(|client| Arc::new(client) as Arc<dyn Relay>).collect();
        tracing::info!(
            promises = promised.len(),
            "bids of the journal that the ledger does not have are sent on again"
        );
        let options = ForwarderOptions { key: keys.receipt, journal, validators, state, promised };
        let forwarder = Forwarder::new(options).start();
        let keep =
            Keeper::journal(forwarder.clone().recipient::<Keep>(), forwarder.clone().recipient::<Confirm>());
        let clock = Arc::new(wall_clock_unix_ms);
        let intake = AggregatorActor::new(intake, pool, verdicts.clone(), keep, clock).start();
        Ok(Self { intake, forwarder, verdicts, certified: Arc::new(AtomicU64::new(0)), vitals })
    }

    fn services(&self, view: &LedgerView, shutdown: &Shutdown) -> Services {
        let (shutdown, certified, vitals) =
            (shutdown.clone(), Arc::clone(&self.certified), self.vitals.clone());
        Services {
            intake: Some(self.intake.clone().recipient()),
            relay: None,
            submit: None,
            ledger: view.clone(),
            status: Arc::new(move || {
                let report = StatusReport {
                    role: "aggregator".into(),
                    certified_height: Some(certified.load(Ordering::Relaxed)),
                    trouble: shutdown.is_triggered().then(|| "the node is ending".to_owned()),
                    ..StatusReport::default()
                };
                vitals.complete(report, None)
            }),
        }
    }

    /// Hands blocks on until the follower ends, and saves the state now and then and at the end.
    async fn follow(&self, mut accepted: mpsc::Receiver<Accepted>, view: &LedgerView, mut saver: Saver) {
        while let Some(block) = accepted.recv().await {
            log_block(&block.effects);
            self.vitals.note(&block.effects);
            self.vitals.look(&block.state);
            view.publish(block.state.clone(), &block.effects);
            forget_finished(&self.verdicts, &block);
            if block.certificate.is_some() {
                self.certified.store(block.state.height(), Ordering::Relaxed);
            }
            saver.follow(&block.state);
            if saver.is_due() {
                self.save(&mut saver, view).await;
            }
            let told = (
                self.intake.send(Advance(block.state.clone())).await,
                self.forwarder.send(Ledger(block.state)).await,
            );
            if told.0.is_err() || told.1.is_err() {
                tracing::error!("an actor is gone: this is a bug, please report it");
                return;
            }
        }
        self.save(&mut saver, view).await;
    }

    async fn save(&self, saver: &mut Saver, view: &LedgerView) {
        let notes = || Notes {
            height: view.height(),
            ended: view.ends(),
            roll: self.vitals.roll(),
            kept: Vec::new(),
        };
        let Some(job) = saver.job(|| notes().to_bytes()) else { return };
        if let Err(error) = spawn_blocking(move || job.run()).await {
            tracing::warn!(%error, "the state is not saved");
        }
    }
}

/// Verdicts on bids of finished rounds are not needed any more.
fn forget_finished(verdicts: &SharedVerdicts, block: &Accepted) {
    block.effects.all().filter_map(Effect::ended_round).for_each(|round_id| verdicts.forget_up_to(round_id));
}
