//! Why a transaction about money is refused: one variant per rule.

use super::market::{MAX_MONEY_UNITS, UNITS_PER_CT};
use super::treasury::MAX_ENTRIES_PER_ORDER;
use crate::members::order::AccountNumber;
use thiserror::Error;
use veilgrid_crypto::money::claim::ClaimFault;

/// A rule about money that a transaction breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MoneyRefusal {
    /// Structural: "Only ledgers with money have accounts."
    #[error("this ledger has no money: its market's parameters name no treasury")]
    NoMoney,
    /// Contextual: "Balances are under a key of the validators." There is none yet.
    #[error("there are no keys yet: balances are under a key that the validators have still to generate")]
    NoKeys,
    /// Structural: "An order of the treasury is about 1 to 1,000 accounts."
    #[error("an order of the treasury about {entries} accounts: it is about 1 to {MAX_ENTRIES_PER_ORDER}")]
    Entries {
        /// How many it names.
        entries: usize,
    },
    /// Contextual: "Orders of the treasury count once, in the order of their numbers."
    #[error("order {found} of the treasury: order {expected} is next")]
    Sequence {
        /// The number stated.
        found: u64,
        /// The next one.
        expected: u64,
    },
    /// Contextual: "An order is signed by the treasury of this ledger."
    #[error("the order is not signed by the treasury of this ledger")]
    TreasurySignature,
    /// Contextual: "Money is moved on accounts that were enrolled."
    #[error("no account has the number {number}")]
    Unknown {
        /// The number named.
        number: AccountNumber,
    },
    /// Structural: "An amount is at least one cent."
    #[error("an amount of 0 ct for account number {number}")]
    Nothing {
        /// The account.
        number: AccountNumber,
    },
    /// Contextual: "Deposits less withdrawals stay below 2^62 units."
    #[error("deposits less withdrawals would reach {} ct, the most that balances can hold", MAX_MONEY_UNITS / UNITS_PER_CT)]
    TooMuchMoney,
    /// Contextual: "A payment is of a withdrawal that waits for it."
    #[error("account number {number} has no withdrawal {debit_sequence} that waits to be paid")]
    NothingToPay {
        /// The account.
        number: AccountNumber,
        /// The withdrawal's number.
        debit_sequence: u64,
    },
    /// Contextual: "A debit names the account's debit sequence": it was made on an earlier state of the account.
    #[error(
        "the debit of account number {number} is number {found}, and number {expected} is next: the account has moved on \
         since it was made; make it again"
    )]
    DebitSequence {
        /// The account.
        number: AccountNumber,
        /// The number stated.
        found: u64,
        /// The next one.
        expected: u64,
    },
    /// Contextual: "A withdrawal is signed by its account."
    #[error("the withdrawal is not signed by account number {number}")]
    AccountSignature {
        /// The account.
        number: AccountNumber,
    },
    /// Contextual: "What a withdrawal leaves is proved not to be negative."
    #[error(
        "the proof that account number {number} can pay the withdrawal does not hold: it is for another amount or state of \
         the account, or there is not so much on it"
    )]
    Rest {
        /// The account.
        number: AccountNumber,
    },
    /// Structural: "A transaction of claims holds at least one, in rising order of the accounts."
    #[error("claims of round {round} are none, or not in rising order of their accounts")]
    ClaimOrder {
        /// The round.
        round: u64,
    },
    /// Contextual: "A claim is of a fill that is not claimed yet."
    #[error(
        "account number {number} has nothing to claim in round {round}: no filled bid, or claimed already"
    )]
    NothingToClaim {
        /// The round.
        round: u64,
        /// The account.
        number: AccountNumber,
    },
    /// Semantic: "A claim is what the fill is worth."
    #[error("the claim of account number {number} in round {round}: {fault}")]
    Claim {
        /// The round.
        round: u64,
        /// The account.
        number: AccountNumber,
        /// What is wrong with it.
        fault: Box<ClaimFault>,
    },
    /// Contextual: "Validators claim what is overdue, the lowest account number first."
    #[error("validators do not claim for account number {number} in round {round} now")]
    NotOverdue {
        /// The round.
        round: u64,
        /// The account.
        number: AccountNumber,
    },
    /// Contextual: "A round opens only if the community's account can pay for its rounding rest."
    #[error(
        "round {round} could cost the community's account up to {needed_ct} ct for rounding, and it holds {held_ct} ct: \
         deposit to account number 0"
    )]
    CommunityFunds {
        /// The round.
        round: u64,
        /// What all open rounds could cost, rounded up to a cent.
        needed_ct: i64,
        /// What is there, rounded down.
        held_ct: i64,
    },
}
