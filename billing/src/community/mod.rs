//! A community as its files say: `community.toml`, the accounts and the meters as CSV.

mod settings;
mod tables;

pub use settings::{Creditor, FeeList, Hours, KeyKind, PriceList, PricedHours, Settings, SettingsError};
pub use tables::{Account, Mandate, Meter, TablesError, parse_accounts, parse_meters};

use crate::period::{Date, Period};
use veilgrid_market::sharing::{Direction, SharingKey};

/// A community.
#[derive(Debug, Clone)]
pub struct Community {
    /// `community.toml`.
    pub settings: Settings,
    /// Its accounts.
    pub accounts: Vec<Account>,
    /// Its meters, each with the account that it counts for.
    pub meters: Vec<Meter>,
    /// How energy is shared out.
    pub key: SharingKey,
}

impl Community {
    /// Puts the files together.
    ///
    /// # Errors
    /// [`TablesError`]: what one file says of the other and is not so.
    pub fn new(
        settings: Settings,
        accounts: Vec<Account>,
        meters: Vec<Meter>,
        key: SharingKey,
    ) -> Result<Self, TablesError> {
        tables::check(&settings, &accounts, &meters)?;
        Ok(Self { settings, accounts, meters, key })
    }

    /// The place of an account.
    pub fn place(&self, account: &str) -> Option<usize> {
        self.accounts.iter().position(|one| one.id == account)
    }

    /// Meters that count in a month, by account, direction and time.
    pub fn meters_of(&self, period: Period) -> Vec<&Meter> {
        let (first, last) = (period.date(1), period.date(period.days()));
        let mut meters: Vec<&Meter> = self.meters.iter().filter(|meter| meter.counts(first, last)).collect();
        meters.sort_by_key(|meter| (self.place(&meter.account), meter.direction, meter.from));
        meters
    }
}

impl Meter {
    /// Whether it counts on a day.
    pub fn counts_on(&self, date: Date) -> bool {
        self.counts(Some(date), Some(date))
    }

    fn counts(&self, first: Option<Date>, last: Option<Date>) -> bool {
        let begins = self.from.is_none_or(|from| last.is_none_or(|last| from <= last));
        begins && self.to.is_none_or(|to| first.is_none_or(|first| to >= first))
    }

    /// Whether both count on some day.
    fn overlaps(&self, other: &Self) -> bool {
        self.counts(other.from, other.to)
    }
}

/// A direction of a file.
pub(crate) fn direction(text: &str) -> Option<Direction> {
    [Direction::Consumption, Direction::Generation].into_iter().find(|direction| direction.name() == text)
}
