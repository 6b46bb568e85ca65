//! What pool and gossip are about: names of what a validator has, and how large a message may be.

use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::expected::ShareRequest;

/// Most bytes of one gossip message.
pub const MAX_GOSSIP_BYTES: usize = 512 << 10;

/// Names an entry of the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::replica) enum Item {
    /// A bid by its digest.
    Bid {
        /// The round.
        round_id: u64,
        /// The bid.
        digest: Hash,
    },
    /// A validator's share.
    Share {
        /// The opening.
        opening: OpeningId,
        /// Whose.
        owner: Owner,
    },
    /// A key event or a change of validators by its digest.
    Transaction(Hash),
}

/// Whose a share is: the validator's number that it bears, and the consensus key of its sender.
pub(in crate::replica) type Owner = (u16, [u8; 32]);

/// Names the shares that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::replica) struct OpeningId {
    /// Number of the key session whose shares are used; 0 on a ledger without sessions.
    pub(in crate::replica) sharing: u64,
    /// The round.
    pub(in crate::replica) round_id: u64,
    /// The opening.
    pub(in crate::replica) opening_index: u32,
}

impl OpeningId {
    /// The opening that a state asks for.
    pub(in crate::replica) fn of(state: &State, request: &ShareRequest) -> Self {
        let (round_id, opening_index) = (request.context.round_id, request.context.opening_index);
        Self { sharing: state.sharing().unwrap_or(0), round_id, opening_index }
    }
}
