//! The outside of a network: the client of a node's HTTP API, and a follower that believes none of what it is told.
//!
//! | module | what |
//! |---|---|
//! | [`Client`] | one node's API ([`veilgrid_api`]) with bounds in time, size and rate |
//! | [`follower`] | the ledger from outside: blocks from any node, certificates checked, every transaction executed |
//! | [`ledger`] | a stored ledger opened, and executed again or gone on with, once for everybody who has one |
//! | [`recheck`] | blocks that a start has not read, checked beside everything else |
//! | [`saver`] | the state of a process on its way to its disk, for the next start |
//! | [`ledger_view`] | the final ledger of a process as it shows it |
//! | [`genesis`] | block 0 as a file that is trusted by its hash |
//! | [`shutdown`] | a shutdown request, for threads and tasks |
//!
//! Every call has a bound in time and every answer a bound in size and a least rate: a peer that is silent, slow or
//! talkative costs no more than these. Every call may be repeated without harm, because bids and batches are the same
//! bytes each time. When and whom to ask again is the caller's: a follower and a delivery have plans of their own.

mod address;
mod error;
pub mod follower;
pub mod genesis;
mod http;
pub mod ledger;
pub mod ledger_view;
pub mod recheck;
mod round_ends;
pub mod saver;
pub mod shutdown;

pub use address::check_address;
pub use error::ClientError;
pub use http::{Client, ClientOptions};
