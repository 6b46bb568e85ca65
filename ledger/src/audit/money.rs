//! A second look at money: the public totals, recomputed from the effects alone.
//!
//! That members' balances add up is a consequence of the proofs of their claims: each carries exactly what its fill is worth, so
//! that all of them together get what the round's outcome leaves them. What is public of it, deposits, withdrawals and
//! the community's account, is recomputed here and compared.

use super::violation::ConservationError;
use crate::money::accounts::Accounts;
use crate::money::market::UNITS_PER_CT;
use crate::money::treasury::{COMMUNITY_ACCOUNT, TreasuryAction};
use crate::state::effects::Effect;
use veilgrid_market::community_flow_q16;

/// Public totals of a ledger with money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PublicTotals {
    deposited_ct: u128,
    withdrawn_ct: u128,
    community_units: i128,
}

impl PublicTotals {
    /// Those of a state that is known: the genesis', or one that a checkpoint leads to.
    pub(super) fn of(accounts: &Accounts) -> Self {
        Self {
            deposited_ct: accounts.deposited_ct(),
            withdrawn_ct: accounts.withdrawn_ct(),
            community_units: accounts.community_units(),
        }
    }

    /// Takes what a transaction did.
    pub(super) fn take(&mut self, effect: &Effect) {
        match effect {
            Effect::TreasuryActed { action: TreasuryAction::Deposit(deposits), .. } => {
                for deposit in deposits {
                    self.deposited_ct = self.deposited_ct.saturating_add(deposit.amount_ct.into());
                    if deposit.number == COMMUNITY_ACCOUNT {
                        let units = i128::from(deposit.amount_ct).saturating_mul(UNITS_PER_CT);
                        self.community_units = self.community_units.saturating_add(units);
                    }
                }
            }
            Effect::Withdrawn { terms } => {
                self.withdrawn_ct = self.withdrawn_ct.saturating_add(terms.amount_ct.into());
            }
            Effect::Settled(settled) => {
                let flow = community_flow_q16(&settled.outcome);
                self.community_units = self.community_units.saturating_add(flow);
            }
            _ => {}
        }
    }

    /// "Deposits, withdrawals and the community's account are those that the transactions add up to."
    pub(super) fn compare(&self, accounts: &Accounts) -> Result<(), ConservationError> {
        self.differs(&Self::of(accounts))
    }

    fn differs(&self, found: &Self) -> Result<(), ConservationError> {
        if found == self {
            return Ok(());
        }
        Err(ConservationError::Accounts {
            found: [found.deposited_ct, found.withdrawn_ct],
            expected: [self.deposited_ct, self.withdrawn_ct],
            community_units: found.community_units,
            expected_units: self.community_units,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::treasury::Deposit;
    use crate::money::withdrawal::WithdrawalTerms;

    fn deposit(number: u32, amount_ct: u64) -> Effect {
        let action = TreasuryAction::Deposit(vec![Deposit { number, amount_ct, reference: [0; 32] }]);
        Effect::TreasuryActed { sequence: 0, action }
    }

    fn withdrawal(amount_ct: u64) -> Effect {
        let terms = WithdrawalTerms { number: 1, debit_sequence: 0, amount_ct, reference: [0; 32] };
        Effect::Withdrawn { terms }
    }

    /// The state machine keeps to them; this is what the second look is there for.
    #[test]
    fn public_totals_that_differ_are_a_violation() {
        let start = PublicTotals { deposited_ct: 100, withdrawn_ct: 0, community_units: 100 * UNITS_PER_CT };
        let after = |effects: &[Effect]| {
            let mut totals = start;
            effects.iter().for_each(|effect| totals.take(effect));
            totals
        };
        let units = |ct: i128| ct * UNITS_PER_CT;
        let all = after(&[deposit(1, 5), deposit(COMMUNITY_ACCOUNT, 2), withdrawal(3)]);
        let expected = PublicTotals { deposited_ct: 107, withdrawn_ct: 3, community_units: units(102) };
        assert_eq!(all, expected);
        assert_eq!(all.differs(&expected), Ok(()));
        for found in [
            PublicTotals { deposited_ct: 106, ..expected },
            PublicTotals { withdrawn_ct: 4, ..expected },
            PublicTotals { community_units: units(102) - 1, ..expected },
        ] {
            assert!(matches!(all.differs(&found), Err(ConservationError::Accounts { .. })));
        }
    }
}
