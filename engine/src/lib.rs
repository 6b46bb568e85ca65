//! The BFT engine: order, finality, certificates and gossip, behind one interface. No other crate names the engine.
//!
//! A validator gives [`start`] an [`Application`] under a mutex; everybody else verifies the engine's work with
//! [`veilgrid_ledger::finality::verify`].

mod application;
mod automaton;
mod block;
mod certificate;
mod config;
mod delivery;
mod epochs;
mod fault;
mod foundation;
mod gossip;
mod handle;
mod inbox;
mod keys;
mod limits;
mod network;
mod node;
mod order;
mod runtime;
mod schemes;
mod shared;
#[cfg(feature = "simulation")]
pub mod simulation;
mod store;
mod witness;

pub use application::{Application, ApplicationError, GossipWork, MAX_GOSSIP_BYTES, Proposal, VoteWitness};
pub use config::{EngineConfig, EngineError, StartingPoint, Timing};
pub use fault::EngineFault;
pub use handle::{EngineHandle, start};
pub use keys::MAX_VALIDATORS;
pub use limits::{blocks_kept, open_files};
