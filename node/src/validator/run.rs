//! Puts a validator together, runs it, takes it apart.

use super::application::{Core, NodeApplication};
use super::candidate::Followed;
use super::intake;
use super::journal::FileJournal;
use super::latest::Latest;
use super::ledger::{self, Ledger, LedgerError, Told};
use super::parts::{Parts, lock};
use super::retention::Retention;
use super::status::StatusBoard;
use super::submit::SubmitActor;
use super::validating::Ended;
use super::watch::Watch;
use crate::config::ValidatorConfig;
use crate::disk_space::DiskWatch;
use crate::error::NodeError;
use crate::http::{Door, HealthDoor, HttpServer, Services};
use crate::keyfile::{self, KeyVault, Kind, ValidatorKeys};
use crate::open_files::{self, EngineNeed, Need};
use crate::passphrase;
use crate::share_roll::ShareRoll;
use crate::start::{
    check_clock, check_listen, check_machine, open_health, start_health, validator_http_options,
};
use crate::survey::keep_watch;
use crate::vitals::Vitals;
use actix::{Actor, Arbiter};
use rand_core::OsRng;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use veilgrid_client::genesis::read_genesis;
use veilgrid_client::ledger::{OpenError, Restart, SharedStore};
use veilgrid_client::ledger_view::{LedgerView, RoundEnds};
use veilgrid_client::recheck;
use veilgrid_client::saver::Saver;
use veilgrid_client::shutdown::Shutdown;
use veilgrid_client::{Client, ClientOptions};
use veilgrid_crypto::dlog::SmallLog;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_roles::keyholder::KeyHolder;
use veilgrid_roles::replica::Limits;
use veilgrid_store::{ReplayError, SavedKey};

/// Most bytes of bids in the pool.
const MOST_POOL_BYTES: usize = 1 << 30;
/// How often the other validators are asked what they say of themselves.
const ASK_EVERY: Duration = Duration::from_secs(10);

/// Runs a validator until it is asked to stop, or until it can't go on.
///
/// # Errors
/// [`NodeError`]: what is wrong, where, and what to do. What was acknowledged before is on disk.
pub fn run(mut config: ValidatorConfig, shutdown: Shutdown) -> Result<(), NodeError> {
    check_listen("http.listen", config.http.listen)?;
    check_listen("p2p.listen", config.p2p.listen)?;
    let health = open_health(config.health_listen)?;
    check_machine(&config.data_dir, &config.checks)?;
    let passphrase = passphrase::existing(config.passphrase_file.as_deref(), &config.key_file)?;
    let (vault, keys) = keyfile::open::<ValidatorKeys>(&config.key_file, &passphrase)?;
    let trusted = config.genesis_hash.map(|hash| hash.0);
    let start = |what: &str, error: &dyn std::fmt::Display| NodeError::start(what, error);
    let genesis = read_genesis(&config.genesis, trusted.as_ref())
        .map_err(|error| NodeError::refused("the ledger", error))?;
    secure_files(&mut config, &genesis)?;
    check_retention(config.retention.prune_after_rounds, &genesis)?;
    let restart =
        Restart { key: SavedKey::derive(&keys.consensus_seed), verify_all: config.checks.verify_all };
    let (mut ended, mut roll) = (RoundEnds::default(), ShareRoll::default());
    let window = config.retention.prune_after_rounds;
    let mut retention = Retention::new(window);
    let note = &mut |told: Told<'_>| match told {
        Told::Noted(notes) => {
            (ended, roll) = (notes.ended, notes.roll);
            retention = Retention::noted(window, notes.kept);
        }
        Told::Done(effect, after) => {
            ended.note(effect);
            roll.note(effect);
            retention.replayed(effect, after);
        }
    };
    let opened = ledger::open_noting(&config.data_dir.join("ledger"), &genesis, &restart, note, &shutdown);
    let Ledger { store, state, from } = match opened {
        Err(LedgerError::Stopped) => return Ok(()),
        Err(
            error @ (LedgerError::Open(OpenError::OtherLedger { .. })
            | LedgerError::Replay(ReplayError::Genesis(_))),
        ) => {
            return Err(NodeError::refused("the ledger", error));
        }
        opened => opened.map_err(|error| start("the ledger", &error))?,
    };
    tracing::info!(height = state.height(), "the ledger is open");
    let disk = DiskWatch::start(&config.data_dir, config.checks.min_free_mib, &shutdown)
        .map_err(|error| start("the watch of the disk", &error))?;
    let options = ClientOptions::default().trusting(config.ca_file.as_deref());
    let others = config.validator_urls.iter().map(|url| Client::new(url, &options));
    let others = others.collect::<Result<Vec<_>, _>>().map_err(|error| start("validator_urls", &error))?;
    if others.is_empty() {
        tracing::warn!(
            "validator_urls is empty: blocks older than the engines of the others keep (two epochs) can't be fetched, nor \
             clocks compared; name the other validators' HTTP addresses"
        );
    }
    let (consensus_key, store) = (keys.consensus_key(), SharedStore::new(store));
    if let Some(from) = from {
        let started = recheck::start(store.clone(), &from, shutdown.clone());
        started.map_err(|error| start("the thread that checks stored blocks", &error))?;
    }
    let validator = Validator { config, keys, consensus_key, genesis, store, restart, others, disk };
    let replayed = Replayed { state, ended, roll, retention };
    actix::System::new().block_on(validator.run(vault, replayed, health, shutdown))
}

/// Whether the bids of this ledger may be pruned, when that is asked for.
fn check_retention(prune_after_rounds: Option<u64>, genesis: &Block) -> Result<(), NodeError> {
    let has_money = genesis.transactions.iter().any(|transaction| match transaction {
        Transaction::Genesis(genesis) => genesis.params.money.is_some(),
        _ => false,
    });
    if prune_after_rounds.is_some() && has_money {
        let reason = "a ledger with money keeps its bids, as nobody could recompute its accounts without them: leave it out";
        return Err(NodeError::refused("retention.prune_after_rounds", reason));
    }
    Ok(())
}

/// What the stored blocks have led to.
struct Replayed {
    state: State,
    ended: RoundEnds,
    roll: ShareRoll,
    retention: Retention,
}

/// Sees to it that this process may have as many files open as it needs, before a long replay. With a low limit it takes
/// fewer connections.
fn secure_files(config: &mut ValidatorConfig, genesis: &Block) -> Result<(), NodeError> {
    let state = State::from_genesis_block(genesis).map_err(|error| NodeError::start("the ledger", error))?;
    let peers = config.p2p.peers.len();
    let engine = Some(EngineNeed::of(state.timing().epoch_blocks, peers));
    let connections = config.limits.connections;
    config.limits.connections = open_files::secure(Need { connections, engine })?;
    Ok(())
}

/// What does not change while a validator runs.
pub(super) struct Validator {
    pub(super) config: ValidatorConfig,
    pub(super) keys: ValidatorKeys,
    pub(super) consensus_key: [u8; 32],
    genesis: Block,
    store: SharedStore,
    restart: Restart,
    /// The other validators' HTTP API, as far as it is configured.
    pub(super) others: Vec<Client>,
    disk: DiskWatch,
}

impl Validator {
    async fn run(
        self,
        vault: KeyVault,
        replayed: Replayed,
        health: Option<HealthDoor>,
        shutdown: Shutdown,
    ) -> Result<(), NodeError> {
        let founded_unix_ms = self.genesis.header.time_unix_ms;
        check_clock(&self.others, founded_unix_ms, &replayed.state, &self.config.checks).await?;
        let (mut parts, services) = self.assemble(vault, replayed)?;
        let health = start_health(health, services, Some(parts.http.metrics()));
        let _health = match health {
            Ok(health) => health,
            Err(error) => {
                parts.http.stop().await;
                return Err(error);
            }
        };
        let board = parts.board.clone();
        let watching = keep_watch(
            parts.vitals.clone(),
            self.others.clone(),
            ASK_EVERY,
            move || board.own_lack(),
            shutdown.clone(),
        );
        actix_rt::spawn(watching);
        let outcome = self.live(&mut parts, &shutdown).await;
        // After an engine it is stopped already.
        parts.http.stop().await;
        // The engine has ended; what it has brought since the last look is looked at once more, if it can be.
        if outcome.is_ok() && parts.pass_on().await.is_ok() {
            parts.save().await;
        }
        tracing::info!("stopped");
        outcome
    }

    /// Follows while it is no validator, validates while it is one.
    async fn live(&self, parts: &mut Parts, shutdown: &Shutdown) -> Result<(), NodeError> {
        // What the key holder did with the last stored block, and the status.
        parts.pass_on().await?;
        loop {
            if self.follow_if_needed(parts, shutdown).await? == Followed::Stopped {
                return Ok(());
            }
            if self.validate(parts, shutdown).await? == Ended::Stopped {
                return Ok(());
            }
        }
    }

    /// Everything but the engine.
    fn assemble(&self, vault: KeyVault, replayed: Replayed) -> Result<(Parts, Services), NodeError> {
        // Before the actors: from there on there is no way back.
        let door = Door::open(validator_http_options(&self.config))
            .map_err(|error| NodeError::server("the HTTP server", &error))?;
        let Replayed { state, ended, roll, retention } = replayed;
        let skew_ms = state.timing().max_clock_skew_ms;
        let watch = Watch::open(&self.config.data_dir, self.consensus_key, skew_ms)?;
        let core = self.core(vault, state.clone())?;
        let application = Arc::new(Mutex::new(NodeApplication::new(core, watch.clone())));
        build_log(&application, &state)?;
        let view = LedgerView::resumed(state.clone(), ended, self.store.clone());
        let vitals = Vitals::new(&self.config.data_dir, self.disk.clone(), roll, &state);
        vitals.set_certificate(door.certificate_expires_unix_s());
        let journal = self.config.data_dir.join("intake");
        let (intake, keeper) = intake::start(&journal, &self.keys, &application, state)?;
        let submit = SubmitActor::start_in_arbiter(&Arbiter::new().handle(), {
            let application = Arc::clone(&application);
            |_| SubmitActor(application)
        });
        let board = StatusBoard::new(vitals.clone());
        let shown = board.clone();
        let services = Services {
            intake: Some(intake.clone().recipient()),
            relay: Some(intake.clone().recipient()),
            submit: Some(submit.recipient()),
            ledger: view.clone(),
            status: Arc::new(move || shown.report()),
        };
        let http = HttpServer::behind(door, services.clone())
            .map_err(|error| NodeError::server("the HTTP server", &error))?;
        let parts = Parts {
            application,
            saver: Saver::new(self.store.clone(), &self.restart, view.state()),
            store: self.store.clone(),
            view,
            intake: Latest::new(intake, "intake"),
            keeper: Latest::new(keeper, "keeper of promises"),
            http,
            board,
            retention,
            signing_key: self.keys.signing.verifying_key().to_bytes(),
            fetched: false,
            watch,
            vitals,
        };
        Ok((parts, services))
    }

    fn core(&self, vault: KeyVault, state: State) -> Result<Core, NodeError> {
        let secrets_path = self.config.data_dir.join("shares.vgkeys");
        let secrets = vault.read(&secrets_path, Kind::ValidatorSecrets)?;
        let holder = match secrets {
            None => KeyHolder::new(self.keys.signing.clone()),
            Some(bytes) => KeyHolder::restore(self.keys.signing.clone(), bytes.expose())
                .map_err(|error| NodeError::refused(secrets_path.display(), error))?,
        };
        let journal = FileJournal::new(self.store.clone(), vault, secrets_path);
        let limits = self.limits_of(&state);
        Core::new(self.genesis.clone(), state, holder, journal, OsRng, limits)
            .map_err(|error| NodeError::start("the validator", error))
    }

    pub(super) fn limits(&self) -> Limits {
        Limits::default()
    }

    /// The same with room in the pool for a bid of every member that there may be, twice.
    fn limits_of(&self, state: &State) -> Limits {
        let limits = self.limits();
        let members = state.community().params().max_members as usize;
        let twice = members.saturating_mul(state.community().bid_shape().bid_bytes()).saturating_mul(2);
        Limits { pool_bytes: twice.clamp(limits.pool_bytes, MOST_POOL_BYTES), ..limits }
    }
}

/// Builds the table of small logarithms for the largest sum of this market, beside everything else. Otherwise it would
/// be built at the first opening, and again whenever a round has more bids, while engine and requests wait.
fn build_log(application: &Arc<Mutex<NodeApplication>>, state: &State) -> Result<(), NodeError> {
    let (params, members) = (state.community().params(), state.members().len());
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
