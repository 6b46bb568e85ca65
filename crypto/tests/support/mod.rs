//! A small market for the tests of this folder: seeded parameters, keyrings and bids.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use std::ops::Range;
use veilgrid_crypto::bid::{BidFault, BidParams, RoundContext, SealedBid, seal_bid, verify_bids};
use veilgrid_crypto::fast::{Arithmetic, use_arithmetic};
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};

/// The group order ℓ, little-endian.
pub const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Names the arithmetic that a process of tests has to use: the gate runs some of them with each.
pub const ARITHMETIC: &str = "VEILGRID_LANES";

/// Uses the arithmetic that this process was told to use, if any.
pub fn choose_arithmetic() {
    if let Some(name) = std::env::var_os(ARITHMETIC) {
        let arithmetic = name.to_str().and_then(Arithmetic::named).expect("ifma, avx2 or words");
        assert!(use_arithmetic(arithmetic), "this process cannot use {arithmetic:?}");
    }
}

/// Runs one of these tests with each arithmetic that this processor has: in a process of its own, as the choice is made once.
pub fn passes_with_every_arithmetic(test: &str) {
    let program = std::env::current_exe().expect("this test");
    for arithmetic in Arithmetic::ALL.into_iter().filter(|arithmetic| arithmetic.is_here()) {
        let run = std::process::Command::new(&program)
            .args(["--exact", test])
            .env(ARITHMETIC, arithmetic.name())
            .env_remove("VEILGRID_BLESS")
            .output()
            .expect("it starts");
        let text = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success() && text.contains("1 passed"), "{arithmetic:?}: {text}");
    }
}

/// Parameters, a round and a seeded random source.
pub struct Market {
    pub params: BidParams,
    pub round: RoundContext,
    pub rng: ChaCha20Rng,
}

/// Random step keys from a seeded source.
pub fn step_keys(steps: usize, rng: &mut ChaCha20Rng) -> Vec<RistrettoPoint> {
    (0..steps).map(|_| &Scalar::random(rng) * RISTRETTO_BASEPOINT_TABLE).collect()
}

impl Market {
    pub fn new(bits: u32, steps: usize) -> Self {
        choose_arithmetic();
        let mut rng = ChaCha20Rng::seed_from_u64(u64::from(bits) * 10_000 + steps as u64);
        let keys = step_keys(steps, &mut rng);
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
    pub fn keyring(&mut self) -> Keyring {
        Keyring::from_seed(&KeyringSeed::generate(&mut self.rng))
    }
    pub fn quantities(&mut self) -> Vec<u64> {
        let mask = u64::MAX >> (64 - self.params.bits());
        (0..self.params.steps()).map(|_| self.rng.next_u64() & mask).collect()
    }
    /// A valid bid of a new keyring.
    pub fn bid(&mut self) -> SealedBid {
        let (params, round) = (self.params.clone(), self.round);
        self.bid_for(&params, &round)
    }
    /// A bid of a new keyring in another context.
    pub fn bid_for(&mut self, params: &BidParams, round: &RoundContext) -> SealedBid {
        let (keyring, quantities) = (self.keyring(), self.quantities());
        seal_bid(params, round, &keyring, &quantities, &mut self.rng).expect("sealable")
    }
    /// A valid bid of the keyring with this seed, from many threads at once.
    pub fn bid_from(&self, seed: u64) -> SealedBid {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let keyring = Keyring::from_seed(&KeyringSeed::generate(&mut rng));
        let quantities = vec![seed & 0xff; self.params.steps()];
        seal_bid(&self.params, &self.round, &keyring, &quantities, &mut rng).expect("sealable")
    }
    pub fn bids<const N: usize>(&mut self) -> [SealedBid; N] {
        core::array::from_fn(|_| self.bid())
    }
    /// The verdicts' faults, none for a valid bid.
    pub fn faults(&self, bids: &[SealedBid]) -> Vec<Option<BidFault>> {
        verify_bids(&self.params, &self.round, bids).into_iter().map(Result::err).collect()
    }
    /// The fault of `bid`, after asking for it alone and in the middle of `honest` bids, which must stay valid.
    pub fn fault(&self, bid: &SealedBid, honest: &[SealedBid]) -> Option<BidFault> {
        let alone = self.faults(std::slice::from_ref(bid)).pop().expect("one verdict");
        let middle = honest.len() / 2;
        let mut batch = honest.to_vec();
        batch.insert(middle, bid.clone());
        for (place, fault) in self.faults(&batch).into_iter().enumerate() {
            let expected = if place == middle { alone.clone() } else { None };
            assert_eq!(fault, expected, "place {place} of {}", batch.len());
        }
        alone
    }
    /// A bid from the bytes of another.
    pub fn decode(&self, bytes: &[u8]) -> SealedBid {
        SealedBid::from_bytes(bytes, self.params.shape()).expect("right length")
    }
}

/// Where a bid's 32-byte points and scalars are in its encoding.
pub struct Layout {
    pub points: Vec<(&'static str, usize)>,
    pub scalars: Vec<(&'static str, usize)>,
    pub salt: Range<usize>,
    pub note: Range<usize>,
}

impl Layout {
    pub fn of(params: &BidParams) -> Self {
        let shape = params.shape();
        let (steps, rounds) = (shape.steps, shape.pairs());
        let c = 8 + 32 + 32 + 32;
        let proof = c + 32 * steps;
        let item = |i: usize| proof + 32 * i;
        let note = proof + shape.proof_bytes();
        let signature = note + shape.note_bytes();
        let mut points = vec![("account", 8), ("R", 72), ("N", signature)];
        points.extend((0..steps).map(|k| ("C", c + 32 * k)));
        let names = ["A", "S", "T1", "T2", "N1", "N2", "N3"];
        points.extend(names.into_iter().enumerate().map(|(i, name)| (name, item(i))));
        points.extend((0..2 * rounds).map(|i| ("L or R", item(12 + i))));
        let names = ["t_hat", "mu", "s_r", "s_tau", "s_x"];
        let mut scalars: Vec<_> =
            names.into_iter().enumerate().map(|(i, name)| (name, item(7 + i))).collect();
        scalars.extend([("a", item(12 + 2 * rounds)), ("b", item(13 + 2 * rounds)), ("s", signature + 32)]);
        Self { points, scalars, salt: 40..72, note: note..signature }
    }
}
