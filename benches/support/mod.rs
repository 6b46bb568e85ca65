//! A small market for the benches: seeded parameters, keyrings and bids.
#![allow(dead_code, reason = "each bench uses a part of it")]

use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::scalar::Scalar;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;
use veilgrid_crypto::bid::{BidParams, RoundContext, SealedBid, VerifiedBid, seal_bid, verify_bids};
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};

/// Parameters, a round and a seeded random source.
pub struct Market {
    pub params: BidParams,
    pub round: RoundContext,
    pub rng: ChaCha20Rng,
}

impl Market {
    /// A market of `steps` steps (twice the ticks) with quantities of `bits` bits.
    pub fn new(bits: u32, steps: usize) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(u64::from(bits) * 10_000 + steps as u64);
        let keys = (0..steps).map(|_| &Scalar::random(&mut rng) * RISTRETTO_BASEPOINT_TABLE).collect();
        let params = BidParams::new(bits, keys, [3; 32]).expect("valid parameters");
        Self {
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

    /// The member with this seed, who makes [`Market::bid`].
    pub fn keyring_of(&self, seed: u64) -> Keyring {
        Keyring::from_seed(&KeyringSeed::generate(&mut ChaCha20Rng::seed_from_u64(seed)))
    }

    /// A new member.
    pub fn keyring(&mut self) -> Keyring {
        Keyring::from_seed(&KeyringSeed::generate(&mut self.rng))
    }

    /// Quantities over the whole range.
    pub fn quantities(&mut self) -> Vec<u64> {
        let mask = u64::MAX >> (64 - self.params.bits());
        (0..self.params.steps()).map(|_| self.rng.next_u64() & mask).collect()
    }

    /// Valid bids of as many members, made on all cores.
    pub fn bids(&self, count: usize) -> Vec<SealedBid> {
        (0..count as u64).into_par_iter().map(|seed| self.bid(seed)).collect()
    }

    /// A valid bid of the member with this seed.
    pub fn bid(&self, seed: u64) -> SealedBid {
        let (keyring, mut rng) = (self.keyring_of(seed), ChaCha20Rng::seed_from_u64(seed ^ u64::MAX));
        let quantities = vec![seed & 0xff; self.params.steps()];
        seal_bid(&self.params, &self.round, &keyring, &quantities, &mut rng).expect("sealable")
    }

    /// Bids as the ledger has them when they enter the tally.
    pub fn verified(&self, count: usize) -> Vec<VerifiedBid> {
        let verdicts = verify_bids(&self.params, &self.round, &self.bids(count));
        verdicts.into_iter().map(|verdict| verdict.expect("valid")).collect()
    }
}
