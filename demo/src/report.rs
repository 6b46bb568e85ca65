//! What a day comes to.

use crate::money::MoneyReport;
use crate::orderer::LedgerTip;
use std::path::PathBuf;
use std::time::Duration;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::audit::{AuditReport, ReceiptFinding};
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::state::round::OpenedSum;
use veilgrid_ledger::transaction::VoidReason;
use veilgrid_market::Outcome;
use veilgrid_scenario::behaviour::{EnergyAccount, MovedLimit, RoleSummary};
use veilgrid_scenario::community::Role;

/// The report of a day.
#[derive(Debug, Clone)]
pub struct DayReport {
    /// The ledger's identity.
    pub ledger_id: Hash,
    /// Hash of block 0: what an auditor has to trust.
    pub genesis_hash: Hash,
    /// The ledger's end, which every validator and the auditor agree on, and the false shares that were named.
    pub tip: LedgerTip,
    /// One row a round, in order; the last one may be unfinished when the day was cancelled.
    pub rounds: Vec<RoundRow>,
    /// What each role gained against the tariffs.
    pub gains: Vec<RoleSummary>,
    /// The day's money; none without money, and when the day was cancelled.
    pub money: Option<MoneyReport>,
    /// Where each role's energy came from and went to, the market's slots only.
    pub energy: Vec<RoleEnergy>,
    /// All receipts, in the order in which they came.
    pub receipts: Vec<Receipt>,
    /// What the auditor says about them.
    pub receipt_findings: Vec<ReceiptFinding>,
    /// The auditor's report.
    pub audit: AuditReport,
    /// True when the day was ended early.
    pub cancelled: bool,
    /// Wall-clock time of the key generation.
    pub key_generation: Duration,
    /// The validators' stores, validator i (from 1) at i − 1. They are closed. Those of [`LedgerTip::left_behind`] are not
    /// whole.
    pub store_dirs: Vec<PathBuf>,
}

impl DayReport {
    /// A store that has the whole ledger.
    pub fn whole_store(&self) -> Option<&PathBuf> {
        let whole = |validator: u16| !self.tip.left_behind.iter().any(|(left, _)| *left == validator);
        (1u16..).zip(&self.store_dirs).find(|(validator, _)| whole(*validator)).map(|(_, dir)| dir)
    }

    /// Number of blocks, the genesis included.
    pub fn blocks(&self) -> u64 {
        self.tip.height.saturating_add(1)
    }
}

/// A round.
#[derive(Debug, Clone)]
pub struct RoundRow {
    /// The round.
    pub round_id: u64,
    /// Its slot, an index into the day.
    pub slot: usize,
    /// Start of the slot, seconds since 1970 UTC.
    pub slot_start_unix_s: i64,
    /// Bids whose receipts came; all of them are on the ledger.
    pub bids: u64,
    /// How it ended.
    pub result: RoundResult,
    /// The sums that were opened, in order: all that is published of the bids beside the outcome.
    pub opened: Vec<OpenedSum>,
    /// What the simulation knows of the round, which the ledger does not publish.
    pub market: MarketRow,
    /// Wall-clock times.
    pub timings: RoundTimings,
}

/// How a round ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoundResult {
    /// With an outcome: prices, volume, rationed side, fraction and rest.
    Settled(Outcome),
    /// Without one.
    Void(VoidReason),
    /// Not at all: the day was cancelled.
    Unfinished,
}

/// The simulation's own knowledge of a round: sums over all members whose bids are on the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MarketRow {
    /// What members asked for, Wh.
    pub wanted_wh: u64,
    /// What members offered, Wh.
    pub offered_wh: u64,
    /// The book: the quantity at each step of the grid, Wh.
    pub step_totals_wh: Vec<u64>,
    /// Bought, Wh/2^16.
    pub bought_wh_q16: u128,
    /// Sold, Wh/2^16.
    pub sold_wh_q16: u128,
    /// Demand beyond what a step holds, served by the grid, Wh.
    pub outside_buy_wh: u64,
    /// Surplus beyond what a step holds, fed into the grid, Wh.
    pub outside_sell_wh: u64,
    /// Offers before each member's are added up by price.
    pub offers: usize,
    /// Those of them whose limits were moved to the price grid.
    pub moved: Vec<MovedLimit>,
}

/// Wall-clock times of a round. Stages overlap: bids are verified while others are still sealed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoundTimings {
    /// From the round's opening until the last bid was sealed.
    pub proving: Duration,
    /// The aggregator's verification of all batches.
    pub verification: Duration,
    /// From the round's opening until the last receipt.
    pub bidding: Duration,
    /// From the close until the settlement.
    pub opening: Duration,
}

/// The energy of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleEnergy {
    /// The role.
    pub role: Role,
    /// Sums over its members.
    pub account: EnergyAccount,
}
