//! The proposer: turns what a round waits for into the next transactions.
//!
//! It holds no secret and decides nothing: shares come from the validators, a value is found by a small logarithm and
//! checked by everybody, everything else follows from the state.

use std::collections::BTreeMap;
use std::sync::Arc;
use thiserror::Error;
use veilgrid_crypto::dlog::SmallLog;
use veilgrid_crypto::opening::{OpeningShare, ShareFault, verify_share};
use veilgrid_ledger::refusal::Refusal;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::expected::{Expected, ShareRequest};
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::VerifyAll;

/// A share that does not enter a block.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ShareRefusal {
    /// The round does not wait for a share of this opening (any more). Late shares are no fault.
    #[error("round {round_id} does not wait for shares of opening {opening_index}")]
    NotAwaited {
        /// The round.
        round_id: u64,
        /// The opening.
        opening_index: u32,
    },
    /// The share's proof is false: the validator is named and the opening goes on with the others.
    #[error("round {round_id}, opening {opening_index}: validator {validator} sent a false share ({fault})")]
    False {
        /// The round.
        round_id: u64,
        /// The opening.
        opening_index: u32,
        /// The culprit.
        validator: u16,
        /// What is false.
        fault: ShareFault,
    },
}

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

/// Shares that wait for their block, and the steps of rounds.
#[derive(Default)]
pub struct Proposer {
    shares: BTreeMap<(u64, u32), BTreeMap<u16, OpeningShare>>,
    steps: Steps,
}

impl Proposer {
    /// A proposer without shares.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a validator's share, after checking its proof.
    ///
    /// # Errors
    /// [`ShareRefusal::False`] names a validator whose share is false.
    pub fn offer_share(&mut self, state: &State, share: &Transaction) -> Result<(), ShareRefusal> {
        let Transaction::OpeningShare { round_id, opening_index, share } = share else {
            return Err(ShareRefusal::NotAwaited { round_id: 0, opening_index: 0 });
        };
        let (round_id, opening_index) = (*round_id, *opening_index);
        let request = match state.expected(round_id) {
            Ok(Expected::Shares(request)) if request.context.opening_index == opening_index => request,
            _ => return Err(ShareRefusal::NotAwaited { round_id, opening_index }),
        };
        let ShareRequest { context, weights, r_total, .. } = &*request;
        let keys = state.community().keys().ok_or(ShareRefusal::NotAwaited { round_id, opening_index })?;
        verify_share(context, weights, keys, r_total, share).map_err(|fault| ShareRefusal::False {
            round_id,
            opening_index,
            validator: share.validator,
            fault,
        })?;
        self.shares.entry((round_id, opening_index)).or_default().insert(share.validator, *share);
        Ok(())
    }

    /// The transactions that can follow on `state` for a round that is closed: shares once enough are there, then
    /// the value; the outcome; the settlement; or the voiding. Empty when the round waits for somebody else.
    ///
    /// # Errors
    /// [`ProposerError`], which bids with valid proofs exclude.
    pub fn next_transactions(
        &mut self,
        state: &State,
        round_id: u64,
    ) -> Result<Vec<Transaction>, ProposerError> {
        let mut ahead = state.clone();
        let mut transactions = Vec::new();
        loop {
            let next = self.step(&ahead, round_id)?;
            if next.is_empty() {
                self.shares.retain(|(round, _), _| state.round(*round).is_some());
                return Ok(transactions);
            }
            for transaction in next {
                ahead
                    .apply_transaction(&transaction, &mut VerifyAll)
                    .map_err(|refusal| ProposerError::Refused { round_id, refusal })?;
                transactions.push(transaction);
            }
        }
    }

    fn step(&mut self, state: &State, round_id: u64) -> Result<Vec<Transaction>, ProposerError> {
        Ok(match self.steps.next(state, round_id)? {
            Step::Transactions(transactions) => transactions,
            Step::Shares(request) => self.shares_for(round_id, &request),
            Step::Wait => Vec::new(),
        })
    }

    /// The missing shares when enough of them wait, none otherwise.
    fn shares_for(&self, round_id: u64, request: &ShareRequest) -> Vec<Transaction> {
        let opening_index = request.context.opening_index;
        let Some(waiting) = self.shares.get(&(round_id, opening_index)) else { return Vec::new() };
        let fresh = waiting.values().filter(|share| !request.have.contains(&share.validator));
        let chosen: Vec<Transaction> = fresh
            .take(usize::from(request.missing))
            .map(|share| Transaction::OpeningShare { round_id, opening_index, share: *share })
            .collect();
        if chosen.len() == usize::from(request.missing) { chosen } else { Vec::new() }
    }
}
