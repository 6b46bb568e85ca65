//! The safe interface: functions on slices, behind a witness that the processor has AVX-512 IFMA.

use crate::multiply;
use crate::point::{Affine, Affine8, Sum, Sum8, decode16, encode8, normalize_groups};
use crate::scalar::ScalarSums;
use crate::secret::FixedTable;
use crate::sponge::{self, SPONGE_BLOCK_BYTES, SpongeBlock};

/// Witness of a processor with AVX-512 F and IFMA.
#[derive(Clone, Copy, Debug)]
pub struct Lanes(());

impl Lanes {
    /// Looks at the processor; none where AVX-512 F or IFMA is missing.
    pub fn detect() -> Option<Self> {
        let has = std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512ifma");
        has.then_some(Self(()))
    }

    /// Sums that start at the identity.
    pub fn identities(self, count: usize) -> Vec<Sum> {
        vec![Sum::IDENTITY; count]
    }

    /// Decodes Ristretto255 encodings; none for what is not canonical.
    pub fn decode(self, encodings: &[[u8; 32]]) -> Vec<Option<Affine>> {
        // SAFETY: `self` shows that the processor has the features that the function is compiled for.
        unsafe { decode(encodings) }
    }

    /// Encodes points.
    pub fn encode(self, points: &[Sum]) -> Vec<[u8; 32]> {
        // SAFETY: as in `decode`.
        unsafe { encode(points) }
    }

    /// Adds each term to the sum at its place.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn add_assign(self, sums: &mut [Sum], terms: &[Affine]) {
        assert_eq!(sums.len(), terms.len(), "one term a sum");
        // SAFETY: as in `decode`.
        unsafe { add_assign(sums, terms) }
    }

    /// Adds each sum to the sum at its place.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn add_sums(self, sums: &mut [Sum], terms: &[Sum]) {
        assert_eq!(sums.len(), terms.len(), "one term a sum");
        // SAFETY: as in `decode`.
        unsafe { add_sums(sums, terms) }
    }

    /// Σ points.
    pub fn total<'a>(self, points: impl IntoIterator<Item = &'a Affine>) -> Sum {
        let points: Vec<&Affine> = points.into_iter().collect();
        // SAFETY: as in `decode`.
        unsafe { total(&points) }
    }

    /// Σ sums.
    pub fn total_of_sums(self, sums: &[Sum]) -> Sum {
        // SAFETY: as in `decode`.
        unsafe { total_of_sums(sums) }
    }

    /// Σ scalar·point for public data, in variable time. Scalars are canonical bytes below the group order.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn multiscalar(self, scalars: &[[u8; 32]], points: &[&Affine]) -> Sum {
        assert_eq!(scalars.len(), points.len(), "one scalar a point");
        // SAFETY: as in `decode`.
        unsafe { multiply::multiscalar(scalars, points) }
    }

    /// `first[i]` + Σ_b scalar_b·`rows_b[i]` for each i, in variable time, brought to z = 1.
    ///
    /// # Panics
    /// When the rows are not as long as `first`, or not one a scalar.
    pub fn fold_columns(self, first: &[Affine], scalars: &[[u8; 32]], rows: &[&[Affine]]) -> Vec<Affine> {
        assert_eq!(scalars.len(), rows.len(), "one row a scalar");
        assert!(rows.iter().all(|row| row.len() == first.len()), "rows of equal length");
        // SAFETY: as in `decode`.
        unsafe { fold_columns(first, scalars, rows) }
    }

    /// Sums of scalars, all zero; the number of places is a multiple of eight.
    ///
    /// # Panics
    /// When it is not.
    pub fn scalar_sums(self, places: usize) -> ScalarSums {
        ScalarSums::new(places)
    }

    /// Adds to place p of 8·2^`factors.len()` the product of `first[p mod 8]`, below 2^256, and of the factors whose bit is
    /// set in p / 8, the first factor's bit being the lowest. A factor f is given as f·2^260 mod ℓ. Modulo ℓ; public data.
    ///
    /// # Panics
    /// When the number of places is another one.
    pub fn add_products(self, sums: &mut ScalarSums, first: &[[u8; 32]; 8], factors: &[[u8; 32]]) {
        assert_eq!(sums.len(), 8 << factors.len(), "a place a product");
        // SAFETY: as in `decode`.
        unsafe { sums.add_products(first, factors) }
    }

    /// Adds `start[p mod start.len()]`·step^(p / `start.len()`) to place p; values as in [`Self::add_products`].
    ///
    /// # Panics
    /// When the rows are not of eights, or do not fill the places.
    pub fn add_progressions(self, sums: &mut ScalarSums, start: &[[u8; 32]], step: &[u8; 32]) {
        let whole =
            !start.is_empty() && start.len().is_multiple_of(8) && sums.len().is_multiple_of(start.len());
        assert!(whole, "rows of eights that fill the places");
        // SAFETY: as in `decode`.
        unsafe { sums.add_progressions(start, step) }
    }

    /// Two progressions, each its first eight terms and the factor that leads from each term to the eighth after it: with
    /// c_p the sum of both at p, adds c_p·added to place p, and hands out c_p·out as little-endian bytes below 2ℓ. Values as in
    /// [`Self::add_products`].
    pub fn add_two_progressions(
        self,
        sums: &mut ScalarSums,
        progressions: [(&[[u8; 32]; 8], &[u8; 32]); 2],
        added: &[u8; 32],
        out: &[u8; 32],
    ) -> Vec<[u8; 32]> {
        // SAFETY: as in `decode`.
        unsafe { sums.add_two_progressions(progressions, added, out) }
    }

    /// Runs eight `Keccak-f[1600]` sponges from the zero state: adds block i of each to its state, permutes, and where `squeezes`
    /// has (i, n) hands out the first n bytes of each state and sets them to zero there. What a sponge handed out stands one
    /// after another.
    ///
    /// # Panics
    /// When the sponges have not equally many blocks, or n is no multiple of eight or more than a block.
    pub fn sponges(self, blocks: [&[SpongeBlock]; 8], squeezes: &[(usize, usize)]) -> [Vec<u8>; 8] {
        assert!(blocks.iter().all(|lane| lane.len() == blocks[0].len()), "equally many blocks");
        let whole = |(_, bytes): &(usize, usize)| *bytes <= SPONGE_BLOCK_BYTES && bytes.is_multiple_of(8);
        assert!(squeezes.iter().all(whole), "whole words of a block");
        // SAFETY: as in `decode`.
        unsafe { sponge::run(blocks, squeezes) }
    }

    /// A table for constant-time multiplications of these points.
    pub fn fixed_table(self, points: &[Affine]) -> FixedTable {
        // SAFETY: as in `decode`.
        unsafe { FixedTable::build(points) }
    }

    /// Σ scalar·point for secret scalars, in constant time.
    ///
    /// # Panics
    /// When there is not one scalar a point.
    pub fn secret_multiscalar(self, table: &FixedTable, scalars: &[[u8; 32]]) -> Sum {
        assert_eq!(scalars.len(), table.len(), "one scalar a point");
        // SAFETY: as in `decode`.
        unsafe { table.multiply(scalars) }
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn decode(encodings: &[[u8; 32]]) -> Vec<Option<Affine>> {
    let mut points = Vec::with_capacity(encodings.len());
    for chunk in encodings.chunks(16) {
        let mut block = [[0u8; 32]; 16];
        block[..chunk.len()].copy_from_slice(chunk);
        let (decoded, valid) = decode16(&block);
        points.extend((0..chunk.len()).map(|i| (valid >> i & 1 == 1).then_some(decoded[i])));
    }
    points
}

/// Eight references from a slice of at most eight, the identity in place of what is missing.
fn pad<'a, T>(chunk: &'a [T], identity: &'a T) -> [&'a T; 8] {
    core::array::from_fn(|l| chunk.get(l).unwrap_or(identity))
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn encode(points: &[Sum]) -> Vec<[u8; 32]> {
    let mut bytes = Vec::with_capacity(points.len());
    for chunk in points.chunks(8) {
        let encoded = encode8(&Sum8::load(pad(chunk, &Sum::IDENTITY)));
        bytes.extend_from_slice(&encoded[..chunk.len()]);
    }
    bytes
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn add_assign(sums: &mut [Sum], terms: &[Affine]) {
    for (sums, terms) in sums.chunks_mut(8).zip(terms.chunks(8)) {
        let added =
            Sum8::load(pad(sums, &Sum::IDENTITY)).add_affine(&Affine8::load(pad(terms, &Affine::IDENTITY)));
        sums.copy_from_slice(&added.store()[..sums.len()]);
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn add_sums(sums: &mut [Sum], terms: &[Sum]) {
    for (sums, terms) in sums.chunks_mut(8).zip(terms.chunks(8)) {
        let added = Sum8::load(pad(sums, &Sum::IDENTITY)).add(&Sum8::load(pad(terms, &Sum::IDENTITY)));
        sums.copy_from_slice(&added.store()[..sums.len()]);
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn total(points: &[&Affine]) -> Sum {
    let mut lanes = Sum8::identity();
    for chunk in points.chunks(8) {
        let eight = core::array::from_fn(|l| chunk.get(l).copied().unwrap_or(&Affine::IDENTITY));
        lanes = lanes.add_affine(&Affine8::load(eight));
    }
    across(&lanes)
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn total_of_sums(sums: &[Sum]) -> Sum {
    let mut lanes = Sum8::identity();
    for chunk in sums.chunks(8) {
        lanes = lanes.add(&Sum8::load(pad(chunk, &Sum::IDENTITY)));
    }
    across(&lanes)
}

/// The sum over the lanes, by halves.
#[target_feature(enable = "avx512f,avx512ifma")]
fn across(lanes: &Sum8) -> Sum {
    let mut points = lanes.store();
    for half in [4, 2, 1] {
        let low: [&Sum; 8] = core::array::from_fn(|l| if l < half { &points[l] } else { &Sum::IDENTITY });
        let high: [&Sum; 8] =
            core::array::from_fn(|l| if l < half { &points[half + l] } else { &Sum::IDENTITY });
        points = Sum8::load(low).add(&Sum8::load(high)).store();
    }
    points[0]
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn fold_columns(first: &[Affine], scalars: &[[u8; 32]], rows: &[&[Affine]]) -> Vec<Affine> {
    let mut groups = multiply::columns(scalars, rows, first.len());
    for (group, first) in groups.iter_mut().zip(first.chunks(8)) {
        *group = group.add_affine(&Affine8::load(pad(first, &Affine::IDENTITY)));
    }
    let mut points: Vec<Affine> = Vec::with_capacity(8 * groups.len());
    for group in normalize_groups(&groups) {
        points.extend(group.store());
    }
    points.truncate(first.len());
    points
}
