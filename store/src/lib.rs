//! Durable storage of a ledger: blocks and certificates in an embedded database, large blocks in files beside it, ledger
//! files for auditors, and the journal of what an intake has acknowledged.
//!
//! Blocks alone are the truth. The state is rebuilt from them ([`Store::replay`]), so that a damaged store is either found or
//! harmless: every block is named by its hash and its body by the header, the chain of hashes is checked when the store is
//! opened, and [`Store::append`] returns after the block is on disk. A node may save the state that it has come to
//! ([`Store::save_state`]) and start from there; what does not hold is not believed.
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
mod open;
mod place;
mod prune;
mod rebuild;
mod record;
mod replay;
mod resume;
mod saved;
mod scan;
mod store;
mod usage;

pub use error::StoreError;
pub use export::{Existing, read_ledger, write_ledger};
pub use intake::{DamagedRound, IntakeEntry, IntakeError, IntakeJournal};
pub use layout::Tip;
pub use open::Checks;
pub use prune::Pruning;
pub use rebuild::{Opened, Rebuilt};
pub use record::Stored;
pub use replay::{ReplayError, Replayed, Visit};
pub use resume::Resumed;
pub use saved::{SavedKey, Unsaved};
pub use store::{Appended, Store};
pub use usage::LedgerBytes;
