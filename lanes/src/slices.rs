//! Slices of points, eight at a time, for any kind of lanes.

use crate::field::Field;
use crate::multiply;
use crate::point::{Affine, Affine8, Sum, Sum8, decode16, encode8, normalize_groups};

#[inline(always)]
pub(crate) fn decode<F: Field>(encodings: &[[u8; 32]]) -> Vec<Option<Affine>> {
    let mut points = Vec::with_capacity(encodings.len());
    for chunk in encodings.chunks(16) {
        let mut block = [[0u8; 32]; 16];
        block[..chunk.len()].copy_from_slice(chunk);
        let (decoded, valid) = decode16::<F>(&block);
        points.extend((0..chunk.len()).map(|i| (valid >> i & 1 == 1).then_some(decoded[i])));
    }
    points
}

/// Eight references from a slice of at most eight, the identity in place of what is missing.
fn pad<'a, T>(chunk: &'a [T], identity: &'a T) -> [&'a T; 8] {
    core::array::from_fn(|l| chunk.get(l).unwrap_or(identity))
}

#[inline(always)]
pub(crate) fn encode<F: Field>(points: &[Sum]) -> Vec<[u8; 32]> {
    let mut bytes = Vec::with_capacity(points.len());
    for chunk in points.chunks(8) {
        let encoded = encode8(&Sum8::<F>::load(pad(chunk, &Sum::IDENTITY)));
        bytes.extend_from_slice(&encoded[..chunk.len()]);
    }
    bytes
}

#[inline(always)]
pub(crate) fn add_assign<F: Field>(sums: &mut [Sum], terms: &[Affine]) {
    for (sums, terms) in sums.chunks_mut(8).zip(terms.chunks(8)) {
        let mut added = Sum8::<F>::load(pad(sums, &Sum::IDENTITY));
        added.add_affine(&Affine8::<F>::load(pad(terms, &Affine::IDENTITY)));
        sums.copy_from_slice(&added.store()[..sums.len()]);
    }
}

#[inline(always)]
pub(crate) fn add_sums<F: Field>(sums: &mut [Sum], terms: &[Sum]) {
    for (sums, terms) in sums.chunks_mut(8).zip(terms.chunks(8)) {
        let mut added = Sum8::<F>::load(pad(sums, &Sum::IDENTITY));
        added.add(&Sum8::<F>::load(pad(terms, &Sum::IDENTITY)));
        sums.copy_from_slice(&added.store()[..sums.len()]);
    }
}

#[inline(always)]
pub(crate) fn total<F: Field>(points: &[&Affine]) -> Sum {
    let mut lanes = Sum8::<F>::identity();
    for chunk in points.chunks(8) {
        let eight = core::array::from_fn(|l| chunk.get(l).copied().unwrap_or(&Affine::IDENTITY));
        lanes.add_affine(&Affine8::<F>::load(eight));
    }
    across(&lanes)
}

#[inline(always)]
pub(crate) fn total_of_sums<F: Field>(sums: &[Sum]) -> Sum {
    let mut lanes = Sum8::<F>::identity();
    for chunk in sums.chunks(8) {
        lanes.add(&Sum8::<F>::load(pad(chunk, &Sum::IDENTITY)));
    }
    across(&lanes)
}

/// The sum over the lanes, by halves.
#[inline(always)]
fn across<F: Field>(lanes: &Sum8<F>) -> Sum {
    let mut points = lanes.store();
    for half in [4, 2, 1] {
        let low: [&Sum; 8] = core::array::from_fn(|l| if l < half { &points[l] } else { &Sum::IDENTITY });
        let high: [&Sum; 8] =
            core::array::from_fn(|l| if l < half { &points[half + l] } else { &Sum::IDENTITY });
        let mut sum = Sum8::<F>::load(low);
        sum.add(&Sum8::<F>::load(high));
        points = sum.store();
    }
    points[0]
}

#[inline(always)]
pub(crate) fn fold_columns<F: Field>(
    first: &[Affine],
    scalars: &[[u8; 32]],
    rows: &[&[Affine]],
) -> Vec<Affine> {
    let mut groups = multiply::columns::<F>(scalars, rows, first.len());
    for (group, first) in groups.iter_mut().zip(first.chunks(8)) {
        group.add_affine(&Affine8::<F>::load(pad(first, &Affine::IDENTITY)));
    }
    let mut points: Vec<Affine> = Vec::with_capacity(8 * groups.len());
    for group in normalize_groups(&groups) {
        points.extend_from_slice(&group.store());
    }
    points.truncate(first.len());
    points
}
