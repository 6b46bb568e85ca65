//! Whatever is changed in a bid or in its context, the bid is refused and nobody else's is.

use crate::support::{Layout, Market, ORDER, step_keys};
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use veilgrid_crypto::bid::{BidFault, BidParams, RoundContext, SealedBid, verify_bids};
use veilgrid_crypto::wire::WireError;

/// One bit of every byte, alone and in a batch. The bit walks along with the byte, so that every bit of every kind of
/// field is hit somewhere.
#[test]
fn a_flipped_bit_in_any_byte_is_refused_and_the_culprit_named() {
    for (bits, steps) in [(8, 4), (16, 8)] {
        let mut market = Market::new(bits, steps);
        let (bid, honest) = (market.bid(), market.bids::<2>());
        assert_eq!(market.fault(&bid, &honest), None);
        let bytes = bid.to_bytes();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1 << ((5 * place + place / 8) % 8);
            let fault = market.fault(&market.decode(&changed), &honest);
            assert!(fault.is_some(), "{bits} bits, {steps} steps, byte {place}");
        }
    }
}

#[test]
fn each_bit_of_salt_note_and_round_is_bound() {
    let mut market = Market::new(8, 4);
    let bid = market.bid();
    let (bytes, layout) = (bid.to_bytes(), Layout::of(&market.params));
    for place in (0..8).chain(layout.salt).chain(layout.note) {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[place] ^= 1 << bit;
            assert!(market.faults(&[market.decode(&changed)])[0].is_some(), "byte {place} bit {bit}");
        }
    }
}

/// A note says nothing about the proof, yet it is signed.
#[test]
fn an_altered_note_is_a_signature_fault() {
    let mut market = Market::new(8, 4);
    let (mut bid, honest) = (market.bid(), market.bids::<2>());
    bid.note[3] ^= 1;
    assert_eq!(market.fault(&bid, &honest), Some(BidFault::Signature));
}

#[test]
fn a_bid_of_any_other_context_is_refused_and_named() {
    let mut market = Market::new(8, 4);
    let honest = market.bids::<2>();
    let (params, round) = (market.params.clone(), market.round);
    let mut contexts = Vec::new();
    for place in 0..32 {
        let mut other = round;
        other.ledger_id[place] ^= 0x10;
        contexts.push((format!("ledger id {place}"), params.clone(), other));
        let mut digest = [3; 32];
        digest[place] ^= 0x10;
        let other = BidParams::new(8, params.step_keys().to_vec(), digest).expect("valid parameters");
        contexts.push((format!("market digest {place}"), other, round));
    }
    for bit in 0..64 {
        let other = RoundContext { key_epoch: round.key_epoch ^ (1 << bit), ..round };
        contexts.push((format!("epoch bit {bit}"), params.clone(), other));
        let other = RoundContext { slot_start_unix_s: round.slot_start_unix_s ^ (1 << bit), ..round };
        contexts.push((format!("slot start bit {bit}"), params.clone(), other));
        let other = RoundContext { slot_seconds: round.slot_seconds ^ (1 << (bit % 32)), ..round };
        contexts.push((format!("slot length bit {bit}"), params.clone(), other));
        let other = RoundContext { round_id: round.round_id ^ (1 << bit), ..round };
        contexts.push((format!("round bit {bit}"), params.clone(), other));
    }
    for step in 0..params.steps() {
        let mut keys = params.step_keys().to_vec();
        keys[step] += RISTRETTO_BASEPOINT_POINT;
        contexts.push((format!("key {step}"), BidParams::new(8, keys, [3; 32]).expect("valid"), round));
        let mut keys = params.step_keys().to_vec();
        keys.swap(step, (step + 1) % params.steps());
        contexts.push((
            format!("order of key {step}"),
            BidParams::new(8, keys, [3; 32]).expect("valid"),
            round,
        ));
    }
    for (name, other_params, other_round) in contexts {
        let mut bid = market.bid_for(&other_params, &other_round);
        assert!(verify_bids(&other_params, &other_round, std::slice::from_ref(&bid))[0].is_ok(), "{name}");
        if other_round.round_id != round.round_id {
            let expected = BidFault::Round { bid: other_round.round_id, round: round.round_id };
            assert_eq!(market.fault(&bid, &honest), Some(expected), "{name}");
            bid.round_id = round.round_id;
        }
        assert_eq!(market.fault(&bid, &honest), Some(BidFault::Values), "{name}");
    }
}

/// Other shapes, with the same number of generators or not, never have a common bid.
#[test]
fn a_bid_of_another_shape_is_malformed() {
    let mut market = Market::new(16, 4);
    let honest = market.bids::<2>();
    for (bits, steps) in [(8, 4), (32, 4), (8, 8), (16, 8)] {
        let mut other = Market::new(bits, steps);
        let bid = other.bid();
        assert!(matches!(market.fault(&bid, &honest), Some(BidFault::Malformed(_))), "{bits} {steps}");
        assert!(SealedBid::from_bytes(&bid.to_bytes(), market.params.shape()).is_err(), "{bits} {steps}");
    }
}

#[test]
fn the_identity_is_refused_in_every_point_position() {
    let mut market = Market::new(8, 4);
    let (bid, honest) = (market.bid(), market.bids::<2>());
    let layout = Layout::of(&market.params);
    assert_eq!(layout.points.len(), 3 + 4 + 7 + 2 * 5);
    for (name, place) in layout.points {
        for (bytes, reason) in [([0; 32], "identity"), ([0xff; 32], "canonical")] {
            let mut changed = bid.to_bytes();
            changed[place..place + 32].copy_from_slice(&bytes);
            match market.fault(&market.decode(&changed), &honest) {
                Some(BidFault::Malformed(WireError::Invalid { why, .. })) => assert!(why.contains(reason)),
                other => panic!("{name} at {place}: {other:?}"),
            }
        }
    }
}

#[test]
fn scalars_that_are_not_reduced_are_refused_in_every_position() {
    let mut market = Market::new(8, 4);
    let (bid, honest) = (market.bid(), market.bids::<2>());
    let layout = Layout::of(&market.params);
    assert_eq!(layout.scalars.len(), 8);
    for (name, place) in layout.scalars {
        let mut changed = bid.to_bytes();
        let mut carry = 0;
        for (byte, order) in changed[place..place + 32].iter_mut().zip(ORDER) {
            let sum = u16::from(*byte) + u16::from(order) + carry;
            *byte = sum as u8;
            carry = sum >> 8;
        }
        match market.fault(&market.decode(&changed), &honest) {
            Some(BidFault::Malformed(WireError::Invalid { why, .. })) => {
                assert!(why.contains("canonical scalar"))
            }
            other => panic!("{name} at {place}: {other:?}"),
        }
    }
}

#[test]
fn wrong_lengths_are_refused() {
    let mut market = Market::new(8, 4);
    let (bid, honest) = (market.bid(), market.bids::<2>());
    let (bytes, shape) = (bid.to_bytes(), market.params.shape());
    for length in 0..bytes.len() {
        assert!(matches!(SealedBid::from_bytes(&bytes[..length], shape), Err(WireError::Truncated { .. })));
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(SealedBid::from_bytes(&longer, shape), Err(WireError::Trailing { left: 1 }));

    let mut wrong = Vec::new();
    for length in [0, 3, 5, 8] {
        let mut other = bid.clone();
        other.c.resize(length, bid.c[0]);
        wrong.push(other);
    }
    for change in [-64, -32, -1, 1, 32, 64] {
        let (mut other, mut noted) = (bid.clone(), bid.clone());
        other.proof.resize((bid.proof.len() as i64 + change) as usize, 0);
        noted.note.resize((bid.note.len() as i64 + change).max(0) as usize, 0);
        wrong.extend([other, noted]);
    }
    let mut empty = bid.clone();
    empty.proof.clear();
    empty.note.clear();
    wrong.push(empty);
    for other in wrong {
        let fault = market.fault(&other, &honest);
        assert!(
            matches!(fault, Some(BidFault::Malformed(_))),
            "{} {} {}",
            other.c.len(),
            other.proof.len(),
            other.note.len()
        );
    }
}

#[test]
fn swapped_steps_are_refused() {
    let mut market = Market::new(8, 4);
    let (bid, honest) = (market.bid(), market.bids::<2>());
    for first in 0..4 {
        for second in 0..first {
            let mut swapped = bid.clone();
            swapped.c.swap(first, second);
            assert_eq!(market.fault(&swapped, &honest), Some(BidFault::Values));
        }
    }
}

/// Swaps a part of the bids 1 and 3 of five: both are refused and no other.
#[test]
fn parts_swapped_between_two_bids_are_refused() {
    let mut market = Market::new(8, 4);
    let bids = market.bids::<5>();
    let (layout, c) = (Layout::of(&market.params), 104);
    let mut parts: Vec<(String, std::ops::Range<usize>)> = vec![
        ("salt".into(), layout.salt.clone()),
        ("account and signature".into(), 8..40),
        ("whole vector".into(), 72..c + 128),
        ("all C".into(), c..c + 128),
        ("proof".into(), c + 128..layout.note.start),
        ("note".into(), layout.note.clone()),
        ("signature".into(), layout.note.end..layout.note.end + 64),
        ("everything but the account".into(), 40..layout.note.end + 64),
    ];
    parts.extend(
        layout.points.iter().chain(&layout.scalars).map(|(name, at)| (name.to_string(), *at..*at + 32)),
    );
    for (name, range) in parts {
        let mut encoded: Vec<Vec<u8>> = bids.iter().map(SealedBid::to_bytes).collect();
        let (left, right) = encoded.split_at_mut(3);
        left[1][range.clone()].swap_with_slice(&mut right[0][range.clone()]);
        if name == "account and signature" {
            let signature = layout.note.end..layout.note.end + 64;
            left[1][signature.clone()].swap_with_slice(&mut right[0][signature]);
        }
        let swapped: Vec<SealedBid> = encoded.iter().map(|bytes| market.decode(bytes)).collect();
        let refused: Vec<bool> = market.faults(&swapped).iter().map(Option::is_some).collect();
        assert_eq!(refused, [false, true, false, true, false], "{name}");
    }
}

#[test]
fn a_copied_bid_under_another_account_is_refused() {
    let mut market = Market::new(8, 4);
    let honest = market.bids::<3>();
    let mut copy = honest[0].clone();
    copy.account = honest[1].account;
    assert_eq!(market.fault(&copy, &honest), Some(BidFault::Values));
    // The copy with the copier's own R, or with its own proof, is none either.
    let mut with_r = copy.clone();
    with_r.r = honest[1].r;
    let mut with_proof = copy;
    with_proof.proof = honest[1].proof.clone();
    assert!(market.fault(&with_r, &honest).is_some());
    assert!(market.fault(&with_proof, &honest).is_some());
}

#[test]
fn a_bid_does_not_verify_in_a_later_round_whatever_round_it_names() {
    let mut market = Market::new(8, 4);
    let bid = market.bid();
    let later = RoundContext { round_id: 8, ..market.round };
    let honest =
        [market.bid_for(&market.params.clone(), &later), market.bid_for(&market.params.clone(), &later)];
    market.round = later;
    assert_eq!(market.fault(&bid, &honest), Some(BidFault::Round { bid: 7, round: 8 }));
    let renamed = SealedBid { round_id: 8, ..bid };
    assert_eq!(market.fault(&renamed, &honest), Some(BidFault::Values));
}

#[test]
fn parameters_that_open_values_to_everybody_are_refused() {
    use veilgrid_crypto::bid::ParamsError;
    let mut market = Market::new(8, 4);
    let keys = step_keys(4, &mut market.rng);
    let refused = |bits: u32, keys: &[_]| BidParams::new(bits, keys.to_vec(), [3; 32]).err();
    let mut repeated = keys.clone();
    repeated[2] = keys[0];
    assert_eq!(refused(8, &repeated), Some(ParamsError::Key { step: 2 }));
    let mut identity = keys.clone();
    identity[3] -= keys[3];
    assert_eq!(refused(8, &identity), Some(ParamsError::Key { step: 3 }));
    for bits in [0, 1, 7, 9, 64, u32::MAX] {
        assert_eq!(refused(bits, &keys), Some(ParamsError::Bits { bits }));
    }
    for steps in 0..4 {
        assert_eq!(refused(8, &keys[..steps]), Some(ParamsError::Steps { steps }));
    }
    let six = step_keys(6, &mut market.rng);
    assert_eq!(refused(8, &six), Some(ParamsError::Steps { steps: 6 }));
}
