//! Durable storage of a ledger: blocks in an embedded database, and ledger files for auditors.
//!
//! Only blocks are stored. The state is rebuilt from them ([`Store::replay`]) and never stored as truth, so that a
//! damaged store is either found or harmless: every block is named by its hash and its body by the header, the chain
//! of hashes is checked when the store is opened, and [`Store::append`] returns after the block is on disk.
//!
//! A mark beside the database names the last acknowledged block, because the database drops a damaged end of its log
//! without a word. What a store can't find is that it was replaced as a whole by an older copy of itself.
#![forbid(unsafe_code)]

mod error;
mod export;
mod mark;
mod scan;
mod store;

pub use error::StoreError;
pub use export::{Existing, read_ledger, write_ledger};
pub use store::{Appended, Store, Tip};
