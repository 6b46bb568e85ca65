//! The gateway: connectors to what people own, run beside a participant.
//!
//! It reads prices from the HTTP API of validators, what its accounts traded from their participants' `results.csv`, and writes their
//! files of orders. It never sees a key: what it asks for is sealed by the participant, as any other row of that file.
//!
//! | module | what |
//! |---|---|
//! | `config` | `gateway.toml` |
//! | `market` | cleared prices from several validators, none believed alone |
//! | `accounts` | fills, wishes and the file of orders of each account |
//! | `evcc` | the tariff forecast over HTTP, charging plans |
//! | `mqtt` | devices of Home Assistant over a broker |
//! | `run` | the process |
//!
//! Every peer has a task of its own with bounds in time and size: one that is silent, floods or sends garbage delays no other.
#![forbid(unsafe_code)]

mod accounts;
mod config;
mod evcc;
mod market;
mod mqtt;
mod run;

pub use config::{GatewayConfig, GatewayConfigError};
pub use run::{GatewayError, run};
