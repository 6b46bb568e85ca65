//! Who is asked for which blocks, and what is concluded from the answers.

use super::chain::Taken;
use super::fetch::Fetch;
use super::sources::{Seldom, Sources};
use crate::ClientError;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use veilgrid_api::CertifiedBlock;
use veilgrid_api::blocks::MAX_BLOCKS;

/// Pause before somebody else is asked when a source has blocks but no certificate for them.
const UNCOVERED_PAUSE: Duration = Duration::from_millis(100);
/// How long one source is asked while it has news: it could still hold the newest back.
const LONGEST_TURN: Duration = Duration::from_secs(30);
/// How often a follower that gets no further says so, in milliseconds.
const WARNING_PAUSE_MS: u64 = 60_000;

/// Who is asked for what.
pub(super) struct Asking {
    fetchers: Vec<Arc<dyn Fetch>>,
    pub(super) sources: Arc<Mutex<Sources>>,
    /// Who has answered last.
    last: Option<usize>,
    /// The last question was for the block at our height too.
    overlap: bool,
    /// Since when the same source is asked.
    chosen: Instant,
    /// Height of the last accepted block.
    pub(super) height: u64,
    batch: usize,
    /// Blocks of the last question.
    asked: usize,
    least: usize,
    long_poll: Duration,
    /// About blocks that nobody has.
    warning: Seldom,
    began: Instant,
}

impl Asking {
    /// Nobody was asked yet. `height`: of the last accepted block; `batch`: blocks of a question.
    pub(super) fn new(
        height: u64,
        fetchers: Vec<Arc<dyn Fetch>>,
        first_source: usize,
        batch: usize,
        long_poll: Duration,
    ) -> Self {
        Self {
            sources: Arc::new(Mutex::new(Sources::new(fetchers.len(), first_source))),
            fetchers,
            last: None,
            overlap: false,
            chosen: Instant::now(),
            height,
            batch,
            asked: batch,
            least: batch,
            long_poll,
            warning: Seldom::new(WARNING_PAUSE_MS),
            began: Instant::now(),
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn sources(&self) -> std::sync::MutexGuard<'_, Sources> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next answer of anybody. It can be dropped between two questions.
    pub(super) async fn next_run(&mut self) -> Vec<CertifiedBlock> {
        loop {
            let now_ms = self.now_ms();
            let chosen = self.sources().choose(now_ms);
            let Some((index, pause_ms)) = chosen else { return std::future::pending().await };
            if pause_ms > 0 {
                sleep(Duration::from_millis(pause_ms)).await;
                continue;
            }
            let Some(fetcher) = self.fetchers.get(index).map(Arc::clone) else { continue };
            // Whoever is asked anew shows its block at our height too: that is how a fork is found. Block 0 is trusted.
            if self.last != Some(index) {
                self.chosen = Instant::now();
            }
            self.overlap = self.last != Some(index) && self.height > 0;
            let from = if self.overlap { self.height } else { self.height.saturating_add(1) };
            let portion = self.sources().portion(index, self.batch);
            self.asked = portion;
            let mut fetched = fetcher.fetch(from, self.asked, self.long_poll).await;
            if self.overlap && fetched.as_ref().is_err_and(ClientError::is_absence) {
                // It has pruned our own block. The next one names it as its parent, which shows the same.
                self.overlap = false;
                let from = self.height.saturating_add(1);
                fetched = fetcher.fetch(from, self.asked, self.long_poll).await;
            }
            match fetched {
                Ok(run) => {
                    self.last = Some(index);
                    return run;
                }
                Err(error) => self.note_error(fetcher.name(), &error),
            }
        }
    }

    fn note_error(&mut self, name: &str, error: &ClientError) {
        self.last = None;
        let now_ms = self.now_ms();
        if error.is_misbehaviour() {
            tracing::warn!(source = name, %error, "a validator sends what no honest one sends: it is set aside");
            self.sources().lied(now_ms, error.to_string());
        } else if error.is_absence() {
            tracing::debug!(source = name, %error, "a validator does not have the blocks: the next one is asked");
            self.sources().lacked(now_ms);
        } else if error.is_stall() {
            tracing::warn!(source = name, %error, "a validator does not finish its answers: it is set aside");
            self.sources().stalled(now_ms);
        } else {
            tracing::debug!(source = name, %error, "a validator does not answer: the next one is asked");
            self.sources().failed(now_ms);
        }
        let lacking = self.sources().lacking(now_ms);
        if let Some(pruned) = lacking
            && self.warning.may(now_ms)
        {
            tracing::warn!(
                height = self.height.saturating_add(1),
                pruned,
                of = self.fetchers.len(),
                "the ledger can't be followed any further: sources have pruned this block, and no other one serves it. \
                 Add a source with all blocks to validator_urls: the aggregator, or a validator that does not prune"
            );
        }
    }

    /// Draws the conclusions from an answer. Returns a pause before the next question.
    pub(super) fn judge(&mut self, taken: &Taken, length: usize) -> Duration {
        if let Some(fault) = &taken.fault {
            let name =
                self.last.and_then(|index| self.fetchers.get(index)).map_or("", |fetcher| fetcher.name());
            tracing::warn!(source = name, %fault, "a validator sends what no honest one sends: it is set aside");
            let now_ms = self.now_ms();
            self.sources().lied(now_ms, fault.to_string());
            self.last = None;
        } else if !taken.accepted.is_empty() {
            self.batch = self.least;
            if self.chosen.elapsed() > LONGEST_TURN { self.sources().idle() } else { self.sources().served() }
        } else if taken.uncovered > 0 {
            if length >= self.asked && self.batch < MAX_BLOCKS {
                // The certificate that covers these blocks may be further on.
                self.batch = self.batch.saturating_mul(4).min(MAX_BLOCKS);
                return Duration::ZERO;
            }
            self.batch = self.least;
            self.sources().idle();
            return UNCOVERED_PAUSE;
        } else if length == 0 {
            self.sources().idle();
        } else if !self.overlap {
            // It sends the block that we have and was not asked for it.
            self.sources().idle();
            return UNCOVERED_PAUSE;
        }
        // Otherwise it has shown that it agrees at our height and is asked for what comes after it.
        Duration::ZERO
    }
}
