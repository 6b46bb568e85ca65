//! Two pairs of one balance, compared by validators who learn nothing of it.

use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use veilgrid_crypto::group::{encode_point, value_base};
use veilgrid_crypto::keygen::{KeyGenContext, KeyShares, ThresholdKeys, deal, public_keys, receive};
use veilgrid_crypto::money::recovery::{
    BlindedDifference, Pair, Recovery, RecoveryFault, blind, blinded_sum, prove_pair, verify_blinded,
    verify_pair,
};
use veilgrid_crypto::money::scalar_from_i128;
use veilgrid_crypto::opening::{OpeningContext, combine, release_share, verify_share};
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_crypto::secret::Secret;

const RECOVERY: Recovery = Recovery { ledger_id: [1; 32], account: [2; 32], attempt: 0 };
/// Two step keys, then the account key.
const ACCOUNT_KEY_ALONE: [i64; 3] = [0, 0, 1];

struct World {
    public: ThresholdKeys,
    shares: Vec<KeyShares>,
    rng: ChaCha20Rng,
}

fn world() -> World {
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let ctx = KeyGenContext { ledger_id: [1; 32], session: 1, validators: 4, threshold: 3, keys: 3 };
    let signers: Vec<_> = (0..4).map(|_| SigningKey::generate(&mut rng)).collect();
    let dealers: Vec<_> = signers.iter().map(SigningKey::verifying_key).collect();
    let (packages, dealt): (Vec<_>, Vec<_>) =
        (1u16..).zip(&signers).map(|(d, key)| deal(&ctx, key, d, &mut rng).expect("dealt")).unzip();
    let public = public_keys(&ctx, &packages, &dealers).expect("honest");
    let shares = (1..=4u16)
        .map(|i| {
            let sent: Vec<_> = dealt.iter().map(|d| d[usize::from(i) - 1].clone()).collect();
            receive(&ctx, &packages, &sent, i).expect("honest")
        })
        .collect();
    World { public, shares, rng }
}

impl World {
    fn account_key(&self) -> RistrettoPoint {
        self.public.keys()[2]
    }

    fn pair(&mut self, amount: i128) -> (Pair, Secret<Scalar>) {
        let b = Scalar::random(&mut self.rng);
        let c = scalar_from_i128(amount) * value_base() + b * self.account_key();
        ([&b * RISTRETTO_BASEPOINT_TABLE, c], Secret::new(b))
    }

    fn blinded(&mut self, pairs: [&Pair; 2]) -> Vec<BlindedDifference> {
        let key = self.account_key();
        (1..=4).map(|i| blind(&RECOVERY, &key, pairs, i, &mut self.rng).expect("other handles")).collect()
    }

    /// The point that the validators open, from the shares of the last three.
    fn opened(&mut self, pairs: [&Pair; 2]) -> RistrettoPoint {
        let blinded = self.blinded(pairs);
        let [a, b] = blinded_sum(&RECOVERY, &self.account_key(), pairs, 3, &blinded).expect("honest");
        let ctx = OpeningContext { ledger_id: [1; 32], round_id: 0, opening_index: 0, bid_set: [3; 32] };
        let weights = &ACCOUNT_KEY_ALONE;
        let shares: Vec<_> = self.shares[1..]
            .iter()
            .map(|shares| {
                let share =
                    release_share(&ctx, weights, shares, &self.public, &a, &mut self.rng).expect("released");
                verify_share(&ctx, weights, &self.public, &a, &share).expect("honest")
            })
            .collect();
        combine(&self.public, &shares, &b).expect("three of four")
    }
}

#[test]
fn equal_balances_open_to_the_identity_and_others_to_points_that_say_nothing() {
    let mut w = world();
    for amount in [0, 1, -5_000, 1 << 60] {
        let (old, new) = (w.pair(amount).0, w.pair(amount).0);
        assert!(w.opened([&old, &new]).is_identity(), "{amount}");
    }
    let (old, new) = (w.pair(1_000).0, w.pair(999).0);
    let (once, again) = (w.opened([&old, &new]), w.opened([&old, &new]));
    assert!(!once.is_identity() && !again.is_identity());
    assert_ne!(once, again, "blinded anew");
    assert_ne!(once, value_base(), "a plain difference of one unit");
}

#[test]
fn a_shifted_pair_passes_the_comparison_but_nobody_can_prove_that_it_knows_it() {
    let mut w = world();
    let (old, _) = w.pair(1_000);
    let (a, key) = (Scalar::from(77u64), w.account_key());
    // What a registrar could make of the old pair, whose b it does not know.
    let shifted = [old[0] + &a * RISTRETTO_BASEPOINT_TABLE, old[1] + a * key];
    assert!(w.opened([&old, &shifted]).is_identity());
    let proof = prove_pair(&RECOVERY, &key, &shifted, &Secret::new(a), &Secret::new(0), &mut w.rng);
    assert_eq!(verify_pair(&RECOVERY, &key, &shifted, &proof), Err(RecoveryFault::Proof));
}

#[test]
fn a_new_pair_is_proved_for_one_recovery() {
    let mut w = world();
    let (pair, b) = w.pair(-12);
    let key = w.account_key();
    let proof = prove_pair(&RECOVERY, &key, &pair, &b, &Secret::new(-12), &mut w.rng);
    assert_eq!(verify_pair(&RECOVERY, &key, &pair, &proof), Ok(()));
    let others = [
        Recovery { ledger_id: [9; 32], ..RECOVERY },
        Recovery { account: [9; 32], ..RECOVERY },
        Recovery { attempt: 1, ..RECOVERY },
    ];
    assert!(others.iter().all(|other| verify_pair(other, &key, &pair, &proof).is_err()));
    let wrong = prove_pair(&RECOVERY, &key, &pair, &b, &Secret::new(-11), &mut w.rng);
    assert_eq!(verify_pair(&RECOVERY, &key, &pair, &wrong), Err(RecoveryFault::Proof));
    let mut changed = proof.clone();
    changed.responses.swap(0, 1);
    assert!(verify_pair(&RECOVERY, &key, &pair, &changed).is_err());
}

#[test]
fn false_blinded_differences_are_named() {
    let mut w = world();
    let (old, new) = (w.pair(5).0, w.pair(5).0);
    let (pairs, key) = ([&old, &new], w.account_key());
    let honest = w.blinded(pairs);
    // Two q, so that anything would open to anything.
    let mut false_one = honest[0].clone();
    false_one.points[1] = encode_point(&(new[1] * Scalar::from(3u64)));
    let other_validator = BlindedDifference { validator: 2, ..honest[0].clone() };
    for blinded in [false_one, other_validator] {
        assert_eq!(verify_blinded(&RECOVERY, &key, pairs, &blinded), Err(RecoveryFault::Proof));
    }
    let other_try = Recovery { attempt: 1, ..RECOVERY };
    assert_eq!(verify_blinded(&other_try, &key, pairs, &honest[0]), Err(RecoveryFault::Proof));
    assert_eq!(verify_blinded(&RECOVERY, &key, [&new, &old], &honest[0]), Err(RecoveryFault::Proof));
    let twice = [honest[0].clone(), honest[0].clone(), honest[1].clone()];
    assert_eq!(blinded_sum(&RECOVERY, &key, pairs, 3, &twice), Err(RecoveryFault::Duplicate(1)));
    for found in 0..3 {
        let few = blinded_sum(&RECOVERY, &key, pairs, 3, &honest[..found]);
        assert_eq!(few, Err(RecoveryFault::TooFew { found, needed: 3 }));
    }
    assert!(blinded_sum(&RECOVERY, &key, pairs, 0, &[]).is_err(), "none never says that balances are equal");
    // A new pair with the old handle would publish the difference.
    let same = [old[0], old[1] + value_base()];
    assert_eq!(blind(&RECOVERY, &key, [&old, &same], 1, &mut w.rng), Err(RecoveryFault::SameHandle));
}
