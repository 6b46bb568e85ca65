//! What an owner does with its money: it claims, bids and withdraws.

use super::{Opening, Wallet};
use rand_core::CryptoRngCore;
use thiserror::Error;
use veilgrid_crypto::bid::AvailableOpening;
use veilgrid_crypto::money::rest::RestError;
use veilgrid_ledger::money::claims::Claims;
use veilgrid_ledger::money::market::UNITS_PER_CT;
use veilgrid_ledger::money::withdrawal::{Withdrawal, WithdrawalTerms};
use veilgrid_ledger::state::State;

/// Why no withdrawal can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WithdrawError {
    /// The account is not on this ledger.
    #[error("the account is not enrolled on this ledger, or the ledger has no money")]
    NoAccount,
    /// The keys are not there yet.
    #[error("the ledger has no keys yet")]
    NoKeys,
    /// There is not so much.
    #[error("{0}: what is held back for bids is free when their rounds are claimed")]
    Rest(#[from] RestError),
}

impl Wallet {
    /// What a bid in this round may cost at most: the opening of the point in the account's terms. None for a round that is
    /// not open.
    pub fn available(&self, round_id: u64) -> Option<AvailableOpening> {
        Some(self.available_opening(round_id)?.available())
    }

    /// The same as an amount in units.
    pub fn available_units(&self, round_id: u64) -> Option<i128> {
        Some(self.available_opening(round_id)?.units())
    }

    fn available_opening(&self, round_id: u64) -> Option<Opening> {
        Some(self.snapshots.get(&round_id)?.minus(&self.debits))
    }

    /// The claim of a round's fill; none when there is nothing to claim.
    pub fn claim(&self, state: &State, round_id: u64, rng: &mut impl CryptoRngCore) -> Option<Claims> {
        let number = self.number()?;
        let (rules, fill) = state.claimable(round_id, number)?;
        let bid = self.bids.get(&round_id)?;
        let filled = &bid.filled.as_ref()?.wh_q16;
        let r = self.view(round_id).randomness(&bid.salt);
        Some(Claims { round_id, claims: vec![(number, rules.claim(&fill, &r, filled, rng))] })
    }

    /// A withdrawal of what is free.
    ///
    /// # Errors
    /// [`WithdrawError`].
    pub fn withdraw(
        &self,
        state: &State,
        amount_ct: u64,
        reference: [u8; 32],
        rng: &mut impl CryptoRngCore,
    ) -> Result<Withdrawal, WithdrawError> {
        let number = self.number().ok_or(WithdrawError::NoAccount)?;
        let account = state.accounts().and_then(|accounts| accounts.account(number));
        let debit_sequence = account.ok_or(WithdrawError::NoAccount)?.debit_sequence();
        let account_key = state.account_key().ok_or(WithdrawError::NoKeys)?;
        let rest = self.free().minus(&Opening::public(i128::from(amount_ct) * UNITS_PER_CT)).available();
        let terms = WithdrawalTerms { number, debit_sequence, amount_ct, reference };
        let key = self.keyring.account_key(self.key_epoch);
        let ledger_id = state.community().ledger_id();
        Ok(Withdrawal::make(&ledger_id, terms, account_key, &rest, &key, rng)?)
    }
}
