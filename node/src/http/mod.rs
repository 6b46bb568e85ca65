//! The server of the HTTP API ([`veilgrid_api`]) of validators and aggregators.
//!
//! HEAD is answered as GET is, without the body; OPTIONS says what a path takes; any other method is 405 with `Allow`. Status,
//! health and metrics are on a listener of their own too, when there is one ([`HealthServer`]).
//!
//! Paths, bodies and kinds of refusals are in `veilgrid_api`, which the client uses too; a handler refuses by a [`Refusal`].
//!
//! # Security
//! Nothing that is sent is trusted, and whoever sends is anybody. The order is: a place among the connections, by the
//! address; the TLS handshake; the address's share of requests, the stated length, a place for the body, the body within its time, then the intake's checks in the order of their
//! cost. Memory is bounded by connections, places and the intake's own bounds; a peer that is slow holds one
//! connection, one place and one block. A flood from many addresses at once still fills the connections: what is in
//! front of the server (a firewall) has to help then, and members have several nodes to send to.

mod body;
mod certificate;
mod connection_counts;
mod connections;
mod door;
mod entrance;
mod guest;
mod health;
mod limit;
mod listener;
mod metrics;
mod options;
mod pace;
mod places;
mod refusal;
mod relay_places;
mod routes;
mod server;
mod services;
mod strangers;

pub use connection_counts::HandshakeEnd;
pub use door::Door;
pub use health::{HealthDoor, HealthServer};
pub use limit::Rate;
pub use metrics::Metrics;
pub use options::{HttpError, HttpOptions};
pub use refusal::Refusal;
pub(crate) use server::FILES_BESIDE;
pub use server::HttpServer;
pub use services::{Services, SubmitError, SubmitTransaction};
pub use strangers::{malformed, note_malformed};
