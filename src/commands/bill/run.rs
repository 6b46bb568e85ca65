//! `veilgrid bill run`.

use super::args::RunArgs;
use super::compute::{Asked, compute};
use super::known::Readings;
use super::load::load;
use super::report;
use super::store::{Store, write_files};
use super::write::{final_files, preview_files};
use crate::failure::Failure;
use crate::output;
use veilgrid_billing::period::Date;

/// Runs the command.
///
/// # Errors
/// Files that do not fit, readings that can't be billed, a month that is final.
pub fn run(args: &RunArgs) -> Result<(), Failure> {
    let loaded = load(&args.community)?;
    let store = Store::open(&args.bills)?;
    store.check_next(args.period)?;
    // What a month builds on is as it was written; `bill status` looks at all of it.
    if let Some(last) = store.months.last() {
        last.check_files()?;
    }
    let date = args.date.map_or_else(today, Ok)?;
    check_date(args, date)?;
    let pay_on = args.collect_on.unwrap_or_else(|| date.plus_days(loaded.community.settings.payment_days));
    if pay_on < date {
        return Err(Failure::Input(format!("--collect-on {pay_on} is before the bills' date {date}")));
    }
    let readings = Readings::open(&args.readings)?;
    let asked = Asked { period: args.period, date, pay_on, is_final: args.is_final };
    let computed = compute(&loaded, &readings, &store, &asked)?;
    let folder = if args.is_final {
        Some(store.write_final(args.period, &final_files(&computed, &loaded, args.json)?)?)
    } else {
        if let Some(out) = &args.out {
            write_files(out, &preview_files(&computed, args.json)?)?;
        }
        args.out.clone()
    };
    report::run(&computed, folder.as_deref(), args)
}

/// A bill is not older than the end of what it bills.
fn check_date(args: &RunArgs, date: Date) -> Result<(), Failure> {
    if args.is_final && date.period() <= args.period {
        return Err(Failure::Input(format!(
            "a final bill for {} can't have the date {date}: the month is not over then; --preview shows what it would be",
            args.period
        )));
    }
    Ok(())
}

#[allow(clippy::disallowed_types, reason = "the date of a bill that nobody dated is today's")]
fn today() -> Result<Date, Failure> {
    use std::time::SystemTime;
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_err(Failure::input)?;
    let text = output::utc(i64::try_from(since.as_secs()).map_err(Failure::input)?);
    text.get(..10).unwrap_or_default().parse().map_err(Failure::input)
}
