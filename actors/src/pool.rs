//! Where proofs are made and verified: threads of their own, as many as there are cores.
//!
//! An actor hands a job over and awaits the answer; its mailbox goes on meanwhile. The number of threads bounds how
//! many proofs run at once. Making and verifying have a pool each: in one queue, verdicts would come after all proofs
//! that were ordered before, and inside of one pool a verification that waits for its other half would take up a
//! whole proof meanwhile.

use crate::cancel::CancelFlag;
use std::num::NonZeroUsize;
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::oneshot;

/// Why a job has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PoolError {
    /// The day was cancelled before the job began.
    #[error("the day was cancelled before the proof was made")]
    Cancelled,
    /// The job panicked: a mistake in this program.
    #[error("a proof ended in a panic: this is a bug, please report it")]
    Panicked,
}

/// Threads for proofs. All clones are one pool.
#[derive(Clone)]
pub struct ProofPool {
    threads: Arc<rayon::ThreadPool>,
    cancel: CancelFlag,
}

impl ProofPool {
    /// A pool of `threads` threads called `name`, by default one a core. Jobs that have not begun when `cancel` is set are dropped.
    ///
    /// # Errors
    /// The system's refusal to start threads.
    pub fn new(
        name: &'static str,
        threads: Option<NonZeroUsize>,
        cancel: CancelFlag,
    ) -> Result<Self, rayon::ThreadPoolBuildError> {
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.map_or_else(cores, NonZeroUsize::get))
            .thread_name(move |index| format!("{name}-{index}"))
            // Without a handler a panic ends the process; the waiting actor gets `PoolError::Panicked` instead.
            .panic_handler(|_| tracing::error!("a proof ended in a panic"))
            .build()?;
        Ok(Self { threads: Arc::new(threads), cancel })
    }

    /// Runs a job on the pool.
    ///
    /// # Errors
    /// [`PoolError`] when the job was dropped or panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        let (answer, answered) = oneshot::channel();
        let cancel = self.cancel.clone();
        self.threads.spawn(move || {
            if !cancel.is_cancelled() && !answer.is_closed() {
                // The receiver may be gone: then nobody wants the answer.
                let _ = answer.send(job());
            }
        });
        answered
            .await
            .map_err(|_| if self.cancel.is_cancelled() { PoolError::Cancelled } else { PoolError::Panicked })
    }
}
