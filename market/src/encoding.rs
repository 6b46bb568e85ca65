//! The canonical bytes of an outcome: fixed-width little-endian integers, one encoding per value.
//!
//! `rule u8 ‖ flags u8 ‖ [volume_wh u64] ‖ [trade]` with flag bit 0 for a volume and bit 1 for a trade, and a trade as
//! `buy price i64 ‖ sell price i64 ‖ low i64 ‖ high i64 ‖ lowest buy tick u32 ‖ highest sell tick u32 ‖ rationed u8 ‖
//! fraction u32 ‖ rest u64`. What decodes keeps every rule that does not need the grid, [`Outcome::check_on`] the others.

use crate::clearing::{MAX_OPENED_WH, Rule};
use crate::grid::{Grid, MAX_PRICE_MCT_PER_KWH, MAX_TICKS};
use crate::outcome::{Outcome, Rationed, Trade};
use crate::units::Q16;
use thiserror::Error;

/// Why bytes or terms are no outcome of a clearing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OutcomeError {
    /// The bytes end early or go on after the end.
    #[error("an outcome of this form has {expected} bytes, not {given}")]
    Length {
        /// Bytes that it should have.
        expected: usize,
        /// Bytes that there are.
        given: usize,
    },
    /// A code that the format does not know.
    #[error("{field}: unknown code {code}")]
    Code {
        /// The field.
        field: &'static str,
        /// The code.
        code: u8,
    },
    /// A number that no clearing produces.
    #[error("{field}: {why}")]
    Field {
        /// The field.
        field: &'static str,
        /// The rule it breaks.
        why: &'static str,
    },
}

const HEADER_BYTES: usize = 2;
const VOLUME_BYTES: usize = 8;
const TRADE_BYTES: usize = 4 * 8 + 2 * 4 + 1 + 4 + 8;
const HAS_VOLUME: u8 = 1;
const HAS_TRADE: u8 = 2;

impl Outcome {
    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![match self.rule {
            Rule::Uniform => 0,
            Rule::TradeReduction => 1,
        }];
        bytes.push(
            u8::from(self.volume_wh.is_some()) * HAS_VOLUME + u8::from(self.trade.is_some()) * HAS_TRADE,
        );
        bytes.extend(self.volume_wh.into_iter().flat_map(u64::to_le_bytes));
        if let Some(trade) = &self.trade {
            for price in [
                trade.buy_price_mct_per_kwh,
                trade.sell_price_mct_per_kwh,
                trade.price_low_mct_per_kwh,
                trade.price_high_mct_per_kwh,
            ] {
                bytes.extend(price.to_le_bytes());
            }
            bytes.extend(trade.lowest_buy_tick.to_le_bytes());
            bytes.extend(trade.highest_sell_tick.to_le_bytes());
            bytes.push(match trade.rationed {
                Rationed::None => 0,
                Rationed::Demand => 1,
                Rationed::Supply => 2,
            });
            bytes.extend(trade.fraction_q16.to_le_bytes());
            bytes.extend(trade.rest_q16.to_le_bytes());
        }
        bytes
    }

    /// Decodes canonical bytes; `from_bytes(b).to_bytes() == b` for whatever decodes.
    ///
    /// # Errors
    /// [`OutcomeError`] for a wrong length, an unknown code, or terms that no clearing produces on any grid.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OutcomeError> {
        let [rule, flags, body @ ..] = bytes else {
            return Err(OutcomeError::Length { expected: HEADER_BYTES, given: bytes.len() });
        };
        let rule = match rule {
            0 => Rule::Uniform,
            1 => Rule::TradeReduction,
            code => {
                return Err(OutcomeError::Code { field: "rule", code: *code });
            }
        };
        if *flags > HAS_VOLUME + HAS_TRADE {
            return Err(OutcomeError::Code { field: "flags", code: *flags });
        }
        let (has_volume, has_trade) = (flags & HAS_VOLUME != 0, flags & HAS_TRADE != 0);
        let expected =
            HEADER_BYTES + usize::from(has_volume) * VOLUME_BYTES + usize::from(has_trade) * TRADE_BYTES;
        if bytes.len() != expected {
            return Err(OutcomeError::Length { expected, given: bytes.len() });
        }
        let mut fields = Fields(body);
        let volume_wh = has_volume.then(|| fields.u64());
        let trade = if has_trade { Some(fields.trade()?) } else { None };
        let outcome = Outcome { rule, trade, volume_wh };
        outcome.check()?;
        Ok(outcome)
    }

    /// Checks every rule that does not need the grid.
    ///
    /// # Errors
    /// [`OutcomeError::Field`] names the first field that no clearing produces.
    pub fn check(&self) -> Result<(), OutcomeError> {
        let rule = |holds: bool, field, why| {
            if holds { Ok(()) } else { Err(OutcomeError::Field { field, why }) }
        };
        let Some(trade) = &self.trade else {
            return rule(self.volume_wh == Some(0), "volume", "without a trade the volume is zero");
        };
        let volume_fits = self.volume_wh.is_none_or(|wh| wh > 0 && wh <= MAX_OPENED_WH.unsigned_abs());
        rule(volume_fits, "volume", "a trade has a volume above zero and at most 2^40 Wh")?;
        let (low, high) = (trade.price_low_mct_per_kwh, trade.price_high_mct_per_kwh);
        let interval = low <= high && low >= -MAX_PRICE_MCT_PER_KWH && high <= MAX_PRICE_MCT_PER_KWH;
        rule(interval, "price interval", "not an interval of prices")?;
        let ticks_fit = trade.lowest_buy_tick < MAX_TICKS && trade.highest_sell_tick < MAX_TICKS;
        rule(ticks_fit, "ticks", "beyond the largest grid")?;
        let rationed = trade.rationed != Rationed::None;
        let fraction_fits = if rationed { trade.fraction_q16 < Q16 } else { trade.fraction_q16 == Q16 };
        rule(fraction_fits, "fraction", "below 2^16 when a side is rationed, else 2^16")?;
        let rest_fits =
            if rationed { trade.rest_q16 < 2 * MAX_OPENED_WH.unsigned_abs() } else { trade.rest_q16 == 0 };
        rule(rest_fits, "rest", "zero when nobody is rationed, else below what is available")?;
        match self.rule {
            Rule::Uniform => {
                // Whole for prices of a grid, whose tick is even; rounded down for others, which no grid has.
                let middle = (low + high).div_euclid(2);
                let prices = (trade.buy_price_mct_per_kwh, trade.sell_price_mct_per_kwh);
                rule(prices == (middle, middle), "price", "a uniform price is the middle of its interval")?;
                let gap = trade.lowest_buy_tick.checked_sub(trade.highest_sell_tick);
                rule(
                    gap.is_some_and(|gap| gap == 0 || !rationed),
                    "ticks",
                    "a side is rationed at one tick only",
                )
            }
            Rule::TradeReduction => {
                let prices = (trade.buy_price_mct_per_kwh, trade.sell_price_mct_per_kwh);
                rule(prices == (high, low), "price", "the prices are the ends of the interval")?;
                rule(self.volume_wh.is_some(), "volume", "the trade reduction always knows its volume")?;
                let gap = trade.lowest_buy_tick.checked_sub(trade.highest_sell_tick);
                rule(
                    gap.is_some_and(|gap| gap >= 2),
                    "ticks",
                    "the excluded ticks lie between the filled ones",
                )
            }
        }
    }

    /// Checks the terms against the grid that they were cleared on.
    ///
    /// # Errors
    /// [`OutcomeError::Field`] for whatever [`Outcome::check`] finds, for ticks beyond the grid and for prices that are
    /// not those of the ticks.
    pub fn check_on(&self, grid: &Grid) -> Result<(), OutcomeError> {
        self.check()?;
        let Some(trade) = &self.trade else { return Ok(()) };
        let (low_tick, high_tick) = match self.excluded_ticks() {
            Some((buy_edge, sell_edge)) => (sell_edge, buy_edge),
            None => (trade.highest_sell_tick, trade.lowest_buy_tick),
        };
        if trade.lowest_buy_tick >= grid.ticks() {
            return Err(OutcomeError::Field { field: "ticks", why: "beyond the grid" });
        }
        let prices = (grid.price_mct_per_kwh(low_tick), grid.price_mct_per_kwh(high_tick));
        if prices != (trade.price_low_mct_per_kwh, trade.price_high_mct_per_kwh) {
            return Err(OutcomeError::Field {
                field: "price interval",
                why: "not the grid's prices of its ticks",
            });
        }
        Ok(())
    }
}

/// Reads integers from bytes whose total length was checked; missing bytes would read as zero.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (head, tail) = self.0.split_first_chunk::<N>().unwrap_or((&[0; N], &[]));
        self.0 = tail;
        *head
    }
    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }
    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }
    fn i64(&mut self) -> i64 {
        i64::from_le_bytes(self.take())
    }
    fn trade(&mut self) -> Result<Trade, OutcomeError> {
        Ok(Trade {
            buy_price_mct_per_kwh: self.i64(),
            sell_price_mct_per_kwh: self.i64(),
            price_low_mct_per_kwh: self.i64(),
            price_high_mct_per_kwh: self.i64(),
            lowest_buy_tick: self.u32(),
            highest_sell_tick: self.u32(),
            rationed: match self.take::<1>()[0] {
                0 => Rationed::None,
                1 => Rationed::Demand,
                2 => Rationed::Supply,
                code => {
                    return Err(OutcomeError::Code { field: "rationed", code });
                }
            },
            fraction_q16: self.u32(),
            rest_q16: self.u64(),
        })
    }
}
