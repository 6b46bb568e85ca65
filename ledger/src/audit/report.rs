//! What an audit has checked, and how many of each.

use super::certificates::CertificateCounts;
use super::pin::Pin;
use super::receipts::ReceiptFinding;
use crate::community::Community;
use crate::hash::{Hash, serialize_hex};
use crate::money::accounts::Accounts;
use crate::money::treasury::TreasuryAction;
use crate::state::State;
use crate::state::effects::{Effect, PassedRounds};
use crate::transaction::TransactionKind;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use veilgrid_crypto::keygen::Task;

pub use super::listed::{
    KeyGenerationCounts, KeySessionOutcome, MemberCounts, MoneyCounts, OpenedValue, PrunedCounts,
    RefusedTransaction, SettledResult, UncoveredBlocks, UnfinishedRound, ValidatorChange, VoidRound,
};

/// The report of an audit that found no violation. All hashes serialise as hex.
///
/// Everything in it is of blocks that certificates cover; of those after them only `uncovered` and
/// `certificates.uncertified_tail` tell.
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
    /// The block that the auditor has pinned, when there is one: it is this ledger's and covered.
    pub pinned: Option<Pin>,
    /// Blocks replayed: hashes, body hashes, state roots.
    pub blocks: u64,
    /// Transactions executed, by kind.
    pub transactions: BTreeMap<TransactionKind, u64>,
    /// The generation of the keys in force.
    pub key_generation: KeyGenerationCounts,
    /// Key sessions that have ended.
    pub key_sessions: Vec<KeySessionOutcome>,
    /// Times that other validators came in force.
    pub validator_changes: Vec<ValidatorChange>,
    /// Members that have joined and left, by the registrar's orders.
    pub members: MemberCounts,
    /// What moved on accounts; none on a ledger without money.
    pub money: Option<MoneyCounts>,
    /// Certificates of blocks.
    pub certificates: CertificateCounts,
    /// Blocks after the last one that a certificate covers. Nothing else in this report is of them.
    pub uncovered: Option<UncoveredBlocks>,
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
    /// The same with their results, in the ledger's order.
    pub settled_rounds: Vec<SettledResult>,
    /// Rounds that were void, those that no block opened included.
    pub rounds_void: u64,
    /// The same with the reason, those that bids could come for.
    pub void_rounds: Vec<VoidRound>,
    /// The others: no block opened them in their time.
    pub passed_rounds: Vec<PassedRounds>,
    /// Rounds whose opening stood still for longer than the market's bound; they went on later or were voided.
    pub suspended_rounds: BTreeSet<u64>,
    /// Rounds that the last covered block leaves unfinished, with what they wait for.
    pub rounds_unfinished: Vec<UnfinishedRound>,
    /// Every value that was opened. Nothing else of any bid is published.
    pub opened_values: Vec<OpenedValue>,
    /// The receipts that were looked up.
    pub receipts: Vec<ReceiptFinding>,
    /// Height of the last covered block.
    pub height: u64,
    /// Its hash.
    #[serde(serialize_with = "serialize_hex")]
    pub block_hash: Hash,
    /// State root after it; zero when `pruned.roots_unknown_from` is set.
    #[serde(serialize_with = "serialize_hex")]
    pub state_root: Hash,
}

/// Most refused transactions that a report lists; all are counted.
pub const MAX_LISTED: usize = 100;

impl AuditReport {
    pub(super) fn begin(&mut self, community: &Community, genesis_hash: Hash, trusted: bool) {
        self.ledger_id = community.ledger_id();
        self.genesis_hash = genesis_hash;
        self.genesis_trusted = trusted;
        self.blocks = 1;
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
            Effect::KeysAgreed { session, task, dealers, excluded, lacking, .. } => {
                if *task == Task::Generate {
                    self.key_generation.packages = u64::from(*dealers).saturating_sub(excluded.len() as u64);
                }
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
            Effect::KeysAgreed { .. } | Effect::KeysAborted { .. } => self.end_session(effect),
            Effect::ValidatorsChanged { epoch, validators } => {
                self.validator_changes.push(ValidatorChange { epoch: *epoch, validators: *validators });
            }
            Effect::MembersChanged { kind, accounts, .. } => self.members.count(*kind, accounts.len() as u64),
            Effect::KeysReplaced { .. } => self.members.keys_replaced += 1,
            Effect::TreasuryActed { action: TreasuryAction::Deposit(deposits), .. } => {
                self.money.get_or_insert_default().deposits += deposits.len() as u64;
            }
            Effect::TreasuryActed { action: TreasuryAction::Paid(payments), .. } => {
                self.money.get_or_insert_default().paid += payments.len() as u64;
            }
            // With its last share.
            Effect::ClaimedByValidators { .. } => {
                self.shares += 1;
                self.money.get_or_insert_default().claims_by_validators += 1;
            }
            Effect::Withdrawn { .. } => self.money.get_or_insert_default().withdrawals += 1,
            Effect::Claimed { accounts, .. } => {
                self.money.get_or_insert_default().claims += accounts.len() as u64;
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
                self.settled_rounds.push(SettledResult {
                    round_id: round.round_id,
                    slot_start_unix_s: round.slot.start_unix_s,
                    bids: round.bids.len() as u64,
                    outcome: round.outcome,
                });
            }
            Effect::PassedOver(passed) => {
                self.rounds_void = self.rounds_void.saturating_add(passed.count());
                self.passed_rounds.push(*passed);
            }
            Effect::Voided { round_id, reason, bids } => {
                self.rounds_void += 1;
                self.void_rounds.push(VoidRound { round_id: *round_id, reason: *reason, bids: *bids });
            }
            // Steps of what is counted when it ends. Refused transactions are counted with their place
            // ([`AuditReport::refuse`]).
            _ => {}
        }
    }

    /// Notes the rounds whose openings stand still.
    pub(super) fn suspensions(&mut self, state: &State) {
        let suspended = state.rounds().map(|round| round.round_id()).filter(|id| state.is_suspended(*id));
        self.suspended_rounds.extend(suspended);
    }

    /// What the last covered block leaves behind. Its state root comes with the next block, or at the end.
    pub(super) fn stands_at(&mut self, state: &State) {
        let threshold = state.community().threshold();
        self.rounds_unfinished = state
            .rounds()
            .map(|round| UnfinishedRound {
                round_id: round.round_id(),
                waits_for: round.waits(threshold).to_string(),
            })
            .collect();
        let generated = &mut self.key_generation;
        generated.keys = state.community().keys().map_or(0, |keys| keys.keys().len()) as u64;
        generated.proofs = generated.packages * generated.keys;
        let members = state.members();
        (self.members.members, self.members.suspended) = (members.len() as u64, members.suspended() as u64);
        if let Some(accounts) = state.accounts() {
            stands_at(self.money.get_or_insert_default(), accounts);
        }
        self.height = state.height();
        self.block_hash = state.block_hash();
    }
}

/// What is on a ledger's accounts. The rules keep all of it below 2^62 units.
fn stands_at(counts: &mut MoneyCounts, accounts: &Accounts) {
    let number = |ct: u128| u64::try_from(ct).unwrap_or(u64::MAX);
    let units = |units: i128| i64::try_from(units).unwrap_or(i64::MAX);
    counts.accounts = accounts.iter().len() as u64;
    counts.deposited_ct = number(accounts.deposited_ct());
    counts.withdrawn_ct = number(accounts.withdrawn_ct());
    counts.unpaid = accounts.unpaid().len() as u64;
    counts.unclaimed_rounds = accounts.unclaimed().len() as u64;
    counts.unclaimed_fills = accounts.unclaimed().map(|round| round.open().len() as u64).sum();
    counts.community_units = units(accounts.community_units());
    counts.members_units = units(accounts.members_units());
}
