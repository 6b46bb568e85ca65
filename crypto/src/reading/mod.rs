//! A day of readings: a vector of encrypted quantities, one a slot of the day, with one proof for all of them.
//!
//! The readings x_k of one account and direction under the slots' keys Y_k are R = r·G and C_k = x_k·V + r·Y_k for the slots k that
//! have one. A reading that is missing has no point; the proof, which is a bid's ([`crate::bid`]) over all places, forces the
//! values without a point to zero, and no sum has them:
//!
//! ```text
//! { (r, x_k) :  R = r·G  ∧  for all k with a reading  C_k = x_k·V + r·Y_k  ∧  0 ≤ x_k < 2^n }
//!
//! E1   Σ_present z^{1+k}·C_k + δ(y,z)·V + x·T1 + x²·T2 − t̂·V = r·Σ_present z^{1+k}·Y_k + τ·B
//! E2   Σ_present ρ^{k−1}·C_k = x_ρ·V + r·Σ_present ρ^{k−1}·Y_k
//! E3   R = r·G
//! ```
//!
//! [`seal_day`] makes it, [`verify_days`] checks many in one multiscalar multiplication, [`DayTally`] adds up what is opened.
//! [`shares`] has the proof that a share is the smaller of a cap and what was consumed. The specification is
//! `protocol-spec/15-readings.md`.
//!
//! # Security
//! A day's vector is not signed: its source signs the digests of a batch of them. Whoever knows the month's seed knows every r
//! and reads all of it: the source, which has read the meter, and nobody else.

mod context;
mod day_point;
mod params;
mod recovery;
mod replay;
mod seal;
mod sealed;
pub mod shares;
mod tally;
mod verify;

#[cfg(test)]
mod tests;

pub use context::{DayContext, DayHeader, Direction, Grade, Kind};
pub use day_point::{DayVector, day_point, day_point_holds};
pub use params::{DayParams, DayParamsError, MAX_SLOTS};
pub use recovery::{ReadingKey, RecoveryError, open_day};
pub use seal::{DayError, DaySource, seal_day};
pub use sealed::{RECOVERY_BYTES, SealedDay};
pub use tally::{DayTally, SlotSum};
pub use verify::{DayFault, DayStatement, VerifiedDay, check_day, verify_days};
