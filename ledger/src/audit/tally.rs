//! What the blocks of a ledger did. Only that counts which a certificate covers: whoever hands the ledger on can
//! have written the blocks after the last one. What they did is kept apart, and joins the report when a certificate
//! comes that covers them.

use super::listed::{append, ranges};
use super::report::{AuditReport, MAX_LISTED, PrunedCounts, UncoveredBlocks};
use crate::hash::Hash;
use crate::state::State;
use std::collections::BTreeSet;

/// Collects what an audit reports.
#[derive(Default)]
pub(super) struct Tally {
    covered: AuditReport,
    /// Of the blocks since.
    waiting: AuditReport,
    /// Rounds that were not recomputed.
    lost: BTreeSet<u64>,
    /// The same of the blocks since the last covered one.
    waiting_lost: Vec<u64>,
    /// The state root after the last covered block, as soon as it is known.
    root: Option<Hash>,
    /// Height and hash of the last block.
    last: (u64, Hash),
}

impl Tally {
    /// The genesis block, which the auditor trusts by its hash and no certificate covers.
    pub(super) fn begin(&mut self, state: &State, genesis_hash: Hash, trusted: bool) {
        self.covered.begin(state.community(), genesis_hash, trusted);
        self.cover(state);
    }

    /// Where the block in hand is counted.
    pub(super) fn block(&mut self) -> &mut AuditReport {
        &mut self.waiting
    }

    /// Rounds that the block in hand shows not to be recomputable.
    pub(super) fn lose(&mut self, rounds: impl IntoIterator<Item = u64>) {
        self.waiting_lost.extend(rounds);
    }

    /// The block in hand is over: this is the state after it.
    pub(super) fn end_block(&mut self, state: &State) {
        self.last = (state.height(), state.block_hash());
    }

    /// Everything up to this state, which is that after the last block, is final.
    pub(super) fn cover(&mut self, state: &State) {
        self.end_block(state);
        self.covered.absorb(core::mem::take(&mut self.waiting));
        self.lost.extend(self.waiting_lost.drain(..));
        self.covered.stands_at(state);
        self.root = None;
    }

    /// The state root after the block of this height. Headers carry it, so that it need not be computed once more.
    pub(super) fn know_root(&mut self, height: u64, root: Hash) {
        if self.covered.height == height {
            self.root = Some(root);
        }
    }

    /// Blocks, bids and ended rounds so far, covered or not.
    pub(super) fn so_far(&self) -> (u64, u64, u64) {
        let sum = |of: fn(&AuditReport) -> u64| of(&self.covered).saturating_add(of(&self.waiting));
        (sum(|r| r.blocks), sum(|r| r.bids), sum(|r| r.rounds_cleared.saturating_add(r.rounds_void)))
    }

    /// Height of the last block.
    pub(super) fn last_height(&self) -> u64 {
        self.last.0
    }

    /// Height of the last covered block.
    pub(super) fn covered_height(&self) -> u64 {
        self.covered.height
    }

    /// The report. `last_root` is the state root after the last block, when there is one.
    pub(super) fn finish(mut self, last_root: Option<Hash>) -> AuditReport {
        let (last_height, last_block_hash) = self.last;
        let blocks = last_height.saturating_sub(self.covered.height);
        let root = if blocks == 0 { last_root } else { self.root };
        self.covered.state_root = root.unwrap_or_default();
        self.covered.pruned.rounds_by_digest = ranges(&self.lost);
        self.covered.uncovered = (blocks > 0).then(|| UncoveredBlocks {
            blocks,
            first_height: self.covered.height.saturating_add(1),
            last_height,
            last_block_hash,
        });
        self.covered
    }
}

impl AuditReport {
    /// Adds what later blocks did. Every field is named, so that none can be forgotten; those that say where the ledger
    /// begins or ends are set elsewhere.
    fn absorb(&mut self, later: Self) {
        let Self {
            ledger_id: _,
            genesis_hash: _,
            genesis_trusted: _,
            pinned: _,
            blocks,
            transactions,
            key_generation,
            key_sessions,
            validator_changes,
            members,
            money,
            certificates: _,
            uncovered: _,
            pruned,
            refused,
            refused_by_kind,
            refused_listed,
            bids,
            shares,
            settlement_points,
            conservation_checks,
            conservation_undetermined,
            rounds_cleared,
            rounds_settled,
            settled_rounds,
            rounds_void,
            void_rounds,
            passed_rounds,
            suspended_rounds,
            rounds_unfinished: _,
            opened_values,
            receipts: _,
            height: _,
            block_hash: _,
            state_root: _,
        } = later;
        self.blocks += blocks;
        for (kind, count) in transactions {
            *self.transactions.entry(kind).or_insert(0) += count;
        }
        self.key_generation.packages += key_generation.packages;
        self.key_sessions.extend(key_sessions);
        self.validator_changes.extend(validator_changes);
        self.members.absorb(members);
        if let Some(money) = money {
            self.money.get_or_insert_default().absorb(money);
        }
        self.pruned.absorb(pruned);
        self.refused += refused;
        for (kind, count) in refused_by_kind {
            *self.refused_by_kind.entry(kind).or_insert(0) += count;
        }
        let room = MAX_LISTED.saturating_sub(self.refused_listed.len());
        self.refused_listed.extend(refused_listed.into_iter().take(room));
        self.bids += bids;
        self.shares += shares;
        self.settlement_points += settlement_points;
        self.conservation_checks += conservation_checks;
        self.conservation_undetermined += conservation_undetermined;
        self.rounds_cleared += rounds_cleared;
        self.rounds_settled += rounds_settled;
        self.settled_rounds.extend(settled_rounds);
        self.rounds_void = self.rounds_void.saturating_add(rounds_void);
        self.void_rounds.extend(void_rounds);
        self.passed_rounds.extend(passed_rounds);
        self.suspended_rounds.extend(suspended_rounds);
        self.opened_values.extend(opened_values);
    }
}

impl PrunedCounts {
    fn absorb(&mut self, later: Self) {
        // Rounds are collected as a set and named at the end.
        let Self {
            blocks,
            bid_digests,
            rounds_by_digest: _,
            checkpoints,
            roots_unknown_from,
            roots_not_compared,
        } = later;
        self.blocks += blocks;
        self.bid_digests += bid_digests;
        self.checkpoints += checkpoints;
        self.roots_unknown_from = self.roots_unknown_from.or(roots_unknown_from);
        roots_not_compared.into_iter().for_each(|range| append(&mut self.roots_not_compared, range));
    }
}
