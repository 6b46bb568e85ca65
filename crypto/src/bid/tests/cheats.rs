//! Cheating provers: each deviation is refused by the equation that is there for it, and by the batch.
//!
//! For every equation there is a deviation that no other equation notices, so that taking any one of them out of
//! `equations.rs` or `batch.rs` fails a test here.

use crate::bid::tests::forger::Cheat;
use crate::bid::tests::{World, world};
use crate::bid::{BidFault, verify_bids};
use crate::group::encode_point;
use curve25519_dalek::constants::{RISTRETTO_BASEPOINT_POINT, RISTRETTO_BASEPOINT_TABLE};
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;

const BITS: u32 = 8;
const STEPS: usize = 4;

fn verdict(w: &mut World, quantities_wh: &[u64], cheat: Cheat) -> Result<(), BidFault> {
    let bid = w.forge(quantities_wh, &cheat);
    w.verdict(&bid)
}

fn decode(bytes: &[u8; 32]) -> RistrettoPoint {
    CompressedRistretto(*bytes).decompress().expect("a point")
}

#[test]
fn the_forger_without_a_deviation_is_an_honest_prover() {
    for (bits, steps) in [(8, 4), (16, 8)] {
        let mut w = world(bits, steps);
        let quantities = w.quantities();
        assert_eq!(verdict(&mut w, &quantities, Cheat::default()), Ok(()));
    }
}

/// The digits of the quantities, with 2^n at `step` written as a top digit 2.
fn digits_with_a_two(step: usize, quantities_wh: &[u64]) -> Vec<Scalar> {
    let top = BITS as usize - 1;
    let digit = |k: usize, i: usize| match (k == step, i == top) {
        (true, true) => 2,
        (true, false) => 0,
        (false, _) => (quantities_wh[k] >> i) & 1,
    };
    (0..STEPS).flat_map(|k| (0..BITS as usize).map(move |i| Scalar::from(digit(k, i)))).collect()
}

#[test]
fn a_quantity_of_two_to_the_n_is_refused_however_it_is_written() {
    let mut w = world(BITS, STEPS);
    for step in 0..STEPS {
        let mut quantities = w.quantities();
        quantities[step] = 1 << BITS;
        // Honest bits of the quantity modulo 2^n: t̂ is not that of the committed values.
        assert_eq!(verdict(&mut w, &quantities, Cheat::default()), Err(BidFault::Values));
        // A digit 2 with a_R = a_L − 1, so that a_L∘a_R is not zero.
        let left = digits_with_a_two(step, &quantities);
        let mut right: Vec<Scalar> = left.iter().map(|digit| digit - Scalar::ONE).collect();
        let cheat = Cheat { bits: Some((left.clone(), right.clone())), ..Cheat::default() };
        assert_eq!(verdict(&mut w, &quantities, cheat), Err(BidFault::Values));
        // The same digit with a_R = 0 there: a_L∘a_R vanishes, but a_L − 1 − a_R does not.
        right[step * BITS as usize + BITS as usize - 1] = Scalar::ZERO;
        let cheat = Cheat { bits: Some((left, right)), ..Cheat::default() };
        assert_eq!(verdict(&mut w, &quantities, cheat), Err(BidFault::Values));
        // t̂ as the committed values demand it: now E1 holds and the inner-product argument is false.
        let t_hat_shift = Some((step, Scalar::from(1u64 << BITS)));
        let cheat = Cheat { t_hat_shift, ..Cheat::default() };
        assert_eq!(verdict(&mut w, &quantities, cheat), Err(BidFault::Range));
    }
}

#[test]
fn negative_and_huge_values_are_refused() {
    let mut w = world(BITS, STEPS);
    let mut quantities = w.quantities();
    quantities[2] = 3;
    for shift in [-Scalar::from(5u64), Scalar::from(1u64 << 40), -Scalar::ONE - Scalar::from(3u64)] {
        let value_shift = Some((2, shift));
        let cheat = Cheat { value_shift, ..Cheat::default() };
        assert_eq!(verdict(&mut w, &quantities, cheat), Err(BidFault::Values));
        let cheat = Cheat { value_shift, t_hat_shift: value_shift, ..Cheat::default() };
        assert_eq!(verdict(&mut w, &quantities, cheat), Err(BidFault::Range));
    }
    // A shift inside of the range is just another value, but the bits still speak of the first.
    let cheat = Cheat { value_shift: Some((2, Scalar::ONE)), ..Cheat::default() };
    assert_eq!(verdict(&mut w, &quantities, cheat), Err(BidFault::Values));
}

#[test]
fn a_stray_blinding_component_with_adapted_tau_is_caught_by_e2_alone() {
    let mut w = world(BITS, STEPS);
    for step in 0..STEPS {
        let (quantities, d) = (w.quantities(), w.scalar());
        let cheat = Cheat { blinding_shift: Some((step, d)), ..Cheat::default() };
        assert_eq!(verdict(&mut w, &quantities, cheat), Err(BidFault::Components));
    }
}

#[test]
fn stray_components_of_every_other_kind_are_refused() {
    let mut w = world(BITS, STEPS);
    let d = w.scalar();
    let stray = [
        d * RISTRETTO_BASEPOINT_POINT,
        d * w.params.bases().blinding(),
        d * w.params.bases().value(),
        d * w.params.step_keys()[1],
        d * w.params.step_keys()[3],
        d * w.params.bases().g()[0],
        w.point(),
    ];
    for error in stray {
        let quantities = w.quantities();
        let cheat = Cheat { c_error: Some((1, error)), ..Cheat::default() };
        assert_eq!(verdict(&mut w, &quantities, cheat), Err(BidFault::Values));
    }
}

#[test]
fn an_r_of_another_vector_is_caught_by_e3_alone() {
    let mut w = world(BITS, STEPS);
    let (quantities, other) = (w.quantities(), w.scalar());
    let cheat = Cheat { r_other: Some(other), ..Cheat::default() };
    assert_eq!(verdict(&mut w, &quantities, cheat), Err(BidFault::Randomness));
}

#[test]
fn a_wrong_mu_is_caught_by_the_inner_product_argument_alone() {
    let mut w = world(BITS, STEPS);
    let (quantities, d) = (w.quantities(), w.scalar());
    let cheat = Cheat { mu_error: d, ..Cheat::default() };
    assert_eq!(verdict(&mut w, &quantities, cheat), Err(BidFault::Range));
    let cheat = Cheat { a_error: d, ..Cheat::default() };
    assert_eq!(verdict(&mut w, &quantities, cheat), Err(BidFault::Range));
}

#[test]
fn another_signer_is_caught_by_the_signature_alone() {
    let mut w = world(BITS, STEPS);
    let quantities = w.quantities();
    let signer = Some(w.keyring().account_key(2));
    assert_eq!(verdict(&mut w, &quantities, Cheat { signer, ..Cheat::default() }), Err(BidFault::Signature));
    let cheat = Cheat { signature_error: RISTRETTO_BASEPOINT_POINT, ..Cheat::default() };
    assert_eq!(verdict(&mut w, &quantities, cheat), Err(BidFault::Signature));
}

#[test]
fn of_a_false_range_and_a_false_signature_the_range_is_named() {
    let mut w = world(BITS, STEPS);
    let (quantities, d) = (w.quantities(), w.scalar());
    let signer = Some(w.keyring().account_key(2));
    let cheat = Cheat { mu_error: d, signer, ..Cheat::default() };
    assert_eq!(verdict(&mut w, &quantities, cheat), Err(BidFault::Range));
}

#[test]
fn wrong_announcements_and_responses_are_refused_by_their_equations() {
    let mut w = world(BITS, STEPS);
    let names = [BidFault::Values, BidFault::Components, BidFault::Randomness];
    for (place, fault) in names.into_iter().enumerate() {
        let (quantities, d) = (w.quantities(), w.point());
        let mut cheat = Cheat::default();
        cheat.announcement_errors[place] = d;
        assert_eq!(verdict(&mut w, &quantities, cheat), Err(fault));
    }
    // s_r enters all three equations, s_τ only E1, s_x only E2.
    for (place, fault) in [BidFault::Values, BidFault::Values, BidFault::Components].into_iter().enumerate() {
        let (quantities, d) = (w.quantities(), w.scalar());
        let mut cheat = Cheat::default();
        cheat.response_errors[place] = d;
        assert_eq!(verdict(&mut w, &quantities, cheat), Err(fault));
    }
}

#[test]
fn another_key_vector_is_refused_although_the_context_is_right() {
    let mut w = world(BITS, STEPS);
    let market = w.params.step_keys().to_vec();
    let mut wrong = vec![market.clone(); 3];
    wrong[0].swap(0, 1);
    wrong[1][1] += RISTRETTO_BASEPOINT_POINT;
    wrong[2][3] = -market[3];
    for keys in wrong {
        let quantities = w.quantities();
        let cheat = Cheat { keys: Some(keys), ..Cheat::default() };
        assert_eq!(verdict(&mut w, &quantities, cheat), Err(BidFault::Values));
    }
}

/// Helios' replay attack (Cortier and Smyth, 2011) and its kin: learn a bid by sending it again.
#[test]
fn copied_rerandomised_and_shifted_bids_are_refused_under_another_account() {
    let mut w = world(BITS, STEPS);
    let (victim, copier) = (w.bid(), w.keyring().account_key(w.round.key_epoch));
    let (d, rest) = (w.scalar(), w.quantities());
    let keys = w.params.step_keys().to_vec();
    let add = |bytes: &[u8; 32], point: RistrettoPoint| encode_point(&(decode(bytes) + point));

    let copy = victim.clone();
    let mut rerandomised = victim.clone();
    rerandomised.r = add(&victim.r, &d * RISTRETTO_BASEPOINT_TABLE);
    for (c, key) in rerandomised.c.iter_mut().zip(&keys) {
        *c = add(c, d * key);
    }
    let mut shifted = victim.clone();
    for (c, value) in shifted.c.iter_mut().zip(&rest) {
        *c = add(c, Scalar::from(*value) * w.params.bases().value());
    }
    for mut bid in [copy, rerandomised, shifted] {
        w.sign_as(&mut bid, &copier);
        assert_eq!(w.verdict(&bid), Err(BidFault::Values));
    }
}

/// The copier's signature itself is good: the victim's own bid, signed anew by the victim, is valid.
#[test]
fn signing_anew_with_the_accounts_key_keeps_a_bid_valid() {
    let mut w = world(BITS, STEPS);
    let (keyring, quantities) = (w.keyring(), w.quantities());
    let mut bid =
        crate::bid::seal_bid(&w.params, &w.round, &keyring, &quantities, &mut w.rng).expect("sealable");
    let before = bid.signature;
    w.sign_as(&mut bid, &keyring.account_key(w.round.key_epoch));
    assert_ne!(bid.signature, before);
    assert_eq!(w.verdict(&bid), Ok(()));
}

#[test]
fn culprits_among_honest_bids_are_named_with_their_reason() {
    let mut w = world(BITS, STEPS);
    let (d, signer) = (w.scalar(), w.keyring().account_key(2));
    let mut two_to_the_n = w.quantities();
    two_to_the_n[1] = 1 << BITS;
    let quantities = w.quantities();
    let cheats = [
        (5, w.forge(&two_to_the_n, &Cheat::default()), BidFault::Values),
        (
            0,
            w.forge(&quantities, &Cheat { blinding_shift: Some((0, d)), ..Cheat::default() }),
            BidFault::Components,
        ),
        (8, w.forge(&quantities, &Cheat { r_other: Some(d), ..Cheat::default() }), BidFault::Randomness),
        (3, w.forge(&quantities, &Cheat { mu_error: d, ..Cheat::default() }), BidFault::Range),
        (4, w.forge(&quantities, &Cheat { signer: Some(signer), ..Cheat::default() }), BidFault::Signature),
    ];
    let mut bids: Vec<_> = (0..9).map(|_| w.bid()).collect();
    for (place, bid, _) in &cheats {
        bids[*place] = bid.clone();
    }
    let verdicts = verify_bids(&w.params, &w.round, &bids);
    for (place, verdict) in verdicts.into_iter().enumerate() {
        let expected = cheats.iter().find(|(p, _, _)| *p == place).map(|(_, _, fault)| fault.clone());
        assert_eq!(verdict.err(), expected, "place {place}");
    }
}
