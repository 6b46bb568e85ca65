//! A validator: its key shares, its own copy of the ledger, its own store.
//!
//! It deals and receives shares while the keys are generated ([`Deal`], [`TakeShares`], [`Join`]), then follows the
//! ledger: a block is executed, appended and flushed, and only then acknowledged ([`DeliverBlock`]). It releases the
//! opening shares that its own state asks for, and only when it is told that its last block is final
//! ([`BlockFinal`]).
//!
//! # Restart
//! A validator whose store fails acknowledges nothing more of that block: it drops its state, which is ahead of the
//! disk, and stops. Its supervisor starts it again with its mailbox: it reopens the store, replays every block from
//! the genesis with all proofs, and stands at the last block that was flushed, with the same state root as before.
//! If the store does not open, it answers everything with [`ValidatorFault::Down`]. Key shares stay in memory across
//! such a restart and nowhere else: when the process ends they are gone, so a stored ledger can be replayed and
//! audited later, but not continued. A share that was released before a restart may be released again; it is the same
//! share of the same sum, because the set of bids is frozen on the ledger by then.

mod actor;
mod journal;
mod messages;

pub use actor::ValidatorActor;
pub use journal::{Journal, JournalError, StoreJournal, replay};
pub use messages::{
    Acknowledgement, BlockFinal, Deal, DeliverBlock, Identify, Join, TakeShares, Tip, ValidatorFault,
};
