//! Accounts and what moves money between them, on ledgers whose market has [`MoneyRules`](market::MoneyRules).
//!
//! ```text
//! treasury    Deposit, Paid        signed orders, amounts in ct
//! member      Withdraw             signed, with a proof that the rest is not negative
//! bid         its cost             taken off what is available, until its fill is claimed
//! claim       the fill's worth     put on the balance, under the account's key
//! ```
//!
//! A balance is a pair (R, C) = (b·G, v·V + b·Y_0) that everybody computes and nobody but its owner can read. What a round
//! knows of an account is fixed when it opens ([`snapshot`]); what an account owes from then on is taken off at once.
//! Specification chapter 14.

pub mod account;
pub mod accounts;
pub mod claims;
pub mod forced;
pub mod market;
pub mod refusal;
mod rules;
mod saved;
pub mod snapshot;
pub mod treasury;
pub mod tree;
pub mod unclaimed;
pub mod watch;
pub mod withdrawal;
