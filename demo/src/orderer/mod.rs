//! The orderer of one process: it stands where a network has an engine, and is trusted no more than one.
//!
//! It gives each view a leader, carries blocks, votes and gossip between the validators, and hands on what more than two
//! thirds of them have signed. Rules, votes and certificates are the validators' own ([`veilgrid_roles::committee`]); an
//! orderer can be late, keep bids from all of them and move the simulated clock, and gets no second block of a height signed.
//!
//! | message | direction |
//! |---|---|
//! | [`Keep`](veilgrid_actors::aggregator::Keep) | aggregator to orderer; the answer comes when the ledger has the bids |
//! | [`NextBlock`] | conductor to orderer; simulated time goes on as far as the next block takes |
//! | [`OfferBids`](veilgrid_actors::validator::OfferBids), [`Gossip`](veilgrid_actors::validator::Gossip), [`Propose`](veilgrid_actors::validator::Propose), [`CastVote`](veilgrid_actors::validator::CastVote), [`Finalise`](veilgrid_actors::validator::Finalise) | orderer to validators |
//! | [`FollowBlock`](veilgrid_actors::follow::FollowBlock) | orderer to aggregator and auditor: final blocks in order, with their certificates |
//!
//! # Validators that fail
//! The ledger goes on without f of 3f + 1: a leader that proposes nothing, only waits, or whose block at most f vote for is passed over, a
//! validator that does not take a final block is handed it again with the next one, and one that comes to another state is left behind and named.
//!
//! # Followers
//! The aggregator follows in step: an order is answered after it has executed the block, so that it never takes a bid
//! for a round that is closed. An auditor may lag behind by [`BACKLOG_BLOCKS`]; after that the market waits for it,
//! because an auditor that misses a block can never go on.

mod actor;
mod core;
mod links;
mod messages;

pub use self::core::OrdererCore;
pub use actor::{BACKLOG_BLOCKS, OrdererActor};
pub use links::{ANSWER_TIMEOUT, ValidatorLink};
pub use messages::{Attend, Decided, Ended, Follow, Halt, LedgerTip, NextBlock, OrderError, Pace, Submit};
