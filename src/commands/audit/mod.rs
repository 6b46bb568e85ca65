//! `veilgrid audit`: everything recomputed from an exported ledger, with no secret.

mod args;
mod compare;
mod page;
mod print;
mod read;

pub use args::{AuditArgs, HELP};
pub use print::print_checked;
pub use read::audit_file;
pub(crate) use read::read_failure;

use crate::failure::Failure;
use crate::input::STANDARD_INPUT;
use crate::{output, receipts};
use compare::Compared;
use serde::Serialize;
use std::path::Path;
use veilgrid_ledger::audit::{AuditReport, AuditRequest, Pin};

/// Runs the command.
///
/// # Errors
/// [`Failure::Audit`] with the first violation; [`Failure::Input`] when a file can't be opened or is no ledger, or the page
/// can't be written.
pub fn run(args: &AuditArgs) -> Result<(), Failure> {
    crate::page::refuse_existing(args.html.as_deref())?;
    let request = request(args)?;
    let (trusted_genesis, compared) = (request.trusted_genesis, args.compare.as_deref());
    // Told even when this ledger, or the other one, does not pass: where they part is known without that.
    let relation = compared.map(|other| compare::relation(&args.ledger, other, args.json)).transpose();
    let (relation, unreadable) = match relation {
        Ok(relation) => (relation, None),
        Err(Failure::Audit(damage)) => (None, Some(damage)),
        Err(other) => return Err(other),
    };
    let (report, mut violation) = match read::replay_file(&args.ledger, request, args.json) {
        Ok(report) => {
            let broken = read::broken_promise(&report);
            (Some(report), broken)
        }
        Err(Failure::Audit(violation)) => (None, Some(violation)),
        Err(other) => return Err(other),
    };
    let compared = match (relation, compared) {
        (Some(relation), Some(other)) => {
            Some(Compared::judge(relation, report.as_ref(), other, trusted_genesis, args.json)?)
        }
        _ => None,
    };
    violation = violation.or(unreadable).or_else(|| compared.as_ref().and_then(Compared::violation));
    if let Some(path) = &args.html {
        let page = page::page(&args.ledger, report.as_ref(), violation.as_deref());
        crate::page::write(path, page.to_html(args.lang.into()))?;
    }
    if args.json {
        let (ok, violation) = (violation.is_none(), violation.as_deref());
        output::json(&Verdict { ok, violation, comparison: compared.as_ref(), report: report.as_ref() })?;
    } else {
        if let Some(report) = report.as_ref().filter(|_| violation.is_none()) {
            print::print(report);
        }
        compared.iter().for_each(Compared::print);
    }
    violation.map_or(Ok(()), |violation| Err(Failure::Audit(violation)))
}

#[derive(Serialize)]
struct Verdict<'a> {
    ok: bool,
    violation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comparison: Option<&'a Compared>,
    #[serde(flatten)]
    report: Option<&'a AuditReport>,
}

/// What the auditor knows and asks.
fn request(args: &AuditArgs) -> Result<AuditRequest, Failure> {
    let is_input = |path: &Path| path.as_os_str() == STANDARD_INPUT;
    let receipts_too = args.receipts.as_deref().is_some_and(is_input);
    if is_input(&args.ledger) && receipts_too {
        return Err(Failure::input("ledger and receipts can't both be standard input: name a file for one"));
    }
    if args.compare.as_deref().is_some_and(|other| is_input(other) || is_input(&args.ledger)) {
        return Err(Failure::input(
            "--compare reads both ledgers twice, so that neither can be standard input: name two files",
        ));
    }
    let trusted_genesis = args.genesis.as_deref().map(|text| parse_hash("--genesis", text)).transpose()?;
    let pin = match (args.height, args.block.as_deref()) {
        (Some(height), Some(block)) => Some(Pin { height, block_hash: parse_hash("--block", block)? }),
        // The parser takes both or none.
        _ => None,
    };
    let receipts = args.receipts.as_deref().map(receipts::read).transpose()?.unwrap_or_default();
    Ok(AuditRequest { trusted_genesis, pin, receipts, ..AuditRequest::default() })
}

fn parse_hash(option: &str, text: &str) -> Result<[u8; 32], Failure> {
    let mut hash = [0u8; 32];
    hex::decode_to_slice(text.trim(), &mut hash)
        .map_err(|error| Failure::Input(format!("{option} takes 64 hex digits: {error}")))?;
    Ok(hash)
}
