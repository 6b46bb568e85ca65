//! The proof inside of a share, against the specification's transcript written out a second time.

use super::{Book, CTX, WEIGHTS};
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use merlin::Transcript;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use veilgrid_crypto::group::scalar_from_i64;
use veilgrid_crypto::opening::{OpeningContext, OpeningShare, release_share};

fn scalar(bytes: [u8; 32]) -> Scalar {
    Scalar::from_canonical_bytes(bytes).expect("canonical")
}

fn share_key(book: &Book, validator: u16) -> RistrettoPoint {
    (0..4).map(|k| scalar_from_i64(WEIGHTS[k]) * book.public.share_key(validator, k)).sum()
}

/// Everything that is absorbed before the announcements.
fn statement(book: &Book, share: &OpeningShare) -> Transcript {
    let mut t = Transcript::new(b"veilgrid/1/opening-share");
    t.append_u64(b"version", 1);
    t.append_message(b"ledger", &[1; 32]);
    t.append_u64(b"round", 2);
    t.append_u64(b"opening", 3);
    t.append_message(b"bid set", &[4; 32]);
    t.append_message(b"weights", WEIGHTS.map(i64::to_le_bytes).as_flattened());
    t.append_message(b"R", &book.r_total.compress().0);
    t.append_u64(b"validator", share.validator.into());
    t.append_message(b"share key", &share_key(book, share.validator).compress().0);
    t.append_message(b"D", &share.point);
    t
}

/// A value left out of the transcript would let a prover choose that value after the challenge, which no tampering
/// with honest shares shows.
#[test]
fn the_challenge_absorbs_the_whole_statement() {
    let book = Book::new(4, 3, 12);
    let share = book.release(2, &WEIGHTS);
    let (challenge, response) = (scalar(share.challenge), scalar(share.response));
    let d = CompressedRistretto(share.point).decompress().expect("a point");
    let mut t = statement(&book, &share);
    let on_base = &response * RISTRETTO_BASEPOINT_TABLE - challenge * share_key(&book, 2);
    t.append_message(b"K_G", &on_base.compress().0);
    t.append_message(b"K_R", &(response * book.r_total - challenge * d).compress().0);
    let mut bytes = [0u8; 64];
    t.challenge_bytes(b"challenge", &mut bytes);
    assert_eq!(Scalar::from_bytes_mod_order_wide(&bytes), challenge);
}

#[test]
fn a_known_random_source_does_not_give_the_share_away() {
    let book = Book::new(4, 3, 11);
    let known = || ChaCha20Rng::seed_from_u64(5);
    let release = |ctx: &OpeningContext| {
        release_share(ctx, &WEIGHTS, &book.shares[0], &book.public, &book.r_total, &mut known())
            .expect("released")
    };
    let secret = *book.shares[0].weighted(&WEIGHTS).expect("weights fit").expose();
    // The same source twice: were the nonces equal, the difference of two proofs would be the secret.
    let a = release(&CTX);
    let b = release(&OpeningContext { opening_index: 9, ..CTX });
    let difference = scalar(a.challenge) - scalar(b.challenge);
    assert_ne!((scalar(a.response) - scalar(b.response)) * difference.invert(), secret);
    // The source known: were the nonce a function of it and of public values, one proof would be enough.
    let nonce = Scalar::random(&mut statement(&book, &a).build_rng().finalize(&mut known()));
    assert_ne!((scalar(a.response) - nonce) * scalar(a.challenge).invert(), secret);
}
