//! Puts a validator together, runs it, takes it apart.

use super::application::{Core, NodeApplication};
use super::journal::{FileJournal, SharedStore};
use super::keeper::{Forget, KeeperActor, pool};
use super::ledger;
use super::retention::{Due, Retention};
use super::submit::SubmitActor;
use crate::checks::wall_clock_unix_ms;
use crate::client::Client;
use crate::config::ValidatorConfig;
use crate::error::NodeError;
use crate::http::{HttpServer, Services, StatusReport};
use crate::keyfile::{self, KeyVault, Kind, ValidatorKeys};
use crate::ledger_view::LedgerView;
use crate::passphrase;
use crate::shutdown::Shutdown;
use crate::start::{check_clock, check_machine, client_options, http_options};
use actix::{Actor, Addr, Arbiter};
use rand_core::OsRng;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use veilgrid_actors::aggregator::{Advance, AggregatorActor, Keep};
use veilgrid_actors::cancel::CancelFlag;
use veilgrid_actors::pool::ProofPool;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::dlog::SmallLog;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_engine::{EngineConfig, EngineHandle, StartingPoint, Timing};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::state::State;
use veilgrid_roles::intake::{Admitted, Intake};
use veilgrid_roles::keyholder::{Holding, KeyHolder};
use veilgrid_roles::replica::Limits;
use veilgrid_store::{IntakeJournal, StoreError};

/// How often the process looks whether its engine still runs.
const ENGINE_CHECK: Duration = Duration::from_millis(500);

/// Blocks from the tip down among which a certificate is looked for: all but a few have their own.
const CERTIFICATES_SEARCHED: u64 = 1_024;

/// Most bytes of bids in the pool.
const MOST_POOL_BYTES: usize = 1 << 30;

/// Blocks that are pruned while the store waits.
const BLOCKS_PRUNED_AT_ONCE: u64 = 64;

/// What an error says that the system has for a full disk, a file that may not grow, a used up quota.
const NO_SPACE: [&str; 3] = ["(os error 28)", "(os error 27)", "(os error 122)"];

/// Runs a validator until it is asked to stop, or until it can't go on.
///
/// # Errors
/// [`NodeError`]: what is wrong, where, and what to do. What was acknowledged before is on disk.
pub fn run(config: ValidatorConfig, shutdown: Shutdown) -> Result<(), NodeError> {
    check_machine(&config.data_dir, &config.checks)?;
    let passphrase = passphrase::existing(config.passphrase_file.as_deref(), &config.key_file)?;
    let (vault, keys) = keyfile::open::<ValidatorKeys>(&config.key_file, &passphrase)?;
    let trusted = config.genesis_hash.map(|hash| hash.0);
    let start = |what: &str, error: &dyn std::fmt::Display| NodeError::start(what, error);
    let genesis = ledger::read_genesis(&config.genesis, trusted.as_ref())
        .map_err(|error| start("the ledger", &error))?;
    let (store, state) = ledger::open(&config.data_dir.join("ledger"), &genesis)
        .map_err(|error| start("the ledger", &error))?;
    tracing::info!(height = state.height(), "the ledger is open");
    let system = actix::System::new();
    let validator = Validator { config, keys, genesis, store: SharedStore::new(store) };
    system.block_on(validator.run(vault, state, shutdown))
}

struct Validator {
    config: ValidatorConfig,
    keys: ValidatorKeys,
    genesis: Block,
    store: SharedStore,
}

/// The parts of a running validator.
struct Parts {
    application: Arc<Mutex<NodeApplication>>,
    engine: EngineHandle,
    view: LedgerView,
    intake: Addr<AggregatorActor>,
    keeper: Addr<KeeperActor>,
}

impl Validator {
    async fn run(self, vault: KeyVault, state: State, shutdown: Shutdown) -> Result<(), NodeError> {
        self.check_clock(&state).await?;
        let application = Arc::new(Mutex::new(NodeApplication::new(self.core(vault, state.clone())?)));
        build_log(&application, &state)?;
        let view = LedgerView::new(state.clone(), self.store.clone());
        let (intake, keeper) = self.intake(&application, state)?;
        let submit = SubmitActor::start_in_arbiter(&Arbiter::new().handle(), {
            let application = Arc::clone(&application);
            |_| SubmitActor(application)
        });
        let services = Services {
            intake: Some(intake.clone().recipient()),
            relay: Some(intake.clone().recipient()),
            submit: Some(submit.recipient()),
            ledger: view.clone(),
            status: self.status(&application),
        };
        let http = HttpServer::start(http_options(&self.config.http, &self.config.limits), services)
            .map_err(|error| NodeError::start("the HTTP server", error))?;
        let engine = self.engine(&application)?;
        tracing::info!(http = ?http.addresses(), p2p = %self.config.p2p.listen, "the validator runs");
        let parts = Parts { application, engine, view, intake, keeper };
        let outcome = self.follow(&parts, &shutdown).await;
        tracing::info!("stopping");
        http.stop().await;
        parts.engine.stop();
        let engine = parts.engine;
        let ended = tokio::task::spawn_blocking(move || engine.wait()).await;
        tracing::info!("stopped");
        outcome?;
        match ended {
            Ok(Err(why)) if !shutdown.is_triggered() => Err(engine_stopped(&self.config.data_dir, &why)),
            _ => Ok(()),
        }
    }

    /// Compares clocks with the other validators, as far as they answer.
    async fn check_clock(&self, state: &State) -> Result<(), NodeError> {
        let options = client_options(&self.config.limits);
        let clients: Vec<Client> = self
            .config
            .validator_urls
            .iter()
            .map(|url| Client::new(url, &options))
            .collect::<Result<_, _>>()
            .map_err(|error| NodeError::start("validator_urls", error))?;
        let genesis_unix_ms = self.genesis.header.time_unix_ms;
        check_clock(&clients, genesis_unix_ms, state, &self.config.checks).await
    }

    fn core(&self, vault: KeyVault, state: State) -> Result<Core, NodeError> {
        let secrets_path = self.config.data_dir.join("shares.vgkeys");
        let secrets = vault.read(&secrets_path, Kind::ValidatorSecrets)?;
        let holder = match secrets {
            None => KeyHolder::new(self.keys.signing.clone()),
            Some(bytes) => KeyHolder::restore(self.keys.signing.clone(), bytes.expose())
                .map_err(|error| NodeError::start(secrets_path.display(), error))?,
        };
        let journal = FileJournal::new(self.store.clone(), vault, secrets_path);
        let limits = self.limits_of(&state);
        Core::new(self.genesis.clone(), state, holder, journal, OsRng, limits)
            .map_err(|error| NodeError::start("the validator", error))
    }

    fn limits(&self) -> Limits {
        Limits::default()
    }

    /// The same with room in the pool for a bid of every member, twice.
    fn limits_of(&self, state: &State) -> Limits {
        let limits = self.limits();
        let members = state.community().genesis().draft.members.len();
        let twice = members.saturating_mul(state.community().bid_shape().bid_bytes()).saturating_mul(2);
        Limits { pool_bytes: twice.clamp(limits.pool_bytes, MOST_POOL_BYTES), ..limits }
    }

    fn intake(
        &self,
        application: &Arc<Mutex<NodeApplication>>,
        state: State,
    ) -> Result<(Addr<AggregatorActor>, Addr<KeeperActor>), NodeError> {
        let start = |error: &dyn std::fmt::Display| NodeError::start("the intake's journal", error);
        let (journal, damaged) = IntakeJournal::open_or_rebuild(&self.config.data_dir.join("intake"))
            .map_err(|error| start(&error))?;
        for round in damaged {
            tracing::error!(
                round_id = round.round_id, kept_entries = round.kept_entries, why = round.why,
                moved_to = %round.moved_to.display(), "the intake's journal of a round was damaged"
            );
        }
        let (intake, promised) = restore(&journal, &self.keys, state).map_err(|why| start(&why))?;
        let promised = promised.into_iter().map(|one| one.bid);
        pool(application, promised).map_err(|error| start(&error))?;
        let verdicts = lock(application).core.verdicts();
        let proofs = ProofPool::new("intake", None, CancelFlag::default())
            .map_err(|error| NodeError::start("the threads for proofs", error))?;
        let keeper = KeeperActor::new(journal, Arc::clone(application));
        let keeper = KeeperActor::start_in_arbiter(&Arbiter::new().handle(), |_| keeper);
        let journal = keeper.clone().recipient::<Keep>();
        let clock = Arc::new(wall_clock_unix_ms);
        // Envelopes are opened and signatures checked on a thread of its own, so that requests are never held up.
        let intake = AggregatorActor::start_in_arbiter(&Arbiter::new().handle(), move |_| {
            AggregatorActor::new(intake, proofs, verdicts, journal, clock)
        });
        Ok((intake, keeper))
    }

    fn engine(&self, application: &Arc<Mutex<NodeApplication>>) -> Result<EngineHandle, NodeError> {
        let (ledger_id, epoch_blocks, decode) = {
            let application = lock(application);
            let state = application.core.state();
            let epoch_blocks = state.timing().map_or(0, |timing| timing.epoch_blocks);
            (state.community().ledger_id(), epoch_blocks, state.community().decode_context())
        };
        let resolve = |peer: &crate::config::PeerConfig| {
            let address = peer.address.resolve();
            let address =
                address.map_err(|error| NodeError::start(format!("p2p.peers: {}", peer.address), error))?;
            Ok((peer.consensus_key.0, address))
        };
        let config = EngineConfig {
            ledger_id,
            consensus_secret: self.keys.consensus_seed.clone(),
            listen: self.config.p2p.listen,
            peers: self.config.p2p.peers.iter().map(resolve).collect::<Result<_, NodeError>>()?,
            storage_dir: self.config.data_dir.join("engine"),
            max_block_bytes: self.limits().max_block_bytes,
            epoch_blocks,
            decode,
            timing: Timing::default(),
            start: self.starting_point(),
        };
        veilgrid_engine::start(config, Arc::clone(application))
            .map_err(|error| NodeError::start("the engine", error))
    }

    /// The last stored block that has its own certificate: an engine without a store begins there, because the other
    /// validators may have pruned what is before.
    fn starting_point(&self) -> Option<StartingPoint> {
        let store = self.store.lock();
        let tip = store.tip()?.height;
        let heights = tip.saturating_sub(CERTIFICATES_SEARCHED).max(1)..=tip;
        heights.rev().find_map(|height| {
            let certificate = store.certificate(height).ok().flatten()?;
            Some(StartingPoint { height, certificate })
        })
    }

    fn status(
        &self,
        application: &Arc<Mutex<NodeApplication>>,
    ) -> Arc<dyn Fn() -> StatusReport + Send + Sync> {
        let (application, key) = (Arc::clone(application), self.keys.signing.verifying_key().to_bytes());
        Arc::new(move || {
            let application = lock(&application);
            let core = &application.core;
            let summary = core.summary();
            let index = core.state().roster().and_then(|roster| roster.index_of(&key));
            StatusReport {
                role: "validator",
                index,
                holds_shares: match core.holding() {
                    Holding::Holds { .. } => Some(true),
                    Holding::Missing { .. } => Some(false),
                    Holding::NoValidator | Holding::NoKeys => None,
                },
                pool_bids: summary.bids as u64,
                pool_transactions: (summary.shares + summary.key_events + summary.roster_changes) as u64,
                trouble: core.stopped().map(str::to_owned),
                ..StatusReport::default()
            }
        })
    }

    /// Tells intake, keeper and view of every final block, prunes, and returns when the process is to stop.
    async fn follow(&self, parts: &Parts, shutdown: &Shutdown) -> Result<(), NodeError> {
        let mut heights = lock(&parts.application).heights();
        let mut retention = Retention::new(self.config.retention.prune_after_rounds);
        loop {
            tokio::select! {
                () = shutdown.wait() => return Ok(()),
                () = tokio::time::sleep(ENGINE_CHECK) => {}
                changed = heights.changed() => if changed.is_err() {
                    return Err(NodeError::stopped("the validator", "its application is gone"));
                },
            }
            if let Some(Err(why)) = parts.engine.finished() {
                return Err(engine_stopped(&self.config.data_dir, &why));
            }
            // The engine holds the mutex while it executes; waiting for it must not hold up requests.
            let application = Arc::clone(&parts.application);
            let news = tokio::task::spawn_blocking(move || {
                let mut application = lock(&application);
                (application.core.take_applied(), application.core.state().clone())
            });
            let (applied, state) = news.await.map_err(|error| NodeError::stopped("the validator", error))?;
            let Some(last) = applied.last() else { continue };
            // The last one first: a view takes no older state, and of the others it only notes how rounds ended.
            parts.view.publish(state.clone(), &last.effects);
            for earlier in &applied[..applied.len() - 1] {
                parts.view.publish(state.clone(), &earlier.effects);
            }
            parts.intake.do_send(Advance(state.clone()));
            parts.keeper.do_send(Forget(state.clone()));
            let due = applied.iter().filter_map(|one| retention.follow(&one.effects, &state)).last();
            if let Some(due) = due {
                self.prune(parts, due, state).await?;
            }
        }
    }

    async fn prune(&self, parts: &Parts, due: Due, state: State) -> Result<(), NodeError> {
        let (store, height) = (self.store.clone(), due.up_to_height);
        let pruned = tokio::task::spawn_blocking(move || in_steps(&store, &due, &state));
        let pruned = pruned.await.map_err(|error| NodeError::stopped("pruning", error))?;
        let (blocks, freed_bytes) = pruned.map_err(|error| NodeError::stopped("pruning", error))?;
        parts.engine.prune(height);
        tracing::info!(up_to_height = height, blocks, freed_bytes, "pruned");
        Ok(())
    }
}

/// Builds the table of small logarithms for the largest sum of this market, beside everything else. Otherwise it would
/// be built at the first opening, and again whenever a round has more bids, while engine and requests wait.
fn build_log(application: &Arc<Mutex<NodeApplication>>, state: &State) -> Result<(), NodeError> {
    let (params, members) = (state.community().params(), state.community().genesis().draft.members.len());
    let largest_wh = 1u64.checked_shl(u32::from(params.bits)).map_or(u64::MAX, |quantities| quantities - 1);
    // Above the bound of all tables it is cut to that.
    let bound_wh = (members as u64).saturating_mul(params.grid.ticks().into()).saturating_mul(largest_wh);
    let application = Arc::clone(application);
    let build = move || {
        let log = Arc::new(SmallLog::new(bound_wh));
        lock(&application).core.use_log(log);
        tracing::debug!(bound_wh, "the table of small logarithms is built");
    };
    let thread = std::thread::Builder::new().name("small-log".to_owned()).spawn(build);
    thread.map(drop).map_err(|error| NodeError::start("the thread for the table of logarithms", error))
}

/// Prunes some blocks at a time: the store is free in between, for final blocks and for readers.
fn in_steps(store: &SharedStore, due: &Due, state: &State) -> Result<(u64, u64), StoreError> {
    let (mut blocks, mut freed_bytes) = (0u64, 0u64);
    let mut from = store.lock().pruned_up_to().unwrap_or(0);
    while from < due.up_to_height {
        let to = from.saturating_add(BLOCKS_PRUNED_AT_ONCE).min(due.up_to_height);
        let pruned = store.lock().prune_bodies(to, &due.checkpoint, |block| state.may_prune(block))?;
        blocks = blocks.saturating_add(pruned.blocks);
        freed_bytes = freed_bytes.saturating_add(pruned.freed_bytes);
        from = to;
    }
    Ok((blocks, freed_bytes))
}

/// Why a validator ends whose engine has. The engine knows of no full disk: it passes the system's words on.
fn engine_stopped(data_dir: &Path, why: &str) -> NodeError {
    if NO_SPACE.iter().any(|error| why.contains(error)) {
        let advice = "free some and start again, nothing that was acknowledged is lost";
        return NodeError::stopped(
            "the engine",
            format!("no space left on the device of {}: {advice} ({why})", data_dir.display()),
        );
    }
    NodeError::stopped("the engine", why)
}

/// The intake with the promises of the journal, and those that the ledger has not kept yet.
fn restore(
    journal: &IntakeJournal,
    keys: &ValidatorKeys,
    state: State,
) -> Result<(Intake, Vec<Admitted>), String> {
    let shape = state.community().bid_shape();
    let entries = journal.load().map_err(|error| error.to_string())?;
    let mut journaled = Vec::new();
    for entry in entries.into_values().flatten() {
        let bid = SealedBid::from_bytes(&entry.bid, shape).map_err(|error| error.to_string())?;
        let receipt = Receipt::from_bytes(&entry.receipt).map_err(|error| error.to_string())?;
        journaled.push((bid, receipt));
    }
    let (envelope, signing) = (keys.envelope.clone(), keys.signing.clone());
    Intake::restore(envelope, signing, state, journal.last_sequence(), journaled)
        .map_err(|error| error.to_string())
}

fn lock(application: &Mutex<NodeApplication>) -> MutexGuard<'_, NodeApplication> {
    // After a panic inside the core the engine stops; what is read here is still whole.
    application.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_named() {
        let full = std::io::Error::from_raw_os_error(28);
        let text = engine_stopped(Path::new("/var/v"), &format!("panicked: {full}")).to_string();
        assert!(text.contains("no space left on the device of /var/v") && text.contains("free"), "{text}");
        let denied = std::io::Error::from_raw_os_error(13);
        assert!(!engine_stopped(Path::new("/var/v"), &denied.to_string()).to_string().contains("free"));
    }
}
