//! `GET /v1/accounts`, `/v1/accounts/{number}`, `/v1/withdrawals`: the money of the final ledger, as far as it is public.
//!
//! Balances are pairs of points that nobody but their owners can read. What a node says of one account comes with its place in
//! the tree of accounts; whoever does not believe the node follows the ledger.

use serde::{Deserialize, Serialize};
use veilgrid_ledger::hash::{Hash, Hex32};
use veilgrid_ledger::members::order::AccountNumber;
use veilgrid_ledger::money::account::{Account, leaf_of};
use veilgrid_ledger::money::accounts::Accounts;
use veilgrid_ledger::money::tree::root_of;
use veilgrid_ledger::money::watch::MoneyWatch;
use veilgrid_ledger::state::State;
use veilgrid_market::units::format_exact_ct_q16;

/// Most accounts, or withdrawals, of a page; whoever asks for more gets so many.
pub const MAX_ACCOUNTS_PER_PAGE: u64 = 500;

/// Which accounts, as the query of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountsQuery {
    /// The first account number.
    #[serde(default = "first")]
    pub from: AccountNumber,
    /// Most accounts.
    #[serde(default = "most")]
    pub max: u64,
}

/// Which unpaid withdrawals, as the query of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithdrawalsQuery {
    /// The first account number.
    #[serde(default = "first")]
    pub from: AccountNumber,
    /// The first debit sequence of that account.
    #[serde(default)]
    pub from_debit: u64,
    /// Most withdrawals.
    #[serde(default = "most")]
    pub max: u64,
}

fn first() -> AccountNumber {
    1
}

fn most() -> u64 {
    MAX_ACCOUNTS_PER_PAGE
}

impl Default for AccountsQuery {
    fn default() -> Self {
        Self { from: first(), max: most() }
    }
}

impl Default for WithdrawalsQuery {
    fn default() -> Self {
        Self { from: first(), from_debit: 0, max: most() }
    }
}

/// An account in a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountEntry {
    /// Its number.
    pub number: AccountNumber,
    /// Its key.
    pub account: Hex32,
    /// R and C of its balance; the identity as zeros.
    pub balance: [Hex32; 2],
    /// The number of its next debit.
    pub debit_sequence: u64,
    /// How many rounds hold something of it back.
    pub reserved_rounds: u64,
}

/// What a node says about all accounts and the treasury.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountsPage {
    /// The ledger.
    pub ledger_id: Hex32,
    /// Height of the final block that this is the state after.
    pub height: u64,
    /// Root of the tree of accounts.
    pub accounts_root: Hex32,
    /// The treasury's key.
    pub treasury_key: Hex32,
    /// Number of the treasury's next order.
    pub treasury_sequence: u64,
    /// All deposits, the community's first one included, ct.
    pub deposited_ct: u64,
    /// All withdrawals, paid or not, ct.
    pub withdrawn_ct: u64,
    /// How many withdrawals are not paid.
    pub unpaid: u64,
    /// What they come to, ct.
    pub unpaid_ct: u64,
    /// The community's public account, ct, as an exact decimal.
    pub community_ct: String,
    /// What somebody should look after; a node of before leaves it out.
    pub watch: Option<MoneyWatch>,
    /// Time of that block, Unix milliseconds.
    pub time_unix_ms: Option<u64>,
    /// How many accounts there are.
    pub count: u64,
    /// Where the next page begins; none when this is the last one.
    pub next: Option<AccountNumber>,
    /// The accounts of this page, in the order of their numbers.
    pub accounts: Vec<AccountEntry>,
}

/// What a node says about one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountState {
    /// The ledger.
    pub ledger_id: Hex32,
    /// Height of the final block that this is the state after.
    pub height: u64,
    /// The state root after that block; it covers the root of the accounts.
    pub state_root: Hex32,
    /// Root of the tree of accounts.
    pub accounts_root: Hex32,
    /// The account's number.
    pub number: AccountNumber,
    /// Its key.
    pub account: Hex32,
    /// R and C of its balance; the identity as zeros.
    pub balance: [Hex32; 2],
    /// The number of its next debit.
    pub debit_sequence: u64,
    /// Rounds in which a bid's cost is held back.
    pub reserved_rounds: Vec<u64>,
    /// Rounds in which it has a fill that is not claimed.
    pub unclaimed_rounds: Vec<u64>,
    /// What the leaf is the digest of, hexadecimal.
    pub content: String,
    /// Its leaf in the tree of accounts.
    pub leaf: Hex32,
    /// Place of the leaf, from 0.
    pub place: u64,
    /// How many leaves there are.
    pub leaves: u64,
    /// The hashes that lead from the leaf to the root, from below.
    pub path: Vec<Hex32>,
}

/// A withdrawal that the treasury has not paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnpaidWithdrawal {
    /// The account.
    pub number: AccountNumber,
    /// The withdrawal's debit sequence: with the account it names the withdrawal.
    pub debit_sequence: u64,
    /// How much, ct.
    pub amount_ct: u64,
}

/// Where a further page of withdrawals begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NextWithdrawal {
    /// `from` of the query.
    pub from: AccountNumber,
    /// `from_debit` of the query.
    pub from_debit: u64,
}

/// What a node says about withdrawals that are not paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithdrawalsPage {
    /// The ledger.
    pub ledger_id: Hex32,
    /// Height of the final block that this is the state after.
    pub height: u64,
    /// Number of the treasury's next order.
    pub treasury_sequence: u64,
    /// How many there are.
    pub count: u64,
    /// Where the next page begins; none when this is the last one.
    pub next: Option<NextWithdrawal>,
    /// The withdrawals of this page, by account and debit sequence.
    pub withdrawals: Vec<UnpaidWithdrawal>,
}

fn page_size(max: u64) -> usize {
    usize::try_from(max.min(MAX_ACCOUNTS_PER_PAGE)).unwrap_or(usize::MAX)
}

fn ct(amount_ct: u128) -> u64 {
    u64::try_from(amount_ct).unwrap_or(u64::MAX)
}

impl AccountEntry {
    fn of(number: AccountNumber, account: &Account) -> Self {
        Self {
            number,
            account: Hex32(account.key()),
            balance: account.balance().map(Hex32),
            debit_sequence: account.debit_sequence(),
            reserved_rounds: account.reserved_rounds().count() as u64,
        }
    }
}

impl AccountsPage {
    /// The accounts of a final state from a number on; none on a ledger without money.
    pub fn of(state: &State, query: &AccountsQuery) -> Option<Self> {
        let (accounts, rules) = (state.accounts()?, state.community().params().money?);
        let mut all = accounts.iter().filter(|(number, _)| *number >= query.from);
        let page = all.by_ref().take(page_size(query.max));
        let entries = page.map(|(number, account)| AccountEntry::of(number, account)).collect();
        let unpaid_ct = accounts.unpaid().fold(0u64, |sum, (_, _, amount_ct)| sum.saturating_add(amount_ct));
        Some(Self {
            ledger_id: Hex32(state.community().ledger_id()),
            height: state.height(),
            accounts_root: Hex32(accounts.root()),
            treasury_key: Hex32(rules.treasury_key),
            treasury_sequence: accounts.treasury_sequence(),
            deposited_ct: ct(accounts.deposited_ct()),
            withdrawn_ct: ct(accounts.withdrawn_ct()),
            unpaid: accounts.unpaid().len() as u64,
            unpaid_ct,
            community_ct: format_exact_ct_q16(accounts.community_units()),
            watch: state.money_watch(),
            time_unix_ms: Some(state.time_unix_ms()),
            count: accounts.iter().len() as u64,
            next: all.next().map(|(number, _)| number),
            accounts: entries,
        })
    }
}

impl AccountState {
    /// One account of a final state with this root; none when there is no such account.
    pub fn of(state: &State, state_root: Hash, number: AccountNumber) -> Option<Self> {
        let accounts: &Accounts = state.accounts()?;
        let account = accounts.account(number)?;
        let (path, place, leaves) = accounts.path(number)?;
        let unclaimed = accounts.unclaimed().filter(|round| round.open().contains_key(&number));
        Some(Self {
            ledger_id: Hex32(state.community().ledger_id()),
            height: state.height(),
            state_root: Hex32(state_root),
            accounts_root: Hex32(accounts.root()),
            number,
            account: Hex32(account.key()),
            balance: account.balance().map(Hex32),
            debit_sequence: account.debit_sequence(),
            reserved_rounds: account.reserved_rounds().collect(),
            unclaimed_rounds: unclaimed.map(|round| round.round_id()).collect(),
            content: hex::encode(account.to_bytes()),
            leaf: Hex32(account.leaf()),
            place: place as u64,
            leaves: leaves as u64,
            path: path.into_iter().map(Hex32).collect(),
        })
    }

    /// Whether key and balance are those of the content, the content that of the leaf, and the leaf part of the root. That the
    /// root is the ledger's, this does not say.
    pub fn is_included(&self) -> bool {
        let Ok(content) = hex::decode(&self.content) else { return false };
        let stated = [self.account.0, self.balance[0].0, self.balance[1].0];
        let path: Vec<Hash> = self.path.iter().map(|hash| hash.0).collect();
        let places = usize::try_from(self.place).ok().zip(usize::try_from(self.leaves).ok());
        let Some((place, leaves)) = places else { return false };
        content.starts_with(stated.as_flattened())
            && leaf_of(&content) == self.leaf.0
            && root_of(&self.leaf.0, place, leaves, &path) == Some(self.accounts_root.0)
    }
}

impl WithdrawalsPage {
    /// The unpaid withdrawals of a final state; none on a ledger without money.
    pub fn of(state: &State, query: &WithdrawalsQuery) -> Option<Self> {
        let accounts = state.accounts()?;
        let from = (query.from, query.from_debit);
        let mut all = accounts.unpaid().filter(|(number, sequence, _)| (*number, *sequence) >= from);
        let page = all.by_ref().take(page_size(query.max));
        let withdrawals = page
            .map(|(number, debit_sequence, amount_ct)| UnpaidWithdrawal { number, debit_sequence, amount_ct })
            .collect();
        Some(Self {
            ledger_id: Hex32(state.community().ledger_id()),
            height: state.height(),
            treasury_sequence: accounts.treasury_sequence(),
            count: accounts.unpaid().len() as u64,
            next: all.next().map(|(from, from_debit, _)| NextWithdrawal { from, from_debit }),
            withdrawals,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An account among three, by the tree's own rules.
    fn shown() -> AccountState {
        let content = [[1; 32], [2; 32], [3; 32], [4; 32]].concat();
        let leaf = leaf_of(&content);
        let leaves = [[7; 32], leaf, [9; 32]];
        let path = veilgrid_ledger::money::tree::path(&leaves, 1).expect("there");
        AccountState {
            ledger_id: Hex32([0; 32]),
            height: 5,
            state_root: Hex32([8; 32]),
            accounts_root: Hex32(veilgrid_ledger::money::tree::root(&leaves)),
            number: 2,
            account: Hex32([1; 32]),
            balance: [Hex32([2; 32]), Hex32([3; 32])],
            debit_sequence: 0,
            reserved_rounds: vec![],
            unclaimed_rounds: vec![],
            content: hex::encode(content),
            leaf: Hex32(leaf),
            place: 1,
            leaves: 3,
            path: path.into_iter().map(Hex32).collect(),
        }
    }

    #[test]
    fn an_account_is_included_as_it_is_and_not_otherwise() {
        let account = shown();
        assert!(account.is_included());
        let text = serde_json::to_string(&account).expect("JSON");
        assert_eq!(serde_json::from_str::<AccountState>(&text).expect("read"), account);
        let changed = |change: fn(&mut AccountState)| {
            let mut account = shown();
            change(&mut account);
            account.is_included()
        };
        assert!(!changed(|account| account.account.0[0] ^= 1));
        assert!(!changed(|account| account.balance[1].0[0] ^= 1));
        assert!(!changed(|account| account.content.replace_range(200..202, "ff")));
        assert!(!changed(|account| account.content.push('x')));
        assert!(!changed(|account| account.leaf.0[0] ^= 1));
        assert!(!changed(|account| account.place = 0));
        assert!(!changed(|account| account.leaves = 2));
        assert!(!changed(|account| account.path.clear()));
        assert!(!changed(|account| account.accounts_root.0[0] ^= 1));
    }
}
