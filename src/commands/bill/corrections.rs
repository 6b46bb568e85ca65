//! What later readings change in months that are final: each change goes into the next bill, once.

use super::calendar::{Calendar, terms};
use super::known::Readings;
use super::store::{Store, Stored};
use crate::failure::Failure;
use std::collections::BTreeMap;
use veilgrid_billing::correction::{Corrected, Note, difference};
use veilgrid_billing::money::Amount;
use veilgrid_billing::period::Period;
use veilgrid_billing::readings::{changed_days, complete};
use veilgrid_billing::run::Deferred;
use veilgrid_billing::settle::{Lines, settle};

/// All corrections that a month's bills have to hold.
#[derive(Default)]
pub struct Corrections {
    /// Notes by account.
    pub notes: BTreeMap<String, Vec<Note>>,
    pub corrected: Vec<Corrected>,
    pub deferred: Vec<Deferred>,
}

/// Looks at every final month.
///
/// # Errors
/// Files that can't be read. A month whose new readings can't be billed is put off, not refused: else one late guess would stop all
/// bills to come.
pub fn corrections(store: &Store, readings: &Readings) -> Result<Corrections, Failure> {
    let mut all = Corrections::default();
    for month in &store.months {
        correct(store, month, readings, &mut all)?;
    }
    Ok(all)
}

fn correct(store: &Store, month: &Stored, readings: &Readings, all: &mut Corrections) -> Result<(), Failure> {
    let period = month.run.period;
    let seen = seen_import(store, period);
    let loaded = month.inputs()?;
    let community = &loaded.community;
    readings.check_zone(community)?;
    let calendar = Calendar::of(&readings.folder.zone, period, readings.folder.slot_seconds)?;
    let (now, newest) = readings.known(community, period, &calendar, None)?;
    if newest <= seen {
        return Ok(());
    }
    let complete = match complete(&now, &community.settings.billed_grades) {
        Ok(complete) => complete,
        Err(incomplete) => {
            all.deferred.push(Deferred { period, reason: incomplete.to_string() });
            return Ok(());
        }
    };
    let settled =
        settle(&complete, &terms(community, &readings.folder.zone, &calendar)?).map_err(Failure::input)?;
    let (before, _) = readings.known(community, period, &calendar, Some(seen))?;
    let mut days = changed_days(&before, &now, |slot| calendar.date_of(slot));
    let mut corrected = Corrected { period, last_import: newest, accounts: 0, amount: Amount::ZERO };
    for (account, settled) in community.accounts.iter().zip(&settled.accounts) {
        let (billed, bill) = billed(store, period, &account.id)?;
        let lines = difference(&settled.lines, billed.iter());
        if lines.is_empty() {
            continue;
        }
        let note = Note { period, bill, lines, days: days.remove(&account.id).unwrap_or_default() };
        corrected.accounts += 1;
        corrected.amount =
            note.amount().and_then(|amount| corrected.amount.plus(amount)).map_err(Failure::input)?;
        all.notes.entry(account.id.clone()).or_default().push(note);
    }
    all.corrected.push(corrected);
    Ok(())
}

/// The last import that is in what was billed for a month until now.
fn seen_import(store: &Store, period: Period) -> u32 {
    let own = |month: &Stored| (month.run.period == period).then_some(month.run.last_import);
    let later = |month: &Stored| {
        let corrected = month.run.corrected.iter().find(|one| one.period == period);
        corrected.map(|one| one.last_import)
    };
    store.months.iter().filter_map(|month| own(month).or_else(|| later(month))).max().unwrap_or(0)
}

/// What an account was billed for a month until now, and the number of its bill.
fn billed(store: &Store, period: Period, account: &str) -> Result<(Vec<Lines>, Option<String>), Failure> {
    let (mut lines, mut number) = (Vec::new(), None);
    for month in &store.months {
        let is_own = month.run.period == period;
        if !is_own && !month.run.corrected.iter().any(|one| one.period == period) {
            continue;
        }
        if let Some(bill) = month.bill(account)? {
            lines.push(bill.billed(period));
            if is_own {
                number = bill.number;
            }
        }
    }
    Ok((lines, number))
}
