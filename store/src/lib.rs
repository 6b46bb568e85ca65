//! Durable storage of a ledger: blocks and certificates in an embedded database, large blocks in files beside it, ledger
//! files for auditors, and the journal of what an intake has acknowledged.
//!
//! Only blocks are stored. The state is rebuilt from them ([`Store::replay`]) and never stored as truth, so that a
//! damaged store is either found or harmless: every block is named by its hash and its body by the header, the chain
//! of hashes is checked when the store is opened, and [`Store::append`] returns after the block is on disk.
//!
//! A mark beside the database names what was acknowledged, because the database drops a damaged end of its log without
//! a word. What a store can't find is that it was replaced as a whole by an older copy of itself.
#![forbid(unsafe_code)]

mod certificates;
mod database;
pub mod durable;
mod error;
mod export;
pub mod files;
mod intake;
mod layout;
mod mark;
mod place;
mod prune;
mod rebuild;
mod record;
mod replay;
mod scan;
mod store;
mod usage;

pub use error::StoreError;
pub use export::{Existing, read_ledger, write_ledger};
pub use intake::{DamagedRound, IntakeEntry, IntakeError, IntakeJournal};
pub use layout::Tip;
pub use prune::Pruning;
pub use rebuild::{Opened, Rebuilt};
pub use record::Stored;
pub use replay::{ReplayError, Replayed, Visit};
pub use store::{Appended, Store};
pub use usage::LedgerBytes;
