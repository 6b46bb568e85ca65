//! A validator: its keys, its own copy of the ledger, its own store.
//!
//! The same core as in a network ([`veilgrid_roles::core`]), with the orderer of this process in place of the engine:
//!
//! | message | an engine's |
//! |---|---|
//! | [`OfferBids`] | the relay of an aggregator |
//! | [`OfferTransaction`] | claims, orders and other transactions from outside |
//! | [`Gossip`] | what validators tell each other |
//! | [`Propose`] | the leader's turn |
//! | [`CastVote`] | proposal; the answer is the vote |
//! | [`Finalise`] | final block and certificate; executed and flushed before it is acknowledged |
//!
//! # Restart
//! A validator whose store fails acknowledges nothing more of that block: it drops its state, which may be ahead of the
//! disk, and stops. Its supervisor starts it again with its mailbox: it reopens the store, replays every block from
//! the genesis with all proofs, and stands at the last block that was flushed, with the same state root as before; the
//! orderer hands it what it lacks. If the store does not open, it answers everything with [`ValidatorFault::Down`].
//! Secrets stay in memory across such a restart and nowhere else: when the process ends they are gone, so a stored ledger
//! can be replayed and audited later, but not continued.

mod actor;
mod journal;
mod messages;

pub use actor::ValidatorActor;
pub use journal::{Journal, JournalError, StoreJournal, replay};
pub use messages::{
    Acknowledgement, CastVote, Finalise, Gossip, GossipMessage, Gossiped, Identify, Join, OfferBids,
    OfferTransaction, Propose, Tip, ValidatorFault,
};
