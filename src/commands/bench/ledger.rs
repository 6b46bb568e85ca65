//! The ledger that `bench audit` and `bench restart` measure: that of a whole community in this process, by the same roles as
//! anywhere else. Its keys follow from a public seed: they are for measuring and protect nothing.

use crate::failure::Failure;
use crate::output;
use clap::Args;
use indicatif::ProgressBar;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;
use std::path::Path;
use veilgrid_crypto::bid::{SealedBid, seal_bid};
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::capacity::CapacityClasses;
use veilgrid_ledger::export::{Exported, LedgerReader};
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::params::MarketParams;
use veilgrid_market::{Grid, Rule};
use veilgrid_roles::committee::{Founding, one_process_timing, threshold_for};
use veilgrid_roles::local::LocalCommunity;

const SEED: u64 = 0x6c65_6467;
const VALIDATORS: u16 = 4;
const KEY_EPOCH: u64 = 1;
const SLOT_SECONDS: u32 = 900;
const FIRST_OPEN_MS: u64 = 1_800_000_000_000;
const FIRST_SLOT_S: i64 = 1_800_000_900;
/// Most that a bid asks or offers at a step, Wh.
const LARGEST_WH: u64 = 200;

/// The size of a measured ledger.
#[derive(Debug, Clone, Args)]
pub struct LedgerSize {
    /// Bids of the whole ledger; the last round may have fewer than the others
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub bids: usize,
    /// Bids of a round, one for each member
    #[arg(long, value_name = "K", default_value_t = 100)]
    pub per_round: usize,
    /// Bids that one block brings
    #[arg(long, value_name = "B", default_value_t = 8)]
    pub per_block: usize,
    /// Ticks of the price grid, a power of two
    #[arg(long, value_name = "L", default_value_t = 64)]
    pub ticks: u32,
    /// Bits of a quantity: 8, 16 or 32
    #[arg(long, value_name = "n", default_value_t = 16)]
    pub bits: u8,
    /// Threads (default: all cores)
    #[arg(long, value_name = "T")]
    pub threads: Option<usize>,
    /// The arithmetic
    #[command(flatten)]
    pub arithmetic: super::ArithmeticArgs,
    /// Print the figures as JSON
    #[arg(long)]
    pub json: bool,
}

/// A block with its certificate.
pub type Certified = (Block, Option<Vec<u8>>);

/// A ledger that was made.
pub struct Made {
    /// Its blocks.
    pub blocks: Vec<Certified>,
    /// The state root after the last one.
    pub state_root: Hash,
}

impl LedgerSize {
    /// "There is something to measure."
    fn check(&self) -> Result<(), Failure> {
        let members = 2..=100_000;
        if self.bids == 0 || self.per_block == 0 || !members.contains(&self.per_round) {
            return Err(Failure::input(
                "--bids and --per-block have to be at least 1, and --per-round from 2 to 100000",
            ));
        }
        Ok(())
    }

    /// Makes the ledger: its bids are proved, sent in, ordered, opened, cleared and settled.
    ///
    /// # Errors
    /// Sizes that no market can have.
    pub fn make(&self) -> Result<Made, Failure> {
        self.check()?;
        let mut rng = ChaCha20Rng::seed_from_u64(SEED);
        let keyrings: Vec<Keyring> = (0..self.per_round.min(self.bids).max(2))
            .map(|_| Keyring::from_seed(&KeyringSeed::generate(&mut rng)))
            .collect();
        let founding = self.founding(&keyrings)?;
        let mut community = LocalCommunity::found(&founding, &mut rng).map_err(Failure::input)?;
        let bar = output::progress(self.bids as u64, "making the ledger (bids)", self.json);
        let mut left = self.bids;
        while left > 0 {
            let count = left.min(keyrings.len());
            round(&mut community, &keyrings[..count], self.per_block, &mut rng, &bar)?;
            left -= count;
        }
        bar.finish_and_clear();
        let state_root = community.state().root();
        Ok(Made { blocks: community.ledger().to_vec(), state_root })
    }

    fn founding(&self, keyrings: &[Keyring]) -> Result<Founding, Failure> {
        let timing = one_process_timing(FIRST_OPEN_MS, FIRST_SLOT_S, SLOT_SECONDS);
        let params = MarketParams {
            grid: Grid::new(0, 1000, self.ticks).map_err(Failure::input)?,
            bits: self.bits,
            capacity_classes: CapacityClasses::of_connections(SLOT_SECONDS),
            money: None,
            rule: Rule::Uniform,
            open_volume: true,
            min_bidders: 2,
            max_members: u32::try_from(keyrings.len()).map_err(Failure::input)?,
            slot_seconds: SLOT_SECONDS,
            threshold: threshold_for(VALIDATORS),
            timing,
        };
        Ok(Founding {
            params,
            validators: VALIDATORS,
            members: keyrings
                .iter()
                .map(|one| one.account_key(KEY_EPOCH).verifying_key().to_bytes())
                .collect(),
            key_epoch: KEY_EPOCH,
            time_unix_ms: Founding::genesis_time_ms(&timing),
        })
    }
}

/// One round with a bid of each keyring.
fn round(
    community: &mut LocalCommunity,
    keyrings: &[Keyring],
    per_block: usize,
    rng: &mut ChaCha20Rng,
    bar: &ProgressBar,
) -> Result<(), Failure> {
    let round_id = community.open_round().map_err(Failure::input)?;
    let seed = rng.next_u64();
    let bids = sealed(community, round_id, keyrings, seed, bar)?;
    for bids in bids.chunks(per_block) {
        community.submit(round_id, bids, rng).map_err(Failure::input)?;
    }
    community.finish_round(round_id).map_err(Failure::input)?;
    Ok(())
}

/// Bids of one side each, at a limit price of their own.
fn sealed(
    community: &LocalCommunity,
    round_id: u64,
    keyrings: &[Keyring],
    seed: u64,
    bar: &ProgressBar,
) -> Result<Vec<SealedBid>, Failure> {
    let state = community.state();
    let params = state.community().bid_params().ok_or_else(|| Failure::input("there are no keys"))?;
    let context = state.round_context(round_id).ok_or_else(|| Failure::input("the round is not open"))?;
    let seal = |(number, keyring): (usize, &Keyring)| {
        let mut rng = ChaCha20Rng::seed_from_u64(seed ^ ((number as u64) << 32));
        let steps = params.steps();
        let mut quantities_wh = vec![0; steps];
        let step = (rng.next_u64() as usize % (steps / 2)) * 2 + number % 2;
        quantities_wh[step] = 1 + rng.next_u64() % LARGEST_WH;
        let bid = seal_bid(params, &context, keyring, &quantities_wh, &mut rng).map_err(Failure::input);
        bar.inc(1);
        bid
    };
    keyrings.par_iter().enumerate().map(seal).collect()
}

/// A process-wide choice and a pool of threads for a measured run.
///
/// # Errors
/// As [`super::ArithmeticArgs::choose`].
pub fn pool(size: &LedgerSize) -> Result<rayon::ThreadPool, Failure> {
    size.arithmetic.choose()?;
    let threads = size.threads.unwrap_or_else(rayon::current_num_threads);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(Failure::input)
}

/// The blocks of a ledger file, or of standard input for `-`.
///
/// # Errors
/// A file that can't be read, and one with pruned blocks.
pub fn certified_of(path: &Path) -> Result<Vec<Certified>, Failure> {
    let mut reader =
        LedgerReader::new(crate::input::open(path)?).map_err(|error| Failure::file(path, error))?;
    let block = |exported| match exported {
        Ok(Exported::Block(block, certificate)) => Ok((block, certificate)),
        Ok(Exported::Pruned(..) | Exported::Checkpoint(_)) => {
            Err(Failure::file(path, "has pruned blocks; name a whole ledger"))
        }
        Err(error) => Err(Failure::file(path, error)),
    };
    reader.exported().map(block).collect()
}
