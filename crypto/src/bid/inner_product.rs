//! The inner-product argument (Bulletproofs, protocol 2), prover's side, with lazily folded generators.
//!
//! Folding the generators in every round costs two multiplications a generator and round. Here the generators stay
//! as they are for [`LAZY_ROUNDS`] rounds while their scalars collect the challenges; then 2^LAZY_ROUNDS blocks are
//! folded into one. One block's common factor moves into the scalars, which saves a multiplication a point.

use crate::bases::Bases;
use crate::bid::range_prover::{inner_product, powers};
use crate::group::{PointBytes, TranscriptExt, encode_point};
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use merlin::Transcript;
use std::borrow::Cow;

/// Rounds between two foldings; 3 is the fastest of 1 to 5 for the sizes in use (`benches/prove.rs`).
const LAZY_ROUNDS: u32 = 3;

/// Below this length folding costs more than it saves.
const SHORT: usize = 4;

/// The argument's messages: L and R of each round, then the last two scalars.
pub(crate) struct Argument {
    pub rounds: Vec<(PointBytes, PointBytes)>,
    pub a: Scalar,
    pub b: Scalar,
}

/// Blocks of equally long generators: generator i of the folded vector is Σ_b factor_b·point[b·len + i].
struct Folded<'a> {
    points: Cow<'a, [RistrettoPoint]>,
    factors: Vec<Scalar>,
}

impl Folded<'_> {
    /// Splits each block: its lower half takes one factor, its upper half the other.
    fn split(&mut self, lower: &Scalar, upper: &Scalar) {
        self.factors = self.factors.iter().flat_map(|f| [f * lower, f * upper]).collect();
    }

    /// Folds all blocks into the first. Factors are relative to the first one, which stays behind as `factors[0]`
    /// pulled out by the caller; `extra(b)` is a further factor of block b (1 for block 0).
    fn fold(&mut self, length: usize, extra: impl Fn(usize) -> Scalar) {
        let inverse = self.factors[0].invert();
        let scalars: Vec<Scalar> =
            (1..self.factors.len()).map(|b| self.factors[b] * inverse * extra(b)).collect();
        let points = &self.points;
        let column = |i: usize| (1..=scalars.len()).map(move |b| &points[b * length + i]);
        let folded: Vec<RistrettoPoint> = (0..length)
            .map(|i| points[i] + RistrettoPoint::vartime_multiscalar_mul(&scalars, column(i)))
            .collect();
        self.points = Cow::Owned(folded);
        self.factors.truncate(1);
    }
}

/// Proves ⟨l, r⟩ for generators G and H_i·y^{-i} and the base `q`; consumes the vectors.
pub(crate) fn prove(
    bases: &Bases,
    t: &mut Transcript,
    l: &mut [Scalar],
    r: &mut [Scalar],
    y: &Scalar,
    q: &RistrettoPoint,
) -> Argument {
    let mut length = l.len();
    let y_inverse = powers(Scalar::ONE, &y.invert(), length);
    let mut g = Folded { points: Cow::Borrowed(bases.g()), factors: vec![Scalar::ONE] };
    let mut h = Folded { points: Cow::Borrowed(bases.h()), factors: vec![Scalar::ONE] };
    let mut rounds = Vec::new();
    while length > 1 {
        let half = length / 2;
        let (left, right) = cross_terms(&g, &h, &l[..length], &r[..length], &y_inverse, q);
        t.append_message(b"L", &left);
        t.append_message(b"R", &right);
        let u = t.challenge_scalar(b"u");
        let u_inverse = u.invert();
        for i in 0..half {
            l[i] = l[i] * u + u_inverse * l[half + i];
            r[i] = r[i] * u_inverse + u * r[half + i];
        }
        g.split(&u_inverse, &u);
        h.split(&u, &u_inverse);
        rounds.push((left, right));
        length = half;
        if g.factors.len() == 1 << LAZY_ROUNDS && length > SHORT {
            g.fold(length, |_| Scalar::ONE);
            h.fold(length, |b| y_inverse[b * length]);
        }
    }
    t.append_message(b"a", l[0].as_bytes());
    t.append_message(b"b", r[0].as_bytes());
    Argument { rounds, a: l[0], b: r[0] }
}

/// L = ⟨l_lo, G_hi⟩ + ⟨r_hi, H_lo⟩ + ⟨l_lo, r_hi⟩·q and R = ⟨l_hi, G_lo⟩ + ⟨r_lo, H_hi⟩ + ⟨l_hi, r_lo⟩·q.
fn cross_terms(
    g: &Folded<'_>,
    h: &Folded<'_>,
    l: &[Scalar],
    r: &[Scalar],
    y_inverse: &[Scalar],
    q: &RistrettoPoint,
) -> (PointBytes, PointBytes) {
    let (length, half) = (l.len(), l.len() / 2);
    let capacity = g.factors.len() * length + 1;
    let (mut left, mut right) = (Terms::with_capacity(capacity), Terms::with_capacity(capacity));
    for (block, (gf, hf)) in g.factors.iter().zip(&h.factors).enumerate() {
        for i in 0..half {
            let (low, high) = (block * length + i, block * length + half + i);
            left.push(l[i] * gf, g.points[high]);
            left.push(r[half + i] * hf * y_inverse[low], h.points[low]);
            right.push(l[half + i] * gf, g.points[low]);
            right.push(r[i] * hf * y_inverse[high], h.points[high]);
        }
    }
    left.push(inner_product(&l[..half], &r[half..]), *q);
    right.push(inner_product(&l[half..], &r[..half]), *q);
    (left.sum(), right.sum())
}

struct Terms {
    scalars: Vec<Scalar>,
    points: Vec<RistrettoPoint>,
}

impl Terms {
    fn with_capacity(capacity: usize) -> Self {
        Self { scalars: Vec::with_capacity(capacity), points: Vec::with_capacity(capacity) }
    }
    fn push(&mut self, scalar: Scalar, point: RistrettoPoint) {
        self.scalars.push(scalar);
        self.points.push(point);
    }
    fn sum(&self) -> PointBytes {
        encode_point(&RistrettoPoint::vartime_multiscalar_mul(&self.scalars, &self.points))
    }
}
