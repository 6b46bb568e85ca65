//! The HTTP API of validators and aggregators.
//!
//! | path | answer |
//! |---|---|
//! | `POST /v1/bids` | the receipt of an enveloped bid, as octets or JSON |
//! | `POST /v1/relay` | validators: what became of each bid of the aggregator's signed batch |
//! | `POST /v1/transactions` | 202 when a key event or a change of validators is in the pool |
//! | `GET /v1/status` | what the node says about itself and its ledger |
//! | `GET /v1/genesis` | block 0 |
//! | `GET /v1/validators` | the validators in force, those to follow, the key session that goes on |
//! | `GET /v1/blocks?from=H&max=N&wait_ms=W` | blocks with certificates, in frames |
//! | `GET /v1/rounds/{id}` | where a round stands and how it ended |
//! | `GET /v1/healthz` | 200 when the node does its work |
//! | `GET /v1/metrics` | counters for Prometheus |
//!
//! HEAD is answered as GET is, without the body; OPTIONS says what a path takes; any other method is 405 with `Allow`. The last
//! two and the status are on a listener of their own too, when there is one ([`HealthServer`]).
//!
//! Refusals are problems of RFC 9457 ([`Problem`]); their kinds are part of the API.
//!
//! # Security
//! Nothing that is sent is trusted, and whoever sends is anybody. The order is: a place among the connections, by the
//! address; the TLS handshake; the address's share of requests, the stated length, a place for the body, the body within its time, then the intake's checks in the order of their
//! cost. Memory is bounded by connections, places and the intake's own bounds; a peer that is slow holds one
//! connection, one place and one block. A flood from many addresses at once still fills the connections: what is in
//! front of the server (a firewall) has to help then, and members have several nodes to send to.

mod bids;
mod body;
mod certificate;
mod connection_counts;
mod connections;
mod door;
mod entrance;
mod guest;
mod health;
mod ledger;
mod limit;
mod listener;
mod metrics;
mod pace;
mod places;
mod problem;
mod relay_places;
mod rounds;
mod routes;
mod server;
mod services;
mod strangers;
mod validators;

pub use connection_counts::HandshakeEnd;
pub use door::Door;
pub use health::{HealthDoor, HealthServer};
pub use limit::Rate;
pub use metrics::Metrics;
pub use problem::{Kind, Problem};
pub(crate) use server::FILES_BESIDE;
pub use server::{HttpError, HttpOptions, HttpServer};
pub use services::{Services, StatusReport, SubmitError, SubmitTransaction};
pub use strangers::{malformed, note_malformed};
