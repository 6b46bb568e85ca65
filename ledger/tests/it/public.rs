//! What becomes public: every field of every transaction, and what it tells. A new field or kind fails the test until it stands
//! here, and whoever adds it has said what it tells, and to whom.

use crate::conformance::{members, money};
use crate::story::STORY;
use std::collections::BTreeSet;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::transaction::{Transaction, TransactionKind};

/// What is public, and the fields that tell it, by the type that they stand in.
const PUBLIC: &[(&str, &[&str])] = &[
    (
        "the market, for everybody to see before it joins",
        &[
            "MarketParams.bits",
            "MarketParams.capacity_classes",
            "MarketParams.grid",
            "MarketParams.max_members",
            "MarketParams.min_bidders",
            "MarketParams.money",
            "MarketParams.open_volume",
            "MarketParams.rule",
            "MarketParams.slot_seconds",
            "MarketParams.threshold",
            "MarketParams.timing",
            "Grid.price_min_mct_per_kwh",
            "Grid.tick_mct_per_kwh",
            "Grid.ticks",
            "CapacityClasses.capacities_wh",
            "MoneyRules.claim_ms",
            "MoneyRules.community_deposit_ct",
            "MoneyRules.treasury_key",
            "RoundTiming.bidding_ms",
            "RoundTiming.epoch_blocks",
            "RoundTiming.first_open_unix_ms",
            "RoundTiming.first_slot_start_unix_s",
            "RoundTiming.grace_blocks",
            "RoundTiming.interval_ms",
            "RoundTiming.keygen_phase_blocks",
            "RoundTiming.max_clock_skew_ms",
            "RoundTiming.opening_deadline_ms",
            "RoundTiming.suspend_after_ms",
        ],
    ),
    (
        "the ledger's beginning and the keys of its offices",
        &[
            "Genesis.aggregator_envelope_key",
            "Genesis.aggregator_receipt_key",
            "Genesis.first_session",
            "Genesis.format_version",
            "Genesis.key_epoch",
            "Genesis.members",
            "Genesis.nonce",
            "Genesis.params",
            "Genesis.registrar_key",
            "Genesis.roster",
            "AggregatorKeys.envelope",
            "AggregatorKeys.receipt",
            "KeyReplacement.endorsements",
            "KeyReplacement.keys",
        ],
    ),
    (
        "validators, their key sessions, whom they endorse",
        &[
            "Roster.validators",
            "RosterChange.endorsements",
            "RosterChange.roster",
            "ValidatorEntry.consensus_key",
            "ValidatorEntry.envelope_key",
            "ValidatorEntry.signing_key",
            "Endorsement.signature",
            "Endorsement.validator",
            "KeyEvent.event",
            "KeyEvent.session",
        ],
    ),
    (
        "accounts and their certificates: a pseudonym with a keyed digest of its connection point, what it may do, how large its connection is, and since when; its credit line as a commitment alone",
        &[
            "Certificate.account",
            "Certificate.credit_line",
            "Certificate.export_class",
            "Certificate.export_source",
            "Certificate.from_unix_s",
            "Certificate.import_class",
            "Certificate.import_source",
            "Certificate.key_epoch",
            "Certificate.participation_per_mille",
            "Certificate.point",
            "Certificate.rights",
            "Certificate.role",
            "Certificate.to_unix_s",
            "Certificate.zone",
            "Rights.buy",
            "Rights.sell",
            "RegistrarOrder.action",
            "RegistrarOrder.sequence",
            "RegistrarOrder.signature",
        ],
    ),
    (
        "which slot is traded when",
        &[
            "OpenRound.round_id",
            "OpenRound.slot_seconds",
            "OpenRound.slot_start_unix_s",
            "CloseRound.round_id",
            "Void.reason",
            "Void.round_id",
        ],
    ),
    (
        "who has bid and when; points, proofs and ciphertexts that say nothing of what",
        &[
            "Bids.bids",
            "Bids.round_id",
            "SealedBid.account",
            "SealedBid.c",
            "SealedBid.money",
            "SealedBid.note",
            "SealedBid.proof",
            "SealedBid.r",
            "SealedBid.round_id",
            "SealedBid.salt",
            "SealedBid.signature",
        ],
    ),
    (
        "how many debits an account has made; the cost of its bid as a commitment",
        &["BidMoney.cost", "BidMoney.debit_sequence"],
    ),
    (
        "the sums of the clearing path over all bids, and who helped to open them",
        &[
            "OpeningShare.challenge",
            "OpeningShare.opening_index",
            "OpeningShare.point",
            "OpeningShare.response",
            "OpeningShare.round_id",
            "OpeningShare.share",
            "OpeningShare.validator",
            "OpenedValue.opening_index",
            "OpenedValue.round_id",
            "OpenedValue.value_wh",
        ],
    ),
    (
        "prices, rationing, the settled fraction and its rounding; the volume where the market says so",
        &[
            "Clear.outcome",
            "Clear.round_id",
            "Outcome.rule",
            "Outcome.trade",
            "Outcome.volume_wh",
            "Trade.buy_price_mct_per_kwh",
            "Trade.fraction_q16",
            "Trade.highest_sell_tick",
            "Trade.lowest_buy_tick",
            "Trade.price_high_mct_per_kwh",
            "Trade.price_low_mct_per_kwh",
            "Trade.rationed",
            "Trade.rest_q16",
            "Trade.sell_price_mct_per_kwh",
        ],
    ),
    ("everybody's fill, as a ciphertext to its owner", &["Settle.points", "Settle.round_id"]),
    (
        "deposits and payments: which account, how much, and what the treasury knows the payment by",
        &[
            "TreasuryOrder.action",
            "TreasuryOrder.sequence",
            "TreasuryOrder.signature",
            "Deposit.amount_ct",
            "Deposit.number",
            "Deposit.reference",
            "Payment.debit_sequence",
            "Payment.number",
        ],
    ),
    (
        "withdrawals: which account, how much, and what the treasury knows the payee by; that enough is left, and not how much",
        &[
            "Withdrawal.proof",
            "Withdrawal.signature",
            "Withdrawal.terms",
            "WithdrawalTerms.amount_ct",
            "WithdrawalTerms.debit_sequence",
            "WithdrawalTerms.number",
            "WithdrawalTerms.reference",
        ],
    ),
    (
        "who has claimed the fill of which round, and when; its worth as a point",
        &["Claims.claims", "Claims.round_id", "Claim.announcements", "Claim.points", "Claim.response"],
    ),
];

/// Type and name of all fields in a value's pretty debug form. Types with fields derive it, so that none is left out.
fn fields(text: &str, found: &mut BTreeSet<String>) {
    // Of each open bracket: its indentation, and the type when it has named fields.
    let mut open: Vec<(usize, Option<String>)> = Vec::new();
    for line in text.lines() {
        let (indent, line) = (line.len() - line.trim_start().len(), line.trim());
        while open.last().is_some_and(|(at, _)| *at >= indent) {
            open.pop();
        }
        let (name, value) = match line.split_once(": ") {
            Some((name, value))
                if name.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit()) =>
            {
                (Some(name), value)
            }
            _ => (None, line),
        };
        if let Some(name) = name {
            let owner = open.last().and_then(|(_, owner)| owner.clone());
            found.insert(format!("{}.{name}", owner.expect("a field of a type")));
        }
        let owner = value.strip_suffix(" {").map(str::to_owned);
        if owner.is_some() || value.ends_with(['(', '[', '{']) {
            open.push((indent, owner));
        }
    }
}

#[test]
fn every_field_of_every_transaction_is_listed_as_public() {
    let (members, money) = (members::story(), money::story());
    let ledgers: [&[Block]; 3] = [&STORY.blocks, &members.blocks, &money.world.blocks];
    let transactions: Vec<&Transaction> =
        ledgers.iter().flat_map(|blocks| blocks.iter()).flat_map(|block| &block.transactions).collect();
    let kinds: BTreeSet<TransactionKind> =
        transactions.iter().map(|transaction| transaction.kind()).collect();
    assert_eq!(
        kinds.len(),
        TransactionKind::Claims as usize + 1,
        "a kind is in none of these ledgers: {kinds:?}"
    );
    let mut found = BTreeSet::new();
    transactions.iter().for_each(|transaction| fields(&format!("{transaction:#?}"), &mut found));
    let listed: BTreeSet<String> =
        PUBLIC.iter().flat_map(|(_, fields)| fields.iter()).map(|field| (*field).to_owned()).collect();
    let new: Vec<&String> = found.difference(&listed).collect();
    assert!(new.is_empty(), "these fields are on the ledger and not listed as public: {new:#?}");
    let gone: Vec<&String> = listed.difference(&found).collect();
    assert!(gone.is_empty(), "these fields are listed and in no transaction: {gone:#?}");
    let count: usize = PUBLIC.iter().map(|(_, fields)| fields.len()).sum();
    assert_eq!(count, listed.len(), "a field is listed twice");
}
