//! Why a bid gets no receipt.

use super::quota::{MAX_FAILED_PROOFS, MAX_WAITING_PER_ACCOUNT};
use thiserror::Error;
use veilgrid_crypto::bid::BidFault;
use veilgrid_crypto::envelope::EnvelopeError;
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::wire::WireError;
use veilgrid_ledger::refusal::Refusal;

/// Why a bid gets no receipt: one variant per rule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IntakeError {
    /// "All envelopes of a market have one length."
    #[error(
        "the envelope has {found} bytes, all of this market have {expected}: check the market's parameters"
    )]
    Size {
        /// Bytes that came.
        found: usize,
        /// Bytes of an envelope.
        expected: usize,
    },
    /// The envelope does not open.
    #[error("envelope: {0}")]
    Envelope(#[from] EnvelopeError),
    /// What was in it is no bid of this market.
    #[error("bid: {0}")]
    Malformed(#[from] WireError),
    /// Envelope and bid name different rounds.
    #[error("the envelope is for round {envelope}, the bid in it for round {bid}")]
    RoundMismatch {
        /// Round on the envelope.
        envelope: u64,
        /// Round in the bid.
        bid: u64,
    },
    /// The keys that bids are sealed to are still being generated over the ledger.
    #[error("the market's keys are not generated yet: no round is open, bid when the first one opens")]
    KeysNotReady,
    /// The round has not come yet.
    #[error("round {round_id} is not open yet: send the bid again when it is")]
    NotYetOpen {
        /// The round.
        round_id: u64,
    },
    /// The round's bidding has ended.
    #[error("round {round_id} takes no bids any more: its bidding has ended")]
    NotOpen {
        /// The round.
        round_id: u64,
    },
    /// The round's bidding ends so soon that a promise might not be kept.
    #[error(
        "round {round_id} takes no bids any more: promises end {early_ms} ms before its close, twice the allowed skew of \
         clocks; bid in the next round, and before that time"
    )]
    TooLate {
        /// The round.
        round_id: u64,
        /// From the last promise to the close, milliseconds.
        early_ms: u64,
    },
    /// A rule of the ledger about who may bid: membership, one bid per account and round, no R twice. By this node's promises
    /// too.
    #[error("{0}")]
    Ledger(Box<Refusal>),
    /// "At most two different bids of an account wait for their verdict."
    #[error(
        "{MAX_WAITING_PER_ACCOUNT} other bids of account {} wait for their verdict: send this one later",
        hex8(.account)
    )]
    TooManyWaiting {
        /// The account.
        account: PointBytes,
    },
    /// "An account may fail the proof three times per round."
    #[error(
        "account {} has sent {MAX_FAILED_PROOFS} false proofs in round {round_id}: no further bid of it is looked at",
        hex8(.account)
    )]
    QuotaExhausted {
        /// The account.
        account: PointBytes,
        /// The round.
        round_id: u64,
    },
    /// Proof or signature is false.
    #[error("{0}")]
    Fault(#[from] BidFault),
    /// No number is left for a receipt: 2^64 were signed, or the number that the intake began with was wrong.
    #[error("this node has no numbers left for receipts: its journal names an impossible one")]
    NumbersExhausted,
}

impl From<Refusal> for IntakeError {
    fn from(refusal: Refusal) -> Self {
        Self::Ledger(Box::new(refusal))
    }
}

/// The first bytes of an account, enough to tell members apart.
fn hex8(account: &PointBytes) -> String {
    account.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
