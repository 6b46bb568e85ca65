//! A validator's process that is not in the set, or too far behind for the engine: it follows certified blocks over
//! HTTP, as everybody may, and applies them as the engine would.
//!
//! A newcomer takes part in the session that deals its shares from here: the key holder acts on every final state, and
//! what it makes is handed to the validators over HTTP. Peers of the engine connect to it only when its epoch begins.

use super::hand_in::HandIn;
use super::parts::{News, Parts, lock};
use super::run::Validator;
use super::standing::{behind, heights, validates_next};
use super::status::Mode;
use crate::checks::wall_clock_unix_ms;
use crate::error::NodeError;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;
use veilgrid_actors::stopwatch::Stopwatch;
use veilgrid_api::blocks::{BLOCKS_PER_REQUEST, LONG_POLL};
use veilgrid_client::follower::{Accepted, Chain, Follower, Following, QuorumCertificates};
use veilgrid_client::shutdown::Shutdown;
use veilgrid_ledger::state::State;

/// Blocks that may wait to be applied.
const WAITING: usize = 64;
/// How often it is looked whether own key events are on the ledger.
const LOOK: Duration = Duration::from_millis(250);
/// Sources that bring nothing for this long are not waited for by a validator that may start its engine.
const NO_PROGRESS: Duration = Duration::from_secs(15);
/// A block of this age is as good as the newest one, whatever heights others claim.
const RECENT_MS: u64 = 5_000;
/// Key events that follow from an older block are of a session that is over.
const IN_TIME_MS: u64 = 60_000;

/// How following ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Followed {
    /// The process is to end.
    Stopped,
    /// The engine may start: this process is one of the validators of the next block.
    Ready,
}

impl Validator {
    /// Follows over HTTP if there is a reason to, until there is none.
    pub(super) async fn follow_if_needed(
        &self,
        parts: &mut Parts,
        shutdown: &Shutdown,
    ) -> Result<Followed, NodeError> {
        let state = lock(&parts.application).core.state().clone();
        let target = tokio::select! {
            () = shutdown.wait() => return Ok(Followed::Stopped),
            heights = heights(&self.others) => behind(&state, heights),
        };
        let validates = validates_next(&state, &self.consensus_key);
        match target {
            None if validates => return Ok(Followed::Ready),
            None => {}
            Some(target) => tracing::warn!(
                height = state.height(),
                target,
                "the ledger is an epoch or more ahead: its blocks are fetched over HTTP before the engine starts"
            ),
        }
        self.follow_over_http(parts, target.unwrap_or(0), shutdown).await
    }

    async fn follow_over_http(
        &self,
        parts: &mut Parts,
        target: u64,
        shutdown: &Shutdown,
    ) -> Result<Followed, NodeError> {
        let follower = self.follower(parts)?;
        parts.board.enter(self.mode(&lock(&parts.application).core.state().clone()));
        let (sink, mut blocks) = mpsc::channel(WAITING);
        let following = tokio::spawn(follower.run(sink, shutdown.clone()));
        let taken = self.take(parts, &mut blocks, target, shutdown).await;
        drop(blocks);
        if let Some(followed) = taken? {
            // It may be in the middle of a long poll.
            following.abort();
            return Ok(followed);
        }
        match following.await {
            Ok(Ok(())) => Ok(Followed::Stopped),
            Ok(Err(error)) => Err(NodeError::stopped("following the ledger", error)),
            Err(error) => Err(NodeError::stopped("following the ledger", error)),
        }
    }

    fn mode(&self, state: &State) -> Mode {
        if validates_next(state, &self.consensus_key) { Mode::CatchingUp } else { Mode::Candidate }
    }

    /// A follower from the last block of its own store on.
    fn follower(&self, parts: &Parts) -> Result<Follower<QuorumCertificates>, NodeError> {
        let start = |error: &dyn std::fmt::Display| NodeError::start("following the ledger", error);
        let (state, verdicts) = {
            let application = lock(&parts.application);
            (application.core.state().clone(), application.core.verdicts())
        };
        let height = state.height();
        let (tip, certificate) = {
            let store = parts.store.lock();
            let tip = store.block(height).map_err(|error| start(&error))?;
            (tip, store.certificate(height).map_err(|error| start(&error))?)
        };
        let tip = tip.ok_or_else(|| start(&format!("block {height} is not in the store")))?;
        let chain = Chain::new(state, Arc::new(tip), certificate.map(Arc::from), QuorumCertificates);
        let following = Following {
            evidence: self.config.data_dir.join("evidence"),
            sources: self.others.iter().cloned().map(|client| Arc::new(client) as _).collect(),
            // Candidates spread over the validators.
            first_source: usize::from(self.consensus_key[0]),
            long_poll: LONG_POLL,
            batch: BLOCKS_PER_REQUEST,
            // Each bid is verified once: the core finds the verdicts.
            verdicts: Box::new(verdicts),
        };
        Follower::at(chain, following)
            .map_err(|error| start(&format!("{error} (validator_urls of the configuration)")))
    }

    /// Applies blocks as they come. None: the follower has ended, and says why.
    async fn take(
        &self,
        parts: &mut Parts,
        blocks: &mut mpsc::Receiver<Accepted>,
        target: u64,
        shutdown: &Shutdown,
    ) -> Result<Option<Followed>, NodeError> {
        let mut hand_in = HandIn::new(self.others.clone());
        let (mut quiet, mut before) = (Stopwatch::start(), None);
        loop {
            tokio::select! {
                () = shutdown.wait() => return Ok(Some(Followed::Stopped)),
                () = sleep(LOOK) => {}
                accepted = blocks.recv() => {
                    let Some(accepted) = accepted else { return Ok(None) };
                    quiet = Stopwatch::start();
                    parts.finalise(accepted).await?;
                }
            }
            let News { state, due } = parts.pass_on().await?;
            let mode = self.mode(&state);
            parts.board.enter(mode);
            if mode == Mode::Candidate && before != Some(mode) {
                tracing::warn!(
                    height = state.height(),
                    "candidate: this node is not in the validator set; it follows over HTTP until it is"
                );
            }
            before = Some(mode);
            if let Some(due) = due {
                parts.prune(due, None).await?;
            }
            parts.save_if_due().await;
            let age_ms = wall_clock_unix_ms().saturating_sub(state.time_unix_ms());
            // An old epoch may have had this validator too.
            let near = age_ms <= RECENT_MS || (target > 0 && state.height() >= target);
            if mode == Mode::CatchingUp && (near || quiet.elapsed() > NO_PROGRESS) {
                tracing::info!(
                    height = state.height(),
                    "this node is in the validator set: the engine starts"
                );
                return Ok(Some(Followed::Ready));
            }
            if age_ms <= IN_TIME_MS {
                hand_in.send(parts.pending().await?);
            }
        }
    }
}
