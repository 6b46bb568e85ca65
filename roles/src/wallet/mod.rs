//! A member's money: what it knows of its own account on a ledger where nobody else does.
//!
//! The wallet follows the ledger like anybody and keeps, beside each of its account's points, the opening. It can be rebuilt
//! from the member's seed and the ledger at any time: bids carry a note that only their owner opens, everything else is public.
//!
//! | module | what |
//! |---|---|
//! | `opening` | an amount and its blinding |
//! | `follow` | what each effect of the ledger does to the account |
//! | `act` | claims, withdrawals, what a bid may cost |
//! | `statement` | the account's lines for people |
//!
//! # Privacy
//! Amounts and blindings are secrets: in no log, zeroised when dropped.

mod act;
mod follow;
mod opening;
mod statement;

pub use act::WithdrawError;
pub use follow::WalletFault;
pub use opening::Opening;
pub use statement::{Line, LineKind};

use std::collections::BTreeMap;
use std::sync::Arc;
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::keyring::Keyring;
use veilgrid_crypto::secret::Secret;
use veilgrid_ledger::members::order::AccountNumber;
use veilgrid_ledger::state::round::Slot;
use veilgrid_market::Trade;

/// The owner's side of one account.
pub struct Wallet {
    keyring: Arc<Keyring>,
    key_epoch: u64,
    account: PointBytes,
    /// None before the account is enrolled.
    number: Option<AccountNumber>,
    /// The opening of the certificate's credit line; zero for a prepaid account.
    credit: Opening,
    balance: Opening,
    /// All debits so far.
    debits: Opening,
    /// Round → the cost that is held back for the bid in it.
    reserves: BTreeMap<u64, Opening>,
    /// Round → what was free when it opened, with the credit line and all debits until then.
    snapshots: BTreeMap<u64, Opening>,
    /// Bids on the ledger whose fills are not claimed.
    bids: BTreeMap<u64, PlacedBid>,
    lines: Vec<Line>,
}

/// Its own bid on the ledger.
struct PlacedBid {
    quantities_wh: Secret<Vec<u64>>,
    salt: [u8; 32],
    /// Once the round is settled with a trade.
    filled: Option<Filled>,
}

/// What came of its own bid.
struct Filled {
    /// Bought and sold, Wh/2^16.
    wh_q16: Secret<[u64; 2]>,
    /// What that is worth, in units of balances.
    worth_units: Secret<i128>,
    slot: Slot,
    trade: Trade,
}

impl Wallet {
    /// The wallet of an account at the genesis of its ledger.
    pub fn new(keyring: Arc<Keyring>, key_epoch: u64) -> Self {
        let account = keyring.account_key(key_epoch).verifying_key().to_bytes();
        let zero = Opening::zero();
        Self {
            keyring,
            key_epoch,
            account,
            number: None,
            credit: zero.clone(),
            balance: zero.clone(),
            debits: zero,
            reserves: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            bids: BTreeMap::new(),
            lines: Vec::new(),
        }
    }

    /// The same with a credit line, whose opening the registrar has given to the member.
    pub fn with_credit(self, credit: Opening) -> Self {
        Self { credit, ..self }
    }

    /// The account's key.
    pub fn account(&self) -> PointBytes {
        self.account
    }
    /// The account's number; none before it is enrolled.
    pub fn number(&self) -> Option<AccountNumber> {
        self.number
    }
    /// The balance in units: what is settled and claimed.
    pub fn balance_units(&self) -> i128 {
        self.balance.units()
    }
    /// What is held back for bids whose rounds are not claimed, in units.
    pub fn reserved_units(&self) -> i128 {
        self.reserves.values().map(Opening::units).sum()
    }
    /// What may be withdrawn, in units; below zero in arrears.
    pub fn free_units(&self) -> i128 {
        self.free().units()
    }
    /// Rounds whose fills wait to be claimed.
    pub fn unclaimed_rounds(&self) -> impl Iterator<Item = u64> {
        self.bids.iter().filter(|(_, bid)| bid.filled.is_some()).map(|(round_id, _)| *round_id)
    }
    /// The statement: one line for each change of the balance, oldest first.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    fn free(&self) -> Opening {
        self.reserves.values().fold(self.balance.clone(), |free, cost| free.minus(cost))
    }
}
