//! How much work an account may make.

/// False proofs of an account in a round after which no further bid of it is looked at. An honest member sends none;
/// what is left for mistakes bounds the work of a node: members times this per round.
pub const MAX_FAILED_PROOFS: usize = 3;

/// Different bids of one account that may wait for their verdict at once: the bid, and one more from a member that was
/// restored meanwhile.
pub const MAX_WAITING_PER_ACCOUNT: usize = 2;
