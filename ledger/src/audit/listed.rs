//! What a report lists.

use crate::hash::{Hash, serialize_hex};
use crate::transaction::{TransactionKind, VoidReason};
use serde::Serialize;
use std::collections::BTreeSet;
use veilgrid_market::{Outcome, Purpose, SumKind};

/// Blocks that no certificate covers. They keep the rules, and whoever handed on the ledger can have written them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct UncoveredBlocks {
    /// How many.
    pub blocks: u64,
    /// Height of the first one.
    pub first_height: u64,
    /// Height of the last one.
    pub last_height: u64,
    /// Hash of the last one.
    #[serde(serialize_with = "serialize_hex")]
    pub last_block_hash: Hash,
}

/// A transaction that was recorded as refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedTransaction {
    /// Its block.
    pub height: u64,
    /// Its position in the block, from 0.
    pub index: usize,
    /// What it was.
    pub kind: TransactionKind,
    /// The rule that it broke.
    pub reason: String,
}

/// A round that was settled, with what everybody may know of its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SettledResult {
    /// The round.
    pub round_id: u64,
    /// Start of its slot, seconds since 1970 UTC.
    pub slot_start_unix_s: i64,
    /// Its bids.
    pub bids: u64,
    /// Prices, volume, the rationed side.
    pub outcome: Outcome,
}

/// A round that was voided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct VoidRound {
    /// The round.
    pub round_id: u64,
    /// Why it ended without a result.
    pub reason: VoidReason,
    /// Its bids.
    pub bids: u64,
}

/// Other validators that came in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ValidatorChange {
    /// Their first epoch.
    pub epoch: u64,
    /// How many they are.
    pub validators: u16,
}

/// Pruned blocks: their headers, digests, key events and certificates were checked, their bids are gone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PrunedCounts {
    /// Pruned blocks.
    pub blocks: u64,
    /// Bids of which the digest is left.
    pub bid_digests: u64,
    /// Rounds that can't be recomputed from what is left, as ranges of their ids, first and last. What the ledger says
    /// of them is what its validators certified.
    pub rounds_by_digest: Vec<(u64, u64)>,
    /// Checkpoints from which the replay went on, their state roots compared with certified headers.
    pub checkpoints: u64,
    /// The height from which on state roots could not be compared, because no checkpoint follows the pruned blocks.
    pub roots_unknown_from: Option<u64>,
    /// The blocks whose headers carry a state root that was compared with nothing, as ranges of heights, first and last:
    /// those after a pruned one, up to the checkpoint or to the end.
    pub roots_not_compared: Vec<(u64, u64)>,
}

impl PrunedCounts {
    /// The state root in the header of this block, which is later than all others, was not compared.
    pub(super) fn root_not_compared(&mut self, height: u64) {
        append(&mut self.roots_not_compared, (height, height));
    }
}

/// Appends a range to rising ones; joined to the last one when it goes on where that ends.
pub(super) fn append(ranges: &mut Vec<(u64, u64)>, (first, last): (u64, u64)) {
    match ranges.last_mut() {
        Some((_, end)) if end.checked_add(1) == Some(first) => *end = last,
        _ => ranges.push((first, last)),
    }
}

/// Sorted numbers as ranges.
pub(super) fn ranges(numbers: &BTreeSet<u64>) -> Vec<(u64, u64)> {
    let mut ranges = Vec::new();
    numbers.iter().for_each(|number| append(&mut ranges, (*number, *number)));
    ranges
}

/// What the registrar's orders did, and who is a member at the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct MemberCounts {
    /// Members at the last covered block, the suspended ones included.
    pub members: u64,
    /// How many of them are suspended.
    pub suspended: u64,
    /// Accounts that were enrolled after the genesis.
    pub enrolled: u64,
    /// Certificates that were updated.
    pub updated: u64,
    /// Times that an account was suspended.
    pub suspensions: u64,
    /// Accounts that have left.
    pub left: u64,
    /// Times that the registrar's or the aggregator's keys were replaced.
    pub keys_replaced: u64,
}

impl MemberCounts {
    /// Counts the accounts of an order.
    pub(super) fn count(&mut self, kind: TransactionKind, accounts: u64) {
        match kind {
            TransactionKind::Enrol => self.enrolled += accounts,
            TransactionKind::Update => self.updated += accounts,
            TransactionKind::Suspend => self.suspensions += accounts,
            TransactionKind::Leave => self.left += accounts,
            _ => {}
        }
    }

    /// Adds what later blocks did; who is a member at the end is set elsewhere.
    pub(super) fn absorb(&mut self, later: Self) {
        let Self { members: _, suspended: _, enrolled, updated, suspensions, left, keys_replaced } = later;
        self.enrolled += enrolled;
        self.updated += updated;
        self.suspensions += suspensions;
        self.left += left;
        self.keys_replaced += keys_replaced;
    }
}

/// What moved on a ledger with money, and what is there at the last covered block. Of single accounts only deposits and
/// withdrawals are public; of all of them together the total is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct MoneyCounts {
    /// Accounts at the last covered block, those of members that have left included.
    pub accounts: u64,
    /// Deposits that the treasury has signed, one for each account named.
    pub deposits: u64,
    /// All deposits, the community's first one included, in ct.
    pub deposited_ct: u64,
    /// Withdrawals, each with its proof.
    pub withdrawals: u64,
    /// All of them, in ct.
    pub withdrawn_ct: u64,
    /// Withdrawals that the treasury has confirmed to be paid.
    pub paid: u64,
    /// Withdrawals that wait to be paid.
    pub unpaid: u64,
    /// Claims, each with its proof.
    pub claims: u64,
    /// Claims that validators have made for members that did not, each from shares with their proofs.
    pub claims_by_validators: u64,
    /// Rounds with fills that nobody has claimed.
    pub unclaimed_rounds: u64,
    /// Fills that nobody has claimed.
    pub unclaimed_fills: u64,
    /// What is on the community's public account, in units (Wh/2^16 times mct/kWh).
    pub community_units: i64,
    /// What is on all members' accounts and in fills that are not claimed together, in units: deposits less withdrawals less the
    /// community's account.
    pub members_units: i64,
}

impl MoneyCounts {
    /// Adds what later blocks did; what is there at the end is set elsewhere.
    pub(super) fn absorb(&mut self, later: Self) {
        let Self { deposits, withdrawals, paid, claims, claims_by_validators, .. } = later;
        self.deposits += deposits;
        self.withdrawals += withdrawals;
        self.paid += paid;
        self.claims += claims;
        self.claims_by_validators += claims_by_validators;
    }
}

/// How a key session ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeySessionOutcome {
    /// Its number.
    pub session: u64,
    /// generate, refresh or reshare.
    pub task: String,
    /// Whether it ended in keys.
    pub agreed: bool,
    /// Why not.
    pub reason: Option<String>,
    /// Dealers that were false or silent.
    pub excluded: Vec<u16>,
    /// Receivers without shares.
    pub lacking: Vec<u16>,
}

/// What was checked of the key generation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct KeyGenerationCounts {
    /// Dealers' packages, each with its signature.
    pub packages: u64,
    /// Proofs of knowledge, one a dealer and key.
    pub proofs: u64,
    /// Keys, one a step of the grid.
    pub keys: u64,
}

/// A value that the validators opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OpenedValue {
    /// The round.
    pub round_id: u64,
    /// Number of the opening in the round, from 0.
    pub opening_index: u32,
    /// The curve: W, Z, S or D.
    pub kind: SumKind,
    /// The tick on it.
    pub tick: i32,
    /// Why it was opened.
    pub purpose: Purpose,
    /// The sum over all bids, in Wh.
    pub value_wh: i64,
}

/// A round that is neither settled nor void.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnfinishedRound {
    /// The round.
    pub round_id: u64,
    /// What it waits for.
    pub waits_for: String,
}
