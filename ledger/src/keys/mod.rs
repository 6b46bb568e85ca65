//! The threshold keys: sessions over the ledger, and whether they fit into blocks.

pub mod refusal;
pub mod room;
mod saved;
pub(crate) mod sessions;
