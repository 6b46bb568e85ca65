//! The inner-product argument (Bulletproofs, protocol 2), prover's side, with lazily folded generators. It folds by two,
//! and by three in its last rounds ([`crate::bid::layout`]).
//!
//! Folding the generators in every round costs two multiplications a generator and round. Here the generators stay
//! as they are for [`LAZY_ROUNDS`] rounds while their scalars collect the challenges; then their blocks are
//! folded into one. One block's common factor moves into the scalars, which saves a multiplication a point.

use crate::bid::layout::part_factors;
use crate::bid::params::BidParams;
use crate::bid::range_prover::{inner_product, powers};
use crate::fast::{Points, fold_blocks, multiscalar_at};
use crate::group::{PointBytes, TranscriptExt, encode_point};
use curve25519_dalek::scalar::Scalar;
use merlin::Transcript;
use zeroize::Zeroizing;

/// Rounds between two foldings; 3 is the fastest of 1 to 5 for the sizes in use (`benches/prove.rs`).
const LAZY_ROUNDS: u32 = 3;

/// Below this length folding costs more than it saves.
const SHORT: usize = 4;

/// The argument's messages: the pairs of L and R, then the last two scalars.
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

    /// Splits each block into parts, each of which takes its factor.
    fn split<'a>(&mut self, parts: impl Iterator<Item = &'a Scalar> + Clone) {
        self.factors = self.factors.iter().flat_map(|f| parts.clone().map(move |part| f * part)).collect();
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

/// Proves ⟨l, r⟩ for generators G and H_i·y^{-i} and the base w·V; consumes the vectors, which are in the order of places.
pub(crate) fn prove(
    params: &BidParams,
    t: &mut Transcript,
    l: &mut [Scalar],
    r: &mut [Scalar],
    y: &Scalar,
    w: &Scalar,
) -> Argument {
    let layout = params.bases().layout();
    let mut length = l.len();
    let in_order =
        |list: &[Scalar]| -> Vec<Scalar> { (0..length).map(|at| list[layout.place(at)]).collect() };
    let y_inverse = in_order(&powers(Scalar::ONE, &y.invert(), length));
    if layout.thirds > 0 {
        let (l_in_order, r_in_order) = (Zeroizing::new(in_order(l)), Zeroizing::new(in_order(r)));
        l.copy_from_slice(&l_in_order);
        r.copy_from_slice(&r_in_order);
    }
    let [g_points, h_points] = params.folding_generators();
    let (mut g, mut h) = (Folded::new(g_points.clone()), Folded::new(h_points.clone()));
    let mut rounds = Vec::new();
    for arity in layout.arities() {
        let part = length / arity;
        for apart in 1..arity {
            let vectors = (&l[..length], &r[..length]);
            let (left, right) = cross_terms(params, &g, &h, vectors, (part, apart), &y_inverse, w);
            t.append_message(b"L", &left);
            t.append_message(b"R", &right);
            rounds.push((left, right));
        }
        let u = t.challenge_scalar(b"u");
        let u_inverse = u.invert();
        // A vector's part takes what its generators' part takes the inverse of.
        let factors = part_factors(arity, &u, &u_inverse);
        for i in 0..part {
            l[i] = (0..arity).map(|at| l[at * part + i] * factors[arity - 1 - at]).sum();
            r[i] = (0..arity).map(|at| r[at * part + i] * factors[at]).sum();
        }
        g.split(factors.iter());
        h.split(factors.iter().rev());
        length = part;
        if g.factors.len() == 1 << LAZY_ROUNDS && length > SHORT {
            g.fold(|_| Scalar::ONE);
            h.fold(|b| y_inverse[b * length]);
        }
    }
    t.append_message(b"a", l[0].as_bytes());
    t.append_message(b"b", r[0].as_bytes());
    Argument { rounds, a: l[0], b: r[0] }
}

/// L and R of the parts that are `apart` from each other, of `part` elements each: L = Σ ⟨l_p, G_{p+apart}⟩ +
/// ⟨r_{p+apart}, H_p⟩ + ⟨l_p, r_{p+apart}⟩·w·V, and R the same with the two parts exchanged.
fn cross_terms(
    params: &BidParams,
    g: &Folded,
    h: &Folded,
    (l, r): (&[Scalar], &[Scalar]),
    (part, apart): (usize, usize),
    y_inverse: &[Scalar],
    w: &Scalar,
) -> (PointBytes, PointBytes) {
    let (length, shift, kept) = (l.len(), part * apart, l.len() - part * apart);
    let places = |start: usize| -> Vec<usize> {
        (0..g.factors.len()).flat_map(|block| (0..kept).map(move |i| block * length + start + i)).collect()
    };
    let (low, high) = (places(0), places(shift));
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
    (term(&l[..kept], &r[shift..], &high, &low), term(&l[shift..], &r[..kept], &low, &high))
}
