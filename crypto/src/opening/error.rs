//! What can be wrong with an opening, with the validator to blame.

use crate::keygen::WeightsError;
use thiserror::Error;

/// Why a share is not released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReleaseError {
    /// The weights do not fit the keys.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The sum of all R is the identity: there is nothing to open.
    #[error("the sum of all R is the identity: no bid is in this book")]
    NothingToOpen,
    /// The key shares are of a validator that the session does not have.
    #[error(
        "validator {validator} is not among the {validators} of these keys; load the shares of this key epoch"
    )]
    UnknownValidator {
        /// The holder of the shares.
        validator: u16,
        /// n of the keys.
        validators: u16,
    },
    /// The key shares are not those of the public keys; the share would be refused and blamed.
    #[error(
        "the key shares of validator {validator} do not match the public keys; load the shares of this key epoch"
    )]
    WrongShares {
        /// The holder of the shares.
        validator: u16,
    },
}

/// A false share, with the validator to blame and the rule that it breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("share of validator {validator}: {rule}")]
pub struct ShareFault {
    /// The validator that the share names.
    pub validator: u16,
    /// What is wrong.
    pub rule: ShareRule,
}

/// The rules of an opening share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ShareRule {
    /// The validator is not in the session.
    #[error("there is no such validator")]
    UnknownValidator,
    /// The weights do not fit the keys; the request is wrong, not the share.
    #[error(transparent)]
    Weights(WeightsError),
    /// The sum of all R is the identity; the request is wrong, not the share.
    #[error("the sum of all R is the identity")]
    NothingToOpen,
    /// The point is not canonical or the identity.
    #[error("the point is not canonical or the identity")]
    Point,
    /// Challenge or response is not a canonical scalar.
    #[error("challenge or response is not a canonical scalar")]
    Scalar,
    /// The proof does not hold for this opening.
    #[error("the proof of equal logarithms does not hold for this opening")]
    Proof,
}

/// Why shares do not combine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CombineError {
    /// Less than t shares.
    #[error("{found} shares are there, {needed} are needed; wait for more validators")]
    TooFew {
        /// Shares given.
        found: usize,
        /// t of the keys.
        needed: u16,
    },
    /// One validator twice.
    #[error("two shares of validator {validator}")]
    Duplicate {
        /// The validator.
        validator: u16,
    },
    /// Shares of different openings.
    #[error("the share of validator {validator} is of another opening than the first")]
    Mixed {
        /// The validator.
        validator: u16,
    },
}
