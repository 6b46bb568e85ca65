//! Units and their exact decimal forms (protocol, section 3).
//!
//! Formatting works on integers alone: what is printed is the value, or the value cut (never rounded) at a stated
//! number of decimals.

/// Number of fraction bits of cleared energy and of money.
pub const Q16_BITS: u32 = 16;
/// One whole Wh in Wh/2^16, and the fraction of an order that is filled completely.
pub const Q16: u32 = 1 << Q16_BITS;
/// mct in one ct.
pub const MCT_PER_CT: u64 = 1000;
/// Wh in one kWh.
pub const WH_PER_KWH: u64 = 1000;
/// Largest sum, in its own unit, that may have to be found from its commitment: the small logarithm's reach.
pub const MAX_UNKNOWN_OPENING: u64 = 1 << 40;

/// A price, or a distance of two, in ct/kWh: at least two decimals, the third only where it is needed (`17.00`, `17.005`,
/// `-0.50`).
pub fn format_ct_per_kwh(price_mct_per_kwh: impl Into<i128>) -> String {
    let text = format_ratio(price_mct_per_kwh.into(), u128::from(MCT_PER_CT), 3);
    text.strip_suffix('0').map(str::to_owned).unwrap_or(text)
}

/// Energy in kWh with three decimals (`1.234`).
pub fn format_kwh(energy_wh: u64) -> String {
    format_ratio(i128::from(energy_wh), u128::from(WH_PER_KWH), 3)
}

/// Cleared energy in kWh from Wh/2^16, cut toward zero at `decimals`; 19 decimals are always exact.
pub fn format_kwh_q16(energy_wh_q16: i128, decimals: u32) -> String {
    format_ratio(energy_wh_q16, u128::from(WH_PER_KWH) << Q16_BITS, decimals)
}

/// Money in ct from mct/kWh times Wh/2^16, cut toward zero at `decimals`; 22 decimals are always exact.
pub fn format_ct_q16(money_mct_wh_per_kwh_q16: i128, decimals: u32) -> String {
    format_ratio(money_mct_wh_per_kwh_q16, u128::from(MCT_PER_CT * WH_PER_KWH) << Q16_BITS, decimals)
}

/// The same with all its decimals and without zeros at the end: `12.5`, `0`, `-0.0000000000152587890625`.
pub fn format_exact_ct_q16(money_mct_wh_per_kwh_q16: i128) -> String {
    let text = format_ct_q16(money_mct_wh_per_kwh_q16, 22);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `value / denominator` as a decimal, cut toward zero after `decimals` digits, by long division.
///
/// A `denominator` of zero is a mistake of the caller and reads `-`; denominators above 2^124 are out of range too.
pub fn format_ratio(value: i128, denominator: u128, decimals: u32) -> String {
    if denominator == 0 || denominator > 1 << 124 {
        return "-".to_owned();
    }
    let magnitude = value.unsigned_abs();
    let (whole, mut rest) = (magnitude / denominator, magnitude % denominator);
    let mut digits = String::new();
    for _ in 0..decimals {
        rest *= 10;
        digits.push(char::from(b'0' + u8::try_from(rest / denominator).unwrap_or(0)));
        rest %= denominator;
    }
    let is_zero = whole == 0 && digits.bytes().all(|digit| digit == b'0');
    let sign = if value < 0 && !is_zero { "-" } else { "" };
    let point = if digits.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_and_energy_are_exact() {
        assert_eq!(format_ct_per_kwh(17_000), "17.00");
        assert_eq!(format_ct_per_kwh(17_005), "17.005");
        assert_eq!(format_ct_per_kwh(10), "0.01");
        assert_eq!(format_ct_per_kwh(-1), "-0.001");
        assert_eq!(format_ct_per_kwh(-16_500), "-16.50");
        assert_eq!(format_kwh(1), "0.001");
        assert_eq!(format_kwh(4_689_769), "4689.769");
    }

    #[test]
    fn fractions_are_cut_toward_zero() {
        assert_eq!(format_kwh_q16(65_536, 3), "0.001");
        assert_eq!(format_kwh_q16(1, 19), "0.0000000152587890625");
        assert_eq!(format_kwh_q16(-65_535, 3), "0.000");
        assert_eq!(format_kwh_q16(-131_071, 3), "-0.001");
        assert_eq!(format_ct_q16(17_000 * 1_000 * 65_536, 2), "17.00");
        let ct = 1_000 * 1_000 * 65_536;
        let exact = [0, 1_250 * ct, -ct / 2, 1, -1].map(format_exact_ct_q16);
        assert_eq!(exact[..3], ["0", "1250", "-0.5"]);
        assert_eq!(exact[3..], ["0.0000000000152587890625", "-0.0000000000152587890625"]);
        assert_eq!(format_ratio(5, 2, 0), "2");
        assert_eq!(format_ratio(5, 0, 3), "-");
        assert_eq!(format_ratio(i128::MIN, 1, 1), "-170141183460469231731687303715884105728.0");
    }
}
