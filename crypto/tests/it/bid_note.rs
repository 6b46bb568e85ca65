//! The bid's encoding, its recovery note, and what two bids of one keyring share.

use crate::support::Market;
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::collections::BTreeSet;
use std::sync::OnceLock;
use veilgrid_crypto::bid::{
    BidParams, BidShape, NoteError, RoundContext, SealError, SealedBid, open_note, seal_bid, verify_bids,
};
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};

fn params() -> &'static BidParams {
    static PARAMS: OnceLock<BidParams> = OnceLock::new();
    PARAMS.get_or_init(|| Market::new(8, 4).params)
}

const ROUND: RoundContext = RoundContext {
    ledger_id: [1; 32],
    key_epoch: 2,
    round_id: 7,
    slot_start_unix_s: 1_800_000_000,
    slot_seconds: 900,
};

fn keyring(seed: u8) -> Keyring {
    Keyring::from_seed(&KeyringSeed::from_bytes([seed; 32]))
}

fn seal(keyring: &Keyring, round: &RoundContext, quantities_wh: &[u64], rng_seed: u64) -> SealedBid {
    let mut rng = ChaCha20Rng::seed_from_u64(rng_seed);
    seal_bid(params(), round, keyring, quantities_wh, &mut rng).expect("sealable")
}

fn shape() -> impl Strategy<Value = BidShape> {
    (prop_oneof![Just(8), Just(16), Just(32)], 2..6u32).prop_map(|(bits, log)| BidShape {
        bits,
        steps: 1 << log,
        money: false,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_decode_to_what_encodes_to_them_or_to_an_error(shape in shape(), bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        match SealedBid::from_bytes(&bytes, shape) {
            Ok(bid) => prop_assert_eq!(bid.to_bytes(), bytes),
            Err(_) => prop_assert_ne!(bytes.len(), shape.bid_bytes()),
        }
    }

    #[test]
    fn bytes_of_the_right_length_decode_and_encode_to_themselves(shape in shape(), seed in any::<u64>()) {
        let mut bytes = vec![0; shape.bid_bytes()];
        rand_core::RngCore::fill_bytes(&mut ChaCha20Rng::seed_from_u64(seed), &mut bytes);
        let bid = SealedBid::from_bytes(&bytes, shape).expect("right length");
        prop_assert!(bid.has_shape(shape));
        prop_assert_eq!(bid.to_bytes(), bytes);
    }

    /// Random bytes of the right length, with the round set right so that the verifier goes on to the proof.
    #[test]
    fn random_bids_are_refused_without_a_panic(seed in any::<u64>(), count in 0..4usize) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut random_bid = || {
            let mut bytes = vec![0; params().shape().bid_bytes()];
            rand_core::RngCore::fill_bytes(&mut rng, &mut bytes);
            bytes[..8].copy_from_slice(&ROUND.round_id.to_le_bytes());
            SealedBid::from_bytes(&bytes, params().shape()).expect("right length")
        };
        let bids: Vec<SealedBid> = (0..count).map(|_| random_bid()).collect();
        prop_assert!(verify_bids(params(), &ROUND, &bids).iter().all(Result::is_err));
        for bid in &bids {
            let view = keyring(1).round_view_key(ROUND.key_epoch, ROUND.round_id);
            prop_assert_eq!(open_note(params(), &ROUND, &view, bid), Err(NoteError::Closed));
        }
    }

    /// Parts of any lengths: no panic, a refusal.
    #[test]
    fn parts_of_random_lengths_are_refused_without_a_panic(c in 0..12usize, proof in 0..1200usize, note in 0..80usize) {
        let honest = seal(&keyring(1), &ROUND, &[1, 2, 3, 4], 0);
        let mut bid = honest.clone();
        bid.c.resize(c, honest.r);
        bid.proof.resize(proof, 7);
        bid.note.resize(note, 7);
        prop_assume!(bid != honest);
        prop_assert!(verify_bids(params(), &ROUND, std::slice::from_ref(&bid))[0].is_err());
        let view = keyring(1).round_view_key(ROUND.key_epoch, ROUND.round_id);
        prop_assert!(open_note(params(), &ROUND, &view, &bid).is_err() || bid.note == honest.note);
    }

    #[test]
    fn every_honest_bid_round_trips_verifies_and_opens_for_its_owner(
        quantities in prop::collection::vec(0..256u64, 4), seed in any::<u8>(), rng_seed in any::<u64>(),
    ) {
        let owner = keyring(seed);
        let bid = seal(&owner, &ROUND, &quantities, rng_seed);
        let decoded = SealedBid::from_bytes(&bid.to_bytes(), params().shape());
        prop_assert_eq!(decoded.as_ref(), Ok(&bid));
        prop_assert!(verify_bids(params(), &ROUND, std::slice::from_ref(&bid))[0].is_ok());
        let view = owner.round_view_key(ROUND.key_epoch, ROUND.round_id);
        prop_assert_eq!(open_note(params(), &ROUND, &view, &bid), Ok(quantities));
    }
}

#[test]
fn notes_of_all_widths_give_the_quantities_back() {
    for (bits, steps) in [(8, 4), (16, 8), (32, 4)] {
        let mut market = Market::new(bits, steps);
        let (keyring, mut quantities) = (market.keyring(), market.quantities());
        quantities[0] = u64::MAX >> (64 - bits);
        let (params, round) = (market.params.clone(), market.round);
        let bid = seal_bid(&params, &round, &keyring, &quantities, &mut market.rng).expect("sealable");
        let view = keyring.round_view_key(round.key_epoch, round.round_id);
        assert_eq!(open_note(&params, &round, &view, &bid), Ok(quantities));
    }
}

#[test]
fn a_note_opens_for_nobody_else_and_nowhere_else() {
    let (owner, bid) = (keyring(1), seal(&keyring(1), &ROUND, &[1, 2, 3, 4], 0));
    let view = owner.round_view_key(2, 7);
    let closed = |round: &RoundContext, view: &_, bid: &SealedBid| {
        assert_eq!(open_note(params(), round, view, bid), Err(NoteError::Closed));
    };
    closed(&ROUND, &keyring(2).round_view_key(2, 7), &bid);
    closed(&ROUND, &owner.round_view_key(2, 8), &bid);
    closed(&ROUND, &owner.round_view_key(3, 7), &bid);
    closed(&RoundContext { round_id: 8, ..ROUND }, &view, &bid);
    closed(&RoundContext { key_epoch: 3, ..ROUND }, &view, &bid);
    closed(&RoundContext { ledger_id: [2; 32], ..ROUND }, &view, &bid);
    let other = BidParams::new(8, params().step_keys().to_vec(), [4; 32]).expect("valid parameters");
    assert_eq!(open_note(&other, &ROUND, &view, &bid), Err(NoteError::Closed));
    for place in 0..bid.note.len() {
        let mut altered = bid.clone();
        altered.note[place] ^= 1;
        closed(&ROUND, &view, &altered);
    }
    for place in 0..32 {
        let mut altered = bid.clone();
        altered.salt[place] ^= 1;
        closed(&ROUND, &view, &altered);
        let mut altered = bid.clone();
        altered.account[place] ^= 1;
        closed(&ROUND, &view, &altered);
    }
    let mut short = bid.clone();
    short.note.pop();
    assert_eq!(open_note(params(), &ROUND, &view, &short), Err(NoteError::Shape));
}

/// What two bids share as 32-byte items of account-independent parts.
fn items(bid: &SealedBid) -> BTreeSet<Vec<u8>> {
    let proof = bid.proof.chunks(32).chain(bid.signature.chunks(32)).chain(bid.c.iter().map(|c| &c[..]));
    proof.chain([&bid.r[..], &bid.salt[..]]).map(<[u8]>::to_vec).collect()
}

/// Neither a changed quantity nor a changed context leaves anything in common, although the random source repeats:
/// a restored machine image must not repeat a blinding or a nonce.
#[test]
fn bids_that_differ_share_nothing_even_with_the_same_random_source() {
    let owner = keyring(1);
    let base = seal(&owner, &ROUND, &[1, 2, 3, 4], 0);
    let others = [
        seal(&owner, &ROUND, &[1, 2, 3, 5], 0),
        seal(&owner, &ROUND, &[2, 1, 3, 4], 0),
        seal(&owner, &RoundContext { round_id: 8, ..ROUND }, &[1, 2, 3, 4], 0),
        seal(&owner, &RoundContext { key_epoch: 3, ..ROUND }, &[1, 2, 3, 4], 0),
        seal(&owner, &RoundContext { ledger_id: [2; 32], ..ROUND }, &[1, 2, 3, 4], 0),
        seal(&keyring(2), &ROUND, &[1, 2, 3, 4], 0),
    ];
    for (place, other) in others.iter().enumerate() {
        assert!(items(&base).is_disjoint(&items(other)), "bid {place}");
        assert!(base.c.iter().zip(&other.c).all(|(a, b)| a != b), "bid {place}");
        assert_ne!(base.note[..4], other.note[..4], "bid {place}");
        let view = owner.round_view_key(2, 7);
        let keys = [base.salt, other.salt].map(|salt| *view.note_key(&salt).expose());
        assert_ne!(keys[0], keys[1], "bid {place}");
    }
}

#[test]
fn sealing_again_repeats_the_vector_and_the_note_but_no_proof_randomness() {
    let owner = keyring(1);
    let (first, second) = (seal(&owner, &ROUND, &[1, 2, 3, 4], 0), seal(&owner, &ROUND, &[1, 2, 3, 4], 1));
    assert_eq!(
        (first.salt, first.r, &first.c, &first.note),
        (second.salt, second.r, &second.c, &second.note)
    );
    for (place, (a, b)) in first.proof.chunks(32).zip(second.proof.chunks(32)).enumerate() {
        assert_ne!(a, b, "item {place} of the proof");
    }
    assert_ne!(first.signature[..32], second.signature[..32]);
    assert_ne!(first.digest(), second.digest());
    assert!(verify_bids(params(), &ROUND, &[first, second]).iter().all(Result::is_ok));
}

#[test]
fn equal_quantities_at_two_steps_look_different() {
    let bid = seal(&keyring(1), &ROUND, &[5, 5, 5, 5], 0);
    assert_eq!(bid.c.iter().collect::<BTreeSet<_>>().len(), 4);
}

#[test]
fn quantities_that_do_not_fit_are_not_sealed() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut refused = |q: &[u64]| seal_bid(params(), &ROUND, &keyring(1), q, &mut rng).err();
    assert_eq!(refused(&[1, 2, 256, 3]), Some(SealError::Quantity { step: 2, bits: 8 }));
    assert_eq!(refused(&[u64::MAX, 0, 0, 0]), Some(SealError::Quantity { step: 0, bits: 8 }));
    assert_eq!(refused(&[1, 2, 3]), Some(SealError::Steps { given: 3, steps: 4 }));
    assert_eq!(refused(&[1; 5]), Some(SealError::Steps { given: 5, steps: 4 }));
    assert_eq!(refused(&[255; 4]), None);
}
