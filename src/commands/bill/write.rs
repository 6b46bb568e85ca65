//! The files of a month: for members, for the operator, and what it was made from.

use super::compute::Computed;
use super::load::Loaded;
use super::store::{Files, month_files};
use crate::failure::Failure;
use crate::output;
use rayon::prelude::*;
use veilgrid_billing::bill::{Bill, csv_row};
use veilgrid_billing::community::Account;
use veilgrid_papers::{bank, bill_pdf};

/// All files of a final month.
///
/// # Errors
/// Names that no PDF can show, payments that no bank would take.
pub fn final_files(computed: &Computed<'_>, loaded: &Loaded, is_quiet: bool) -> Result<Files, Failure> {
    let run = computed.run.to_json().map_err(Failure::input)?;
    let members = members(computed, is_quiet)?;
    Ok(month_files(&run, members, operator(computed, loaded)?, loaded.files.clone()))
}

/// The files of previews: a PDF, CSV and JSON per member, named by its place.
///
/// # Errors
/// As [`final_files`].
pub fn preview_files(computed: &Computed<'_>, is_quiet: bool) -> Result<Files, Failure> {
    members(computed, is_quiet)
}

fn members(computed: &Computed<'_>, is_quiet: bool) -> Result<Files, Failure> {
    let bar = output::progress(computed.bills.len() as u64, "writing bills", is_quiet);
    let all: Vec<[(String, Vec<u8>); 3]> = computed
        .bills
        .par_iter()
        .enumerate()
        .map(|(at, (bill, account))| {
            let name = bill.number.clone().unwrap_or_else(|| format!("preview-{:04}", at + 1));
            let files = member(bill, account, &name);
            bar.inc(1);
            files
        })
        .collect::<Result<_, Failure>>()?;
    bar.finish_and_clear();
    Ok(all.into_iter().flatten().collect())
}

fn member(bill: &Bill, account: &Account, name: &str) -> Result<[(String, Vec<u8>); 3], Failure> {
    let pdf = bill_pdf(bill)
        .map_err(|error| Failure::Input(format!("the bill of account {:?}: {error}", account.id)))?;
    let json = bill.to_json().map_err(Failure::input)?;
    Ok([
        (format!("{name}.pdf"), pdf),
        (format!("{name}.csv"), bill.to_csv().into_bytes()),
        (format!("{name}.json"), json),
    ])
}

fn operator(computed: &Computed<'_>, loaded: &Loaded) -> Result<Files, Failure> {
    let mut json = serde_json::to_vec_pretty(&computed.opened).map_err(Failure::input)?;
    json.push(b'\n');
    let mut csv = "bill,account,total_ct\n".to_owned();
    for total in &computed.opened.totals {
        csv += &csv_row(&[
            total.bill.clone().unwrap_or_default(),
            total.account.clone(),
            total.total_ct.to_string(),
        ]);
    }
    let mut files =
        Files::from([("totals.json".to_owned(), json), ("totals.csv".to_owned(), csv.into_bytes())]);
    let creditor = &loaded.community.settings.creditor;
    let bills: Vec<(&Bill, &Account)> =
        computed.bills.iter().map(|(bill, account)| (bill, *account)).collect();
    for (name, file) in
        [("pain.008.xml", bank::debits(creditor, &bills)), ("pain.001.xml", bank::credits(creditor, &bills))]
    {
        if let Some(file) = file.map_err(Failure::input)? {
            files.insert(name.to_owned(), file.into_bytes());
        }
    }
    Ok(files)
}
