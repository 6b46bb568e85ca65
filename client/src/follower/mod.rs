//! Following the ledger from outside of the validator set: blocks from any validator, belief in none.
//!
//! A block is accepted when it or a later block of the same run has a certificate of the validators that the ledger
//! names for its epoch; then its transactions are executed and every bid is verified. What a source says is compared
//! with that: sources that are silent or behind are asked less often, sources that lie are set aside and named. Two
//! certified blocks that exclude each other prove more than f faulty validators: the follower writes both down and
//! stops, because from there on the network's promises do not hold.
//!
//! | module | what |
//! |---|---|
//! | `chain` | the rules above, without any network |
//! | `fetch` | where blocks come from, behind a trait |
//! | `sources` | whom to ask next |
//! | `asking` | which blocks, and what is concluded from an answer |
//! | `keeper` | blocks on disk and what is replayed from it |
//! | `run` | the loop |

mod asking;
mod chain;
mod error;
mod evidence;
mod fetch;
mod keeper;
mod run;
mod sources;

pub use chain::{Accepted, Chain, SourceFault, Taken};
pub use error::FollowerError;
pub use evidence::ForkEvidence;
pub use fetch::{Fetch, Fetched};
pub use keeper::{Keeper, genesis_from};
pub use run::{Follower, FollowerOptions, Following};
pub use sources::{Source, Sources};
pub use veilgrid_ledger::audit::{CertificateCheck, QuorumCertificates};
