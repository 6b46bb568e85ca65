//! Eight points at once.
//!
//! Points rest in memory one after another ([`Affine`] and [`Sum`]), the same for every kind of lanes, and are transposed into
//! lanes and back, so that any eight of them can be worked on together.

use crate::field::{Field, Limbs, bytes_from_limbs, constants, inverse_sqrt, invert, limbs_from_bytes};

/// A point with z = 1 as (y + x, y − x, 2d·x·y), five words each and one unused: two cache lines.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct Affine(pub(crate) [u64; 16]);

/// A point (X : Y : Z : T) with T = X·Y/Z, five words each and four unused: three cache lines.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct Sum(pub(crate) [u64; 24]);

impl Affine {
    /// The identity.
    pub const IDENTITY: Self = {
        let mut words = [0; 16];
        words[0] = 1;
        words[5] = 1;
        Self(words)
    };
}

impl Sum {
    /// The identity.
    pub const IDENTITY: Self = {
        let mut words = [0; 24];
        words[5] = 1;
        words[10] = 1;
        Self(words)
    };
}

/// Eight affine points in lanes: (y + x, y − x, 2d·x·y).
#[derive(Clone, Copy)]
pub(crate) struct Affine8<F>(pub [F; 3]);

/// Eight points in lanes: (X, Y, Z, T).
#[derive(Clone, Copy)]
pub(crate) struct Sum8<F>(pub [F; 4]);

/// Eight points ready to be added: (Y + X, Y − X, 2Z, 2d·T).
#[derive(Clone, Copy)]
pub(crate) struct Cached8<F>([F; 4]);

impl<F: Field> Cached8<F> {
    #[inline(always)]
    pub fn negate(&self) -> Self {
        let [y_plus_x, y_minus_x, z2, t2d] = self.0;
        Self([y_minus_x, y_plus_x, z2, t2d.neg()])
    }
}

impl<F: Field> Affine8<F> {
    #[inline(always)]
    pub fn load(points: [&Affine; 8]) -> Self {
        Self(F::gather(points.map(|point| &point.0)))
    }

    #[inline(always)]
    pub fn store(&self) -> [Affine; 8] {
        let mut points = [Affine::IDENTITY; 8];
        F::scatter(&self.0, points.each_mut().map(|point| &mut point.0));
        points
    }

    /// One point in all lanes.
    #[inline(always)]
    pub fn splat(point: &Affine) -> Self {
        let limbs = |from: usize| point.0[from..from + 5].try_into().expect("five limbs");
        Self([F::splat(limbs(0)), F::splat(limbs(5)), F::splat(limbs(10))])
    }

    /// Negated in the lanes of `mask`.
    #[inline(always)]
    pub fn negate_where(&self, mask: u8) -> Self {
        let [y_plus_x, y_minus_x, xy2d] = &self.0;
        Self([y_plus_x.select(y_minus_x, mask), y_minus_x.select(y_plus_x, mask), xy2d.negate_where(mask)])
    }
}

impl<F: Field> Sum8<F> {
    #[inline(always)]
    pub fn identity() -> Self {
        Self([F::zero(), F::one(), F::one(), F::zero()])
    }

    #[inline(always)]
    pub fn load(points: [&Sum; 8]) -> Self {
        Self(F::gather(points.map(|point| &point.0)))
    }

    #[inline(always)]
    pub fn store(&self) -> [Sum; 8] {
        let mut points = [Sum::IDENTITY; 8];
        self.store_to(points.each_mut());
        points
    }

    /// Stores lane l at place l.
    #[inline(always)]
    pub fn store_to(&self, places: [&mut Sum; 8]) {
        F::scatter(&self.0, places.map(|place| &mut place.0));
    }

    #[inline(always)]
    pub fn add_affine(&mut self, other: &Affine8<F>) {
        F::add_affine(&mut self.0, &other.0);
    }

    #[inline(always)]
    pub fn add_cached(&mut self, other: &Cached8<F>) {
        F::add_cached(&mut self.0, &other.0);
    }

    #[inline(always)]
    pub fn add(&mut self, other: &Self) {
        self.add_cached(&other.cached());
    }

    #[inline(always)]
    pub fn cached(&self) -> Cached8<F> {
        let [x, y, z, t] = &self.0;
        Cached8([y.add_loose(x), y.sub_loose(x), z.add_loose(z), t.mul(&F::splat(&constants::D2))])
    }

    #[inline(always)]
    pub fn double(&mut self) {
        F::double(&mut self.0);
    }
}

/// Decodes Ristretto255 encodings (RFC 9496, section 4.3.1), sixteen at a time for the sake of latency. A lane without
/// a canonical encoding is marked and holds no meaning.
#[inline(always)]
pub(crate) fn decode16<F: Field>(encodings: &[[u8; 32]; 16]) -> ([Affine; 16], u16) {
    let one = F::one();
    let d = F::splat(&constants::D);
    let limbs: [Limbs; 16] = core::array::from_fn(|i| limbs_from_bytes(&encodings[i]));
    let (mut s, mut u1, mut u2, mut v, mut under) = ([one; 2], [one; 2], [one; 2], [one; 2], [one; 2]);
    for k in 0..2 {
        s[k] = F::from_lanes(limbs[8 * k..8 * k + 8].try_into().expect("eight lanes"));
        let ss = s[k].square();
        (u1[k], u2[k]) = (one.sub(&ss), one.add(&ss));
        let u2u2 = u2[k].square();
        v[k] = d.mul(&u1[k].square()).neg().sub(&u2u2);
        under[k] = v[k].mul(&u2u2);
    }
    let roots = inverse_sqrt(&under);
    let mut points = [Affine::IDENTITY; 16];
    let mut valid = 0u16;
    for k in 0..2 {
        let (was_square, root) = roots[k];
        let dx = root.mul(&u2[k]);
        let dy = root.mul(&dx).mul(&v[k]);
        let x = s[k].add(&s[k]).mul(&dx).abs();
        let y = u1[k].mul(&dy);
        let t = x.mul(&y);
        let good = was_square & !t.is_negative() & !y.is_zero();
        let affine = Affine8([y.add(&x), y.sub(&x), t.mul(&F::splat(&constants::D2))]);
        points[8 * k..8 * k + 8].copy_from_slice(&affine.store());
        valid |= u16::from(good) << (8 * k);
    }
    for (i, encoding) in encodings.iter().enumerate() {
        if !is_canonical(encoding) {
            valid &= !(1 << i);
        }
    }
    (points, valid)
}

/// Below p and even, as RFC 9496 demands of s.
fn is_canonical(encoding: &[u8; 32]) -> bool {
    let top = encoding[31] == 0x7f && encoding[1..31].iter().all(|byte| *byte == 0xff) && encoding[0] >= 0xed;
    encoding[0] & 1 == 0 && encoding[31] < 0x80 && !top
}

/// Encodes eight points (RFC 9496, section 4.3.2).
#[inline(always)]
pub(crate) fn encode8<F: Field>(Sum8([px, py, pz, pt]): &Sum8<F>) -> [[u8; 32]; 8] {
    let u1 = pz.add(py).mul(&pz.sub(py));
    let u2 = px.mul(py);
    let [(_, root)] = inverse_sqrt(&[u1.mul(&u2.square())]);
    let (den1, den2) = (root.mul(&u1), root.mul(&u2));
    let z_inverse = den1.mul(&den2.mul(pt));
    let sqrt_m1 = F::splat(&constants::SQRT_M1);
    let (ix, iy) = (px.mul(&sqrt_m1), py.mul(&sqrt_m1));
    let enchanted = den1.mul(&F::splat(&constants::INVSQRT_A_MINUS_D));
    let rotate = pt.mul(&z_inverse).is_negative();
    let x = px.select(&iy, rotate);
    let y = py.select(&ix, rotate);
    let den_inverse = den2.select(&enchanted, rotate);
    let y = y.negate_where(x.mul(&z_inverse).is_negative());
    let s = den_inverse.mul(&pz.sub(&y)).abs().freeze();
    s.to_lanes().map(|limbs| bytes_from_limbs(&limbs))
}

/// Eight points with z = 1.
#[inline(always)]
fn normalize_with<F: Field>(Sum8([x, y, _, _]): &Sum8<F>, z_inverse: &F) -> Affine8<F> {
    let (x, y) = (x.mul(z_inverse), y.mul(z_inverse));
    let xy2d = x.mul(&y).mul(&F::splat(&constants::D2));
    Affine8([y.add(&x), y.sub(&x), xy2d])
}

/// Normalises groups of eight points with one inversion for all (Montgomery's trick, lane by lane).
#[inline(always)]
pub(crate) fn normalize_groups<F: Field>(groups: &[Sum8<F>]) -> Vec<Affine8<F>> {
    let mut products = Vec::with_capacity(groups.len());
    let mut product = F::one();
    for group in groups {
        products.push(product);
        product = product.mul(&group.0[2]);
    }
    let mut inverse = invert(&product);
    let mut normalized = Vec::with_capacity(groups.len());
    for (group, before) in groups.iter().zip(&products).rev() {
        normalized.push(normalize_with(group, &inverse.mul(before)));
        inverse = inverse.mul(&group.0[2]);
    }
    normalized.reverse();
    normalized
}

#[cfg(test)]
mod tests;
