//! Prices, energy and instants as text, without a float in between.

use thiserror::Error;
use veilgrid_market::parse_decimal_scaled;
use veilgrid_market::timestamp::{TimestampError, parse_rfc3339};
use veilgrid_market::units::format_ratio;

/// mct in one EUR.
const MCT_PER_EUR: u128 = 100_000;
/// mct in one ct.
const MCT_PER_CT: u128 = 1_000;

/// Why a text is not a value in its unit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecimalFault {
    /// "It is a decimal number."
    #[error("{0}")]
    Form(#[from] veilgrid_market::DecimalError),
    /// "It has no more decimals than are kept."
    #[error("more than {0} decimals; write a value that is exact with {0}")]
    TooFine(u32),
    /// "It lies within bounds that anything of a household keeps."
    #[error("out of range; write a value from {0} to {1}")]
    OutOfRange(i64, i64),
}

/// A price in EUR/kWh, exact and without zeros at its end: `0.28755`, `-0.02`, `0`.
pub fn eur_per_kwh(price_mct_per_kwh: i64) -> String {
    short(format_ratio(i128::from(price_mct_per_kwh), MCT_PER_EUR, 5))
}

/// A price in ct/kWh, exact and without zeros at its end: `28.755`.
pub fn ct_per_kwh(price_mct_per_kwh: i64) -> String {
    short(format_ratio(i128::from(price_mct_per_kwh), MCT_PER_CT, 3))
}

/// A decimal without the zeros at its end, which say nothing.
pub fn short(decimal: String) -> String {
    match decimal.contains('.') {
        true => decimal.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => decimal,
    }
}

/// Text times ten to the power of `scale` as an integer between bounds, exact or refused.
///
/// # Errors
/// [`DecimalFault`].
pub fn exact(text: &str, scale: u32, least: i64, most: i64) -> Result<i64, DecimalFault> {
    let scaled = parse_decimal_scaled(text, scale)?;
    if !scaled.exact {
        return Err(DecimalFault::TooFine(scale));
    }
    let value = i64::try_from(scaled.floor).ok().filter(|value| (least..=most).contains(value));
    let unit = i64::try_from(10_u128.pow(scale)).unwrap_or(i64::MAX);
    value.ok_or(DecimalFault::OutOfRange(least / unit, most / unit))
}

/// A price in ct/kWh as mct/kWh; at most three decimals, at most 10 000 ct/kWh either way.
///
/// # Errors
/// [`DecimalFault`].
pub fn parse_ct_per_kwh(text: &str) -> Result<i64, DecimalFault> {
    exact(text, 3, -10_000_000, 10_000_000)
}

/// Energy in kWh as Wh; at most three decimals, at most 1 000 kWh.
///
/// # Errors
/// [`DecimalFault`].
pub fn parse_kwh(text: &str) -> Result<u64, DecimalFault> {
    exact(text, 3, 0, 1_000_000).map(i64::unsigned_abs)
}

/// Power in kW as W; at most three decimals, at most 1 000 kW.
///
/// # Errors
/// [`DecimalFault`].
pub fn parse_kw(text: &str) -> Result<u64, DecimalFault> {
    parse_kwh(text)
}

/// The whole second of an RFC 3339 instant, whose fraction is cut: peers write when they computed something to the nanosecond.
///
/// # Errors
/// The instant's form.
pub fn instant(text: &str) -> Result<i64, TimestampError> {
    let Some((before, after)) = text.split_once('.') else { return parse_rfc3339(text) };
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Err(TimestampError::Shape);
    }
    parse_rfc3339(&format!("{before}{}", after.get(digits..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_keep_all_their_decimals_there_and_back() {
        for mct in [0, 1, -1, 28_750, 28_755, 100_000, -16_000, 9_999_999] {
            assert_eq!(parse_ct_per_kwh(&ct_per_kwh(mct)), Ok(mct));
            assert_eq!(exact(&eur_per_kwh(mct), 5, i64::MIN, i64::MAX), Ok(mct));
        }
        assert_eq!(
            [eur_per_kwh(28_750), eur_per_kwh(-1), ct_per_kwh(17_005)],
            ["0.2875", "-0.00001", "17.005"]
        );
    }

    #[test]
    fn what_can_not_be_kept_is_refused_and_not_rounded() {
        assert_eq!(parse_ct_per_kwh("28.7555"), Err(DecimalFault::TooFine(3)));
        assert_eq!(parse_kwh("-1"), Err(DecimalFault::OutOfRange(0, 1000)));
        for text in ["", "1e3", "NaN", "1,5", "0x1"] {
            assert!(matches!(parse_kwh(text), Err(DecimalFault::Form(_))), "{text}");
        }
    }

    #[test]
    fn both_hours_from_two_to_three_stay_two_instants() {
        let summer = instant("2026-10-25T02:30:00+02:00").expect("an instant");
        let winter = instant("2026-10-25T02:30:00.123456789+01:00").expect("an instant");
        assert_eq!(winter - summer, 3600);
        assert!(instant("2026-10-25T02:30:00.+01:00").is_err() && instant("2026-10-25T02:30:00.5").is_err());
    }
}
