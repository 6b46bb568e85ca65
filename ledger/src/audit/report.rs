//! What an audit has checked, and how many of each.

use super::certificates::CertificateCounts;
use super::receipts::ReceiptFinding;
use crate::community::Community;
use crate::hash::{Hash, serialize_hex};
use crate::state::State;
use crate::state::effects::{Effect, PassedRounds};
use crate::transaction::{TransactionKind, VoidReason};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use veilgrid_crypto::keygen::Task;
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
    /// Key sessions of a network that have ended.
    pub key_sessions: Vec<KeySessionOutcome>,
    /// Times that other validators came in force.
    pub validator_changes: Vec<ValidatorChange>,
    /// Certificates of a network's blocks.
    pub certificates: CertificateCounts,
    /// What is known of pruned blocks.
    pub pruned: PrunedCounts,
    /// Transactions that broke a rule, had no effect and were recorded.
    pub refused: u64,
    /// The same by kind.
    pub refused_by_kind: BTreeMap<TransactionKind, u64>,
    /// The first of them, [`MAX_LISTED`] at most.
    pub refused_listed: Vec<RefusedTransaction>,
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
    /// Rounds that were void, those that no block opened included.
    pub rounds_void: u64,
    /// The same with the reason, those that bids could come for.
    pub void_rounds: Vec<VoidRound>,
    /// The others: no block opened them in their time.
    pub passed_rounds: Vec<PassedRounds>,
    /// Rounds whose opening stood still for longer than the market's bound; they went on later or were voided.
    pub suspended_rounds: BTreeSet<u64>,
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
    /// State root after the last block; zero when `pruned.roots_unknown_from` is set.
    #[serde(serialize_with = "serialize_hex")]
    pub state_root: Hash,
}

/// Most refused transactions that a report lists; all are counted.
pub const MAX_LISTED: usize = 100;

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
}

/// Sorted numbers as ranges.
pub(super) fn ranges(numbers: &BTreeSet<u64>) -> Vec<(u64, u64)> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers.iter().copied() {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    ranges
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

impl AuditReport {
    pub(super) fn begin(&mut self, community: &Community, genesis_hash: Hash, trusted: bool) {
        self.ledger_id = community.ledger_id();
        self.genesis_hash = genesis_hash;
        self.genesis_trusted = trusted;
        self.blocks = 1;
        let packages = community.genesis().packages.len() as u64;
        let keys = community.keys().map_or(0, |keys| keys.keys().len()) as u64;
        self.key_generation = KeyGenerationCounts { packages, proofs: packages * keys, keys };
    }

    pub(super) fn refuse(&mut self, refused: RefusedTransaction) {
        self.refused += 1;
        *self.refused_by_kind.entry(refused.kind).or_insert(0) += 1;
        if self.refused_listed.len() < MAX_LISTED {
            self.refused_listed.push(refused);
        }
    }

    fn end_session(&mut self, effect: &Effect) {
        let name = |task: &Task| format!("{task:?}").to_lowercase();
        match effect {
            Effect::KeysAgreed { session, task, excluded, lacking, .. } => {
                self.key_sessions.push(KeySessionOutcome {
                    session: *session,
                    task: name(task),
                    agreed: true,
                    reason: None,
                    excluded: excluded.clone(),
                    lacking: lacking.clone(),
                });
            }
            Effect::KeysAborted { session, task, reason } => {
                self.key_sessions.push(KeySessionOutcome {
                    session: *session,
                    task: name(task),
                    agreed: false,
                    reason: Some(reason.clone()),
                    excluded: Vec::new(),
                    lacking: Vec::new(),
                });
            }
            _ => {}
        }
    }

    pub(super) fn count(&mut self, effect: &Effect) {
        match effect {
            // Refused transactions are counted with their place ([`AuditReport::refuse`]).
            Effect::RoundOpened { .. }
            | Effect::RoundClosed { .. }
            | Effect::Refused(_)
            | Effect::SessionStarted { .. }
            | Effect::KeyEventAccepted { .. }
            | Effect::KeysInForce { .. }
            | Effect::ValidatorsProposed { .. } => {}
            Effect::KeysAgreed { .. } | Effect::KeysAborted { .. } => self.end_session(effect),
            Effect::ValidatorsChanged { epoch, validators } => {
                self.validator_changes.push(ValidatorChange { epoch: *epoch, validators: *validators });
            }
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
            Effect::PassedOver(passed) => {
                self.rounds_void = self.rounds_void.saturating_add(passed.count());
                self.passed_rounds.push(*passed);
            }
            Effect::Voided { round_id, reason, bids } => {
                self.rounds_void += 1;
                self.void_rounds.push(VoidRound { round_id: *round_id, reason: *reason, bids: *bids });
            }
        }
    }

    /// Notes the rounds whose openings stand still.
    pub(super) fn suspensions(&mut self, state: &State) {
        let suspended = state.rounds().map(|round| round.round_id()).filter(|id| state.is_suspended(*id));
        self.suspended_rounds.extend(suspended);
    }

    /// Ends the report with the last state; its root is none of the ledger's when `roots_unknown_from` is set.
    pub(super) fn end(&mut self, state: &State) {
        let threshold = state.community().threshold();
        self.rounds_unfinished = state
            .rounds()
            .map(|round| UnfinishedRound {
                round_id: round.round_id(),
                waits_for: round.waits(threshold).to_string(),
            })
            .collect();
        // Keys of a network are generated over its ledger: a session's packages were all checked in its replay.
        let keys = state.community().keys().map_or(0, |keys| keys.keys().len()) as u64;
        self.key_generation.keys = keys;
        self.height = state.height();
        self.block_hash = state.block_hash();
        self.state_root = if self.pruned.roots_unknown_from.is_none() { state.root() } else { [0; 32] };
    }
}
