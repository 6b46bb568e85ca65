//! Multiscalar multiplication of public scalars: Pippenger's buckets, eight windows at a time.
//!
//! Lane l of a group of eight windows owns the buckets of window l. A point goes into all lanes at once, each lane adds
//! it to the bucket that its own digit names; lanes never share a bucket, so nothing has to be ordered. Variable time.

use crate::digits;
use crate::point::{Affine, Affine8, Cached8, Sum, Sum8};

/// Widths of a window with the number of windows, a multiple of eight that covers 254 bits.
pub(crate) const WIDTHS: [(usize, usize); 6] = [(4, 64), (5, 56), (6, 48), (7, 40), (8, 32), (11, 24)];

/// The cheapest windows for so many points: a group of eight windows costs an addition a point and two a bucket. Wide
/// windows pay a quarter more an addition, because their buckets leave the second-level cache.
fn windows_for(points: usize) -> (usize, usize) {
    let cost = |(width, windows): (usize, usize)| {
        let additions = windows / 8 * (points + (1 << width));
        if width > 8 { additions + additions / 4 } else { additions }
    };
    WIDTHS.into_iter().min_by_key(|choice| cost(*choice)).unwrap_or((8, 32))
}

/// Σ scalar·point over pairs; scalars are canonical little-endian bytes below the group order.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(crate) fn multiscalar(scalars: &[[u8; 32]], points: &[&Affine]) -> Sum {
    by_windows(scalars, points, windows_for(points.len()))
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn by_windows(scalars: &[[u8; 32]], points: &[&Affine], (width, windows): (usize, usize)) -> Sum {
    let mut digits = vec![0i16; windows * points.len()];
    for (scalar, digits) in scalars.iter().zip(digits.chunks_exact_mut(windows)) {
        digits::signed(scalar, width, digits);
    }
    // One bucket a digit from 1 to 2^(width−1); the digit 0 has one too, which nobody reads.
    let size = (1 << (width - 1)) + 1;
    let mut buckets = vec![Sum::IDENTITY; 8 * size];
    let mut window_sums = Vec::with_capacity(windows);
    for group in 0..windows / 8 {
        if group > 0 {
            buckets.fill(Sum::IDENTITY);
        }
        for (point, digits) in points.iter().zip(digits.chunks_exact(windows)) {
            let digits: &[i16; 8] = digits[8 * group..8 * group + 8].try_into().expect("eight windows");
            add_to_buckets(&mut buckets, size, point, digits);
        }
        window_sums.extend(reduce(&buckets, size));
    }
    horner(&window_sums, width)
}

/// Adds the point to bucket |digit| of each lane, with the digit's sign.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn add_to_buckets(buckets: &mut [Sum], size: usize, point: &Affine, digits: &[i16; 8]) {
    let mut negative = 0u8;
    for (lane, digit) in digits.iter().enumerate() {
        negative |= u8::from(*digit < 0) << lane;
    }
    let point = Affine8::splat(point).negate_where(negative);
    // Each lane's buckets are a chunk of their own, which shows the compiler that the eight places are distinct.
    let mut lanes = buckets.chunks_exact_mut(size);
    let places: [&mut Sum; 8] = core::array::from_fn(|lane| {
        let own = lanes.next().expect("eight lanes of buckets");
        &mut own[usize::from(digits[lane].unsigned_abs())]
    });
    let sum = Sum8::load(core::array::from_fn(|lane| &*places[lane])).add_affine(&point);
    sum.store_to(places);
}

/// Σ digit·bucket of each lane.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn reduce(buckets: &[Sum], size: usize) -> [Sum; 8] {
    let (mut running, mut total) = (Sum8::identity(), Sum8::identity());
    for digit in (1..size).rev() {
        let column = Sum8::load(core::array::from_fn(|lane| &buckets[lane * size + digit]));
        running = running.add(&column);
        total = total.add(&running);
    }
    total.store()
}

/// Σ 2^(width·i)·window_i. One lane does the work; 253 doublings are little beside what came before.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn horner(window_sums: &[Sum], width: usize) -> Sum {
    let mut total = Sum8::identity();
    for sum in window_sums.iter().rev() {
        for _ in 0..width {
            total = total.double();
        }
        total = total.add(&Sum8::load([sum; 8]));
    }
    total.store()[0]
}

/// Σ_b scalar_b·column_b for many columns of points under the same scalars: column i takes rows[b][i]. Lanes are
/// columns, so all lanes share each digit. Variable time. `rows` has one row of `length` points a scalar.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(crate) fn columns(scalars: &[[u8; 32]], rows: &[&[Affine]], length: usize) -> Vec<Sum8> {
    const WINDOWS: usize = 64;
    let digits: Vec<[i16; WINDOWS]> = scalars
        .iter()
        .map(|scalar| {
            let mut row = [0i16; WINDOWS];
            digits::signed(scalar, 4, &mut row);
            row
        })
        .collect();
    let mut sums = Vec::with_capacity(length.div_ceil(8));
    for start in (0..length).step_by(8) {
        let lane = |row: &[Affine], l: usize| -> usize { (start + l).min(row.len() - 1) };
        let tables: Vec<[Cached8; 8]> = rows
            .iter()
            .map(|row| multiples(&Affine8::load(core::array::from_fn(|l| &row[lane(row, l)]))))
            .collect();
        let mut sum = Sum8::identity();
        for window in (0..WINDOWS).rev() {
            for _ in 0..4 {
                sum = sum.double();
            }
            for (table, digits) in tables.iter().zip(&digits) {
                match digits[window] {
                    0 => {}
                    digit if digit > 0 => sum = sum.add_cached(&table[digit as usize - 1]),
                    digit => sum = sum.add_cached(&table[digit.unsigned_abs() as usize - 1].negate()),
                }
            }
        }
        sums.push(sum);
    }
    sums
}

/// 1·P to 8·P.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn multiples(point: &Affine8) -> [Cached8; 8] {
    let mut sum = Sum8::identity().add_affine(point);
    core::array::from_fn(|i| {
        if i > 0 {
            sum = sum.add_affine(point);
        }
        sum.cached()
    })
}

#[cfg(test)]
mod tests;
