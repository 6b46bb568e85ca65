//! The sealed bid: a vector of encrypted quantities, one a price step, with one proof for all of them.
//!
//! A bid of M quantities x_k under step keys Y_k is R = r·G and C_k = x_k·V + r·Y_k. Its proof shows, in one
//! transcript, the relation
//!
//! ```text
//! { (r, x_1..x_M) :  R = r·G  ∧  ∀k  C_k = x_k·V + r·Y_k  ∧  0 ≤ x_k < 2^n }
//! ```
//!
//! by an aggregated Bulletproof (Bünz et al., S&P 2018, section 4.2) whose blinding scalar τ_x gives way to a Schnorr
//! proof of (r, τ, x_ρ) for the equations
//!
//! ```text
//! E1   Σ z^{1+k}·C_k + δ(y,z)·V + x·T1 + x²·T2 − t̂·V = r·Σ z^{1+k}·Y_k + τ·B
//! E2   Σ ρ^{k−1}·C_k = x_ρ·V + r·Σ ρ^{k−1}·Y_k
//! E3   R = r·G
//! ```
//!
//! Walking along a bid: [`seal`] makes it, [`sealed`] is its wire form, [`replay`] rebuilds its challenges,
//! [`prepared`] is a bid with them and its points, [`equations`] checks one bid equation by equation, [`batch`] checks many in one multiscalar multiplication and
//! [`verify`] turns that into one verdict a bid; [`signature`] checks who sent it and nothing else. The specification is `protocol-spec/03-sealed-bid.md`.

pub mod batch;
pub(crate) mod commit;
pub mod equations;
mod fault;
pub(crate) mod inner_product;
pub(crate) mod layout;
pub(crate) mod merge;
pub mod money;
mod montgomery;
pub mod note;
pub mod params;
pub mod prepared;
pub(crate) mod range_prover;
pub mod replay;
pub mod seal;
pub mod sealed;
pub mod signature;
pub(crate) mod steps;
pub mod verify;

#[cfg(test)]
mod tests;

pub use fault::BidFault;
pub use money::{AccountTerms, AvailableOpening, BidMoney, CostWeights};
pub use note::{NoteError, open_note};
pub use params::{BidParams, ParamsError, RoundContext};
pub use seal::{SealError, cost_opening, seal_bid, seal_bid_with_money};
pub use sealed::{BidShape, SealedBid};
pub use signature::{check_signature, check_signature_with_money, check_signatures};
pub use verify::{
    Statement, VerifiedBid, verify_all_bids, verify_all_bids_with_money, verify_all_statements, verify_bids,
    verify_bids_with_money, verify_statements,
};
