//! The wire form of a day's shares; the day says their slots.

use super::params::ShareParams;
use crate::group::PointBytes;
use crate::labels;
use crate::wire::{Reader, WireError, Writer};
use sha2::{Digest, Sha256};

/// A day's shares as they travel: nothing in them is checked yet but their lengths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedShares {
    /// R_A = r_A·G.
    pub r: PointBytes,
    /// C_A,k = A_k·V + r_A·Y_k of the day's present slots.
    pub c: Vec<PointBytes>,
    /// The proof.
    pub proof: Vec<u8>,
}

impl SealedShares {
    /// Bytes for a day with so many readings.
    pub fn encoded_bytes(params: &ShareParams, present: usize) -> usize {
        32 + 32 * present + params.proof_bytes()
    }

    /// Canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.bytes(&self.r).bytes(self.c.as_flattened()).bytes(&self.proof);
        w.finish()
    }

    /// Decodes the shares of a day with so many readings and nothing behind them.
    ///
    /// # Errors
    /// [`WireError`]. Points and scalars are decoded later, where they are checked.
    pub fn from_bytes(bytes: &[u8], params: &ShareParams, present: usize) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        // Before anything is allocated: all of it has to be there.
        let needed = Self::encoded_bytes(params, present);
        if bytes.len() < needed {
            return Err(WireError::Truncated { field: "sealed shares", needed, left: bytes.len() });
        }
        let shares = Self {
            r: r.array("shares R")?,
            c: (0..present).map(|_| r.array("shares C")).collect::<Result<_, _>>()?,
            proof: r.bytes("shares proof", params.proof_bytes())?.to_vec(),
        };
        r.finish()?;
        Ok(shares)
    }

    /// The digest that names the shares of the day with this digest.
    pub fn digest(&self, day: &[u8; 32]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(labels::READING_SHARES_DIGEST);
        hash.update(day);
        hash.update(self.to_bytes());
        hash.finalize().into()
    }
}
