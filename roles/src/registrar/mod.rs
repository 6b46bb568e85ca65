//! The registrar: who is a member, of which connection point.
//!
//! It alone knows which account is whose. On the ledger a connection point is an HMAC of its name under a key that only the
//! registrar has, so that whoever knows the numbers of meters can't look one up.
//!
//! [`rows`] reads certificates from CSV, [`plan`] compares them with the members that there are.

pub mod plan;
mod point;
pub mod rows;

pub use point::point_id;
