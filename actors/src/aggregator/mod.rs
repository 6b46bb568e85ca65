//! The intake as an actor: takes envelopes, verifies bids in batches, has them kept, answers with receipts. The
//! aggregator has one and so has every validator of a network.
//!
//! A sender gets its receipt after its bid and the receipt are durable ([`Keep`]) and the bid is handed on or on the
//! ledger ([`Confirm`]), so that a receipt is never the only trace of a bid. One batch is verified at a time; while it
//! is, the next one gathers. A bid that can't be handed on holds nobody else's receipt up.
//!
//! # Overflow
//! Bids wait only when their account has signed them, two an account; [`MAX_SENDERS_PER_BID`] may wait for the receipt
//! of one bid. So what waits is bounded by the market's members and no sender can take up the places of others. Who
//! comes beyond that gets [`BidRefusal::Overloaded`] and sends the same bytes again later.
//!
//! # Restart
//! The actor never stops by itself and is not supervised. A node starts one with `Intake::restore` from its journal
//! and hands the promises that are not kept yet on again itself. The demo's aggregator has no journal: when it is
//! gone, the day ends with an error.

mod actor;
pub mod journal;
mod keeper;
mod messages;

pub use actor::{AggregatorActor, BATCH_BIDS, BATCH_LINGER, MAX_BATCH_BIDS, MAX_SENDERS_PER_BID};
pub use keeper::{Confirm, Keep, KeepError, Keeper};
pub use messages::{Advance, BidRefusal, SubmitBids, SubmitEnvelope, VerificationTime};
