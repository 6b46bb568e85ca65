//! What a network's founders agree on besides their keys: the market and its times.

use super::FoundingError;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::Path;
use veilgrid_crypto::group::PointBytes;
use veilgrid_ledger::capacity::CapacityClasses;
use veilgrid_ledger::money::market::MoneyRules;
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_market::{Grid, Rule};
use veilgrid_roles::committee::threshold_for;
use veilgrid_store::files::{self, read_at_most};

/// Most bytes of a plan.
const MAX_PLAN_BYTES: u64 = 1 << 20;

/// A plan, TOML.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundingPlan {
    /// Epoch of the account keys.
    #[serde(default = "one")]
    pub key_epoch: u64,
    /// The market.
    pub market: MarketPlan,
    /// Its times.
    pub timing: TimingPlan,
}

fn one() -> u64 {
    1
}

/// The rules of the market.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarketPlan {
    /// Lowest price, mct/kWh; may be below zero.
    pub price_min_mct_per_kwh: i64,
    /// Distance of two prices, mct/kWh, even.
    pub tick_mct_per_kwh: u64,
    /// Number of prices, a power of two.
    pub ticks: u32,
    /// Bits of a quantity in Wh: 8, 16 or 32.
    #[serde(default = "sixteen")]
    pub bits: u8,
    /// Clearing rule.
    #[serde(default)]
    pub rule: RulePlan,
    /// Whether the traded volume is opened too.
    #[serde(default = "yes")]
    pub open_volume: bool,
    /// Fewer bids than this void a round.
    pub min_bidders: u32,
    /// Most members.
    pub max_members: u32,
    /// Length of a slot in seconds.
    #[serde(default = "quarter_hour")]
    pub slot_seconds: u32,
    /// Sizes of connections, Wh per slot, rising; without it those of common connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_classes_wh: Option<Vec<u64>>,
    /// Whether members have balances; without it the market clears and nobody pays by this ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money: Option<MoneyPlan>,
}

/// Money of the market. The treasury's key comes from its public part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoneyPlan {
    /// What the community's public account begins with, ct: it buys and sells the rounding rest of every round.
    #[serde(default = "hundred_euro")]
    pub community_deposit_ct: u64,
    /// A fill that its owner has not claimed after this long may be claimed by the validators, seconds; at most the time of 32
    /// rounds, and 16 of them when nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_s: Option<u64>,
}

/// Rounds whose time a claim may take when the plan says nothing.
const CLAIM_ROUNDS: u64 = 16;

impl Default for MoneyPlan {
    fn default() -> Self {
        Self { community_deposit_ct: hundred_euro(), claim_s: None }
    }
}

fn hundred_euro() -> u64 {
    10_000
}

fn sixteen() -> u8 {
    16
}

fn yes() -> bool {
    true
}

fn quarter_hour() -> u32 {
    900
}

/// The clearing rules' names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RulePlan {
    /// One price for all, the long side rationed pro rata.
    #[default]
    Uniform,
    /// The marginal ticks set the prices and do not trade.
    TradeReduction,
}

/// When rounds open, close and end; see [`RoundTiming`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimingPlan {
    /// Round 1 opens, milliseconds since 1970 UTC.
    pub first_open_unix_ms: u64,
    /// From one opening to the next, milliseconds.
    pub interval_ms: u64,
    /// Time for bids, milliseconds.
    pub bidding_ms: u64,
    /// Start of the slot that round 1 trades, seconds since 1970 UTC.
    pub first_slot_start_unix_s: i64,
    /// Blocks after the close that still take bids which were acknowledged before.
    #[serde(default = "three")]
    pub grace_blocks: u32,
    /// A round that is not cleared this long after its close is void, milliseconds.
    pub opening_deadline_ms: u64,
    /// An opening without progress for this long is suspended, milliseconds.
    #[serde(default = "half_a_minute")]
    pub suspend_after_ms: u64,
    /// Blocks of an engine epoch.
    pub epoch_blocks: u64,
    /// Most blocks of each phase of a key session.
    #[serde(default = "twenty")]
    pub keygen_phase_blocks: u32,
    /// Most that a block's time may differ from a voter's clock, milliseconds.
    #[serde(default = "two_seconds")]
    pub max_clock_skew_ms: u64,
}

fn three() -> u32 {
    3
}

fn half_a_minute() -> u64 {
    30_000
}

fn twenty() -> u32 {
    20
}

fn two_seconds() -> u64 {
    2_000
}

impl FoundingPlan {
    /// Reads a plan.
    ///
    /// # Errors
    /// [`FoundingError::Plan`] with the place, and what can't be read.
    pub fn read(path: &Path) -> Result<Self, FoundingError> {
        let file = files::open(path)?;
        Self::read_from(path, file)
    }

    /// Reads a plan from elsewhere; `path` is for messages.
    ///
    /// # Errors
    /// As [`FoundingPlan::read`].
    pub fn read_from(path: &Path, source: impl Read) -> Result<Self, FoundingError> {
        let bytes = read_at_most(path, source, MAX_PLAN_BYTES)?;
        let fault = |reason: String| FoundingError::Plan { path: path.to_owned(), reason };
        let text = String::from_utf8(bytes).map_err(|_| fault("not UTF-8 text".to_owned()))?;
        let plan: Self = toml::from_str(&text).map_err(|error| fault(error.to_string()))?;
        let TimingPlan { first_open_unix_ms, first_slot_start_unix_s, .. } = plan.timing;
        super::calendar::check_units(first_open_unix_ms, first_slot_start_unix_s).map_err(fault)?;
        Ok(plan)
    }

    /// The market's parameters for this number of validators and, with money, this treasury's key. The ledger's rules are
    /// checked with the genesis.
    ///
    /// # Errors
    /// [`FoundingError::Grid`], [`FoundingError::Capacities`]; a plan with money and no treasury, or the other way round.
    pub fn params(
        &self,
        validators: u16,
        treasury: Option<PointBytes>,
    ) -> Result<MarketParams, FoundingError> {
        let money = match (self.market.money, treasury) {
            (None, None) => None,
            (Some(plan), Some(treasury_key)) => Some(plan.rules(treasury_key, self.timing.interval_ms)),
            (Some(_), None) => return Err(FoundingError::Treasuries { found: 0 }),
            (None, Some(_)) => return Err(FoundingError::TreasuryWithoutMoney),
        };
        let MarketPlan { price_min_mct_per_kwh, tick_mct_per_kwh, ticks, .. } = &self.market;
        Ok(MarketParams {
            grid: Grid::new(*price_min_mct_per_kwh, *tick_mct_per_kwh, *ticks)?,
            bits: self.market.bits,
            rule: match self.market.rule {
                RulePlan::Uniform => Rule::Uniform,
                RulePlan::TradeReduction => Rule::TradeReduction,
            },
            open_volume: self.market.open_volume,
            min_bidders: self.market.min_bidders,
            max_members: self.market.max_members,
            slot_seconds: self.market.slot_seconds,
            threshold: threshold_for(validators),
            timing: self.timing.timing(),
            money,
            capacity_classes: match &self.market.capacity_classes_wh {
                Some(capacities_wh) => CapacityClasses::new(capacities_wh.clone())?,
                None => CapacityClasses::of_connections(self.market.slot_seconds),
            },
        })
    }
}

impl MoneyPlan {
    fn rules(self, treasury_key: PointBytes, interval_ms: u64) -> MoneyRules {
        let Self { community_deposit_ct, claim_s } = self;
        let by_rounds = interval_ms.saturating_mul(CLAIM_ROUNDS);
        let claim_ms = claim_s.map_or(by_rounds, |claim_s| claim_s.saturating_mul(1000));
        MoneyRules { treasury_key, community_deposit_ct, claim_ms }
    }
}

impl TimingPlan {
    fn timing(&self) -> RoundTiming {
        RoundTiming {
            first_open_unix_ms: self.first_open_unix_ms,
            interval_ms: self.interval_ms,
            bidding_ms: self.bidding_ms,
            grace_blocks: self.grace_blocks,
            opening_deadline_ms: self.opening_deadline_ms,
            suspend_after_ms: self.suspend_after_ms,
            first_slot_start_unix_s: self.first_slot_start_unix_s,
            epoch_blocks: self.epoch_blocks,
            keygen_phase_blocks: self.keygen_phase_blocks,
            max_clock_skew_ms: self.max_clock_skew_ms,
        }
    }
}
