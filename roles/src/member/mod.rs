//! A member: makes one bid per round of its owner's orders, gets it onto the ledger, checks what came of it.
//!
//! Facts go in (blocks, receipts, the time), actions come out; a shell performs them: [`Desk`] is the way in.
//!
//! | module | what |
//! |---|---|
//! | `desk` | the ledger as this member sees it: rounds, promises, results; what is to be done next |
//! | `delivery` | who is sent the bid when, in virtual time |
//! | `sealing` | from orders to a sealed bid that is kept |
//! | `bid` | its own bid: envelopes, the fill |
//! | `ports`, `memory` | what a member needs from around it; an archive in memory |
//!
//! # Privacy
//! Prices, quantities, fills and keys are in no log and in no message. Every member bids in every round, with zeros when it has no
//! orders, so that absence says nothing.

pub(crate) mod bid;
mod delivery;
mod desk;
mod memory;
mod ports;
mod sealing;

pub use bid::{Fill, FillFault, OwnBid, envelope_for, envelope_to};
pub use delivery::{Answer, Delivery, Fallback, Target, Terms};
pub use desk::{Action, Active, Counts, Desk, DeskError, Wanted};
pub use memory::MemoryArchive;
pub use ports::{
    ArchiveFailure, BidArchive, BrokenPromise, OrderSource, ResultBook, ResultsFailure, RoundResult,
};
pub use sealing::{Means, SealFailure, SealTask};
