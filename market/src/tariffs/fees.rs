//! Network fees by zone: a line of their own, never part of the price.
//!
//! A member of a zone pays f_in for each kWh that it buys and f_out for each that it sells (settlement, section 6).

use super::TariffError;
use crate::grid::MAX_PRICE_MCT_PER_KWH;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most zones of a market.
pub const MAX_ZONES: usize = 4096;

/// The fees of one zone, mct/kWh.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fee {
    /// For each kWh bought.
    pub in_mct_per_kwh: u64,
    /// For each kWh sold.
    pub out_mct_per_kwh: u64,
}

/// The fees of every zone of a market, by the zone's number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<u16, Fee>", into = "BTreeMap<u16, Fee>")]
pub struct ZoneFees(BTreeMap<u16, Fee>);

impl TryFrom<BTreeMap<u16, Fee>> for ZoneFees {
    type Error = TariffError;
    fn try_from(fees: BTreeMap<u16, Fee>) -> Result<Self, TariffError> {
        Self::new(fees)
    }
}

impl From<ZoneFees> for BTreeMap<u16, Fee> {
    fn from(fees: ZoneFees) -> Self {
        fees.0
    }
}

impl ZoneFees {
    /// Fees by zone.
    ///
    /// # Errors
    /// [`TariffError::Fee`] with the zone for a fee above [`MAX_PRICE_MCT_PER_KWH`]; [`TariffError::TooManyZones`].
    pub fn new(fees: BTreeMap<u16, Fee>) -> Result<Self, TariffError> {
        if fees.len() > MAX_ZONES {
            return Err(TariffError::TooManyZones { zones: fees.len() });
        }
        let above = |fee: u64| fee > MAX_PRICE_MCT_PER_KWH.unsigned_abs();
        match fees.iter().find(|(_, fee)| above(fee.in_mct_per_kwh) || above(fee.out_mct_per_kwh)) {
            Some((zone, _)) => Err(TariffError::Fee { zone: *zone }),
            None => Ok(Self(fees)),
        }
    }

    /// What a member of a zone pays for what it bought and sold, in mct/kWh times Wh/2^16.
    ///
    /// # Errors
    /// [`TariffError::UnknownZone`]; [`TariffError::Overflow`] for energy of no market.
    pub fn of(&self, zone: u16, bought_q16: u128, sold_q16: u128) -> Result<u128, TariffError> {
        let fee = self.0.get(&zone).ok_or(TariffError::UnknownZone { zone })?;
        let bought = bought_q16.checked_mul(fee.in_mct_per_kwh.into());
        let sold = sold_q16.checked_mul(fee.out_mct_per_kwh.into());
        let sum = bought.zip(sold).and_then(|(bought, sold)| bought.checked_add(sold));
        sum.ok_or(TariffError::Overflow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fees() -> ZoneFees {
        let fee = |in_mct_per_kwh, out_mct_per_kwh| Fee { in_mct_per_kwh, out_mct_per_kwh };
        ZoneFees::new([(1, fee(3_000, 0)), (7, fee(5_500, 250))].into()).unwrap()
    }

    /// Fees are linear: what a zone's members pay is the fee of what they trade together, to the last unit.
    #[test]
    fn a_zone_s_fees_add_up() {
        let fees = fees();
        assert_eq!(fees.of(1, 1_000 << 16, 500 << 16), Ok((3_000 * 1_000) << 16));
        let members = [(17u128, 0u128), (0, 5), (1 << 40, 3)];
        let one_by_one: u128 = members.iter().map(|(bought, sold)| fees.of(7, *bought, *sold).unwrap()).sum();
        assert_eq!(fees.of(7, 17 + (1 << 40), 5 + 3), Ok(one_by_one));
    }

    #[test]
    fn every_rule_refuses() {
        assert_eq!(fees().of(2, 1, 1), Err(TariffError::UnknownZone { zone: 2 }));
        assert_eq!(fees().of(7, u128::MAX, 0), Err(TariffError::Overflow));
        assert_eq!(fees().of(7, u128::MAX / 5_500, u128::MAX / 250), Err(TariffError::Overflow));
        let high = Fee { in_mct_per_kwh: 0, out_mct_per_kwh: (1 << 40) + 1 };
        assert_eq!(ZoneFees::new([(9, high)].into()), Err(TariffError::Fee { zone: 9 }));
        let many = (0..4_097).map(|zone| (zone, Fee::default())).collect();
        assert_eq!(ZoneFees::new(many), Err(TariffError::TooManyZones { zones: 4_097 }));
        let text = serde_json::to_string(&fees()).unwrap();
        assert_eq!(serde_json::from_str::<ZoneFees>(&text).unwrap(), fees());
        assert!(serde_json::from_str::<ZoneFees>(&text.replace("250", "1099511627777")).is_err());
    }
}
