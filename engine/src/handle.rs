//! The engine's own thread, and the handle by which the rest of the node holds it.

use crate::application::Application;
use crate::block::BlockCodec;
use crate::config::{EngineConfig, EngineError};
use crate::fault::EngineFault;
use crate::foundation::NodeConfig;
use crate::inbox::Inbox;
use crate::node::{self, Control};
use crate::{keys, network};
use commonware_runtime::{Clock as _, Metrics as _, Runner as _, Spawner as _, Supervisor as _, tokio};
use commonware_utils::NZUsize;
use futures::channel::{mpsc, oneshot};
use futures::executor::block_on;
use std::any::Any;
use std::net::TcpListener;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Threads that move messages; blocks are executed on others.
const NETWORK_THREADS: usize = 2;

/// Most threads that execute blocks or wait for the application.
const BLOCKING_THREADS: usize = 32;

/// 4 KiB pages of the store that are kept in memory: 32 MiB.
const CACHE_PAGES: usize = 8_192;

/// How long the parts of the engine may take to stop.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// How often the connected peers are counted.
const COUNT_PEERS_EVERY: Duration = Duration::from_secs(5);

/// How an engine ended.
#[derive(Default)]
struct Ended {
    outcome: Mutex<Option<Result<(), EngineFault>>>,
    changed: Condvar,
}

/// A running engine. Dropping it stops the engine without waiting for it.
pub struct EngineHandle {
    stop: Mutex<Option<oneshot::Sender<()>>>,
    prune: mpsc::UnboundedSender<u64>,
    ended: Arc<Ended>,
    peers: Arc<AtomicU64>,
}

impl EngineHandle {
    /// Asks the engine to stop, and returns at once.
    pub fn stop(&self) {
        // Dropping the sender is the signal, so that a dropped handle is one too.
        drop(self.stop.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Waits until the engine has stopped. Blocks the thread.
    ///
    /// # Errors
    /// Why it stopped, if nobody asked it to.
    pub fn wait(&self) -> Result<(), EngineFault> {
        let mut outcome = self.ended.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(outcome) = outcome.clone() {
                return outcome;
            }
            outcome = self.ended.changed.wait(outcome).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// How the engine ended; none while it runs.
    pub fn finished(&self) -> Option<Result<(), EngineFault>> {
        self.ended.outcome.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the engine runs.
    pub fn is_alive(&self) -> bool {
        self.finished().is_none()
    }

    /// Peers that are connected, as of a few seconds ago.
    pub fn peers(&self) -> u64 {
        self.peers.load(Ordering::Relaxed)
    }

    /// Deletes final blocks below this height from the engine's store, in sections of 2,048 blocks. The application
    /// must have stored what it needs of them, and peers that are further behind must get them elsewhere.
    pub fn prune(&self, height: u64) {
        // An engine that has stopped prunes nothing.
        let _ = self.prune.unbounded_send(height);
    }
}

/// Starts a validator's engine on a thread of its own and returns when it runs.
///
/// # Errors
/// A setting that cannot be, an address that is taken, a store that cannot be read.
pub fn start<A: Application>(
    config: EngineConfig,
    application: Arc<Mutex<A>>,
) -> Result<EngineHandle, EngineError> {
    launch(config, application)
}

/// As [`start`]. Not generic, so that the engine is compiled in this crate and nowhere again.
fn launch(
    config: EngineConfig,
    application: Arc<Mutex<dyn Application>>,
) -> Result<EngineHandle, EngineError> {
    config.check()?;
    // The engine would panic later, and without saying which address.
    let probe = TcpListener::bind(config.listen);
    drop(probe.map_err(|source| EngineError::Listen { address: config.listen, source })?);
    let (stop, stopped) = oneshot::channel();
    let (prune, pruned) = mpsc::unbounded();
    let (ready, is_ready) = oneshot::channel();
    let ended = Arc::new(Ended::default());
    let peers = Arc::new(AtomicU64::new(0));
    let (outcome, connected) = (ended.clone(), peers.clone());
    let control = Control { stop: stopped, prune: pruned, ready };
    let body = move || {
        let result = catch_unwind(AssertUnwindSafe(|| run(config, application, control, connected)));
        let result = result.unwrap_or_else(|panic| Err(message(panic.as_ref()).into()));
        if let Err(fault) = &result {
            tracing::error!(why = fault.to_string(), "the engine stopped");
        }
        *outcome.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        outcome.changed.notify_all();
    };
    thread::Builder::new().name("veilgrid-engine".to_owned()).spawn(body).map_err(EngineError::Thread)?;
    let handle = EngineHandle { stop: Mutex::new(Some(stop)), prune, ended, peers };
    // Closed without a message: it ended before it ran.
    if block_on(is_ready).is_err() {
        let why = handle.wait().err().unwrap_or_else(|| "it was stopped".into());
        return Err(EngineError::Failed(why));
    }
    Ok(handle)
}

/// The thread's body: returns when the engine has stopped.
fn run(
    config: EngineConfig,
    application: Arc<Mutex<dyn Application>>,
    control: Control,
    peers: Arc<AtomicU64>,
) -> Result<(), EngineFault> {
    let runner = tokio::Config::new()
        .with_storage_directory(config.storage_dir.clone())
        .with_worker_threads(NETWORK_THREADS)
        .with_max_blocking_threads(BLOCKING_THREADS);
    tokio::Runner::new(runner).start(async move |context| {
        let codec = BlockCodec { max_bytes: config.max_block_bytes, context: config.decode };
        let channels = network::open(&context, &config, &codec);
        context.child("peers").spawn(move |context| count_peers(context, peers));
        let node = NodeConfig {
            ledger_id: config.ledger_id,
            secret: keys::private_key(&config.consensus_secret),
            codec,
            epoch_blocks: NonZeroU64::new(config.epoch_blocks).unwrap_or(NonZeroU64::MAX),
            blocks_kept: config.blocks_kept,
            timing: config.timing,
            prefix: "validator".to_owned(),
            cache_pages: NZUsize!(CACHE_PAGES),
            start: config.start,
            witness: config.witness,
            letters: Inbox::default(),
        };
        let outcome = node::run(context.child("validator"), node, channels, application, control).await;
        if context.stop(0, Some(STOP_WITHIN)).await.is_err() {
            tracing::warn!("parts of the engine did not stop in time and are dropped");
        }
        outcome
    })
}

/// Counts the connected peers until the engine ends. The network tells of them in its metrics alone.
async fn count_peers(context: tokio::Context, peers: Arc<AtomicU64>) {
    loop {
        peers.store(connected_peers(&context.encode()), Ordering::Relaxed);
        context.sleep(COUNT_PEERS_EVERY).await;
    }
}

/// Lines of the network's metrics that tell of a connected peer each.
fn connected_peers(metrics: &str) -> u64 {
    let connected =
        |line: &&str| line.split_once('{').is_some_and(|(name, _)| name.ends_with("_directory_connected"));
    metrics.lines().filter(connected).count() as u64
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("the engine panicked: {}", text.unwrap_or("no message"))
}
