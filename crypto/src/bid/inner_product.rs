//! The inner-product argument (Bulletproofs, protocol 2), prover's side, with lazily folded generators.
//!
//! Folding the generators in every round costs two multiplications a generator and round. Here the generators stay
//! as they are for [`LAZY_ROUNDS`] rounds while their scalars collect the challenges; then 2^LAZY_ROUNDS blocks are
//! folded into one. One block's common factor moves into the scalars, which saves a multiplication a point.

use crate::bid::params::{BidParams, shared};
use crate::bid::range_prover::{inner_product, powers};
use crate::fast::{Points, fold_blocks, multiscalar_at};
use crate::group::{PointBytes, TranscriptExt, encode_point};
use curve25519_dalek::scalar::Scalar;
use merlin::Transcript;

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
struct Folded {
    points: Points,
    factors: Vec<Scalar>,
}

impl Folded {
    fn new(points: Points) -> Self {
        Self { points, factors: vec![Scalar::ONE] }
    }

    /// Splits each block: its lower half takes one factor, its upper half the other.
    fn split(&mut self, lower: &Scalar, upper: &Scalar) {
        self.factors = self.factors.iter().flat_map(|f| [f * lower, f * upper]).collect();
    }

    /// Folds all blocks into the first. The first block's factor stays behind as `factors[0]`, the others are taken
    /// relative to it; `extra(b)` is a further factor of block b (1 for block 0).
    fn fold(&mut self, extra: impl Fn(usize) -> Scalar) {
        let inverse = self.factors[0].invert();
        let scalars: Vec<Scalar> =
            (1..self.factors.len()).map(|b| self.factors[b] * inverse * extra(b)).collect();
        self.points = fold_blocks(&self.points, &scalars);
        self.factors.truncate(1);
    }
}

/// Proves ⟨l, r⟩ for generators G and H_i·y^{-i} and the base w·V; consumes the vectors.
pub(crate) fn prove(
    params: &BidParams,
    t: &mut Transcript,
    l: &mut [Scalar],
    r: &mut [Scalar],
    y: &Scalar,
    w: &Scalar,
) -> Argument {
    let mut length = l.len();
    let y_inverse = powers(Scalar::ONE, &y.invert(), length);
    let first = shared::g(params.steps());
    let mut g = Folded::new(params.shared().part(first..first + length));
    let mut h = Folded::new(params.shared().part(first + length..first + 2 * length));
    let mut rounds = Vec::new();
    while length > 1 {
        let half = length / 2;
        let (left, right) = cross_terms(params, &g, &h, &l[..length], &r[..length], &y_inverse, w);
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
            g.fold(|_| Scalar::ONE);
            h.fold(|b| y_inverse[b * length]);
        }
    }
    t.append_message(b"a", l[0].as_bytes());
    t.append_message(b"b", r[0].as_bytes());
    Argument { rounds, a: l[0], b: r[0] }
}

/// L = ⟨l_lo, G_hi⟩ + ⟨r_hi, H_lo⟩ + ⟨l_lo, r_hi⟩·w·V and R = ⟨l_hi, G_lo⟩ + ⟨r_lo, H_hi⟩ + ⟨l_hi, r_lo⟩·w·V.
fn cross_terms(
    params: &BidParams,
    g: &Folded,
    h: &Folded,
    l: &[Scalar],
    r: &[Scalar],
    y_inverse: &[Scalar],
    w: &Scalar,
) -> (PointBytes, PointBytes) {
    let (length, half) = (l.len(), l.len() / 2);
    let places = |upper: bool| -> Vec<usize> {
        let start = if upper { half } else { 0 };
        (0..g.factors.len()).flat_map(|block| (0..half).map(move |i| block * length + start + i)).collect()
    };
    let (low, high) = (places(false), places(true));
    let of_g = |l: &[Scalar]| -> Vec<Scalar> {
        g.factors.iter().flat_map(|factor| l.iter().map(move |l| l * factor)).collect()
    };
    let of_h = |r: &[Scalar], places: &[usize]| -> Vec<Scalar> {
        let factors = h.factors.iter().flat_map(|factor| r.iter().map(move |r| r * factor));
        factors.zip(places).map(|(scalar, place)| scalar * y_inverse[*place]).collect()
    };
    let term = |l: &[Scalar], r: &[Scalar], g_places: &[usize], h_places: &[usize]| {
        let mut scalars = of_g(l);
        scalars.extend(of_h(r, h_places));
        let generators = multiscalar_at(&scalars, &[(&g.points, g_places), (&h.points, h_places)]);
        encode_point(&(generators + &(inner_product(l, r) * w) * params.bases().value_table()))
    };
    (term(&l[..half], &r[half..], &high, &low), term(&l[half..], &r[..half], &low, &high))
}
