//! Money exactly, in units of Wh/2^16 times mct/kWh, and rounded once, down to a cent.

use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;
use veilgrid_market::units::{format_exact_ct_q16, format_ratio};

/// Units in one cent: 1000 mct times 1000 Wh times 2^16.
pub const UNITS_PER_CT: i128 = 65_536_000_000;
/// Nothing on a bill is as much as that: 2^80 units are 184 billion euros.
const MAX_UNITS: i128 = 1 << 80;

/// An amount beyond any bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("an amount is above 184 billion euros; check energies and prices")]
pub struct TooMuch;

/// An exact amount; above zero the account owes it, below zero it gets it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Amount(i128);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// What an energy (Wh/2^16) costs at a price (mct/kWh).
    ///
    /// # Errors
    /// [`TooMuch`].
    pub fn of(energy_q16: i128, price_mct_per_kwh: i64) -> Result<Self, TooMuch> {
        Self::from_units(energy_q16.checked_mul(price_mct_per_kwh.into()).ok_or(TooMuch)?)
    }

    /// From its units.
    ///
    /// # Errors
    /// [`TooMuch`].
    pub fn from_units(units: i128) -> Result<Self, TooMuch> {
        if (-MAX_UNITS..=MAX_UNITS).contains(&units) { Ok(Self(units)) } else { Err(TooMuch) }
    }

    /// Whole cents as an exact amount.
    pub fn from_ct(ct: i64) -> Self {
        // 2^63 cents are 2^99 units: still far inside of 128 bits.
        Self(i128::from(ct) * UNITS_PER_CT)
    }

    /// Its units.
    pub fn units(self) -> i128 {
        self.0
    }

    /// The sum.
    ///
    /// # Errors
    /// [`TooMuch`].
    pub fn plus(self, other: Self) -> Result<Self, TooMuch> {
        Self::from_units(self.0 + other.0)
    }

    /// The other way round.
    #[must_use]
    pub fn negated(self) -> Self {
        Self(-self.0)
    }

    /// The sum of many.
    ///
    /// # Errors
    /// [`TooMuch`].
    pub fn sum(amounts: impl IntoIterator<Item = Self>) -> Result<Self, TooMuch> {
        amounts.into_iter().try_fold(Self::ZERO, Self::plus)
    }

    /// Whole cents, rounded down (settlement, rule 20): who owes pays less, who gets gets more; never by a cent.
    pub fn floor_ct(self) -> Option<i64> {
        i64::try_from(self.0.div_euclid(UNITS_PER_CT)).ok()
    }

    /// In ct with all decimals.
    pub fn exact_ct(self) -> String {
        format_exact_ct_q16(self.0)
    }

    /// In euros, cut toward zero at four decimals, for reading.
    pub fn shown_eur(self) -> String {
        format_ratio(self.0, 100 * UNITS_PER_CT.unsigned_abs(), 4)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ct", self.exact_ct())
    }
}

impl TryFrom<String> for Amount {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let units: i128 = text.parse().map_err(|_| format!("{text:?} is no whole number of units"))?;
        // One value has one text.
        if units.to_string() != text {
            return Err(format!("{text:?} is not as units are written"));
        }
        Self::from_units(units).map_err(|error| error.to_string())
    }
}

impl From<Amount> for String {
    fn from(amount: Amount) -> Self {
        amount.0.to_string()
    }
}

/// Cents as euros: `-12.05`.
pub fn format_eur(ct: i64) -> String {
    format_ratio(ct.into(), 100, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_and_rounded_down_once() {
        let cent = Amount::of(1 << 16, 1_000_000).expect("a cent: 1 Wh at 10 EUR/kWh");
        assert_eq!((cent.units(), cent.floor_ct()), (UNITS_PER_CT, Some(1)));
        let less = Amount::of((1 << 16) - 1, 1_000_000).expect("less");
        assert_eq!((less.floor_ct(), less.negated().floor_ct()), (Some(0), Some(-1)));
        assert_eq!(Amount::of(3 << 16, -17_005).expect("negative").exact_ct(), "-0.051015");
        assert_eq!(Amount::from_ct(-1_205).shown_eur(), "-12.0500");
        assert_eq!([0, 7, -7, 100, -1_205].map(format_eur), ["0.00", "0.07", "-0.07", "1.00", "-12.05"]);
        assert_eq!(Amount::of(i128::MAX, 2), Err(TooMuch));
        assert_eq!(Amount::from_units(MAX_UNITS + 1), Err(TooMuch));
        assert!(Amount::from_units(MAX_UNITS).is_ok_and(|most| most.plus(cent).is_err()));
    }

    #[test]
    fn one_amount_has_one_text() {
        for text in ["0", "-65536000000", "1"] {
            let amount: Amount = serde_json::from_str(&format!("\"{text}\"")).expect("an amount");
            assert_eq!(serde_json::to_string(&amount).expect("text"), format!("\"{text}\""));
        }
        for text in ["\"01\"", "\"+1\"", "\"-0\"", "1", "\"1.5\"", "\"99999999999999999999999999\""] {
            assert!(serde_json::from_str::<Amount>(text).is_err(), "{text}");
        }
    }
}
