//! Members: prosumers, consumers and charging stations, each with its keys and its owner's orders.
//!
//! One actor serves all of them, in a process of a network and in the demo: what differs lies around it. The
//! desk ([`Desk`](veilgrid_roles::member::Desk)) decides; a bid is sealed on the [pool](crate::pool) and
//! sent by a [`Post`]. It follows the ledger by [`Observe`] and the time by [`Turn`].
//!
//! # Privacy
//! Results are for the member's owner, and a [`Watch`] is the member's own process. Nothing of them goes to any other role or
//! to a log.
//!
//! # Restart
//! The actor never stops by itself. What must not be lost is in its archive: a new actor that observes the ledger from its
//! beginning is where the old one was.

mod actor;
mod messages;
mod surroundings;

pub use actor::{Around, MemberActor};
pub use messages::{Observe, Turn};
pub use surroundings::{News, NoReceipt, Post, Posted, Submitted, Watch};
