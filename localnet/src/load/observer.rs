//! Follows the ledger and notes when each block was seen.

use super::{LoadError, runtime};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use veilgrid_actors::verdicts::SharedVerdicts;
use veilgrid_api::blocks::{BLOCKS_PER_REQUEST, LONG_POLL};
use veilgrid_client::follower::{
    Accepted, Follower, FollowerError, FollowerOptions, Keeper, QuorumCertificates, genesis_from,
};
use veilgrid_client::shutdown::Shutdown;
use veilgrid_client::{Client, ClientOptions};
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::BlockEffects;
use veilgrid_node::checks::wall_clock_unix_ms;

/// Blocks on their way from the follower.
const WAITING: usize = 64;

/// A block that was accepted, with the time at which a follower had it: certificate checked, executed, on disk.
#[derive(Clone)]
pub struct Seen {
    /// This machine's clock, Unix milliseconds.
    pub at_unix_ms: u64,
    /// The block's own time, Unix milliseconds.
    pub block_unix_ms: u64,
    /// What it did.
    pub effects: Arc<BlockEffects>,
    /// The state after it.
    pub state: State,
}

/// A follower on a thread of its own, so that times are noted whatever the caller does meanwhile.
pub struct Observer {
    seen: Receiver<Seen>,
    thread: Option<JoinHandle<Result<(), LoadError>>>,
    shutdown: Shutdown,
}

impl Observer {
    /// Follows the validator at `url` with a store in `dir`. `verdicts` are those on bids that were verified before:
    /// so a load generator that shares a machine with what it measures verifies its bids when nothing is measured.
    ///
    /// # Errors
    /// No thread.
    pub fn start(dir: &Path, genesis: &Path, url: &str, verdicts: SharedVerdicts) -> Result<Self, LoadError> {
        let (news, seen) = channel();
        let shutdown = Shutdown::new();
        let (dir, genesis, url, stop) =
            (dir.to_owned(), genesis.to_owned(), url.to_owned(), shutdown.clone());
        let follow = move || runtime()?.block_on(follow(&dir, &genesis, &url, verdicts, news, stop));
        let thread = std::thread::Builder::new().name("observer".to_owned()).spawn(follow);
        let thread = thread.map_err(|error| LoadError::Start(error.to_string()))?;
        Ok(Self { seen, thread: Some(thread), shutdown })
    }

    /// The next block; none when there is none for this long.
    ///
    /// # Errors
    /// What ended the follower.
    pub fn next(&mut self, wait: Duration) -> Result<Option<Seen>, LoadError> {
        match self.seen.recv_timeout(wait) {
            Ok(seen) => Ok(Some(seen)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                self.join()?;
                Err(LoadError::Start("the follower has ended by itself".to_owned()))
            }
        }
    }

    /// Ends the follower; its store can be opened then.
    ///
    /// # Errors
    /// What ended it before.
    pub fn finish(mut self) -> Result<(), LoadError> {
        self.shutdown.trigger();
        self.join()
    }

    fn join(&mut self) -> Result<(), LoadError> {
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(ended)) => ended,
            Some(Err(_)) => Err(FollowerError::Panicked.into()),
        }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.shutdown.trigger();
        // Whoever drops it has no more use for what ended it.
        let _ = self.join();
    }
}

async fn follow(
    dir: &Path,
    genesis: &Path,
    url: &str,
    verdicts: SharedVerdicts,
    news: Sender<Seen>,
    shutdown: Shutdown,
) -> Result<(), LoadError> {
    let keeper = Keeper::open(&dir.join("ledger"), genesis_from(genesis)?)?;
    let options = FollowerOptions {
        keeper,
        evidence: dir.join("evidence"),
        sources: vec![Arc::new(Client::new(url, &ClientOptions::default())?)],
        first_source: 0,
        long_poll: LONG_POLL,
        batch: BLOCKS_PER_REQUEST,
        certificates: QuorumCertificates,
        verdicts: Box::new(verdicts),
    };
    let Some(follower) = Follower::open(options, |_| true)? else { return Ok(()) };
    let (blocks, mut accepted) = tokio::sync::mpsc::channel(WAITING);
    let following = tokio::task::spawn(follower.run(blocks, shutdown));
    while let Some(Accepted { block, effects, state, .. }) = accepted.recv().await {
        let (at_unix_ms, block_unix_ms) = (wall_clock_unix_ms(), block.header.time_unix_ms);
        if news.send(Seen { at_unix_ms, block_unix_ms, effects, state }).is_err() {
            break;
        }
    }
    drop(accepted);
    following.await.map_err(|_| FollowerError::Panicked)??;
    Ok(())
}
