//! Multiscalar multiplication of public scalars: Pippenger's buckets, eight windows at a time.
//!
//! Lane l of a group of eight windows owns the buckets of window l. A point goes into all lanes at once, each lane adds
//! it to the bucket that its own digit names; lanes never share a bucket, so nothing has to be ordered. Variable time.

use crate::digits;
use crate::field::Field;
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
#[inline(always)]
pub(crate) fn multiscalar<F: Field>(scalars: &[[u8; 32]], points: &[&Affine]) -> Sum {
    by_windows::<F>(scalars, points, windows_for(points.len()))
}

#[inline(always)]
fn by_windows<F: Field>(scalars: &[[u8; 32]], points: &[&Affine], (width, windows): (usize, usize)) -> Sum {
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
            add_to_buckets::<F>(&mut buckets, size, point, digits);
        }
        window_sums.extend(reduce::<F>(&buckets, size));
    }
    horner::<F>(&window_sums, width)
}

/// Adds the point to bucket |digit| of each lane, with the digit's sign.
#[inline(always)]
fn add_to_buckets<F: Field>(buckets: &mut [Sum], size: usize, point: &Affine, digits: &[i16; 8]) {
    let mut negative = 0u8;
    for (lane, digit) in digits.iter().enumerate() {
        negative |= u8::from(*digit < 0) << lane;
    }
    let point = Affine8::<F>::splat(point).negate_where(negative);
    // Each lane's buckets are a chunk of their own, which shows the compiler that the eight places are distinct.
    let mut lanes = buckets.chunks_exact_mut(size);
    let places: [&mut Sum; 8] = core::array::from_fn(|lane| {
        let own = lanes.next().expect("eight lanes of buckets");
        &mut own[usize::from(digits[lane].unsigned_abs())]
    });
    let mut sum = Sum8::<F>::load(core::array::from_fn(|lane| &*places[lane]));
    sum.add_affine(&point);
    sum.store_to(places);
}

/// Σ digit·bucket of each lane.
#[inline(always)]
fn reduce<F: Field>(buckets: &[Sum], size: usize) -> [Sum; 8] {
    let (mut running, mut total) = (Sum8::<F>::identity(), Sum8::<F>::identity());
    for digit in (1..size).rev() {
        let column = Sum8::<F>::load(core::array::from_fn(|lane| &buckets[lane * size + digit]));
        running.add(&column);
        total.add(&running);
    }
    total.store()
}

/// Σ 2^(width·i)·window_i. One lane does the work; 253 doublings are little beside what came before.
#[inline(always)]
fn horner<F: Field>(window_sums: &[Sum], width: usize) -> Sum {
    let mut total = Sum8::<F>::identity();
    for sum in window_sums.iter().rev() {
        for _ in 0..width {
            total.double();
        }
        total.add(&Sum8::<F>::load([sum; 8]));
    }
    total.store()[0]
}

/// Σ_b scalar_b·column_b for many columns of points under the same scalars: column i takes rows[b][i]. Lanes are
/// columns, so all lanes share each digit. Variable time. `rows` has one row of `length` points a scalar.
#[inline(always)]
pub(crate) fn columns<F: Field>(scalars: &[[u8; 32]], rows: &[&[Affine]], length: usize) -> Vec<Sum8<F>> {
    let digits: Vec<_> = scalars.iter().map(digits::non_adjacent).collect();
    let mut sums = Vec::with_capacity(length.div_ceil(8));
    for start in (0..length).step_by(8) {
        let lane = |row: &[Affine], l: usize| -> usize { (start + l).min(row.len() - 1) };
        let mut tables: Vec<[Cached8<F>; 8]> = Vec::with_capacity(rows.len());
        for row in rows {
            tables.push(odd_multiples(&Affine8::<F>::load(core::array::from_fn(|l| &row[lane(row, l)]))));
        }
        let mut sum = Sum8::<F>::identity();
        for place in (0..digits::NAF_PLACES).rev() {
            sum.double();
            for (table, digits) in tables.iter().zip(&digits) {
                let multiple = &table[usize::from(digits[place].unsigned_abs() / 2)];
                match digits[place] {
                    0 => {}
                    digit if digit > 0 => sum.add_cached(multiple),
                    _ => sum.add_cached(&multiple.negate()),
                }
            }
        }
        sums.push(sum);
    }
    sums
}

/// 1·P, 3·P, 5·P to 15·P.
#[inline(always)]
fn odd_multiples<F: Field>(point: &Affine8<F>) -> [Cached8<F>; 8] {
    let mut sum = Sum8::<F>::identity();
    sum.add_affine(point);
    let mut twice = sum;
    twice.double();
    let twice = twice.cached();
    let mut multiples = [sum.cached(); 8];
    for multiple in &mut multiples[1..] {
        sum.add_cached(&twice);
        *multiple = sum.cached();
    }
    multiples
}

#[cfg(test)]
mod tests;
