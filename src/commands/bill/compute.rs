//! A month's bills from files, readings and final months; nothing is written here.

use super::calendar::{Calendar, terms};
use super::corrections::{Corrections, corrections};
use super::known::Readings;
use super::load::Loaded;
use super::store::Store;
use crate::failure::Failure;
use crate::output;
use std::collections::BTreeSet;
use veilgrid_billing::bill::{Bill, Parts, sha256};
use veilgrid_billing::community::{Account, Community};
use veilgrid_billing::correction::Note;
use veilgrid_billing::opened::{Opened, OpenedTotal, Standing, opened};
use veilgrid_billing::payment::Payment;
use veilgrid_billing::period::{Date, Period};
use veilgrid_billing::readings::complete;
use veilgrid_billing::run::{Entry, Run};
use veilgrid_billing::settle::{Payees, Settlement, settle};
use veilgrid_billing::standing;

/// What is asked for.
pub struct Asked {
    pub period: Period,
    pub date: Date,
    pub pay_on: Date,
    pub is_final: bool,
}

/// A month, ready to be written or shown.
pub struct Computed<'a> {
    pub bills: Vec<(Bill, &'a Account)>,
    pub run: Run,
    pub opened: Opened,
}

/// Bills a month.
///
/// # Errors
/// Gaps and grades with account and slots, prices and fees that are not there, accounts that are not there any more.
pub fn compute<'a>(
    loaded: &'a Loaded,
    readings: &Readings,
    store: &Store,
    asked: &Asked,
) -> Result<Computed<'a>, Failure> {
    let community = &loaded.community;
    readings.check_zone(community)?;
    let calendar = Calendar::of(&readings.folder.zone, asked.period, readings.folder.slot_seconds)?;
    let terms = terms(community, &readings.folder.zone, &calendar)?;
    let (known, _) = readings.known(community, asked.period, &calendar, None)?;
    if known.series.is_empty() {
        return Err(Failure::Input(format!(
            "no meter counts for any account in {}; see the meters' from and to",
            asked.period
        )));
    }
    let complete = complete(&known, &community.settings.billed_grades).map_err(Failure::input)?;
    let settlement = settle(&complete, &terms).map_err(Failure::input)?;
    let corrections = corrections(store, readings)?;
    for deferred in &corrections.deferred {
        let reason = output::harmless_lines(&deferred.reason);
        eprintln!("note: corrections of {} wait, they can't be billed yet: {reason}", deferred.period);
    }
    let metered: BTreeSet<usize> = known.series.iter().map(|series| series.account).collect();
    let opened_accounts: BTreeSet<String> =
        standing::opened(&loaded.orders, asked.period).map_err(Failure::input)?.into_iter().collect();
    let bills = bills(community, &settlement, &corrections, &metered, &opened_accounts, asked)?;
    let run = run(loaded, readings, store, asked, &bills, settlement.payees, corrections)?;
    run.check_balance().map_err(Failure::input)?;
    let opened = told(community, &run, &bills, &opened_accounts);
    Ok(Computed { bills, run, opened })
}

fn bills<'a>(
    community: &'a Community,
    settlement: &Settlement,
    corrections: &Corrections,
    metered: &BTreeSet<usize>,
    opened_accounts: &BTreeSet<String>,
    asked: &Asked,
) -> Result<Vec<(Bill, &'a Account)>, Failure> {
    if let Some(gone) = corrections.notes.keys().find(|account| community.place(account).is_none()) {
        return Err(Failure::Input(format!(
            "account {gone:?} has a correction of an earlier month and is not among the accounts any more; put it back, without a meter, \
             until it is settled"
        )));
    }
    let mut bills = Vec::new();
    for (at, (account, month)) in community.accounts.iter().zip(&settlement.accounts).enumerate() {
        let notes: &[Note] = corrections.notes.get(&account.id).map(Vec::as_slice).unwrap_or_default();
        if !metered.contains(&at) && notes.is_empty() {
            continue;
        }
        let number = asked.is_final.then(|| format!("{}-{:04}", asked.period, bills.len() + 1));
        let is_opened = opened_accounts.contains(&account.id);
        let parts = Parts {
            settings: &community.settings,
            account,
            period: asked.period,
            date: asked.date,
            number,
            month,
            notes,
        };
        let payment =
            |total_ct| Payment::of(total_ct, account, &community.settings.creditor, is_opened, asked.pay_on);
        bills.push((Bill::new(&parts, payment).map_err(Failure::input)?, account));
    }
    Ok(bills)
}

fn run(
    loaded: &Loaded,
    readings: &Readings,
    store: &Store,
    asked: &Asked,
    bills: &[(Bill, &Account)],
    payees: Payees,
    corrections: Corrections,
) -> Result<Run, Failure> {
    let entry = |(bill, account): &(Bill, &Account)| {
        let bytes = bill.to_json().map_err(Failure::input)?;
        Ok(Entry {
            number: bill.number.clone().unwrap_or_default(),
            account: account.id.clone(),
            exact: bill.exact,
            total_ct: bill.total_ct,
            sha256: sha256(&bytes),
        })
    };
    Ok(Run {
        format: Run::FORMAT,
        community: loaded.community.settings.name.clone(),
        period: asked.period,
        date: asked.date,
        previous: store.last_digest.clone(),
        last_import: readings.last_import,
        bills: bills.iter().map(entry).collect::<Result<_, Failure>>()?,
        payees,
        corrected: corrections.corrected,
        deferred: corrections.deferred,
        inputs: loaded.files.iter().map(|(name, bytes)| (name.clone(), sha256(bytes))).collect(),
    })
}

/// What the operator gets of it.
fn told(
    community: &Community,
    run: &Run,
    bills: &[(Bill, &Account)],
    opened_accounts: &BTreeSet<String>,
) -> Opened {
    let is_opened = |account: &Account| opened_accounts.contains(&account.id);
    let totals = bills.iter().filter(|(_, account)| is_opened(account)).map(|(bill, account)| OpenedTotal {
        account: account.id.clone(),
        bill: bill.number.clone(),
        total_ct: bill.total_ct,
    });
    let standings: Vec<Standing> = bills
        .iter()
        .map(|(_, account)| Standing { zone: account.zone, is_opened: is_opened(account) })
        .collect();
    let settings = &community.settings;
    let whose = (settings.name.as_str(), run.period, settings.min_accounts);
    opened(whose, totals.collect(), &standings, &run.payees, &run.corrected)
}
