//! What later readings change in a month that was billed.

use crate::money::{Amount, TooMuch};
use crate::period::Period;
use crate::readings::ChangedDay;
use crate::settle::{Lines, total};
use serde::{Deserialize, Serialize};

/// The energy by line that an account is billed more (below zero: less) than it has been. Empty when nothing changed.
///
/// What it has been billed is the month's bill and all notes on it since, so that each change is billed exactly once.
pub fn difference<'a>(now: &Lines, billed: impl IntoIterator<Item = &'a Lines>) -> Lines {
    let mut rest = now.clone();
    for lines in billed {
        for (key, energy) in lines {
            // Energies of a month are below 2^80: no sum of them leaves 128 bits.
            *rest.entry(key.clone()).or_default() -= energy;
        }
    }
    rest.retain(|_, energy| *energy != 0);
    rest
}

/// A credit or debit note inside of a bill: what it corrects, and by how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The month that is corrected.
    pub period: Period,
    /// The bill that is corrected.
    pub bill: Option<String>,
    /// What is billed more, or less.
    pub lines: Lines,
    /// Days on which the account's own readings changed; none if only others' did, which changes what is shared out.
    pub days: Vec<ChangedDay>,
}

impl Note {
    /// What it comes to.
    ///
    /// # Errors
    /// [`TooMuch`].
    pub fn amount(&self) -> Result<Amount, TooMuch> {
        total(&self.lines)
    }
}

/// All corrections of a month that one run bills, over all accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Corrected {
    /// The month.
    pub period: Period,
    /// The last import of readings that is worked in.
    pub last_import: u32,
    /// Accounts whose bill changes by more than nothing.
    pub accounts: u64,
    /// What the payees of that month get more, or less; the accounts' corrections together.
    pub amount: Amount,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settle::{Kind, LineKey};

    fn key(name: &str) -> LineKey {
        LineKey { kind: Kind::Bought, name: name.into(), price_mct_per_kwh: 10_000 }
    }

    #[test]
    fn a_change_is_billed_once_and_a_change_back_is_billed_back() {
        let billed = Lines::from([(key("day"), 100), (key("night"), 50)]);
        let now = Lines::from([(key("day"), 130), (key("evening"), 7)]);
        let note = difference(&now, [&billed]);
        assert_eq!(note, Lines::from([(key("day"), 30), (key("night"), -50), (key("evening"), 7)]));
        assert_eq!(difference(&now, [&billed, &note]), Lines::new());
        let back = difference(&billed, [&billed, &note]);
        assert_eq!(back, Lines::from([(key("day"), -30), (key("night"), 50), (key("evening"), -7)]));
    }
}
