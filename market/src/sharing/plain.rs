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
/// about its members. Of an empty set there is nothing to open. Under a key with shares only those who have one count as consumers:
/// all others get 0, so that what is shared is the sum over the few who have, and one alone is read.
///
/// # Errors
/// [`MinimumError`]: the first slot in which a set is too small.
pub fn check_minimums(
    readings: &Readings,
    key: &SharingKey,
    min_consumers: usize,
    min_producers: usize,
) -> Result<(), MinimumError> {
    for slot in &readings.slots {
        let consumers = match key.shares(readings, slot) {
            None => slot.consumption.len(),
            Some(shares) => shares.into_iter().filter(|share| share.get() > 0).count(),
        };
        let sets = [
            (Direction::Consumption, consumers, min_consumers),
            (Direction::Generation, slot.generation.len(), min_producers),
        ];
        for (direction, accounts, minimum) in sets {
            if (1..minimum).contains(&accounts) {
                let (start_unix_s, direction) = (slot.start_unix_s, direction.name());
                return Err(MinimumError { start_unix_s, direction, accounts, minimum });
            }
        }
    }
    Ok(())
}
