//! Whether a value can have gone through its connection: what shows Wh that were entered as kWh.

use crate::{Direction, Energy};
use thiserror::Error;

/// What a meter may show above the certified rating: fuses carry more for a while, and ratings are rounded.
const TOLERANCE_PERCENT: u128 = 120;

/// The rating of a connection, as certified for its member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Most mean power out of the grid, W.
    pub import_w: u64,
    /// Most mean power into the grid, W; 0 for who has no right to.
    pub export_w: u64,
}

/// More energy than the connection carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "{} Wh of {} in {seconds} s is {power_w} W on average, and the connection is certified for {certified_w} W; is the value in another unit, or the wrong meter's?",
    energy.rounded_wh().0, direction.name()
)]
pub struct Implausible {
    energy: Energy,
    direction: Direction,
    seconds: u32,
    power_w: u64,
    certified_w: u64,
}

impl Capacity {
    /// Checks one interval's energy; a fifth more than the rating passes.
    ///
    /// # Errors
    /// [`Implausible`].
    pub fn check(&self, direction: Direction, energy: Energy, seconds: u32) -> Result<(), Implausible> {
        let certified_w = match direction {
            Direction::Consumption => self.import_w,
            Direction::Generation => self.export_w,
        };
        let bound_nano_wh =
            u128::from(certified_w) * 1_000_000_000 * u128::from(seconds) * TOLERANCE_PERCENT / 360_000;
        if u128::from(energy.nano_wh()) <= bound_nano_wh {
            return Ok(());
        }
        let power_w = u128::from(energy.nano_wh()) * 3600 / u128::from(seconds.max(1)) / 1_000_000_000;
        let power_w = u64::try_from(power_w).unwrap_or(u64::MAX);
        Err(Implausible { energy, direction, seconds, power_w, certified_w })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wh_that_were_entered_as_kwh_are_refused() {
        let house = Capacity { import_w: 11_000, export_w: 0 };
        let check = |wh, direction| house.check(direction, Energy::from_wh(wh).expect("in bounds"), 900);
        assert_eq!(check(250, Direction::Consumption), Ok(()));
        let message = check(250_000, Direction::Consumption).expect_err("250 Wh read as 250 kWh").to_string();
        assert!(message.contains("1000000 W") && message.contains("11000 W"), "{message}");
        assert_eq!(check(0, Direction::Generation), Ok(()));
        assert!(check(1, Direction::Generation).is_err(), "no right to feed in");
        // A fifth more than the rating passes, and no Wh more.
        assert_eq!(check(3300, Direction::Consumption), Ok(()));
        assert!(check(3301, Direction::Consumption).is_err());
    }
}
