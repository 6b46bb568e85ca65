//! Tests of the sealed bid that need its inner parts.
//!
//! [`forger`] is a prover that deviates on purpose, [`cheats`] shows which equation refuses which deviation,
//! [`weights`] what only the batch's weights refuse, [`money`] which deviations of its values are refused, [`merging`] that lanes and portable code merge the same scalars, [`transcript`] that no challenge comes too early, [`simulator`]
//! that accepting transcripts need no witness when the challenges are known first, and that two answers give the
//! witness away. What the public interface can show is in `crypto/tests/`.

mod cheats;
mod forger;
mod merging;
mod money;
mod simulator;
mod transcript;
mod weights;

use crate::bid::batch::all_valid;
use crate::bid::prepared::Prepared;
use crate::bid::{BidFault, BidParams, RoundContext, SealedBid, equations, seal_bid, verify_bids};
use crate::keyring::{Keyring, KeyringSeed};
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

/// Parameters, a round and a seeded random source.
struct World {
    params: BidParams,
    round: RoundContext,
    rng: ChaCha20Rng,
}

fn world(bits: u32, steps: usize) -> World {
    let mut rng = ChaCha20Rng::seed_from_u64(u64::from(bits) * 1000 + steps as u64);
    let keys = (0..steps).map(|_| &Scalar::random(&mut rng) * RISTRETTO_BASEPOINT_TABLE).collect();
    let params = BidParams::new(bits, keys, [3; 32]).expect("valid parameters");
    World {
        params,
        round: RoundContext {
            ledger_id: [1; 32],
            key_epoch: 2,
            round_id: 7,
            slot_start_unix_s: 1_800_000_000,
            slot_seconds: 900,
        },
        rng,
    }
}

impl World {
    fn keyring(&mut self) -> Keyring {
        Keyring::from_seed(&KeyringSeed::generate(&mut self.rng))
    }
    fn quantities(&mut self) -> Vec<u64> {
        let mask = u64::MAX >> (64 - self.params.bits());
        (0..self.params.steps()).map(|_| self.rng.next_u64() & mask).collect()
    }
    fn bid(&mut self) -> SealedBid {
        let (keyring, quantities) = (self.keyring(), self.quantities());
        seal_bid(&self.params, &self.round, &keyring, &quantities, &mut self.rng).expect("sealable")
    }
    fn scalar(&mut self) -> Scalar {
        Scalar::random(&mut self.rng)
    }
    fn point(&mut self) -> RistrettoPoint {
        RistrettoPoint::random(&mut self.rng)
    }
    fn prepare(&self, bid: &SealedBid) -> Prepared {
        Prepared::new(&self.params, &self.round, bid, None).expect("well-formed bid")
    }

    /// The verdict of the clear verifier, after the batch was asked too, about this bid alone and beside an honest
    /// one, and the way in which a batch names its culprits: they must agree.
    fn verdict(&mut self, bid: &SealedBid) -> Result<(), BidFault> {
        let prepared = self.prepare(bid);
        let verdict = equations::check(&self.params, &prepared);
        let honest = self.bid();
        let honest = self.prepare(&honest);
        assert_eq!(all_valid(&self.params, &[&prepared]), verdict.is_ok(), "batch of one: {verdict:?}");
        assert_eq!(
            all_valid(&self.params, &[&honest, &prepared]),
            verdict.is_ok(),
            "batch of two: {verdict:?}"
        );
        if let Err(named) = &verdict {
            assert_eq!(equations::fault(&self.params, &prepared), *named, "the short way to the reason");
        }
        verdict
    }
}

#[test]
fn honest_bids_of_all_shapes_are_accepted() {
    for (bits, steps) in [(8, 4), (8, 16), (16, 4), (16, 32), (32, 8)] {
        let mut w = world(bits, steps);
        let mut bids: Vec<SealedBid> = (0..3).map(|_| w.bid()).collect();
        let keyring = w.keyring();
        for extreme in [0, u64::MAX >> (64 - bits)] {
            let quantities = vec![extreme; steps];
            bids.push(seal_bid(&w.params, &w.round, &keyring, &quantities, &mut w.rng).expect("sealable"));
        }
        let verdicts = verify_bids(&w.params, &w.round, &bids);
        assert!(verdicts.iter().all(Result::is_ok), "{bits} {steps}: {verdicts:?}");
        for bid in &bids {
            assert_eq!(w.verdict(bid), Ok(()));
            assert_eq!(bid.to_bytes().len(), w.params.shape().bid_bytes());
        }
    }
}

/// The batch compares the round that a bid names itself: no transcript absorbs it.
#[test]
fn a_bid_that_names_another_round_is_never_prepared() {
    let mut w = world(8, 4);
    let mut bid = w.bid();
    bid.round_id += 1;
    let fault = Prepared::new(&w.params, &w.round, &bid, None).err();
    assert_eq!(fault, Some(BidFault::Round { bid: 8, round: 7 }));
}

/// Many provers start at once with parameters whose key tables are not built yet. If the tables were built by a
/// parallel loop, its thread could take up another prover while it waits for the loop's end, and that prover would
/// wait for the tables. The order of events here makes that happen in about every second run of the loop.
#[test]
fn parallel_provers_build_the_key_tables_without_a_deadlock() {
    use std::{sync::mpsc, thread, time::Duration};
    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("a pool");
        for _ in 0..20 {
            let params = world(8, 64).params;
            let prover = || assert_eq!(params.key_tables().map(<[_]>::len), Some(64));
            pool.scope(|scope| {
                scope.spawn(|_| prover());
                scope.spawn(|scope| {
                    // One thread builds the tables, another is free to help it; then further provers queue up.
                    thread::sleep(Duration::from_millis(1));
                    (0..8).for_each(|_| scope.spawn(|_| prover()));
                    thread::sleep(Duration::from_millis(10));
                });
            });
        }
        done.send(()).expect("the test waits");
    });
    wait.recv_timeout(Duration::from_secs(60)).expect("building the tables ends");
}
