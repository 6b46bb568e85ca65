//! What an account traded: the lines of its participant's `results.csv`, which only its owner reads.

use crate::decimal::short;
use std::collections::BTreeMap;
use thiserror::Error;
use veilgrid_market::parse_decimal_scaled;
use veilgrid_market::timestamp::parse_rfc3339;
use veilgrid_market::units::format_ratio;

const HEADER: &str = "round,slot_start,slot_seconds,status,bought_kwh,sold_kwh,buy_price_ct_per_kwh,\
                      sell_price_ct_per_kwh,cost_ct";
/// Decimals of energy in kWh, and of money in ct, that are always exact.
const KWH_DECIMALS: u32 = 19;
const CT_DECIMALS: u32 = 22;

/// What one slot brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// Length of the slot, seconds.
    pub seconds: u32,
    /// Bought, 10^-19 kWh.
    pub bought: i128,
    /// Sold, 10^-19 kWh.
    pub sold: i128,
    /// Paid, below zero received, 10^-22 ct.
    pub cost: i128,
}

impl Fill {
    /// Bought energy in kWh, exact.
    pub fn bought_kwh(&self) -> String {
        text(self.bought, KWH_DECIMALS)
    }

    /// Sold energy in kWh, exact.
    pub fn sold_kwh(&self) -> String {
        text(self.sold, KWH_DECIMALS)
    }

    /// Mean power that was bought, whole W, cut; none for a slot without length.
    pub fn bought_w(&self) -> Option<u64> {
        let wh = self.bought.checked_div(10_i128.pow(KWH_DECIMALS - 3))?;
        u64::try_from(wh.checked_mul(3600)?.checked_div(i128::from(self.seconds))?).ok()
    }
}

/// Fills by start of their slot, and their sums. Rounds without a settled fill of the account are not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fills {
    slots: BTreeMap<i64, Fill>,
    bought: i128,
    sold: i128,
    cost: i128,
}

/// Why a file of results can't be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FillsError {
    /// "The first line is that of results."
    #[error(
        "the first line is none of a file of results; name the results.csv of the participant's data_dir"
    )]
    Header,
    /// "Every line is whole."
    #[error(
        "line {0} can't be read; restore the file from the participant's ledger (move it away and restart it)"
    )]
    Line(usize),
    /// "The sums can be held."
    #[error("the sums are too large; is this the right file?")]
    TooLarge,
}

impl Fills {
    /// Reads a file of results. A last line without its end is being written and left out.
    ///
    /// # Errors
    /// [`FillsError`].
    pub fn parse(text: &str) -> Result<Self, FillsError> {
        let whole = text.rfind('\n').map_or("", |end| text.get(..end).unwrap_or_default());
        let mut lines = whole.lines().enumerate();
        if lines.next().is_none_or(|(_, line)| line != HEADER) {
            return Err(FillsError::Header);
        }
        let mut fills = Self::default();
        for (index, line) in lines {
            let faulty = FillsError::Line(index.saturating_add(1));
            let columns: Vec<&str> = line.split(',').collect();
            let [_, start, seconds, status, bought, sold, _, _, cost] = columns[..] else {
                return Err(faulty);
            };
            if status != "settled" {
                continue;
            }
            let exact = |text: &str, scale| {
                parse_decimal_scaled(text, scale).ok().filter(|value| value.exact).map(|value| value.floor)
            };
            let fill = (|| {
                Some(Fill {
                    seconds: seconds.parse().ok()?,
                    bought: exact(bought, KWH_DECIMALS)?,
                    sold: exact(sold, KWH_DECIMALS)?,
                    cost: exact(cost, CT_DECIMALS)?,
                })
            })();
            let (Some(fill), Ok(start)) = (fill, parse_rfc3339(start)) else { return Err(faulty) };
            fills.add(start, fill).ok_or(FillsError::TooLarge)?;
        }
        Ok(fills)
    }

    fn add(&mut self, start_unix_s: i64, fill: Fill) -> Option<()> {
        self.bought = self.bought.checked_add(fill.bought)?;
        self.sold = self.sold.checked_add(fill.sold)?;
        self.cost = self.cost.checked_add(fill.cost)?;
        self.slots.insert(start_unix_s, fill);
        Some(())
    }

    /// The fill of the slot that this instant lies in; none when it is not known.
    pub fn at(&self, unix_s: i64) -> Option<&Fill> {
        let (start, fill) = self.slots.range(..=unix_s).next_back()?;
        (unix_s < start.saturating_add(i64::from(fill.seconds))).then_some(fill)
    }

    /// Whole Wh that were bought for slots that start from the first instant on and before the second, cut.
    pub fn bought_wh(&self, from_unix_s: i64, to_unix_s: i64) -> u64 {
        if from_unix_s >= to_unix_s {
            return 0;
        }
        let bought = self
            .slots
            .range(from_unix_s..to_unix_s)
            .fold(0_i128, |sum, (_, fill)| sum.saturating_add(fill.bought));
        u64::try_from(bought.max(0) / 10_i128.pow(KWH_DECIMALS - 3)).unwrap_or(u64::MAX)
    }

    /// All that was bought, kWh, exact.
    pub fn total_bought_kwh(&self) -> String {
        text(self.bought, KWH_DECIMALS)
    }

    /// All that was sold, kWh, exact.
    pub fn total_sold_kwh(&self) -> String {
        text(self.sold, KWH_DECIMALS)
    }

    /// All that was paid less what was received, EUR, exact.
    pub fn total_cost_eur(&self) -> String {
        text(self.cost, CT_DECIMALS + 2)
    }
}

fn text(value: i128, decimals: u32) -> String {
    short(format_ratio(value, 10_u128.pow(decimals), decimals))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(lines: &str) -> String {
        format!("{HEADER}\n{lines}")
    }

    #[test]
    fn sums_are_exact_and_only_settled_rounds_count() {
        let fills = Fills::parse(&file(
            "3,2027-01-15T08:00:00Z,900,settled,1.2000000152587890625,0,17.50,17.00,21.00000026702880859375\n\
             4,2027-01-15T08:15:00Z,900,settled,0,0.5,17.50,17.00,-8.5\n5,2027-01-15T08:30:00Z,900,void,0,0,,,0\n\
             6,2027-01-15T08:45:00Z,900,set",
        ))
        .expect("read");
        assert_eq!(fills.total_bought_kwh(), "1.2000000152587890625");
        assert_eq!(fills.total_sold_kwh(), "0.5");
        assert_eq!(fills.total_cost_eur(), "0.1250000026702880859375");
        let eight = parse_rfc3339("2027-01-15T08:00:00Z").expect("an instant");
        assert_eq!(fills.at(eight + 899).and_then(Fill::bought_w), Some(4800));
        assert_eq!(fills.at(eight + 1800), None, "void: not known is not zero");
        assert_eq!([fills.bought_wh(eight, eight + 1), fills.bought_wh(eight + 1, eight + 900)], [1200, 0]);
    }

    #[test]
    fn other_files_and_broken_lines_are_named() {
        assert_eq!(Fills::parse("a,b\n"), Err(FillsError::Header));
        assert_eq!(Fills::parse(""), Err(FillsError::Header));
        for line in ["3,2027,900,settled,1,0,,,1\n", "3,x\n", "3,2027-01-15T08:00:00Z,900,settled,,0,1,1,0\n"]
        {
            assert_eq!(Fills::parse(&file(line)), Err(FillsError::Line(2)), "{line}");
        }
    }
}
