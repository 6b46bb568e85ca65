//! Which equation refuses which deviation of a source, each by batch and clear verifier. What the public interface can show is in
//! `crypto/tests/it/reading/`.

use super::context::{DayContext, DayHeader, Direction, Grade};
use super::params::DayParams;
use super::replay::absorb_vector;
use super::sealed::{RECOVERY_BYTES, SealedDay};
use super::verify::{DayFault, DayStatement, check_day, verify_days};
use crate::bid::commit::{BidVector, commit_at};
use crate::bid::inner_product;
use crate::bid::range_prover::{BitCommitment, Bits, powers};
use crate::bid::seal::{LinkWitness, prove_link};
use crate::bid::steps::Steps;
use crate::group::{TranscriptExt, decode_point, encode_point};
use crate::labels;
use crate::secret::Secret;
use curve25519_dalek::constants::{RISTRETTO_BASEPOINT_POINT, RISTRETTO_BASEPOINT_TABLE};
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, VartimeMultiscalarMul};
use merlin::Transcript;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// What a source does otherwise than the protocol says.
#[derive(Default)]
struct Cheat {
    /// Added to the values of the bits at their places, and not to what is committed to.
    other_bits: Vec<(usize, i64)>,
    /// Added to C_1 before it is absorbed, as a multiple of B.
    stray: Scalar,
    /// Whether τ is adapted to that.
    adapted: bool,
    /// Added to R before it is absorbed.
    r_error: Option<RistrettoPoint>,
    /// Added to μ.
    mu_error: Scalar,
    /// Added to the response s_x.
    s_x_error: Scalar,
}

struct World {
    params: DayParams,
    context: DayContext,
    rng: ChaCha20Rng,
}

fn world() -> World {
    let mut rng = ChaCha20Rng::seed_from_u64(15);
    let keys = (0..6).map(|_| &Scalar::random(&mut rng) * RISTRETTO_BASEPOINT_TABLE).collect();
    let context = DayContext {
        ledger_id: [1; 32],
        key_epoch: 2,
        market: [3; 32],
        authority: [4; 32],
        day_start_unix_s: 1_793_142_000,
        slots: 5,
        slot_seconds: 900,
    };
    World { params: DayParams::new(8, keys).expect("valid parameters"), context, rng }
}

const READINGS: [u64; 4] = [200, 0, 7, 255];
/// Slot 2 of five is missing; the proof has eight places.
const PRESENT: [usize; 4] = [0, 1, 3, 4];

impl World {
    /// A day by the honest prover's states, with its own link, so that each deviation leaves the rest as it has to be.
    fn forged(&mut self, cheat: &Cheat) -> SealedDay {
        let (vector, r) = (self.params.vector(), Secret::new(Scalar::random(&mut self.rng)));
        let mut grades = vec![Grade::Measured; 5];
        grades[2] = Grade::Missing;
        let header = DayHeader::first([7; 32], Direction::Consumption, grades);
        let pairs = PRESENT.into_iter().zip(READINGS);
        let BidVector { r: r_point, mut c } = commit_at(vector, &r, pairs.clone());
        let add = |point: &[u8; 32], error: RistrettoPoint| {
            encode_point(&(decode_point("a point", point).expect("a point") + error))
        };
        c[0] = add(&c[0], cheat.stray * vector.bases().blinding());
        let r_point = add(&r_point, cheat.r_error.unwrap_or_else(RistrettoPoint::identity));
        let recovery = [8; RECOVERY_BYTES];
        let mut t = Transcript::new(labels::READING);
        let rho = absorb_vector(&mut t, &self.params, &self.context, &header, &r_point, &c, &recovery);
        let mut values = vec![0u64; vector.steps()];
        pairs.for_each(|(slot, reading)| values[slot] = reading);
        let rho_powers = powers(Scalar::ONE, &rho, vector.steps());
        let x_rho: Scalar = values.iter().zip(&rho_powers).map(|(x, power)| Scalar::from(*x) * power).sum();
        for (place, error) in &cheat.other_bits {
            values[*place] = values[*place].checked_add_signed(*error).expect("a value");
        }
        let bits = Bits::of(vector.bases(), &values, None);
        let commitment = BitCommitment::new(vector, bits, &mut t, &mut self.rng);
        let (a, s) = (commitment.a, commitment.s);
        let polynomial = commitment.polynomial(&mut t, &mut self.rng);
        let (y, z, t1, t2) = (polynomial.y, polynomial.z, polynomial.t1, polynomial.t2);
        let mut evaluation = polynomial.evaluate();
        evaluation.mu += cheat.mu_error;
        let adapted = if cheat.adapted { z * z * cheat.stray } else { Scalar::ZERO };
        let witness = LinkWitness {
            r,
            tau: Secret::new(evaluation.tau.expose() + adapted),
            x_rho: Secret::new(x_rho + cheat.s_x_error),
            of_account: None,
        };
        let steps = Steps::Some(PRESENT.to_vec());
        let keys = steps.select(self.params.slot_keys());
        let combined = [powers(z * z, &z, vector.steps()), rho_powers]
            .map(|weights| RistrettoPoint::vartime_multiscalar_mul(steps.select(&weights), &keys));
        let link = prove_link(vector, &mut t, &witness, &evaluation, &combined, &mut self.rng);
        let w = t.challenge_scalar(b"w");
        let argument = inner_product::prove(vector, &mut t, &mut evaluation.l, &mut evaluation.r, &y, &w);
        let mut proof = [a, s, t1, t2].concat();
        proof.extend(link);
        argument.rounds.iter().for_each(|(left, right)| proof.extend([*left, *right].concat()));
        proof.extend([argument.a.to_bytes(), argument.b.to_bytes()].concat());
        SealedDay { header, r: r_point, c, recovery, proof }
    }

    /// The clear verifier's verdict; the batch must have the same.
    fn verdict(&mut self, cheat: &Cheat) -> Result<(), DayFault> {
        let (honest, day) = (self.forged(&Cheat::default()), self.forged(cheat));
        let statements = [&honest, &day].map(|day| DayStatement { context: &self.context, day });
        let clear = check_day(&self.params, &statements[1]);
        let batch: Vec<_> = verify_days(&self.params, &statements).into_iter().map(Result::err).collect();
        assert_eq!(batch, [None, clear.clone().err()]);
        clear
    }
}

fn one() -> Scalar {
    Scalar::ONE
}

#[test]
fn who_keeps_to_the_protocol_is_accepted() {
    assert_eq!(world().verdict(&Cheat::default()), Ok(()));
}

#[test]
fn bits_of_other_readings_are_caught_by_e1_alone() {
    let cheat = Cheat { other_bits: vec![(0, 1)], ..Cheat::default() };
    assert_eq!(world().verdict(&cheat), Err(DayFault::Values));
}

/// The slot that is missing, a slot of longer days, and a place without a key: none may hold anything, or a prover could move
/// energy there and back.
#[test]
fn a_value_where_no_reading_is_must_be_zero() {
    for place in [2, 5, 7] {
        let cheat = Cheat { other_bits: vec![(place, 1)], ..Cheat::default() };
        assert_eq!(world().verdict(&cheat), Err(DayFault::Values), "place {place}");
    }
}

#[test]
fn a_stray_component_with_adapted_tau_is_caught_by_e2_alone() {
    let cheat = Cheat { stray: one(), adapted: true, ..Cheat::default() };
    assert_eq!(world().verdict(&cheat), Err(DayFault::Components));
    let not_adapted = Cheat { stray: one(), ..Cheat::default() };
    assert_eq!(world().verdict(&not_adapted), Err(DayFault::Values));
    let other_sum = Cheat { s_x_error: one(), ..Cheat::default() };
    assert_eq!(world().verdict(&other_sum), Err(DayFault::Components));
}

#[test]
fn an_r_of_another_day_is_caught_by_e3_alone() {
    let cheat = Cheat { r_error: Some(RISTRETTO_BASEPOINT_POINT), ..Cheat::default() };
    assert_eq!(world().verdict(&cheat), Err(DayFault::Randomness));
}

#[test]
fn a_wrong_mu_is_caught_by_the_inner_product_argument_alone() {
    let cheat = Cheat { mu_error: one(), ..Cheat::default() };
    assert_eq!(world().verdict(&cheat), Err(DayFault::Range));
}

/// Slots' keys are in the equations, too; a vector could be fitted to known challenges under keys that are not absorbed.
#[test]
fn the_challenges_depend_on_the_keys_and_the_vector() {
    let (world, header) =
        (world(), DayHeader::first([7; 32], Direction::Consumption, vec![Grade::Measured; 5]));
    let rho = |params: &DayParams, r: &[u8; 32], c: &[[u8; 32]], recovery: &[u8; RECOVERY_BYTES]| {
        absorb_vector(&mut Transcript::new(labels::READING), params, &world.context, &header, r, c, recovery)
    };
    let (r, c, recovery) = ([1; 32], [[2; 32]; 5], [3; RECOVERY_BYTES]);
    let honest = rho(&world.params, &r, &c, &recovery);
    assert_eq!(honest, rho(&world.params, &r, &c, &recovery));
    let mut keys = world.params.slot_keys().to_vec();
    keys.swap(0, 1);
    assert_ne!(honest, rho(&DayParams::new(8, keys).expect("valid"), &r, &c, &recovery));
    assert_ne!(honest, rho(&world.params, &[9; 32], &c, &recovery));
    assert_ne!(honest, rho(&world.params, &r, &[[9; 32]; 5], &recovery));
    assert_ne!(honest, rho(&world.params, &r, &c, &[9; RECOVERY_BYTES]));
}
