//! Threshold openings: right sums, false shares named, and nothing opened with too few.

mod proof;
mod refused;

use curve25519_dalek::constants::{RISTRETTO_BASEPOINT_POINT, RISTRETTO_BASEPOINT_TABLE};
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use veilgrid_crypto::dlog::SmallLog;
use veilgrid_crypto::group::{scalar_from_i64, value_base};
use veilgrid_crypto::keygen::{KeyGenContext, KeyShares, ThresholdKeys, deal, public_keys, receive};
use veilgrid_crypto::opening::{
    CombineError, OpeningContext, OpeningShare, ShareFault, VerifiedShare, check_value, combine,
    release_share, verify_share,
};
use veilgrid_crypto::schnorr::SigningKey;

const CTX: OpeningContext =
    OpeningContext { ledger_id: [1; 32], round_id: 2, opening_index: 3, bid_set: [4; 32] };
const WEIGHTS: [i64; 4] = [1, -2, 0, 65_536];

/// Keys with all shares, and a book of totals under them.
struct Book {
    public: ThresholdKeys,
    shares: Vec<KeyShares>,
    totals: [i64; 4],
    r_total: RistrettoPoint,
    c_totals: Vec<RistrettoPoint>,
}

impl Book {
    fn new(validators: u16, threshold: u16, seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let ctx = KeyGenContext { ledger_id: [1; 32], session: seed, validators, threshold, keys: 4 };
        let signers: Vec<_> = (0..validators).map(|_| SigningKey::generate(&mut rng)).collect();
        let dealers: Vec<_> = signers.iter().map(SigningKey::verifying_key).collect();
        let (packages, dealt): (Vec<_>, Vec<_>) =
            (1u16..).zip(&signers).map(|(d, key)| deal(&ctx, key, d, &mut rng).expect("dealt")).unzip();
        let public = public_keys(&ctx, &packages, &dealers).expect("honest");
        let shares = (1..=validators)
            .map(|i| {
                let sent: Vec<_> = dealt.iter().map(|d| d[usize::from(i) - 1].clone()).collect();
                receive(&ctx, &packages, &sent, i).expect("honest")
            })
            .collect();
        let totals = [300, 7, 1_000_000, 40];
        let r = Scalar::random(&mut rng);
        let c_totals = totals
            .iter()
            .zip(public.keys())
            .map(|(total, key)| scalar_from_i64(*total) * value_base() + r * key)
            .collect();
        Self { public, shares, totals, r_total: &r * RISTRETTO_BASEPOINT_TABLE, c_totals }
    }

    fn value(&self, weights: &[i64]) -> i64 {
        self.totals.iter().zip(weights).map(|(total, weight)| total * weight).sum()
    }

    fn c_sum(&self, weights: &[i64]) -> RistrettoPoint {
        self.c_totals.iter().zip(weights).map(|(c, weight)| scalar_from_i64(*weight) * c).sum()
    }

    fn release(&self, validator: u16, weights: &[i64]) -> OpeningShare {
        let mut rng = ChaCha20Rng::seed_from_u64(u64::from(validator));
        let shares = &self.shares[usize::from(validator) - 1];
        release_share(&CTX, weights, shares, &self.public, &self.r_total, &mut rng).expect("released")
    }

    fn verify(&self, weights: &[i64], share: &OpeningShare) -> Result<VerifiedShare, ShareFault> {
        verify_share(&CTX, weights, &self.public, &self.r_total, share)
    }

    fn verified(&self, validator: u16) -> VerifiedShare {
        self.verify(&WEIGHTS, &self.release(validator, &WEIGHTS)).expect("honest share")
    }
}

#[test]
fn any_t_shares_open_the_sum() {
    let log = SmallLog::new(1 << 23);
    for (n, t) in [(4u16, 3u16), (7, 5)] {
        let book = Book::new(n, t, 1);
        for weights in [WEIGHTS, [1, 1, 1, 1], [0, 0, 1, 0], [-1, 0, 0, 0]] {
            let verified: Vec<_> = (1..=n)
                .map(|i| book.verify(&weights, &book.release(i, &weights)).expect("honest share"))
                .collect();
            for first in 0..=usize::from(n - t) {
                let mut used = verified[first..first + usize::from(t)].to_vec();
                used.reverse();
                let opened = combine(&book.public, &used, &book.c_sum(&weights)).expect("t shares");
                let value = book.value(&weights);
                assert!(check_value(&opened, value));
                assert!(!check_value(&opened, value + 1) && !check_value(&opened, -value));
                assert_eq!(log.solve(&opened), Some(value));
            }
        }
    }
}

#[test]
fn fewer_than_t_shares_open_nothing() {
    let book = Book::new(4, 3, 2);
    let shares = [book.release(1, &WEIGHTS), book.release(2, &WEIGHTS)];
    let verified = [book.verified(1), book.verified(2)];
    let c_sum = book.c_sum(&WEIGHTS);
    let few = CombineError::TooFew { found: 2, needed: 3 };
    assert_eq!(combine(&book.public, &verified, &c_sum), Err(few));
    assert_eq!(combine(&book.public, &[], &c_sum), Err(CombineError::TooFew { found: 0, needed: 3 }));
    // Interpolating two shares all the same: λ_1 = 2, λ_2 = −1.
    let d = |share: &OpeningShare| CompressedRistretto(share.point).decompress().expect("a point");
    let forced = c_sum - (Scalar::from(2u8) * d(&shares[0]) - d(&shares[1]));
    assert!(!check_value(&forced, book.value(&WEIGHTS)));
    assert_eq!(SmallLog::new(1 << 23).solve(&forced), None);
}

#[test]
fn false_shares_are_named_and_skipped() {
    for (n, t) in [(4u16, 3u16), (7, 5)] {
        let book = Book::new(n, t, 3);
        let mut shares: Vec<_> = (1..=n).map(|i| book.release(i, &WEIGHTS)).collect();
        let liars = n - t;
        for liar in &mut shares[..usize::from(liars)] {
            let point = CompressedRistretto(liar.point).decompress().expect("a point");
            liar.point = (point + RISTRETTO_BASEPOINT_POINT).compress().0;
        }
        let verdicts: Vec<_> = shares.iter().map(|share| book.verify(&WEIGHTS, share)).collect();
        let named: Vec<_> =
            verdicts.iter().filter_map(|v| v.as_ref().err().map(|fault| fault.validator)).collect();
        assert_eq!(named, (1..=liars).collect::<Vec<_>>());
        let honest: Vec<_> = verdicts.into_iter().flatten().collect();
        let opened = combine(&book.public, &honest, &book.c_sum(&WEIGHTS)).expect("t honest shares");
        assert!(check_value(&opened, book.value(&WEIGHTS)));
    }
}

#[test]
fn doubled_and_mixed_shares_do_not_combine() {
    let book = Book::new(4, 3, 10);
    let c_sum = book.c_sum(&WEIGHTS);
    let doubled = [book.verified(1), book.verified(2), book.verified(1)];
    assert_eq!(combine(&book.public, &doubled, &c_sum), Err(CombineError::Duplicate { validator: 1 }));
    let other = book.verify(&[1, 1, 1, 1], &book.release(3, &[1, 1, 1, 1])).expect("honest share");
    let mixed = [book.verified(1), book.verified(2), other];
    assert_eq!(combine(&book.public, &mixed, &c_sum), Err(CombineError::Mixed { validator: 3 }));
}
