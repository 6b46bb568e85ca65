//! What a day's shares are proved and verified against.

use crate::bid::BidParams;
use crate::bid::layout::Layout;
use crate::labels;
use crate::reading::params::{DayParams, digest};
use curve25519_dalek::scalar::Scalar;
use thiserror::Error;

/// In what shares and caps are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShareUnit {
    /// Wh: numbers of 16 bits.
    Wh,
    /// Wh/2^16: numbers of 32 bits.
    WhQ16,
}

impl ShareUnit {
    /// Bits of a share and a cap.
    pub fn bits(self) -> u32 {
        match self {
            Self::Wh => 16,
            Self::WhQ16 => 32,
        }
    }

    /// How many of it are a Wh.
    pub(super) fn of_wh(self) -> u64 {
        match self {
            Self::Wh => 1,
            Self::WhQ16 => 1 << 16,
        }
    }
}

/// Parameters that no shares can be proved against.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ShareParamsError {
    /// A reading in the shares' unit would not fit.
    #[error("shares of readings of {bits} bits can't be proved: at most 16 bits")]
    Bits {
        /// Width of the readings.
        bits: u32,
    },
}

/// Static parameters of a market's shares. Cloning is cheap.
#[derive(Clone)]
pub struct ShareParams {
    day: DayParams,
    unit: ShareUnit,
    vector: BidParams,
}

impl ShareParams {
    /// Parameters for shares of days of `day`.
    ///
    /// # Errors
    /// [`ShareParamsError`].
    pub fn new(day: &DayParams, unit: ShareUnit) -> Result<Self, ShareParamsError> {
        let (bits, slots) = (day.bits(), day.slots());
        if bits > 16 {
            return Err(ShareParamsError::Bits { bits });
        }
        let keys = day.slot_keys().to_vec();
        let digest = digest(labels::READING_SHARES_PARAMS, unit.bits(), &keys);
        // All u, then all v, then the products.
        let layout = Layout::with_products(unit.bits() as usize, 2 * slots, slots);
        Ok(Self { day: day.clone(), unit, vector: BidParams::of_layout(layout, keys, digest) })
    }

    /// The parameters of the days.
    pub fn day(&self) -> &DayParams {
        &self.day
    }
    /// The unit.
    pub fn unit(&self) -> ShareUnit {
        self.unit
    }
    /// The digest of bases, bits, slots and keys.
    pub fn digest(&self) -> [u8; 32] {
        self.vector.digest()
    }
    /// Bytes of the proof.
    pub fn proof_bytes(&self) -> usize {
        32 * (16 + 2 * self.vector.bases().layout().pairs())
    }
    pub(super) fn vector(&self) -> &BidParams {
        &self.vector
    }
    pub(super) fn layout(&self) -> &Layout {
        self.vector.bases().layout()
    }
    pub(super) fn slots(&self) -> usize {
        self.day.slots()
    }
    /// What a Wh is in the unit.
    pub(super) fn unit_of_wh(&self) -> Scalar {
        Scalar::from(self.unit.of_wh())
    }
}
