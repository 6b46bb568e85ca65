//! What a round waits for. A proposer builds the next transaction from it, and a validator releases a share only for
//! the sum that it names.

use super::round::Stage;
use crate::members::order::AccountNumber;
use crate::refusal::{Refusal, Waits};
use crate::state::State;
use crate::transaction::VoidReason;
use curve25519_dalek::ristretto::RistrettoPoint;
use veilgrid_crypto::opening::OpeningContext;
use veilgrid_market::{Outcome, SumRequest};

/// The next step of a round.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// The round was not opened.
    NotOpened,
    /// Bids, or the close.
    Bids {
        /// Bids so far.
        have: u64,
    },
    /// The voiding.
    Void {
        /// The reason to give.
        reason: VoidReason,
    },
    /// Shares of a sum.
    Shares(Box<ShareRequest>),
    /// The value of the sum whose shares are there.
    Value {
        /// Which sum.
        request: SumRequest,
        /// Number of the opening.
        opening_index: u32,
        /// value·V: whoever finds the value publishes it.
        opened: RistrettoPoint,
        /// The value is between −bound and +bound.
        bound_wh: u64,
    },
    /// The outcome.
    Clear {
        /// The only outcome that is accepted.
        outcome: Outcome,
    },
    /// The settlement points ([`State::settlement_points`]).
    Settle {
        /// The outcome that they follow from.
        outcome: Outcome,
    },
    /// Nothing: the round is finished.
    Done,
}

/// What shares are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opens {
    /// A sum of the round.
    Sum(SumRequest),
    /// The claim of an account's fill. Nothing is opened by it.
    Claim(AccountNumber),
}

/// Everything that a validator needs to release its share of the sum that the ledger asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct ShareRequest {
    /// What they are for.
    pub opens: Opens,
    /// Ledger, round, number of the opening, digest of the frozen set of bids.
    pub context: OpeningContext,
    /// One weight per key: of the steps and, with money, of balances.
    pub weights: Vec<i64>,
    /// R_tot of the round; for a claim R of the bid.
    pub r_total: RistrettoPoint,
    /// Validators whose shares are in.
    pub have: Vec<u16>,
    /// Shares that are missing.
    pub missing: u16,
}

impl State {
    /// What a round waits for.
    ///
    /// A round id that was skipped is as done as a finished round.
    ///
    /// # Errors
    /// [`RoundRefusal::NotCombined`](crate::rounds::refusal::RoundRefusal::NotCombined) when verified shares do not combine,
    /// which their proofs exclude.
    pub fn expected(&self, round_id: u64) -> Result<Expected, Refusal> {
        let Some(round) = self.round(round_id) else {
            let known = self.last_round_id().is_some_and(|last| round_id <= last);
            return Ok(if known { Expected::Done } else { Expected::NotOpened });
        };
        let threshold = self.community().threshold();
        Ok(match &round.stage {
            Stage::Bidding => Expected::Bids { have: round.tally.count() },
            Stage::TooFewBids => Expected::Void { reason: VoidReason::TooFewBids },
            Stage::Opening(_) if self.is_past_deadline(round_id) => {
                Expected::Void { reason: VoidReason::OpeningDeadline }
            }
            Stage::Opening(opening) if round.waits(threshold) == Waits::Shares => {
                let have: Vec<u16> = opening.shares.iter().map(|(share, _)| share.validator).collect();
                let missing = threshold.saturating_sub(u16::try_from(have.len()).unwrap_or(u16::MAX));
                Expected::Shares(Box::new(ShareRequest {
                    opens: Opens::Sum(opening.request),
                    context: self.opening_context(round, opening),
                    weights: opening.weights.clone(),
                    r_total: round.tally.r_total(),
                    have,
                    missing,
                }))
            }
            Stage::Opening(opening) => Expected::Value {
                request: opening.request,
                opening_index: opening.index,
                opened: self.opened_point(round, opening)?,
                bound_wh: self.value_bound_wh(round),
            },
            Stage::Clearing(outcome) => Expected::Clear { outcome: *outcome },
            Stage::Settling(outcome) => Expected::Settle { outcome: *outcome },
        })
    }
}
