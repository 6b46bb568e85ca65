//! What the founders of a ledger bring: keys of the validators, and its genesis.

use crate::registrar::point_id;
use crate::replica::Limits;
use rand_core::CryptoRngCore;
use veilgrid_crypto::envelope::{EnvelopeKey, EnvelopePublicKey};
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::keygen::Group;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::finality::ConsensusKey;
use veilgrid_ledger::genesis::{FORMAT_VERSION, Genesis};
use veilgrid_ledger::members::certificate::Certificate;
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::roster::{Roster, ValidatorEntry};
use veilgrid_ledger::timing::RoundTiming;

/// Blocks of an epoch where one process runs all validators: its ledgers end long before. Shares are renewed to outrun
/// somebody who breaks into one machine after another, and here there is one machine.
const EPOCH_BLOCKS: u64 = 1 << 20;
/// Phases end when everybody has spoken; this is for those who never do.
const PHASE_BLOCKS: u32 = 8;
/// An opening that has not gone on for this long, in milliseconds of block time, is suspended: nobody comes back later.
const SUSPEND_AFTER_MS: u64 = 400;
/// Everybody has the same clock.
const CLOCK_SKEW_MS: u64 = 1;
/// This part of the time between two openings is there for clearing.
const CLEARING_PART: u64 = 15;
/// From the genesis block to the first opening, in milliseconds of block time: the keys are generated meanwhile.
const LEAD_MS: u64 = 60_000;

/// What founding a community fixes beside its market.
pub struct Founding {
    /// The market, with the times of its rounds.
    pub params: MarketParams,
    /// Number of validators n.
    pub validators: u16,
    /// The members' account keys, in any order.
    pub members: Vec<PointBytes>,
    /// Epoch of the keys.
    pub key_epoch: u64,
    /// Time of block 0.
    pub time_unix_ms: u64,
}

/// A validator's lasting secrets.
pub struct Keys {
    /// Key sessions, receipts, changes of the roster.
    pub signing: SigningKey,
    /// Votes.
    pub consensus: ConsensusKey,
    /// Bids that are sent to it.
    pub envelope: EnvelopeKey,
}

impl Keys {
    /// Fresh ones.
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        Self {
            signing: SigningKey::generate(rng),
            consensus: ConsensusKey::generate(rng),
            envelope: EnvelopeKey::generate(rng),
        }
    }

    /// The public halves.
    pub fn entry(&self) -> ValidatorEntry {
        ValidatorEntry {
            signing_key: self.signing.verifying_key().to_bytes(),
            consensus_key: self.consensus.public(),
            envelope_key: self.envelope.public().to_bytes(),
        }
    }
}

/// The threshold for n validators: n − f with n = 3f + 1 rounded down, 2f + 1 where it comes out even.
pub fn threshold_for(validators: u16) -> u16 {
    Group::of(validators).threshold
}

/// Times of rounds where one process runs all validators: one round per slot, the first one opens at `first_open_unix_ms` for
/// the slot that starts at `first_slot_start_unix_s`. Bidding ends some time before the next round opens, so that a round
/// can be cleared in between.
pub fn one_process_timing(
    first_open_unix_ms: u64,
    first_slot_start_unix_s: i64,
    slot_seconds: u32,
) -> RoundTiming {
    let interval_ms = u64::from(slot_seconds).saturating_mul(1000);
    RoundTiming {
        first_open_unix_ms,
        interval_ms,
        bidding_ms: interval_ms.saturating_sub(interval_ms / CLEARING_PART),
        grace_blocks: 1,
        opening_deadline_ms: interval_ms,
        suspend_after_ms: SUSPEND_AFTER_MS,
        first_slot_start_unix_s,
        epoch_blocks: EPOCH_BLOCKS,
        keygen_phase_blocks: PHASE_BLOCKS,
        max_clock_skew_ms: CLOCK_SKEW_MS,
    }
}

impl Founding {
    /// When block 0 of such a ledger comes, Unix milliseconds.
    pub fn genesis_time_ms(timing: &RoundTiming) -> u64 {
        timing.first_open_unix_ms.saturating_sub(LEAD_MS)
    }
}

/// The genesis for the given validators, registrar and aggregator; its rules are not checked yet.
pub fn found_genesis(
    founding: &Founding,
    validators: &[ValidatorEntry],
    registrar_key: &SigningKey,
    receipt_key: &SigningKey,
    envelope_key: &EnvelopePublicKey,
    rng: &mut impl CryptoRngCore,
) -> Genesis {
    let mut nonce = [0u8; 32];
    rng.fill_bytes(&mut nonce);
    // Whoever has no connection of its own name has one by the name of its account.
    let certificate = |account: &PointBytes| {
        let point = point_id(registrar_key, &hex::encode(account));
        Certificate::unlimited(&founding.params, founding.key_epoch, *account, point)
    };
    let mut members: Vec<Certificate> = founding.members.iter().map(certificate).collect();
    members.sort_unstable_by_key(|certificate| certificate.account);
    Genesis {
        format_version: FORMAT_VERSION,
        nonce,
        params: founding.params.clone(),
        roster: Roster { validators: validators.to_vec() },
        aggregator_receipt_key: receipt_key.verifying_key().to_bytes(),
        aggregator_envelope_key: envelope_key.to_bytes(),
        registrar_key: registrar_key.verifying_key().to_bytes(),
        members,
        key_epoch: founding.key_epoch,
        first_session: 1,
    }
}

/// Bounds and pace of validators that share a simulated clock: it is never waited for, so that blocks come as fast as
/// the rules allow where blocks themselves are waited for.
pub fn simulated_pace() -> Limits {
    Limits { busy_interval_ms: 20, ..Limits::default() }
}
