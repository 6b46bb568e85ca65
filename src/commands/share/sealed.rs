//! Readings sealed end to end: nothing is added up but under keys that three of four validators open, only the sums that the key
//! needs are opened, and what everybody gets follows from its own vector.

use super::Community;
use super::days::{Day, NARROW_BITS, bits_for, days_of};
use super::quorum::{Quorum, SumName};
use super::report::{Opened, What};
use super::settled::{SettledDay, capped, in_proportion};
use super::vectors::{FrozenDay, KEY_EPOCH, Setting};
use crate::failure::Failure;
use crate::output;
use rand_core::{OsRng, RngCore};
use veilgrid_crypto::dlog::{MAX_BOUND, SmallLog};
use veilgrid_crypto::reading::{DayParams, DaySource, DayTally};
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_market::sharing::{Direction, SharingKey, SlotReadings, SlotShares, SlotTotals};
use veilgrid_market::timestamp::format_utc;

/// What a sealed community came to.
pub(super) struct Sealed {
    /// In the order of the file's slots.
    pub slots: Vec<SlotShares>,
    /// Every sum that was opened, in order.
    pub opened: Vec<Opened>,
}

/// A run.
pub(super) struct Run<'a> {
    pub community: &'a Community,
    pub setting: Setting,
    pub quorum: Quorum,
    pub opened: Vec<Opened>,
}

/// Shares out sealed readings.
///
/// # Errors
/// Readings that can't be sealed; an audit failure if any proof, share, opening or owner's check does not hold.
pub(super) fn sealed(community: &Community, json: bool) -> Result<Sealed, Failure> {
    let readings = &community.readings;
    let bits = bits_for(readings, community.key == SharingKey::ProRata)?;
    let days = days_of(readings)?;
    let keys = days.iter().map(|day| day.slots).max().unwrap_or(1);
    let mut ledger_id = [0u8; 32];
    OsRng.fill_bytes(&mut ledger_id);
    let quorum = Quorum::generate(ledger_id, KEY_EPOCH, u32::from(keys), &mut OsRng)?;
    let params = DayParams::new(bits, quorum.keys().keys().to_vec()).map_err(Failure::input)?;
    let setting = Setting {
        ledger_id,
        params,
        source: DaySource::generate(&mut OsRng),
        authority: SigningKey::generate(&mut OsRng).verifying_key().to_bytes(),
        keyrings: Setting::keyrings(readings.accounts.len()),
        log: reading_log(bits),
        json,
    };
    let mut run = Run { community, setting, quorum, opened: Vec::new() };
    let mut slots = Vec::with_capacity(readings.slots.len());
    for day in &days {
        slots.extend(run.day(day)?.slots);
    }
    Ok(Sealed { slots, opened: run.opened })
}

/// Finds single readings. A large table pays where it is small enough to be made at once.
fn reading_log(bits: u32) -> SmallLog {
    let bound = u64::MAX >> (64 - bits);
    if bits <= NARROW_BITS { SmallLog::for_fast_answers(bound) } else { SmallLog::new(bound) }
}

impl Run<'_> {
    fn day(&mut self, day: &Day) -> Result<SettledDay, Failure> {
        // All vectors of both directions are checked and the sets frozen before the first share of any sum.
        let frozen = self.setting.freeze(day, day.rows(&self.community.readings))?;
        match self.community.key {
            SharingKey::ProRata => in_proportion(self, day, &frozen),
            SharingKey::Static(_) | SharingKey::Slots(_) => capped(self, day, &frozen),
        }
    }

    /// The file's slot at a place.
    pub fn slot(&self, at: usize) -> &SlotReadings {
        &self.community.readings.slots[at]
    }

    /// Opens the sums of one direction for all slots that have one; zero where nobody has a reading.
    pub fn open_readings(
        &mut self,
        day: &Day,
        frozen: &FrozenDay,
        direction: Direction,
    ) -> Result<Vec<u64>, Failure> {
        let tally = &frozen.tallies[usize::from(direction == Direction::Generation)];
        let what = if direction == Direction::Generation { What::Generation } else { What::Consumption };
        let most = tally.count().checked_shl(self.setting.params.bits()).unwrap_or(u64::MAX);
        self.open_all(day, tally, what, &vec![most; day.places.len()])
    }

    /// Opens the sums of a set for the day's slots, each at most its bound; where the bound is zero the sum follows.
    pub fn open_all(
        &mut self,
        day: &Day,
        tally: &DayTally,
        what: What,
        most: &[u64],
    ) -> Result<Vec<u64>, Failure> {
        let bound = most.iter().copied().max().unwrap_or(0);
        if bound > MAX_BOUND {
            return Err(Failure::Input(format!(
                "sums of up to {bound} (on the day from {} on) are above 2^40 and can't be opened; share it out with --plain",
                format_utc(day.start_unix_s)
            )));
        }
        let log = SmallLog::new(bound);
        let bar = output::progress(day.places.len() as u64, "opening sums", self.setting.json);
        let mut values = Vec::with_capacity(day.places.len());
        for ((at, slot), most) in day.places.iter().zip(most) {
            let sum = tally.slot(*slot).filter(|_| *most > 0);
            let value = match sum {
                None => 0,
                Some(sum) => {
                    let number = 4 * *slot as u32 + what.number();
                    let name = SumName { day_start_unix_s: day.start_unix_s, number, set: tally.set() };
                    let value = self.quorum.open(name, *slot, &sum, &log, &mut OsRng)?;
                    self.opened.push(Opened::new(self.slot(*at).start_unix_s, what, value));
                    value
                }
            };
            values.push(value);
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(values)
    }

    /// D and G of a slot.
    pub fn totals(&self, at: usize, consumption: u64, generation: u64) -> Result<SlotTotals, Failure> {
        SlotTotals::new(consumption, generation).map_err(|error| {
            Failure::Input(format!("slot {}: {error}", format_utc(self.slot(at).start_unix_s)))
        })
    }
}
