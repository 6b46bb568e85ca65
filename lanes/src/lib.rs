//! Eight-lane arithmetic on Ristretto255 and modulo its order, and eight Keccak sponges, for processors with AVX-512 IFMA.
//!
//! [`Lanes::detect`] looks at run time whether the processor has what this needs; the crate above falls back to
//! `curve25519_dalek` where it has not. Everything is public-data arithmetic in variable time, but for
//! [`FixedTable`], which multiplies secret scalars in constant time.
//!
//! # Safety
//! All unsafe code of veilgrid is in this crate: vector loads and stores of whole references (`field`), and the calls of
//! functions that are compiled for AVX-512 (here), each behind a [`Lanes`], which only [`Lanes::detect`] makes.
//! `tests/differential.rs` compares every function with `curve25519_dalek`.

#[cfg(target_arch = "x86_64")]
mod digits;
#[cfg(target_arch = "x86_64")]
mod field;
#[cfg(target_arch = "x86_64")]
mod multiply;
#[cfg(target_arch = "x86_64")]
mod point;
#[cfg(target_arch = "x86_64")]
mod scalar;
#[cfg(target_arch = "x86_64")]
mod secret;
#[cfg(target_arch = "x86_64")]
mod sponge;

#[cfg(target_arch = "x86_64")]
mod wide;
#[cfg(target_arch = "x86_64")]
pub use point::{Affine, Sum};
#[cfg(target_arch = "x86_64")]
pub use scalar::ScalarSums;
#[cfg(target_arch = "x86_64")]
pub use secret::FixedTable;
#[cfg(target_arch = "x86_64")]
pub use sponge::{SPONGE_BLOCK_BYTES, SpongeBlock};
#[cfg(target_arch = "x86_64")]
pub use wide::Lanes;

#[cfg(not(target_arch = "x86_64"))]
mod absent;
#[cfg(not(target_arch = "x86_64"))]
pub use absent::{Affine, FixedTable, Lanes, SPONGE_BLOCK_BYTES, ScalarSums, SpongeBlock, Sum};
