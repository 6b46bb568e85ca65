//! A month's energy shared out, and what each account owes and gets for it, line by line, exactly.

use crate::money::{Amount, TooMuch};
use crate::readings::{Complete, GradeCounts};
use crate::tariffs::{Fees, PriceError, Prices};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;
use veilgrid_market::sharing::{Direction, SharingError, SharingKey, SlotReadings, SlotShares, share_slot};
use veilgrid_market::tariffs::TariffError;
use veilgrid_market::timestamp::format_utc;

/// What a line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Energy of the community that the account consumed.
    Bought,
    /// Energy that the account delivered to the community.
    Sold,
    /// Network fee on what was bought.
    FeeBought,
    /// Network fee on what was sold.
    FeeSold,
}

/// What tells lines of one account apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LineKey {
    /// What for.
    pub kind: Kind,
    /// The tariff's name, or the zone's.
    pub name: String,
    /// Price or fee.
    pub price_mct_per_kwh: i64,
}

impl LineKey {
    /// What an energy on this line costs the account; below zero, what it brings.
    ///
    /// # Errors
    /// [`TooMuch`].
    pub fn amount(&self, energy_q16: i128) -> Result<Amount, TooMuch> {
        let amount = Amount::of(energy_q16, self.price_mct_per_kwh)?;
        Ok(if self.kind == Kind::Sold { amount.negated() } else { amount })
    }
}

/// Energy by line, Wh/2^16. Below zero only in what a correction changes.
pub type Lines = BTreeMap<LineKey, i128>;

/// What all lines come to.
///
/// # Errors
/// [`TooMuch`].
pub fn total(lines: &Lines) -> Result<Amount, TooMuch> {
    lines.iter().try_fold(Amount::ZERO, |sum, (key, energy)| sum.plus(key.amount(*energy)?))
}

/// Energy of one direction of an account, and how much of it was shared. The rest is between member and supplier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// What the meter counted, Wh.
    pub metered_wh: u64,
    /// Of it shared in the community, Wh/2^16.
    pub shared_q16: u64,
    /// Values by grade: measured, substituted, estimated.
    pub grades: GradeCounts,
}

/// An account's month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountMonth {
    /// What is billed.
    pub lines: Lines,
    /// What was consumed.
    pub consumption: Side,
    /// What was generated.
    pub generation: Side,
}

/// What the payees get of the whole community: from the slots' sums, not from the accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payees {
    /// What members paid for energy less what members got for it: the community's margin, and what rounding left it.
    pub community: Amount,
    /// The network operator's fees by zone.
    pub fees: BTreeMap<u16, Amount>,
    /// Energy that was shared, Wh/2^16.
    pub shared_q16: u64,
}

/// A month, settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// By account, in their order.
    pub accounts: Vec<AccountMonth>,
    /// Who gets what they owe.
    pub payees: Payees,
}

/// The rules of a month.
#[derive(Debug, Clone)]
pub struct Terms {
    /// How energy is shared out.
    pub key: SharingKey,
    /// What it costs.
    pub prices: Prices,
    /// Network fees, in the order of time; none at all where nobody charges them.
    pub fees: Vec<Fees>,
    /// The zone of each account.
    pub zones: Vec<u16>,
}

/// Why a month can't be settled.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the fields are what the messages say")]
pub enum SettleError {
    /// A slot that can't be shared out.
    #[error("{start}: {why}")]
    Sharing { start: String, why: SharingError },
    /// No price or fee.
    #[error(transparent)]
    Price(#[from] PriceError),
    /// A zone without fees.
    #[error("{start}: {why}")]
    Zone { start: String, why: TariffError },
    /// Beyond any bill.
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
    /// A bug: what accounts owe is not what payees get.
    #[error(
        "what the accounts owe is not what is paid out of it: {accounts} and {payees}; this is a bug, please report it"
    )]
    OutOfBalance { accounts: Amount, payees: Amount },
}

/// Energies of an account: by tariff, by stretch of fees.
#[derive(Clone)]
struct Sums {
    bought: Vec<u64>,
    sold: Vec<u64>,
    fee_bought: Vec<u64>,
    fee_sold: Vec<u64>,
}

/// Shares a complete month out and prices it. What all accounts owe is what the payees get, to the last unit.
///
/// # Errors
/// [`SettleError`].
pub fn settle(complete: &Complete, terms: &Terms) -> Result<Settlement, SettleError> {
    let (tariffs, fees) = (terms.prices.tariffs().len(), terms.fees.len());
    let none = Sums {
        bought: vec![0; tariffs],
        sold: vec![0; tariffs],
        fee_bought: vec![0; fees],
        fee_sold: vec![0; fees],
    };
    let readings = complete.readings();
    let mut sums = vec![none; readings.accounts.len()];
    let mut sides = vec![[Side::default(); 2]; readings.accounts.len()];
    let mut payees = Payees::default();
    for slot in &readings.slots {
        let at = Place::of(slot, terms)?;
        let shares = share(readings, slot, &terms.key)?;
        take_slot(slot, &shares, &at, &mut sums, &mut sides)?;
        payees.add(terms, &at, &shares)?;
    }
    let mut accounts = Vec::with_capacity(sums.len());
    for (account, (sums, [mut consumption, mut generation])) in sums.iter().zip(sides).enumerate() {
        [consumption.grades, generation.grades] = complete.grades.get(account).copied().unwrap_or_default();
        let zone = terms.zones.get(account).copied().unwrap_or_default();
        accounts.push(AccountMonth { lines: lines_of(sums, terms, zone)?, consumption, generation });
    }
    payees.fees = fees_by_zone(&sums, terms)?;
    check_balance(&accounts, &payees)?;
    Ok(Settlement { accounts, payees })
}

/// Where a slot stands among tariffs and fees.
struct Place {
    tariff: usize,
    fees: Option<usize>,
}

impl Place {
    fn of(slot: &SlotReadings, terms: &Terms) -> Result<Self, SettleError> {
        let start = slot.start_unix_s;
        let tariff = terms.prices.at(start).ok_or_else(|| PriceError::NoPrice(format_utc(start)))?;
        let in_force = terms.fees.partition_point(|fees| fees.from_unix_s <= start);
        if in_force == 0 && !terms.fees.is_empty() {
            return Err(PriceError::NoFees(format_utc(start)).into());
        }
        Ok(Self { tariff, fees: in_force.checked_sub(1) })
    }
}

fn share(
    readings: &veilgrid_market::sharing::Readings,
    slot: &SlotReadings,
    key: &SharingKey,
) -> Result<SlotShares, SettleError> {
    let energies =
        |direction| slot.of(direction).iter().map(|reading| reading.energy_wh).collect::<Vec<u64>>();
    let shares = key.shares(readings, slot);
    share_slot(&energies(Direction::Consumption), &energies(Direction::Generation), shares.as_deref())
        .map_err(|why| SettleError::Sharing { start: format_utc(slot.start_unix_s), why })
}

fn take_slot(
    slot: &SlotReadings,
    shares: &SlotShares,
    at: &Place,
    sums: &mut [Sums],
    sides: &mut [[Side; 2]],
) -> Result<(), TooMuch> {
    let both = [(&slot.consumption, &shares.consumers_q16), (&slot.generation, &shares.producers_q16)];
    for (side, (readings, amounts)) in both.into_iter().enumerate() {
        for (reading, amount) in readings.iter().zip(amounts) {
            let (Some(sums), Some(sides)) = (sums.get_mut(reading.account), sides.get_mut(reading.account))
            else {
                continue;
            };
            let (energy, fee) = if side == 0 {
                (&mut sums.bought, &mut sums.fee_bought)
            } else {
                (&mut sums.sold, &mut sums.fee_sold)
            };
            add(energy.get_mut(at.tariff), *amount)?;
            add(at.fees.and_then(|fees| fee.get_mut(fees)), *amount)?;
            add(Some(&mut sides[side].metered_wh), reading.energy_wh)?;
            add(Some(&mut sides[side].shared_q16), *amount)?;
        }
    }
    Ok(())
}

fn add(sum: Option<&mut u64>, amount: u64) -> Result<(), TooMuch> {
    if let Some(sum) = sum {
        *sum = sum.checked_add(amount).ok_or(TooMuch)?;
    }
    Ok(())
}

impl Payees {
    /// Takes a slot's sums: D and G with their fractions, no account's.
    fn add(&mut self, terms: &Terms, at: &Place, shares: &SlotShares) -> Result<(), SettleError> {
        let Some(tariff) = terms.prices.tariffs().get(at.tariff) else { return Ok(()) };
        let delivered = shares.shared_q16.checked_sub(shares.rounding_q16).ok_or(TooMuch)?;
        let paid = Amount::of(shares.shared_q16.into(), tariff.buy_mct_per_kwh)?;
        let got = Amount::of(delivered.into(), tariff.sell_mct_per_kwh)?;
        self.community = self.community.plus(paid)?.plus(got.negated())?;
        add(Some(&mut self.shared_q16), shares.shared_q16)?;
        Ok(())
    }
}

fn lines_of(sums: &Sums, terms: &Terms, zone: u16) -> Result<Lines, SettleError> {
    let mut lines = Lines::new();
    let mut line = |kind, name: &str, price_mct_per_kwh: i64, energy: u64| {
        if energy > 0 {
            *lines.entry(LineKey { kind, name: name.to_owned(), price_mct_per_kwh }).or_default() +=
                i128::from(energy);
        }
    };
    for (tariff, (bought, sold)) in terms.prices.tariffs().iter().zip(sums.bought.iter().zip(&sums.sold)) {
        line(Kind::Bought, &tariff.name, tariff.buy_mct_per_kwh, *bought);
        line(Kind::Sold, &tariff.name, tariff.sell_mct_per_kwh, *sold);
    }
    for (fees, (bought, sold)) in terms.fees.iter().zip(sums.fee_bought.iter().zip(&sums.fee_sold)) {
        // A fee that is zero is no line.
        let fee = fees.by_zone.of(zone, 1, 0).and_then(|bought| Ok((bought, fees.by_zone.of(zone, 0, 1)?)));
        let (fee_in, fee_out) =
            fee.map_err(|why| SettleError::Zone { start: format_utc(fees.from_unix_s), why })?;
        let name = fees.names.get(&zone).cloned().unwrap_or_else(|| format!("zone {zone}"));
        for (kind, fee, energy) in [(Kind::FeeBought, fee_in, *bought), (Kind::FeeSold, fee_out, *sold)] {
            let fee = i64::try_from(fee).map_err(|_| TooMuch)?;
            if fee > 0 {
                line(kind, &name, fee, energy);
            }
        }
    }
    Ok(lines)
}

/// The network operator's fees by zone, from what the zone's accounts traded together.
fn fees_by_zone(sums: &[Sums], terms: &Terms) -> Result<BTreeMap<u16, Amount>, SettleError> {
    let mut by_zone = BTreeMap::new();
    for (at, fees) in terms.fees.iter().enumerate() {
        let mut traded: BTreeMap<u16, (u128, u128)> = BTreeMap::new();
        for (sums, zone) in sums.iter().zip(&terms.zones) {
            let zone = traded.entry(*zone).or_default();
            zone.0 += sums.fee_bought.get(at).copied().map_or(0, u128::from);
            zone.1 += sums.fee_sold.get(at).copied().map_or(0, u128::from);
        }
        for (zone, (bought, sold)) in traded {
            let fee = fees.by_zone.of(zone, bought, sold);
            let fee = fee.map_err(|why| SettleError::Zone { start: format_utc(fees.from_unix_s), why })?;
            let fee = Amount::from_units(i128::try_from(fee).map_err(|_| TooMuch)?)?;
            let sum: &mut Amount = by_zone.entry(zone).or_default();
            *sum = sum.plus(fee)?;
        }
    }
    Ok(by_zone)
}

fn check_balance(accounts: &[AccountMonth], payees: &Payees) -> Result<(), SettleError> {
    let owed = accounts.iter().try_fold(Amount::ZERO, |sum, account| sum.plus(total(&account.lines)?))?;
    let paid = Amount::sum(payees.fees.values().copied())?.plus(payees.community)?;
    if owed == paid { Ok(()) } else { Err(SettleError::OutOfBalance { accounts: owed, payees: paid }) }
}
