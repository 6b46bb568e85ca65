//! The long scalar loops of a batch: what every bid adds to the scalars of the points that all bids share.
//!
//! Eight scalars at a time where the processor has AVX-512 IFMA ([`crate::fast`]), one after another elsewhere;
//! `tests/merging.rs` compares both. Variable time, for public data.

use crate::bid::montgomery::{Factor, Plain, Sum, power_of_two};
use crate::bid::params::BidParams;
use crate::bid::replay::Replay;
use crate::fast::expect_lanes;
use curve25519_dalek::scalar::Scalar;
use veilgrid_lanes::{Lanes, ScalarSums};

/// Inverses of a bid's y and u challenges.
pub(crate) struct Inverses {
    pub y: Scalar,
    pub u: Vec<Scalar>,
}

/// Sums of the scalars of all Y_k, G_i and H_i over the bids of a piece.
pub(crate) struct SharedSums(Form);

enum Form {
    Portable { keys: Vec<Sum>, g: Vec<Sum>, h: Vec<Sum>, scratch: Scratch },
    Lanes { keys: ScalarSums, g: ScalarSums, h: ScalarSums, two_260: Scalar },
}

/// The sums, reduced modulo ℓ.
pub(crate) struct StaticScalars {
    pub keys: Vec<Scalar>,
    pub g: Vec<Scalar>,
    pub h: Vec<Scalar>,
}

/// Buffers that are used again for each bid of a piece.
struct Scratch {
    s: Vec<Plain>,
    s_inverse: Vec<Plain>,
    two_256: Scalar,
}

/// What a bid adds to the generators: −w·a·s_i to G_i and w·z^{1+k}·2^bit·y^{-i} − w·b·s_i^{-1}·y^{-i} to H_i, where
/// i = bits·(k − 1) + bit. Both products over the bits of i begin with `start`, and take one factor a bit that is set.
struct Generators {
    start: [Scalar; 2],
    /// A pair of factors each bit of i, the lowest first.
    factors: Vec<[Scalar; 2]>,
    /// w·z², the first of the terms with powers of two; the factors from bit to bit and from value to value.
    value_start: Scalar,
    bit_step: Scalar,
    value_step: Scalar,
}

impl Generators {
    fn of(params: &BidParams, o: &Replay, w: Scalar, inverses: &Inverses) -> Self {
        let rounds = o.u.len();
        let (all, all_inverse): (Scalar, Scalar) = (o.u.iter().product(), inverses.u.iter().product());
        // s_i doubles by index bit: bit j set multiplies by u², where u is the challenge of round (rounds − 1 − j).
        let mut y_power = inverses.y;
        let factors = (0..rounds).rev().map(|round| {
            let (u, u_inverse) = (o.u[round], inverses.u[round]);
            let pair = [u * u, u_inverse * u_inverse * y_power];
            y_power *= y_power;
            pair
        });
        let y_inverse_n = (0..params.bases().bits().trailing_zeros()).fold(inverses.y, |y, _| y * y);
        Self {
            start: [-(w * o.a * all_inverse), -(w * o.b * all)],
            factors: factors.collect(),
            value_start: w * o.z * o.z,
            bit_step: inverses.y + inverses.y,
            value_step: o.z * y_inverse_n,
        }
    }

    /// The products at the first eight places, of G or of H.
    fn first_eight(&self, side: usize) -> [[u8; 32]; 8] {
        let mut products = [self.start[side]; 8];
        for (bit, pair) in self.factors[..3].iter().enumerate() {
            for at in 0..1 << bit {
                products[at | 1 << bit] = products[at] * pair[side];
            }
        }
        products.map(|product| product.to_bytes())
    }
}

impl SharedSums {
    /// Zeros.
    pub fn new(params: &BidParams) -> Self {
        // Eight places at least, in groups of eight, and eight products to begin with.
        let (total, steps) = (params.bases().g().len(), params.steps());
        match crate::fast::lanes().filter(|_| total >= 8 && steps.is_multiple_of(8)) {
            Some(lanes) => Self::in_lanes(lanes, total, steps),
            None => Self::portable(total, steps),
        }
    }

    pub(super) fn portable(total: usize, steps: usize) -> Self {
        let (zero, sums) = (Plain::new(&Scalar::ZERO), |places| vec![Sum::default(); places]);
        let scratch =
            Scratch { s: vec![zero; total], s_inverse: vec![zero; total], two_256: power_of_two(256) };
        Self(Form::Portable { keys: sums(steps), g: sums(total), h: sums(total), scratch })
    }

    pub(super) fn in_lanes(lanes: Lanes, total: usize, steps: usize) -> Self {
        let sums = |places| lanes.scalar_sums(places);
        Self(Form::Lanes { keys: sums(steps), g: sums(total), h: sums(total), two_260: power_of_two(260) })
    }

    /// Adds what a bid with this weight of its inner product gives to G_i and H_i.
    pub fn add_generators(&mut self, params: &BidParams, o: &Replay, w: Scalar, inverses: &Inverses) {
        let (bits, generators) = (params.bases().bits(), Generators::of(params, o, w, inverses));
        match &mut self.0 {
            Form::Portable { g, h, scratch, .. } => portable_generators(bits, &generators, g, h, scratch),
            Form::Lanes { g, h, two_260, .. } => {
                let factor = |scalar: &Scalar| (scalar * *two_260).to_bytes();
                let lanes = expect_lanes();
                for (side, sums) in [&mut *g, &mut *h].into_iter().enumerate() {
                    let factors: Vec<[u8; 32]> =
                        generators.factors[3..].iter().map(|pair| factor(&pair[side])).collect();
                    lanes.add_products(sums, &generators.first_eight(side), &factors);
                }
                let terms = std::iter::successors(Some(generators.value_start), |term| {
                    Some(term * generators.bit_step)
                });
                let row: Vec<[u8; 32]> = terms.take(bits).map(|term| term.to_bytes()).collect();
                lanes.add_progressions(h, &row, &factor(&generators.value_step));
            }
        }
    }

    /// Adds −s_r·c_k to Y_k and hands e·c_k to C_k, with c_k = w1·z^{1+k} + w2·ρ^{k−1}.
    pub fn add_vector(&mut self, o: &Replay, [w1, w2]: [Scalar; 2], scalars: &mut Vec<Scalar>) {
        let (minus_s_r, z_start) = (-o.responses[0], w1 * o.z * o.z);
        match &mut self.0 {
            Form::Portable { keys, scratch, .. } => {
                let factor = |scalar: &Scalar| Factor::new(scalar, &scratch.two_256);
                let (z, rho, e, minus_s_r) = (factor(&o.z), factor(&o.rho), factor(&o.e), factor(&minus_s_r));
                let (mut z_term, mut rho_term) = (Plain::new(&z_start), Plain::new(&w2));
                for key in keys {
                    let c = z_term.plus_lazy(&rho_term);
                    scalars.push(c.times(&e).to_scalar());
                    key.add(&c.times(&minus_s_r));
                    (z_term, rho_term) = (z_term.times(&z), rho_term.times(&rho));
                }
            }
            Form::Lanes { keys, two_260, .. } => {
                let factor = |scalar: &Scalar| (scalar * *two_260).to_bytes();
                let ((z, z_8), (rho, rho_8)) = (eight_terms(z_start, o.z), eight_terms(w2, o.rho));
                let progressions = [(&z, &factor(&z_8)), (&rho, &factor(&rho_8))];
                let handed = expect_lanes().add_two_progressions(
                    keys,
                    progressions,
                    &factor(&minus_s_r),
                    &factor(&o.e),
                );
                scalars.extend(handed.into_iter().map(Scalar::from_bytes_mod_order));
            }
        }
    }

    /// The sums modulo ℓ.
    pub fn reduce(&self) -> StaticScalars {
        match &self.0 {
            Form::Portable { keys, g, h, .. } => {
                let scalars = |sums: &[Sum]| sums.iter().map(|sum| sum.to_scalar()).collect();
                StaticScalars { keys: scalars(keys), g: scalars(g), h: scalars(h) }
            }
            Form::Lanes { keys, g, h, .. } => {
                let scalars = |sums: &ScalarSums| {
                    sums.wide_bytes().iter().map(Scalar::from_bytes_mod_order_wide).collect()
                };
                StaticScalars { keys: scalars(keys), g: scalars(g), h: scalars(h) }
            }
        }
    }
}

/// start·step^0 to start·step^7, and step^8.
fn eight_terms(start: Scalar, step: Scalar) -> ([[u8; 32]; 8], Scalar) {
    let mut term = start;
    let terms = core::array::from_fn(|_| {
        let bytes = term.to_bytes();
        term *= step;
        bytes
    });
    let step_2 = step * step;
    let step_4 = step_2 * step_2;
    (terms, step_4 * step_4)
}

/// Three products a pair of generators.
fn portable_generators(
    bits: usize,
    generators: &Generators,
    g: &mut [Sum],
    h: &mut [Sum],
    scratch: &mut Scratch,
) {
    let factor = |scalar: &Scalar| Factor::new(scalar, &scratch.two_256);
    let [start, start_inverse] = &generators.start;
    scratch.s[0] = Plain::new(start);
    scratch.s_inverse[0] = Plain::new(start_inverse);
    for (bit, [up, down]) in generators.factors.iter().enumerate() {
        let (up, down) = (factor(up), factor(down));
        extend_products(&mut scratch.s[..2 << bit], &up);
        extend_products(&mut scratch.s_inverse[..2 << bit], &down);
    }
    let (bit_step, value_step) = (factor(&generators.bit_step), factor(&generators.value_step));
    let mut value_start = Plain::new(&generators.value_start);
    let sums = g.chunks_exact_mut(bits).zip(h.chunks_exact_mut(bits));
    let products = scratch.s.chunks_exact(bits).zip(scratch.s_inverse.chunks_exact(bits));
    for ((g, h), (s, s_inverse)) in sums.zip(products) {
        let mut term = value_start;
        for i in 0..bits {
            g[i].add(&s[i]);
            h[i].add(&s_inverse[i]);
            h[i].add(&term);
            term = term.times(&bit_step);
        }
        value_start = value_start.times(&value_step);
    }
}

/// Fills the upper half with the lower half times `factor`.
fn extend_products(products: &mut [Plain], factor: &Factor) {
    let (low, high) = products.split_at_mut(products.len() / 2);
    high.iter_mut().zip(low).for_each(|(high, low)| *high = low.times(factor));
}
