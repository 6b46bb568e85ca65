//! The report of an audit for people.

use crate::output;
use std::collections::BTreeMap;
use veilgrid_ledger::audit::{AuditReport, ReceiptVerdict};
use veilgrid_ledger::money::market::UNITS_PER_CT;

/// Prints what was checked, how many of each, and every opened value.
pub fn print(report: &AuditReport) {
    print_opened(report);
    print_checked(report);
}

/// What was checked, and how many of each.
pub fn checked_rows(report: &AuditReport) -> Vec<(&'static str, u64)> {
    let mut rows = Vec::new();
    let keys = &report.key_generation;
    let mut row = |what, count| rows.push((what, count));
    row("blocks: links, bodies, state roots", report.blocks);
    row("key generation: dealers' packages and signatures", keys.packages);
    row("key generation: proofs of knowledge", keys.proofs);
    row("threshold keys recomputed", keys.keys);
    row("bids: proofs and signatures", report.bids);
    row("opening shares: proofs of equal logarithms", report.shares);
    row("opened values", report.opened_values.len() as u64);
    row("clearings recomputed", report.rounds_cleared);
    row("energy balances", report.conservation_checks);
    row("settlement points recomputed", report.settlement_points);
    row("rounds settled", report.rounds_settled);
    row("rounds void", report.rounds_void);
    row("rounds unfinished", report.rounds_unfinished.len() as u64);
    if is_network(report) {
        row("certificates of the validators", report.certificates.certificates);
        row("blocks that they make final", report.certificates.covered_blocks);
        row("key sessions over the ledger", report.key_sessions.len() as u64);
        row("changes of the validators", report.validator_changes.len() as u64);
        row("members at the end", report.members.members);
        row("accounts enrolled", report.members.enrolled);
        row("accounts that have left", report.members.left);
        if let Some(money) = &report.money {
            row("deposits: signatures of the treasury", money.deposits);
            row("withdrawals: signatures, and proofs of what is left", money.withdrawals);
            row("withdrawals that wait to be paid", money.unpaid);
            row("claims: proofs of what a fill is worth", money.claims);
            row("claims by validators: shares with their proofs", money.claims_by_validators);
            row("fills that nobody has claimed", money.unclaimed_fills);
        }
        row("transactions refused and recorded", report.refused);
        row("rounds suspended for a while", report.suspended_rounds.len() as u64);
        row("blocks without their bids", report.pruned.blocks);
        row("bids of which only the digest is left", report.pruned.bid_digests);
        row("checkpoints confirmed", report.pruned.checkpoints);
    }
    row("receipts looked up", report.receipts.len() as u64);
    let receipts = |verdict: ReceiptVerdict| {
        report.receipts.iter().filter(|finding| finding.verdict == verdict).count() as u64
    };
    row("receipts of another ledger or signer, which prove nothing", receipts(ReceiptVerdict::Worthless));
    if is_network(report) {
        let (few, second) = (receipts(ReceiptVerdict::TooFewReceipts), receipts(ReceiptVerdict::SecondBid));
        row("receipts of too few validators to prove that a bid was left out", few);
        row("receipts of validators for a second bid, which prove nothing", second);
        row("receipts that only the pruned bids could judge", receipts(ReceiptVerdict::NotCheckable));
        if report.money.is_some() {
            let overtaken = receipts(ReceiptVerdict::Overtaken);
            row("receipts for bids that their own account overtook by another debit", overtaken);
        }
    }
    rows
}

/// Prints what was checked and how many of each.
pub fn print_checked(report: &AuditReport) {
    let mut checked = output::table(&["checked", "count"]);
    for (what, count) in checked_rows(report) {
        checked.add_row([what.to_owned(), count.to_string()]);
    }
    output::line(checked);
    for unfinished in &report.rounds_unfinished {
        output::line(format!(
            "round {} is unfinished: it waits for {}",
            unfinished.round_id, unfinished.waits_for
        ));
    }
    print_network(report);
    print_money(report);
    print_unproven(report);
    print_uncovered(report);
    output::line(format!("ledger     {}", hex::encode(report.ledger_id)));
    let trust = if report.genesis_trusted { "as you gave it" } else { "NOT compared: give --genesis" };
    output::line(format!("genesis    {} ({trust})", hex::encode(report.genesis_hash)));
    let pinned =
        if report.pinned.is_some_and(|pin| pin.height == report.height) { " (as you pinned it)" } else { "" };
    output::line(format!("height     {}", report.height));
    output::line(format!("block      {}{pinned}", hex::encode(report.block_hash)));
    if let Some(pin) = report.pinned.filter(|pin| pin.height != report.height) {
        output::line(format!("block {} is {}, as you pinned it", pin.height, hex::encode(pin.block_hash)));
    }
    if report.pruned.roots_unknown_from.is_none() {
        output::line(format!("state root {}", hex::encode(report.state_root)));
    }
    output::line("audit passed");
}

/// Rounds that no block has opened, a line for each reason: a market that leaves slots out has many.
fn passed_lines(report: &AuditReport) -> Vec<String> {
    let mut by_reason: BTreeMap<String, Vec<(u64, u64)>> = BTreeMap::new();
    for passed in &report.passed_rounds {
        let stretch = (passed.first_round_id, passed.last_round_id);
        by_reason.entry(passed.reason.to_string()).or_default().push(stretch);
    }
    let line = |(reason, stretches): (String, Vec<(u64, u64)>)| {
        let which: Vec<String> = stretches.iter().map(stretch).collect();
        let one = matches!(stretches[..], [(first, last)] if first == last);
        let (rounds, are) = if one { ("round", "is") } else { ("rounds", "are") };
        format!("{rounds} {} {are} void: {reason}", which.join(", "))
    };
    by_reason.into_iter().map(line).collect()
}

/// "7", or "7-9".
fn stretch((first, last): &(u64, u64)) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

/// Units of balances in ct, to a thousandth, rounded toward zero.
fn ct(units: i64) -> String {
    let thousandths = u128::from(units.unsigned_abs()) * 1_000 / UNITS_PER_CT.unsigned_abs();
    let sign = if units < 0 { "-" } else { "" };
    format!("{sign}{}.{:03}", thousandths / 1_000, thousandths % 1_000)
}

/// The public totals of a ledger with money.
fn print_money(report: &AuditReport) {
    let Some(money) = &report.money else { return };
    let (deposited, withdrawn) = (money.deposited_ct, money.withdrawn_ct);
    output::line(format!("money      {deposited} ct deposited, {withdrawn} ct withdrawn"));
    output::line(format!(
        "           {} ct on members' accounts and in fills to be claimed, {} ct on the community's account",
        ct(money.members_units),
        ct(money.community_units)
    ));
}

fn is_network(report: &AuditReport) -> bool {
    !report.key_sessions.is_empty() || report.certificates.checked
}

/// What a reader has to know about a network's ledger beyond counts: nothing that was not checked goes unsaid.
fn print_network(report: &AuditReport) {
    for void in &report.void_rounds {
        output::line(format!("round {} is void with {} bids: {}", void.round_id, void.bids, void.reason));
    }
    passed_lines(report).into_iter().for_each(output::line);
    for refused in &report.refused_listed {
        let (height, index, kind) = (refused.height, refused.index, refused.kind);
        output::line(format!("block {height}, transaction {index} ({kind}) was refused: {}", refused.reason));
    }
    let listed = report.refused_listed.len() as u64;
    if report.refused > listed {
        output::line(format!("and {} more refused transactions", report.refused - listed));
    }
    let by_digest: Vec<String> = report.pruned.rounds_by_digest.iter().map(stretch).collect();
    if !by_digest.is_empty() {
        output::line(format!(
            "rounds known by their digests only, their bids are pruned: {}",
            by_digest.join(" ")
        ));
    }
    let not_compared: Vec<String> = report.pruned.roots_not_compared.iter().map(stretch).collect();
    if !not_compared.is_empty() {
        output::line(format!(
            "state roots in the headers of these blocks are NOT compared, they follow pruned ones: {}",
            not_compared.join(" ")
        ));
    }
    if let Some(height) = report.pruned.roots_unknown_from {
        output::line(format!(
            "state roots from block {height} on are NOT known: no checkpoint follows its pruned blocks"
        ));
    }
}

/// Blocks that everybody could have written who had the file.
fn print_uncovered(report: &AuditReport) {
    if let Some(uncovered) = &report.uncovered {
        let (blocks, first, last) = (uncovered.blocks, uncovered.first_height, uncovered.last_height);
        output::line(format!(
            "NOT final in this file: {blocks} blocks, {first} to {last}, are in no certificate; nothing of them is \
             counted or listed here"
        ));
    }
}

/// Bids that were left out after receipts of some validators, which may be nobody's fault.
fn print_unproven(report: &AuditReport) {
    let few = report.receipts.iter().filter(|finding| finding.verdict == ReceiptVerdict::TooFewReceipts);
    let bids: std::collections::BTreeSet<_> =
        few.map(|finding| (finding.round_id, finding.account, finding.bid_digest)).collect();
    for (round_id, account, bid_digest) in bids {
        output::line(format!(
            "round {round_id}: account {} has receipts for bid {}, and the ledger does not hold that bid: not enough \
             receipts to prove it, f + 1 validators have to have signed one",
            hex::encode(&account[..8]),
            hex::encode(&bid_digest[..8]),
        ));
    }
}

fn print_opened(report: &AuditReport) {
    let mut rounds: std::collections::BTreeMap<u64, Vec<String>> = std::collections::BTreeMap::new();
    for value in &report.opened_values {
        let text = format!("{:?}{}={}", value.kind, value.tick, value.value_wh);
        rounds.entry(value.round_id).or_default().push(text);
    }
    let mut opened = output::table(&["round", "every value that was opened, Wh"]);
    for (round_id, values) in rounds {
        opened.add_row([round_id.to_string(), values.join(" ")]);
    }
    output::line(opened);
}
