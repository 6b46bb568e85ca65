//! Shares that wait for their block, and what follows from them: a pool for one opening at a time.

use std::collections::BTreeMap;
use thiserror::Error;
use veilgrid_crypto::opening::{OpeningShare, ShareFault, verify_share};
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::expected::{Expected, ShareRequest};
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::VerifyAll;
use veilgrid_roles::proposer::{ProposerError, Step, Steps};

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
    pub fn offer_share(
        &mut self,
        state: &State,
        round_id: u64,
        opening_index: u32,
        share: OpeningShare,
    ) -> Result<(), ShareRefusal> {
        let request = match state.expected(round_id) {
            Ok(Expected::Shares(request)) if request.context.opening_index == opening_index => request,
            _ => return Err(ShareRefusal::NotAwaited { round_id, opening_index }),
        };
        let ShareRequest { context, weights, r_total, .. } = &*request;
        let keys = state.community().keys().ok_or(ShareRefusal::NotAwaited { round_id, opening_index })?;
        verify_share(context, weights, keys, r_total, &share).map_err(|fault| ShareRefusal::False {
            round_id,
            opening_index,
            validator: share.validator,
            fault,
        })?;
        self.shares.entry((round_id, opening_index)).or_default().insert(share.validator, share);
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
