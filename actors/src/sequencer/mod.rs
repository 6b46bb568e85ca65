//! The sequencer: decides the order of transactions, makes blocks of them, and nothing else.
//!
//! # Where a consensus engine will stand
//! Today one process orders blocks. A BFT engine takes its place behind the same messages; neither validators nor
//! anybody else would notice:
//!
//! | message | direction | an engine's |
//! |---|---|---|
//! | [`Order`] | anybody → sequencer | submission to the mempool; the answer comes when the block is final |
//! | [`Advance`] | conductor → sequencer | proposing what a closed round waits for ([`veilgrid_roles::proposer`]) |
//! | [`DeliverBlock`](crate::validator::DeliverBlock) | sequencer → validator | decided block; executed and flushed before it is acknowledged |
//! | [`BlockFinal`](crate::validator::BlockFinal) | sequencer → validator | certificate; the answer holds the shares that are owed |
//! | [`FollowBlock`] | sequencer → aggregator, auditor | final blocks, in order |
//!
//! What an engine brings and this does not: votes, so that a lying sequencer could be replaced; a quorum, so that the
//! chain goes on while f validators are away. Here *every* validator has to acknowledge every block, because nothing
//! would bring one that was left behind up to date; the first that does not ends the day with its name and reason.
//! For shares a quorum is enough: false ones are named, missing ones are waited for no longer than
//! [`ANSWER_TIMEOUT`].
//!
//! # Followers
//! The aggregator follows in step: an order is answered after it has executed the block, so that it never takes a bid
//! for a round that is closed. An auditor may lag behind by [`BACKLOG_BLOCKS`]; after that the market waits for it,
//! because an auditor that misses a block can never go on.

mod actor;
mod core;
mod messages;

pub use self::core::{ANSWER_TIMEOUT, SequencerCore, ValidatorLink};
pub use actor::{BACKLOG_BLOCKS, SequencerActor};
pub use messages::{Advance, Follow, FollowBlock, FollowFault, Halt, LedgerTip, Order, OrderError, Pace};
