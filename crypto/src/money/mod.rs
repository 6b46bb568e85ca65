//! Balances and what is proved of them: claims of fills, what is left after a debit, single facts for one asker, that two pairs
//! hold the same.
//!
//! A balance is a pair (R, C) = (b·G, v·V + b·Y_0): a commitment to v with the bases V and Y_0, and at once a ciphertext under
//! the validators' key Y_0. Adding pairs adds balances. Chapter 14 of the specification says what these
//! proofs are for, 8.13 how a ledger uses them.

pub mod claim;
pub mod fact;
pub mod recovery;
pub mod rest;

use curve25519_dalek::scalar::Scalar;

/// A signed amount as a scalar.
pub fn scalar_from_i128(value: i128) -> Scalar {
    let magnitude = Scalar::from(value.unsigned_abs());
    if value < 0 { -magnitude } else { magnitude }
}
