//! What can be wrong in key generation, with the dealer and the key that it is about.

use crate::wire::WireError;
use thiserror::Error;

/// Why a session of key generation cannot go on. Keys are counted from 0, dealers and validators from 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyGenError {
    /// The session's own numbers are out of bounds.
    #[error("key generation cannot be set up: {why}")]
    Context {
        /// The rule that is broken.
        why: &'static str,
    },
    /// A dealer or receiver that the session does not have.
    #[error("validator {dealer} is not in a session of {validators} validators")]
    UnknownDealer {
        /// The number found.
        dealer: u16,
        /// n of the session.
        validators: u16,
    },
    /// The list of the dealers' signature keys does not have one key per validator.
    #[error("{found} signature keys of dealers were given, the session has {expected} validators")]
    DealerKeys {
        /// Keys given.
        found: usize,
        /// n of the session.
        expected: u16,
    },
    /// Less dealers than the threshold: an honest one among them would not be certain.
    #[error(
        "{found} dealers are present, at least {needed} are needed; wait for more or start a new session"
    )]
    TooFewDealers {
        /// Packages given.
        found: usize,
        /// t of the session.
        needed: u16,
    },
    /// Two packages of one dealer.
    #[error("dealer {dealer} has two packages in this session")]
    RepeatedDealer {
        /// The dealer.
        dealer: u16,
    },
    /// The package is not signed by the dealer it names, or signed for another session.
    #[error("the package of dealer {dealer} does not carry that dealer's signature for this session")]
    Signature {
        /// The dealer that the package names.
        dealer: u16,
    },
    /// A package with too few or too many keys.
    #[error("dealer {dealer} committed to {found} keys and proved {proofs}, the session has {expected}")]
    KeyCount {
        /// The dealer.
        dealer: u16,
        /// Keys with commitments.
        found: usize,
        /// Keys with a proof.
        proofs: usize,
        /// Keys of the session.
        expected: u32,
    },
    /// A polynomial of another degree than the threshold asks for.
    #[error("dealer {dealer}, key {key}: {found} commitments, exactly {expected} are needed")]
    CommitmentCount {
        /// The dealer.
        dealer: u16,
        /// The key.
        key: u32,
        /// Commitments found.
        found: usize,
        /// t of the session.
        expected: u16,
    },
    /// A commitment that is no point or the identity.
    #[error("dealer {dealer}, key {key}, coefficient {coefficient}: {source}")]
    Commitment {
        /// The dealer.
        dealer: u16,
        /// The key.
        key: u32,
        /// The coefficient, 0 for the constant term.
        coefficient: u16,
        /// What is wrong with the encoding.
        source: WireError,
    },
    /// A proof of knowledge of a constant term that does not hold for this session, dealer and key.
    #[error("dealer {dealer}, key {key}: the proof of knowledge of the constant term does not hold")]
    Proof {
        /// The dealer.
        dealer: u16,
        /// The key.
        key: u32,
    },
    /// The same constant term twice; with the proofs valid, both dealers know it.
    #[error(
        "dealer {dealer}, key {key}: the constant term is that of dealer {first_dealer}, key {first_key}"
    )]
    RepeatedConstant {
        /// The dealer of the second occurrence.
        dealer: u16,
        /// Its key.
        key: u32,
        /// The dealer of the first occurrence.
        first_dealer: u16,
        /// Its key.
        first_key: u32,
    },
    /// The contributions to a key cancel.
    #[error("key {key} would be the identity; start a new session")]
    IdentityKey {
        /// The key.
        key: u32,
    },
    /// Two keys of the session would be equal.
    #[error("key {key} would equal key {first}; start a new session")]
    RepeatedKey {
        /// The later key.
        key: u32,
        /// The earlier key.
        first: u32,
    },
    /// A dealer whose package counts sent no shares.
    #[error("dealer {dealer} sent no shares; complain about it")]
    MissingShares {
        /// The dealer.
        dealer: u16,
    },
    /// Shares of a dealer without a package, shares twice, or shares for another validator.
    #[error("shares of dealer {dealer} for validator {receiver} do not belong here: {why}")]
    UnexpectedShares {
        /// The dealer.
        dealer: u16,
        /// The validator they are for.
        receiver: u16,
        /// What is wrong.
        why: &'static str,
    },
    /// A dealer sent too few or too many shares.
    #[error("dealer {dealer} sent {found} shares, the session has {expected} keys; complain about it")]
    ShareCount {
        /// The dealer.
        dealer: u16,
        /// Shares found.
        found: usize,
        /// Keys of the session.
        expected: u32,
    },
    /// A share that does not lie on the polynomial its dealer committed to.
    #[error("dealer {dealer}, key {key}: the share does not match the commitments; complain about it")]
    FalseShare {
        /// The dealer.
        dealer: u16,
        /// The first key with a false share.
        key: u32,
    },
    /// The shares that a validator ends up with are not those of its share keys.
    #[error("the shares of validator {validator} do not match its share keys; they are of another session")]
    HeldShares {
        /// The validator.
        validator: u16,
    },
    /// The threshold crate refused to share a secret.
    #[error("a secret could not be shared: {why}")]
    Sharing {
        /// The crate's words.
        why: String,
    },
}

impl KeyGenError {
    /// The dealer that is to blame, if one is. A missing signature blames whoever brought the package, not the
    /// dealer it names: anybody can write a name on a package.
    pub fn culprit(&self) -> Option<u16> {
        match *self {
            Self::RepeatedDealer { dealer }
            | Self::KeyCount { dealer, .. }
            | Self::CommitmentCount { dealer, .. }
            | Self::Commitment { dealer, .. }
            | Self::Proof { dealer, .. }
            | Self::RepeatedConstant { dealer, .. }
            | Self::MissingShares { dealer }
            | Self::ShareCount { dealer, .. }
            | Self::FalseShare { dealer, .. } => Some(dealer),
            Self::Context { .. }
            | Self::UnknownDealer { .. }
            | Self::DealerKeys { .. }
            | Self::TooFewDealers { .. }
            | Self::Signature { .. }
            | Self::IdentityKey { .. }
            | Self::RepeatedKey { .. }
            | Self::UnexpectedShares { .. }
            | Self::HeldShares { .. }
            | Self::Sharing { .. } => None,
        }
    }
}

/// Public weights that no share can be released or checked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WeightsError {
    /// Not one weight per key.
    #[error("{found} weights for {expected} keys; weights are given for every key, 0 included")]
    Count {
        /// Weights given.
        found: usize,
        /// Keys there are.
        expected: usize,
    },
    /// Nothing would be opened.
    #[error("all weights are zero")]
    AllZero,
}

impl WeightsError {
    /// Checks that there is one weight per key and that one of them is not zero.
    pub(super) fn check(weights: &[i64], keys: usize) -> Result<(), Self> {
        if weights.len() != keys {
            Err(Self::Count { found: weights.len(), expected: keys })
        } else if weights.iter().all(|weight| *weight == 0) {
            Err(Self::AllZero)
        } else {
            Ok(())
        }
    }
}
