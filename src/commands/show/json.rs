//! A ledger and a round of it as JSON.

use super::{Shown, ShownRound};
use serde::Serialize;
use std::collections::BTreeMap;
use veilgrid_ledger::hash::Hex32;
use veilgrid_ledger::transaction::TransactionKind;
use veilgrid_market::timestamp::format_utc;
use veilgrid_market::{Grid, Outcome, Rule, SumRequest};

#[derive(Serialize)]
struct LedgerJson<'a> {
    ledger_id: Hex32,
    genesis_hash: Hex32,
    last_block_hash: Hex32,
    blocks: u64,
    members: usize,
    validators: usize,
    threshold: u16,
    grid: Grid,
    bits: u8,
    rule: Rule,
    min_bidders: u32,
    slot_seconds: u32,
    network: NetworkJson<'a>,
    rounds: Vec<RowJson<'a>>,
}

#[derive(Serialize)]
struct NetworkJson<'a> {
    certified_height: u64,
    /// Blocks after that, which count for nothing.
    uncovered_blocks: u64,
    pruned_blocks: u64,
    key_sessions: &'a [String],
    validator_changes: &'a [String],
    member_orders: &'a [String],
    validators: Vec<ValidatorJson>,
    refused: Vec<RefusedJson<'a>>,
}

#[derive(Serialize)]
struct ValidatorJson {
    signing_key: Hex32,
    consensus_key: Hex32,
}

#[derive(Serialize)]
struct RefusedJson<'a> {
    height: u64,
    kind: TransactionKind,
    reason: &'a str,
}

/// A round, or rounds that were passed over one after another.
#[derive(Serialize)]
struct RowJson<'a> {
    round_id: u64,
    last_round_id: u64,
    slot_start_unix_s: Option<i64>,
    slot_start: Option<String>,
    slot_seconds: u32,
    status: String,
    bids: usize,
    outcome: Option<&'a Outcome>,
    /// False when something of it is in blocks that no certificate covers.
    is_final: bool,
}

#[derive(Serialize)]
struct RoundJson<'a> {
    round_id: u64,
    slot_start_unix_s: Option<i64>,
    slot_start: Option<String>,
    slot_seconds: u32,
    status: String,
    outcome: Option<&'a Outcome>,
    /// False when something of it is in blocks that no certificate covers.
    is_final: bool,
    opened: Vec<OpenedJson<'a>>,
    bids: Vec<BidJson>,
}

#[derive(Serialize)]
struct OpenedJson<'a> {
    request: SumRequest,
    value_wh: i64,
    /// Validators whose shares opened it.
    shares_of: &'a [u16],
}

#[derive(Serialize)]
struct BidJson {
    /// None where the bid was pruned.
    account: Option<Hex32>,
    digest: Hex32,
    /// The sealed fill; none before the settlement.
    settlement_point: Option<Hex32>,
}

/// The ledger.
pub(super) fn ledger(shown: &Shown) -> impl Serialize {
    let (genesis, roster) = (&shown.genesis, &shown.network.roster);
    let params = &genesis.params;
    LedgerJson {
        ledger_id: Hex32(shown.genesis.ledger_id()),
        genesis_hash: Hex32(shown.genesis_hash),
        last_block_hash: Hex32(shown.last_block),
        blocks: shown.blocks,
        members: shown.network.members,
        validators: roster.validators.len(),
        threshold: roster.group().threshold,
        grid: params.grid,
        bits: params.bits,
        rule: params.rule,
        min_bidders: params.min_bidders,
        slot_seconds: params.slot_seconds,
        network: network(shown),
        rounds: rows(shown),
    }
}

fn network(shown: &Shown) -> NetworkJson<'_> {
    let network = &shown.network;
    let validators = network.roster.validators.iter();
    let refused = network.refused.iter();
    NetworkJson {
        certified_height: network.certified,
        uncovered_blocks: shown.blocks.saturating_sub(1).saturating_sub(network.certified),
        pruned_blocks: network.pruned_blocks,
        key_sessions: &network.sessions,
        validator_changes: &network.changes,
        member_orders: &network.member_orders,
        validators: validators
            .map(|entry| ValidatorJson {
                signing_key: Hex32(entry.signing_key),
                consensus_key: Hex32(entry.consensus_key),
            })
            .collect(),
        refused: refused
            .map(|(height, kind, reason)| RefusedJson { height: *height, kind: *kind, reason })
            .collect(),
    }
}

fn rows(shown: &Shown) -> Vec<RowJson<'_>> {
    let params = &shown.genesis.params;
    let own =
        shown.rounds.iter().filter(|(id, _)| !shown.passed().iter().any(|(_, passed)| passed.contains(**id)));
    let mut rows: BTreeMap<u64, RowJson<'_>> = own
        .map(|(round_id, round)| {
            let row = RowJson {
                round_id: *round_id,
                last_round_id: *round_id,
                slot_start_unix_s: Some(round.slot_start_unix_s),
                slot_start: Some(format_utc(round.slot_start_unix_s)),
                slot_seconds: round.slot_seconds,
                status: round.status(),
                bids: round.bids.len(),
                outcome: round.outcome.as_ref(),
                is_final: shown.is_final(round),
            };
            (*round_id, row)
        })
        .collect();
    rows.extend(shown.passed().iter().map(|(height, passed)| {
        let first = passed.first_round_id;
        let start = params.timing.slot_start_unix_s(first, params.slot_seconds);
        let row = RowJson {
            round_id: first,
            last_round_id: passed.last_round_id,
            slot_start_unix_s: start,
            slot_start: start.map(format_utc),
            slot_seconds: params.slot_seconds,
            status: super::print::void_status(passed.reason).to_owned(),
            bids: 0,
            outcome: None,
            is_final: shown.is_final_at(*height),
        };
        (first, row)
    }));
    rows.into_values().collect()
}

/// One round.
pub(super) fn round(round_id: u64, round: &ShownRound, is_final: bool) -> impl Serialize {
    let opened = (0u32..).zip(&round.opened);
    let points =
        round.settlement_points.iter().map(|point| Some(Hex32(*point))).chain(std::iter::repeat(None));
    RoundJson {
        round_id,
        slot_start_unix_s: Some(round.slot_start_unix_s),
        slot_start: Some(format_utc(round.slot_start_unix_s)),
        slot_seconds: round.slot_seconds,
        status: round.status(),
        outcome: round.outcome.as_ref(),
        is_final,
        opened: opened
            .map(|(index, sum)| OpenedJson {
                request: sum.request,
                value_wh: sum.value_wh,
                shares_of: round.shares.get(&index).map_or(&[][..], Vec::as_slice),
            })
            .collect(),
        bids: round
            .bids
            .iter()
            .zip(points)
            .map(|((account, digest), settlement_point)| BidJson {
                account: account.map(Hex32),
                digest: Hex32(*digest),
                settlement_point,
            })
            .collect(),
    }
}

/// A round that no block opened in its time.
pub(super) fn passed(shown: &Shown, round_id: u64, status: &str, is_final: bool) -> impl Serialize {
    let params = &shown.genesis.params;
    let start = params.timing.slot_start_unix_s(round_id, params.slot_seconds);
    RoundJson {
        round_id,
        slot_start_unix_s: start,
        slot_start: start.map(format_utc),
        slot_seconds: params.slot_seconds,
        status: status.to_owned(),
        outcome: None,
        is_final,
        opened: Vec::new(),
        bids: Vec::new(),
    }
}
