//! `veilgrid demo`: a day of a community in private, everything in one process.

mod args;
mod page;
mod plan;
mod report;
mod watch;

pub use args::{DemoArgs, HELP};

use crate::commands::audit::audit_file;
use crate::commands::export::export_store;
use crate::failure::Failure;
use crate::{output, receipts};
use std::path::{Path, PathBuf};
use veilgrid_actors::cancel::CancelFlag;
use veilgrid_demo::{DayReport, run_day};
use veilgrid_ledger::audit::AuditReport;

/// Runs the command.
///
/// # Errors
/// Impossible parameters and unusable data (before anything is written), a day that can't go on, a failed audit, an
/// interruption (after the ledger was exported).
pub fn run(args: &DemoArgs) -> Result<(), Failure> {
    let out = out_dir(args)?;
    let plan = plan::plan(args, &out)?;
    std::fs::create_dir_all(&out).map_err(|error| Failure::file(&out, error))?;
    let cancel = CancelFlag::new();
    let on_signal = cancel.clone();
    ctrlc::set_handler(move || {
        // The second signal does not wait for the block under way: what was acknowledged is on disk.
        if on_signal.is_cancelled() {
            std::process::exit(130);
        }
        on_signal.cancel();
    })
    .map_err(Failure::input)?;
    let watch = watch::Watch::new(plan.config.slots.len(), plan.config.participants.len(), args.json);
    let day = run_day(plan.config.clone(), watch.observer(), cancel)
        .map_err(|error| stopped(&format!("the day ended early: {error}"), &plan.config.dir));
    watch.finish();
    let day = day?;
    let ledger = out.join("ledger.vgl");
    export(&day, &ledger).map_err(|error| stopped(&error.to_string(), &plan.config.dir))?;
    let receipts_file = out.join("receipts.txt");
    receipts::write(&receipts_file, &day.receipts)?;
    let audit = audit_file(&ledger, Some(day.genesis_hash), day.receipts.clone(), args.json)?;
    let picture = out.join("report.html");
    crate::page::write(&picture, page::page(&plan, &day, &ledger).to_html(args.lang.into()))?;
    if args.json {
        output::json(&report::json(&plan, &day, &audit, &ledger))?;
    } else {
        print(&plan, &day, &audit, &ledger);
        output::line(format!("the day as pictures: {} (open it in a browser)", picture.display()));
    }
    if day.cancelled {
        let text =
            format!("the ledger up to its last block is in {}, and it passes the audit", ledger.display());
        return Err(Failure::Interrupted(text));
    }
    Ok(())
}

fn print(plan: &plan::Plan, day: &DayReport, audit: &AuditReport, ledger: &Path) {
    report::print(plan, day);
    output::line("Audit of the exported ledger, with no secret:");
    crate::commands::audit::print_checked(audit);
    output::line(format!("ledger written to {}", ledger.display()));
    output::line(format!(
        "check it again: veilgrid audit {} --genesis {}",
        ledger.display(),
        hex::encode(day.genesis_hash)
    ));
}

/// The failure of a day whose ledger was not written, with the way to it.
fn stopped(error: &str, stores: &Path) -> Failure {
    Failure::Input(format!(
        "{error}\nwhat was acknowledged is in the stores below {stores}; get it with: veilgrid export \
         {stores}/validator-1 rescued.vgl (from a full disk, copy the store to another one first)",
        stores = stores.display()
    ))
}

/// The folder of the run: a new one.
fn out_dir(args: &DemoArgs) -> Result<PathBuf, Failure> {
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("veilgrid-day-{}", time_stamp())));
    if out.exists() {
        return Err(Failure::file(&out, "exists already; name a new folder, nothing is overwritten"));
    }
    Ok(out)
}

/// The current time as `20160622-101500`, for a folder's name and nothing else.
#[allow(clippy::disallowed_types, reason = "names a folder; nothing hashed depends on it")]
fn time_stamp() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(0);
    let digits = |text: String| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let minutes = digits(output::utc(seconds));
    format!("{}-{}{:02}", &minutes[..8], &minutes[8..], seconds % 60)
}

/// Exports a validator's ledger; all that were not left behind hold the same one.
fn export(day: &DayReport, ledger: &Path) -> Result<(), Failure> {
    let dir = day.whole_store().ok_or_else(|| Failure::Input("the day left no store".to_owned()))?;
    export_store(dir, ledger).map(|_| ())
}
