//! Sharing out readings that are known: what a sealed community comes to has to be the same, to the unit.

use super::error::{MinimumError, SharingError};
use super::keys::SharingKey;
use super::readings::{Direction, Reading, Readings};
use super::rule::{SlotShares, share_slot};

/// Shares out all slots, in the order of time.
///
/// # Errors
/// [`SharingError`] with the first slot whose sums are above the bound.
pub fn share_plain(readings: &Readings, key: &SharingKey) -> Result<Vec<SlotShares>, SharingError> {
    let energies = |list: &[Reading]| -> Vec<u64> { list.iter().map(|reading| reading.energy_wh).collect() };
    let shared = readings.slots.iter().map(|slot| {
        let shares = key.shares(readings, slot);
        share_slot(&energies(&slot.consumption), &energies(&slot.generation), shares.as_deref())
            .map_err(|error| error.of_slot(slot.start_unix_s))
    });
    shared.collect()
}

/// Checks that in every slot nobody or at least the minimum consumes, and generates: what is opened of a smaller set says too much
/// about its members. Of an empty set there is nothing to open.
///
/// # Errors
/// [`MinimumError`]: the first slot in which a set is too small.
pub fn check_minimums(
    readings: &Readings,
    min_consumers: usize,
    min_producers: usize,
) -> Result<(), MinimumError> {
    let minimums = [(Direction::Consumption, min_consumers), (Direction::Generation, min_producers)];
    for slot in &readings.slots {
        for (direction, minimum) in minimums {
            let accounts = slot.of(direction).len();
            if (1..minimum).contains(&accounts) {
                let (start_unix_s, direction) = (slot.start_unix_s, direction.name());
                return Err(MinimumError { start_unix_s, direction, accounts, minimum });
            }
        }
    }
    Ok(())
}
