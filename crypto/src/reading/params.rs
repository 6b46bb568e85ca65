//! What a day of readings is proved and verified against: bases, the keys of a day's slots, bits.

use crate::bid::BidParams;
use crate::bid::layout::Layout;
use crate::group::{encode_point, value_base};
use crate::labels;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::traits::IsIdentity;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use thiserror::Error;

/// Most slots of a day: 100 quarter-hours where clocks go back, with room.
pub const MAX_SLOTS: usize = 128;

/// Parameters that no day can be proved against.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DayParamsError {
    /// The width of a reading is not one of the three that the protocol knows.
    #[error("readings of {bits} bits are not supported: choose 8, 16 or 32")]
    Bits {
        /// The refused width.
        bits: u32,
    },
    /// No slots, or more than a day has.
    #[error("{slots} slot keys: a day has from 1 to {MAX_SLOTS} slots")]
    Slots {
        /// The refused number.
        slots: usize,
    },
    /// Two slots share a key, or a key is the identity: readings would open without the validators.
    #[error("slot key {slot} is the identity or repeats an earlier key")]
    Key {
        /// Index of the offending key.
        slot: usize,
    },
}

/// Static parameters of a market's readings. Cloning is cheap.
#[derive(Clone)]
pub struct DayParams(BidParams);

impl DayParams {
    /// Parameters for readings of `bits` bits (8, 16 or 32) under `slot_keys` (Y_1..Y_K, one a slot of the longest day).
    ///
    /// # Errors
    /// [`DayParamsError`].
    pub fn new(bits: u32, slot_keys: Vec<RistrettoPoint>) -> Result<Self, DayParamsError> {
        if !matches!(bits, 8 | 16 | 32) {
            return Err(DayParamsError::Bits { bits });
        }
        let slots = slot_keys.len();
        if !(1..=MAX_SLOTS).contains(&slots) {
            return Err(DayParamsError::Slots { slots });
        }
        let mut seen = BTreeSet::new();
        for (slot, key) in slot_keys.iter().enumerate() {
            if key.is_identity() || !seen.insert(encode_point(key)) {
                return Err(DayParamsError::Key { slot });
            }
        }
        // A power of two of values: those behind the last slot have no key and are proved to be zero.
        let layout = Layout::new(bits as usize, slots.next_power_of_two().max(4), false);
        let digest = digest(labels::READING_PARAMS, bits, &slot_keys);
        Ok(Self(BidParams::of_layout(layout, slot_keys, digest)))
    }

    /// Slots of the longest day, K.
    pub fn slots(&self) -> usize {
        self.slot_keys().len()
    }
    /// Bits of a reading.
    pub fn bits(&self) -> u32 {
        self.0.bits()
    }
    /// The digest that every context absorbs: bases, bits, slots, keys.
    pub fn digest(&self) -> [u8; 32] {
        self.0.digest()
    }
    /// The slots' keys Y_1..Y_K.
    pub fn slot_keys(&self) -> &[RistrettoPoint] {
        self.0.step_keys()
    }
    /// The same as the parameters of a vector of as many steps as the proof has values.
    pub(crate) fn vector(&self) -> &BidParams {
        &self.0
    }
    /// Bytes of a day's proof.
    pub fn proof_bytes(&self) -> usize {
        self.0.shape().proof_bytes()
    }
}

/// The digest of bases, bits and keys under a label.
pub(super) fn digest(label: &[u8], bits: u32, slot_keys: &[RistrettoPoint]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(label);
    hash.update(bits.to_le_bytes());
    hash.update((slot_keys.len() as u32).to_le_bytes());
    for base in [RISTRETTO_BASEPOINT_POINT, value_base(), crate::group::blinding_base()] {
        hash.update(encode_point(&base));
    }
    slot_keys.iter().for_each(|key| hash.update(encode_point(key)));
    hash.finalize().into()
}
