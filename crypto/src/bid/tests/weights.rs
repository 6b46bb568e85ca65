//! The batch's weights: what only they refuse, and what they depend on.

use crate::bid::batch::{Weights, all_valid, all_valid_with, draw_weights};
use crate::bid::prepared::Prepared;
use crate::bid::replay::Replay;
use crate::bid::sealed::SealedBid;
use crate::bid::tests::forger::Cheat;
use crate::bid::tests::{World, world};
use crate::bid::{BidParams, RoundContext, equations};
use curve25519_dalek::scalar::Scalar;
use std::collections::BTreeSet;

const EQUATIONS: usize = 5;

/// Adds d·B to the error of one equation (inner product, E1, E2, E3, signature, in the order of the weights).
fn add_error(w: &World, cheat: &mut Cheat, equation: usize, d: &Scalar) {
    let error = d * w.params.bases().blinding();
    match equation {
        0 => cheat.mu_error -= d,
        1..=3 => cheat.announcement_errors[equation - 1] += error,
        _ => cheat.signature_error += error,
    }
}

/// All attacks whose errors cancel when every weight is 1, as lists of cheating bids, with the kind of weights that
/// still misses them: equal inside of a bid, or equal across bids.
fn cancelling_attacks(w: &mut World) -> Vec<(Vec<SealedBid>, Kind)> {
    let mut attacks = Vec::new();
    let mut forge = |w: &mut World, cheats: &[Cheat], kind: Kind| {
        let bids = cheats.iter().map(|cheat| {
            let quantities = w.quantities();
            w.forge(&quantities, cheat)
        });
        attacks.push((bids.collect(), kind));
    };
    for i in 0..EQUATIONS {
        for j in i..EQUATIONS {
            let d = w.scalar();
            let (mut first, mut second, mut both) = (Cheat::default(), Cheat::default(), Cheat::default());
            add_error(w, &mut first, i, &d);
            add_error(w, &mut second, j, &-d);
            add_error(w, &mut both, i, &d);
            add_error(w, &mut both, j, &-d);
            forge(w, &[first, second], if i == j { Kind::SameEquation } else { Kind::Mixed });
            if i != j {
                forge(w, &[both], Kind::SameBid);
            }
        }
    }
    // Responses: s_τ has the base B in E1, s_x the base V in E2; both are the same in every bid.
    for response in [1, 2] {
        let d = w.scalar();
        let (mut first, mut second) = (Cheat::default(), Cheat::default());
        first.response_errors[response] = d;
        second.response_errors[response] = -d;
        forge(w, &[first, second], Kind::SameEquation);
    }
    // μ against s_τ inside of one bid.
    let d = w.scalar();
    let mut cheat = Cheat { mu_error: d, ..Cheat::default() };
    cheat.response_errors[1] = -d;
    forge(w, &[cheat], Kind::SameBid);
    attacks
}

/// Which weights miss an attack besides those that are all equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    SameEquation,
    SameBid,
    Mixed,
}

#[test]
fn cancelling_errors_pass_with_equal_weights_and_fail_with_drawn_ones() {
    let mut w = world(8, 4);
    let honest = w.bid();
    let honest = w.prepare(&honest);
    let attacks = cancelling_attacks(&mut w);
    assert_eq!(attacks.len(), 15 + 10 + 3);
    for (bids, kind) in attacks {
        let prepared: Vec<Prepared> = bids.iter().map(|bid| w.prepare(bid)).collect();
        for bid in &prepared {
            assert!(equations::check(&w.params, bid).is_err(), "{kind:?}: no attack");
        }
        let batch: Vec<&Prepared> = prepared.iter().chain([&honest]).collect();
        let unit: Vec<Weights> = vec![[Scalar::ONE; EQUATIONS]; batch.len()];
        let one_a_bid: Vec<Weights> = batch.iter().map(|_| [w.scalar(); EQUATIONS]).collect();
        let one_an_equation: Vec<Weights> = vec![core::array::from_fn(|_| w.scalar()); batch.len()];
        assert!(all_valid_with(&w.params, &batch, &unit), "{kind:?}: the errors do not cancel");
        assert_eq!(all_valid_with(&w.params, &batch, &one_a_bid), kind == Kind::SameBid);
        assert_eq!(all_valid_with(&w.params, &batch, &one_an_equation), kind == Kind::SameEquation);
        assert!(!all_valid(&w.params, &batch), "{kind:?}");
    }
}

#[test]
fn honest_bids_hold_for_any_weights() {
    let mut w = world(8, 4);
    let bids = [w.bid(), w.bid(), w.bid()];
    let prepared: Vec<Prepared> = bids.iter().map(|bid| w.prepare(bid)).collect();
    let batch: Vec<&Prepared> = prepared.iter().collect();
    let random: Vec<Weights> = batch.iter().map(|_| core::array::from_fn(|_| w.scalar())).collect();
    assert!(all_valid_with(&w.params, &batch, &random));
    assert!(all_valid_with(&w.params, &[], &[]));
}

/// The replay of a bid that need not be valid, or even decodable: what weights are drawn from.
fn replayed(params: &BidParams, round: &RoundContext, bid: &SealedBid) -> Prepared {
    Prepared {
        replay: Replay::of(params, round, bid, None).expect("canonical scalars"),
        points: crate::fast::Points::from_points(&[]),
    }
}

#[test]
fn weights_change_with_every_byte_of_the_batch() {
    let mut w = world(8, 4);
    let (first, second) = (w.bid(), w.bid());
    let fixed = replayed(&w.params, &w.round, &first);
    let weights_with = |params: &BidParams, round: &RoundContext, bid: &SealedBid| {
        draw_weights(&[&fixed, &replayed(params, round, bid)])
    };
    let mut seen = BTreeSet::new();
    // The first bid's weight, although only the second bid changes.
    let mut is_new = |weights: Vec<Weights>| seen.insert(weights[0][0].to_bytes());
    assert!(is_new(weights_with(&w.params, &w.round, &second)));
    assert!(!is_new(weights_with(&w.params, &w.round, &second)), "drawing is deterministic");
    let bytes = second.to_bytes();
    // From 8: the round of the bid itself is compared, not absorbed; the context's round comes below.
    for place in 8..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        let changed = SealedBid::from_bytes(&changed, w.params.shape()).expect("right length");
        assert!(is_new(weights_with(&w.params, &w.round, &changed)), "byte {place}");
    }
    for place in 0..32 {
        let mut round = w.round;
        round.ledger_id[place] ^= 1;
        assert!(is_new(weights_with(&w.params, &round, &second)), "ledger id {place}");
    }
    assert!(is_new(weights_with(&w.params, &RoundContext { key_epoch: 3, ..w.round }, &second)));
    assert!(is_new(weights_with(&w.params, &RoundContext { round_id: 8, ..w.round }, &second)));
    let keys = w.params.step_keys().to_vec();
    let market = BidParams::new(8, keys.clone(), [4; 32]).expect("valid parameters");
    assert!(is_new(weights_with(&market, &w.round, &second)));
    let swapped = BidParams::new(8, [keys[1], keys[0], keys[2], keys[3]].to_vec(), [3; 32]).expect("valid");
    assert!(is_new(weights_with(&swapped, &w.round, &second)));
}

#[test]
fn weights_change_with_order_and_number_and_are_128_bits_of_their_own() {
    let mut w = world(8, 4);
    let bids = [w.bid(), w.bid(), w.bid()];
    let [a, b, c] = bids.map(|bid| w.prepare(&bid));
    let weights = draw_weights(&[&a, &b]);
    assert_ne!(weights[0], draw_weights(&[&b, &a])[1], "order");
    assert_ne!(weights[0], draw_weights(&[&a, &b, &c])[0], "number");
    assert_ne!(weights[0], draw_weights(&[&a])[0], "number");
    let all: Vec<[u8; 32]> =
        draw_weights(&[&a, &b, &c]).into_iter().flatten().map(|s| s.to_bytes()).collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 3 * EQUATIONS, "no weight is used twice");
    assert!(all.iter().all(|bytes| bytes[16..] == [0; 16]), "128 bits");
    for place in 0..16 {
        assert!(all.iter().any(|bytes| bytes[place] != all[0][place]), "byte {place} is random");
    }
}
