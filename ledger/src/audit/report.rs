//! What an audit has checked, and how many of each.

use super::receipts::ReceiptFinding;
use crate::community::Community;
use crate::hash::{Hash, serialize_hex};
use crate::state::State;
use crate::state::effects::Effect;
use crate::transaction::TransactionKind;
use serde::Serialize;
use std::collections::BTreeMap;
use veilgrid_market::{Purpose, SumKind};

/// The report of an audit that found no violation. All hashes serialise as hex.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AuditReport {
    /// The ledger's identity.
    #[serde(serialize_with = "serialize_hex")]
    pub ledger_id: Hash,
    /// Hash of block 0.
    #[serde(serialize_with = "serialize_hex")]
    pub genesis_hash: Hash,
    /// True when the auditor brought that hash; otherwise the report is about whichever community wrote the file.
    pub genesis_trusted: bool,
    /// Blocks replayed: hashes, body hashes, state roots.
    pub blocks: u64,
    /// Transactions executed, by kind.
    pub transactions: BTreeMap<TransactionKind, u64>,
    /// Key generation.
    pub key_generation: KeyGenerationCounts,
    /// Bids whose proof and signature were verified, one of each a bid.
    pub bids: u64,
    /// Opening shares whose proof was verified.
    pub shares: u64,
    /// Settlement points recomputed.
    pub settlement_points: u64,
    /// Rounds whose energy and money were found to add up.
    pub conservation_checks: u64,
    /// Cleared rounds whose opened sums do not determine what was bought and sold; none is known.
    pub conservation_undetermined: u64,
    /// Rounds whose outcome is on the ledger.
    pub rounds_cleared: u64,
    /// Rounds that were settled.
    pub rounds_settled: u64,
    /// Rounds that were voided.
    pub rounds_void: u64,
    /// Rounds that the ledger leaves unfinished, with what they wait for.
    pub rounds_unfinished: Vec<UnfinishedRound>,
    /// Every value that was opened. Nothing else of any bid is published.
    pub opened_values: Vec<OpenedValue>,
    /// The receipts that were looked up.
    pub receipts: Vec<ReceiptFinding>,
    /// Height of the last block.
    pub height: u64,
    /// Hash of the last block.
    #[serde(serialize_with = "serialize_hex")]
    pub block_hash: Hash,
    /// State root after the last block.
    #[serde(serialize_with = "serialize_hex")]
    pub state_root: Hash,
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

impl AuditReport {
    pub(super) fn begin(&mut self, community: &Community, genesis_hash: Hash, trusted: bool) {
        self.ledger_id = community.ledger_id();
        self.genesis_hash = genesis_hash;
        self.genesis_trusted = trusted;
        self.blocks = 1;
        let packages = community.genesis().packages.len() as u64;
        let keys = community.keys().keys().len() as u64;
        self.key_generation = KeyGenerationCounts { packages, proofs: packages * keys, keys };
    }

    pub(super) fn count(&mut self, effect: &Effect) {
        match effect {
            Effect::RoundOpened { .. } | Effect::RoundClosed { .. } => {}
            Effect::BidsAccepted { bids, .. } => self.bids += bids.len() as u64,
            Effect::ShareAccepted { .. } => self.shares += 1,
            Effect::ValueOpened { round_id, opening_index, request, value_wh } => {
                self.opened_values.push(OpenedValue {
                    round_id: *round_id,
                    opening_index: *opening_index,
                    kind: request.kind,
                    tick: request.tick,
                    purpose: request.purpose,
                    value_wh: *value_wh,
                });
            }
            Effect::Cleared { .. } => self.rounds_cleared += 1,
            Effect::Settled(round) => {
                self.rounds_settled += 1;
                self.settlement_points += round.bids.len() as u64;
            }
            Effect::Voided { .. } => self.rounds_void += 1,
        }
    }

    pub(super) fn end(&mut self, state: &State) {
        let threshold = state.community().threshold();
        self.rounds_unfinished = state
            .rounds()
            .map(|round| UnfinishedRound {
                round_id: round.round_id(),
                waits_for: round.waits(threshold).to_string(),
            })
            .collect();
        self.height = state.height();
        self.block_hash = state.block_hash();
        self.state_root = state.root();
    }
}
