//! Simulated communities: whose energy it is, and how their members would bid.
//!
//! - [`community`]: a community's day from CSV, members and slots of a run, a published case study.
//! - [`behaviour`]: integer models of a prosumer, a consumer and a charging station, with draws under a seed.
//! - [`compare`]: what a day costs under the auction, and under other ways to share energy.
//!
//! Everything here is pure: values in, values out, and a reader that the caller hands over. It serves the demo, the
//! networks of one machine and the tests; no process of a real network depends on it. A real member's orders come from
//! its owner (`veilgrid_roles::member`).
#![forbid(unsafe_code)]

pub mod behaviour;
pub mod community;
pub mod compare;
