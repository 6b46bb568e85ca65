//! The loop: ask, check, store, hand on.

use super::asking::Asking;
use super::chain::{Accepted, Chain, Taken};
use super::error::FollowerError;
use super::fetch::Fetch;
use super::keeper::Keeper;
use super::sources::Source;
use crate::shutdown::Shutdown;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use veilgrid_api::CertifiedBlock;
use veilgrid_ledger::audit::CertificateCheck;
use veilgrid_ledger::state::State;
use veilgrid_ledger::verdicts::BidVerdicts;

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
        let FollowerOptions { mut keeper, certificates, mut verdicts, .. } = options;
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
        let asking = Asking::new(chain.state().height(), fetchers, first_source, batch, long_poll);
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
