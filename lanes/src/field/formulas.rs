//! The formulas of points on the twisted Edwards curve −x² + y² = 1 + d·x²·y² (Hisil, Wong, Carter and Dawson 2008).
//!
//! A sum is (X : Y : Z : T) with T = X·Y/Z, an affine point (y + x, y − x, 2d·x·y), a cached one (Y + X, Y − X, 2Z, 2d·T), whose
//! parts may be loose.
//!
//! Bounds of limbs where a kind does not carry loose sums and differences, in units of m, the largest reduced limb (2^51 + 2^15; a limb
//! of 2p is below 2m):
//!
//! - what comes in: a sum's parts m, an affine point's m, a cached one's 2m, and 3m for Y − X;
//! - A and B: factors of at most 3m, from y − x, and 3m; C and D: m times m and m times 2m, but that D of an affine point is z + z, 2m;
//! - E = B − A at most 3m, H = B + A 2m, F = D − C reduced, its left side at most 2m before 2p is added, G = D + C 3m;
//! - double: X + Y 2m squared; E at most 3m, F's left side 2m; G and H reduced.
//!
//! No factor is above 3m, no left side of a carried difference above 2m: what [`Ring`] allows. All four results are products, and reduced.

use super::Ring;

/// The last steps of every addition: E = B − A, H = B + A, F = D − C, G = D + C. D may be a loose sum of two.
#[inline(always)]
fn finish<R: Ring>(a: &R, b: &R, c: &R, d: &R) -> [R; 4] {
    let (e, h, f, g) = (b.sub_loose(a), b.add_loose(a), d.sub(c), d.add_loose(c));
    [e.mul(&f), g.mul(&h), f.mul(&g), e.mul(&h)]
}

#[inline(always)]
pub(crate) fn add_affine<R: Ring>([x, y, z, t]: [&R; 4], [y_plus_x, y_minus_x, xy2d]: [&R; 3]) -> [R; 4] {
    let a = y.sub_loose(x).mul(y_minus_x);
    let b = y.add_loose(x).mul(y_plus_x);
    finish(&a, &b, &t.mul(xy2d), &z.add_loose(z))
}

#[inline(always)]
pub(crate) fn add_cached<R: Ring>([x, y, z, t]: [&R; 4], [y_plus_x, y_minus_x, z2, t2d]: [&R; 4]) -> [R; 4] {
    let a = y.sub_loose(x).mul(y_minus_x);
    let b = y.add_loose(x).mul(y_plus_x);
    finish(&a, &b, &t.mul(t2d), &z.mul(z2))
}

/// With a = −1: E = (X+Y)² − X² − Y², G = Y² − X², F = G − 2Z², H = −(X² + Y²); all signs turned.
#[inline(always)]
pub(crate) fn double<R: Ring>([x, y, z]: [&R; 3]) -> [R; 4] {
    let (xx, yy, zz) = (x.square(), y.square(), z.square());
    let xy = x.add_loose(y).square();
    let (h, g) = (xx.add(&yy), yy.sub(&xx));
    let e = xy.sub_loose(&h);
    let f = zz.add_loose(&zz).sub(&g);
    [e.mul(&f), g.mul(&h), f.mul(&g), e.mul(&h)]
}
