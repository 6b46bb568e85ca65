//! The money of a day: the treasury's deposits at its beginning, claims until all are made, and whether everything adds up.

use crate::DayError;
use crate::members::MemberLink;
use crate::orderer::{Decided, NextBlock, OrdererActor, Submit};
use actix::Addr;
use rand_core::OsRng;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::money::market::{MAX_MONEY_UNITS, MoneyRules, UNITS_PER_CT};
use veilgrid_ledger::money::treasury::{Deposit, MAX_ENTRIES_PER_ORDER, TreasuryAction, TreasuryOrder};
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_roles::member::Desk;

/// After this long validators could claim for a member that does not, in milliseconds of the day.
const CLAIM_MS: u64 = 60 * 60 * 1000;
/// How often the conductor looks whether the last claims are there.
const POLL: Duration = Duration::from_millis(5);
/// How many looks until a missing claim is an error.
const POLLS: usize = 12_000;

/// What members and the community have when the day begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayMoney {
    /// Deposit of each member, in ct.
    pub deposit_ct: u64,
    /// First deposit of the community's public account, in ct.
    pub community_deposit_ct: u64,
}

impl DayMoney {
    /// Deposits from which so many members can pay for whatever they bid in a day.
    pub fn for_members(members: usize) -> Self {
        // A quarter of what all balances may hold is room enough for everybody's gains.
        let most_ct = u64::try_from(MAX_MONEY_UNITS / UNITS_PER_CT / 4).unwrap_or(u64::MAX);
        let share_ct = most_ct / u64::try_from(members.max(1)).unwrap_or(u64::MAX);
        Self { deposit_ct: share_ct.min(50_000), community_deposit_ct: 10_000 }
    }

    pub(crate) fn rules(&self, treasury: &SigningKey) -> MoneyRules {
        MoneyRules {
            treasury_key: treasury.verifying_key().to_bytes(),
            community_deposit_ct: self.community_deposit_ct,
            claim_ms: CLAIM_MS,
        }
    }
}

/// What a member's wallet says. Only the simulation looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Purse {
    pub(crate) balance_units: i128,
    pub(crate) right: bool,
}

/// A member's purse as its process shows it.
pub(crate) type ShownPurse = Arc<Mutex<Option<Purse>>>;

/// Shows the purse of a desk.
pub(crate) fn show<A, R>(purse: &ShownPurse, desk: &Desk<A, R>)
where
    A: veilgrid_roles::member::BidArchive,
    R: veilgrid_roles::member::ResultBook,
{
    let shown = desk
        .wallet()
        .map(|wallet| Purse { balance_units: wallet.balance_units(), right: desk.wallet_is_right() });
    *purse.lock().unwrap_or_else(PoisonError::into_inner) = shown;
}

/// The money of a day at its end. Balances are what the simulation knows; nobody else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MoneyReport {
    /// All deposits, in ct.
    pub deposited_ct: u128,
    /// The community's public account, in units.
    pub community_units: i128,
    /// All members' balances together, in units.
    pub balances_units: i128,
    /// Fills that are not claimed.
    pub unclaimed: usize,
}

impl MoneyReport {
    /// What was deposited less all that is there, in units: zero when every fill is claimed.
    pub fn difference_units(&self) -> i128 {
        let deposited = i128::try_from(self.deposited_ct).unwrap_or(i128::MAX).saturating_mul(UNITS_PER_CT);
        deposited.saturating_sub(self.community_units).saturating_sub(self.balances_units)
    }
}

async fn next_block(orderer: &Addr<OrdererActor>) -> Result<Arc<Decided>, DayError> {
    Ok(orderer.send(NextBlock).await.map_err(DayError::lost("the orderer"))??)
}

/// The treasury deposits for every member; the state with all deposits.
pub(crate) async fn deposit(
    treasury: &SigningKey,
    money: &DayMoney,
    state: &State,
    orderer: &Addr<OrdererActor>,
) -> Result<State, DayError> {
    let numbers: Vec<u32> = state.members().iter().map(|(number, _)| number).collect();
    let ledger_id = state.community().ledger_id();
    let mut state = state.clone();
    for (sequence, part) in (0u64..).zip(numbers.chunks(MAX_ENTRIES_PER_ORDER)) {
        let deposit =
            |number: &u32| Deposit { number: *number, amount_ct: money.deposit_ct, reference: [0; 32] };
        let action = TreasuryAction::Deposit(part.iter().map(deposit).collect());
        let order = TreasuryOrder::sign(&ledger_id, sequence, action, treasury, &mut OsRng);
        let submit = Submit(Transaction::Treasury(Box::new(order)));
        orderer.send(submit).await.map_err(DayError::lost("the orderer"))??;
        while state.accounts().is_some_and(|accounts| accounts.treasury_sequence() == sequence) {
            state = next_block(orderer).await?.state.clone();
        }
    }
    Ok(state)
}

/// Makes blocks until every fill is claimed; the last state.
pub(crate) async fn until_claimed(orderer: &Addr<OrdererActor>) -> Result<State, DayError> {
    for _ in 0..POLLS {
        let state = next_block(orderer).await?.state.clone();
        if state.accounts().is_none_or(|accounts| accounts.unclaimed().len() == 0) {
            return Ok(state);
        }
        // Claims are made on the members' threads.
        tokio::time::sleep(POLL).await;
    }
    Err(DayError::Money { what: "some fills are not claimed".to_owned() })
}

/// What the day's money comes to; none without money.
///
/// # Errors
/// A wallet that differs from the ledger, and a sum that is not what was deposited.
pub(crate) fn report(state: &State, members: &[MemberLink]) -> Result<Option<MoneyReport>, DayError> {
    let Some(accounts) = state.accounts() else { return Ok(None) };
    let mut balances_units = 0i128;
    for member in members {
        let purse = *member.purse.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(purse) = purse.filter(|purse| purse.right) else {
            let what = format!("the wallet of member {} is not what the ledger says", member.id);
            return Err(DayError::Money { what });
        };
        balances_units = balances_units.saturating_add(purse.balance_units);
    }
    let report = MoneyReport {
        deposited_ct: accounts.deposited_ct(),
        community_units: accounts.community_units(),
        balances_units,
        unclaimed: accounts.unclaimed().map(|round| round.open().len()).sum(),
    };
    match report.difference_units() {
        difference if difference != 0 && report.unclaimed == 0 => {
            Err(DayError::Money { what: format!("{difference} units of money are lost or made") })
        }
        _ => Ok(Some(report)),
    }
}
