//! Whose turn it is, and what is voted on.

use crate::intake::shape_of;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::finality::{Ballot, ValidatorSetFault, Votes};
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::room::MAX_NETWORK_BLOCK_BYTES;
use veilgrid_ledger::state::State;

/// Most bids that are handed over at once, whatever their size.
const MAX_BIDS_AT_ONCE: usize = 256;

/// Views of a committee. A view has one leader, (epoch + view) mod n as in a network, and at most one block.
#[derive(Debug, Clone)]
pub struct Orderer {
    ledger_id: Hash,
    view: u64,
    /// The view of the last final block.
    parent_view: u64,
}

impl Orderer {
    /// The views of a ledger from its first block on.
    pub fn new(ledger_id: Hash) -> Self {
        Self { ledger_id, view: 1, parent_view: 0 }
    }

    /// Who proposes in this view: a place among `validators`, in the order of the roster. `epoch` is the one of the next
    /// block.
    pub fn leader(&self, epoch: u64, validators: usize) -> usize {
        let turn = epoch.wrapping_add(self.view).checked_rem(validators as u64).unwrap_or(0);
        usize::try_from(turn).unwrap_or(0)
    }

    /// The vote on a block of this view, of the validators in force on the state that it builds on.
    ///
    /// # Errors
    /// [`ValidatorSetFault`], which a verified genesis excludes.
    pub fn ballot(&self, block: &Block, parent: &State) -> Result<(Ballot, Votes), ValidatorSetFault> {
        let height = block.header.height;
        let epoch = parent.timing().epoch_of(height);
        let ballot = Ballot {
            ledger_id: self.ledger_id,
            epoch,
            view: self.view,
            parent_view: self.parent_view,
            block_hash: block.hash(),
        };
        let validators = parent.consensus_keys(epoch).unwrap_or_default();
        Ok((ballot, Votes::new(ballot, &validators)?))
    }

    /// The view's block is final: the next leader's turn.
    pub fn decided(&mut self) {
        self.parent_view = self.view;
        self.view = self.view.saturating_add(1);
    }

    /// The view has no block: the next leader's turn.
    pub fn passed(&mut self) {
        self.view = self.view.saturating_add(1);
    }
}

/// How many bids are handed to validators at once where they wait for the ledger before more come: half of a block's bytes
/// at most, so that they never fill what a round's grace has room for.
pub fn bids_at_once(state: &State) -> usize {
    let bid_bytes = shape_of(state.community().params()).bid_bytes();
    (MAX_NETWORK_BLOCK_BYTES / 2).checked_div(bid_bytes).unwrap_or(1).clamp(1, MAX_BIDS_AT_ONCE)
}
