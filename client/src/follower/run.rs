//! The loop: ask, check, store, hand on.

use super::chain::{Accepted, Chain, Taken};
use super::error::FollowerError;
use super::keeper::Keeper;
use super::sources::{Seldom, Source, Sources};
use crate::shutdown::Shutdown;
use crate::{Client, ClientError};
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use veilgrid_api::CertifiedBlock;
use veilgrid_api::blocks::MAX_BLOCKS;
use veilgrid_ledger::audit::CertificateCheck;
use veilgrid_ledger::state::State;
use veilgrid_ledger::verdicts::BidVerdicts;

/// Pause before somebody else is asked when a source has blocks but no certificate for them.
const UNCOVERED_PAUSE: Duration = Duration::from_millis(100);
/// How long one source is asked while it has news: it could still hold the newest back.
const LONGEST_TURN: Duration = Duration::from_secs(30);
/// How often a follower that gets no further says so, in milliseconds.
const WARNING_PAUSE_MS: u64 = 60_000;

/// The answer of a source.
pub type Fetched<'a> = Pin<Box<dyn Future<Output = Result<Vec<CertifiedBlock>, ClientError>> + Send + 'a>>;

/// Where blocks come from. A trait, so that a follower can be tested against sources that lie in every way.
pub trait Fetch: Send + Sync + 'static {
    /// The name, for logs.
    fn name(&self) -> &str;

    /// At most `most` blocks from `from` on; waits up to `wait` for the first one.
    fn fetch(&self, from: u64, most: usize, wait: Duration) -> Fetched<'_>;
}

impl Fetch for Client {
    fn name(&self) -> &str {
        Client::name(self)
    }

    fn fetch(&self, from: u64, most: usize, wait: Duration) -> Fetched<'_> {
        Box::pin(self.blocks(from, most, wait))
    }
}

/// What a follower needs.
pub struct FollowerOptions<C> {
    /// The stored blocks, with the genesis whose hash is trusted.
    pub keeper: Keeper,
    /// Folder for evidence.
    pub evidence: PathBuf,
    /// Validators to ask.
    pub sources: Vec<Arc<dyn Fetch>>,
    /// Who is asked first, so that followers spread over the validators.
    pub first_source: usize,
    /// How long a source may wait for news.
    pub long_poll: Duration,
    /// Blocks of one request.
    pub batch: usize,
    /// The certificates.
    pub certificates: C,
    /// Verdicts on bids: every bid is verified, or was by this very process.
    pub verdicts: Box<dyn BidVerdicts + Send>,
}

/// What a follower needs whose blocks somebody else keeps: whoever takes them from it.
pub struct Following {
    /// Folder for evidence.
    pub evidence: PathBuf,
    /// Validators to ask.
    pub sources: Vec<Arc<dyn Fetch>>,
    /// Who is asked first.
    pub first_source: usize,
    /// How long a source may wait for news.
    pub long_poll: Duration,
    /// Blocks of one request.
    pub batch: usize,
    /// Verdicts on bids.
    pub verdicts: Box<dyn BidVerdicts + Send>,
}

/// A follower at the end of its stored blocks.
pub struct Follower<C> {
    work: Work<C>,
    evidence: PathBuf,
    asking: Asking,
}

/// What a blocking thread works on; it goes there and comes back.
struct Work<C> {
    chain: Chain<C>,
    /// None: whoever takes the blocks keeps them.
    keeper: Option<Keeper>,
    verdicts: Box<dyn BidVerdicts + Send>,
}

impl<C: CertificateCheck + 'static> Work<C> {
    fn take(&mut self, run: &[CertifiedBlock]) -> Result<Taken, FollowerError> {
        let taken = self.chain.take(run, self.verdicts.as_mut())?;
        if let Some(keeper) = &mut self.keeper {
            keeper.append(&taken.accepted)?;
        }
        Ok(taken)
    }
}

impl<C: CertificateCheck + 'static> Follower<C> {
    /// Executes the stored blocks on this thread. `on_block` gets each of them and says whether to go on; none when it
    /// does not.
    ///
    /// # Errors
    /// [`FollowerError::NoSources`], a stored block that breaks a rule, and the store's errors.
    pub fn open(
        options: FollowerOptions<C>,
        on_block: impl FnMut(Accepted) -> bool,
    ) -> Result<Option<Self>, FollowerError> {
        let FollowerOptions { keeper, certificates, mut verdicts, .. } = options;
        if options.sources.is_empty() {
            return Err(FollowerError::NoSources);
        }
        let Some(chain) = keeper.replay(certificates, verdicts.as_mut(), on_block)? else { return Ok(None) };
        let following = Following {
            evidence: options.evidence,
            sources: options.sources,
            first_source: options.first_source,
            long_poll: options.long_poll,
            batch: options.batch,
            verdicts,
        };
        Self::new(chain, Some(keeper), following).map(Some)
    }

    /// A follower at the end of a chain whose blocks are kept elsewhere. Nothing is stored here: what
    /// [`Follower::run`] hands on was checked and executed, and is durable when whoever takes it has made it so.
    ///
    /// # Errors
    /// [`FollowerError::NoSources`].
    pub fn at(chain: Chain<C>, following: Following) -> Result<Self, FollowerError> {
        Self::new(chain, None, following)
    }

    fn new(chain: Chain<C>, keeper: Option<Keeper>, following: Following) -> Result<Self, FollowerError> {
        let Following { evidence, sources: fetchers, verdicts, batch, long_poll, first_source } = following;
        if fetchers.is_empty() {
            return Err(FollowerError::NoSources);
        }
        let sources = Sources::new(fetchers.len(), first_source);
        let asking = Asking {
            fetchers,
            sources: Arc::new(Mutex::new(sources)),
            last: None,
            overlap: false,
            chosen: Instant::now(),
            height: chain.state().height(),
            batch,
            asked: batch,
            least: batch,
            long_poll,
            warning: Seldom::new(WARNING_PAUSE_MS),
            began: Instant::now(),
        };
        Ok(Self { work: Work { chain, keeper, verdicts }, evidence, asking })
    }

    /// The state after the last stored block.
    pub fn state(&self) -> &State {
        self.work.chain.state()
    }

    /// What the follower remembers of each source, in the order in which they were given.
    pub fn sources(&self) -> impl Fn() -> Vec<Source> + Send + Sync + 'static {
        let sources = Arc::clone(&self.asking.sources);
        move || sources.lock().unwrap_or_else(PoisonError::into_inner).all().to_vec()
    }

    /// Follows until the process is to end or nobody takes blocks any more. Blocks are handed on in order, each after
    /// it is on disk if this follower keeps them.
    ///
    /// # Errors
    /// [`FollowerError`]; a fork has been written down by then.
    pub async fn run(self, sink: mpsc::Sender<Accepted>, shutdown: Shutdown) -> Result<(), FollowerError> {
        let Self { mut work, evidence, mut asking } = self;
        tracing::info!(height = asking.height, "the ledger is followed from here");
        loop {
            let run = tokio::select! {
                () = shutdown.wait() => return Ok(()),
                run = asking.next_run() => run,
            };
            let length = run.len();
            let taken = spawn_blocking(move || {
                let taken = work.take(&run);
                (work, taken)
            });
            let taken = taken.await.map_err(|_| FollowerError::Panicked)?;
            work = taken.0;
            let taken = taken.1.inspect_err(|error| denounce(error, &evidence))?;
            asking.height = work.chain.state().height();
            let pause = asking.judge(&taken, length);
            for accepted in taken.accepted {
                tokio::select! {
                    () = shutdown.wait() => return Ok(()),
                    sent = sink.send(accepted) => if sent.is_err() { return Ok(()) },
                }
            }
            if !pause.is_zero() {
                sleep(pause).await;
            }
        }
    }
}

/// Says loudly what ends the follower, and writes a fork down.
fn denounce(error: &FollowerError, directory: &std::path::Path) {
    tracing::error!(%error, "the ledger can't be followed any further");
    if let FollowerError::Fork(fork) = error {
        match fork.write(directory) {
            Ok(path) => tracing::error!(evidence = %path.display(), "both certified blocks are written down"),
            Err(error) => tracing::error!(%error, ?fork, "the evidence can't be written to its file"),
        }
    }
}

/// Who is asked for what.
struct Asking {
    fetchers: Vec<Arc<dyn Fetch>>,
    sources: Arc<Mutex<Sources>>,
    /// Who has answered last.
    last: Option<usize>,
    /// The last question was for the block at our height too.
    overlap: bool,
    /// Since when the same source is asked.
    chosen: Instant,
    /// Height of the last accepted block.
    height: u64,
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
    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn sources(&self) -> std::sync::MutexGuard<'_, Sources> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next answer of anybody. It can be dropped between two questions.
    async fn next_run(&mut self) -> Vec<CertifiedBlock> {
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
    fn judge(&mut self, taken: &Taken, length: usize) -> Duration {
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
