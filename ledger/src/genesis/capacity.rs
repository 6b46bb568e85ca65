//! The classes of connection capacity that a market knows. A certificate names a class by its number, so that what is
//! public of a connection is one of a few sizes and not its exact rating.

use thiserror::Error;
use veilgrid_crypto::wire::{Reader, WireError, Writer};

/// Most classes of a market.
pub const MAX_CAPACITY_CLASSES: usize = 64;

/// Largest capacity of a class, and largest sum over all members of a direction, in Wh per slot: the largest sum that can
/// be opened.
pub const MAX_CAPACITY_WH: u64 = 1 << 40;

/// Powers of common connections in W, from "none" through a household (11 kVA) to a large site.
const COMMON_CONNECTIONS_W: [u64; 10] =
    [0, 3_700, 7_400, 11_000, 17_000, 22_000, 44_000, 100_000, 250_000, 1_000_000];

const SECONDS_PER_HOUR: u64 = 3_600;

/// Capacities in Wh per slot, by class: class 0 is the first entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapacityClasses {
    capacities_wh: Vec<u64>,
}

/// Classes that no market may have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CapacityError {
    /// "A market has 1 to 64 classes."
    #[error("{classes} capacity classes: a market has 1 to {MAX_CAPACITY_CLASSES}")]
    Count {
        /// How many there are.
        classes: usize,
    },
    /// "Capacities rise from class to class, up to 2^40 Wh a slot."
    #[error(
        "capacity class {class} has {capacity_wh} Wh: capacities rise, and the most is {MAX_CAPACITY_WH} Wh"
    )]
    Capacity {
        /// The class, from 0.
        class: usize,
        /// Its capacity in Wh per slot.
        capacity_wh: u64,
    },
}

impl CapacityClasses {
    /// Classes with these capacities in Wh per slot.
    ///
    /// # Errors
    /// [`CapacityError`].
    pub fn new(capacities_wh: Vec<u64>) -> Result<Self, CapacityError> {
        let classes = Self { capacities_wh };
        classes.check().map(|()| classes)
    }

    /// The classes of common connections for slots of so many seconds, rounded down to a Wh: what a market has when
    /// nobody says otherwise.
    pub fn of_connections(slot_seconds: u32) -> Self {
        let in_a_slot = |power_w: u64| power_w.saturating_mul(slot_seconds.into()) / SECONDS_PER_HOUR;
        Self { capacities_wh: COMMON_CONNECTIONS_W.into_iter().map(in_a_slot).collect() }
    }

    /// Checks the number of classes and their order.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn check(&self) -> Result<(), CapacityError> {
        let classes = self.capacities_wh.len();
        if !(1..=MAX_CAPACITY_CLASSES).contains(&classes) {
            return Err(CapacityError::Count { classes });
        }
        for (class, capacity_wh) in self.capacities_wh.iter().copied().enumerate() {
            let rises = class == 0 || self.capacities_wh[class - 1] < capacity_wh;
            if !rises || capacity_wh > MAX_CAPACITY_WH {
                return Err(CapacityError::Capacity { class, capacity_wh });
            }
        }
        Ok(())
    }

    /// Capacity of a class in Wh per slot; none for a class that the market does not have.
    pub fn capacity_wh(&self, class: u8) -> Option<u64> {
        self.capacities_wh.get(usize::from(class)).copied()
    }

    /// Number of classes.
    pub fn count(&self) -> usize {
        self.capacities_wh.len()
    }

    /// Capacities in Wh per slot in the order of the classes.
    pub fn capacities_wh(&self) -> &[u64] {
        &self.capacities_wh
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.length(self.capacities_wh.len());
        for capacity_wh in &self.capacities_wh {
            w.u64(*capacity_wh);
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let count = r.length("capacity classes", MAX_CAPACITY_CLASSES, 8)?;
        let capacities_wh = (0..count).map(|_| r.u64("capacity class")).collect::<Result<_, _>>()?;
        Ok(Self { capacities_wh })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_connections_are_sound_for_all_slots() {
        for slot_seconds in crate::params::SLOT_SECONDS {
            assert_eq!(CapacityClasses::of_connections(slot_seconds).check(), Ok(()));
        }
        assert_eq!(
            CapacityClasses::of_connections(900).capacity_wh(3),
            Some(2_750),
            "11 kVA in a quarter-hour"
        );
    }

    #[test]
    fn classes_are_bounded_and_rise() {
        let of = |capacities: &[u64]| CapacityClasses::new(capacities.to_vec()).map(|_| ());
        assert_eq!(of(&[0, 5, MAX_CAPACITY_WH]), Ok(()));
        assert_eq!(of(&[]), Err(CapacityError::Count { classes: 0 }));
        let many: Vec<u64> = (0..65).collect();
        assert_eq!(of(&many), Err(CapacityError::Count { classes: 65 }));
        assert_eq!(of(&[1, 1]), Err(CapacityError::Capacity { class: 1, capacity_wh: 1 }));
        let capacity_wh = MAX_CAPACITY_WH + 1;
        assert_eq!(of(&[capacity_wh]), Err(CapacityError::Capacity { class: 0, capacity_wh }));
    }
}
