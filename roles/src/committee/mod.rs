//! Validators that agree in one process: the same cores, rules and certificates as a network's, without its engine.
//!
//! An [`Orderer`] gives each view a leader; the leader's core proposes, every [`Voter`] checks the block and signs it, and
//! more than two thirds of the signatures make the certificate with which the block is final. Nobody is trusted for the
//! order: a voter signs one block of a height, the next one after its last final one, so that whoever hands out two of them gets a
//! certificate for one at most. What is left to the orderer is what a network's connections can do, to be late, and to move the
//! simulated clock.
//!
//! [`crate::local`] calls these one after another in one thread; actors do it by messages.

mod false_share;
mod founders;
mod orderer;
mod voter;

pub use false_share::{FalseShare, named};
pub use founders::{Founding, Keys, found_genesis, one_process_timing, simulated_pace, threshold_for};
pub use orderer::{Orderer, bids_at_once};
pub use voter::{FinaliseFault, LastVote, VoteFault, Voter};
