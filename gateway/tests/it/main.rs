//! Whole sessions of a gateway: validators and evcc are played here by their HTTP, the broker is mosquitto.
#![allow(clippy::disallowed_types, reason = "tests of sessions wait by the clock")]
#![cfg(unix)]

mod broker;
mod evcc;
mod house;
mod played;
