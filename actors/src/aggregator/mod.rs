//! The aggregator: takes envelopes, verifies bids in batches, has them ordered, answers with receipts.
//!
//! A sender gets its receipt after the block with its bid has been flushed by the validators, so that a receipt is
//! never the only trace of a bid. One batch is under way at a time; while it is, the next one gathers.
//!
//! # Overflow
//! At most as many senders wait for a receipt as the market may have members. Who comes when that many wait gets
//! [`BidRefusal::Overloaded`] and sends the same bytes again later.
//!
//! # Restart
//! The aggregator never stops by itself and is not supervised: its keys and receipts are in memory, and an aggregator
//! that forgot receipts could break promises. When it is gone, the day ends with an error.

mod actor;
mod messages;

pub use actor::{AggregatorActor, BATCH_BIDS, BATCH_LINGER, MAX_BATCH_BIDS};
pub use messages::{BidRefusal, SubmitEnvelope, VerificationTime};
