//! The rule of one slot, in exact integers: energy in Wh, what is shared in Wh/2^16.

use super::error::SharingError;
use super::keys::{SharePpm, WHOLE_PPM};

/// The most that may add up in one slot and direction: the bound of sums that can be opened, so that sealed and plain
/// readings have one.
pub const MAX_SLOT_WH: u64 = 1 << 40;

/// 1 in parts of 2^16.
const ONE_Q16: u64 = 1 << 16;

/// What was consumed and generated in a slot, in bounds. Everything that a slot's sums decide follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotTotals {
    consumption_wh: u64,
    generation_wh: u64,
}

impl SlotTotals {
    /// D and G.
    ///
    /// # Errors
    /// [`SharingError::TooMuch`] above [`MAX_SLOT_WH`].
    pub fn new(consumption_wh: u64, generation_wh: u64) -> Result<Self, SharingError> {
        if consumption_wh.max(generation_wh) > MAX_SLOT_WH {
            return Err(SharingError::TooMuch { start_unix_s: None });
        }
        Ok(Self { consumption_wh, generation_wh })
    }

    /// D, what was consumed, Wh.
    pub fn consumption_wh(&self) -> u64 {
        self.consumption_wh
    }

    /// G, what was generated, Wh.
    pub fn generation_wh(&self) -> u64 {
        self.generation_wh
    }

    /// floor(2^16·min(D, G)/D): the part of its consumption that a consumer gets pro rata; 0 where nothing was consumed.
    pub fn consumption_fraction_q16(&self) -> u32 {
        let shared = self.consumption_wh.min(self.generation_wh);
        // At most 2^56, and at most 2^16 after the division.
        (ONE_Q16 * shared).checked_div(self.consumption_wh).map_or(0, |fraction| fraction as u32)
    }

    /// floor(k·G·2^16/10^6): the most that a consumer with this share gets, Wh/2^16. At most 2^56.
    pub fn cap_q16(&self, share: SharePpm) -> u64 {
        let cap = u128::from(share.get()) * u128::from(self.generation_wh) * u128::from(ONE_Q16);
        (cap / u128::from(WHOLE_PPM)) as u64
    }

    /// floor(sum A/G): the part of its generation that a producer delivers; 0 where nothing was generated.
    ///
    /// # Errors
    /// [`SharingError::SharedTooMuch`]: more than was consumed or generated.
    pub fn generation_fraction_q16(&self, shared_q16: u64) -> Result<u32, SharingError> {
        if shared_q16 > ONE_Q16 * self.consumption_wh.min(self.generation_wh) {
            let Self { consumption_wh, generation_wh } = *self;
            return Err(SharingError::SharedTooMuch { shared_q16, generation_wh, consumption_wh });
        }
        // At most 2^16 by the check.
        Ok(shared_q16.checked_div(self.generation_wh).map_or(0, |fraction| fraction as u32))
    }
}

/// What a slot's readings come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotShares {
    /// D and G.
    pub totals: SlotTotals,
    /// Sum of what consumers get, Wh/2^16.
    pub shared_q16: u64,
    /// The part of its consumption that each consumer gets; none under a key that is not pro rata.
    pub fraction_consumption_q16: Option<u32>,
    /// The part of its generation that each producer delivers.
    pub fraction_generation_q16: u32,
    /// What the community's account delivers, because producers' parts are rounded down: below G, Wh/2^16.
    pub rounding_q16: u64,
    /// What each consumer gets, Wh/2^16, in the order of its readings.
    pub consumers_q16: Vec<u64>,
    /// What each producer delivers, Wh/2^16, in the order of its readings.
    pub producers_q16: Vec<u64>,
}

/// Shares out one slot: pro rata without `shares`, else by one share per consumer.
///
/// # Errors
/// [`SharingError`]: sums above the bound, shares that are not as many as consumers or more than the whole.
pub fn share_slot(
    consumption_wh: &[u64],
    generation_wh: &[u64],
    shares: Option<&[SharePpm]>,
) -> Result<SlotShares, SharingError> {
    let totals = SlotTotals::new(sum(consumption_wh)?, sum(generation_wh)?)?;
    let (fraction, consumers_q16) = match shares {
        None => {
            let fraction = totals.consumption_fraction_q16();
            let amounts = consumption_wh.iter().map(|energy| u64::from(fraction) * energy);
            (Some(fraction), amounts.collect::<Vec<u64>>())
        }
        Some(shares) => {
            check_shares(consumption_wh.len(), shares)?;
            let amounts = consumption_wh.iter().zip(shares);
            let amount = |(energy, share): (&u64, &SharePpm)| totals.cap_q16(*share).min(ONE_Q16 * energy);
            (None, amounts.map(amount).collect())
        }
    };
    // At most 2^16 times the smaller of both sums, 2^56: each amount is at most its consumption, and all caps together are
    // at most G.
    let shared_q16 = consumers_q16.iter().sum();
    let fraction_generation_q16 = totals.generation_fraction_q16(shared_q16)?;
    let delivered = u64::from(fraction_generation_q16);
    Ok(SlotShares {
        totals,
        shared_q16,
        fraction_consumption_q16: fraction,
        fraction_generation_q16,
        rounding_q16: shared_q16 - delivered * totals.generation_wh,
        consumers_q16,
        producers_q16: generation_wh.iter().map(|energy| delivered * energy).collect(),
    })
}

fn check_shares(consumers: usize, shares: &[SharePpm]) -> Result<(), SharingError> {
    if shares.len() != consumers {
        return Err(SharingError::Shares { consumers, shares: shares.len() });
    }
    let sum_ppm: u64 = shares.iter().map(|share| u64::from(share.get())).sum();
    if sum_ppm > u64::from(WHOLE_PPM) {
        return Err(SharingError::MoreThanTheWhole { start_unix_s: None, sum_ppm });
    }
    Ok(())
}

fn sum(energies_wh: &[u64]) -> Result<u64, SharingError> {
    let sum = energies_wh.iter().try_fold(0u64, |sum, energy| sum.checked_add(*energy));
    sum.filter(|sum| *sum <= MAX_SLOT_WH).ok_or(SharingError::TooMuch { start_unix_s: None })
}
