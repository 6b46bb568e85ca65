//! A final run: what was billed, chained to the run before by its digest.

use crate::bill::sha256;
use crate::correction::Corrected;
use crate::money::Amount;
use crate::period::{Date, Period};
use crate::settle::Payees;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

const FORMAT: u32 = 1;
/// What the first run has in the place of the digest before it.
pub const NO_RUN: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A bill of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its number.
    pub number: String,
    /// The account.
    pub account: String,
    /// What it comes to, exactly.
    pub exact: Amount,
    /// What is billed.
    pub total_ct: i64,
    /// SHA-256 of the bill's JSON.
    pub sha256: String,
}

/// Corrections of a month that could not be made yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deferred {
    /// The month.
    pub period: Period,
    /// Why.
    pub reason: String,
}

/// A final run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Version of this form.
    pub format: u32,
    /// The community.
    pub community: String,
    /// What is billed.
    pub period: Period,
    /// When.
    pub date: Date,
    /// SHA-256 of the run before.
    pub previous: String,
    /// The last import of readings that is worked in.
    pub last_import: u32,
    /// The bills, by number.
    pub bills: Vec<Entry>,
    /// Who gets what the accounts owe.
    pub payees: Payees,
    /// Earlier months that were corrected.
    pub corrected: Vec<Corrected>,
    /// Earlier months whose corrections wait.
    pub deferred: Vec<Deferred>,
    /// SHA-256 of each file that the run was made from, for the month's corrections to come.
    pub inputs: BTreeMap<String, String>,
}

/// A run that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the fields are what the messages say")]
pub enum RunError {
    /// Not of this form.
    #[error("is no run of format {FORMAT}: {0}")]
    Form(String),
    /// Another run before it.
    #[error(
        "the run of {period} does not follow the one before it: it names {named} and that is {actual}; a file was changed or exchanged"
    )]
    Chain { period: Period, named: String, actual: String },
    /// A month is left out.
    #[error(
        "{period} was billed, so that the next month to be billed is {next}, not {asked}; every month is billed once, in order"
    )]
    NotNext { period: Period, next: Period, asked: Period },
    /// Once is enough.
    #[error(
        "{0} is final, or lies before the first month that was billed; later corrections come inside of the next month's bills. `veilgrid bill show` shows it"
    )]
    IsFinal(Period),
    /// Bills and payees do not add up.
    #[error("the bills of {0} do not add up to what its payees get; a file was changed")]
    OutOfBalance(Period),
}

impl Run {
    /// The version of this form.
    pub const FORMAT: u32 = FORMAT;

    /// Its canonical bytes, which its digest is over.
    ///
    /// # Errors
    /// None for a run of this form.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads what [`Self::to_json`] wrote.
    ///
    /// # Errors
    /// [`RunError::Form`].
    pub fn parse(bytes: &[u8]) -> Result<Self, RunError> {
        let run: Self = serde_json::from_slice(bytes).map_err(|error| RunError::Form(error.to_string()))?;
        if run.format == FORMAT {
            Ok(run)
        } else {
            Err(RunError::Form(format!("it has format {}", run.format)))
        }
    }

    /// Checks that what all accounts owe is what is paid out of it, with all corrections, and that each bill is its exact amount
    /// rounded down.
    ///
    /// # Errors
    /// [`RunError::OutOfBalance`].
    pub fn check_balance(&self) -> Result<(), RunError> {
        let owed = Amount::sum(self.bills.iter().map(|bill| bill.exact));
        let corrected = self.corrected.iter().map(|one| one.amount);
        let paid =
            Amount::sum(self.payees.fees.values().copied().chain([self.payees.community]).chain(corrected));
        let is_rounded = self.bills.iter().all(|bill| bill.exact.floor_ct() == Some(bill.total_ct));
        if owed.is_ok() && owed == paid && is_rounded {
            Ok(())
        } else {
            Err(RunError::OutOfBalance(self.period))
        }
    }
}

/// Checks that runs are chained, month after month, and each in balance; `runs` are their bytes with what they say, in order.
/// The digest that the next one has to name.
///
/// # Errors
/// The first [`RunError`].
pub fn check_chain<'a>(runs: impl IntoIterator<Item = (&'a [u8], &'a Run)>) -> Result<String, RunError> {
    let (mut digest, mut before): (String, Option<Period>) = (NO_RUN.to_owned(), None);
    for (bytes, run) in runs {
        if run.previous != digest {
            return Err(RunError::Chain { period: run.period, named: run.previous.clone(), actual: digest });
        }
        check_next(before, run.period)?;
        run.check_balance()?;
        (digest, before) = (sha256(bytes), Some(run.period));
    }
    Ok(digest)
}

/// Checks that a month is the one to be billed after the last.
///
/// # Errors
/// [`RunError::IsFinal`], [`RunError::NotNext`].
pub fn check_next(last: Option<Period>, asked: Period) -> Result<(), RunError> {
    match last {
        Some(period) if asked <= period => Err(RunError::IsFinal(asked)),
        Some(period) if asked != period.next() => {
            Err(RunError::NotNext { period, next: period.next(), asked })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(period: &str, previous: String, ct: i64) -> Run {
        let entry = |number: &str, exact: Amount| Entry {
            number: number.into(),
            account: number.into(),
            exact,
            total_ct: exact.floor_ct().expect("ct"),
            sha256: String::new(),
        };
        let half = Amount::from_units(crate::money::UNITS_PER_CT / 2).expect("half a cent");
        let payees =
            Payees { community: Amount::from_ct(ct), fees: [(7, Amount::from_ct(2))].into(), shared_q16: 0 };
        let corrected = Corrected {
            period: "2026-01".parse().expect("a month"),
            last_import: 2,
            accounts: 2,
            amount: half,
        };
        let rest =
            Amount::from_ct(ct + 2).plus(half).and_then(|sum| sum.plus(Amount::from_ct(-7))).expect("rest");
        Run {
            format: FORMAT,
            community: "c".into(),
            period: period.parse().expect("a month"),
            date: "2026-04-02".parse().expect("a date"),
            previous,
            last_import: 3,
            bills: vec![entry("1", Amount::from_ct(7)), entry("2", rest)],
            payees,
            corrected: vec![corrected],
            deferred: Vec::new(),
            inputs: BTreeMap::new(),
        }
    }

    #[test]
    fn a_chain_holds_and_every_change_breaks_it() {
        let first = run("2026-02", NO_RUN.into(), 10);
        let first_bytes = first.to_json().expect("JSON");
        let second = run("2026-03", sha256(&first_bytes), -20);
        let second_bytes = second.to_json().expect("JSON");
        assert_eq!(Run::parse(&second_bytes).expect("a run"), second);
        let check = |first: &Run, second: &Run| {
            let bytes = [first, second].map(|run| run.to_json().expect("JSON"));
            check_chain([(&bytes[0][..], first), (&bytes[1][..], second)])
        };
        assert_eq!(check(&first, &second), Ok(sha256(&second_bytes)));
        let mut altered = first.clone();
        altered.last_import = 4;
        assert!(matches!(check(&altered, &second), Err(RunError::Chain { .. })));
        for change in [
            |run: &mut Run| run.bills[0].total_ct += 1,
            |run: &mut Run| run.bills[0].exact = Amount::from_ct(8),
            |run: &mut Run| run.payees.community = Amount::from_ct(0),
            |run: &mut Run| run.corrected.clear(),
        ] {
            let mut altered = second.clone();
            change(&mut altered);
            assert_eq!(check(&first, &altered), Err(RunError::OutOfBalance(second.period)));
        }
        let gap = run("2026-05", sha256(&first_bytes), 0);
        assert!(matches!(check(&first, &gap), Err(RunError::NotNext { .. })));
        let again = run("2026-02", sha256(&first_bytes), 0);
        assert!(matches!(check(&first, &again), Err(RunError::IsFinal(_))));
    }
}
