//! What waits for a block: verified bids, opening shares, key events and changes of validators, each within bounds.
//!
//! Nothing in the pool decides anything: a proposer tries every entry on the state that it proposes on, and the ledger
//! has the last word. The bounds keep a flood from outside away from the memory and from the other kinds.

mod bids;
mod events;
pub(in crate::replica) mod money;
mod shares;

pub(super) use bids::{BidPool, MAX_PER_ACCOUNT};
pub(super) use events::{EventPool, may_come_later};
pub(super) use shares::{SharePool, key_in, key_of};

use super::item::Item;
use veilgrid_ledger::state::State;

/// The pool of a validator.
pub(super) struct Pool {
    /// Bids of rounds that take bids.
    pub(super) bids: BidPool,
    /// Shares of the openings that are asked for, or soon will be.
    pub(super) shares: SharePool,
    /// Key events and changes of validators.
    pub(super) events: EventPool,
}

impl Pool {
    /// An empty pool that holds key events of at most `bytes`. Whoever puts bids in says how many a round may have.
    pub(super) fn new(bytes: usize) -> Self {
        Self { bids: BidPool::new(), shares: SharePool::default(), events: EventPool::new(bytes) }
    }

    /// Whether the entry is still here.
    pub(super) fn has(&self, item: &Item) -> bool {
        match item {
            Item::Bid { round_id, digest } => self.bids.get(*round_id, digest).is_some(),
            Item::Share { opening, owner } => self.shares.get(opening, owner).is_some(),
            Item::Transaction(digest) => self.events.get(digest).is_some(),
        }
    }

    /// Drops what the final state has taken in or will never take.
    pub(super) fn follow(&mut self, state: &State) {
        self.bids.follow(state);
        self.shares.follow(state);
        self.events.follow(state);
    }
}
