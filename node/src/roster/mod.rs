//! The change of a network's validators outside of the ledger: what a node says about them, and the file with the
//! proposal, which travels from one operator to the next until enough have signed it (specification 8.11).
//!
//! Nothing here is believed by the ledger: the rules of the change are `veilgrid_ledger::roster`'s, and every
//! validator checks them again. The file only has to be one that people can read before they sign.

mod error;
mod proposal;
#[cfg(test)]
mod tests;

pub use error::ProposalError;
pub use proposal::{Endorsed, MAX_PROPOSAL_BYTES, Proposal, SignedBy, Standing};
