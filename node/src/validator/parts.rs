//! The parts of a running validator, and the way of every final block through them.

use super::application::NodeApplication;
use super::keeper::{Forget, KeeperActor};
use super::latest::Latest;
use super::retention::{Due, Retention};
use super::status::{StatusBoard, report_of};
use super::watch::Watch;
use crate::error::NodeError;
use crate::http::HttpServer;
use crate::notes::Notes;
use crate::round_log::log_block;
use crate::vitals::Vitals;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::spawn_blocking;
use veilgrid_actors::aggregator::{Advance, AggregatorActor};
use veilgrid_client::follower::Accepted;
use veilgrid_client::ledger::SharedStore;
use veilgrid_client::ledger_view::LedgerView;
use veilgrid_client::saver::Saver;
use veilgrid_engine::EngineHandle;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::checkpoint::Checkpoint;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_store::StoreError;

/// Blocks that are pruned while the store waits.
const BLOCKS_PRUNED_AT_ONCE: u64 = 64;

/// The parts of a running validator.
pub(super) struct Parts {
    pub(super) application: Arc<Mutex<NodeApplication>>,
    pub(super) store: SharedStore,
    pub(super) view: LedgerView,
    pub(super) intake: Latest<AggregatorActor, State>,
    pub(super) keeper: Latest<KeeperActor, State>,
    pub(super) http: HttpServer,
    pub(super) board: StatusBoard,
    pub(super) retention: Retention,
    pub(super) signing_key: [u8; 32],
    /// Blocks came over HTTP since the engine last ran.
    pub(super) fetched: bool,
    pub(super) watch: Watch,
    pub(super) vitals: Vitals,
    pub(super) saver: Saver,
}

/// Where the validator is after a look at its application.
pub(super) struct News {
    /// The final state.
    pub(super) state: State,
    /// What may be pruned now.
    pub(super) due: Option<Due>,
}

impl Parts {
    /// Applies a certified block that came over HTTP, as the engine would: it is durable when this returns.
    pub(super) async fn finalise(&mut self, accepted: Accepted) -> Result<(), NodeError> {
        self.fetched = true;
        let application = Arc::clone(&self.application);
        let applied = spawn_blocking(move || lock(&application).finalise_accepted(accepted));
        let applied = applied.await.map_err(|error| NodeError::stopped("the validator", error))?;
        applied.map_err(|why| NodeError::stopped("the validator", why))
    }

    /// Tells intake, keeper, view and status of the final blocks since the last call.
    pub(super) async fn pass_on(&mut self) -> Result<News, NodeError> {
        if let Some(why) = self.watch.stop() {
            return Err(NodeError::refused("the store of this validator", why));
        }
        // The engine holds the mutex while it executes; waiting for it must not hold up requests.
        let (application, key) = (Arc::clone(&self.application), self.signing_key);
        let looked = spawn_blocking(move || {
            let mut application = lock(&application);
            let report = report_of(&application, &key);
            let core = &mut application.core;
            (core.take_applied(), core.state().clone(), report)
        });
        let looked = looked.await.map_err(|error| NodeError::stopped("the validator", error))?;
        let (applied, state, report) = looked;
        self.board.renew(report);
        applied.iter().for_each(|one| self.vitals.note(&one.effects));
        self.vitals.look(&state);
        let Some(last) = applied.last() else {
            self.intake.deliver(Advance);
            self.keeper.deliver(Forget);
            return Ok(News { state, due: None });
        };
        applied.iter().for_each(|one| log_block(&one.effects));
        // How the rounds ended comes before the state that has them no more.
        applied.iter().for_each(|one| self.view.note(&one.effects));
        self.view.publish(state.clone(), &last.effects);
        self.intake.tell(&state, Advance);
        self.keeper.tell(&state, Forget);
        self.saver.follow(&state);
        let due = applied.iter().filter_map(|one| self.retention.follow(&one.effects, &state)).last();
        Ok(News { state, due })
    }

    /// Saves the state if that was long ago, so that a killed process has little to execute again.
    pub(super) async fn save_if_due(&mut self) {
        if self.saver.is_due() {
            self.save().await;
        }
    }

    /// Saves the state for the next start. It is on disk when this returns, or the log says why not.
    pub(super) async fn save(&mut self) {
        let Self { saver, view, vitals, retention, .. } = self;
        let notes = || Notes {
            height: view.height(),
            ended: view.ends(),
            roll: vitals.roll(),
            kept: retention.kept(),
        };
        let Some(job) = saver.job(|| notes().to_bytes()) else { return };
        if let Err(error) = spawn_blocking(move || job.run()).await {
            tracing::warn!(%error, "the state is not saved");
        }
    }

    /// Own transactions that the ledger does not have.
    pub(super) async fn pending(&self) -> Result<Vec<Transaction>, NodeError> {
        let application = Arc::clone(&self.application);
        let pending = spawn_blocking(move || lock(&application).core.pending()).await;
        pending.map_err(|error| NodeError::stopped("the validator", error))
    }

    /// Prunes the store, and the engine's if one runs.
    pub(super) async fn prune(&mut self, due: Due, engine: Option<&EngineHandle>) -> Result<(), NodeError> {
        let (store, height) = (self.store.clone(), due.checkpoint.height);
        let pruned = spawn_blocking(move || in_steps(&store, &due.checkpoint)).await;
        let pruned = pruned.map_err(|error| NodeError::stopped("pruning", error))?;
        let Some((blocks, freed_bytes)) = pruned.map_err(|error| NodeError::stopped("pruning", error))?
        else {
            return Ok(());
        };
        if let Some(engine) = engine {
            engine.prune(height);
        }
        tracing::info!(up_to_height = height, blocks, freed_bytes, "pruned");
        self.saver.hurry();
        Ok(())
    }
}

/// Prunes some blocks at a time: the store is free in between, for final blocks and for readers. Nothing goes before a
/// certificate of a later block is stored: without one an export would have a checkpoint that nothing confirms.
fn in_steps(store: &SharedStore, checkpoint: &Checkpoint) -> Result<Option<(u64, u64)>, StoreError> {
    let up_to_height = checkpoint.height;
    if !store.lock().is_certified_after(up_to_height)? {
        return Ok(None);
    }
    let encoded = checkpoint.to_bytes();
    let (mut blocks, mut freed_bytes) = (0u64, 0u64);
    let mut from = store.lock().pruned_up_to().unwrap_or(0);
    while from < up_to_height {
        let to = from.saturating_add(BLOCKS_PRUNED_AT_ONCE).min(up_to_height);
        let pruned = store.lock().prune_bodies(to, &encoded, |block| checkpoint.may_prune(block))?;
        blocks = blocks.saturating_add(pruned.blocks);
        freed_bytes = freed_bytes.saturating_add(pruned.freed_bytes);
        from = to;
    }
    Ok(Some((blocks, freed_bytes)))
}

pub(super) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // After a panic inside the core the engine stops; what is read here is still whole.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
