//! The cryptography of veilgrid: sealed bids with their proofs, threshold keys, openings, envelopes and receipts.
//!
//! Pure: values in, values out. The random source is passed in; there is no clock, no file and no network here.
//! Each step of a bid's life that is cryptographic has one module, named after it; `protocol-spec/` has a chapter for
//! each.
//!
//! A bid is sealed by its member and verified by everybody else; only verified bids enter a tally:
//!
//! ```
//! use curve25519_dalek::{RistrettoPoint, Scalar};
//! use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
//! use veilgrid_crypto::bid::{BidParams, RoundContext, seal_bid, verify_bids};
//! use veilgrid_crypto::tally::Tally;
//! use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut rng = ChaCha20Rng::from_seed([7; 32]); // the operating system's in a program
//!
//! // One key per price step. On a ledger the validators generate them together, and nobody has their secrets.
//! let step_keys = (0..8).map(|_| RistrettoPoint::mul_base(&Scalar::random(&mut rng))).collect();
//! let params = BidParams::new(16, step_keys, [1; 32])?;
//! let round = RoundContext {
//!     ledger_id: [2; 32],
//!     key_epoch: 0,
//!     round_id: 1,
//!     slot_start_unix_s: 1_800_000_000,
//!     slot_seconds: 900,
//! };
//!
//! // 250 Wh at one step, and which step it is stays with the member.
//! let keyring = Keyring::from_seed(&KeyringSeed::generate(&mut rng));
//! let bid = seal_bid(&params, &round, &keyring, &[0, 0, 250, 0, 0, 0, 0, 0], &mut rng)?;
//!
//! let mut tally = Tally::new(params.steps());
//! for verdict in verify_bids(&params, &round, &[bid.clone()]) {
//!     tally.add(&verdict?);
//! }
//! assert_eq!(tally.count(), 1);
//!
//! // One changed bit anywhere, and the bid is refused.
//! let mut changed = bid;
//! changed.r[0] ^= 1;
//! assert!(verify_bids(&params, &round, &[changed])[0].is_err());
//! # Ok(())
//! # }
//! ```

mod absorb;
pub mod bases;
pub mod bid;
pub mod dlog;
pub mod envelope;
pub mod fast;
pub mod group;
mod hybrid;
pub mod keygen;
pub mod keyring;
pub mod labels;
pub mod money;
pub mod opening;
pub mod reading;
pub mod receipt;
pub mod relay;
pub mod schnorr;
pub mod secret;
pub mod tally;
pub mod wire;
