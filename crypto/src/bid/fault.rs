//! Why a bid is refused.

use crate::wire::WireError;
use thiserror::Error;

/// Why a bid is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BidFault {
    /// The bid names another round than the one it is checked for.
    #[error("the bid is for round {bid}, this is round {round}")]
    Round {
        /// Round that the bid names.
        bid: u64,
        /// Round of the check.
        round: u64,
    },
    /// The bid is the next debit after another one than the account's last: an older bid, or one that was sealed twice.
    #[error("the bid names debit sequence {bid}, the account is at {account}")]
    Sequence {
        /// Sequence that the bid names.
        bid: u64,
        /// The account's when the round opened.
        account: u64,
    },
    /// Wrong lengths, non-canonical encodings, identity points.
    #[error("malformed bid: {0}")]
    Malformed(#[from] WireError),
    /// E1 fails: the committed values are not those of the range proof.
    #[error("the bid's values do not match its range proof (E1)")]
    Values,
    /// E2 fails: some C_k has a component outside of V and its step key.
    #[error("a step of the bid is not a quantity under its step key (E2)")]
    Components,
    /// E3 fails: R is not r·G for the r of the vector.
    #[error("the bid's R does not belong to its vector (E3)")]
    Randomness,
    /// The inner-product argument fails: some quantity is out of range.
    #[error("the bid's range proof is false: a quantity is out of range")]
    Range,
    /// The signature is not the account's.
    #[error("the bid's signature is not the account's")]
    Signature,
}
