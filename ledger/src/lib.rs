//! The ledger of veilgrid: rules only.
//!
//! A ledger is a chain of [`block::Block`]s of [`transaction::Transaction`]s; [`state::State`] says which are accepted
//! and what they do. Everything here is a pure function of the blocks: no clock but the block's, no randomness, no
//! unordered map, no float, no file and no network. The path of a round through the crate:
//!
//! 1. [`genesis`] fixes community, market and threshold keys; [`community`] checks them;
//! 2. [`checks`] are the rules that need no state, [`state`] those that do, in the order of a round's life;
//! 3. [`builder`] puts transactions into the next block, which is where a BFT engine will stand;
//! 4. [`export`] is the file form of a ledger, [`audit`] replays it with no secret and counts what it checked.
//!
//! Whoever has a ledger's file can check all of it, and needs no secret and nobody's word:
//!
//! ```
//! use veilgrid_ledger::audit::{AuditRequest, audit_export};
//! use veilgrid_ledger::export::LedgerReader;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../protocol-spec/conformance/network/honest.vgl");
//! let file = std::io::BufReader::new(std::fs::File::open(path)?);
//! // Every block is executed again, every proof and every certificate is verified.
//! let report = audit_export(LedgerReader::new(file)?, AuditRequest::default(), |_progress| {})?;
//! assert!(report.blocks > 1 && report.certificates.covered_blocks + 1 == report.blocks);
//! # Ok(())
//! # }
//! ```
//!
//! Rules come in three layers: structural (the transaction alone), semantic (its proofs), contextual (the state).
//! Each has one variant of [`refusal::Refusal`] or [`refusal::BlockFault`].
#![forbid(unsafe_code)]

pub mod audit;
pub mod chain;
pub mod genesis;
pub mod keys;
pub mod members;
pub mod money;
pub mod rounds;
pub mod state;
pub mod validators;

pub use chain::{block, builder, export, hash, pruned, refusal, transaction};
pub use genesis::{capacity, community, key_roles, params};
pub use keys::room;
pub use rounds::{checks, foresight, timing, verdicts};
pub use validators::{finality, roster};
