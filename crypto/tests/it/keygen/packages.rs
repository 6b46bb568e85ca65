//! Dealers' packages that are wrong in every way: refused, and the dealer named.

use super::Session;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use merlin::Transcript;
use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, RngCore, SeedableRng};
use veilgrid_crypto::group::scalar_from_i64;
use veilgrid_crypto::keygen::{DealerPackage, KeyGenContext, KeyGenError, deal};
use veilgrid_crypto::schnorr::{SigningKey, VerifyingKey};
use veilgrid_crypto::secret::Secret;

fn point(bytes: &[u8; 32]) -> RistrettoPoint {
    CompressedRistretto(*bytes).decompress().expect("a point")
}

#[test]
fn every_byte_of_a_package_matters() {
    let mut session = Session::new(4, 3, 2, 3);
    let bytes = session.packages[1].to_bytes();
    assert_eq!(DealerPackage::from_bytes(&bytes, &session.ctx), Ok(session.packages[1].clone()));
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let Ok(package) = DealerPackage::from_bytes(&changed, &session.ctx) else {
            continue;
        };
        session.packages[1] = package;
        assert!(session.public().is_err(), "byte {at}");
    }
    for length in 0..bytes.len() {
        assert!(DealerPackage::from_bytes(&bytes[..length], &session.ctx).is_err());
    }
    assert!(DealerPackage::from_bytes(&[&bytes[..], &[0]].concat(), &session.ctx).is_err());
}

#[test]
fn every_byte_that_the_dealer_signs_itself_is_still_checked() {
    let mut session = Session::new(4, 3, 2, 4);
    for key in 0..2 {
        for byte in 0..96 {
            let verdict = session.resigned(2, |p| p.commitments[key][byte / 32][byte % 32] ^= 1);
            assert_eq!(verdict.culprit(), Some(2), "commitment byte {byte} of key {key}");
        }
        for byte in 0..64 {
            let verdict = session.resigned(2, |p| p.proofs[key][byte] ^= 1);
            assert_eq!(verdict, KeyGenError::Proof { dealer: 2, key: key as u32 });
        }
    }
}

#[test]
fn foreign_signature_is_refused_and_blames_nobody() {
    let mut session = Session::new(4, 3, 1, 5);
    let mut package = session.packages[0].clone();
    package.sign(&session.ctx, &session.signers[1], &mut ChaCha20Rng::seed_from_u64(1));
    session.packages[0] = package;
    let verdict = session.public().unwrap_err();
    assert_eq!(verdict, KeyGenError::Signature { dealer: 1 });
    assert_eq!(verdict.culprit(), None);
}

#[test]
fn wrong_number_of_coefficients_is_blamed() {
    let mut session = Session::new(4, 3, 2, 6);
    let extra = session.packages[0].commitments[0][2];
    let more = session.resigned(3, |p| p.commitments[1].push(extra));
    assert_eq!(more, KeyGenError::CommitmentCount { dealer: 3, key: 1, found: 4, expected: 3 });
    let less = session.resigned(3, |p| p.commitments[0].truncate(2));
    assert_eq!(less, KeyGenError::CommitmentCount { dealer: 3, key: 0, found: 2, expected: 3 });
    let none = session.resigned(3, |p| p.commitments[0].clear());
    assert_eq!(none.culprit(), Some(3));
    let keys = session.resigned(3, |p| p.commitments.truncate(1));
    assert_eq!(keys, KeyGenError::KeyCount { dealer: 3, found: 1, proofs: 2, expected: 2 });
    let proofs = session.resigned(3, |p| p.proofs.push([0; 64]));
    assert_eq!(proofs, KeyGenError::KeyCount { dealer: 3, found: 2, proofs: 3, expected: 2 });

    let mut package = session.packages[0].clone();
    package.commitments[1].push(extra);
    assert!(DealerPackage::from_bytes(&package.to_bytes(), &session.ctx).is_err());
}

#[test]
fn identity_and_non_canonical_commitments_are_blamed() {
    let mut session = Session::new(4, 3, 2, 7);
    for (coefficient, bytes) in [(0u16, [0u8; 32]), (2, [0; 32]), (1, [0xff; 32])] {
        match session.resigned(4, |p| p.commitments[1][usize::from(coefficient)] = bytes) {
            KeyGenError::Commitment { dealer: 4, key: 1, coefficient: found, .. } => {
                assert_eq!(found, coefficient)
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn cancelling_dealer_is_blamed() {
    let mut session = Session::new(4, 3, 2, 8);
    // Dealer 4 moves last: it would set the key to one that it knows, a·G.
    let known = &Scalar::from(77u8) * RISTRETTO_BASEPOINT_TABLE;
    let others: RistrettoPoint = session.packages[..3].iter().map(|p| point(&p.commitments[0][0])).sum();
    let verdict = session.resigned(4, |p| p.commitments[0][0] = (known - others).compress().0);
    assert_eq!(verdict, KeyGenError::Proof { dealer: 4, key: 0 });
}

#[test]
fn replayed_packages_are_blamed() {
    let mut session = Session::new(4, 3, 2, 9);
    let twin = session.packages[1].clone();

    // As the package of another dealer.
    let copied = session.resigned(3, |p| *p = DealerPackage { dealer: 3, ..twin.clone() });
    assert_eq!(copied, KeyGenError::Proof { dealer: 3, key: 0 });
    // For other keys of the same session.
    let swapped = session.resigned(2, |p| {
        p.commitments.swap(0, 1);
        p.proofs.swap(0, 1);
    });
    assert_eq!(swapped, KeyGenError::Proof { dealer: 2, key: 0 });
    // Twice in one session.
    session.packages.push(twin.clone());
    assert_eq!(session.public(), Err(KeyGenError::RepeatedDealer { dealer: 2 }));
    session.packages.pop();

    // In another session, ledger, group: as it is, and signed anew.
    let old = session.ctx;
    let contexts = [
        KeyGenContext { session: 6, ..old },
        KeyGenContext { ledger_id: [8; 32], ..old },
        KeyGenContext { validators: 5, ..old },
    ];
    for ctx in contexts {
        let mut rng = ChaCha20Rng::seed_from_u64(ctx.session);
        let mut fresh = Session::new(ctx.validators, 3, 2, 10);
        fresh.ctx = ctx;
        for (dealer, key) in (1u16..).zip(&fresh.signers) {
            fresh.packages[usize::from(dealer) - 1] = deal(&ctx, key, dealer, &mut rng).expect("dealt").0;
        }
        assert!(fresh.public().is_ok());
        fresh.signers[1] = session.signers[1].clone();
        fresh.dealers[1] = session.dealers[1];
        fresh.packages[1] = twin.clone();
        assert_eq!(fresh.public(), Err(KeyGenError::Signature { dealer: 2 }));
        assert_eq!(fresh.resigned(2, |_| ()), KeyGenError::Proof { dealer: 2, key: 0 });
    }
}

#[test]
fn the_number_of_keys_and_the_threshold_are_bound() {
    let mut session = Session::new(4, 3, 2, 11);
    session.ctx.keys = 1;
    for package in &mut session.packages {
        package.commitments.truncate(1);
        package.proofs.truncate(1);
    }
    assert_eq!(session.resigned(1, |_| ()), KeyGenError::Proof { dealer: 1, key: 0 });

    let mut session = Session::new(4, 3, 1, 11);
    session.ctx.threshold = 2;
    for package in &mut session.packages {
        package.commitments[0].truncate(2);
    }
    assert_eq!(session.resigned(1, |_| ()), KeyGenError::Proof { dealer: 1, key: 0 });
}

/// A random source that is stuck.
struct Stuck;

impl RngCore for Stuck {
    fn next_u32(&mut self) -> u32 {
        7
    }
    fn next_u64(&mut self) -> u64 {
        7
    }
    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for Stuck {}

#[test]
fn repeated_constant_terms_are_blamed_though_proved() {
    let mut session = Session::new(4, 3, 2, 12);
    let same_source = || ChaCha20Rng::seed_from_u64(13);
    for dealer in [2u16, 4] {
        let at = usize::from(dealer) - 1;
        let dealt = deal(&session.ctx, &session.signers[at], dealer, &mut same_source());
        session.packages[at] = dealt.expect("dealt").0;
    }
    let verdict = session.public().unwrap_err();
    assert!(
        matches!(verdict, KeyGenError::RepeatedConstant { dealer: 4, key, first_dealer: 2, first_key } if key == first_key),
        "{verdict}"
    );

    let mut session = Session::new(4, 3, 2, 14);
    session.packages[0] = deal(&session.ctx, &session.signers[0], 1, &mut Stuck).expect("dealt").0;
    let expected = KeyGenError::RepeatedConstant { dealer: 1, key: 1, first_dealer: 1, first_key: 0 };
    assert_eq!(session.public(), Err(expected));
}

/// The specification's transcript of a proof of knowledge, written out a second time.
fn proof_transcript(ctx: &KeyGenContext, dealer: u64, key: u64, commitments: &[[u8; 32]]) -> Transcript {
    let mut t = Transcript::new(b"veilgrid/1/keygen/proof");
    t.append_u64(b"version", 1);
    t.append_message(b"ledger", &ctx.ledger_id);
    t.append_u64(b"session", ctx.session);
    t.append_u64(b"validators", ctx.validators.into());
    t.append_u64(b"threshold", ctx.threshold.into());
    t.append_u64(b"keys", ctx.keys.into());
    t.append_u64(b"dealer", dealer);
    t.append_u64(b"key", key);
    t.append_message(b"commitments", commitments.as_flattened());
    t
}

#[test]
fn a_proof_absorbs_context_dealer_key_and_all_commitments() {
    let session = Session::new(4, 3, 2, 20);
    let package = &session.packages[2];
    for (key, (commitments, proof)) in (0..).zip(package.commitments.iter().zip(&package.proofs)) {
        let constant = VerifyingKey::from_bytes(&commitments[0]).expect("a point");
        let mut transcript = proof_transcript(&session.ctx, 3, key, commitments);
        assert_eq!(constant.verify(&mut transcript, proof), Ok(()));
    }
}

/// Two dealers who tell each other their secrets can prove them and still make bad keys.
#[test]
fn colluding_dealers_make_neither_identity_nor_equal_keys() {
    let mut session = Session::new(2, 2, 2, 21);
    let mut verdict = |constants: [[i64; 2]; 2]| {
        let mut rng = ChaCha20Rng::seed_from_u64(22);
        for (at, constants) in constants.iter().enumerate() {
            let package = &mut session.packages[at];
            for (key, constant) in constants.iter().enumerate() {
                let secret =
                    SigningKey::from_scalar(Secret::new(scalar_from_i64(*constant))).expect("not zero");
                package.commitments[key][0] = secret.verifying_key().to_bytes();
                let commitments = &package.commitments[key];
                let mut t = proof_transcript(&session.ctx, at as u64 + 1, key as u64, commitments);
                package.proofs[key] = secret.sign(&mut t, &mut rng);
            }
            package.sign(&session.ctx, &session.signers[at], &mut rng);
        }
        session.public().map(|_| ())
    };
    assert_eq!(verdict([[3, 7], [8, 5]]), Ok(()));
    assert_eq!(verdict([[3, 7], [8, -7]]), Err(KeyGenError::IdentityKey { key: 1 }));
    assert_eq!(verdict([[3, 7], [9, 5]]), Err(KeyGenError::RepeatedKey { key: 1, first: 0 }));
}
