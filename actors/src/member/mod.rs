//! Members: prosumers, consumers and charging stations, each with its wallet and its owner.
//!
//! One actor type serves all of them; the owner ([`Owner`](veilgrid_roles::member::Owner)) decides what a member wants. A bid is formed on the actor's thread,
//! sealed on the [pool](crate::pool), and answered with the aggregator's receipt, whose signature the member checks.
//! The sealed bytes are kept until the round ends: a bid that has to be sent again is the same bid.
//!
//! # Privacy
//! The [`Fill`](veilgrid_roles::member::Fill) that a member answers with is for its owner. Nothing of it goes to any other
//! role's actor or to a log.

mod actor;
mod messages;

pub use actor::{Market, MemberActor};
pub use messages::{PlaceBid, PlacingError, RoundSettled, RoundVoided};
