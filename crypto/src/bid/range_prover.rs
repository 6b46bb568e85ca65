//! The aggregated range proof, prover's side (Bulletproofs, section 4.2), up to the inner-product argument.
//!
//! Each protocol round consumes the state of the one before, so that no state can answer two challenges:
//! [`BitCommitment`] (A, S) → [`Polynomial`] (T1, T2) → [`Evaluation`] (t̂, μ, τ and the vectors l, r).
//!
//! Everything that depends on secrets runs in constant time up to and including the evaluation. The vectors l and r
//! are blinded by s_L·x and s_R·x; the protocol without the inner-product argument would send them in the clear, so
//! what follows may be variable-time.

use crate::bases::Bases;
use crate::bid::layout::{Layout, extra};
use crate::bid::money::{MoneyWeights, YPowers};
use crate::bid::params::BidParams;
use crate::group::{PointBytes, TranscriptExt, encode_point};
use crate::secret::Secret;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use merlin::Transcript;
use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRngCore, SeedableRng};
use subtle::{Choice, ConditionallySelectable};
use zeroize::Zeroizing;

pub(crate) fn inner_product(a: &[Scalar], b: &[Scalar]) -> Scalar {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `first, first·x, first·x², …`, `count` of them.
pub(crate) fn powers(first: Scalar, x: &Scalar, count: usize) -> Vec<Scalar> {
    std::iter::successors(Some(first), |last| Some(last * x)).take(count).collect()
}

/// What a bid with money proves besides its quantities.
pub(crate) struct ExtraValues {
    /// What the bid leaves of the import capacity, of the export capacity and of the balance; the last one is zero in arrears.
    pub left: Secret<[u64; 3]>,
    /// The product's factors: all that the bid asks for, and what the balance lacks.
    pub product: Secret<[Scalar; 2]>,
    /// The cost that the bid commits to.
    pub cost: Secret<Scalar>,
}

/// The vectors a_L and a_R: the bits of all quantities, and a_R = a_L − 1. With money, those of its three values and the
/// factors of its product follow; then zeros.
pub(crate) struct Bits {
    pub left: Secret<Vec<Scalar>>,
    pub right: Secret<Vec<Scalar>>,
}

impl Bits {
    pub fn of(bases: &Bases, quantities_wh: &[u64], extra_values: Option<&ExtraValues>) -> Self {
        let (bits, total) = (bases.bits(), bases.layout().total());
        // Of their final length at once: a vector that grows leaves copies of secrets behind.
        let (mut left, mut right) = (Vec::with_capacity(total), Vec::with_capacity(total));
        let bit = |value: u64, at: usize| Scalar::from((value >> at) & 1);
        left.extend(quantities_wh.iter().flat_map(|value| (0..bits).map(move |at| bit(*value, at))));
        if let Some(values) = extra_values {
            let ranges = extra::VALUES.iter().zip(values.left.expose());
            left.extend(ranges.flat_map(|(range, value)| (0..range.len()).map(move |at| bit(*value, at))));
        }
        right.extend(left.iter().map(|bit| bit - Scalar::ONE));
        if let Some(values) = extra_values {
            let [asked, lacking] = values.product.expose();
            left.push(*asked);
            right.push(*lacking);
        }
        left.resize(total, Scalar::ZERO);
        right.resize(total, Scalar::ZERO);
        Self { left: Secret::new(left), right: Secret::new(right) }
    }

    /// The bits of values with products behind them: a_L and a_R of a product's place are its factors.
    pub fn with_products(bases: &Bases, values: &[u64], products: &[[u64; 2]]) -> Self {
        let bits = Self::of(bases, values, None);
        let (mut left, mut right) = (bits.left, bits.right);
        let first = bases.layout().bit_places();
        for (at, [of_left, of_right]) in products.iter().enumerate() {
            left.expose_mut()[first + at] = Scalar::from(*of_left);
            right.expose_mut()[first + at] = Scalar::from(*of_right);
        }
        Self { left, right }
    }

    /// ⟨a_L, G⟩ + ⟨a_R, H⟩: for every bit either G_i or −H_i, selected in constant time.
    fn commit(&self, bases: &Bases) -> RistrettoPoint {
        let (layout, left) = (bases.layout(), self.left.expose());
        let terms = left[..layout.bit_places()].iter().zip(bases.g().iter().zip(bases.h()));
        let bits: RistrettoPoint = terms
            .map(|(bit, (g, h))| {
                RistrettoPoint::conditional_select(&-h, g, Choice::from(bit.as_bytes()[0] & 1))
            })
            .sum();
        let right = self.right.expose();
        let products = layout.bit_places()..layout.used_places();
        bits + products.map(|at| left[at] * bases.g()[at] + right[at] * bases.h()[at]).sum::<RistrettoPoint>()
    }
}

/// A blinding vector, expanded from 32 bytes of the proof's random source: that source hashes for each draw.
fn random_vector(bases: &Bases, rng: &mut impl CryptoRngCore) -> Secret<Vec<Scalar>> {
    let mut seed = Secret::new([0u8; 32]);
    rng.fill_bytes(seed.expose_mut());
    let mut stream = ChaCha20Rng::from_seed(*seed.expose());
    let mut vector = Vec::with_capacity(bases.layout().total());
    vector.extend((0..bases.layout().used_places()).map(|_| Scalar::random(&mut stream)));
    Secret::new(vector)
}

/// After the first message: A and S are sent.
pub(crate) struct BitCommitment<'a> {
    params: &'a BidParams,
    bases: &'a Bases,
    bits: Bits,
    alpha: Secret<Scalar>,
    s_blinding: Secret<Scalar>,
    s_left: Secret<Vec<Scalar>>,
    s_right: Secret<Vec<Scalar>>,
    pub a: PointBytes,
    pub s: PointBytes,
}

impl<'a> BitCommitment<'a> {
    pub fn new(params: &'a BidParams, bits: Bits, t: &mut Transcript, rng: &mut impl CryptoRngCore) -> Self {
        let a = bits.commit(params.bases());
        Self::with_bit_sum(params, bits, a, t, rng)
    }

    /// As [`Self::new`], for a given ⟨a_L, G⟩ + ⟨a_R, H⟩ (the tests commit to vectors that are no bits).
    pub fn with_bit_sum(
        params: &'a BidParams,
        bits: Bits,
        bit_sum: RistrettoPoint,
        t: &mut Transcript,
        rng: &mut impl CryptoRngCore,
    ) -> Self {
        let bases = params.bases();
        let alpha = Secret::new(Scalar::random(rng));
        let s_blinding = Secret::new(Scalar::random(rng));
        let (mut s_left, mut s_right) = (random_vector(bases, rng), random_vector(bases, rng));
        let a = encode_point(&(bit_sum + alpha.expose() * bases.blinding_table()));
        let s = encode_point(
            &(s_blinding.expose() * bases.blinding_table()
                + params.secret_tables()[0].multiply(s_left.expose())
                + params.secret_tables()[1].multiply(s_right.expose())),
        );
        // Places that hold nothing have nothing to blind.
        s_left.expose_mut().resize(bases.layout().total(), Scalar::ZERO);
        s_right.expose_mut().resize(bases.layout().total(), Scalar::ZERO);
        t.append_message(b"A", &a);
        t.append_message(b"S", &s);
        Self { params, bases, bits, alpha, s_blinding, s_left, s_right, a, s }
    }

    /// Draws y and z, commits to the coefficients of t(X) = ⟨l(X), r(X)⟩ in T1 and T2 and draws x.
    pub fn polynomial(self, t: &mut Transcript, rng: &mut impl CryptoRngCore) -> Polynomial {
        let (params, bases) = (self.params, self.bases);
        let y = t.challenge_scalar(b"y");
        let z = t.challenge_scalar(b"z");
        let y_powers = powers(Scalar::ONE, &y, bases.g().len());
        // l(X) = (a_L − z) + s_L·X and r(X) = y^i·(a_R + z) + z^{1+k}·2^bit + y^i·s_R·X for a bit.
        let [left_terms, right_terms] = public_terms(params, &y, &z, &y_powers);
        let l0: Vec<Scalar> =
            self.bits.left.expose().iter().zip(&left_terms).map(|(a, term)| a + term).collect();
        let r0 = self.bits.right.expose().iter().zip(&y_powers).zip(&right_terms);
        let r0: Vec<Scalar> = r0.map(|((a, y), term)| y * a + term).collect();
        let r1: Vec<Scalar> = self.s_right.expose().iter().zip(&y_powers).map(|(s, y)| s * y).collect();
        let (l0, r0, r1) = (Secret::new(l0), Secret::new(r0), Secret::new(r1));
        let t1 = inner_product(l0.expose(), r1.expose()) + inner_product(self.s_left.expose(), r0.expose());
        let t2 = inner_product(self.s_left.expose(), r1.expose());
        let (t1, t2) = (Secret::new(t1), Secret::new(t2));
        let (tau1, tau2) = (Secret::new(Scalar::random(rng)), Secret::new(Scalar::random(rng)));
        let commit = |v: &Secret<Scalar>, blinding: &Secret<Scalar>| {
            encode_point(&(v.expose() * bases.value_table() + blinding.expose() * bases.blinding_table()))
        };
        let (t1_point, t2_point) = (commit(&t1, &tau1), commit(&t2, &tau2));
        t.append_message(b"T1", &t1_point);
        t.append_message(b"T2", &t2_point);
        let x = t.challenge_scalar(b"x");
        let mu = self.alpha.expose() + x * self.s_blinding.expose();
        let tau = Secret::new(x * tau1.expose() + x * x * tau2.expose());
        Polynomial { y, z, x, mu, tau, l0, l1: self.s_left, r0, r1, t1: t1_point, t2: t2_point }
    }
}

/// The public parts of l(0) and r(0), place by place: −z and z·y^i + weight·2^bit where a bit is; at the place of the product
/// y^{-i}·(the balance's weight), which ties a_R to the balance, and the weight of all that is asked for, which ties a_L to
/// it; nothing behind it.
fn public_terms(params: &BidParams, y: &Scalar, z: &Scalar, y_powers: &[Scalar]) -> [Vec<Scalar>; 2] {
    let (bases, layout) = (params.bases(), params.bases().layout());
    let twos = powers(Scalar::ONE, &Scalar::from(2u64), 64);
    let mut left = vec![-z; layout.bit_places()];
    let quantities = powers(z * z, z, bases.steps()).into_iter().map(|weight| (weight, bases.bits()));
    let weights = MoneyWeights::of(z, bases.steps());
    let money = weights.values().into_iter().zip(extra::VALUES.map(|range| range.len()));
    let values = quantities.chain(money.take(if layout.money { 3 } else { 0 }));
    let terms = values.flat_map(|(weight, bits)| twos[..bits].iter().map(move |two| weight * two));
    let mut right: Vec<Scalar> = terms.zip(y_powers).map(|(term, y)| term + z * y).collect();
    if layout.money {
        left.push(YPowers::of(params, y, &y.invert()).product_inverse * weights.balance);
        right.push(weights.asked);
    }
    let mut y_inverse = powers(Scalar::ONE, &y.invert(), layout.used_places()).split_off(layout.bit_places());
    for ([of_left, of_right], y_inverse) in product_weights(layout, z).into_iter().zip(y_inverse.drain(..)) {
        left.push(y_inverse * of_left);
        right.push(of_right);
    }
    left.resize(layout.total(), Scalar::ZERO);
    right.resize(layout.total(), Scalar::ZERO);
    [left, right]
}

/// The weights f_k and g_k that tie the factors a_R and a_L of the products of a day's shares to its values: the powers of z
/// behind those of the values, first all g, then all f.
pub(crate) fn product_weights(layout: &Layout, z: &Scalar) -> Vec<[Scalar; 2]> {
    if layout.products == 0 {
        return Vec::new();
    }
    let all = powers(z * z, z, layout.steps + 2 * layout.products);
    let (g, f) = all[layout.steps..].split_at(layout.products);
    f.iter().zip(g).map(|(f, g)| [*f, *g]).collect()
}

/// After the second message: T1 and T2 are sent, x is drawn.
pub(crate) struct Polynomial {
    pub y: Scalar,
    pub z: Scalar,
    x: Scalar,
    mu: Scalar,
    tau: Secret<Scalar>,
    l0: Secret<Vec<Scalar>>,
    l1: Secret<Vec<Scalar>>,
    r0: Secret<Vec<Scalar>>,
    r1: Secret<Vec<Scalar>>,
    pub t1: PointBytes,
    pub t2: PointBytes,
}

/// The evaluation at x. τ is the one secret left; it goes into the link proof, never out.
pub(crate) struct Evaluation {
    pub mu: Scalar,
    pub t_hat: Scalar,
    pub tau: Secret<Scalar>,
    pub l: Zeroizing<Vec<Scalar>>,
    pub r: Zeroizing<Vec<Scalar>>,
}

impl Polynomial {
    pub fn evaluate(self) -> Evaluation {
        let at_x = |c0: &Secret<Vec<Scalar>>, c1: &Secret<Vec<Scalar>>| {
            let terms = c0.expose().iter().zip(c1.expose());
            Zeroizing::new(terms.map(|(c0, c1)| c0 + c1 * self.x).collect::<Vec<Scalar>>())
        };
        let (l, r) = (at_x(&self.l0, &self.l1), at_x(&self.r0, &self.r1));
        Evaluation { mu: self.mu, t_hat: inner_product(&l, &r), tau: self.tau, l, r }
    }
}
