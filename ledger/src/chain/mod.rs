//! The chain as such: blocks, their transactions' one encoding, hashes, refusals, and ledger files.

pub mod block;
pub mod builder;
pub mod export;
pub mod hash;
pub mod pruned;
pub mod refusal;
pub mod transaction;
