//! Key generation: what it yields when all are honest, and whom it names when they are not.

mod complaints;
mod events;
mod packages;
mod renewal;
mod sealed;
mod session;
mod shares;
mod timing;
mod world;

use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::scalar::Scalar;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use veilgrid_crypto::keygen::{
    DealerPackage, DealtShares, KeyGenContext, KeyGenError, KeyShares, ThresholdKeys, deal, public_keys,
    receive,
};
use veilgrid_crypto::schnorr::{SigningKey, VerifyingKey};

struct Session {
    ctx: KeyGenContext,
    signers: Vec<SigningKey>,
    dealers: Vec<VerifyingKey>,
    packages: Vec<DealerPackage>,
    /// Of dealer d for validator i at `[d - 1][i - 1]`.
    dealt: Vec<Vec<DealtShares>>,
}

impl Session {
    fn new(validators: u16, threshold: u16, keys: u32, seed: u64) -> Self {
        let ctx = KeyGenContext { ledger_id: [9; 32], session: 5, validators, threshold, keys };
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let signers: Vec<_> = (0..validators).map(|_| SigningKey::generate(&mut rng)).collect();
        let dealers = signers.iter().map(SigningKey::verifying_key).collect();
        let dealing = (1..=validators).zip(&signers);
        let (packages, dealt) =
            dealing.map(|(dealer, key)| deal(&ctx, key, dealer, &mut rng).expect("honest dealing")).unzip();
        Self { ctx, signers, dealers, packages, dealt }
    }

    fn public(&self) -> Result<ThresholdKeys, KeyGenError> {
        public_keys(&self.ctx, &self.packages, &self.dealers)
    }

    fn sent_to(&self, me: u16) -> Vec<DealtShares> {
        self.dealt.iter().map(|shares| shares[usize::from(me) - 1].clone()).collect()
    }

    fn receive(&self, me: u16) -> Result<KeyShares, KeyGenError> {
        receive(&self.ctx, &self.packages, &self.sent_to(me), me)
    }

    /// Alters the package of a dealer, who signs it anew, and returns the verdict.
    fn resigned(&mut self, dealer: u16, alter: impl FnOnce(&mut DealerPackage)) -> KeyGenError {
        let at = usize::from(dealer) - 1;
        let mut package = self.packages[at].clone();
        alter(&mut package);
        package.sign(&self.ctx, &self.signers[at], &mut ChaCha20Rng::seed_from_u64(99));
        let honest = std::mem::replace(&mut self.packages[at], package);
        let verdict = self.public().expect_err("an altered package is refused");
        self.packages[at] = honest;
        verdict
    }
}

/// The secret share of key `k`, as the weighted sum that takes this key alone.
fn share(shares: &KeyShares, k: usize) -> Scalar {
    let weights: Vec<i64> = (0..shares.keys()).map(|at| i64::from(at == k)).collect();
    *shares.weighted(&weights).expect("weights fit").expose()
}

#[test]
fn shares_match_share_keys_and_any_t_of_them_the_key() {
    for (n, t) in [(4u16, 3u16), (7, 5)] {
        let session = Session::new(n, t, 3, u64::from(n));
        let public = session.public().expect("honest session");
        assert_eq!((public.validators(), public.threshold(), public.keys().len()), (n, t, 3));
        let shares: Vec<_> = (1..=n).map(|i| session.receive(i).expect("honest shares")).collect();
        for k in 0..3 {
            for i in 1..=n {
                let expected = &share(&shares[usize::from(i) - 1], k) * RISTRETTO_BASEPOINT_TABLE;
                assert_eq!(*public.share_key(i, k), expected, "validator {i}, key {k}");
            }
            let secret = |from: u16, count: u16| -> Scalar {
                let ids: Vec<u16> = (from..from + count).collect();
                let lambda = |i: u16| -> Scalar {
                    let others = ids.iter().filter(|j| **j != i).map(|j| Scalar::from(*j));
                    others.map(|x| x * (x - Scalar::from(i)).invert()).product()
                };
                ids.iter().map(|i| lambda(*i) * share(&shares[usize::from(*i) - 1], k)).sum()
            };
            for from in 1..=n - t + 1 {
                assert_eq!(&secret(from, t) * RISTRETTO_BASEPOINT_TABLE, *public.key(k));
                assert_ne!(&secret(from, t - 1) * RISTRETTO_BASEPOINT_TABLE, *public.key(k));
            }
        }
    }
}

#[test]
fn order_of_packages_and_number_of_threads_do_not_matter() {
    let mut session = Session::new(4, 3, 5, 1);
    let public = session.public().expect("honest session");
    session.packages.reverse();
    assert_eq!(session.public(), Ok(public));
    session.packages.reverse();
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    let again = one_thread.install(|| Session::new(4, 3, 5, 1));
    assert_eq!(again.packages, session.packages);
}

#[test]
fn absent_dealers_still_receive_down_to_the_threshold() {
    let mut session = Session::new(4, 3, 2, 2);
    let all = session.public().expect("honest session");
    session.packages.remove(1);
    session.dealt.remove(1);
    let public = session.public().expect("three of four dealers");
    assert_ne!(public, all);
    let absent = session.receive(2).expect("the absent dealer receives");
    assert_eq!(&share(&absent, 1) * RISTRETTO_BASEPOINT_TABLE, *public.share_key(2, 1));
    session.packages.pop();
    assert_eq!(session.public(), Err(KeyGenError::TooFewDealers { found: 2, needed: 3 }));
    assert_eq!(session.receive(1).unwrap_err(), KeyGenError::TooFewDealers { found: 2, needed: 3 });
}

#[test]
fn contexts_out_of_bounds_are_refused() {
    let good = KeyGenContext { ledger_id: [0; 32], session: 0, validators: 4, threshold: 3, keys: 1 };
    assert_eq!(good.check(), Ok(()));
    let bad = [
        KeyGenContext { validators: 1, threshold: 1, ..good },
        KeyGenContext { validators: 129, ..good },
        KeyGenContext { threshold: 1, ..good },
        KeyGenContext { threshold: 5, ..good },
        KeyGenContext { keys: 0, ..good },
        KeyGenContext { keys: 16_385, ..good },
    ];
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let key = SigningKey::generate(&mut rng);
    for ctx in bad {
        assert!(matches!(deal(&ctx, &key, 1, &mut rng), Err(KeyGenError::Context { .. })), "{ctx:?}");
        assert!(matches!(public_keys(&ctx, &[], &[]), Err(KeyGenError::Context { .. })));
        assert!(matches!(receive(&ctx, &[], &[], 1), Err(KeyGenError::Context { .. })));
    }
    for dealer in [0, 5] {
        assert!(matches!(deal(&good, &key, dealer, &mut rng), Err(KeyGenError::UnknownDealer { .. })));
    }
    let session = Session::new(4, 3, 1, 18);
    let few = public_keys(&session.ctx, &session.packages, &session.dealers[..3]);
    assert_eq!(few, Err(KeyGenError::DealerKeys { found: 3, expected: 4 }));
}
