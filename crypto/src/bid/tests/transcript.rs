//! Every value is absorbed before the first challenge that has to depend on it.
//!
//! A value that is left out of the transcript, or absorbed too late, lets a prover choose it after the challenge
//! (Frozen Heart, 2022); no equation notices. Here each item of statement, context and proof is changed and the
//! challenges are compared: those before the item stay, those after it change.

use crate::bid::params::{BidParams, RoundContext};
use crate::bid::replay::Replay;
use crate::bid::sealed::SealedBid;
use crate::bid::tests::{World, world};

/// The challenges in the order in which they are drawn; u and what follows have the places from 6 on.
const RHO: usize = 0;
const Y: usize = 1;
const X: usize = 3;
const E: usize = 4;
const W: usize = 5;
const U: usize = 6;

fn challenges(params: &BidParams, round: &RoundContext, bid: &SealedBid) -> Vec<[u8; 32]> {
    let o = Replay::of(params, round, bid, None).expect("canonical scalars");
    let drawn = [o.rho, o.y, o.z, o.x, o.e, o.w];
    let signature = o.signature.as_ref().expect("bids are signed");
    let scalars = drawn.iter().chain(&o.u).chain([&signature.challenge]);
    scalars.map(|scalar| scalar.to_bytes()).chain([o.binding]).collect()
}

/// Asserts that `changed` keeps the challenges before place `first` and shares none from there on.
fn assert_changes_from(first: usize, name: &str, honest: &[[u8; 32]], changed: &[[u8; 32]]) {
    for (place, (before, after)) in honest.iter().zip(changed).enumerate() {
        assert_eq!(
            before != after,
            place >= first,
            "{name}: challenge {place}, expected a change from {first}"
        );
    }
}

/// Name, place in the bid's bytes, length, and the first challenge that has to depend on it.
fn parts(w: &World) -> Vec<(String, usize, usize, usize)> {
    let shape = w.params.shape();
    let rounds = shape.pairs();
    let (signature_challenge, binding) = (U + rounds, U + rounds + 1);
    let c = 8 + 32 + 32 + 32;
    let proof = c + 32 * shape.steps;
    let note = proof + shape.proof_bytes();
    let signature = note + shape.note_bytes();
    let mut parts = vec![("account", 8, 32, RHO), ("salt", 40, 32, RHO), ("R", 72, 32, RHO)];
    parts.extend([("C", c, 32 * shape.steps, RHO), ("A", proof, 32, Y), ("S", proof + 32, 32, Y)]);
    parts.extend([("T1", proof + 64, 32, X), ("T2", proof + 96, 32, X)]);
    parts.extend([("N1 N2 N3", proof + 128, 96, E), ("t_hat, mu", proof + 224, 64, E)]);
    parts.extend([("s_r s_tau s_x", proof + 288, 96, W)]);
    let argument = proof + 384;
    parts.extend((0..rounds).map(|round| ("L R", argument + 64 * round, 64, U + round)));
    parts.extend([("a, b", argument + 64 * rounds, 64, signature_challenge)]);
    parts.extend([("note", note, shape.note_bytes(), signature_challenge)]);
    parts.extend([("N", signature, 32, signature_challenge), ("s", signature + 32, 32, binding)]);
    let end = parts.iter().map(|(_, place, length, _)| place + length).max();
    assert_eq!(end, Some(shape.bid_bytes()), "the parts cover the bid");
    parts
        .into_iter()
        .map(|(name, place, length, first)| (format!("{name} at {place}"), place, length, first))
        .collect()
}

#[test]
fn each_byte_of_a_bid_changes_all_challenges_after_it_and_none_before() {
    let mut w = world(8, 4);
    let bid = w.bid();
    let honest = challenges(&w.params, &w.round, &bid);
    let bytes = bid.to_bytes();
    let mut covered = 8;
    for (name, place, length, first) in parts(&w) {
        assert_eq!(place, covered, "{name} follows the part before it");
        covered += length;
        for byte in place..place + length {
            let mut changed = bytes.clone();
            changed[byte] ^= 1;
            let changed = SealedBid::from_bytes(&changed, w.params.shape()).expect("right length");
            assert_changes_from(first, &name, &honest, &challenges(&w.params, &w.round, &changed));
        }
    }
}

#[test]
fn every_part_of_the_context_changes_all_challenges() {
    let mut w = world(8, 4);
    let bid = w.bid();
    let honest = challenges(&w.params, &w.round, &bid);
    let compare = |name: &str, params: &BidParams, round: &RoundContext| {
        assert_changes_from(RHO, name, &honest, &challenges(params, round, &bid));
    };
    for byte in 0..32 {
        let mut round = w.round;
        round.ledger_id[byte] ^= 1;
        compare("ledger", &w.params, &round);
    }
    for bit in 0..64 {
        let RoundContext { key_epoch, round_id, .. } = w.round;
        compare("epoch", &w.params, &RoundContext { key_epoch: key_epoch ^ (1 << bit), ..w.round });
        let slot_start_unix_s = w.round.slot_start_unix_s ^ (1 << bit);
        compare("slot-start", &w.params, &RoundContext { slot_start_unix_s, ..w.round });
        let slot_seconds = w.round.slot_seconds ^ (1 << (bit % 32));
        compare("slot-seconds", &w.params, &RoundContext { slot_seconds, ..w.round });
        compare("round", &w.params, &RoundContext { round_id: round_id ^ (1 << bit), ..w.round });
    }
    let keys = w.params.step_keys().to_vec();
    let mut digest = [3; 32];
    digest[31] ^= 1;
    compare("market", &BidParams::new(8, keys.clone(), digest).expect("valid"), &w.round);
    for step in 0..keys.len() {
        let mut other = keys.clone();
        other[step] = w.point();
        compare("key", &BidParams::new(8, other, [3; 32]).expect("valid"), &w.round);
        let mut other = keys.clone();
        other.swap(step, (step + 1) % keys.len());
        compare("key order", &BidParams::new(8, other, [3; 32]).expect("valid"), &w.round);
    }
}

/// Width and number of steps are part of the digest, not only of the lengths.
#[test]
fn the_parameters_digest_depends_on_bits_steps_keys_and_market() {
    let w = world(8, 4);
    let keys = w.params.step_keys().to_vec();
    let digest =
        |bits, keys: &[_], market| BidParams::new(bits, keys.to_vec(), market).expect("valid").digest();
    let eight = world(8, 8).params.step_keys().to_vec();
    let mut reversed = keys.clone();
    reversed.reverse();
    let all = [
        digest(8, &keys, [3; 32]),
        digest(16, &keys, [3; 32]),
        digest(32, &keys, [3; 32]),
        digest(8, &reversed, [3; 32]),
        digest(8, &eight, [3; 32]),
        digest(8, &keys, [4; 32]),
    ];
    assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
}
