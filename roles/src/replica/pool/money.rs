//! What waits of money: orders of the treasury, withdrawals, claims. They lie among the events, each after all its checks.

use super::events::{EventPool, MAX_ORDERS, MAX_PER_NUMBER, Of};
use crate::replica::error::{OfferRefusal, Offered};
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::money::claims::Claims;
use veilgrid_ledger::money::refusal::MoneyRefusal;
use veilgrid_ledger::money::treasury::TreasuryOrder;
use veilgrid_ledger::money::withdrawal::Withdrawal;
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::Transaction;

/// Most claims that are taken from outside at once. Nobody signs them, so that whoever sends false ones has a validator check
/// each; members send one a round.
pub(in crate::replica) const MAX_CLAIMS_AT_ONCE: usize = 16;

impl EventPool {
    /// Takes an order of the treasury: the next one after all checks; a later one, which waits for those before it, by its
    /// signature.
    ///
    /// # Errors
    /// Not the treasury's, refused by the ledger, or no room.
    pub(in crate::replica) fn offer_treasury_order(
        &mut self,
        state: &State,
        order: &TreasuryOrder,
    ) -> Result<(Hash, Offered), OfferRefusal> {
        let transaction = Transaction::Treasury(Box::new(order.clone()));
        let digest = transaction.digest();
        if self.get(&digest).is_some() {
            return Ok((digest, Offered::Known));
        }
        let accounts = state.accounts().ok_or(MoneyRefusal::NoMoney)?;
        let key = state.community().treasury_key().ok_or(MoneyRefusal::NoMoney)?;
        let (found, expected) = (order.sequence, accounts.treasury_sequence());
        if !(expected..expected.saturating_add(MAX_ORDERS as u64)).contains(&found) {
            return Err(MoneyRefusal::Sequence { found, expected }.into());
        }
        if found == expected {
            state.check_treasury_order(order)?;
        } else {
            order.verify(&state.community().ledger_id(), key)?;
        }
        let full = self.count(|of| matches!(of, Of::Treasury(_))) >= MAX_ORDERS;
        if full || self.count(|of| of == Of::Treasury(found)) >= MAX_PER_NUMBER {
            return Err(self.full());
        }
        self.insert(digest, transaction, Of::Treasury(found))
    }

    /// Takes a withdrawal.
    ///
    /// # Errors
    /// Refused by the ledger, or others of the account wait.
    pub(in crate::replica) fn offer_withdrawal(
        &mut self,
        state: &State,
        withdrawal: &Withdrawal,
    ) -> Result<(Hash, Offered), OfferRefusal> {
        let transaction = Transaction::Withdraw(Box::new(withdrawal.clone()));
        let digest = transaction.digest();
        if self.get(&digest).is_some() {
            return Ok((digest, Offered::Known));
        }
        state.check_withdrawal(withdrawal)?;
        let of = Of::Withdrawal(withdrawal.terms.number);
        if self.count(|other| other == of) >= MAX_PER_NUMBER {
            return Err(self.full());
        }
        self.insert(digest, transaction, of)
    }

    /// Takes the claims of a round, each for itself: who proposes a block puts those that wait together. A second claim of a
    /// fill says the same as the first and is known.
    ///
    /// # Errors
    /// The first that is refused by the ledger, or no room; those before it are taken.
    pub(in crate::replica) fn offer_claims(
        &mut self,
        state: &State,
        claims: &Claims,
    ) -> Result<Vec<(Hash, Offered)>, OfferRefusal> {
        let found = claims.claims.len();
        if found > MAX_CLAIMS_AT_ONCE {
            return Err(OfferRefusal::ManyClaims { found });
        }
        state.check_claims(claims)?;
        let round_id = claims.round_id;
        let offer = |(number, claim): &(u32, _)| {
            let single = Claims { round_id, claims: vec![(*number, Clone::clone(claim))] };
            let transaction = Transaction::Claims(single);
            let (digest, of) = (transaction.digest(), Of::Claim(round_id, *number));
            if self.get(&digest).is_some() || self.count(|other| other == of) > 0 {
                return Ok((digest, Offered::Known));
            }
            self.insert(digest, transaction, of)
        };
        claims.claims.iter().map(offer).collect()
    }
}

/// Whether the final state may ever take a transaction about money; cheap, without its proofs.
pub(super) fn is_possible(state: &State, transaction: &Transaction) -> bool {
    let Some(accounts) = state.accounts() else { return false };
    match transaction {
        Transaction::Treasury(order) if order.sequence == accounts.treasury_sequence() => {
            state.check_treasury_order(order).is_ok()
        }
        Transaction::Treasury(order) => order.sequence > accounts.treasury_sequence(),
        Transaction::Withdraw(withdrawal) => accounts
            .account(withdrawal.terms.number)
            .is_some_and(|account| account.debit_sequence() == withdrawal.terms.debit_sequence),
        Transaction::Claims(claims) => accounts.unclaimed_of(claims.round_id).is_some_and(|unclaimed| {
            claims.claims.iter().all(|(number, _)| unclaimed.open().contains_key(number))
        }),
        _ => false,
    }
}

/// Claims of a round as one transaction, which is checked as one batch.
pub(in crate::replica) fn merged(claims: &[&Claims]) -> Option<Transaction> {
    let round_id = claims.first()?.round_id;
    let mut all: Vec<_> = claims.iter().flat_map(|claims| claims.claims.iter().cloned()).collect();
    all.sort_by_key(|(number, _)| *number);
    Some(Transaction::Claims(Claims { round_id, claims: all }))
}
