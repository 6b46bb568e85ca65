//! Zero knowledge and knowledge, each shown on the code itself.
//!
//! The simulator writes accepting transcripts for false statements, given the challenges first: so a proof tells
//! nothing that it could not have told without a witness. The extractor rewinds the link proof: so whoever answers
//! knows r and every x_k.

use crate::bid::batch::all_valid_with;
use crate::bid::inner_product;
use crate::bid::prepared::Prepared;
use crate::bid::range_prover::{Evaluation, inner_product as dot, powers};
use crate::bid::replay::Replay;
use crate::bid::seal::{LinkWitness, prove_link};
use crate::bid::tests::{World, world};
use crate::bid::{BidFault, SealedBid, equations};
use crate::group::{TranscriptExt, encode_point};
use crate::schnorr::SignatureStatement;
use crate::secret::Secret;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use merlin::Transcript;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

fn sum(scalars: &[Scalar], points: &[RistrettoPoint]) -> RistrettoPoint {
    RistrettoPoint::vartime_multiscalar_mul(scalars, points)
}

/// A statement that is a random tuple of points: with overwhelming probability no bid at all.
struct Statement {
    account: RistrettoPoint,
    r: RistrettoPoint,
    c: Vec<RistrettoPoint>,
}

fn random_statement(w: &mut World) -> Statement {
    let c = (0..w.params.steps()).map(|_| w.point()).collect();
    Statement { account: w.point(), r: w.point(), c }
}

/// Everything but A, S, T1, T2, the announcements and the inner-product rounds, drawn at random.
fn random_replay(w: &mut World, t_hat: Scalar) -> Replay {
    Replay {
        range_points: [[0; 32]; 4],
        announcements: [[0; 32]; 3],
        rounds: Vec::new(),
        t_hat,
        mu: w.scalar(),
        responses: [w.scalar(), w.scalar(), w.scalar()],
        account_response: Scalar::ZERO,
        money: None,
        a: Scalar::ZERO,
        b: Scalar::ZERO,
        signature: Some(SignatureStatement {
            announcement: [0; 32],
            challenge: w.scalar(),
            response: w.scalar(),
        }),
        steps: crate::bid::steps::Steps::All,
        rho: w.scalar(),
        y: w.scalar(),
        z: w.scalar(),
        x: w.scalar(),
        e: w.scalar(),
        w: w.scalar(),
        u: Vec::new(),
        binding: [0; 32],
    }
}

/// S from P = A + x·S − μ·B − z·⟨1, G⟩ + ⟨z + z^{1+k}·2^bit·y^{-i}, H⟩ = ⟨l, G⟩ + ⟨r·y^{-i}, H⟩.
fn solve_s(w: &World, o: &Replay, a: &RistrettoPoint, l: &[Scalar], r: &[Scalar]) -> RistrettoPoint {
    let bases = w.params.bases();
    let y_inverse = powers(Scalar::ONE, &o.y.invert(), l.len());
    let z_powers = powers(o.z * o.z, &o.z, bases.steps());
    let (mut scalars, mut points) = (vec![o.mu, -Scalar::ONE], vec![*bases.blinding(), *a]);
    for i in 0..l.len() {
        let two_power = Scalar::from(1u64 << (i % bases.bits()));
        scalars.extend([l[i] + o.z, y_inverse[i] * (r[i] - z_powers[i / bases.bits()] * two_power) - o.z]);
        points.extend([bases.g()[i], bases.h()[i]]);
    }
    o.x.invert() * sum(&scalars, &points)
}

/// The announcements that E1, E2, E3 and the signature ask for, given challenges and responses.
fn solve_announcements(
    w: &World,
    o: &Replay,
    s: &Statement,
    t1: &RistrettoPoint,
    t2: &RistrettoPoint,
) -> [RistrettoPoint; 4] {
    let bases = w.params.bases();
    let [s_r, s_tau, s_x] = o.responses;
    let z_powers = powers(o.z * o.z, &o.z, bases.steps());
    let rho_powers = powers(Scalar::ONE, &o.rho, bases.steps());
    let delta = o.delta(bases.bits(), bases.steps());
    let e1_statement = sum(&z_powers, &s.c) + (delta - o.t_hat) * bases.value() + o.x * t1 + o.x * o.x * t2;
    let (keys, signature) = (w.params.step_keys(), o.signature.as_ref().expect("a bid's"));
    [
        s_r * sum(&z_powers, keys) + s_tau * bases.blinding() - o.e * e1_statement,
        s_x * bases.value() + s_r * sum(&rho_powers, keys) - o.e * sum(&rho_powers, &s.c),
        s_r * RISTRETTO_BASEPOINT_POINT - o.e * s.r,
        signature.response * RISTRETTO_BASEPOINT_POINT - signature.challenge * s.account,
    ]
}

/// Runs the inner-product argument on a transcript of its own and reads the challenges back from it.
fn argue(w: &World, o: &mut Replay, l: &mut [Scalar], r: &mut [Scalar]) {
    let argument = inner_product::prove(&w.params, &mut Transcript::new(b"chosen"), l, r, &o.y, &o.w);
    let mut t = Transcript::new(b"chosen");
    for (left, right) in &argument.rounds {
        t.append_message(b"L", left);
        t.append_message(b"R", right);
        o.u.push(t.challenge_scalar(b"u"));
    }
    (o.rounds, o.a, o.b) = (argument.rounds, argument.a, argument.b);
}

/// An accepting conversation about `s` without any witness.
fn simulate(w: &mut World, s: &Statement) -> Prepared {
    let length = w.params.bases().g().len();
    let mut l: Vec<Scalar> = (0..length).map(|_| w.scalar()).collect();
    let mut r: Vec<Scalar> = (0..length).map(|_| w.scalar()).collect();
    let mut o = random_replay(w, dot(&l, &r));
    let (a, t1, t2) = (w.point(), w.point(), w.point());
    let s_point = solve_s(w, &o, &a, &l, &r);
    let [n1, n2, n3, n_signature] = solve_announcements(w, &o, s, &t1, &t2);
    argue(w, &mut o, &mut l, &mut r);
    o.range_points = [a, s_point, t1, t2].map(|p| encode_point(&p));
    o.announcements = [n1, n2, n3].map(|p| encode_point(&p));
    o.signature.as_mut().expect("a bid's").announcement = encode_point(&n_signature);
    let decode = |bytes: &[u8; 32]| crate::group::decode_point("L or R", bytes).expect("a point");
    let mut points = vec![a, s_point, t1, t2, n1, n2, n3, n_signature, s.account];
    points.extend(o.rounds.iter().flat_map(|(left, right)| [decode(left), decode(right)]));
    points.push(s.r);
    points.extend_from_slice(&s.c);
    Prepared { replay: o, points: crate::fast::Points::from_points(&points) }
}

/// The conversation as a bid on the wire, where the transcript draws the challenges.
fn as_bid(w: &World, s: &Statement, o: &Replay) -> SealedBid {
    let mut proof = [o.range_points.concat(), o.announcements.concat()].concat();
    for scalar in [o.t_hat, o.mu].iter().chain(&o.responses) {
        proof.extend_from_slice(scalar.as_bytes());
    }
    proof.extend(o.rounds.iter().flat_map(|(left, right)| [*left, *right]).flatten());
    proof.extend_from_slice(&[o.a.to_bytes(), o.b.to_bytes()].concat());
    let (mut signature, statement) = ([0; 64], o.signature.as_ref().expect("a bid's"));
    signature[..32].copy_from_slice(&statement.announcement);
    signature[32..].copy_from_slice(statement.response.as_bytes());
    SealedBid {
        round_id: w.round.round_id,
        account: encode_point(&s.account),
        salt: [5; 32],
        r: encode_point(&s.r),
        c: s.c.iter().map(encode_point).collect(),
        money: None,
        proof,
        note: vec![0; w.params.shape().note_bytes()],
        signature,
    }
}

#[test]
fn accepting_transcripts_of_false_statements_need_no_witness_when_challenges_come_first() {
    for (bits, steps) in [(8, 4), (16, 8)] {
        let mut w = world(bits, steps);
        for _ in 0..3 {
            let statement = random_statement(&mut w);
            let simulated = simulate(&mut w, &statement);
            assert_eq!(equations::check(&w.params, &simulated), Ok(()));
            let weights = [core::array::from_fn(|_| w.scalar())];
            assert!(all_valid_with(&w.params, &[&simulated], &weights), "the batch accepts it too");
            // With challenges drawn after the messages the same bytes are refused.
            let bid = as_bid(&w, &statement, &simulated.replay);
            assert_eq!(w.verdict(&bid), Err(BidFault::Values));
        }
    }
}

/// One answer of the link prover: (e, s_r, s_τ, s_x). `label` makes the transcript, and with it e, another one; the
/// seeded source makes the announcements the same.
fn answer(w: &World, witness: &LinkWitness, rho: &Scalar, z: &Scalar, label: u64, seed: u64) -> [Scalar; 4] {
    let mut t = Transcript::new(b"rewound");
    t.append_u64(b"label", label);
    let mut before_challenge = t.clone();
    let empty = || Zeroizing::new(Vec::new());
    let (mu, t_hat) = (Scalar::ONE, Scalar::ONE);
    let evaluation = Evaluation { mu, t_hat, tau: witness.tau.clone(), l: empty(), r: empty() };
    let rho_powers = powers(Scalar::ONE, rho, w.params.steps());
    let z_powers = powers(z * z, z, w.params.steps());
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let keys = w.params.step_keys();
    let combined =
        [z_powers, rho_powers].map(|weights| RistrettoPoint::vartime_multiscalar_mul(weights, keys));
    let bytes = prove_link(&w.params, &mut t, witness, &evaluation, &combined, &mut rng);
    let item = |i: usize| -> [u8; 32] { bytes[32 * i..32 * i + 32].try_into().expect("32 bytes") };
    let announcements = [item(0), item(1), item(2)];
    crate::bid::seal::absorb_link_announcements(&mut before_challenge, &t_hat, &mu, &announcements);
    let scalar = |i| Scalar::from_canonical_bytes(item(i)).expect("canonical");
    [before_challenge.challenge_scalar(b"e"), scalar(5), scalar(6), scalar(7)]
}

/// Solves Σ_k ρ_i^k·x_k = v_i for the x_k by Gauss and Jordan.
fn solve_vandermonde(rhos: &[Scalar], values: &[Scalar]) -> Vec<Scalar> {
    let size = rhos.len();
    let mut rows: Vec<Vec<Scalar>> = rhos.iter().map(|rho| powers(Scalar::ONE, rho, size)).collect();
    rows.iter_mut().zip(values).for_each(|(row, value)| row.push(*value));
    for i in 0..size {
        let inverse = rows[i][i].invert();
        rows[i].iter_mut().for_each(|entry| *entry *= inverse);
        let pivot = rows[i].clone();
        for (j, row) in rows.iter_mut().enumerate().filter(|(j, _)| *j != i) {
            assert_ne!(i, j);
            let factor = row[i];
            row.iter_mut().zip(&pivot).for_each(|(entry, pivot)| *entry -= factor * pivot);
        }
    }
    rows.iter().map(|row| row[size]).collect()
}

/// Two answers to one announcement give r, τ and x_ρ; as many ρ as steps give every x_k.
#[test]
fn rewinding_the_link_proof_extracts_randomness_and_quantities() {
    let mut w = world(8, 4);
    let quantities = w.quantities();
    let (r, tau, z) = (w.scalar(), w.scalar(), w.scalar());
    let (mut rhos, mut values) = (Vec::new(), Vec::new());
    for rewinding in 0..quantities.len() as u64 {
        let rho = w.scalar();
        let rho_powers = powers(Scalar::ONE, &rho, quantities.len());
        let x_rho = quantities.iter().zip(&rho_powers).map(|(x, p)| Scalar::from(*x) * p).sum();
        let witness = LinkWitness {
            r: Secret::new(r),
            tau: Secret::new(tau),
            x_rho: Secret::new(x_rho),
            of_account: None,
        };
        let first = answer(&w, &witness, &rho, &z, 1, rewinding);
        let second = answer(&w, &witness, &rho, &z, 2, rewinding);
        let inverse = (first[0] - second[0]).invert();
        let extract = |i: usize| (first[i] - second[i]) * inverse;
        assert_eq!((extract(1), extract(2)), (r, tau));
        rhos.push(rho);
        values.push(extract(3));
    }
    let expected: Vec<Scalar> = quantities.iter().map(|x| Scalar::from(*x)).collect();
    assert_eq!(solve_vandermonde(&rhos, &values), expected);
}
