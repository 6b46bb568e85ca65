//! Shares and requests that are refused, and the rule that they break.

use super::{Book, CTX, WEIGHTS};
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::traits::Identity;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use veilgrid_crypto::keygen::{KeyShares, ThresholdKeys, WeightsError};
use veilgrid_crypto::opening::{
    OPENING_SHARE_BYTES, OpeningContext, OpeningShare, ReleaseError, ShareFault, ShareRule, release_share,
    verify_share,
};

#[test]
fn every_byte_of_a_share_matters() {
    let book = Book::new(4, 3, 4);
    let share = book.release(2, &WEIGHTS);
    let bytes = share.to_bytes();
    assert_eq!(bytes.len(), OPENING_SHARE_BYTES);
    assert_eq!(OpeningShare::from_bytes(&bytes), Ok(share));
    for at in 0..bytes.len() {
        for bit in [1u8, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= bit;
            let changed = OpeningShare::from_bytes(&changed).expect("the length is right");
            assert!(book.verify(&WEIGHTS, &changed).is_err(), "byte {at}");
        }
    }
    for length in 0..bytes.len() {
        assert!(OpeningShare::from_bytes(&bytes[..length]).is_err());
    }
    assert!(OpeningShare::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
}

#[test]
fn a_share_serves_one_opening_only() {
    let book = Book::new(4, 3, 5);
    let share = book.release(2, &WEIGHTS);
    assert!(book.verify(&WEIGHTS, &share).is_ok());
    let contexts = [
        OpeningContext { ledger_id: [2; 32], ..CTX },
        OpeningContext { round_id: 3, ..CTX },
        OpeningContext { opening_index: 4, ..CTX },
        OpeningContext { bid_set: [5; 32], ..CTX },
    ];
    let proof = Err(ShareFault { validator: 2, rule: ShareRule::Proof });
    for ctx in contexts {
        assert_eq!(verify_share(&ctx, &WEIGHTS, &book.public, &book.r_total, &share), proof, "{ctx:?}");
    }
    for at in 0..4 {
        let mut weights = WEIGHTS;
        weights[at] += 1;
        assert_eq!(book.verify(&weights, &share), proof);
    }
    let other_r = book.r_total + RISTRETTO_BASEPOINT_POINT;
    assert_eq!(verify_share(&CTX, &WEIGHTS, &book.public, &other_r, &share), proof);
    let other_keys = Book::new(4, 3, 6).public;
    assert_eq!(verify_share(&CTX, &WEIGHTS, &other_keys, &book.r_total, &share), proof);
    let other_validator = OpeningShare { validator: 3, ..share };
    assert_eq!(
        book.verify(&WEIGHTS, &other_validator),
        Err(ShareFault { validator: 3, rule: ShareRule::Proof })
    );
}

#[test]
fn malformed_shares_and_requests_are_told_apart() {
    let book = Book::new(4, 3, 7);
    let share = book.release(1, &WEIGHTS);
    let rule = |share: OpeningShare| book.verify(&WEIGHTS, &share).unwrap_err().rule;
    assert_eq!(rule(OpeningShare { point: [0; 32], ..share }), ShareRule::Point);
    assert_eq!(rule(OpeningShare { point: [0xff; 32], ..share }), ShareRule::Point);
    assert_eq!(rule(OpeningShare { challenge: [0xff; 32], ..share }), ShareRule::Scalar);
    assert_eq!(rule(OpeningShare { response: [0xff; 32], ..share }), ShareRule::Scalar);
    for validator in [0, 5, u16::MAX] {
        assert_eq!(rule(OpeningShare { validator, ..share }), ShareRule::UnknownValidator);
    }
    let weights = |w: &[i64]| book.verify(w, &share).unwrap_err().rule;
    assert_eq!(weights(&[0; 4]), ShareRule::Weights(WeightsError::AllZero));
    assert_eq!(weights(&[1; 3]), ShareRule::Weights(WeightsError::Count { found: 3, expected: 4 }));
    assert_eq!(weights(&[1; 5]), ShareRule::Weights(WeightsError::Count { found: 5, expected: 4 }));
    let empty = verify_share(&CTX, &WEIGHTS, &book.public, &RistrettoPoint::identity(), &share);
    assert_eq!(empty.unwrap_err().rule, ShareRule::NothingToOpen);
}

#[test]
fn nothing_is_released_that_would_be_refused() {
    let book = Book::new(4, 3, 8);
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut release = |weights: &[i64], shares: &KeyShares, public: &ThresholdKeys, r: &RistrettoPoint| {
        release_share(&CTX, weights, shares, public, r, &mut rng).map(|_| ())
    };
    let mine = &book.shares[0];
    assert_eq!(release(&WEIGHTS, mine, &book.public, &book.r_total), Ok(()));
    let zero = Err(ReleaseError::Weights(WeightsError::AllZero));
    assert_eq!(release(&[0; 4], mine, &book.public, &book.r_total), zero);
    let count = Err(ReleaseError::Weights(WeightsError::Count { found: 2, expected: 4 }));
    assert_eq!(release(&[1; 2], mine, &book.public, &book.r_total), count);
    let identity = RistrettoPoint::identity();
    assert_eq!(release(&WEIGHTS, mine, &book.public, &identity), Err(ReleaseError::NothingToOpen));
    let others = Book::new(4, 3, 9);
    let wrong = Err(ReleaseError::WrongShares { validator: 1 });
    assert_eq!(release(&WEIGHTS, &others.shares[0], &book.public, &book.r_total), wrong);
    let larger = Book::new(7, 5, 9);
    let unknown = Err(ReleaseError::UnknownValidator { validator: 7, validators: 4 });
    assert_eq!(release(&WEIGHTS, &larger.shares[6], &book.public, &book.r_total), unknown);
    let mut erased = mine.clone();
    erased.erase();
    assert!(release(&WEIGHTS, &erased, &book.public, &book.r_total).is_err());
}
