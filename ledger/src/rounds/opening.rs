//! The second stage: the sums on the clearing path are opened, one after another.

use super::round::{OpenedSum, Opening, Round, Stage};
use crate::money::forced::FORCED_CLAIMS;
use crate::refusal::{Refusal, Waits};
use crate::rounds::refusal::RoundRefusal;
use crate::state::effects::Effect;
use crate::state::{State, out_of_order};
use crate::transaction::TransactionKind;
use curve25519_dalek::ristretto::RistrettoPoint;
use veilgrid_crypto::opening::{
    OpeningContext, OpeningShare, VerifiedShare, check_value, combine, verify_share,
};
use veilgrid_market::{MAX_OPENED_WH, Next, next_step};

impl State {
    /// The stage that follows when these values are open: the next opening, or clearing.
    ///
    /// # Errors
    /// [`RoundRefusal::ValueImpossible`], which the bids' range proofs exclude for true values.
    pub(crate) fn stage_after(&self, round: &Round, opened_wh: &[i64]) -> Result<Stage, Refusal> {
        let params = self.community.params();
        let index = u32::try_from(opened_wh.len()).unwrap_or(u32::MAX);
        let impossible = |fault| {
            Refusal::Rounds(RoundRefusal::ValueImpossible {
                round: round.round_id,
                opening: index.saturating_sub(1),
                fault,
            })
        };
        Ok(match next_step(&params.grid, params.rule, params.open_volume, opened_wh).map_err(impossible)? {
            Next::Open(request) => {
                let weights = request.weights(&params.grid);
                Stage::Opening(Box::new(Opening::new(round, index, request, weights, params.key_count())))
            }
            Next::Done(outcome) => Stage::Clearing(outcome),
        })
    }

    /// The context that shares of an opening are bound to: ledger, round, number, and the frozen set of bids.
    pub(crate) fn opening_context(&self, round: &Round, opening: &Opening) -> OpeningContext {
        OpeningContext {
            ledger_id: self.community.ledger_id(),
            round_id: round.round_id,
            opening_index: opening.index,
            bid_set: round.tally.bid_set(),
        }
    }

    pub(crate) fn take_share(
        &mut self,
        round_id: u64,
        index: u32,
        share: &OpeningShare,
    ) -> Result<Effect, Refusal> {
        if index >= FORCED_CLAIMS {
            return self.take_claim_share(round_id, index, share);
        }
        let round = self.active(round_id)?;
        let opening = self.due_opening(round, index, TransactionKind::OpeningShare)?;
        let validator = share.validator;
        // "Only validators of the roster release shares."
        if validator == 0 || validator > self.community.validators() {
            return Err(Refusal::Rounds(RoundRefusal::UnknownValidator {
                round: round_id,
                opening: index,
                validator,
            }));
        }
        // "One share a validator and opening."
        if opening.shares.iter().any(|(other, _)| other.validator == validator) {
            return Err(Refusal::Rounds(RoundRefusal::SecondShare {
                round: round_id,
                opening: index,
                validator,
            }));
        }
        // "A round's transactions come in the order of its life": t shares open a sum, and a ledger with more would
        // be another ledger with the same content.
        if round.waits(self.community.threshold()) != Waits::Shares {
            return Err(out_of_order(round, self.community.threshold(), TransactionKind::OpeningShare));
        }
        let verified = self.verified_share(round, opening, share)?;
        let share = *share;
        let time_unix_ms = self.time_unix_ms;
        let round = self.active_mut(round_id)?;
        round.progress_ms = time_unix_ms;
        if let Stage::Opening(opening) = &mut round.stage {
            opening.shares.push((share, verified));
        }
        Ok(Effect::ShareAccepted { round_id, opening_index: index, validator })
    }

    /// "A share is proved to be the validator's share of this sum."
    pub(crate) fn verified_share(
        &self,
        round: &Round,
        opening: &Opening,
        share: &OpeningShare,
    ) -> Result<VerifiedShare, Refusal> {
        let context = self.opening_context(round, opening);
        let keys =
            self.community.keys().ok_or(Refusal::Rounds(RoundRefusal::NoKeys { round: round.round_id }))?;
        let r_total = round.tally.r_total();
        verify_share(&context, &opening.weights, keys, &r_total, share).map_err(|fault| {
            Refusal::Rounds(RoundRefusal::ShareInvalid {
                round: round.round_id,
                opening: opening.index,
                fault,
            })
        })
    }

    pub(crate) fn take_value(&mut self, round_id: u64, index: u32, value_wh: i64) -> Result<Effect, Refusal> {
        let round = self.active(round_id)?;
        let opening = self.due_opening(round, index, TransactionKind::OpenedValue)?;
        if round.waits(self.community.threshold()) != Waits::Value {
            return Err(out_of_order(round, self.community.threshold(), TransactionKind::OpenedValue));
        }
        // "An opened value is within what the bids can sum up to."
        let bound_wh = self.value_bound_wh(round);
        if value_wh.unsigned_abs() > bound_wh {
            return Err(Refusal::Rounds(RoundRefusal::ValueOutOfBounds {
                round: round_id,
                opening: index,
                value_wh,
                bound_wh,
            }));
        }
        // "An opened value is what the shares open."
        if !check_value(&self.opened_point(round, opening)?, value_wh) {
            return Err(Refusal::Rounds(RoundRefusal::ValueWrong {
                round: round_id,
                opening: index,
                value_wh,
            }));
        }
        let request = opening.request;
        let mut opened_wh = round.opened_wh();
        opened_wh.push(value_wh);
        let stage = self.stage_after(round, &opened_wh)?;
        let time_unix_ms = self.time_unix_ms;
        let round = self.active_mut(round_id)?;
        round.progress_ms = time_unix_ms;
        round.opened.push(OpenedSum { request, value_wh });
        round.stage = stage;
        Ok(Effect::ValueOpened { round_id, opening_index: index, request, value_wh })
    }

    /// Bids times steps of a side times the largest quantity, and never beyond the table of small logarithms.
    pub(crate) fn value_bound_wh(&self, round: &Round) -> u64 {
        let params = self.community.params();
        let largest_wh = (1u64 << params.bits) - 1;
        round
            .tally
            .count()
            .checked_mul(u64::from(params.grid.ticks()))
            .and_then(|quantities| quantities.checked_mul(largest_wh))
            .map_or(MAX_OPENED_WH.unsigned_abs(), |bound| bound.min(MAX_OPENED_WH.unsigned_abs()))
    }

    /// The point value·V that the shares of an opening combine to.
    pub(crate) fn opened_point(&self, round: &Round, opening: &Opening) -> Result<RistrettoPoint, Refusal> {
        let shares: Vec<VerifiedShare> = opening.shares.iter().map(|(_, share)| *share).collect();
        let keys =
            self.community.keys().ok_or(Refusal::Rounds(RoundRefusal::NoKeys { round: round.round_id }))?;
        combine(keys, &shares, &opening.c_sum).map_err(|fault| {
            Refusal::Rounds(RoundRefusal::NotCombined {
                round: round.round_id,
                opening: opening.index,
                fault,
            })
        })
    }

    /// "Shares and values are for the opening that is next."
    fn due_opening<'a>(
        &self,
        round: &'a Round,
        index: u32,
        kind: TransactionKind,
    ) -> Result<&'a Opening, Refusal> {
        let Stage::Opening(opening) = &round.stage else {
            return Err(out_of_order(round, self.community.threshold(), kind));
        };
        if opening.index != index {
            let (found, expected) = (index, opening.index);
            return Err(Refusal::Rounds(RoundRefusal::WrongOpening {
                round: round.round_id,
                found,
                expected,
            }));
        }
        // "After its deadline nothing of a round is opened."
        if self.is_past_deadline(round.round_id) {
            return Err(Refusal::Rounds(RoundRefusal::DeadlinePassed { round: round.round_id }));
        }
        Ok(opening)
    }
}
