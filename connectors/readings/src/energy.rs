//! Energy exactly, from decimal text. No float in between.

use thiserror::Error;

/// 10^-9 Wh in 1 Wh.
const NANO: u64 = 1_000_000_000;
/// More characters than any value of a meter has.
const MAX_CHARACTERS: usize = 40;
/// Most energy of one interval: 1 GWh. A value above it is a wrong unit or a register.
const MAX_NANO_WH: i128 = 1_000_000_000 * NANO as i128;

/// Energy of one interval in 10^-9 Wh; not below zero, at most 1 GWh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Energy {
    nano_wh: u64,
}

impl Energy {
    /// From 10^-9 Wh; `None` below zero and above 1 GWh.
    pub fn from_nano_wh(nano_wh: i128) -> Option<Self> {
        (0..=MAX_NANO_WH)
            .contains(&nano_wh)
            .then(|| u64::try_from(nano_wh).ok())
            .flatten()
            .map(|nano_wh| Self { nano_wh })
    }

    /// From whole Wh; `None` above 1 GWh.
    pub fn from_wh(wh: u64) -> Option<Self> {
        Self::from_nano_wh(i128::from(wh) * i128::from(NANO))
    }

    /// 10^-9 Wh.
    pub fn nano_wh(self) -> u64 {
        self.nano_wh
    }

    /// The sum, while it is at most 1 GWh.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Self::from_nano_wh(i128::from(self.nano_wh) + i128::from(other.nano_wh))
    }

    /// Whole Wh, halves to the even neighbour, and what that adds in 10^-9 Wh (below zero: takes away).
    pub fn rounded_wh(self) -> (u64, i64) {
        let wh = half_even(i128::from(self.nano_wh), i128::from(NANO));
        let change = wh * i128::from(NANO) - i128::from(self.nano_wh);
        // Both are bounded by 1 GWh and half a Wh.
        (u64::try_from(wh).unwrap_or_default(), i64::try_from(change).unwrap_or_default())
    }
}

/// What stands between the whole part and the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecimalMark {
    /// `1.25`
    Point,
    /// `1,25`
    Comma,
}

impl DecimalMark {
    /// Its character.
    pub fn character(self) -> char {
        match self {
            Self::Point => '.',
            Self::Comma => ',',
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Point => Self::Comma,
            Self::Comma => Self::Point,
        }
    }
}

/// The unit of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Wh
    Wh,
    /// 1,000 Wh
    KWh,
    /// 1,000,000 Wh
    MWh,
    /// Mean power of the interval, W
    W,
    /// Mean power of the interval, kW
    KW,
}

impl Unit {
    /// All, in their order.
    pub const ALL: [Self; 5] = [Self::Wh, Self::KWh, Self::MWh, Self::W, Self::KW];

    /// Its sign, in the usual letters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wh => "Wh",
            Self::KWh => "kWh",
            Self::MWh => "MWh",
            Self::W => "W",
            Self::KW => "kW",
        }
    }

    /// The unit that a text names. Case decides between mega and milli, so that only what nobody can mean otherwise may differ.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "Wh" | "wh" | "WH" => Some(Self::Wh),
            "kWh" | "kwh" | "KWh" | "KWH" | "Kwh" => Some(Self::KWh),
            "MWh" | "MWH" => Some(Self::MWh),
            "W" => Some(Self::W),
            "kW" | "KW" | "kw" => Some(Self::KW),
            _ => None,
        }
    }

    /// Power of ten from the unit to 10^-9, and whether it is power.
    fn scale(self) -> (u32, bool) {
        match self {
            Self::Wh => (9, false),
            Self::KWh => (12, false),
            Self::MWh => (15, false),
            Self::W => (9, true),
            Self::KW => (12, true),
        }
    }
}

/// Why a text is no energy. The caller knows the place and adds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the fields are what the messages say")]
pub enum EnergyError {
    /// Not digits with at most one decimal mark.
    #[error("is not a number with a decimal `{}`; write digits like 1{}25, without grouping, exponent or unit", mark.character(), mark.character())]
    NotANumber { mark: DecimalMark },
    /// The other mark.
    #[error("has a `{}`, and the decimal mark of this file is `{}`; if that is wrong, say --decimal", mark.other().character(), mark.character())]
    OtherMark { mark: DecimalMark },
    /// More digits than a meter has.
    #[error("has too many digits for a meter's value")]
    TooLong,
    /// More than 1 GWh.
    #[error("is more than 1 GWh in one interval; is it in another unit, or the stand of a register?")]
    TooLarge,
}

/// Whether a cell says that there is no value. It is never zero.
pub fn is_missing(text: &str) -> bool {
    matches!(text, "" | "-" | "--" | "–" | "—" | "?" | "#N/A" | "#NV")
        || ["nan", "na", "n/a", "null", "none", "missing", "fehlt"]
            .iter()
            .any(|word| text.eq_ignore_ascii_case(word))
}

/// The energy of a decimal text in 10^-9 Wh, signed; digits beyond that are rounded, halves to the even neighbour. `seconds` is the length of
/// the interval, for units of power.
///
/// # Errors
/// What is no such number; [`is_missing`] is asked before.
pub fn parse_signed_nano_wh(
    text: &str,
    mark: DecimalMark,
    unit: Unit,
    seconds: u32,
) -> Result<i128, EnergyError> {
    if text.len() > MAX_CHARACTERS {
        return Err(EnergyError::TooLong);
    }
    let (negative, digits) = match text.strip_prefix('-').or_else(|| text.strip_prefix('−')) {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once(mark.character()).unwrap_or((digits, ""));
    if digits.contains(mark.other().character()) {
        return Err(EnergyError::OtherMark { mark });
    }
    if whole.len() + fraction.len() == 0
        || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit())
    {
        return Err(EnergyError::NotANumber { mark });
    }
    let magnitude = scaled(whole, fraction, unit, seconds)?;
    Ok(if negative { -magnitude } else { magnitude })
}

fn scaled(whole: &str, fraction: &str, unit: Unit, seconds: u32) -> Result<i128, EnergyError> {
    let (scale, is_power) = unit.scale();
    let (mut value, mut divisor): (i128, i128) = (0, 1);
    for byte in whole.bytes().chain(fraction.bytes()) {
        value = value
            .checked_mul(10)
            .and_then(|value| value.checked_add(i128::from(byte - b'0')))
            .ok_or(EnergyError::TooLong)?;
    }
    // 10^(scale - decimals), on whichever side it is whole.
    let decimals = u32::try_from(fraction.len()).map_err(|_| EnergyError::TooLong)?;
    match scale.checked_sub(decimals) {
        Some(up) => value = value.checked_mul(10i128.pow(up)).ok_or(EnergyError::TooLarge)?,
        None => divisor = 10i128.checked_pow(decimals - scale).ok_or(EnergyError::TooLong)?,
    }
    if is_power {
        value = value.checked_mul(i128::from(seconds)).ok_or(EnergyError::TooLarge)?;
        divisor = divisor.checked_mul(3600).ok_or(EnergyError::TooLong)?;
    }
    let nano_wh = half_even(value, divisor);
    if nano_wh > MAX_NANO_WH { Err(EnergyError::TooLarge) } else { Ok(nano_wh) }
}

/// A quotient of numbers not below zero, halves to the even neighbour.
fn half_even(value: i128, divisor: i128) -> i128 {
    let (floor, rest) = (value / divisor, value % divisor);
    let above = match (rest).cmp(&(divisor - rest)) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => floor % 2 == 1,
        std::cmp::Ordering::Greater => true,
    };
    floor + i128::from(above)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nano(text: &str, mark: DecimalMark, unit: Unit) -> Result<i128, EnergyError> {
        parse_signed_nano_wh(text, mark, unit, 900)
    }

    #[test]
    fn decimal_text_is_exact_in_every_unit() {
        use DecimalMark::{Comma, Point};
        assert_eq!(nano("0.1", Point, Unit::KWh), Ok(100_000_000_000));
        assert_eq!(nano("-0,1", Comma, Unit::KWh), Ok(-100_000_000_000));
        assert_eq!(nano("123", Point, Unit::Wh), Ok(123_000_000_000));
        assert_eq!(nano("0.000001", Point, Unit::MWh), Ok(1_000_000_000));
        // A quarter of an hour at 2 kW is 500 Wh; 1 W is 0.25 Wh.
        assert_eq!(nano("2", Point, Unit::KW), Ok(500_000_000_000));
        assert_eq!(nano("1", Point, Unit::W), Ok(250_000_000));
        // What a spreadsheet makes of 0.1 + 0.2.
        assert_eq!(nano("0.30000000000000004", Point, Unit::KWh), Ok(300_000_000_000));
        assert_eq!(nano("+.5", Point, Unit::Wh), Ok(500_000_000));
    }

    #[test]
    fn what_is_no_number_of_this_file_is_refused() {
        use DecimalMark::{Comma, Point};
        assert_eq!(nano("1,5", Point, Unit::KWh), Err(EnergyError::OtherMark { mark: Point }));
        assert_eq!(nano("1.234,5", Comma, Unit::KWh), Err(EnergyError::OtherMark { mark: Comma }));
        for text in [".", "-", "1e3", "1 234", "0x10", "1.2.3", "12 kWh", "١", "inf"] {
            assert_eq!(nano(text, Point, Unit::KWh), Err(EnergyError::NotANumber { mark: Point }), "{text}");
        }
        assert_eq!(nano("1000001", Point, Unit::KWh), Err(EnergyError::TooLarge));
        assert_eq!(nano(&"9".repeat(41), Point, Unit::KWh), Err(EnergyError::TooLong));
    }

    #[test]
    fn missing_is_never_a_number_and_zero_is_never_missing() {
        for text in ["", "-", "NaN", "null", "N/A", "—", "#NV"] {
            assert!(is_missing(text), "{text}");
        }
        for text in ["0", "0.0", "-0", "0,000"] {
            assert!(!is_missing(text), "{text}");
        }
    }

    #[test]
    fn halves_go_to_the_even_neighbour_and_what_they_add_is_told() {
        let rounded = |text| {
            Energy::from_nano_wh(nano(text, DecimalMark::Point, Unit::Wh).expect("a number"))
                .expect("in bounds")
                .rounded_wh()
        };
        assert_eq!(rounded("0.5"), (0, -500_000_000));
        assert_eq!(rounded("1.5"), (2, 500_000_000));
        assert_eq!(rounded("1.4"), (1, -400_000_000));
        assert_eq!(rounded("7"), (7, 0));
    }

    proptest! {
        #[test]
        fn whole_nano_wh_survive_their_text(nano_wh in 0u64..=1_000_000_000_000_000) {
            let text = format!("{}.{:09}", nano_wh / NANO, nano_wh % NANO);
            prop_assert_eq!(nano(&text, DecimalMark::Point, Unit::Wh), Ok(i128::from(nano_wh)));
            prop_assert_eq!(nano(&text.replace('.', ","), DecimalMark::Comma, Unit::Wh), Ok(i128::from(nano_wh)));
        }
    }
}
