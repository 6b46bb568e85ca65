//! Eight points at once on the twisted Edwards curve −x² + y² = 1 + d·x²·y² (Hisil, Wong, Carter and Dawson 2008).
//!
//! Points rest in memory one after another ([`Affine`] and [`Sum`]) and are transposed into lanes and back by 8×8
//! transposes, so that any eight of them can be worked on together.

use crate::field::{Fe8, Limbs, bytes_from_limbs, constants, inverse_sqrt, invert, limbs_from_bytes};
use core::arch::x86_64::*;

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

/// Eight affine points in lanes.
#[derive(Clone, Copy)]
pub(crate) struct Affine8 {
    pub y_plus_x: Fe8,
    pub y_minus_x: Fe8,
    pub xy2d: Fe8,
}

/// Eight points in lanes.
#[derive(Clone, Copy)]
pub(crate) struct Sum8 {
    pub x: Fe8,
    pub y: Fe8,
    pub z: Fe8,
    pub t: Fe8,
}

/// Eight points ready to be added: (Y + X, Y − X, 2Z, 2d·T).
#[derive(Clone, Copy)]
pub(crate) struct Cached8 {
    y_plus_x: Fe8,
    y_minus_x: Fe8,
    z2: Fe8,
    t2d: Fe8,
}

impl Cached8 {
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn negate(&self) -> Self {
        Self { y_plus_x: self.y_minus_x, y_minus_x: self.y_plus_x, z2: self.z2, t2d: self.t2d.neg() }
    }
}

/// Transposes an 8×8 matrix of words.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(r: [__m512i; 8]) -> [__m512i; 8] {
    let even: [__m512i; 4] = core::array::from_fn(|i| _mm512_unpacklo_epi64(r[2 * i], r[2 * i + 1]));
    let odd: [__m512i; 4] = core::array::from_fn(|i| _mm512_unpackhi_epi64(r[2 * i], r[2 * i + 1]));
    let columns = |p: &[__m512i; 4]| {
        let (a, b) = (_mm512_shuffle_i64x2::<0x88>(p[0], p[1]), _mm512_shuffle_i64x2::<0xdd>(p[0], p[1]));
        let (c, d) = (_mm512_shuffle_i64x2::<0x88>(p[2], p[3]), _mm512_shuffle_i64x2::<0xdd>(p[2], p[3]));
        [
            _mm512_shuffle_i64x2::<0x88>(a, c),
            _mm512_shuffle_i64x2::<0x88>(b, d),
            _mm512_shuffle_i64x2::<0xdd>(a, c),
            _mm512_shuffle_i64x2::<0xdd>(b, d),
        ]
    };
    let (e, o) = (columns(&even), columns(&odd));
    [e[0], o[0], e[1], o[1], e[2], o[2], e[3], o[3]]
}

/// Words 8·block to 8·block + 7 of a point's memory.
#[inline]
#[target_feature(enable = "avx512f")]
fn load_block<const N: usize>(words: &[u64; N], block: usize) -> __m512i {
    let eight: &[u64; 8] = words[8 * block..8 * block + 8].try_into().expect("a point has whole blocks");
    crate::field::load(eight)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_block<const N: usize>(words: &mut [u64; N], block: usize, vector: __m512i) {
    words[8 * block..8 * block + 8].copy_from_slice(&crate::field::store(vector));
}

impl Affine8 {
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn load(points: [&Affine; 8]) -> Self {
        let a = transpose(core::array::from_fn(|l| load_block(&points[l].0, 0)));
        let b = transpose(core::array::from_fn(|l| load_block(&points[l].0, 1)));
        Self {
            y_plus_x: Fe8([a[0], a[1], a[2], a[3], a[4]]),
            y_minus_x: Fe8([a[5], a[6], a[7], b[0], b[1]]),
            xy2d: Fe8([b[2], b[3], b[4], b[5], b[6]]),
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn store(&self) -> [Affine; 8] {
        let (p, m, t) = (self.y_plus_x.0, self.y_minus_x.0, self.xy2d.0);
        let a = transpose([p[0], p[1], p[2], p[3], p[4], m[0], m[1], m[2]]);
        let b = transpose([m[3], m[4], t[0], t[1], t[2], t[3], t[4], _mm512_setzero_si512()]);
        core::array::from_fn(|l| {
            let mut words = [0; 16];
            store_block(&mut words, 0, a[l]);
            store_block(&mut words, 1, b[l]);
            Affine(words)
        })
    }

    /// One point in all lanes.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn splat(point: &Affine) -> Self {
        let fe = |from: usize| Fe8(core::array::from_fn(|i| _mm512_set1_epi64(point.0[from + i] as i64)));
        Self { y_plus_x: fe(0), y_minus_x: fe(5), xy2d: fe(10) }
    }

    /// Negated in the lanes of `mask`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn negate_where(&self, mask: __mmask8) -> Self {
        Self {
            y_plus_x: self.y_plus_x.select(&self.y_minus_x, mask),
            y_minus_x: self.y_minus_x.select(&self.y_plus_x, mask),
            xy2d: self.xy2d.negate_where(mask),
        }
    }
}

impl Sum8 {
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn identity() -> Self {
        let one = Fe8::splat(&constants::ONE);
        Self { x: Fe8::zero(), y: one, z: one, t: Fe8::zero() }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn load(points: [&Sum; 8]) -> Self {
        let a = transpose(core::array::from_fn(|l| load_block(&points[l].0, 0)));
        let b = transpose(core::array::from_fn(|l| load_block(&points[l].0, 1)));
        let c = transpose(core::array::from_fn(|l| load_block(&points[l].0, 2)));
        Self {
            x: Fe8([a[0], a[1], a[2], a[3], a[4]]),
            y: Fe8([a[5], a[6], a[7], b[0], b[1]]),
            z: Fe8([b[2], b[3], b[4], b[5], b[6]]),
            t: Fe8([b[7], c[0], c[1], c[2], c[3]]),
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn store(&self) -> [Sum; 8] {
        let mut points = [Sum::IDENTITY; 8];
        let mut places = points.iter_mut();
        self.store_to(core::array::from_fn(|_| places.next().expect("eight places")));
        points
    }

    /// Stores lane l at place l.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn store_to(&self, places: [&mut Sum; 8]) {
        let (x, y, z, t) = (self.x.0, self.y.0, self.z.0, self.t.0);
        let zero = _mm512_setzero_si512();
        let a = transpose([x[0], x[1], x[2], x[3], x[4], y[0], y[1], y[2]]);
        let b = transpose([y[3], y[4], z[0], z[1], z[2], z[3], z[4], t[0]]);
        let c = transpose([t[1], t[2], t[3], t[4], zero, zero, zero, zero]);
        for (l, place) in places.into_iter().enumerate() {
            store_block(&mut place.0, 0, a[l]);
            store_block(&mut place.0, 1, b[l]);
            store_block(&mut place.0, 2, c[l]);
        }
    }

    /// The last steps of every addition: E = B − A, H = B + A, F = D − C, G = D + C.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn finish(a: &Fe8, b: &Fe8, c: &Fe8, d: &Fe8) -> Self {
        let (e, h, f, g) = (b.sub(a), b.add(a), d.sub(c), d.add(c));
        Self { x: e.mul(&f), y: g.mul(&h), z: f.mul(&g), t: e.mul(&h) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn add_affine(&self, other: &Affine8) -> Self {
        let a = self.y.sub(&self.x).mul(&other.y_minus_x);
        let b = self.y.add(&self.x).mul(&other.y_plus_x);
        let c = self.t.mul(&other.xy2d);
        Self::finish(&a, &b, &c, &self.z.add(&self.z))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn add_cached(&self, other: &Cached8) -> Self {
        let a = self.y.sub(&self.x).mul(&other.y_minus_x);
        let b = self.y.add(&self.x).mul(&other.y_plus_x);
        Self::finish(&a, &b, &self.t.mul(&other.t2d), &self.z.mul(&other.z2))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn add(&self, other: &Self) -> Self {
        self.add_cached(&other.cached())
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn cached(&self) -> Cached8 {
        Cached8 {
            y_plus_x: self.y.add(&self.x),
            y_minus_x: self.y.sub(&self.x),
            z2: self.z.add(&self.z),
            t2d: self.t.mul(&Fe8::splat(&constants::D2)),
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn double(&self) -> Self {
        let (xx, yy, zz) = (self.x.square(), self.y.square(), self.z.square());
        let xy = self.x.add(&self.y).square();
        let (h, g) = (xx.add(&yy), yy.sub(&xx));
        // With a = −1: E = (X+Y)² − X² − Y², G = Y² − X², F = G − 2Z², H = −(X² + Y²); all signs turned.
        let e = xy.sub(&h);
        let f = zz.add(&zz).sub(&g);
        Self { x: e.mul(&f), y: g.mul(&h), z: f.mul(&g), t: e.mul(&h) }
    }
}

/// Decodes Ristretto255 encodings (RFC 9496, section 4.3.1), sixteen at a time for the sake of latency. A lane without
/// a canonical encoding is marked and holds no meaning.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(crate) fn decode16(encodings: &[[u8; 32]; 16]) -> ([Affine; 16], u16) {
    let one = Fe8::splat(&constants::ONE);
    let d = Fe8::splat(&constants::D);
    let limbs: [Limbs; 16] = core::array::from_fn(|i| limbs_from_bytes(&encodings[i]));
    let s: [Fe8; 2] =
        core::array::from_fn(|k| Fe8::from_lanes(limbs[8 * k..8 * k + 8].try_into().expect("eight lanes")));
    let ss: [Fe8; 2] = core::array::from_fn(|k| s[k].square());
    let u1: [Fe8; 2] = core::array::from_fn(|k| one.sub(&ss[k]));
    let u2: [Fe8; 2] = core::array::from_fn(|k| one.add(&ss[k]));
    let u2u2: [Fe8; 2] = core::array::from_fn(|k| u2[k].square());
    let v: [Fe8; 2] = core::array::from_fn(|k| d.mul(&u1[k].square()).neg().sub(&u2u2[k]));
    let roots = inverse_sqrt(&[v[0].mul(&u2u2[0]), v[1].mul(&u2u2[1])]);
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
        let affine =
            Affine8 { y_plus_x: y.add(&x), y_minus_x: y.sub(&x), xy2d: t.mul(&Fe8::splat(&constants::D2)) };
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
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(crate) fn encode8(p: &Sum8) -> [[u8; 32]; 8] {
    let u1 = p.z.add(&p.y).mul(&p.z.sub(&p.y));
    let u2 = p.x.mul(&p.y);
    let [(_, root)] = inverse_sqrt(&[u1.mul(&u2.square())]);
    let (den1, den2) = (root.mul(&u1), root.mul(&u2));
    let z_inverse = den1.mul(&den2.mul(&p.t));
    let sqrt_m1 = Fe8::splat(&constants::SQRT_M1);
    let (ix, iy) = (p.x.mul(&sqrt_m1), p.y.mul(&sqrt_m1));
    let enchanted = den1.mul(&Fe8::splat(&constants::INVSQRT_A_MINUS_D));
    let rotate = p.t.mul(&z_inverse).is_negative();
    let x = p.x.select(&iy, rotate);
    let y = p.y.select(&ix, rotate);
    let den_inverse = den2.select(&enchanted, rotate);
    let y = y.negate_where(x.mul(&z_inverse).is_negative());
    let s = den_inverse.mul(&p.z.sub(&y)).abs().freeze();
    s.to_lanes().map(|limbs| bytes_from_limbs(&limbs))
}

/// Eight points with z = 1.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(crate) fn normalize_with(p: &Sum8, z_inverse: &Fe8) -> Affine8 {
    let (x, y) = (p.x.mul(z_inverse), p.y.mul(z_inverse));
    let xy2d = x.mul(&y).mul(&Fe8::splat(&constants::D2));
    Affine8 { y_plus_x: y.add(&x), y_minus_x: y.sub(&x), xy2d }
}

/// Normalises groups of eight points with one inversion for all (Montgomery's trick, lane by lane).
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(crate) fn normalize_groups(groups: &[Sum8]) -> Vec<Affine8> {
    let mut products = Vec::with_capacity(groups.len());
    let mut product = Fe8::splat(&constants::ONE);
    for group in groups {
        products.push(product);
        product = product.mul(&group.z);
    }
    let mut inverse = invert(&product);
    let mut normalized = Vec::with_capacity(groups.len());
    for (group, before) in groups.iter().zip(&products).rev() {
        normalized.push(normalize_with(group, &inverse.mul(before)));
        inverse = inverse.mul(&group.z);
    }
    normalized.reverse();
    normalized
}

#[cfg(test)]
mod tests;
