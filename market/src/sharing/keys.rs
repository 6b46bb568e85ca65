//! Sharing keys, and those of them that are files: `account,share_ppm` for a static key, `slot_start,account,share_ppm` for
//! coefficients by slot.

use super::error::KeysError;
use super::readings::{Readings, SlotReadings};
use super::rows::{account, read_rows, slot_start};
use crate::text::shown;
use crate::timestamp::format_utc;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

/// The whole, in parts per million.
pub const WHOLE_PPM: u32 = 1_000_000;

/// A share of what is generated: parts per million, at most the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct SharePpm(u32);

impl SharePpm {
    /// A share, if it is at most the whole.
    pub fn new(ppm: u32) -> Option<Self> {
        (ppm <= WHOLE_PPM).then_some(Self(ppm))
    }

    /// Parts per million.
    pub fn get(self) -> u32 {
        self.0
    }
}

/// Shares by account, for all slots or for each. They add up to at most the whole in every slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareKeys {
    /// By slot; a static key has one entry, for no slot in particular.
    by_slot: BTreeMap<Option<i64>, BTreeMap<String, SharePpm>>,
}

/// How a slot's generation is shared out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SharingKey {
    /// In proportion to consumption ("dynamic").
    ProRata,
    /// By shares that are known before, the same for all slots.
    Static(ShareKeys),
    /// By coefficients of each slot.
    Slots(ShareKeys),
}

impl SharingKey {
    /// The shares of a slot's consumers, in the order of its readings; none pro rata. An account without one has none: 0.
    pub fn shares(&self, readings: &Readings, slot: &SlotReadings) -> Option<Vec<SharePpm>> {
        let shares = match self {
            Self::ProRata => return None,
            Self::Static(keys) => keys.by_slot.get(&None),
            Self::Slots(keys) => keys.by_slot.get(&Some(slot.start_unix_s)),
        };
        let of = |account: usize| shares?.get(readings.accounts.get(account)?).copied();
        Some(slot.consumption.iter().map(|reading| of(reading.account).unwrap_or_default()).collect())
    }

    /// Accounts that have a share of more than zero and no reading of consumption where it counts, with the first such slot if
    /// the shares are by slot: nobody gets what is theirs.
    pub fn without_readings(&self, readings: &Readings) -> Vec<(&str, Option<i64>)> {
        let keys = match self {
            Self::ProRata => return Vec::new(),
            Self::Static(keys) | Self::Slots(keys) => keys,
        };
        let mut found = BTreeMap::new();
        for (slot, shares) in &keys.by_slot {
            let slots = &readings.slots;
            let counted = match slot {
                None => slots.as_slice(),
                // They are in the order of time.
                Some(start) => match slots.binary_search_by_key(start, |one| one.start_unix_s) {
                    Ok(at) => &slots[at..=at],
                    Err(_) => &[],
                },
            };
            let consumers: BTreeSet<&str> = counted
                .iter()
                .flat_map(|one| one.consumption.iter().map(|reading| reading.account))
                .filter_map(|account| readings.accounts.get(account).map(String::as_str))
                .collect();
            for (account, share) in shares {
                if share.0 > 0 && !consumers.contains(account.as_str()) {
                    found.entry(account.as_str()).or_insert(*slot);
                }
            }
        }
        found.into_iter().collect()
    }
}

/// Reads a static key.
///
/// # Errors
/// The first [`KeysError`] from the top of the file; then shares that are more than the whole.
pub fn parse_static_keys(reader: impl Read) -> Result<SharingKey, KeysError> {
    let mut gathered = Gathered::default();
    read_rows(reader, ["account", "share_ppm"], |line, [name, share]| gathered.add(line, None, name, share))?;
    gathered.finish().map(SharingKey::Static)
}

/// Reads coefficients by slot.
///
/// # Errors
/// As [`parse_static_keys`].
pub fn parse_slot_keys(reader: impl Read) -> Result<SharingKey, KeysError> {
    let mut gathered = Gathered::default();
    read_rows(reader, ["slot_start", "account", "share_ppm"], |line, [start, name, share]| {
        gathered.add(line, Some(slot_start(line, start)?), name, share)
    })?;
    gathered.finish().map(SharingKey::Slots)
}

#[derive(Default)]
struct Gathered(BTreeMap<Option<i64>, BTreeMap<String, (SharePpm, u64)>>);

impl Gathered {
    fn add(&mut self, line: u64, slot: Option<i64>, name: &str, share: &str) -> Result<(), KeysError> {
        let name = account(line, name)?;
        // `parse` takes a sign, which no share has.
        let digits = Some(share).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let parsed = digits.and_then(|text| text.parse().ok()).and_then(SharePpm::new);
        let parsed = parsed.ok_or_else(|| KeysError::Share { line, value: shown(share) })?;
        let before = self.0.entry(slot).or_default().insert(name.to_owned(), (parsed, line));
        match before {
            Some((_, first_line)) => {
                Err(KeysError::Duplicate { line, account: shown(name), slot: of_slot(slot), first_line })
            }
            None => Ok(()),
        }
    }

    fn finish(self) -> Result<ShareKeys, KeysError> {
        let mut by_slot = BTreeMap::new();
        for (slot, shares) in self.0 {
            let shares: BTreeMap<String, SharePpm> =
                shares.into_iter().map(|(account, (share, _))| (account, share)).collect();
            let sum_ppm = shares.values().map(|share| u64::from(share.0)).sum();
            if sum_ppm > u64::from(WHOLE_PPM) {
                return Err(KeysError::MoreThanTheWhole { slot: of_slot(slot), sum_ppm });
            }
            by_slot.insert(slot, shares);
        }
        Ok(ShareKeys { by_slot })
    }
}

fn of_slot(slot: Option<i64>) -> String {
    slot.map_or_else(String::new, |start| format!(" of {}", format_utc(start)))
}
