//! A validator in the set: its engine, from its start to its end.

use super::parts::{News, Parts, lock};
use super::run::Validator;
use super::standing::{behind, heights, validates_next};
use super::status::Mode;
use super::votes;
use crate::error::NodeError;
use crate::shutdown::Shutdown;
use std::path::Path;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use veilgrid_actors::stopwatch::Stopwatch;
use veilgrid_engine::{EngineConfig, EngineHandle, StartingPoint, Timing};
use veilgrid_ledger::state::State;

/// How often the process looks whether its engine still runs.
const ENGINE_CHECK: Duration = Duration::from_millis(500);

/// Blocks from the tip down among which a certificate is looked for: all but a few have their own.
const CERTIFICATES_SEARCHED: u64 = 1_024;

/// How long the engine of a validator that was replaced goes on: others may need the last blocks of its time from it.
const LINGER: Duration = Duration::from_secs(10);

/// How often a validator to which no blocks come asks others over HTTP how far they are.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// What an error says that the system has for a full disk, a file that may not grow, a used up quota.
const NO_SPACE: [&str; 3] = ["(os error 28)", "(os error 27)", "(os error 122)"];

/// How validating ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The process is to end.
    Stopped,
    /// The epoch of the next block has other validators.
    Retired,
    /// The others are in a later epoch, and no block of it comes.
    Behind,
}

impl Validator {
    /// Runs the engine until the process is to end or this validator is none any more.
    pub(super) async fn validate(&self, parts: &mut Parts, shutdown: &Shutdown) -> Result<Ended, NodeError> {
        let engine = self.engine(parts)?;
        parts.fetched = false;
        parts.board.enter(Mode::Validating);
        tracing::info!(http = ?parts.http.addresses(), p2p = %self.config.p2p.listen, "the validator runs");
        let outcome = self.follow_engine(parts, &engine, shutdown).await;
        if !matches!(outcome, Ok(Ended::Retired | Ended::Behind)) {
            tracing::info!("stopping");
            parts.http.stop().await;
        }
        engine.stop();
        parts.vitals.set_engine_peers(None);
        let ended = spawn_blocking(move || engine.wait()).await;
        let outcome = outcome?;
        match ended {
            Ok(Err(why)) if !shutdown.is_triggered() => Err(engine_stopped(&self.config.data_dir, &why)),
            _ => Ok(outcome),
        }
    }

    /// Passes every final block on.
    async fn follow_engine(
        &self,
        parts: &mut Parts,
        engine: &EngineHandle,
        shutdown: &Shutdown,
    ) -> Result<Ended, NodeError> {
        let mut heights = lock(&parts.application).heights();
        let (mut retired, mut asked) = (None::<Stopwatch>, Stopwatch::start());
        loop {
            tokio::select! {
                () = shutdown.wait() => return Ok(Ended::Stopped),
                () = sleep(ENGINE_CHECK) => {}
                changed = heights.changed() => if changed.is_err() {
                    return Err(NodeError::stopped("the validator", "its application is gone"));
                },
            }
            if let Some(Err(why)) = engine.finished() {
                return Err(engine_stopped(&self.config.data_dir, &why));
            }
            parts.vitals.set_engine_peers(Some(engine.peers()));
            let News { state, due } = parts.pass_on().await?;
            if retired.is_none() && !validates_next(&state, &self.consensus_key) {
                tracing::warn!(
                    height = state.height(),
                    "retired: the next block's validators are others; the engine stops in {} s",
                    LINGER.as_secs()
                );
                parts.board.enter(Mode::Candidate);
                retired = Some(Stopwatch::start());
            }
            if retired.is_some_and(|since| since.elapsed() >= LINGER) {
                return Ok(Ended::Retired);
            }
            if let Some(due) = due {
                parts.prune(due, Some(engine)).await?;
            }
            if parts.board.silence().is_some() && asked.elapsed() >= ASK_AGAIN {
                asked = Stopwatch::start();
                if self.is_left_behind(&state, shutdown).await {
                    return Ok(Ended::Behind);
                }
            }
        }
    }

    /// Whether others are in an epoch that the engine can't get to: they may not know it any more, nor it them.
    async fn is_left_behind(&self, state: &State, shutdown: &Shutdown) -> bool {
        let target = tokio::select! {
            () = shutdown.wait() => None,
            heights = heights(&self.others) => behind(state, heights),
        };
        if let Some(target) = target {
            tracing::warn!(
                height = state.height(),
                target,
                "the other validators have gone on without this one"
            );
        }
        target.is_some()
    }

    fn engine(&self, parts: &Parts) -> Result<EngineHandle, NodeError> {
        let (ledger_id, epoch_blocks, decode) = {
            let application = lock(&parts.application);
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
        let storage_dir = self.config.data_dir.join("engine");
        let start = self.starting_point(parts);
        if let Some(start) = &start {
            let epoch = start.height.saturating_add(1).checked_div(epoch_blocks).unwrap_or(0);
            votes::clear_if_over(&storage_dir, epoch, parts.fetched)
                .map_err(|error| NodeError::start(storage_dir.display(), error))?;
        }
        let config = EngineConfig {
            ledger_id,
            consensus_secret: self.keys.consensus_seed.clone(),
            listen: self.config.p2p.listen,
            peers: self.config.p2p.peers.iter().map(resolve).collect::<Result<_, NodeError>>()?,
            storage_dir,
            max_block_bytes: self.limits().max_block_bytes,
            epoch_blocks,
            decode,
            timing: Timing::default(),
            start,
            witness: Some(std::sync::Arc::new(parts.watch.clone())),
        };
        veilgrid_engine::start(config, std::sync::Arc::clone(&parts.application))
            .map_err(|error| NodeError::start("the engine", error))
    }

    /// The last stored block that has its own certificate: an engine without a store begins there, because the other
    /// validators may have pruned what is before.
    fn starting_point(&self, parts: &Parts) -> Option<StartingPoint> {
        let store = parts.store.lock();
        let tip = store.tip()?.height;
        let heights = tip.saturating_sub(CERTIFICATES_SEARCHED).max(1)..=tip;
        heights.rev().find_map(|height| {
            let certificate = store.certificate(height).ok().flatten()?;
            Some(StartingPoint { height, certificate })
        })
    }
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
