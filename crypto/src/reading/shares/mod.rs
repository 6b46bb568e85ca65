//! A day's shares under a static key or coefficients by slot: what a consumer gets is the smaller of a public cap and what it
//! consumed, and nobody sees which.
//!
//! C_c,k = c_k·V + r_c·Y_k are the readings of a proved day ([`super`]), cap_k is public once the slot's generation is opened. The
//! shares A_k are a second vector under r_A, and one proof shows for all slots k with a reading
//!
//! ```text
//! u_k = cap_k − A_k ≥ 0      v_k = c_k − A_k ≥ 0      u_k·v_k = 0
//! ```
//!
//! A range proof shows a_L∘a_R = 0 at every place anyway: its vectors get a place for each slot that holds u_k and v_k, tied to the
//! bits of both by two linear terms (protocol-spec 15.8).
//!
//! # Security
//! Whoever knows r_c proves: the source and the account's owner. That the sum of all A equals that of all caps says that everybody
//! reached its cap; what is opened says so anyway.

mod batch;
mod equations;
mod params;
mod prove;
mod replay;
mod sealed;
mod verify;

#[cfg(test)]
mod tests;

pub use params::{ShareParams, ShareParamsError, ShareUnit};
pub use prove::{ShareError, ShareOpening, seal_shares, share_randomness};
pub use sealed::SealedShares;
pub use verify::{ShareFault, ShareStatement, VerifiedShares, check_shares, verify_shares};
