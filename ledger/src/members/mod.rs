//! Who is a member, by the ledger: certificates, the registrar's orders, and who may bid in a round.
//!
//! ```text
//! genesis      certificates of the first members, the registrar's key
//! any height   Enrol, Update, Suspend, Leave, each signed by the registrar under its next number
//! open-round   who may bid is fixed: a snapshot with everybody's capacities
//! ```
//!
//! Nobody votes about a member: the registrar alone says who is one. What it can't do is act twice by one order, take a key
//! that stands for something else, or give a connection point to two accounts. Its own key is replaced by t validators.

pub mod bidders;
pub mod certificate;
pub mod offices;
pub mod order;
pub mod refusal;
pub mod register;
mod rules;
pub(crate) mod saved;
