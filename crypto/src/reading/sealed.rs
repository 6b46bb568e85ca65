//! The wire form of a day of readings. The day's slots and the grades fix all lengths.

use super::context::DayHeader;
use super::params::DayParams;
use crate::group::PointBytes;
use crate::labels;
use crate::wire::{Reader, WireError, Writer};
use sha2::{Digest, Sha256};

/// Bytes of r, sealed to the wallet: encapsulated key, r, tag.
pub const RECOVERY_BYTES: usize = 32 + crate::hybrid::SEAL_OVERHEAD;

/// A sealed day as it travels: nothing in it is checked yet but its lengths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedDay {
    /// What it is about.
    pub header: DayHeader,
    /// R = r·G.
    pub r: PointBytes,
    /// C_k = x_k·V + r·Y_k of the slots that have a reading, in their order.
    pub c: Vec<PointBytes>,
    /// r, sealed to the account's wallet.
    pub recovery: [u8; RECOVERY_BYTES],
    /// The proof.
    pub proof: Vec<u8>,
}

impl SealedDay {
    /// Bytes of a day of so many slots, `present` of which have a reading.
    pub fn encoded_bytes(params: &DayParams, slots: usize, present: usize) -> usize {
        DayHeader::encoded_bytes(slots) + 32 + 32 * present + RECOVERY_BYTES + params.proof_bytes()
    }

    /// Canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.header.write(&mut w);
        w.bytes(&self.r).bytes(self.c.as_flattened()).bytes(&self.recovery).bytes(&self.proof);
        w.finish()
    }

    /// Decodes one day of so many slots and nothing behind it.
    ///
    /// # Errors
    /// [`WireError`]. Points and scalars are decoded later, where they are checked.
    pub fn from_bytes(bytes: &[u8], params: &DayParams, slots: usize) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let day = Self::read(&mut r, params, slots)?;
        r.finish()?;
        Ok(day)
    }

    /// Reads one day from a longer encoding.
    ///
    /// # Errors
    /// [`WireError`]; before anything is allocated, the whole day has to be there.
    pub fn read(r: &mut Reader<'_>, params: &DayParams, slots: usize) -> Result<Self, WireError> {
        if slots > params.slots() {
            return Err(WireError::TooLong {
                field: "slots of a day",
                length: slots as u64,
                bound: params.slots() as u64,
            });
        }
        let header = DayHeader::read(r, slots)?;
        let present = header.present().len();
        let needed = 32 + 32 * present + RECOVERY_BYTES + params.proof_bytes();
        if r.remaining() < needed {
            return Err(WireError::Truncated { field: "sealed day", needed, left: r.remaining() });
        }
        Ok(Self {
            header,
            r: r.array("day R")?,
            c: (0..present).map(|_| r.array("day C")).collect::<Result<_, _>>()?,
            recovery: r.array("day recovery")?,
            proof: r.bytes("day proof", params.proof_bytes())?.to_vec(),
        })
    }

    /// The digest that names this day: what its source signs.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(labels::READING_DIGEST);
        hash.update(self.to_bytes());
        hash.finalize().into()
    }
}
