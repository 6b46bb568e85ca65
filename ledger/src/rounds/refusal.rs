//! Why a transaction about a round is refused: one variant per rule, with the place and the culprit.

use crate::transaction::TransactionKind;
use core::fmt;
use thiserror::Error;
use veilgrid_crypto::bid::BidFault;
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::opening::{CombineError, ShareFault};
use veilgrid_market::ClearingError;

/// An account key in messages: the first bytes are enough to find it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account(pub PointBytes);

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..8].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({self})")
    }
}

/// What a round waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// Bids or the close.
    Bids,
    /// To be voided: too few bids came.
    Void,
    /// Shares of the next sum.
    Shares,
    /// The value of the sum whose shares are there.
    Value,
    /// The outcome.
    Clear,
    /// The settlement points.
    Settle,
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bids => "bids or the close",
            Self::Void => "being voided",
            Self::Shares => "opening shares",
            Self::Value => "an opened value",
            Self::Clear => "its outcome",
            Self::Settle => "its settlement",
        })
    }
}

/// A rule about rounds that a transaction breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RoundRefusal {
    /// Structural: "A slot has the market's length and its end is an instant."
    #[error(
        "round {round}: slot at {start_unix_s} s of {seconds} s; the market's slots last {market_seconds} s"
    )]
    Slot {
        /// The round.
        round: u64,
        /// Start of the slot, Unix seconds.
        start_unix_s: i64,
        /// Stated length in seconds.
        seconds: u32,
        /// The market's length in seconds.
        market_seconds: u32,
    },
    /// Structural: "A bids transaction holds at least one bid."
    #[error("round {round}: a bids transaction without bids")]
    NoBids {
        /// The round.
        round: u64,
    },
    /// Structural: "All bids of a transaction are for its round."
    #[error("round {round}: the bid of account {account} is for round {bid_round}")]
    BidOfOtherRound {
        /// The transaction's round.
        round: u64,
        /// The round in the bid.
        bid_round: u64,
        /// The bidder.
        account: Account,
    },
    /// Semantic: "Proof and signature of a bid hold for this ledger, epoch and round."
    #[error("round {round}: the bid of account {account} is invalid: {fault}")]
    BidInvalid {
        /// The round.
        round: u64,
        /// The bidder.
        account: Account,
        /// What is wrong with it.
        fault: BidFault,
    },
    /// The same, found before a vote: there nobody looks for the bid that is false.
    #[error("round {round}: of {count} bids of a transaction at least one is invalid")]
    BidsInvalid {
        /// The round.
        round: u64,
        /// Bids of the transaction.
        count: usize,
    },
    /// Contextual: "Round ids rise strictly."
    #[error("round {round} can't be opened: ids rise, the last was {last}")]
    RoundIdNotRising {
        /// The refused id.
        round: u64,
        /// The last id.
        last: u64,
    },
    /// Contextual: "A slot is not bid for again while a round for it is active or once one was cleared", because two
    /// overlapping sets of bids would reveal their difference.
    #[error("round {round}: its slot overlaps a slot that is active or was cleared")]
    SlotTaken {
        /// The refused round.
        round: u64,
    },
    /// Contextual: "At most MAX_ACTIVE_ROUNDS rounds are active."
    #[error("round {round}: {active} rounds are active, finish one first")]
    TooManyRounds {
        /// The refused round.
        round: u64,
        /// Active rounds.
        active: usize,
    },
    /// Contextual: "A transaction is about an active round."
    #[error("round {round} is not active: it was never opened or is finished")]
    RoundNotActive {
        /// The round.
        round: u64,
    },
    /// Contextual: "A round's transactions come in the order of its life."
    #[error("round {round} waits for {waits}, not for a transaction of kind {found}")]
    OutOfOrder {
        /// The round.
        round: u64,
        /// What it waits for.
        waits: Waits,
        /// What came.
        found: TransactionKind,
    },
    /// Contextual: "Only members bid."
    #[error("round {round}: account {account} is not a member")]
    NotAMember {
        /// The round.
        round: u64,
        /// The stranger.
        account: Account,
    },
    /// Contextual: "Who has left does not bid."
    #[error("round {round}: account {account} has left the community")]
    HasLeft {
        /// The round.
        round: u64,
        /// The former member.
        account: Account,
    },
    /// Contextual: "Who is suspended does not bid."
    #[error("round {round}: account {account} is suspended")]
    Suspended {
        /// The round.
        round: u64,
        /// The member.
        account: Account,
    },
    /// Contextual: "A member bids for slots that its certificate covers."
    #[error("round {round}: the certificate of account {account} does not cover the round's slot")]
    CertificateDates {
        /// The round.
        round: u64,
        /// The member.
        account: Account,
    },
    /// Contextual: "Who may bid is fixed when the round opens."
    #[error(
        "round {round}: account {account} was not among those who may bid when the round opened; the next round is its first"
    )]
    JoinedLater {
        /// The round.
        round: u64,
        /// The member.
        account: Account,
    },
    /// Contextual: "One bid per account and round."
    #[error("round {round}: account {account} has bid already, and a bid can't be replaced")]
    SecondBid {
        /// The round.
        round: u64,
        /// The bidder.
        account: Account,
    },
    /// Contextual: "No R occurs twice in a round."
    #[error("round {round}: the bid of account {account} repeats the R of account {first}")]
    HandleRepeated {
        /// The round.
        round: u64,
        /// The later bidder.
        account: Account,
        /// Whose R it is.
        first: Account,
    },
    /// Contextual: "Shares and values are for the opening that is next."
    #[error("round {round}: opening {found}, but opening {expected} is next")]
    WrongOpening {
        /// The round.
        round: u64,
        /// The opening named.
        found: u32,
        /// The opening that is due.
        expected: u32,
    },
    /// Contextual: "Only validators of the roster release shares."
    #[error("round {round}, opening {opening}: there is no validator {validator}")]
    UnknownValidator {
        /// The round.
        round: u64,
        /// The opening.
        opening: u32,
        /// The unknown index.
        validator: u16,
    },
    /// Contextual: "One share a validator and opening."
    #[error("round {round}, opening {opening}: validator {validator} has given its share already")]
    SecondShare {
        /// The round.
        round: u64,
        /// The opening.
        opening: u32,
        /// The validator.
        validator: u16,
    },
    /// Semantic, against the round's tally: "A share is proved to be the validator's share of this sum."
    #[error("round {round}, opening {opening}: {fault}")]
    ShareInvalid {
        /// The round.
        round: u64,
        /// The opening.
        opening: u32,
        /// What is wrong, with the validator.
        fault: ShareFault,
    },
    /// Contextual: "The shares of an opening combine."
    #[error("round {round}, opening {opening}: {fault}")]
    NotCombined {
        /// The round.
        round: u64,
        /// The opening.
        opening: u32,
        /// Why.
        fault: CombineError,
    },
    /// Contextual: "An opened value is within what the bids can sum up to."
    #[error("round {round}, opening {opening}: {value_wh} Wh is beyond ±{bound_wh} Wh")]
    ValueOutOfBounds {
        /// The round.
        round: u64,
        /// The opening.
        opening: u32,
        /// The stated value.
        value_wh: i64,
        /// Bids times steps of a side times the largest quantity.
        bound_wh: u64,
    },
    /// Contextual: "An opened value is what the shares open."
    #[error("round {round}, opening {opening}: the shares do not open to {value_wh} Wh")]
    ValueWrong {
        /// The round.
        round: u64,
        /// The opening.
        opening: u32,
        /// The stated value.
        value_wh: i64,
    },
    /// Contextual: "Opened values are those of a book." Proofs exclude that it fails; the search checks it again.
    #[error("round {round}, opening {opening}: {fault}")]
    ValueImpossible {
        /// The round.
        round: u64,
        /// The opening.
        opening: u32,
        /// What the search says.
        fault: ClearingError,
    },
    /// Contextual: "The outcome is the one that the opened values imply."
    #[error("round {round}: the outcome is not the one that the opened values imply")]
    WrongOutcome {
        /// The round.
        round: u64,
    },
    /// Contextual: "There is one settlement point per bid."
    #[error("round {round}: {found} settlement points for {bids} bids")]
    SettlementCount {
        /// The round.
        round: u64,
        /// Points that came.
        found: usize,
        /// Bids of the round.
        bids: usize,
    },
    /// Contextual: "A settlement point is the fill weights applied to the bid."
    #[error("round {round}: the settlement point of account {account} is not its fill")]
    SettlementPoint {
        /// The round.
        round: u64,
        /// Whose fill was changed.
        account: Account,
    },
    /// Contextual: "Rounds need threshold keys."
    #[error("round {round}: there are no threshold keys yet")]
    NoKeys {
        /// The round.
        round: u64,
    },
    /// Contextual: "A round is opened and closed at its time."
    #[error("round {round}: {what} is not due at block time {time_ms} ms")]
    NotDue {
        /// The round.
        round: u64,
        /// What came too early or too late.
        what: &'static str,
        /// The block's time, Unix milliseconds.
        time_ms: u64,
    },
    /// Contextual: "After its deadline nothing of a round is opened."
    #[error("round {round}: the deadline for opening its sums has passed")]
    DeadlinePassed {
        /// The round.
        round: u64,
    },
}
