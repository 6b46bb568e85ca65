//! The audit as a page.

use super::print::checked_rows;
use crate::page::{cleared, opened};
use std::collections::BTreeMap;
use std::path::Path;
use veilgrid_ledger::audit::AuditReport;
use veilgrid_pages::audit::{AuditPage, Verdict};
use veilgrid_pages::rounds::{Ended, Round};

/// What the page says; without a report, or with a violation, no rounds: what does not hold is not drawn.
pub(super) fn page(ledger: &Path, report: Option<&AuditReport>, violation: Option<&str>) -> AuditPage {
    let holds = report.filter(|_| violation.is_none());
    AuditPage {
        file: ledger.display().to_string(),
        verdict: violation.map_or(Verdict::Holds, |violation| Verdict::Violation(violation.to_owned())),
        facts: holds.map(facts).unwrap_or_default(),
        checked: holds.map(checked).unwrap_or_default(),
        rounds: holds.map(rounds),
    }
}

fn checked(report: &AuditReport) -> Vec<(String, String)> {
    let row = |(what, count): (&'static str, u64)| (what.to_owned(), count.to_string());
    checked_rows(report).into_iter().map(row).collect()
}

fn facts(report: &AuditReport) -> Vec<(String, String)> {
    let pair = |name: &str, value: String| (name.to_owned(), value);
    let trust =
        if report.genesis_trusted { "as it was given to the audit" } else { "not compared: give --genesis" };
    let mut facts = vec![
        pair("ledger", hex::encode(report.ledger_id)),
        pair("genesis", format!("{} ({trust})", hex::encode(report.genesis_hash))),
        pair("height", report.height.to_string()),
        pair("block", hex::encode(report.block_hash)),
    ];
    if report.pruned.roots_unknown_from.is_none() {
        facts.push(pair("state root", hex::encode(report.state_root)));
    }
    if let Some(uncovered) = &report.uncovered {
        facts.push(pair(
            "not final",
            format!(
                "{} blocks after height {} have no certificate; nothing on this page is of them",
                uncovered.blocks, report.height
            ),
        ));
    }
    facts
}

/// Rounds that were settled, and those that were void although bids could come for them, by number. The report does not have
/// the slots of void ones.
fn rounds(report: &AuditReport) -> Vec<Round> {
    let mut sums: BTreeMap<u64, Vec<(String, i64)>> = BTreeMap::new();
    for value in &report.opened_values {
        sums.entry(value.round_id).or_default().push(opened(value.kind, value.tick, value.value_wh));
    }
    let settled = report.settled_rounds.iter().map(|round| Round {
        round_id: round.round_id,
        slot_start_unix_s: Some(round.slot_start_unix_s),
        bids: round.bids,
        ended: cleared(&round.outcome),
        opened: Vec::new(),
    });
    let void = report.void_rounds.iter().map(|round| Round {
        round_id: round.round_id,
        slot_start_unix_s: None,
        bids: round.bids,
        ended: Ended::Void(round.reason.to_string()),
        opened: Vec::new(),
    });
    let mut rounds: Vec<Round> = settled.chain(void).collect();
    rounds.sort_by_key(|round| round.round_id);
    for round in &mut rounds {
        round.opened = sums.remove(&round.round_id).unwrap_or_default();
    }
    rounds
}
