//! What a month came to, as a table and as JSON.

use super::args::RunArgs;
use super::compute::Computed;
use crate::failure::Failure;
use crate::output;
use serde::Serialize;
use std::path::Path;
use veilgrid_billing::bill::Bill;
use veilgrid_billing::correction::Corrected;
use veilgrid_billing::money::{Amount, TooMuch, format_eur};
use veilgrid_billing::opened::Opened;
use veilgrid_billing::payment::Payment;
use veilgrid_billing::run::Deferred;
use veilgrid_billing::settle::Payees;

#[derive(Serialize)]
struct RunJson<'a> {
    period: String,
    #[serde(rename = "final")]
    is_final: bool,
    date: String,
    folder: Option<&'a Path>,
    bills: Vec<BillJson<'a>>,
    billed_ct: i64,
    rounding_units: Amount,
    payees: &'a Payees,
    corrected: &'a [Corrected],
    deferred: &'a [Deferred],
    operator: &'a Opened,
}

#[derive(Serialize)]
struct BillJson<'a> {
    number: Option<&'a str>,
    account: &'a str,
    name: &'a str,
    exact_units: Amount,
    corrections_ct: String,
    total_ct: i64,
    how: &'static str,
}

/// How a bill is paid, in one word.
fn how(payment: &Payment) -> &'static str {
    match payment {
        Payment::Nothing => "nothing",
        Payment::Debit { .. } => "debit",
        Payment::Transfer { .. } => "transfer",
        Payment::Credit { .. } => "credit",
        Payment::Ask => "ask",
    }
}

fn corrections(bill: &Bill) -> Result<Amount, TooMuch> {
    Amount::sum(bill.corrections.iter().map(|note| note.amount))
}

/// Prints a run.
///
/// # Errors
/// Sums beyond all bounds.
pub fn run(computed: &Computed<'_>, folder: Option<&Path>, args: &RunArgs) -> Result<(), Failure> {
    let billed_ct = computed.bills.iter().map(|(bill, _)| bill.total_ct).try_fold(0i64, i64::checked_add);
    let billed_ct = billed_ct.ok_or_else(|| Failure::input(TooMuch))?;
    let rounding_units =
        Amount::sum(computed.bills.iter().map(|(bill, _)| bill.rounding)).map_err(Failure::input)?;
    let run = &computed.run;
    if args.json {
        let mut bills = Vec::with_capacity(computed.bills.len());
        for (bill, account) in &computed.bills {
            bills.push(BillJson {
                number: bill.number.as_deref(),
                account: &account.id,
                name: &account.name,
                exact_units: bill.exact,
                corrections_ct: corrections(bill).map_err(Failure::input)?.exact_ct(),
                total_ct: bill.total_ct,
                how: how(&bill.payment),
            });
        }
        return output::json(&RunJson {
            period: run.period.to_string(),
            is_final: args.is_final,
            date: run.date.to_string(),
            folder,
            bills,
            billed_ct,
            rounding_units,
            payees: &run.payees,
            corrected: &run.corrected,
            deferred: &run.deferred,
            operator: &computed.opened,
        });
    }
    table(computed, billed_ct, rounding_units)?;
    let what = if args.is_final { "final, in" } else { "a preview, in" };
    output::line(match folder {
        Some(folder) => format!("{what} {}", folder.display()),
        None => "a preview: nothing was written".to_owned(),
    });
    Ok(())
}

fn table(computed: &Computed<'_>, billed_ct: i64, rounding: Amount) -> Result<(), Failure> {
    let run = &computed.run;
    output::line(format!("{}, bills for {}, dated {}", run.community, run.period.title(), run.date));
    let mut table = output::table(&[
        "account",
        "name",
        "bill",
        "this month EUR",
        "corrections EUR",
        "total EUR",
        "paid by",
    ]);
    for (bill, account) in &computed.bills {
        let corrections = corrections(bill).map_err(Failure::input)?;
        let own = bill.exact.plus(corrections.negated()).map_err(Failure::input)?;
        table.add_row([
            output::harmless(&account.id),
            output::harmless(&account.name),
            bill.number.clone().unwrap_or_else(|| "-".to_owned()),
            own.shown_eur(),
            corrections.shown_eur(),
            format_eur(bill.total_ct),
            how(&bill.payment).to_owned(),
        ]);
    }
    output::line(table);
    let fees = Amount::sum(run.payees.fees.values().copied()).map_err(Failure::input)?;
    let mut sums = output::table(&["where it goes", "EUR"]);
    let corrected = Amount::sum(run.corrected.iter().map(|one| one.amount)).map_err(Failure::input)?;
    for (what, amount) in [
        ("network operator, fees", fees.shown_eur()),
        ("community, margin and rounding of shares", run.payees.community.shown_eur()),
        ("both, corrections of earlier months", corrected.shown_eur()),
        ("not billed, rounding of bills", rounding.negated().shown_eur()),
        ("all bills", format_eur(billed_ct)),
    ] {
        sums.add_row([what.to_owned(), amount]);
    }
    output::line(sums);
    let opened = &computed.opened;
    let (told, kept) = (opened.totals.len(), opened.not_opened);
    output::line(format!("the operator gets to know {told} totals; {kept} members signed no standing order"));
    for withheld in &opened.withheld {
        output::line(format!("withheld: {withheld}"));
    }
    Ok(())
}
