//! A validator in the set: its engine, from its start to its end.

use super::parts::{News, Parts, lock};
use super::run::Validator;
use super::standing::{behind, heights, validates_next};
use super::status::Mode;
use super::votes;
use crate::disk_space::free_space;
use crate::error::NodeError;
use std::path::Path;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use veilgrid_actors::stopwatch::Stopwatch;
use veilgrid_client::shutdown::Shutdown;
use veilgrid_engine::{EngineConfig, EngineFault, EngineHandle, StartingPoint, Timing};
use veilgrid_ledger::state::State;

/// How often the process looks whether its engine still runs.
const ENGINE_CHECK: Duration = Duration::from_millis(500);

/// Blocks from the tip down among which a certificate is looked for: all but a few have their own.
const CERTIFICATES_SEARCHED: u64 = 1_024;

/// How long the engine of a validator that was replaced goes on: others may need the last blocks of its time from it.
const LINGER: Duration = Duration::from_secs(10);

/// How often a validator to which no blocks come asks others over HTTP how far they are.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// What the system has for a full disk, a file that may not grow, a used up quota.
const NO_SPACE: [i32; 3] = [28, 27, 122];
/// The same for too many open files, of the process and of the machine.
const NO_FILES: [i32; 2] = [24, 23];
/// How the message of a panic in the engine begins.
const PANICKED: &str = "the engine panicked: ";
/// What the engine's library says of a write for which it has dropped the system's reason.
const NO_REASON: &str = "write failed";
/// An engine that stops with so little space free has stopped for that: it writes as much at once.
const ALMOST_FULL_BYTES: u64 = 4 << 20;

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
            Ok(Err(fault)) if !shutdown.is_triggered() => Err(engine_stopped(&self.config.data_dir, &fault)),
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
            if let Some(Err(fault)) = engine.finished() {
                return Err(engine_stopped(&self.config.data_dir, &fault));
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
            parts.save_if_due().await;
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
            let epoch_blocks = state.timing().epoch_blocks;
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
            blocks_kept: veilgrid_engine::blocks_kept(epoch_blocks),
            decode,
            timing: Timing::default(),
            start,
            witness: Some(std::sync::Arc::new(parts.watch.clone())),
        };
        veilgrid_engine::start(config, std::sync::Arc::clone(&parts.application)).map_err(|error| {
            let (data_dir, why) = (&self.config.data_dir, error.to_string());
            NodeError::start("the engine", explained(data_dir, &why, free_space(data_dir).ok()))
        })
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

/// Whether a message holds one of these errors of the system: in its own words, or in the form for programmers, in which
/// most of the engine's panics show what they were about.
fn names(why: &str, codes: &[i32]) -> bool {
    codes.iter().any(|code| {
        why.contains(&format!("(os error {code})")) || why.contains(&format!("Os {{ code: {code},"))
    })
}

/// Why a validator ends whose engine has.
fn engine_stopped(data_dir: &Path, fault: &EngineFault) -> NodeError {
    NodeError::stopped("the engine", explained(data_dir, &fault.to_string(), free_space(data_dir).ok()))
}

/// An engine's end in words that say what to do. The engine knows of no full disk: it passes the system's words on, or, of a
/// write that failed, none; then the free bytes tell, if they are known.
fn explained(data_dir: &Path, why: &str, free: Option<u64>) -> String {
    // Of what has a reason it does not matter in which way the library gave up.
    let cause = why.trim_start_matches(PANICKED);
    if names(why, &NO_FILES) {
        return format!(
            "too many open files: raise the limit (LimitNOFILE in the unit, ulimit -Hn in a shell) and start again, \
             nothing that was acknowledged is lost ({cause})"
        );
    }
    if names(why, &NO_SPACE) || free.is_some_and(|bytes| bytes < ALMOST_FULL_BYTES) {
        return format!(
            "no space left on the device of {}: free some and start again, nothing that was acknowledged is lost ({cause})",
            data_dir.display()
        );
    }
    if why.contains(NO_REASON) {
        return format!(
            "a file can't be written, and the system's reason is not known: look at the disk of {}, its quota, and the \
             limit of file sizes (ulimit -f); nothing that was acknowledged is lost ({cause})",
            data_dir.display()
        );
    }
    why.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(why: &str, free: Option<u64>) -> String {
        explained(Path::new("/var/v"), why, free)
    }

    #[test]
    fn a_full_disk_is_named() {
        let full = std::io::Error::from_raw_os_error(28);
        // The system's words, and what a panic of the engine shows of them.
        for why in [format!("the engine panicked: {full}"), format!("the engine panicked: Sync({full:?})")] {
            let text = said(&why, None);
            let starts = text.starts_with("no space left on the device of /var/v");
            assert!(starts && text.contains("free some") && !text.contains("panicked"), "{text}");
        }
        // A write that failed says no more than that.
        let text = said("the engine panicked: write failed", Some(4096));
        assert!(text.starts_with("no space left on the device of /var/v"), "{text}");
        let text = said("the engine panicked: write failed", Some(1 << 30));
        assert!(text.contains("can't be written") && text.contains("quota"), "{text}");
        let many = std::io::Error::from_raw_os_error(24);
        for why in [format!("the engine panicked: {many}"), format!("the engine panicked: Open({many:?})")] {
            let text = said(&why, None);
            assert!(text.starts_with("too many open files") && text.contains("LimitNOFILE"), "{text}");
        }
        let denied = format!("the engine panicked: {}", std::io::Error::from_raw_os_error(13));
        assert_eq!(said(&denied, Some(5 << 20)), denied);
    }
}
