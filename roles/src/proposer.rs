//! The proposer: turns what a round waits for into the next transactions.
//!
//! It holds no secret and decides nothing: shares come from the validators, a value is found by a small logarithm and
//! checked by everybody, everything else follows from the state.

use std::sync::Arc;
use thiserror::Error;
use veilgrid_crypto::dlog::SmallLog;
use veilgrid_ledger::refusal::Refusal;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::expected::{Expected, ShareRequest};
use veilgrid_ledger::transaction::Transaction;

/// The proposer can't go on.
#[derive(Debug, Error)]
pub enum ProposerError {
    /// The opened point holds no value within the market's bound, which the bids' proofs exclude.
    #[error("round {round_id}: an opened sum has no value within ±{bound_wh} Wh")]
    NoValue {
        /// The round.
        round_id: u64,
        /// The bound.
        bound_wh: u64,
    },
    /// The state refuses what it asked for.
    #[error("round {round_id}: {refusal}")]
    Refused {
        /// The round.
        round_id: u64,
        /// The rule.
        refusal: Refusal,
    },
}

/// What a round that is closed waits for.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Transactions that follow from the state alone.
    Transactions(Vec<Transaction>),
    /// Shares of validators.
    Shares(Box<ShareRequest>),
    /// Nothing that a proposer can do.
    Wait,
}

/// The steps of rounds, with the table of small logarithms that finds opened values.
#[derive(Default)]
pub struct Steps {
    log: Option<Arc<SmallLog>>,
}

impl Steps {
    /// Uses a table that was built elsewhere; one that is too small for a round is replaced.
    pub fn use_log(&mut self, log: Arc<SmallLog>) {
        self.log = Some(log);
    }

    /// The next step of a round on `state`: the value of an opening, the outcome, the settlement, the voiding, or the
    /// shares that are to be found elsewhere.
    ///
    /// # Errors
    /// [`ProposerError`], which bids with valid proofs exclude.
    pub fn next(&mut self, state: &State, round_id: u64) -> Result<Step, ProposerError> {
        let refused = |refusal| ProposerError::Refused { round_id, refusal };
        Ok(match state.expected(round_id).map_err(refused)? {
            Expected::Shares(request) => Step::Shares(request),
            Expected::Value { opening_index, opened, bound_wh, .. } => {
                let value_wh =
                    self.log(bound_wh).solve(&opened).ok_or(ProposerError::NoValue { round_id, bound_wh })?;
                Step::Transactions(vec![Transaction::OpenedValue { round_id, opening_index, value_wh }])
            }
            Expected::Clear { outcome } => Step::Transactions(vec![Transaction::Clear { round_id, outcome }]),
            Expected::Settle { .. } => match state.settlement_points(round_id) {
                Some(points) => Step::Transactions(vec![Transaction::Settle { round_id, points }]),
                None => Step::Wait,
            },
            Expected::Void { reason } => Step::Transactions(vec![Transaction::Void { round_id, reason }]),
            Expected::NotOpened | Expected::Bids { .. } | Expected::Done => Step::Wait,
        })
    }

    /// The table for values up to `bound_wh`, built again only when the bound grows.
    fn log(&mut self, bound_wh: u64) -> &SmallLog {
        let enough = self.log.as_ref().is_some_and(|log| log.bound() >= bound_wh);
        if !enough {
            self.log = None;
        }
        self.log.get_or_insert_with(|| Arc::new(SmallLog::new(bound_wh)))
    }
}
