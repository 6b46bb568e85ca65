//! `veilgrid bill status`.

use super::args::StatusArgs;
use super::store::{Store, Stored};
use crate::failure::Failure;
use crate::output;
use serde::Serialize;
use veilgrid_billing::money::format_eur;

#[derive(Serialize)]
struct StatusJson {
    months: Vec<MonthJson>,
    next_period: Option<String>,
    files: usize,
}

#[derive(Serialize)]
struct MonthJson {
    period: String,
    date: String,
    bills: usize,
    billed_ct: i64,
    corrected: Vec<String>,
    deferred: Vec<String>,
    sha256: String,
}

fn month(stored: &Stored) -> MonthJson {
    let run = &stored.run;
    MonthJson {
        period: run.period.to_string(),
        date: run.date.to_string(),
        bills: run.bills.len(),
        // The chain's check has summed the exact amounts, which are larger.
        billed_ct: run.bills.iter().fold(0, |sum, bill| sum.saturating_add(bill.total_ct)),
        corrected: run
            .corrected
            .iter()
            .filter(|one| one.accounts > 0)
            .map(|one| one.period.to_string())
            .collect(),
        deferred: run.deferred.iter().map(|one| one.period.to_string()).collect(),
        sha256: stored.sha256.clone(),
    }
}

/// Runs the command.
///
/// # Errors
/// A file that was changed, is missing or does not fit.
pub fn run(args: &StatusArgs) -> Result<(), Failure> {
    if !args.bills.exists() {
        return Err(Failure::file(
            &args.bills,
            "is not there; the first `veilgrid bill run --final` makes it",
        ));
    }
    let store = Store::open(&args.bills)?;
    let bar = output::progress(store.months.len() as u64, "checking months", args.json);
    let mut files = 0;
    for month in &store.months {
        files += month.check_files()?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let months: Vec<MonthJson> = store.months.iter().map(month).collect();
    let next_period = store.months.last().map(|month| month.run.period.next().to_string());
    if args.json {
        return output::json(&StatusJson { months, next_period, files });
    }
    let mut table = output::table(&["month", "dated", "bills", "billed EUR", "corrects", "waits", "SHA-256"]);
    for month in months {
        let list = |periods: Vec<String>| if periods.is_empty() { "-".to_owned() } else { periods.join(" ") };
        table.add_row([
            month.period,
            month.date,
            month.bills.to_string(),
            format_eur(month.billed_ct),
            list(month.corrected),
            list(month.deferred),
            month.sha256,
        ]);
    }
    output::line(table);
    output::line(match next_period {
        Some(next) => format!(
            "{files} files are as they were written, each month follows the one before; next is {next}"
        ),
        None => "no month is final".to_owned(),
    });
    Ok(())
}
