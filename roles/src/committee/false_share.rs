//! Who has sent a false opening share.

use crate::replica::{GossipFault, OfferRefusal};
use thiserror::Error;
use veilgrid_crypto::opening::ShareFault;

/// An opening share whose proof is false: its validator is named, and the opening goes on with the others'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("round {round_id}, opening {opening_index}: {fault}")]
pub struct FalseShare {
    /// The round.
    pub round_id: u64,
    /// The opening.
    pub opening_index: u32,
    /// The validator, and what is false.
    pub fault: ShareFault,
}

impl FalseShare {
    /// The false share that a fault is about. A share is taken from its owner alone, so that nobody is named for what
    /// others have sent.
    pub fn of(fault: &GossipFault) -> Option<Self> {
        match fault {
            GossipFault::False {
                first: OfferRefusal::ShareFalse { round_id, opening_index, fault }, ..
            } => Some(Self { round_id: *round_id, opening_index: *opening_index, fault: *fault }),
            _ => None,
        }
    }
}

/// A list for a sentence.
pub fn named(shares: &[FalseShare]) -> String {
    match shares {
        [] => "none".to_owned(),
        some => some.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    }
}
