//! The treasury: money that has come for whom, by which payment.
//!
//! It alone knows what the bank's references say. On the ledger a reference is an HMAC of it under a key that only the treasury
//! has, so that nobody finds a payment by trying names.
//!
//! [`rows`] reads deposits from CSV, [`amount`] amounts as people write them.

pub mod amount;
mod reference;
pub mod rows;

pub use reference::reference_of;
