//! The client of a node's HTTP API.
//!
//! Every call has a bound in time and every answer a bound in size and a least rate: a peer that is silent, slow or
//! talkative costs no more than these. Every call may be repeated without harm, because bids and batches are the same
//! bytes each time. When and whom to ask again is the caller's: a follower and a delivery have plans of their own.

mod error;
mod http;

pub use error::ClientError;
pub use http::{Client, ClientOptions};
