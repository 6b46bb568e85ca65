//! What a validator watches about itself and its peers while it votes: whether the votes under its key are its own,
//! whether it votes at all, and whose clock is wrong.

use super::votes::has_votes;
use crate::checks::wall_clock_unix_ms;
use crate::error::NodeError;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use thiserror::Error;
use veilgrid_engine::{ApplicationError, VoteWitness};
use veilgrid_ledger::block::BlockHeader;
use veilgrid_ledger::finality;
use veilgrid_ledger::state::State;
use veilgrid_roles::clocks::{ClockVerdict, Clocks};
use veilgrid_roles::own_votes::{Mark, OwnVotes, Signed};
use veilgrid_store::files::write_durably;

/// The file with the mark, beside the engine's folder.
const MARK_FILE: &str = "own-votes";
/// A validator that has not voted for this long, in milliseconds ...
const SILENT_MS: u64 = 30_000;
/// ... while so many blocks became final, votes for nothing.
const SILENT_BLOCKS: u64 = 10;
/// Beyond the start of an engine with a new store, and the allowed skew, earlier votes are forgiven for this long, in
/// milliseconds.
const FORGIVEN_AHEAD_MS: u64 = 10_000;
/// What stays as it is is logged so often, in milliseconds.
const LOG_EVERY_MS: u64 = 60_000;

/// Shared between engine and application.
#[derive(Debug, Clone)]
pub(super) struct Watch(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    mark_file: PathBuf,
    consensus_key: [u8; 32],
    votes: OwnVotes,
    clocks: Clocks,
    /// When an engine last began, milliseconds since 1970 UTC; none in a process that has had none.
    engine_since_unix_ms: Option<u64>,
    blocks_since_vote: u64,
    /// When each line was last written, milliseconds since 1970 UTC.
    logged: BTreeMap<&'static str, u64>,
}

/// What is shown of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Watched {
    pub(super) trouble: Option<String>,
    /// Since the last vote, or since the engine began when it has given none; none without an engine.
    pub(super) last_vote_age_s: Option<u64>,
    /// The engine runs, blocks become final, and none of its votes is in them.
    pub(super) votes_for_nothing: bool,
    pub(super) unknown_votes: u64,
    /// Its clock against the others', when it is off: ahead of them, or behind (negative), in milliseconds.
    pub(super) clock_off_ms: Option<i64>,
}

impl Watch {
    /// Reads the mark of own votes in a data folder. `skew_ms`: how far block times may be ahead.
    pub(super) fn open(data_dir: &Path, consensus_key: [u8; 32], skew_ms: u64) -> Result<Self, NodeError> {
        let mark_file = data_dir.join(MARK_FILE);
        let fault = |error: &dyn std::fmt::Display| NodeError::start(mark_file.display(), error);
        let refuse = |why: &str| NodeError::refused(mark_file.display(), why);
        let stored = match std::fs::read(&mark_file) {
            Ok(bytes) => Some(Mark::from_bytes(&bytes).map_err(|error| {
                refuse(&format!(
                    "it is damaged ({error}): move it away together with engine/, and start again"
                ))
            })?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(fault(&error)),
        };
        // Generous: this machine's clock may be behind the others'.
        let ahead_ms = skew_ms.saturating_add(FORGIVEN_AHEAD_MS);
        let engine_is_new = !has_votes(&data_dir.join("engine")).map_err(|error| fault(&error))?;
        let (votes, mark) = OwnVotes::new(stored, engine_is_new, wall_clock_unix_ms(), ahead_ms);
        if votes.is_stopped() {
            return Err(refuse(&format!(
                "this validator has stopped before because of votes that are not its own; {ADVICE}"
            )));
        }
        write_durably(&mark_file, &mark.to_bytes()).map_err(|error| fault(&error))?;
        Ok(Self(Arc::new(Mutex::new(Inner {
            mark_file,
            consensus_key,
            votes,
            clocks: Clocks::default(),
            engine_since_unix_ms: None,
            blocks_since_vote: 0,
            logged: BTreeMap::new(),
        }))))
    }

    /// A block is final; the certificates of some come later.
    pub(super) fn finalised(&self) {
        let mut inner = self.lock();
        inner.blocks_since_vote = inner.blocks_since_vote.saturating_add(1);
    }

    /// A block of this header has a certificate.
    pub(super) fn certified(&self, state: &State, header: &BlockHeader, bytes: &[u8]) {
        let epoch = state.timing().epoch_of(header.height);
        let Some(validators) = state.consensus_keys(epoch) else { return };
        let mut inner = self.lock();
        let Some(view) = finality::own_vote(&validators, &inner.consensus_key, bytes) else { return };
        let signed = Signed { view, height: header.height, block_unix_ms: header.time_unix_ms };
        inner.votes.found(signed, wall_clock_unix_ms());
    }

    /// A proposal came with this block time.
    pub(super) fn proposed(&self, proposer: [u8; 32], block_unix_ms: u64, now_unix_ms: u64) {
        self.lock().clocks.note(proposer, block_unix_ms, now_unix_ms);
    }

    /// Why the validator has to stop, when votes under its key are not its own.
    pub(super) fn stop(&self) -> Option<String> {
        let mut inner = self.lock();
        let (Signed { view: (epoch, view), height, .. }, mark) = inner.votes.foreign(wall_clock_unix_ms())?;
        if let Err(error) = inner.keep(Some(mark)) {
            tracing::error!(error = error.to_string(), "the mark of own votes can't be written");
        }
        Some(format!(
            "certificates hold votes of this validator that this process has not given, the first one for block {height} \
             (epoch {epoch}, view {view}): its key runs twice, or engine/ was set back to an earlier time; {ADVICE}"
        ))
    }

    /// What is shown, and once a minute logged.
    pub(super) fn look(&self, state: &State) -> Watched {
        self.lock().look(state, wall_clock_unix_ms())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change of it is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The mark of own votes can't be written. The engine stops: a vote that is not remembered would look like a stranger's.
#[derive(Debug, Error)]
#[error("{}: {source}", path.display())]
struct MarkError {
    path: PathBuf,
    source: std::io::Error,
}

/// What to do about votes that are not one's own.
const ADVICE: &str = "stop every other process with this key, move engine/ out of data_dir (never restore an old one), \
                      and start again";

impl Inner {
    fn keep(&self, mark: Option<Mark>) -> Result<(), MarkError> {
        let Some(mark) = mark else { return Ok(()) };
        let written = write_durably(&self.mark_file, &mark.to_bytes());
        written.map_err(|source| MarkError { path: self.mark_file.clone(), source })
    }

    fn look(&mut self, state: &State, now_unix_ms: u64) -> Watched {
        let mut troubles = Vec::new();
        let clock_off_ms = self.judge_clocks(state, now_unix_ms, &mut troubles);
        let unknown_votes = self.votes.unknown(now_unix_ms) as u64;
        if unknown_votes > 0 {
            troubles.push(format!(
                "{unknown_votes} certificates hold a vote of this validator that this process has not given: its key may \
                 run twice, or engine/ was set back"
            ));
        }
        let voiceless = self.voiceless(state, now_unix_ms);
        let votes_for_nothing = voiceless.is_some();
        troubles.extend(voiceless);
        let trouble = (!troubles.is_empty()).then(|| troubles.join("; "));
        if let Some(trouble) = &trouble
            && self.is_due("trouble", now_unix_ms)
        {
            tracing::error!("{trouble}");
        }
        let age = |at: u64| now_unix_ms.saturating_sub(at) / 1_000;
        let last_vote_age_s = self.votes.last_vote_unix_ms().or(self.engine_since_unix_ms).map(age);
        Watched { trouble, last_vote_age_s, votes_for_nothing, unknown_votes, clock_off_ms }
    }

    fn judge_clocks(&mut self, state: &State, now_unix_ms: u64, troubles: &mut Vec<String>) -> Option<i64> {
        let (timing, roster) = (state.timing(), state.roster());
        let skew_ms = timing.max_clock_skew_ms;
        match self.clocks.verdict(skew_ms, roster.group().faults(), now_unix_ms) {
            ClockVerdict::Sound => None,
            ClockVerdict::Own(offset_ms) => {
                troubles.push(format!(
                    "the clock of this machine is {} ms {} the other validators' (allowed: {skew_ms} ms): nobody votes \
                     for its blocks, nor it for theirs; set the clock (NTP)",
                    offset_ms.unsigned_abs(),
                    if offset_ms > 0 { "ahead of" } else { "behind" }
                ));
                Some(offset_ms)
            }
            ClockVerdict::Others(others) => {
                if self.is_due("clocks", now_unix_ms) {
                    for (key, offset_ms) in others {
                        let place = roster.validators.iter().position(|entry| entry.consensus_key == key);
                        let validator = place.map_or(0, |place| place + 1);
                        let key = hex::encode(&key[..8]);
                        tracing::warn!(
                            validator,
                            key,
                            offset_ms,
                            allowed_ms = skew_ms,
                            "a validator's block time is off: its clock is wrong, and its blocks get no votes; tell its \
                             operator"
                        );
                    }
                }
                None
            }
        }
    }

    /// Whether this is a validator whose engine runs and gives no votes.
    fn voiceless(&self, state: &State, now_unix_ms: u64) -> Option<String> {
        let epoch = state.timing().epoch_of(state.height().saturating_add(1));
        let since = self.engine_since_unix_ms?.max(self.votes.last_vote_unix_ms().unwrap_or(0));
        let silent_ms = now_unix_ms.saturating_sub(since);
        let validates = state.consensus_keys(epoch)?.contains(&self.consensus_key);
        let (blocks, seconds) = (self.blocks_since_vote, silent_ms / 1_000);
        (validates && silent_ms >= SILENT_MS && blocks >= SILENT_BLOCKS).then(|| {
            format!(
                "this validator has voted for none of the last {blocks} blocks, for {seconds} s: it is still catching up, or \
                 refuses what the others accept (`no vote for a proposal` in the log says why)"
            )
        })
    }

    fn is_due(&mut self, what: &'static str, now_unix_ms: u64) -> bool {
        let due = self.logged.get(what).is_none_or(|last| now_unix_ms.abs_diff(*last) >= LOG_EVERY_MS);
        if due {
            self.logged.insert(what, now_unix_ms);
        }
        due
    }
}

impl VoteWitness for Watch {
    fn begins(&self, epoch: u64) -> Result<(), ApplicationError> {
        let mut inner = self.lock();
        inner.engine_since_unix_ms.get_or_insert(wall_clock_unix_ms());
        let mark = inner.votes.begins(epoch);
        Ok(inner.keep(mark)?)
    }

    fn voted(&self, epoch: u64, view: u64) -> Result<(), ApplicationError> {
        let mut inner = self.lock();
        inner.blocks_since_vote = 0;
        let mark = inner.votes.voted((epoch, view), wall_clock_unix_ms());
        Ok(inner.keep(mark)?)
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
