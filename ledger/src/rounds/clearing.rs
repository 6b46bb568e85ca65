//! The last stages: the outcome that the opened values imply, and everybody's settlement points.

use super::round::{Round, Stage};
use crate::refusal::{Account, Refusal};
use crate::rounds::refusal::RoundRefusal;
use crate::state::effects::{Effect, SettledBid, SettledRound};
use crate::state::{State, out_of_order};
use crate::transaction::TransactionKind;
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::tally::settlement_point;
use veilgrid_market::{Outcome, fill_weights};

impl State {
    pub(crate) fn clear(&mut self, round_id: u64, outcome: &Outcome) -> Result<Effect, Refusal> {
        let round = self.active(round_id)?;
        let Stage::Clearing(expected) = &round.stage else {
            return Err(out_of_order(round, self.community.threshold(), TransactionKind::Clear));
        };
        // "The outcome is the one that the opened values imply."
        if outcome != expected {
            return Err(Refusal::Rounds(RoundRefusal::WrongOutcome { round: round_id }));
        }
        let stage = Stage::Settling(*expected);
        self.active_mut(round_id)?.stage = stage;
        Ok(Effect::Cleared { round_id, outcome: *outcome })
    }

    pub(crate) fn settle(&mut self, round_id: u64, points: &[PointBytes]) -> Result<Effect, Refusal> {
        let round = self.active(round_id)?;
        let Stage::Settling(outcome) = &round.stage else {
            return Err(out_of_order(round, self.community.threshold(), TransactionKind::Settle));
        };
        // "There is one settlement point per bid."
        let bids = round.bids.len();
        if points.len() != bids {
            return Err(Refusal::Rounds(RoundRefusal::SettlementCount {
                round: round_id,
                found: points.len(),
                bids,
            }));
        }
        // "A settlement point is the fill weights applied to the bid."
        let expected = self.points_of(round, outcome);
        if let Some(wrong) = (0..bids).find(|i| points[*i] != expected[*i]) {
            let account = Account(round.bids[wrong].account());
            return Err(Refusal::Rounds(RoundRefusal::SettlementPoint { round: round_id, account }));
        }
        let (round, outcome) = (round.clone(), *outcome);
        self.settle_money(&round, &outcome);
        let settled = settled_round(&round, outcome, expected);
        self.finish_round(&round, points.as_flattened());
        // A checkpoint of a false ledger may say any number.
        self.finished.settled = self.finished.settled.saturating_add(1);
        self.cleared_until_unix_s = self.cleared_until_unix_s.max(round.slot.end_unix_s());
        Ok(Effect::Settled(settled))
    }

    /// The settlement points of a round that waits for its settlement, in bid order: what a proposer puts into
    /// [`Transaction::Settle`](crate::transaction::Transaction::Settle).
    pub fn settlement_points(&self, round_id: u64) -> Option<Vec<PointBytes>> {
        let round = self.round(round_id)?;
        round.outcome().map(|outcome| self.points_of(round, outcome))
    }

    fn points_of(&self, round: &Round, outcome: &Outcome) -> Vec<PointBytes> {
        let weights = fill_weights(&self.community.params().grid, outcome);
        round.bids().map(|bid| settlement_point(bid, &weights)).collect()
    }
}

fn settled_round(round: &Round, outcome: Outcome, points: Vec<PointBytes>) -> SettledRound {
    let bids = round
        .bids()
        .zip(points)
        .map(|(bid, settlement_point)| SettledBid {
            account: bid.account(),
            bid_digest: bid.digest(),
            r: bid.r_bytes(),
            settlement_point,
        })
        .collect();
    SettledRound { round_id: round.round_id, slot: round.slot, opened: round.opened.clone(), outcome, bids }
}
