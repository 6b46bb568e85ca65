//! All accounts of a ledger, its public account, and what waits to be claimed or paid.

use super::account::Account;
use super::market::{MAX_MONEY_UNITS, MoneyRules, UNITS_PER_CT};
use super::refusal::MoneyRefusal;
use super::snapshot::Snapshot;
use super::treasury::{COMMUNITY_ACCOUNT, Deposit, Payment, TreasuryAction};
use super::tree;
use super::unclaimed::Unclaimed;
use super::withdrawal::WithdrawalTerms;
use crate::hash::Hash;
use crate::members::order::AccountNumber;
use crate::members::register::Register;
use curve25519_dalek::ristretto::RistrettoPoint;
use std::collections::BTreeMap;
use std::sync::Arc;
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::opening::{OpeningShare, VerifiedShare};
use veilgrid_crypto::wire::Writer;

/// A withdrawal that waits to be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unpaid {
    pub(super) amount_ct: u64,
    /// Block time of the withdrawal, Unix milliseconds. No rule follows from it, so that no state root has it.
    pub(super) since_unix_ms: u64,
}

/// The money of a ledger. It follows from the genesis and the transactions alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Accounts {
    pub(super) accounts: BTreeMap<AccountNumber, Arc<Account>>,
    pub(super) unclaimed: BTreeMap<u64, Arc<Unclaimed>>,
    /// Withdrawals that the treasury has not paid yet.
    pub(super) unpaid: BTreeMap<(AccountNumber, u64), Unpaid>,
    pub(super) treasury_sequence: u64,
    pub(super) deposited_ct: u128,
    pub(super) withdrawn_ct: u128,
    /// The community's public account, in units.
    pub(super) community_units: i128,
}

impl Accounts {
    /// The accounts of the first members, with nothing on them, and the community's with its first deposit.
    pub(crate) fn of_genesis(rules: &MoneyRules, members: &Register) -> Self {
        let account = |(number, key): (AccountNumber, PointBytes)| (number, Arc::new(Account::new(key)));
        let keys = members.iter().map(|(number, member)| (number, member.certificate.account));
        Self {
            accounts: keys.map(account).collect(),
            unclaimed: BTreeMap::new(),
            unpaid: BTreeMap::new(),
            treasury_sequence: 0,
            deposited_ct: rules.community_deposit_ct.into(),
            withdrawn_ct: 0,
            community_units: i128::from(rules.community_deposit_ct) * UNITS_PER_CT,
        }
    }

    /// An account by its number.
    pub fn account(&self, number: AccountNumber) -> Option<&Account> {
        self.accounts.get(&number).map(Arc::as_ref)
    }
    /// The accounts in rising order of their numbers.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (AccountNumber, &Account)> {
        self.accounts.iter().map(|(number, account)| (*number, account.as_ref()))
    }
    /// Rounds with fills that are not claimed yet, in rising order.
    pub fn unclaimed(&self) -> impl ExactSizeIterator<Item = &Unclaimed> {
        self.unclaimed.values().map(Arc::as_ref)
    }
    /// A round with fills that are not claimed yet.
    pub fn unclaimed_of(&self, round_id: u64) -> Option<&Unclaimed> {
        self.unclaimed.get(&round_id).map(Arc::as_ref)
    }
    /// Withdrawals that wait to be paid: account, debit sequence, amount in ct.
    pub fn unpaid(&self) -> impl ExactSizeIterator<Item = (AccountNumber, u64, u64)> {
        self.unpaid.iter().map(|((number, sequence), one)| (*number, *sequence, one.amount_ct))
    }
    /// When the oldest withdrawal that waits to be paid was made, Unix milliseconds.
    pub fn unpaid_since_unix_ms(&self) -> Option<u64> {
        self.unpaid.values().map(|one| one.since_unix_ms).min()
    }
    /// The number of the treasury's next order.
    pub fn treasury_sequence(&self) -> u64 {
        self.treasury_sequence
    }
    /// All deposits, the community's first one included, in ct.
    pub fn deposited_ct(&self) -> u128 {
        self.deposited_ct
    }
    /// All withdrawals, paid or not, in ct.
    pub fn withdrawn_ct(&self) -> u128 {
        self.withdrawn_ct
    }
    /// What is on the community's public account, in units.
    pub fn community_units(&self) -> i128 {
        self.community_units
    }
    /// What is on all members' accounts and in fills that are not claimed together, in units: deposits less withdrawals less
    /// the community's account. Nobody knows how it is spread over them.
    pub fn members_units(&self) -> i128 {
        self.outstanding_units().unwrap_or(i128::MAX).saturating_sub(self.community_units)
    }
    /// The root of the tree of accounts, in the order of their numbers.
    pub fn root(&self) -> Hash {
        tree::root(&self.leaves())
    }
    /// The hashes that lead from an account's leaf to the root, its place, and how many leaves there are.
    pub fn path(&self, number: AccountNumber) -> Option<(Vec<Hash>, usize, usize)> {
        let place = self.accounts.keys().position(|other| *other == number)?;
        let leaves = self.leaves();
        Some((tree::path(&leaves, place)?, place, leaves.len()))
    }

    fn leaves(&self) -> Vec<Hash> {
        self.accounts.values().map(|account| account.leaf()).collect()
    }

    pub(crate) fn enrol(&mut self, number: AccountNumber, key: PointBytes) {
        self.accounts.insert(number, Arc::new(Account::new(key)));
    }

    pub(crate) fn account_mut(&mut self, number: AccountNumber) -> Option<&mut Account> {
        self.accounts.get_mut(&number).map(Arc::make_mut)
    }

    /// What these accounts have available as things stand, with their credit lines.
    pub(crate) fn snapshot(
        &self,
        bidders: impl Iterator<Item = (AccountNumber, Option<RistrettoPoint>)>,
    ) -> Snapshot {
        let point = |(number, credit): (AccountNumber, Option<RistrettoPoint>)| {
            let free = self.account(number)?.free_and_debits();
            Some((number, credit.map_or(free, |credit| free + credit)))
        };
        Snapshot::new(bidders.filter_map(point).collect())
    }

    /// A round has ended; its fills wait to be claimed.
    pub(crate) fn await_claims(&mut self, unclaimed: Unclaimed) {
        if !unclaimed.open().is_empty() {
            self.unclaimed.insert(unclaimed.round_id(), Arc::new(unclaimed));
        }
    }

    /// The community's account takes what a round's members pay beyond what they get.
    pub(crate) fn add_to_community(&mut self, units: i128) {
        self.community_units = self.community_units.saturating_add(units);
    }

    /// A claim that was verified.
    pub(crate) fn claim(
        &mut self,
        round_id: u64,
        number: AccountNumber,
        r: RistrettoPoint,
        c: RistrettoPoint,
    ) {
        if let Some(account) = self.account_mut(number) {
            account.claim(round_id, r, c);
        }
        if let Some(unclaimed) = self.unclaimed.get_mut(&round_id) {
            Arc::make_mut(unclaimed).take(number);
            if unclaimed.open().is_empty() {
                self.unclaimed.remove(&round_id);
            }
        }
    }

    /// A validator's share of an overdue claim.
    pub(crate) fn add_share(&mut self, round_id: u64, share: (OpeningShare, VerifiedShare)) {
        if let Some(unclaimed) = self.unclaimed.get_mut(&round_id) {
            Arc::make_mut(unclaimed).add_share(share);
        }
    }

    /// Other shares of the keys are in force: those of claims that are not made yet are asked for again.
    pub(crate) fn drop_shares(&mut self) {
        for unclaimed in self.unclaimed.values_mut().filter(|unclaimed| !unclaimed.shares().is_empty()) {
            Arc::make_mut(unclaimed).drop_shares();
        }
    }

    /// The accounts after an order that the treasury has signed as its next one.
    pub(crate) fn after_order(&self, action: &TreasuryAction) -> Result<Self, MoneyRefusal> {
        let mut next = self.clone();
        match action {
            TreasuryAction::Deposit(deposits) => deposits.iter().try_for_each(|it| next.deposit(it))?,
            TreasuryAction::Paid(payments) => payments.iter().try_for_each(|it| next.pay(it))?,
        }
        next.treasury_sequence = next.treasury_sequence.saturating_add(1);
        Ok(next)
    }

    fn deposit(&mut self, deposit: &Deposit) -> Result<(), MoneyRefusal> {
        let number = deposit.number;
        if deposit.amount_ct == 0 {
            return Err(MoneyRefusal::Nothing { number });
        }
        let units = i128::from(deposit.amount_ct) * UNITS_PER_CT;
        self.deposited_ct = self.deposited_ct.saturating_add(deposit.amount_ct.into());
        if self.outstanding_units().is_none_or(|units| units >= MAX_MONEY_UNITS) {
            return Err(MoneyRefusal::TooMuchMoney);
        }
        if number == COMMUNITY_ACCOUNT {
            self.add_to_community(units);
            return Ok(());
        }
        self.account_mut(number).ok_or(MoneyRefusal::Unknown { number })?.credit(units);
        Ok(())
    }

    /// Deposits less withdrawals, in units. Below zero where members sell to others' credit lines and take their money out
    /// before those have paid: no reason to refuse what they pay then.
    fn outstanding_units(&self) -> Option<i128> {
        let [deposited, withdrawn] = [self.deposited_ct, self.withdrawn_ct].map(i128::try_from);
        deposited.ok()?.checked_sub(withdrawn.ok()?)?.checked_mul(UNITS_PER_CT)
    }

    fn pay(&mut self, payment: &Payment) -> Result<(), MoneyRefusal> {
        let Payment { number, debit_sequence } = *payment;
        let paid = self.unpaid.remove(&(number, debit_sequence));
        paid.map(|_| ()).ok_or(MoneyRefusal::NothingToPay { number, debit_sequence })
    }

    /// A withdrawal that was verified.
    pub(crate) fn withdraw(&mut self, terms: &WithdrawalTerms, time_unix_ms: u64) {
        let units = i128::from(terms.amount_ct) * UNITS_PER_CT;
        if let Some(account) = self.account_mut(terms.number) {
            account.withdraw(units);
            let unpaid = Unpaid { amount_ct: terms.amount_ct, since_unix_ms: time_unix_ms };
            self.unpaid.insert((terms.number, terms.debit_sequence), unpaid);
            self.withdrawn_ct = self.withdrawn_ct.saturating_add(terms.amount_ct.into());
        }
    }

    /// What of it a state root covers: everything.
    pub(crate) fn write(&self, w: &mut Writer) {
        w.length(self.accounts.len()).bytes(&self.root()).length(self.unclaimed.len());
        self.unclaimed.values().for_each(|unclaimed| unclaimed.write(w));
        w.length(self.unpaid.len());
        for ((number, debit_sequence), one) in &self.unpaid {
            w.u32(*number).u64(*debit_sequence).u64(one.amount_ct);
        }
        w.u64(self.treasury_sequence).bytes(&self.deposited_ct.to_le_bytes());
        w.bytes(&self.withdrawn_ct.to_le_bytes()).bytes(&self.community_units.to_le_bytes());
    }
}
