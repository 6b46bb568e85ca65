//! Members: prosumers, consumers and charging stations, each with its wallet, its model and its own data.
//!
//! One actor type serves all roles; the model decides what a member wants. A bid is formed on the actor's thread,
//! sealed on the [pool](crate::pool), and answered with the aggregator's receipt, whose signature the member checks.
//! The sealed bytes are kept until the round ends: a bid that has to be sent again is the same bid.
//!
//! # Privacy
//! What a member answers to the day's conductor ([`Placed`], [`Fill`](veilgrid_roles::member::Fill)) is the
//! simulation's own knowledge, for its report. Nothing of it goes to any other actor or to a log.

mod actor;
mod messages;

pub use actor::{Market, MemberActor};
pub use messages::{PlaceBid, Placed, PlacingError, RoundSettled, RoundVoided, TellAccount};

use veilgrid_roles::behaviour::{ChargingStation, Consumer, Prosumer};

/// A member with load and generation.
pub type ProsumerActor = MemberActor<Prosumer>;
/// A member with load.
pub type ConsumerActor = MemberActor<Consumer>;
/// A member that charges vehicles.
pub type ChargingStationActor = MemberActor<ChargingStation>;
