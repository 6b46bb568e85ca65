//! Eight-lane arithmetic on Ristretto255 and modulo its order, and eight Keccak sponges: by AVX-512 IFMA, by AVX2 and FMA, or in
//! 64-bit words, whichever the processor has.
//!
//! [`Lanes::detect`] looks at run time what the processor has. Everything is public-data arithmetic in variable time, but for
//! [`FixedTable`], which multiplies secret scalars in constant time.
//!
//! # Safety
//! All unsafe code of veilgrid is in this crate: vector loads and stores of whole references (`field`), and the calls of
//! functions that are compiled for a feature of the processor: from the generic code to a kind's (`field`, `sponge`), and
//! from outside (`wide`, `scalar`), each behind a [`Lanes`], which only [`Lanes::of`] makes where the feature is.
//! `tests/differential.rs` compares every function with `curve25519_dalek`.

mod digits;
mod field;
mod multiply;
mod point;
#[cfg_attr(not(target_arch = "x86_64"), path = "absent.rs")]
mod scalar;
mod secret;
mod slices;
mod sponge;
mod wide;

pub use point::{Affine, Sum};
pub use scalar::{ScalarLanes, ScalarSums};
pub use secret::FixedTable;
pub use sponge::{SPONGE_BLOCK_BYTES, SpongeBlock};
pub use wide::{Kind, Lanes};
