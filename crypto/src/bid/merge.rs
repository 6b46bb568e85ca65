//! The long scalar loops of a batch: what every bid adds to the scalars of the points that all bids share.
//!
//! Eight scalars at a time where the processor has AVX-512 IFMA ([`crate::fast`]), one after another elsewhere;
//! `tests/merging.rs` compares both. Variable time, for public data.

use crate::bid::layout::{Layout, extra};
use crate::bid::money::YPowers;
use crate::bid::montgomery::{Factor, Plain, Sum, power_of_two};
use crate::bid::params::BidParams;
use crate::bid::replay::{Argument, Replay, ReplayedMoney};
use crate::fast::lanes;
use curve25519_dalek::scalar::Scalar;
use veilgrid_lanes::{ScalarLanes, ScalarSums};

/// Inverses of a bid's y and u challenges.
pub(crate) struct Inverses {
    pub y: Scalar,
    /// The inverse of e where steps are left out, else zero.
    pub e: Scalar,
    pub u: Vec<Scalar>,
}

/// Sums of the scalars of all Y_k, G_i and H_i over the bids of a piece.
pub(crate) struct SharedSums {
    form: Form,
    /// Of the generators at the places of money, which have no regular pattern.
    money: Option<MoneySums>,
}

enum Form {
    Portable { keys: Vec<Sum>, g: Vec<Sum>, h: Vec<Sum>, scratch: Scratch },
    Lanes { lanes: ScalarLanes, keys: ScalarSums, g: Vec<ScalarSums>, h: Vec<ScalarSums>, two_260: Scalar },
}

/// What the bids of a piece add at the places of money: to H_i the weights of the bits, and to both generators of the product.
struct MoneySums {
    /// The first place.
    first: usize,
    bits: Vec<Sum>,
    product: [Scalar; 2],
    two_256: Scalar,
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
/// i = bits·(k − 1) + bit. The places are chunks of a power of two. Both products begin with what their chunk starts with,
/// and take one factor a bit of the place inside of the chunk that is set.
struct Generators {
    /// A pair a chunk.
    starts: Vec<[Scalar; 2]>,
    /// A pair of factors each bit of the place inside of a chunk, the lowest first.
    factors: Vec<[Scalar; 2]>,
    /// Chunks that hold quantities; money comes after them.
    quantity_chunks: usize,
    /// w·z², the first of the terms with powers of two; the factors from bit to bit, from value to value and from chunk to
    /// chunk.
    value_start: Scalar,
    bit_step: Scalar,
    value_step: Scalar,
    chunk_step: Scalar,
}

/// Bits of a place inside of its chunk: a chunk holds quantities or something else, never both.
fn chunk_bits(layout: &Layout) -> usize {
    layout.halvings.min(layout.quantities().trailing_zeros() as usize)
}

impl Generators {
    fn of(params: &BidParams, o: &Argument<'_>, w: Scalar, inverses: &Inverses) -> Self {
        let layout = params.bases().layout();
        let in_chunk = chunk_bits(layout);
        let halved = |list: &[Scalar]| -> Scalar { list[..layout.halvings].iter().product() };
        let (all, all_inverse) = (halved(o.u), halved(&inverses.u));
        // s_i doubles by bit of the place: bit j set multiplies by u², where u is the challenge of round (halvings − 1 − j).
        let mut y_power = inverses.y;
        let mut factors: Vec<[Scalar; 2]> = Vec::with_capacity(layout.halvings);
        for round in (0..layout.halvings).rev() {
            let (u, u_inverse) = (o.u[round], inverses.u[round]);
            factors.push([u * u, u_inverse * u_inverse * y_power]);
            y_power *= y_power;
        }
        let mut starts = vec![[-(w * o.a * all_inverse), -(w * o.b * all)]];
        for [up, down] in factors.drain(in_chunk..) {
            let upper: Vec<_> = starts.iter().map(|[s, s_inverse]| [s * up, s_inverse * down]).collect();
            starts.extend(upper);
        }
        // Blocks, by the digits of their number, the last round's being the lowest.
        for round in (layout.halvings..layout.halvings + layout.thirds).rev() {
            let (u, u_inverse, y_2) = (o.u[round], inverses.u[round], y_power * y_power);
            let parts = [[u_inverse, u], [Scalar::ONE, y_power], [u, u_inverse * y_2]];
            let all = parts.iter().flat_map(|[of_s, of_inverse]| {
                starts.iter().map(move |[s, s_inverse]| [s * of_s, s_inverse * of_inverse])
            });
            starts = all.collect();
            y_power *= y_2;
        }
        let power = |base: Scalar, doublings: usize| (0..doublings).fold(base, |base, _| base * base);
        let value_step = o.z * power(inverses.y, layout.bits.trailing_zeros() as usize);
        Self {
            starts,
            factors,
            quantity_chunks: layout.quantities() >> in_chunk,
            value_start: w * o.z * o.z,
            bit_step: inverses.y + inverses.y,
            value_step,
            chunk_step: power(value_step, in_chunk - layout.bits.trailing_zeros() as usize),
        }
    }

    /// The products at the first eight places of a chunk, of G or of H.
    fn first_eight(&self, chunk: usize, side: usize) -> [[u8; 32]; 8] {
        let mut products = [self.starts[chunk][side]; 8];
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
        let layout = params.bases().layout();
        match lanes().scalars().filter(|_| chunk_bits(layout) >= 3 && layout.steps.is_multiple_of(8)) {
            Some(lanes) => Self::in_lanes(lanes, layout),
            None => Self::portable(layout),
        }
    }

    pub(super) fn portable(layout: &Layout) -> Self {
        let (zero, sums) = (Plain::new(&Scalar::ZERO), |places| vec![Sum::default(); places]);
        let (total, chunk) = (layout.total(), 1 << chunk_bits(layout));
        let scratch =
            Scratch { s: vec![zero; chunk], s_inverse: vec![zero; chunk], two_256: power_of_two(256) };
        let form = Form::Portable { keys: sums(layout.steps), g: sums(total), h: sums(total), scratch };
        Self { form, money: MoneySums::new(layout) }
    }

    pub(super) fn in_lanes(lanes: ScalarLanes, layout: &Layout) -> Self {
        let chunk = 1 << chunk_bits(layout);
        let chunks = || vec![lanes.sums(chunk); layout.total() / chunk];
        let keys = lanes.sums(layout.steps);
        let form = Form::Lanes { lanes, keys, g: chunks(), h: chunks(), two_260: power_of_two(260) };
        Self { form, money: MoneySums::new(layout) }
    }

    /// Adds what a bid with this weight of its inner product gives to G_i and H_i.
    pub fn add_generators(&mut self, params: &BidParams, o: &Argument<'_>, w: Scalar, inverses: &Inverses) {
        let (bits, generators) = (params.bases().bits(), Generators::of(params, o, w, inverses));
        match &mut self.form {
            Form::Portable { g, h, scratch, .. } => portable_generators(bits, &generators, g, h, scratch),
            Form::Lanes { lanes, g, h, two_260, .. } => {
                lanes_generators(*lanes, bits, &generators, [g, h], two_260);
            }
        }
    }

    /// Adds what the places of money give besides the products.
    pub fn add_money(&mut self, money: &ReplayedMoney, y: &YPowers, w: Scalar, y_inverse: &Scalar) {
        let Some(sums) = &mut self.money else { return };
        let step = Factor::new(&(y_inverse + y_inverse), &sums.two_256);
        let mut at_first = w * y.first_inverse;
        for (range, weight) in extra::VALUES.into_iter().zip(money.weights.values()) {
            let mut term = Plain::new(&(at_first * weight));
            for sum in &mut sums.bits[range.clone()] {
                sum.add(&term);
                term = term.times(&step);
            }
            // 32 places on.
            at_first *= (0..5).fold(*y_inverse, |power, _| power * power);
        }
        let w_product = w * y.product_inverse;
        sums.product[0] += w_product * money.weights.balance;
        sums.product[1] += w_product * money.weights.asked;
    }

    /// Adds −s_r·c_k to Y_k and hands e·c_k to C_k, with c_k = w1·z^{1+k} + w2·ρ^{k−1}.
    pub fn add_vector(&mut self, o: &Replay, [w1, w2]: [Scalar; 2], scalars: &mut Vec<Scalar>) {
        let (minus_s_r, z_start) = (-o.responses[0], w1 * o.z * o.z);
        match &mut self.form {
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
            Form::Lanes { lanes, keys, two_260, .. } => {
                let factor = |scalar: &Scalar| (scalar * *two_260).to_bytes();
                let ((z, z_8), (rho, rho_8)) = (eight_terms(z_start, o.z), eight_terms(w2, o.rho));
                let progressions = [(&z, &factor(&z_8)), (&rho, &factor(&rho_8))];
                let handed =
                    lanes.add_two_progressions(keys, progressions, &factor(&minus_s_r), &factor(&o.e));
                scalars.extend(handed.into_iter().map(Scalar::from_bytes_mod_order));
            }
        }
    }

    /// The sums modulo ℓ.
    pub fn reduce(&self) -> StaticScalars {
        let mut scalars = match &self.form {
            Form::Portable { keys, g, h, .. } => {
                let scalars = |sums: &[Sum]| sums.iter().map(|sum| sum.to_scalar()).collect();
                StaticScalars { keys: scalars(keys), g: scalars(g), h: scalars(h) }
            }
            Form::Lanes { keys, g, h, .. } => {
                let scalars = |sums: &[ScalarSums]| {
                    let bytes = sums.iter().flat_map(|sums| sums.wide_bytes());
                    bytes.map(|bytes| Scalar::from_bytes_mod_order_wide(&bytes)).collect()
                };
                StaticScalars { keys: scalars(std::slice::from_ref(keys)), g: scalars(g), h: scalars(h) }
            }
        };
        if let Some(money) = &self.money {
            let terms = scalars.h[money.first..].iter_mut().zip(&money.bits);
            terms.for_each(|(scalar, sum)| *scalar += sum.to_scalar());
            scalars.g[money.first + extra::PRODUCT] += money.product[0];
            scalars.h[money.first + extra::PRODUCT] += money.product[1];
        }
        scalars
    }
}

impl MoneySums {
    fn new(layout: &Layout) -> Option<Self> {
        let zeros = || Self {
            first: layout.quantities(),
            bits: vec![Sum::default(); extra::PRODUCT],
            product: [Scalar::ZERO; 2],
            two_256: power_of_two(256),
        };
        layout.money.then(zeros)
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

/// Eight places at a time, chunk by chunk.
fn lanes_generators(
    lanes: ScalarLanes,
    bits: usize,
    generators: &Generators,
    [g, h]: [&mut [ScalarSums]; 2],
    two_260: &Scalar,
) {
    let factor = |scalar: &Scalar| (scalar * two_260).to_bytes();
    for (side, chunks) in [&mut *g, &mut *h].into_iter().enumerate() {
        let factors: Vec<[u8; 32]> = generators.factors[3..].iter().map(|pair| factor(&pair[side])).collect();
        for (chunk, sums) in chunks.iter_mut().enumerate() {
            lanes.add_products(sums, &generators.first_eight(chunk, side), &factors);
        }
    }
    let (value_step, mut start) = (factor(&generators.value_step), generators.value_start);
    for sums in &mut h[..generators.quantity_chunks] {
        let terms = std::iter::successors(Some(start), |term| Some(term * generators.bit_step));
        let row: Vec<[u8; 32]> = terms.take(bits).map(|term| term.to_bytes()).collect();
        lanes.add_progressions(sums, &row, &value_step);
        start *= generators.chunk_step;
    }
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
    let factors: Vec<[Factor; 2]> =
        generators.factors.iter().map(|[up, down]| [factor(up), factor(down)]).collect();
    let (bit_step, value_step) = (factor(&generators.bit_step), factor(&generators.value_step));
    let mut value_start = Plain::new(&generators.value_start);
    let length = scratch.s.len();
    let chunks = g.chunks_exact_mut(length).zip(h.chunks_exact_mut(length));
    for (chunk, ((g, h), [start, start_inverse])) in chunks.zip(&generators.starts).enumerate() {
        scratch.s[0] = Plain::new(start);
        scratch.s_inverse[0] = Plain::new(start_inverse);
        for (bit, [up, down]) in factors.iter().enumerate() {
            extend_products(&mut scratch.s[..2 << bit], up);
            extend_products(&mut scratch.s_inverse[..2 << bit], down);
        }
        g.iter_mut().zip(&scratch.s).for_each(|(sum, s)| sum.add(s));
        h.iter_mut().zip(&scratch.s_inverse).for_each(|(sum, s)| sum.add(s));
        if chunk >= generators.quantity_chunks {
            continue;
        }
        for h in h.chunks_exact_mut(bits) {
            let mut term = value_start;
            for sum in h {
                sum.add(&term);
                term = term.times(&bit_step);
            }
            value_start = value_start.times(&value_step);
        }
    }
}

/// Fills the upper half with the lower half times `factor`.
fn extend_products(products: &mut [Plain], factor: &Factor) {
    let (low, high) = products.split_at_mut(products.len() / 2);
    high.iter_mut().zip(low).for_each(|(high, low)| *high = low.times(factor));
}
