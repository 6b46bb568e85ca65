//! Amounts of money as people write them: exact decimals, never a float.

use thiserror::Error;
use veilgrid_ledger::money::market::{MAX_MONEY_UNITS, UNITS_PER_CT};
use veilgrid_market::units::format_ratio;
use veilgrid_market::{DecimalError, parse_decimal_scaled};

/// Decimals of a ct with which every amount of units is exact: a ct are 2^22 times 5^6 units.
const EXACT_DECIMALS: u32 = 22;
/// Units of a ct times this are a power of ten: 10^22.
const UNITS_TO_DECIMALS: i128 = 10i128.pow(EXACT_DECIMALS) / UNITS_PER_CT;

/// Why a text is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AmountError {
    /// It is no number.
    #[error(transparent)]
    Decimal(#[from] DecimalError),
    /// "Whole cents are paid."
    #[error("a part of a cent can't be paid; give whole cents")]
    PartOfACent,
    /// "An amount that is paid is one cent at least."
    #[error("an amount is at least one cent")]
    Nothing,
    /// "Amounts are below what balances can hold."
    #[error("more than a ledger's balances can hold ({} EUR)", MAX_MONEY_UNITS / UNITS_PER_CT / 100)]
    TooMuch,
    /// "A balance is a whole number of units."
    #[error("no balance is this to the last digit: a ct has {UNITS_PER_CT} parts; give fewer decimals")]
    NoUnits,
}

/// Whole cents from EUR.
///
/// # Errors
/// [`AmountError`].
pub fn cents_of_euro(text: &str) -> Result<u64, AmountError> {
    whole_cents(text, 2)
}

/// Whole cents from ct.
///
/// # Errors
/// [`AmountError`].
pub fn cents_of_ct(text: &str) -> Result<u64, AmountError> {
    whole_cents(text, 0)
}

fn whole_cents(text: &str, scale: u32) -> Result<u64, AmountError> {
    let number = parse_decimal_scaled(text, scale)?;
    if !number.exact {
        return Err(AmountError::PartOfACent);
    }
    if number.floor <= 0 {
        return Err(AmountError::Nothing);
    }
    let within = number.floor < MAX_MONEY_UNITS / UNITS_PER_CT;
    u64::try_from(number.floor).ok().filter(|_| within).ok_or(AmountError::TooMuch)
}

/// Units of a balance from EUR, with a sign and all decimals.
///
/// # Errors
/// [`AmountError`].
pub fn units_of_euro(text: &str) -> Result<i64, AmountError> {
    units(text, 2)
}

/// Units of a balance from ct, with a sign and all decimals: the reverse of
/// [`format_exact_ct_q16`](veilgrid_market::units::format_exact_ct_q16).
///
/// # Errors
/// [`AmountError`].
pub fn units_of_ct(text: &str) -> Result<i64, AmountError> {
    units(text, 0)
}

fn units(text: &str, scale: u32) -> Result<i64, AmountError> {
    let number = parse_decimal_scaled(text, scale + EXACT_DECIMALS)?;
    if !number.exact || number.floor % UNITS_TO_DECIMALS != 0 {
        return Err(AmountError::NoUnits);
    }
    let units = number.floor / UNITS_TO_DECIMALS;
    let within = units.unsigned_abs() < MAX_MONEY_UNITS.unsigned_abs();
    i64::try_from(units).ok().filter(|_| within).ok_or(AmountError::TooMuch)
}

/// Whole cents in EUR, `12.50`.
pub fn format_euro(amount_ct: impl Into<i128>) -> String {
    format_ratio(amount_ct.into(), 100, 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use veilgrid_market::units::format_exact_ct_q16;

    #[test]
    fn amounts_that_are_paid_are_whole_cents() {
        assert_eq!(
            (cents_of_euro("12.5"), cents_of_euro("0.01"), cents_of_euro(" 7 ")),
            (Ok(1250), Ok(1), Ok(700))
        );
        assert_eq!(cents_of_ct("1250"), Ok(1250));
        for (text, error) in [
            ("0", AmountError::Nothing),
            ("-1", AmountError::Nothing),
            ("0.005", AmountError::PartOfACent),
            ("1,50", AmountError::Decimal(DecimalError::NotANumber)),
            ("999999999", AmountError::TooMuch),
            ("99999999999999999999", AmountError::TooMuch),
        ] {
            assert_eq!(cents_of_euro(text), Err(error), "{text}");
        }
        assert_eq!(cents_of_ct("1.5"), Err(AmountError::PartOfACent));
        assert_eq!((format_euro(1250u64), format_euro(-1)), ("12.50".to_owned(), "-0.01".to_owned()));
    }

    #[test]
    fn units_are_exact_in_both_directions() {
        assert_eq!(units_of_euro("12.50"), Ok(1_250 * i64::try_from(UNITS_PER_CT).expect("fits")));
        for units in [0, 1, -1, 65_536_000_001, -3_276_800_000, (1 << 62) - 1, 1 - (1 << 62)] {
            assert_eq!(units_of_ct(&format_exact_ct_q16(units.into())), Ok(units), "{units}");
        }
        assert_eq!(units_of_ct("0.00000000001"), Err(AmountError::NoUnits));
        assert_eq!(units_of_ct("0.00000000000000000000001"), Err(AmountError::NoUnits));
        assert_eq!(units_of_ct("70368744.2"), Err(AmountError::TooMuch));
        assert_eq!(units_of_ct("1e3"), Err(AmountError::Decimal(DecimalError::NotANumber)));
    }
}
