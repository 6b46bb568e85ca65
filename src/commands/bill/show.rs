//! `veilgrid bill show`.

use super::args::ShowArgs;
use super::store::Store;
use crate::failure::Failure;
use crate::output;
use veilgrid_billing::bill::{Bill, Line};
use veilgrid_billing::money::format_eur;

/// Runs the command.
///
/// # Errors
/// A month that is not final, an account without a bill, files that were changed.
pub fn run(args: &ShowArgs) -> Result<(), Failure> {
    let store = Store::open(&args.bills)?;
    let month = store.month(args.period)?;
    let Some(account) = &args.account else {
        if args.json {
            return output::json(&month.run);
        }
        let mut table = output::table(&["account", "bill", "total EUR", "SHA-256 of the bill"]);
        for bill in &month.run.bills {
            let cells = [
                output::harmless(&bill.account),
                bill.number.clone(),
                format_eur(bill.total_ct),
                bill.sha256.clone(),
            ];
            table.add_row(cells);
        }
        output::line(table);
        output::line(format!("{} is final, in {}", args.period, month.folder().display()));
        return Ok(());
    };
    let bill = month.bill(account)?.ok_or_else(|| {
        Failure::Input(format!(
            "account {account:?} has no bill for {}; without --account all are listed",
            args.period
        ))
    })?;
    if args.json {
        return output::json(&bill);
    }
    print(&bill);
    Ok(())
}

fn print(bill: &Bill) {
    let number = bill.number.as_deref().unwrap_or("-");
    output::line(format!(
        "Bill {number} of {} for {}: {}",
        bill.date,
        bill.period.title(),
        bill.recipient.name
    ));
    let mut table = output::table(&["what", "corrects", "formula", "EUR"]);
    let mut row = |line: &Line, corrects: String| {
        let name = output::harmless(&line.key.name);
        table.add_row([name, corrects, line.formula.clone(), line.amount.shown_eur()]);
    };
    bill.lines.iter().for_each(|line| row(line, String::new()));
    for note in &bill.corrections {
        note.lines.iter().for_each(|line| row(line, note.period.to_string()));
    }
    table.add_row(["sum".to_owned(), String::new(), bill.exact.to_string(), bill.exact.shown_eur()]);
    table.add_row(["rounded down".to_owned(), String::new(), String::new(), format_eur(bill.total_ct)]);
    output::line(table);
}
