//! The transcript of a day's shares, for prover and verifier.

use super::params::ShareParams;
use super::sealed::SealedShares;
use super::verify::ShareStatement;
use crate::absorb::Absorb;
use crate::bid::range_prover::{powers, product_weights};
use crate::bid::replay::{Argument, Rounds, delta};
use crate::group::{PointBytes, decode_scalar};
use crate::labels;
use crate::reading::{DayContext, VerifiedDay};
use crate::wire::{Reader, WireError};
use curve25519_dalek::scalar::Scalar;
use merlin::Transcript;

/// A proof's transcript with its statement absorbed, and ρ, which comes after R_A and every C_A,k.
pub(super) fn begin(
    params: &ShareParams,
    context: &DayContext,
    day: &VerifiedDay,
    caps: &[u64],
    r: &PointBytes,
    c: &[PointBytes],
) -> (Transcript, Scalar) {
    let mut t = Transcript::new(labels::READING_SHARES);
    context.absorb(&mut t, params.day(), day.header());
    t.absorb(b"shares-params", &params.digest());
    t.absorb(b"day", &day.digest());
    t.absorb(b"caps", caps.iter().map(|cap| cap.to_le_bytes()).collect::<Vec<_>>().as_flattened());
    t.absorb(b"R", r);
    t.absorb(b"C", c.as_flattened());
    let rho = t.draw_scalar(b"rho");
    t.absorb_u64(b"bits", u64::from(params.unit().bits()));
    t.absorb_u64(b"slots", params.slots() as u64);
    (t, rho)
}

/// t̂, μ and the announcements of E1, E2 and both E3, before the challenge e.
pub(super) fn absorb_announcements(
    t: &mut impl Absorb,
    t_hat: &Scalar,
    mu: &Scalar,
    announcements: &[PointBytes; 4],
) {
    t.absorb(b"t_hat", t_hat.as_bytes());
    t.absorb(b"mu", mu.as_bytes());
    for (label, announcement) in [&b"N1"[..], b"N2", b"N3", b"N4"].into_iter().zip(announcements) {
        t.absorb(label, announcement);
    }
}

/// The responses s_A, s_c, s_τ, s_x, before the challenge w.
pub(super) fn absorb_responses(t: &mut impl Absorb, responses: &[Scalar; 4]) {
    for (label, response) in [&b"s_A"[..], b"s_c", b"s_tau", b"s_x"].into_iter().zip(responses) {
        t.absorb(label, response.as_bytes());
    }
}

/// A proof, parsed, with all challenges.
pub(super) struct Replay {
    /// A, S, T1, T2.
    pub range_points: [PointBytes; 4],
    /// N1 to N4.
    pub announcements: [PointBytes; 4],
    pub t_hat: Scalar,
    pub mu: Scalar,
    /// s_A, s_c, s_τ, s_x.
    pub responses: [Scalar; 4],
    pub rho: Scalar,
    pub y: Scalar,
    pub z: Scalar,
    pub x: Scalar,
    pub e: Scalar,
    pub w: Scalar,
    pub rounds: Rounds,
    /// Depends on every byte of statement and proof.
    pub binding: [u8; 32],
}

impl Replay {
    pub fn of(params: &ShareParams, statement: &ShareStatement<'_>) -> Result<Self, WireError> {
        let ShareStatement { context, day, caps, shares } = statement;
        let SealedShares { r, c, proof } = shares;
        let present = day.present().len();
        let invalid = |why| Err(WireError::Invalid { field: "sealed shares", why });
        if c.len() != present || caps.len() != present || proof.len() != params.proof_bytes() {
            return invalid("not one point and one cap for each reading of the day");
        }
        if day.header().grades.len() > params.slots() {
            return invalid("a day of more slots than the market's days have");
        }
        if !day.is_of(params.day(), context) {
            return invalid("of a day that was verified for another day, ledger or market");
        }
        let (mut t, rho) = begin(params, context, day, caps, r, c);
        let mut reader = Reader::new(proof);
        let mut point = |name| reader.array::<32>(name);
        let range_points = [point("A")?, point("S")?, point("T1")?, point("T2")?];
        let announcements = [point("N1")?, point("N2")?, point("N3")?, point("N4")?];
        let mut scalar = |name| decode_scalar(name, &reader.array(name)?);
        let (t_hat, mu) = (scalar("t_hat")?, scalar("mu")?);
        let responses = [scalar("s_A")?, scalar("s_c")?, scalar("s_tau")?, scalar("s_x")?];
        t.absorb(b"A", &range_points[0]);
        t.absorb(b"S", &range_points[1]);
        let (y, z) = (t.draw_scalar(b"y"), t.draw_scalar(b"z"));
        t.absorb(b"T1", &range_points[2]);
        t.absorb(b"T2", &range_points[3]);
        let x = t.draw_scalar(b"x");
        absorb_announcements(&mut t, &t_hat, &mu, &announcements);
        let e = t.draw_scalar(b"e");
        absorb_responses(&mut t, &responses);
        let w = t.draw_scalar(b"w");
        let rounds = Rounds::read(&mut t, params.layout(), reader)?;
        let mut binding = [0u8; 32];
        t.draw(b"binding", &mut binding);
        // Probability 2^-252; the prover just proves again.
        if y == Scalar::ZERO || rounds.u.contains(&Scalar::ZERO) {
            return invalid("a challenge is zero");
        }
        let replay =
            Self { range_points, announcements, t_hat, mu, responses, rho, y, z, x, e, w, rounds, binding };
        Ok(replay)
    }

    /// What the inner-product argument is about.
    pub fn argument(&self) -> Argument<'_> {
        Argument { z: self.z, a: self.rounds.a, b: self.rounds.b, u: &self.rounds.u }
    }
}

/// What u_k and v_k weigh in E1, and the products' weights.
pub(super) struct Weights {
    /// al_k = z^{1+k} + g_k, of u_k.
    pub of_cap: Vec<Scalar>,
    /// be_k = z^{1+K+k} + f_k, of v_k.
    pub of_reading: Vec<Scalar>,
    /// [f_k, g_k].
    pub products: Vec<[Scalar; 2]>,
}

impl Weights {
    pub fn of(params: &ShareParams, z: &Scalar) -> Self {
        let (slots, products) = (params.slots(), product_weights(params.layout(), z));
        let values = powers(z * z, z, 2 * slots);
        let (u, v) = values.split_at(slots);
        let of_cap = u.iter().zip(&products).map(|(power, [_, g])| power + g).collect();
        let of_reading = v.iter().zip(&products).map(|(power, [f, _])| power + f).collect();
        Self { of_cap, of_reading, products }
    }

    /// What each C_A,k weighs, all slots: al_k + be_k (with a minus).
    pub fn of_shares(&self) -> Vec<Scalar> {
        self.of_cap.iter().zip(&self.of_reading).map(|(al, be)| al + be).collect()
    }

    /// δ: of the bits, and Σ y^{-i_k}·f_k·g_k of the products.
    pub fn delta(&self, params: &ShareParams, y: &Scalar, z: &Scalar, y_inverse: &Scalar) -> Scalar {
        let layout = params.layout();
        let mut y_inverse_power = y_inverse_at(y_inverse, layout.bit_places());
        let mut sum = delta(y, z, layout.bits, layout.steps);
        for [f, g] in &self.products {
            sum += y_inverse_power * f * g;
            y_inverse_power *= y_inverse;
        }
        sum
    }
}

/// y^{-place}.
pub(super) fn y_inverse_at(y_inverse: &Scalar, place: usize) -> Scalar {
    let bits = usize::BITS - place.leading_zeros();
    (0..bits).rev().fold(Scalar::ONE, |power, bit| {
        let square = power * power;
        if (place >> bit) & 1 == 1 { square * y_inverse } else { square }
    })
}
