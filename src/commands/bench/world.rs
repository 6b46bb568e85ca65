//! The market that bids of a run are for. Its keys follow from a public seed, so that prepared bids can be read again:
//! they are for measuring and protect nothing.

use super::BenchSize;
use crate::failure::Failure;
use crate::output;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;
use veilgrid_crypto::bid::{BidParams, RoundContext, SealedBid, seal_bid};
use veilgrid_crypto::keygen::{
    DealerPackage, DealtShares, KeyGenContext, KeyShares, ThresholdKeys, deal, public_keys, receive,
};
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::schnorr::{SigningKey, VerifyingKey};
use veilgrid_market::Grid;

/// Threshold of the measured openings: 3 of 4.
pub const THRESHOLD: u16 = 3;
const VALIDATORS: u16 = 4;
const SEED: u64 = 0x7665_696c;

/// A market with its keys.
pub struct World {
    pub grid: Grid,
    pub params: BidParams,
    pub round: RoundContext,
    pub keys: ThresholdKeys,
    pub shares: Vec<KeyShares>,
}

/// A bid with what it holds, so that the run can check its result.
#[derive(Clone)]
pub struct KnownBid {
    pub quantities_wh: Vec<u64>,
    pub bid: SealedBid,
}

impl World {
    /// Generates the keys for a size.
    ///
    /// # Errors
    /// A grid or a width that no market can have.
    pub fn new(size: &BenchSize) -> Result<Self, Failure> {
        let grid = Grid::new(0, 1000, size.ticks).map_err(Failure::input)?;
        let mut rng = ChaCha20Rng::seed_from_u64(SEED);
        let context = KeyGenContext {
            ledger_id: [1; 32],
            session: 1,
            validators: VALIDATORS,
            threshold: THRESHOLD,
            keys: u32::try_from(grid.steps()).map_err(Failure::input)?,
        };
        let signers: Vec<SigningKey> = (0..VALIDATORS).map(|_| SigningKey::generate(&mut rng)).collect();
        let mut packages: Vec<DealerPackage> = Vec::new();
        let mut inboxes: Vec<Vec<DealtShares>> = signers.iter().map(|_| Vec::new()).collect();
        for (index, signer) in (1u16..).zip(&signers) {
            let (package, dealt) = deal(&context, signer, index, &mut rng).map_err(Failure::input)?;
            packages.push(package);
            inboxes.iter_mut().zip(dealt).for_each(|(inbox, dealt)| inbox.push(dealt));
        }
        let dealers: Vec<VerifyingKey> = signers.iter().map(SigningKey::verifying_key).collect();
        let keys = public_keys(&context, &packages, &dealers).map_err(Failure::input)?;
        let shares = (1u16..)
            .zip(&inboxes)
            .map(|(index, inbox)| receive(&context, &packages, inbox, index).map_err(Failure::input))
            .collect::<Result<_, _>>()?;
        let params = BidParams::new(size.bits, keys.keys().to_vec(), [2; 32]).map_err(Failure::input)?;
        let round = RoundContext {
            ledger_id: context.ledger_id,
            key_epoch: 1,
            round_id: 1,
            slot_start_unix_s: 1_800_000_000,
            slot_seconds: 900,
        };
        Ok(Self { grid, params, round, keys, shares })
    }

    /// Quantities of a bidder: up to eight steps of one side, each anything that its bits hold.
    pub fn quantities(&self, rng: &mut ChaCha20Rng) -> Vec<u64> {
        let steps = self.params.steps();
        let mut quantities_wh = vec![0; steps];
        let side = rng.next_u64() as usize % 2;
        for _ in 0..8 {
            let step = (rng.next_u64() as usize % (steps / 2)) * 2 + side;
            quantities_wh[step] = rng.next_u64() & (u64::MAX >> (64 - self.params.bits()));
        }
        quantities_wh
    }

    /// Proves `count` distinct bids on all threads of the pool.
    ///
    /// # Errors
    /// Quantities that do not fit, which [`World::quantities`] excludes.
    pub fn prove(&self, count: usize, quiet: bool) -> Result<Vec<KnownBid>, Failure> {
        let bar = output::progress(count as u64, "proving distinct bids", quiet);
        let bids = (0..count as u64)
            .into_par_iter()
            .map(|number| {
                let mut rng = ChaCha20Rng::seed_from_u64(SEED ^ (number << 32));
                let keyring = Keyring::from_seed(&KeyringSeed::generate(&mut rng));
                let quantities_wh = self.quantities(&mut rng);
                let bid = seal_bid(&self.params, &self.round, &keyring, &quantities_wh, &mut rng)
                    .map_err(Failure::input)?;
                bar.inc(1);
                Ok(KnownBid { quantities_wh, bid })
            })
            .collect();
        bar.finish_and_clear();
        bids
    }
}
