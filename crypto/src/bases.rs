//! The public bases: G, V, B and the generator vectors of the range proof.
//!
//! G is the standard base point (bases of keys and handles), V carries values, B blinds proofs. V, B and the
//! generators are hashed to the group, so nobody knows a relation between any two of them (`protocol-spec/02`).
//! The generator vectors are the chain of the `bulletproofs` crate (SHAKE256 of "GeneratorsChain", a letter and the
//! little-endian party index), which lets the tests compare our range proof with that crate's.

use crate::bid::layout::Layout;
use crate::group::{blinding_base, value_base};
use curve25519_dalek::ristretto::{RistrettoBasepointTable, RistrettoPoint};
use rayon::prelude::*;
use sha3::Shake256;
use sha3::digest::{ExtendableOutput, Update, XofReader};

/// Bases for bids of `steps` quantities of `bits` bits.
pub struct Bases {
    layout: Layout,
    generators_g: Vec<RistrettoPoint>,
    generators_h: Vec<RistrettoPoint>,
    value: RistrettoPoint,
    blinding: RistrettoPoint,
    value_table: RistrettoBasepointTable,
    blinding_table: RistrettoBasepointTable,
}

impl Bases {
    /// Derives all bases. `bits` and `steps` are powers of two (checked by `BidParams`); `money` adds the generators of the
    /// values that a bid with money proves besides its quantities.
    pub fn derive(bits: usize, steps: usize, money: bool) -> Self {
        Self::of(Layout::new(bits, steps, money))
    }

    /// The bases of a layout.
    pub(crate) fn of(layout: Layout) -> Self {
        let bits = layout.bits;
        let parties = layout.total() / bits;
        let chain = |letter: u8| -> Vec<RistrettoPoint> {
            (0..parties).into_par_iter().flat_map_iter(|party| generator_chain(letter, party, bits)).collect()
        };
        let (value, blinding) = (value_base(), blinding_base());
        Self {
            layout,
            generators_g: chain(b'G'),
            generators_h: chain(b'H'),
            value,
            blinding,
            value_table: RistrettoBasepointTable::create(&value),
            blinding_table: RistrettoBasepointTable::create(&blinding),
        }
    }

    /// Bits of a quantity.
    pub fn bits(&self) -> usize {
        self.layout.bits
    }
    /// Quantities of a bid, M.
    pub fn steps(&self) -> usize {
        self.layout.steps
    }
    /// Where the values stand.
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }
    /// The generators of the left vector, one a place: `bits · steps` of them, step by step, then those of money.
    pub fn g(&self) -> &[RistrettoPoint] {
        &self.generators_g
    }
    /// The generators of the right vector.
    pub fn h(&self) -> &[RistrettoPoint] {
        &self.generators_h
    }
    /// The value base V.
    pub fn value(&self) -> &RistrettoPoint {
        &self.value
    }
    /// The blinding base B.
    pub fn blinding(&self) -> &RistrettoPoint {
        &self.blinding
    }
    /// Precomputed multiples of V (constant-time multiplication).
    pub fn value_table(&self) -> &RistrettoBasepointTable {
        &self.value_table
    }
    /// Precomputed multiples of B (constant-time multiplication).
    pub fn blinding_table(&self) -> &RistrettoBasepointTable {
        &self.blinding_table
    }
}

fn generator_chain(letter: u8, party: usize, count: usize) -> Vec<RistrettoPoint> {
    let mut shake = Shake256::default();
    shake.update(b"GeneratorsChain");
    shake.update(&[letter]);
    shake.update(&u32::try_from(party).expect("steps are far below 2^32").to_le_bytes());
    let mut reader = shake.finalize_xof();
    (0..count)
        .map(|_| {
            let mut bytes = [0u8; 64];
            reader.read(&mut bytes);
            RistrettoPoint::from_uniform_bytes(&bytes)
        })
        .collect()
}
