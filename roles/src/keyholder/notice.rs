//! What an operator should hear of. Given out as values, because a role writes no logs.

use thiserror::Error;

/// Something out of the ordinary, once for each occurrence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum Notice {
    /// "A slot is opened for one set of bids." The gravest of all.
    #[error(
        "REFUSED: round {round_id}, opening {opening_index}: the ledger asks for a share over another set of bids of \
         the slot from {slot_start_unix_s} s than the one released before. The ledger has forked or was restored from \
         another history: compare it with the other validators before anything else"
    )]
    SecondBidSet {
        /// Start of the slot, seconds since 1970 UTC.
        slot_start_unix_s: i64,
        /// The round.
        round_id: u64,
        /// The opening.
        opening_index: u32,
    },
    /// "Secrets are used on one ledger."
    #[error("the secrets belong to another ledger and are not used; start with the right key file")]
    OtherLedger,
    /// "Secrets are not used on a ledger that is older than they are."
    #[error("the secrets were changed at height {secrets_height} and wait until the ledger is there again")]
    LedgerBehind {
        /// Height of the secrets.
        secrets_height: u64,
    },
    /// The ledger has an announcement whose key is not here.
    #[error(
        "session {session}: receiver {receiver} has announced a one-time key and does not have it, as after a restored \
         backup; it will have no shares of the session"
    )]
    OneTimeKeyLost {
        /// The session.
        session: u64,
        /// This validator.
        receiver: u16,
    },
    /// The ledger has a package whose shares are not here.
    #[error(
        "session {session}: dealer {dealer} has published a package and does not have its shares, as after a restored \
         backup; it makes no second one"
    )]
    DealingLost {
        /// The session.
        session: u64,
        /// This validator.
        dealer: u16,
    },
    /// This validator can't deal.
    #[error("session {session}: dealer {dealer} does not deal: {why}")]
    NotDealt {
        /// The session.
        session: u64,
        /// This validator.
        dealer: u16,
        /// Why.
        why: String,
    },
    /// Shares that were sealed for this validator are false.
    #[error("session {session}: {fault}")]
    FalseDealer {
        /// The session.
        session: u64,
        /// What is wrong, with the dealer.
        fault: String,
    },
    /// A receiver has complained about this validator; its shares become public.
    #[error("session {session}: dealer {dealer} answers the complaint of receiver {receiver} in public")]
    ComplaintAnswered {
        /// The session.
        session: u64,
        /// This validator.
        dealer: u16,
        /// Who complained.
        receiver: u16,
    },
    /// A session ended in keys without shares for this validator.
    #[error("session {session}: no shares for this validator until the next resharing: {why}")]
    NoShares {
        /// The session.
        session: u64,
        /// Why.
        why: String,
    },
    /// A session ended without keys.
    #[error("session {session}: {why}; what this validator had of it is erased")]
    Aborted {
        /// The session.
        session: u64,
        /// Why.
        why: String,
    },
    /// New shares open from now on; the old ones are erased.
    #[error("the key shares of session {session} are in force; older ones are erased")]
    InForce {
        /// The session.
        session: u64,
    },
    /// Shares of another session are in force, and this validator has none of them.
    #[error(
        "the key shares of session {session} are erased: those of session {in_force} are in force, and this validator \
         has none until the next resharing"
    )]
    Outdated {
        /// The session of the erased shares.
        session: u64,
        /// The session in force.
        in_force: u64,
    },
    /// Shares that were agreed on and never came into force.
    #[error("the key shares of session {session} never came in force and are erased")]
    NeverInForce {
        /// The session.
        session: u64,
    },
    /// A share that the ledger asks for could not be made.
    #[error("round {round_id}, opening {opening_index}: no share: {why}")]
    NotReleased {
        /// The round.
        round_id: u64,
        /// The opening.
        opening_index: u32,
        /// Why.
        why: String,
    },
}

impl Notice {
    /// Whether an operator has to act at once: histories differ, or secrets do not belong here.
    pub fn is_alarm(&self) -> bool {
        matches!(self, Self::SecondBidSet { .. } | Self::OtherLedger | Self::NotReleased { .. })
    }
}
