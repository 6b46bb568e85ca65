//! What a day of readings is about, besides its values: everything that its transcript absorbs before R and C.

use super::params::DayParams;
use crate::absorb::Absorb;
use crate::labels;
use crate::wire::{Reader, WireError, Writer};

/// What is the same for all vectors of a day: the ledger says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayContext {
    /// Identity of the ledger.
    pub ledger_id: [u8; 32],
    /// Epoch of the keys and pseudonyms.
    pub key_epoch: u64,
    /// The market, by the digest of its parameters.
    pub market: [u8; 32],
    /// Key of the source of the readings.
    pub authority: [u8; 32],
    /// Start of the day in the market's calendar, seconds since 1970 UTC.
    pub day_start_unix_s: i64,
    /// Slots of the day, K_d.
    pub slots: u16,
    /// Length of a slot in seconds.
    pub slot_seconds: u32,
}

/// Which way energy flowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From the grid.
    Consumption = 0,
    /// Into the grid.
    Generation = 1,
}

/// What the values of a vector are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// All that the meter counted.
    Total = 0,
    /// The part of it that was shared, as the network operator computed it.
    Shared = 1,
    /// The rest of it.
    Rest = 2,
}

/// What a reading rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// There is none: no point, which is never a zero.
    Missing = 0,
    /// The meter's.
    Measured = 1,
    /// A value that rules put in its place.
    Substituted = 2,
    /// Estimated.
    Estimated = 3,
}

/// What one vector is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayHeader {
    /// The account's key (pseudonym).
    pub account: [u8; 32],
    /// The direction.
    pub direction: Direction,
    /// The kind.
    pub kind: Kind,
    /// Revision of the day's vector, from 0.
    pub revision: u32,
    /// Digest of the revision before; zeros for the first.
    pub previous: [u8; 32],
    /// One a slot of the day.
    pub grades: Vec<Grade>,
}

impl DayHeader {
    /// The header of a day's first vector.
    pub fn first(account: [u8; 32], direction: Direction, grades: Vec<Grade>) -> Self {
        Self { account, direction, kind: Kind::Total, revision: 0, previous: [0; 32], grades }
    }

    /// The slots that have a reading, from 0.
    pub fn present(&self) -> Vec<usize> {
        let graded = self.grades.iter().enumerate();
        graded.filter(|(_, grade)| **grade != Grade::Missing).map(|(slot, _)| slot).collect()
    }

    /// Bytes of a header for a day of so many slots.
    pub const fn encoded_bytes(slots: usize) -> usize {
        32 + 1 + 1 + 4 + 32 + slots.div_ceil(4)
    }

    /// Canonical encoding; four grades a byte, the first in the lowest bits.
    pub(super) fn write(&self, w: &mut Writer) {
        w.bytes(&self.account).u8(self.direction as u8).u8(self.kind as u8).u32(self.revision);
        w.bytes(&self.previous);
        for four in self.grades.chunks(4) {
            w.u8(four.iter().enumerate().fold(0, |byte, (at, grade)| byte | (*grade as u8) << (2 * at)));
        }
    }

    /// Reads a header for a day of so many slots.
    pub(super) fn read(r: &mut Reader<'_>, slots: usize) -> Result<Self, WireError> {
        let account = r.array("reading account")?;
        let direction = match r.u8("reading direction")? {
            0 => Direction::Consumption,
            1 => Direction::Generation,
            _ => return Err(WireError::Invalid { field: "reading direction", why: "unknown" }),
        };
        let kind = match r.u8("reading kind")? {
            0 => Kind::Total,
            1 => Kind::Shared,
            2 => Kind::Rest,
            _ => return Err(WireError::Invalid { field: "reading kind", why: "unknown" }),
        };
        let (revision, previous) = (r.u32("reading revision")?, r.array("previous reading")?);
        let packed = r.bytes("grades", slots.div_ceil(4))?;
        let grade = |slot: usize| match (packed[slot / 4] >> (2 * (slot % 4))) & 3 {
            0 => Grade::Missing,
            1 => Grade::Measured,
            2 => Grade::Substituted,
            _ => Grade::Estimated,
        };
        if (slots..4 * packed.len()).any(|slot| grade(slot) != Grade::Missing) {
            return Err(WireError::Invalid { field: "grades", why: "a slot behind the day's end has one" });
        }
        Ok(Self { account, direction, kind, revision, previous, grades: (0..slots).map(grade).collect() })
    }
}

impl DayContext {
    /// Absorbs the context and a vector's header, on a transcript that was begun with its label.
    pub(super) fn absorb(&self, t: &mut impl Absorb, params: &DayParams, header: &DayHeader) {
        t.absorb(b"version", &labels::PROTOCOL_VERSION.to_le_bytes());
        t.absorb(b"ledger", &self.ledger_id);
        t.absorb(b"params", &params.digest());
        t.absorb_u64(b"epoch", self.key_epoch);
        t.absorb(b"market", &self.market);
        t.absorb(b"authority", &self.authority);
        t.absorb(b"account", &header.account);
        t.absorb(b"direction", &[header.direction as u8]);
        t.absorb(b"kind", &[header.kind as u8]);
        t.absorb(b"day-start", &self.day_start_unix_s.to_le_bytes());
        t.absorb_u64(b"slots", u64::from(self.slots));
        t.absorb(b"slot-seconds", &self.slot_seconds.to_le_bytes());
        t.absorb_u64(b"revision", u64::from(header.revision));
        t.absorb(b"previous", &header.previous);
        let grades: Vec<u8> = header.grades.iter().map(|grade| *grade as u8).collect();
        t.absorb(b"grades", &grades);
    }

    /// The same in bytes, for the randomness and the sealed r.
    pub(super) fn to_bytes(self, params: &DayParams, header: &DayHeader) -> Vec<u8> {
        let mut w = Writer::new();
        w.u16(labels::PROTOCOL_VERSION).bytes(&self.ledger_id).bytes(&params.digest()).u64(self.key_epoch);
        w.bytes(&self.market).bytes(&self.authority);
        w.i64(self.day_start_unix_s).u16(self.slots).u32(self.slot_seconds);
        header.write(&mut w);
        w.finish()
    }
}
