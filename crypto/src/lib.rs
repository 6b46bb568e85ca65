//! The cryptography of veilgrid: sealed bids with their proofs, threshold keys, openings, envelopes and receipts.
//!
//! Pure: values in, values out. The random source is passed in; there is no clock, no file and no network here.
//! Each step of a bid's life that is cryptographic has one module, named after it; `protocol-spec/` has a chapter for
//! each.

mod absorb;
pub mod bases;
pub mod bid;
pub mod dlog;
pub mod envelope;
pub mod fast;
pub mod group;
mod hybrid;
pub mod keygen;
pub mod labels;
pub mod opening;
pub mod receipt;
pub mod relay;
pub mod schnorr;
pub mod secret;
pub mod tally;
pub mod wallet;
pub mod wire;
