//! Shares that are false, missing or misdirected, and the encodings that carry secrets.

use super::{Session, share};
use veilgrid_crypto::keygen::{DealerPackage, DealtShares, KeyGenError, KeyShares, receive};

#[test]
fn false_shares_are_named() {
    let session = Session::new(4, 3, 3, 15);
    let honest = session.sent_to(2);
    let bytes = honest[2].to_bytes();
    for at in 8..bytes.expose().len() {
        let mut changed = bytes.expose().clone();
        changed[at] ^= 1;
        let mut dealt = honest.clone();
        let Ok(altered) = DealtShares::from_bytes(&changed, &session.ctx) else {
            continue;
        };
        dealt[2] = altered;
        let expected = KeyGenError::FalseShare { dealer: 3, key: (at - 8) as u32 / 32 };
        assert_eq!(receive(&session.ctx, &session.packages, &dealt, 2).unwrap_err(), expected, "byte {at}");
    }
    // The shares of two keys exchanged.
    let mut changed = bytes.expose().clone();
    let (first, second) = changed[8..].split_at_mut(32);
    first.swap_with_slice(&mut second[..32]);
    let mut dealt = honest.clone();
    dealt[2] = DealtShares::from_bytes(&changed, &session.ctx).expect("canonical");
    let verdict = receive(&session.ctx, &session.packages, &dealt, 2).unwrap_err();
    assert_eq!(verdict, KeyGenError::FalseShare { dealer: 3, key: 0 });
}

#[test]
fn missing_doubled_and_misdirected_shares_are_named() {
    let session = Session::new(4, 3, 2, 16);
    let got = |dealt: &[DealtShares], packages: &[DealerPackage], me| {
        receive(&session.ctx, packages, dealt, me).map(|_| ()).unwrap_err()
    };
    let all = &session.packages;
    let mut dealt = session.sent_to(2);
    assert_eq!(got(&dealt[..3], all, 2), KeyGenError::MissingShares { dealer: 4 });
    assert!(matches!(got(&dealt, all, 3), KeyGenError::UnexpectedShares { dealer: 1, receiver: 2, .. }));
    assert!(matches!(
        got(&dealt, &all[..3], 2),
        KeyGenError::UnexpectedShares { dealer: 4, receiver: 2, .. }
    ));
    assert_eq!(got(&dealt, all, 5), KeyGenError::UnknownDealer { dealer: 5, validators: 4 });
    assert_eq!(got(&dealt, all, 0), KeyGenError::UnknownDealer { dealer: 0, validators: 4 });
    dealt.push(dealt[0].clone());
    assert!(matches!(got(&dealt, all, 2), KeyGenError::UnexpectedShares { dealer: 1, receiver: 2, .. }));
    dealt.pop();
    // Another validator's true shares under this validator's number.
    dealt[0] = session.sent_to(3)[0].clone();
    dealt[0].receiver = 2;
    assert_eq!(got(&dealt, all, 2), KeyGenError::FalseShare { dealer: 1, key: 0 });
    // Shares of a session with fewer keys.
    dealt[0] = Session::new(4, 3, 1, 17).sent_to(2)[0].clone();
    assert_eq!(got(&dealt, all, 2), KeyGenError::ShareCount { dealer: 1, found: 1, expected: 2 });
}

#[test]
fn secret_encodings_round_trip_and_are_bounded() {
    let session = Session::new(4, 3, 2, 19);
    let mut shares = session.receive(1).expect("honest");
    let bytes = shares.to_bytes();
    let back = KeyShares::from_bytes(bytes.expose()).expect("own encoding");
    assert_eq!(back.to_bytes().expose(), bytes.expose());
    assert_eq!((back.index(), share(&back, 1)), (1, share(&shares, 1)));
    for length in 0..bytes.expose().len() {
        assert!(KeyShares::from_bytes(&bytes.expose()[..length]).is_err());
    }
    let mut huge = bytes.expose().clone();
    huge[2..6].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(KeyShares::from_bytes(&huge).is_err());
    let mut above_order = bytes.expose().clone();
    above_order[6..38].fill(0xff);
    assert!(KeyShares::from_bytes(&above_order).is_err());

    assert!(!format!("{shares:?} {:?}", session.sent_to(1)).contains("Scalar"));
    shares.erase();
    assert_eq!(shares.keys(), 0);
    assert!(shares.weighted(&[1, 1]).is_err());
    assert!(shares.to_bytes().expose()[2..].iter().all(|byte| *byte == 0));
}
