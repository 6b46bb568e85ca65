//! `veilgrid audit`: everything recomputed from an exported ledger, with no secret.

use crate::cli::AuditArgs;
use crate::failure::Failure;
use crate::{output, receipts};
use indicatif::ProgressBar;
use serde::Serialize;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::audit::{
    AuditError, AuditReport, AuditRequest, CertificateCheck, ReceiptVerdict, audit_export,
};
use veilgrid_ledger::export::{LedgerReader, ReadError};
use veilgrid_node::follower::EngineCertificates;

/// Runs the command.
///
/// # Errors
/// [`Failure::Audit`] with the first violation; [`Failure::Input`] when a file can't be opened.
pub fn run(args: &AuditArgs) -> Result<(), Failure> {
    let trusted_genesis = args.genesis.as_deref().map(parse_hash).transpose()?;
    let receipts = args.receipts.as_deref().map(receipts::read).transpose()?.unwrap_or_default();
    let (report, violation) = match replay_file(&args.ledger, trusted_genesis, receipts, args.json) {
        Ok(report) => {
            let broken = broken_promise(&report);
            (Some(report), broken)
        }
        Err(Failure::Audit(violation)) => (None, Some(violation)),
        Err(other) => return Err(other),
    };
    if args.json {
        let (ok, violation) = (violation.is_none(), violation.as_deref());
        output::json(&Verdict { ok, violation, report: report.as_ref() })?;
    } else if let Some(report) = report.as_ref().filter(|_| violation.is_none()) {
        print(report);
    }
    violation.map_or(Ok(()), |violation| Err(Failure::Audit(violation)))
}

#[derive(Serialize)]
struct Verdict<'a> {
    ok: bool,
    violation: Option<&'a str>,
    #[serde(flatten)]
    report: Option<&'a AuditReport>,
}

fn parse_hash(text: &str) -> Result<[u8; 32], Failure> {
    let mut hash = [0u8; 32];
    hex::decode_to_slice(text.trim(), &mut hash)
        .map_err(|error| Failure::Input(format!("--genesis takes 64 hex digits: {error}")))?;
    Ok(hash)
}

/// Audits a ledger file.
///
/// # Errors
/// [`Failure::Audit`] for a violation, a damaged file or a receipt that was not kept.
pub fn audit_file(
    path: &Path,
    trusted_genesis: Option<[u8; 32]>,
    receipts: Vec<Receipt>,
    quiet: bool,
) -> Result<AuditReport, Failure> {
    let report = replay_file(path, trusted_genesis, receipts, quiet)?;
    broken_promise(&report).map_or(Ok(report), |violation| Err(Failure::Audit(violation)))
}

fn replay_file(
    path: &Path,
    trusted_genesis: Option<[u8; 32]>,
    receipts: Vec<Receipt>,
    quiet: bool,
) -> Result<AuditReport, Failure> {
    let file = File::open(path).map_err(|error| Failure::file(path, error))?;
    let length = file.metadata().map_err(|error| Failure::file(path, error))?.len();
    let bar = output::progress(length, "auditing (bytes)", quiet);
    let reader = LedgerReader::new(Counted { inner: BufReader::new(file), bar: bar.clone() })
        .map_err(|error| read_failure(path, error))?;
    let certificates: Option<Arc<dyn CertificateCheck>> = Some(Arc::new(EngineCertificates));
    let request = AuditRequest { trusted_genesis, receipts, certificates };
    let result = audit_export(reader, request, |_| {});
    bar.finish_and_clear();
    result.map_err(|error| match error {
        AuditError::Read { after_blocks, source } => match read_failure(path, source) {
            Failure::Audit(text) => Failure::Audit(format!("{text} (after {after_blocks} blocks)")),
            other => other,
        },
        AuditError::Violation(violation) => Failure::Audit(format!("{}: {violation}", path.display())),
    })
}

/// A failing disk or a file that is none says nothing about a ledger; everything else that can't be read is a damaged ledger.
fn read_failure(path: &Path, error: ReadError) -> Failure {
    match error {
        ReadError::Io { .. } => Failure::file(path, error),
        // Nor does a file of another kind, or one of a newer program.
        ReadError::NotALedger | ReadError::Version { .. } => Failure::file(path, error),
        damaged => Failure::Audit(format!("{}: {damaged}", path.display())),
    }
}

/// The first receipt of a promise that was not kept: by the aggregator, or by f + 1 validators.
fn broken_promise(report: &AuditReport) -> Option<String> {
    let broken = report.receipts.iter().find(|finding| finding.verdict.is_broken_promise())?;
    Some(format!(
        "round {}: account {} has a receipt for bid {}, and the ledger does not hold that bid: it was left out \
         after its receipt",
        broken.round_id,
        hex::encode(&broken.account[..8]),
        hex::encode(&broken.bid_digest[..8]),
    ))
}

/// Moves a progress bar along with what is read.
struct Counted<R> {
    inner: R,
    bar: ProgressBar,
}

impl<R: std::io::Read> std::io::Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.bar.inc(count as u64);
        Ok(count)
    }
}

/// Prints what was checked, how many of each, and every opened value.
pub fn print(report: &AuditReport) {
    print_opened(report);
    print_checked(report);
}

/// Prints what was checked and how many of each.
pub fn print_checked(report: &AuditReport) {
    let mut checked = output::table(&["checked", "count"]);
    let keys = &report.key_generation;
    let mut row = |what: &str, count: u64| {
        checked.add_row([what.to_owned(), count.to_string()]);
    };
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
    }
    output::line(checked);
    for unfinished in &report.rounds_unfinished {
        output::line(format!(
            "round {} is unfinished: it waits for {}",
            unfinished.round_id, unfinished.waits_for
        ));
    }
    print_network(report);
    print_unproven(report);
    output::line(format!("ledger     {}", hex::encode(report.ledger_id)));
    let trust = if report.genesis_trusted { "as you gave it" } else { "NOT compared: give --genesis" };
    output::line(format!("genesis    {} ({trust})", hex::encode(report.genesis_hash)));
    output::line(format!("height     {}", report.height));
    output::line(format!("block      {}", hex::encode(report.block_hash)));
    if report.pruned.roots_unknown_from.is_none() {
        output::line(format!("state root {}", hex::encode(report.state_root)));
    }
    output::line("audit passed");
}

fn is_network(report: &AuditReport) -> bool {
    !report.key_sessions.is_empty() || report.certificates.checked
}

/// What a reader has to know about a network's ledger beyond counts: nothing that was not checked goes unsaid.
fn print_network(report: &AuditReport) {
    for void in &report.void_rounds {
        output::line(format!("round {} is void with {} bids: {}", void.round_id, void.bids, void.reason));
    }
    for passed in &report.passed_rounds {
        let (first, last, reason) = (passed.first_round_id, passed.last_round_id, passed.reason);
        let which =
            if first == last { format!("round {first} is") } else { format!("rounds {first}-{last} are") };
        output::line(format!("{which} void: {reason}"));
    }
    for refused in &report.refused_listed {
        let (height, index, kind) = (refused.height, refused.index, refused.kind);
        output::line(format!("block {height}, transaction {index} ({kind}) was refused: {}", refused.reason));
    }
    let listed = report.refused_listed.len() as u64;
    if report.refused > listed {
        output::line(format!("and {} more refused transactions", report.refused - listed));
    }
    let rounds = |(first, last): &(u64, u64)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    let by_digest: Vec<String> = report.pruned.rounds_by_digest.iter().map(rounds).collect();
    if !by_digest.is_empty() {
        output::line(format!(
            "rounds known by their digests only, their bids are pruned: {}",
            by_digest.join(" ")
        ));
    }
    if let Some(height) = report.pruned.roots_unknown_from {
        output::line(format!(
            "state roots from block {height} on are NOT compared: no checkpoint follows its pruned blocks"
        ));
    }
    let counts = &report.certificates;
    if counts.uncertified_tail > 0 {
        let (from, blocks) = (counts.covered_height + 1, counts.uncertified_tail);
        output::line(format!(
            "NOT final in this file: the last {blocks} blocks, from {from} on, wait for a certificate"
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
