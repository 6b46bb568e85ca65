//! Exact decimal parsing: text to a scaled integer, without a float in between.

use thiserror::Error;

/// More characters than any number that this software accepts can have.
const MAX_CHARACTERS: usize = 64;

/// A decimal number times a power of ten, rounded down to an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScaledDecimal {
    /// The largest integer that is not above the scaled number.
    pub floor: i128,
    /// Whether the scaled number is that integer.
    pub exact: bool,
}

impl ScaledDecimal {
    /// The smallest integer that is not below the scaled number.
    pub fn ceil(&self) -> i128 {
        // `floor` stays below 10^38, so one more fits.
        self.floor + i128::from(!self.exact)
    }
}

/// Why a text is no decimal number. The caller knows the place and adds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecimalError {
    /// Nothing there.
    #[error("the number is missing")]
    Empty,
    /// Anything but digits with one decimal point and an optional sign.
    #[error("not a decimal number; write digits with a decimal point, like 1.25")]
    NotANumber,
    /// `NaN` or an infinity.
    #[error("not a finite number; write digits with a decimal point, like 1.25")]
    NotFinite,
    /// More digits than can be held exactly.
    #[error("too many digits")]
    TooLong,
}

/// Parses `text`, times ten to the power of `scale`, exactly: `("1.2345", 3)` is 1234, not exact.
///
/// Accepted are an optional sign, digits and at most one decimal point with a digit on at least one side. No exponent,
/// no thousands separator, no decimal comma: a file that uses them is read wrongly by somebody.
pub fn parse_decimal_scaled(text: &str, scale: u32) -> Result<ScaledDecimal, DecimalError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(DecimalError::Empty);
    }
    if text.len() > MAX_CHARACTERS {
        return Err(DecimalError::TooLong);
    }
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if ["nan", "inf", "infinity"].iter().any(|word| digits.eq_ignore_ascii_case(word)) {
        return Err(DecimalError::NotFinite);
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.len() + fraction.len() == 0 || !whole.bytes().chain(fraction.bytes()).all(|c| c.is_ascii_digit())
    {
        return Err(DecimalError::NotANumber);
    }
    let (magnitude, exact) = scaled_digits(whole, fraction, scale).ok_or(DecimalError::TooLong)?;
    let floor = if negative { -magnitude - i128::from(!exact) } else { magnitude };
    Ok(ScaledDecimal { floor, exact })
}

/// The digits as an integer below 10^37 and whether nothing was cut off.
fn scaled_digits(whole: &str, fraction: &str, scale: u32) -> Option<(i128, bool)> {
    let scale = usize::try_from(scale).ok()?;
    let kept = &fraction[..fraction.len().min(scale)];
    let mut value: i128 = 0;
    for digit in whole.bytes().chain(kept.bytes()) {
        value = value.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
    }
    value = value.checked_mul(10i128.checked_pow(u32::try_from(scale - kept.len()).ok()?)?)?;
    let exact = fraction[kept.len()..].bytes().all(|digit| digit == b'0');
    (value < 10i128.pow(37)).then_some((value, exact))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str, scale: u32) -> (i128, i128) {
        let number = parse_decimal_scaled(text, scale).expect("a number");
        (number.floor, number.ceil())
    }

    #[test]
    fn rounds_down_and_up_exactly() {
        assert_eq!(parsed("1.2345", 3), (1234, 1235));
        assert_eq!(parsed("1.2340", 3), (1234, 1234));
        assert_eq!(parsed("-1.2345", 3), (-1235, -1234));
        assert_eq!(parsed("-0", 3), (0, 0));
        assert_eq!(parsed("+.5", 3), (500, 500));
        assert_eq!(parsed(" 7. ", 2), (700, 700));
        assert_eq!(parsed("0.00000000000000000000000000000000000000000001", 3), (0, 1));
    }

    #[test]
    fn refuses_what_is_no_number() {
        use DecimalError::*;
        for (text, error) in [
            ("", Empty),
            ("  ", Empty),
            ("NaN", NotFinite),
            ("-inf", NotFinite),
            ("Infinity", NotFinite),
            (".", NotANumber),
            ("-", NotANumber),
            ("1e3", NotANumber),
            ("1,5", NotANumber),
            ("1.2.3", NotANumber),
            ("--1", NotANumber),
            ("0x10", NotANumber),
            ("١", NotANumber),
            ("99999999999999999999999999999999999999999", TooLong),
        ] {
            assert_eq!(parse_decimal_scaled(text, 3), Err(error), "{text:?}");
        }
        assert_eq!(parse_decimal_scaled(&"1".repeat(65), 0), Err(TooLong));
        assert_eq!(parse_decimal_scaled("1", 200), Err(TooLong));
    }
}
