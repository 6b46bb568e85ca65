//! Replaying a bid's transcript: from bytes to canonical scalars, challenges and the equations that are left to check.

use crate::absorb::{Absorb, Drawn, Framing, side_by_side};
use crate::bid::layout::Layout;
use crate::bid::money::{AccountTerms, MoneyWeights};
use crate::bid::params::{BidParams, RoundContext};
use crate::bid::prepared::is_identity;
use crate::bid::seal::{absorb_link_announcements, absorb_link_responses, absorb_vector};
use crate::bid::sealed::SealedBid;
use crate::bid::steps::Steps;
use crate::bid::verify::Statement;
use crate::group::{PointBytes, decode_scalar};
use crate::schnorr::{SignatureStatement, VerifyingKey};
use crate::wire::{Reader, WireError};
use curve25519_dalek::scalar::Scalar;
use merlin::Transcript;

/// A bid's proof, parsed, with all challenges. Points are still encodings: they are decompressed once, in
/// [`crate::bid::batch`] or [`crate::bid::equations`].
pub struct Replay {
    /// A, S, T1, T2.
    pub range_points: [PointBytes; 4],
    /// Announcements of E1, E2, E3.
    pub announcements: [PointBytes; 3],
    /// The pairs of L and R of the inner-product argument, in the order of `crate::bid::layout`.
    pub rounds: Vec<(PointBytes, PointBytes)>,
    /// t̂.
    pub t_hat: Scalar,
    /// μ.
    pub mu: Scalar,
    /// Responses s_r, s_τ, s_x.
    pub responses: [Scalar; 3],
    /// The response for the multiple of Y_0 in E1; zero without money.
    pub account_response: Scalar,
    /// What money adds, where there is any.
    pub money: Option<ReplayedMoney>,
    /// Last scalars a, b of the inner-product argument.
    pub a: Scalar,
    /// See `a`.
    pub b: Scalar,
    /// The signature's equation; a day's readings have none of their own.
    pub signature: Option<SignatureStatement>,
    /// The steps that have a C_k.
    pub(crate) steps: Steps,
    /// Challenges ρ, y, z, x, e, w.
    pub rho: Scalar,
    /// See `rho`.
    pub y: Scalar,
    /// See `rho`.
    pub z: Scalar,
    /// See `rho`.
    pub x: Scalar,
    /// See `rho`.
    pub e: Scalar,
    /// See `rho`.
    pub w: Scalar,
    /// Challenges u of the inner-product rounds.
    pub u: Vec<Scalar>,
    /// 32 bytes that depend on every byte of context, statement, proof, note and signature: what a batch's weights
    /// are drawn from.
    pub binding: [u8; 32],
}

/// The public side of a bid's money, as its equations need it.
pub struct ReplayedMoney {
    /// The account's terms.
    pub terms: AccountTerms,
    /// The bid's cost, encoded.
    pub cost: PointBytes,
    pub(crate) weights: MoneyWeights,
}

impl ReplayedMoney {
    /// What the cost and what is available weigh in E1.
    pub(crate) fn point_weights(&self) -> [Scalar; 2] {
        let available = if is_identity(&self.terms.available) { Scalar::ZERO } else { self.weights.balance };
        [-(self.weights.balance + self.weights.cost), available]
    }
}

/// Something whose transcript can be replayed: a bid, a day of readings.
pub(crate) trait Replayed: Copy + Sync {
    /// The label that its transcript is begun with.
    fn label(&self) -> &'static [u8];
    /// The replay on a transcript that was begun with the label and is empty.
    fn replay_on(&self, t: &mut impl Absorb, params: &BidParams) -> Result<Replay, WireError>;
}

impl Replayed for Statement<'_> {
    fn label(&self) -> &'static [u8] {
        RoundContext::label(self.terms)
    }

    fn replay_on(&self, t: &mut impl Absorb, params: &BidParams) -> Result<Replay, WireError> {
        Replay::on(t, params, self.round, self.bid, self.terms)
    }
}

/// Challenges and last scalars that an inner-product argument's scalars are made of.
pub(crate) struct Argument<'a> {
    pub z: Scalar,
    pub a: Scalar,
    pub b: Scalar,
    pub u: &'a [Scalar],
}

/// The messages of an inner-product argument, with its challenges.
pub(crate) struct Rounds {
    /// Pairs of L and R.
    pub rounds: Vec<(PointBytes, PointBytes)>,
    pub u: Vec<Scalar>,
    pub a: Scalar,
    pub b: Scalar,
}

impl Rounds {
    /// Reads them to the end of a proof.
    pub fn read(t: &mut impl Absorb, layout: &Layout, mut r: Reader<'_>) -> Result<Self, WireError> {
        let mut rounds = Vec::with_capacity(layout.pairs());
        let mut u = Vec::with_capacity(layout.halvings + layout.thirds);
        for arity in layout.arities() {
            for _ in 1..arity {
                let (left, right): (PointBytes, PointBytes) = (r.array("L")?, r.array("R")?);
                t.absorb(b"L", &left);
                t.absorb(b"R", &right);
                rounds.push((left, right));
            }
            u.push(t.draw_scalar(b"u"));
        }
        let (a, b) = (decode_scalar("a", &r.array("a")?)?, decode_scalar("b", &r.array("b")?)?);
        r.finish()?;
        t.absorb(b"a", a.as_bytes());
        t.absorb(b"b", b.as_bytes());
        Ok(Self { rounds, u, a, b })
    }
}

fn shape_error() -> WireError {
    WireError::Invalid { field: "sealed bid", why: "its parts do not have the lengths of this market" }
}

impl Replay {
    /// Replays the transcript of `bid` in its context. Errors are structural: wrong lengths, non-canonical scalars.
    pub fn of(
        params: &BidParams,
        round: &RoundContext,
        bid: &SealedBid,
        terms: Option<&AccountTerms>,
    ) -> Result<Self, WireError> {
        Self::alone(params, &Statement { round, bid, terms })
    }

    fn alone(params: &BidParams, statement: &impl Replayed) -> Result<Self, WireError> {
        let mut t = Transcript::new(statement.label());
        statement.replay_on(&mut t, params)?.checked()
    }

    /// [`Self::of`] for up to eight bids or days, side by side where that is faster. One answer each, in order.
    pub(crate) fn of_eight<S: Replayed>(
        params: &BidParams,
        statements: &[S],
    ) -> Vec<Result<Self, WireError>> {
        let framed = |statement: &S| -> Result<Framing, WireError> {
            // What its transcript adds to its sponge.
            let mut framing = Framing::new(statement.label());
            statement.replay_on(&mut framing, params)?;
            Ok(framing)
        };
        let framed: Result<Vec<Framing>, WireError> = statements.iter().map(framed).collect();
        // A bid that is malformed has no transcript of the others' shape.
        let Some(drawn) =
            framed.ok().filter(|_| statements.len() > 1).and_then(|framed| side_by_side(&framed))
        else {
            return statements.iter().map(|statement| Self::alone(params, statement)).collect();
        };
        let answer = |(statement, drawn): (&S, &Vec<u8>)| {
            statement.replay_on(&mut Drawn::new(drawn), params)?.checked()
        };
        statements.iter().zip(&drawn).map(answer).collect()
    }

    /// A zero challenge has probability 2^-252 and no inverse; the prover just proves again.
    fn checked(self) -> Result<Self, WireError> {
        // e has to have an inverse where steps are left out.
        let zero_e = self.e == Scalar::ZERO && self.steps != Steps::All;
        match self.y == Scalar::ZERO || zero_e || self.u.contains(&Scalar::ZERO) {
            true => Err(WireError::Invalid { field: "bid proof", why: "a challenge is zero" }),
            false => Ok(self),
        }
    }

    /// What the inner-product argument is about.
    pub(crate) fn argument(&self) -> Argument<'_> {
        Argument { z: self.z, a: self.a, b: self.b, u: &self.u }
    }

    /// The replay on a transcript that was begun with the bid's label and is empty.
    fn on(
        t: &mut impl Absorb,
        params: &BidParams,
        round: &RoundContext,
        bid: &SealedBid,
        terms: Option<&AccountTerms>,
    ) -> Result<Self, WireError> {
        if !bid.has_shape(params.shape()) || terms.is_some() != bid.money.is_some() {
            return Err(shape_error());
        }
        // Steps without a weight would cost nothing.
        if terms.is_some_and(|terms| terms.costs.weights().len() != params.steps()) {
            return Err(WireError::Invalid { field: "account terms", why: "not one cost weight per step" });
        }
        round.absorb_context(t, params, &bid.account, terms);
        let cost = bid.money.as_ref().map(|money| &money.cost);
        let rho = absorb_vector(t, params, &bid.salt, &bid.r, &bid.c, cost);
        let mut replay = Self::of_proof(t, params, &bid.proof, rho, terms.is_some())?;
        t.absorb(b"note", &bid.note);
        let signature = VerifyingKey::statement_on(&bid.account, t, &bid.signature)?;
        t.absorb(b"signature-response", signature.response.as_bytes());
        t.draw(b"binding", &mut replay.binding);
        replay.money = terms.zip(bid.money.as_ref()).map(|(terms, money)| ReplayedMoney {
            terms: terms.clone(),
            cost: money.cost,
            weights: MoneyWeights::of(&replay.z, params.steps()),
        });
        replay.signature = Some(signature);
        Ok(replay)
    }

    /// The replay of a proof, behind its statement and ρ: nothing of what follows it yet. With `account` its link has a response
    /// for Y_0.
    pub(crate) fn of_proof(
        t: &mut impl Absorb,
        params: &BidParams,
        proof: &[u8],
        rho: Scalar,
        account: bool,
    ) -> Result<Self, WireError> {
        let mut r = Reader::new(proof);
        let range_points: [PointBytes; 4] = [r.array("A")?, r.array("S")?, r.array("T1")?, r.array("T2")?];
        t.absorb(b"A", &range_points[0]);
        t.absorb(b"S", &range_points[1]);
        let (y, z) = (t.draw_scalar(b"y"), t.draw_scalar(b"z"));
        t.absorb(b"T1", &range_points[2]);
        t.absorb(b"T2", &range_points[3]);
        let x = t.draw_scalar(b"x");

        let announcements: [PointBytes; 3] = [r.array("N1")?, r.array("N2")?, r.array("N3")?];
        let t_hat = decode_scalar("t_hat", &r.array("t_hat")?)?;
        let mu = decode_scalar("mu", &r.array("mu")?)?;
        absorb_link_announcements(t, &t_hat, &mu, &announcements);
        let e = t.draw_scalar(b"e");
        let mut response = |name| decode_scalar(name, &r.array(name)?);
        let responses = [response("s_r")?, response("s_tau")?, response("s_x")?];
        let account_response = account.then(|| response("s_account")).transpose()?;
        absorb_link_responses(t, responses.iter().chain(&account_response));
        let w = t.draw_scalar(b"w");

        let Rounds { rounds, u, a, b } = Rounds::read(t, params.bases().layout(), r)?;
        Ok(Self {
            range_points,
            announcements,
            rounds,
            t_hat,
            mu,
            responses,
            account_response: account_response.unwrap_or(Scalar::ZERO),
            money: None,
            a,
            b,
            signature: None,
            steps: Steps::All,
            rho,
            y,
            z,
            x,
            e,
            w,
            u,
            binding: [0; 32],
        })
    }

    /// δ(y, z) = (z − z²)·Σ y^i − Σ z^{2+k}·(2^n − 1): the public part of t̂.
    pub fn delta(&self, bits: usize, steps: usize) -> Scalar {
        delta(&self.y, &self.z, bits, steps)
    }
}

/// δ(y, z) of values of so many bits, see [`Replay::delta`].
pub(crate) fn delta(y: &Scalar, z: &Scalar, bits: usize, values: usize) -> Scalar {
    let z_squared = z * z;
    let all_ones = Scalar::from(u64::MAX >> (64 - bits));
    (z - z_squared) * geometric_sum(y, bits * values) - z_squared * z * all_ones * geometric_sum(z, values)
}

/// 1 + x + … + x^{count−1}.
fn geometric_sum(x: &Scalar, count: usize) -> Scalar {
    // From the highest bit of the count on: twice as many terms, and one more.
    let (mut sum, mut power) = (Scalar::ZERO, Scalar::ONE);
    for bit in (0..usize::BITS - count.leading_zeros()).rev() {
        sum += power * sum;
        power *= power;
        if (count >> bit) & 1 == 1 {
            sum = Scalar::ONE + x * sum;
            power *= x;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bid::range_prover::powers;

    #[test]
    fn geometric_sums_are_those_of_the_terms() {
        let x = Scalar::from(7u64);
        for count in [0, 1, 2, 3, 7, 8, 100, 128, 3_300] {
            assert_eq!(
                geometric_sum(&x, count),
                powers(Scalar::ONE, &x, count).iter().sum::<Scalar>(),
                "{count}"
            );
        }
    }
}
