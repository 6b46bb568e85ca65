//! Which equation refuses which deviation of whoever proves shares, each by batch and clear verifier.

use super::params::{ShareParams, ShareUnit};
use super::prove::{Secrets, Values, commit_shares, prove};
use super::replay::{Weights, begin};
use super::sealed::SealedShares;
use super::verify::{ShareFault, ShareStatement, check_shares, verify_shares};
use crate::bid::commit::BidVector;
use crate::bid::range_prover::Evaluation;
use crate::envelope::EnvelopeKey;
use crate::group::{decode_point, encode_point};
use crate::reading::{
    DayContext, DayHeader, DayParams, DaySource, DayStatement, Direction, Grade, VerifiedDay, seal_day,
    verify_days,
};
use crate::secret::Secret;
use curve25519_dalek::constants::{RISTRETTO_BASEPOINT_POINT, RISTRETTO_BASEPOINT_TABLE};
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// Wh of the present slots; slot 1 of four is missing, and there are keys for five.
const READINGS: [u64; 3] = [200, 0, 77];

struct World {
    params: ShareParams,
    context: DayContext,
    day: VerifiedDay,
    r: Secret<Scalar>,
    rng: ChaCha20Rng,
}

fn world(unit: ShareUnit) -> World {
    let mut rng = ChaCha20Rng::seed_from_u64(17);
    let keys = (0..5).map(|_| &Scalar::random(&mut rng) * RISTRETTO_BASEPOINT_TABLE).collect();
    let day_params = DayParams::new(16, keys).expect("valid parameters");
    let context = DayContext {
        ledger_id: [1; 32],
        key_epoch: 2,
        market: [3; 32],
        authority: [4; 32],
        day_start_unix_s: 1_793_142_000,
        slots: 4,
        slot_seconds: 900,
    };
    let grades = vec![Grade::Measured, Grade::Missing, Grade::Measured, Grade::Estimated];
    let header = DayHeader::first([7; 32], Direction::Consumption, grades);
    let source = DaySource::from_bytes([5; 32]);
    let wallet = EnvelopeKey::generate(&mut rng).public();
    let r = source.randomness(&day_params, &context, &header, &READINGS).expect("in range");
    let sealed =
        seal_day(&day_params, &context, header, &source, &wallet, &READINGS, &mut rng).expect("sealable");
    let statement = DayStatement { context: &context, day: &sealed };
    let day = verify_days(&day_params, &[statement]).swap_remove(0).expect("honest");
    World { params: ShareParams::new(&day_params, unit).expect("16 bits"), context, day, r, rng }
}

/// What the prover does otherwise: shares and readings that it claims, in Wh, other randomness, an adapted evaluation.
#[derive(Clone, Copy)]
struct Cheat<'a> {
    shares_wh: [u64; 3],
    readings_wh: [u64; 3],
    products: Option<[[u64; 2]; 3]>,
    r_c: Option<Scalar>,
    adapt: &'a dyn Fn(&Scalar, &mut Evaluation),
}

/// Caps of 100 Wh: the smaller ones are 100, 0 and 77.
const CAP_WH: u64 = 100;
const HONEST: Cheat<'_> =
    Cheat { shares_wh: [100, 0, 77], readings_wh: READINGS, products: None, r_c: None, adapt: &|_, _| () };

impl World {
    fn caps(&self) -> Vec<u64> {
        vec![CAP_WH * self.params.unit().of_wh(); 3]
    }

    fn forged(&mut self, cheat: &Cheat<'_>) -> SealedShares {
        self.altered(cheat, |_, _| ())
    }

    /// As [`Self::forged`], with R_A and the C_A altered before they are absorbed; `alter` gets B beside them.
    fn altered(
        &mut self,
        cheat: &Cheat<'_>,
        alter: impl FnOnce(&mut BidVector, &RistrettoPoint),
    ) -> SealedShares {
        let unit = self.params.unit().of_wh();
        let (caps, in_unit) = (self.caps(), |wh: [u64; 3]| wh.map(|wh| wh * unit));
        let (shares, readings) = (in_unit(cheat.shares_wh), in_unit(cheat.readings_wh));
        let products = cheat.products.as_ref().map(|products| &products[..]);
        let values = Values { readings: &readings, caps: &caps, shares: &shares, products };
        let r_a = Secret::new(Scalar::random(&mut self.rng));
        let r_c = cheat.r_c.map_or_else(|| self.r.clone(), Secret::new);
        let secrets = Secrets { r_a: &r_a, r_c: &r_c };
        let mut vector = commit_shares(&self.params, &self.day, &values, &secrets);
        alter(&mut vector, self.params.vector().bases().blinding());
        prove(&self.params, &self.context, &self.day, &values, &secrets, vector, &mut self.rng, cheat.adapt)
    }

    fn verdict_of(&self, shares: &SealedShares, honest: &SealedShares) -> Result<(), ShareFault> {
        let caps = self.caps();
        let statements = [honest, shares].map(|shares| ShareStatement {
            context: &self.context,
            day: &self.day,
            caps: &caps,
            shares,
        });
        let clear = check_shares(&self.params, &statements[1]);
        let alone = verify_shares(&self.params, &statements[1..]).swap_remove(0).err();
        let beside: Vec<_> = verify_shares(&self.params, &statements).into_iter().map(Result::err).collect();
        assert_eq!(alone, clear.clone().err());
        assert_eq!(beside, [None, alone]);
        clear
    }

    fn verdict(&mut self, cheat: &Cheat<'_>) -> Result<(), ShareFault> {
        let (honest, shares) = (self.forged(&HONEST), self.forged(cheat));
        self.verdict_of(&shares, &honest)
    }
}

#[test]
fn who_keeps_to_the_protocol_is_accepted_in_both_units() {
    for unit in [ShareUnit::Wh, ShareUnit::WhQ16] {
        assert_eq!(world(unit).verdict(&HONEST), Ok(()), "{unit:?}");
    }
}

#[test]
fn a_share_that_is_not_the_smaller_of_cap_and_reading_is_refused() {
    for unit in [ShareUnit::Wh, ShareUnit::WhQ16] {
        let mut world = world(unit);
        for (shares_wh, what) in [
            ([99, 0, 77], "below both: u and v are positive"),
            ([0, 0, 77], "nothing where there was a share"),
            ([101, 0, 77], "above the cap: u is negative"),
            ([100, 0, 78], "above the reading: v is negative"),
            ([100, 1, 77], "a share without consumption"),
        ] {
            let verdict = world.verdict(&Cheat { shares_wh, ..HONEST });
            assert_eq!(verdict, Err(ShareFault::Values), "{unit:?}: {what}");
        }
    }
}

/// The bits tell the truth and the products' places don't: only the weights that tie them to the bits tell.
#[test]
fn products_of_other_numbers_than_the_differences_are_refused() {
    let mut world = world(ShareUnit::Wh);
    // Of 99, 0 and 77 Wh the differences to 100 Wh and the readings are (1, 101), (100, 0) and (23, 0).
    let short = Cheat { shares_wh: [99, 0, 77], ..HONEST };
    for first in [[0, 0], [1, 0], [0, 101]] {
        let products = Some([first, [100, 0], [23, 0]]);
        assert_eq!(world.verdict(&Cheat { products, ..short }), Err(ShareFault::Values), "{first:?}");
    }
}

#[test]
fn a_share_of_other_readings_than_the_days_is_refused() {
    let mut world = world(ShareUnit::WhQ16);
    let cheat = Cheat { shares_wh: [100, 0, 80], readings_wh: [200, 0, 80], ..HONEST };
    assert_eq!(world.verdict(&cheat), Err(ShareFault::Values));
}

/// Everything about r_c is right but that it is not the day's: E1 speaks of another mask.
#[test]
fn who_does_not_know_the_days_randomness_can_not_prove() {
    let mut world = world(ShareUnit::Wh);
    let cheat = Cheat { r_c: Some(Scalar::from(9u64)), ..HONEST };
    assert_eq!(world.verdict(&cheat), Err(ShareFault::Values));
}

#[test]
fn a_stray_component_with_adapted_tau_is_caught_by_e2_alone() {
    let mut world = world(ShareUnit::Wh);
    let (honest, params) = (world.forged(&HONEST), world.params.clone());
    // C_A,1 + B, and what that adds to E1 goes into τ.
    let stray = |vector: &mut BidVector, blinding: &RistrettoPoint| add(&mut vector.c[0], *blinding);
    let adapt = |z: &Scalar, evaluation: &mut Evaluation| {
        *evaluation.tau.expose_mut() -= Weights::of(&params, z).of_shares()[0];
    };
    let forged = world.altered(&Cheat { adapt: &adapt, ..HONEST }, stray);
    assert_eq!(world.verdict_of(&forged, &honest), Err(ShareFault::Components));
    let not_adapted = world.altered(&HONEST, stray);
    assert_eq!(world.verdict_of(&not_adapted, &honest), Err(ShareFault::Values));
}

#[test]
fn an_r_of_other_shares_is_caught_by_e3_alone() {
    let mut world = world(ShareUnit::Wh);
    let honest = world.forged(&HONEST);
    let forged = world.altered(&HONEST, |vector, _| add(&mut vector.r, RISTRETTO_BASEPOINT_POINT));
    assert_eq!(world.verdict_of(&forged, &honest), Err(ShareFault::Randomness));
}

fn add(encoding: &mut [u8; 32], error: RistrettoPoint) {
    *encoding = encode_point(&(decode_point("a point", encoding).expect("a point") + error));
}

#[test]
fn a_wrong_mu_is_caught_by_the_inner_product_argument_alone() {
    let mut world = world(ShareUnit::Wh);
    let adapt = |_: &Scalar, evaluation: &mut Evaluation| evaluation.mu += Scalar::ONE;
    assert_eq!(world.verdict(&Cheat { adapt: &adapt, ..HONEST }), Err(ShareFault::Range));
}

/// A statement that is only in the equations could be fitted to known challenges.
#[test]
fn the_challenges_depend_on_the_whole_statement() {
    let (world, other_unit) = (world(ShareUnit::Wh), world(ShareUnit::WhQ16));
    let (r, c, caps) = ([1; 32], vec![[2; 32]; 3], vec![7u64, 8, 9]);
    let rho = |params: &ShareParams, context: &DayContext, caps: &[u64], r: &[u8; 32], c: &[[u8; 32]]| {
        begin(params, context, &world.day, caps, r, c).1
    };
    let (params, context) = (&world.params, &world.context);
    let honest = rho(params, context, &caps, &r, &c);
    assert_eq!(honest, rho(params, context, &caps, &r, &c));
    assert_ne!(honest, rho(&other_unit.params, context, &caps, &r, &c));
    assert_ne!(honest, rho(params, &DayContext { market: [9; 32], ..*context }, &caps, &r, &c));
    assert_ne!(honest, rho(params, context, &[7, 8, 10], &r, &c));
    assert_ne!(honest, rho(params, context, &caps, &[3; 32], &c));
    assert_ne!(honest, rho(params, context, &caps, &r, &[[2; 32], [2; 32], [3; 32]]));
    // The same readings sealed again: R and C are the same, the digest is another.
    let mut rng = ChaCha20Rng::seed_from_u64(18);
    let source = DaySource::from_bytes([5; 32]);
    let wallet = EnvelopeKey::generate(&mut rng).public();
    let header = world.day.header().clone();
    let again =
        seal_day(params.day(), context, header, &source, &wallet, &READINGS, &mut rng).expect("sealable");
    let statement = DayStatement { context, day: &again };
    let again = verify_days(params.day(), &[statement]).swap_remove(0).expect("honest");
    assert_eq!((again.r_bytes(), again.c_bytes()), (world.day.r_bytes(), world.day.c_bytes()));
    assert_ne!(honest, begin(params, context, &again, &caps, &r, &c).1);
}
