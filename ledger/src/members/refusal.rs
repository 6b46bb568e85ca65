//! Why a transaction about members, or about the keys of registrar and aggregator, is refused: one variant per rule.

use super::certificate::CertificateFault;
use super::order::{AccountNumber, MAX_ACCOUNTS_PER_ORDER};
use crate::capacity::MAX_CAPACITY_WH;
use crate::key_roles::SharedKey;
use crate::rounds::refusal::Account;
use thiserror::Error;

/// A rule about members that a transaction breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MembersRefusal {
    /// Structural: "An order is about 1 to 1,000 accounts."
    #[error("an order about {accounts} accounts: it is about 1 to {MAX_ACCOUNTS_PER_ORDER}")]
    Accounts {
        /// How many it names.
        accounts: usize,
    },
    /// Contextual: "Orders of the registrar count once, in the order of their numbers."
    #[error("order {found} of the registrar: order {expected} is next")]
    Sequence {
        /// The number stated.
        found: u64,
        /// The next one.
        expected: u64,
    },
    /// Contextual: "An order is signed by the registrar in force, for this ledger."
    #[error("the order is not signed by the registrar of this ledger")]
    Signature,
    /// Structural, with the genesis: "A certificate is sound."
    #[error("the certificate of account {account}: {fault}")]
    Certificate {
        /// The account.
        account: Account,
        /// What is wrong with it.
        fault: CertificateFault,
    },
    /// Contextual: "An account is enrolled once." Also of one that has left.
    #[error("account {account} is enrolled already, with number {number}")]
    AccountTwice {
        /// The account.
        account: Account,
        /// Its number.
        number: AccountNumber,
    },
    /// Contextual: "Each key has one role."
    #[error("{0}")]
    SharedKey(#[from] SharedKey),
    /// Contextual: "One account per connection point."
    #[error("the connection point of account {account} is that of account number {number} already")]
    PointTwice {
        /// The later account.
        account: Account,
        /// The one that is there.
        number: AccountNumber,
    },
    /// Contextual: "A community has at most max_members members."
    #[error("there would be more than {max_members} members, the market's most")]
    TooManyMembers {
        /// The market's bound.
        max_members: u32,
    },
    /// Contextual: "The capacities of all members fit a sum that can be opened."
    #[error("the {direction} capacities of all members would exceed {MAX_CAPACITY_WH} Wh a slot")]
    CapacitySum {
        /// import or export.
        direction: &'static str,
    },
    /// Contextual: "An order is about members."
    #[error("no member has the account number {number}")]
    Unknown {
        /// The number named.
        number: AccountNumber,
    },
    /// Contextual: "Who is suspended is not suspended again."
    #[error("account number {number} is suspended already")]
    Suspended {
        /// The number named.
        number: AccountNumber,
    },
    /// Contextual: "A certificate is updated for the account that it names."
    #[error("account number {number} is {expected}, and the certificate is for {found}")]
    OtherAccount {
        /// The number named.
        number: AccountNumber,
        /// The account in the certificate.
        found: Account,
        /// The account with this number.
        expected: Account,
    },
    /// Contextual: "Account numbers are given once." There are 2^32.
    #[error("all account numbers of this ledger are given")]
    NumbersUsedUp,
    /// Contextual: "New keys of registrar or aggregator are valid keys."
    #[error("the new {key} is not a valid key")]
    OfficeKey {
        /// Which one.
        key: &'static str,
    },
    /// Contextual: "Keys of registrar and aggregator are replaced by t validators."
    #[error("{valid} valid signatures of different validators in rising order, {needed} are needed")]
    Endorsements {
        /// Signatures that count.
        valid: usize,
        /// The threshold.
        needed: u16,
    },
}
