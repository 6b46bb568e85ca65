//! The final ledger as a process shows it: the latest state, how finished rounds ended, blocks for whoever asks.
//!
//! Whoever executes blocks publishes here; the HTTP server and everybody who waits for a height read. Cloning is cheap
//! and all clones are one view.

pub use crate::round_ends::{RoundEnd, RoundEnds};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::BlockEffects;

/// Where encoded blocks come from. It is called on the server's threads: it may read a disk, and waits for nothing
/// else.
pub trait BlockSource: Send + Sync {
    /// The encoded final block of this height, with its certificate when there is one of this very block.
    fn block(&self, height: u64) -> Option<(Vec<u8>, Option<Vec<u8>>)>;
}

/// The latest final state.
#[derive(Clone)]
pub struct Latest {
    /// The state.
    pub state: State,
    /// Its root.
    pub state_root: Hash,
}

struct Inner {
    latest: watch::Sender<Latest>,
    ended: Mutex<RoundEnds>,
    blocks: Box<dyn BlockSource>,
}

/// The final ledger of a process.
#[derive(Clone)]
pub struct LedgerView(Arc<Inner>);

impl LedgerView {
    /// A view at a state. How rounds ended that are over is not known to it.
    pub fn new(state: State, blocks: impl BlockSource + 'static) -> Self {
        Self::resumed(state, RoundEnds::default(), blocks)
    }

    /// A view at a state that was replayed, with how rounds ended on the way there.
    pub fn resumed(state: State, ended: RoundEnds, blocks: impl BlockSource + 'static) -> Self {
        let state_root = state.root();
        let latest = watch::Sender::new(Latest { state, state_root });
        Self(Arc::new(Inner { latest, ended: Mutex::new(ended), blocks: Box::new(blocks) }))
    }

    /// Takes the state after the next final block, whose effects these are. A state that is not newer is ignored, its
    /// effects too: a replay after a restart publishes from block 1 on.
    pub fn publish(&self, state: State, effects: &BlockEffects) {
        self.note(effects);
        let state_root = effects.state_root;
        self.0.latest.send_if_modified(|latest| {
            let newer = state.height() > latest.state.height();
            if newer {
                *latest = Latest { state, state_root };
            }
            newer
        });
    }

    /// Notes how rounds ended in a block; twice is as good as once.
    pub fn note(&self, effects: &BlockEffects) {
        // A panic elsewhere leaves at worst an end unremembered.
        let mut ended = self.0.ended.lock().unwrap_or_else(PoisonError::into_inner);
        effects.all().for_each(|effect| ended.note(effect));
    }

    /// The latest final state.
    pub fn latest(&self) -> Latest {
        self.0.latest.borrow().clone()
    }

    /// The latest final state without its root.
    pub fn state(&self) -> State {
        self.0.latest.borrow().state.clone()
    }

    /// Its height.
    pub fn height(&self) -> u64 {
        self.0.latest.borrow().state.height()
    }

    /// Tells of every new height from now on.
    pub fn subscribe(&self) -> watch::Receiver<Latest> {
        self.0.latest.subscribe()
    }

    /// Returns when the ledger has this height, or after `most`.
    pub async fn wait_for(&self, height: u64, most: Duration) {
        let mut heights = self.subscribe();
        let reached = heights.wait_for(|latest| latest.state.height() >= height);
        // Whether it was reached shows in the height.
        let _ = tokio::time::timeout(most, reached).await;
    }

    /// How a round ended, when it did so after this view began or is remembered from the replay before.
    pub fn end_of(&self, round_id: u64) -> Option<RoundEnd> {
        self.0.ended.lock().unwrap_or_else(PoisonError::into_inner).of(round_id).cloned()
    }

    /// How rounds ended, as far as it is remembered: for whoever saves it ([`RoundEnds::to_bytes`]).
    pub fn ends(&self) -> RoundEnds {
        self.0.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// An encoded final block with its certificate.
    pub fn block(&self, height: u64) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
        self.0.blocks.block(height)
    }
}
