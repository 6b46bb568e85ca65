//! Exact decimal energy: text in kWh to whole Wh without a float.

use std::num::ParseIntError;

/// Largest quantity of one value, kWh: 100 MWh in a slot is more than a low-voltage community can carry.
pub const MAX_KWH: u64 = 100_000;

/// Digits after the point that are read. The remainder below a Wh is then a whole number of mWh.
pub const MAX_DECIMALS: usize = 6;

/// Why a text is not a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Nothing there.
    #[error("is empty: write 0 if there was no energy")]
    Empty,
    /// Below zero.
    #[error("is negative: give load and generation as two columns, both zero or more")]
    Negative,
    /// Not digits with at most one point; NaN, infinities and exponents are not numbers here.
    #[error("is not a number: write kWh as digits with a decimal point, such as 0.2878")]
    NotANumber,
    /// More digits after the point than can be accounted for.
    #[error("has more than {MAX_DECIMALS} digits after the point: round it to 0.000001 kWh")]
    TooFine,
    /// Above [`MAX_KWH`].
    #[error("is above {MAX_KWH} kWh in one slot: check the unit, the column is in kWh")]
    TooLarge,
}

/// A value rounded to whole Wh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundedWh {
    /// The rounded value.
    pub energy_wh: u64,
    /// Rounded minus given, in mWh, within ±500.
    pub change_milliwatt_hours: i64,
}

/// Reads kWh and rounds to whole Wh, halves to the even neighbour, so that many halves do not drift.
pub fn parse_kwh(text: &str) -> Result<RoundedWh, QuantityError> {
    let milliwatt_hours = parse_milliwatt_hours(text)?;
    let (whole, rest) = (milliwatt_hours / 1000, milliwatt_hours % 1000);
    let up = rest > 500 || (rest == 500 && whole % 2 == 1);
    let energy_wh = whole + u64::from(up);
    // Both are below 2^47 (MAX_KWH in mWh), so the difference fits.
    let change_milliwatt_hours = (energy_wh * 1000) as i64 - milliwatt_hours as i64;
    Ok(RoundedWh { energy_wh, change_milliwatt_hours })
}

/// The exact value in mWh.
fn parse_milliwatt_hours(text: &str) -> Result<u64, QuantityError> {
    if text.is_empty() {
        return Err(QuantityError::Empty);
    }
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return Err(QuantityError::NotANumber),
        None => (unsigned, ""),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return Err(QuantityError::NotANumber);
    }
    if negative {
        return Err(QuantityError::Negative);
    }
    if fraction.len() > MAX_DECIMALS {
        return Err(QuantityError::TooFine);
    }
    let too_large = |_: ParseIntError| QuantityError::TooLarge;
    let kwh: u64 = whole.parse().map_err(too_large)?;
    // Padding with zeros on the right makes every fraction a number of millionths.
    let millionths: u64 = format!("{fraction:0<MAX_DECIMALS$}").parse().map_err(too_large)?;
    let total = kwh.checked_mul(1_000_000).and_then(|mwh| mwh.checked_add(millionths));
    match total {
        Some(total) if total <= MAX_KWH * 1_000_000 => Ok(total),
        _ => Err(QuantityError::TooLarge),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounded(text: &str) -> (u64, i64) {
        let value = parse_kwh(text).unwrap();
        (value.energy_wh, value.change_milliwatt_hours)
    }

    #[test]
    fn halves_go_to_the_even_neighbour() {
        assert_eq!(rounded("0.0005"), (0, -500));
        assert_eq!(rounded("0.0015"), (2, 500));
        assert_eq!(rounded("0.0025"), (2, -500));
        assert_eq!(rounded("0.0035"), (4, 500));
        assert_eq!(rounded("1.0005"), (1000, -500));
        assert_eq!(rounded("0.9995"), (1000, 500));
    }

    #[test]
    fn what_is_not_a_half_goes_to_the_nearest() {
        assert_eq!(rounded("0.000501"), (1, 499));
        assert_eq!(rounded("0.001499"), (1, -499));
        assert_eq!(rounded("0.2878"), (288, 200));
        assert_eq!(rounded("0.0906"), (91, 400));
        assert_eq!(rounded("0.0433"), (43, -300));
        assert_eq!(rounded("12"), (12_000, 0));
        assert_eq!(rounded("0"), (0, 0));
        assert_eq!(rounded("0.5"), (500, 0));
    }

    #[test]
    fn the_bound_is_included() {
        assert_eq!(rounded("100000"), (100_000_000, 0));
        assert_eq!(rounded("100000.000000"), (100_000_000, 0));
        assert_eq!(parse_kwh("100000.000001"), Err(QuantityError::TooLarge));
        assert_eq!(parse_kwh("99999999999999999999999"), Err(QuantityError::TooLarge));
        assert_eq!(parse_kwh("18446744073709551615"), Err(QuantityError::TooLarge));
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in
            ["NaN", "nan", "inf", "-inf", "abc", "1e3", "+1", ".5", "5.", "-", ".", "1.2.3", "0,5", " 1", "٣"]
        {
            assert_eq!(parse_kwh(text), Err(QuantityError::NotANumber), "{text}");
        }
        assert_eq!(parse_kwh(""), Err(QuantityError::Empty));
        for text in ["-1", "-0.0001", "-0"] {
            assert_eq!(parse_kwh(text), Err(QuantityError::Negative), "{text}");
        }
        assert_eq!(parse_kwh("0.0000001"), Err(QuantityError::TooFine));
    }
}
