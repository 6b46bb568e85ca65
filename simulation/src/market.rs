//! The market of every simulation: small, so that thousands of runs take minutes.

use crate::dice::{Dice, rng};
use std::sync::Arc;
use veilgrid_crypto::dlog::SmallLog;
use veilgrid_crypto::envelope::EnvelopeKey;
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_engine::simulation::consensus_key;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::builder::genesis_block;
use veilgrid_ledger::capacity::CapacityClasses;
use veilgrid_ledger::genesis::{FORMAT_VERSION, Genesis};
use veilgrid_ledger::members::certificate::Certificate;
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::roster::{Roster, ValidatorEntry};
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::DecodeContext;
use veilgrid_market::{Grid, Rule};

/// Of the random source that only the aggregator's receipt key comes from.
const RECEIPT_KEY: u64 = 6;
/// The same for the registrar's key.
const REGISTRAR_KEY: u64 = 7;

/// Validators; one of them may be faulty.
pub const VALIDATORS: usize = 4;
/// How many of them may be faulty at a time.
pub(crate) const FAULTY: usize = 1;
/// Acknowledgements that a client asks for: of f + 1 validators, one of whom is honest.
pub(crate) const ACKNOWLEDGEMENTS: usize = FAULTY + 1;
const KEY_EPOCH: u64 = 5;
const TICKS: u32 = 4;
const BITS: u8 = 8;
const SLOT_SECONDS: u32 = 900;
pub(crate) const MAX_MEMBERS: usize = 5;

/// When a market's rounds open, close and end, in simulated time. Blocks come every 100 ms while something waits. Grace is
/// the shortest that the rules allow.
pub(crate) const TIMING: RoundTiming = RoundTiming {
    first_open_unix_ms: 4_000,
    interval_ms: 6_000,
    bidding_ms: 1_800,
    grace_blocks: 1,
    opening_deadline_ms: 5_000,
    suspend_after_ms: 2_500,
    first_slot_start_unix_s: SLOT_SECONDS as i64,
    epoch_blocks: 50,
    keygen_phase_blocks: 8,
    max_clock_skew_ms: 400,
};

/// Keys, members and genesis of one run.
pub(crate) struct Market {
    pub(crate) genesis: Block,
    pub(crate) decode: DecodeContext,
    /// The validators' signing keys.
    pub(crate) keys: Vec<SigningKey>,
    /// In the order of their accounts.
    pub(crate) members: Vec<Keyring>,
    /// Built once for all validators and all their lives.
    pub(crate) log: Arc<SmallLog>,
    seed: u64,
}

impl Market {
    pub(crate) fn new(seed: u64, members: usize) -> Self {
        let mut rng = rng(seed, 1);
        let keys: Vec<_> = (0..VALIDATORS).map(|_| SigningKey::generate(&mut rng)).collect();
        let mut members: Vec<_> =
            (0..members).map(|_| Keyring::from_seed(&KeyringSeed::generate(&mut rng))).collect();
        members.sort_by_key(account);
        let genesis = genesis(seed, &keys, &members).checked().expect("a sound genesis");
        let decode = DecodeContext::of(&genesis);
        let genesis = genesis_block(genesis, 0);
        let largest_wh = MAX_MEMBERS as u64 * u64::from(TICKS) * ((1 << BITS) - 1);
        let log = Arc::new(SmallLog::new(largest_wh));
        Self { genesis, decode, keys, members, log, seed }
    }

    /// The quantity that a member bids at each step in a round: one or two steps of one side.
    pub(crate) fn order_wh(&self, round_id: u64, member: usize) -> Vec<u64> {
        let mut dice = Dice::new(self.seed, 1_000 + round_id * MAX_MEMBERS as u64 + member as u64);
        let mut order = vec![0; 2 * TICKS as usize];
        // Sides alternate, so that most rounds trade.
        let side = if dice.chance(20) { dice.index(2) } else { member % 2 };
        for _ in 0..=dice.below(2) {
            order[2 * dice.index(TICKS as usize) + side] = dice.within(1..(1 << BITS));
        }
        order
    }
}

/// A member's account.
pub(crate) fn account(keyring: &Keyring) -> PointBytes {
    keyring.account_key(KEY_EPOCH).verifying_key().to_bytes()
}

/// The grid.
pub(crate) fn grid() -> Grid {
    Grid::new(10_000, 1_000, TICKS).expect("a sound grid")
}

/// Parameters of the market.
pub(crate) fn params() -> MarketParams {
    MarketParams {
        grid: grid(),
        bits: BITS,
        rule: Rule::Uniform,
        open_volume: true,
        min_bidders: 2,
        max_members: 16,
        slot_seconds: SLOT_SECONDS,
        threshold: (VALIDATORS - FAULTY) as u16,
        timing: TIMING,
        capacity_classes: CapacityClasses::of_connections(SLOT_SECONDS),
        money: None,
    }
}

fn genesis(seed: u64, keys: &[SigningKey], members: &[Keyring]) -> Genesis {
    let signing = |key: &SigningKey| key.verifying_key().to_bytes();
    let entry = |(index, key): (usize, &SigningKey)| ValidatorEntry {
        signing_key: signing(key),
        consensus_key: consensus_key(index),
        envelope_key: EnvelopeKey::from_bytes(&signing(key)).public().to_bytes(),
    };
    let mut nonce = [9; 32];
    nonce[..8].copy_from_slice(&seed.to_le_bytes());
    Genesis {
        format_version: FORMAT_VERSION,
        nonce,
        params: params(),
        roster: Roster { validators: keys.iter().enumerate().map(entry).collect() },
        aggregator_receipt_key: signing(&SigningKey::generate(&mut rng(seed, RECEIPT_KEY))),
        aggregator_envelope_key: [3; 32],
        registrar_key: signing(&SigningKey::generate(&mut rng(seed, REGISTRAR_KEY))),
        members: Certificate::of_accounts(&params(), KEY_EPOCH, members.iter().map(account)),
        key_epoch: KEY_EPOCH,
        first_session: 1,
    }
}
