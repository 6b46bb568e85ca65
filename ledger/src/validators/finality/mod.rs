//! What makes a block final: votes of the validators and the certificates made of them (spec 13.9).
//!
//! A vote is an Ed25519 signature over a block's hash, the epoch and the view. More than two thirds of an epoch's
//! validators make a certificate. Engines order blocks in their own ways; what they leave behind is this one format, so
//! that followers and auditors need none of them.

mod certificate;
mod keys;
mod signatures;
mod vote;

pub use certificate::{CertificateFault, View, Votes, own_vote, quorum, verify, verify_all};
pub use keys::{ConsensusKey, ConsensusKeyBytes, ValidatorSetFault};
pub use vote::{Ballot, Vote};
