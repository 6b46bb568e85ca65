//! The bounds that a market has to keep before any round opens (protocol, sections 2 and 3).

use crate::grid::Grid;
use crate::units::{MAX_UNKNOWN_OPENING, Q16, format_ct_per_kwh};
use thiserror::Error;

/// Why a market is refused when it is set up.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BoundsError {
    /// The bits of a quantity are none of those that exist.
    #[error("a quantity has 8, 16 or 32 bits, not {bits}")]
    Bits {
        /// The number given.
        bits: u32,
    },
    /// A market without members.
    #[error("a market needs at least one member")]
    NoMembers,
    /// A sum of all bids could be too large to be found from its commitment.
    #[error(
        "{members} members with {steps} steps of {bits} bits can bid more than 2^40 Wh together, the largest sum that \
         can be opened; at most {most_members} members fit, or use fewer bits or ticks"
    )]
    Energy {
        /// Members asked for.
        members: u64,
        /// Steps of a bid.
        steps: usize,
        /// Bits a step.
        bits: u32,
        /// Members that would fit.
        most_members: u64,
    },
    /// The money of one account could leave 63 bits.
    #[error(
        "{ticks} ticks of {bits} bits at {} ct/kWh cost more than 63 bits of money hold; a price can be at most {} ct/kWh \
         from zero, or use fewer bits or ticks",
        format_ct_per_kwh(*price_mct_per_kwh), format_ct_per_kwh(*most_mct_per_kwh)
    )]
    Money {
        /// Ticks of the grid.
        ticks: u32,
        /// Bits a step.
        bits: u32,
        /// The price of the grid that is farthest from zero.
        price_mct_per_kwh: i64,
        /// The price farthest from zero that would fit.
        most_mct_per_kwh: i64,
    },
}

/// Refuses a market in which a sum could leave its range.
///
/// `members · M · 2^bits <= 2^40`, so that every opened sum can be found; and the money of one account, L steps at the
/// price farthest from zero with 16 fraction bits, inside 63 bits. No more than L steps of a bid can add up: buys are
/// filled above and sells below, and at the one tick where both are, one price gives them opposite signs.
///
/// # Errors
/// One [`BoundsError`] per rule; each names what would fit.
pub fn check_bounds(grid: &Grid, bits: u32, members: u64) -> Result<(), BoundsError> {
    if ![8, 16, 32].contains(&bits) {
        return Err(BoundsError::Bits { bits });
    }
    if members == 0 {
        return Err(BoundsError::NoMembers);
    }
    let most_members = MAX_UNKNOWN_OPENING / ((grid.steps() as u64) << bits);
    if members > most_members {
        return Err(BoundsError::Energy { members, steps: grid.steps(), bits, most_members });
    }
    let side_q16 = u128::from(grid.ticks()) * ((1 << bits) - 1) * u128::from(Q16);
    let most_mct_per_kwh = i64::try_from(((1u128 << 63) - 1) / side_q16).unwrap_or(i64::MAX);
    let ends = [grid.price_min_mct_per_kwh(), grid.price_max_mct_per_kwh()];
    let price_mct_per_kwh = if ends[0].unsigned_abs() > ends[1].unsigned_abs() { ends[0] } else { ends[1] };
    if price_mct_per_kwh.unsigned_abs() > most_mct_per_kwh.unsigned_abs() {
        return Err(BoundsError::Money { ticks: grid.ticks(), bits, price_mct_per_kwh, most_mct_per_kwh });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_refuses_one_too_many() {
        let grid = Grid::new(0, 1_000, 64).unwrap();
        assert_eq!(check_bounds(&grid, 12, 1), Err(BoundsError::Bits { bits: 12 }));
        assert_eq!(check_bounds(&grid, 16, 0), Err(BoundsError::NoMembers));
        // 128 steps of 16 bits are 2^23 Wh a member: 2^17 members.
        assert_eq!(check_bounds(&grid, 16, 1 << 17), Ok(()));
        assert!(matches!(
            check_bounds(&grid, 16, (1 << 17) + 1),
            Err(BoundsError::Energy { most_members: 131_072, .. })
        ));
        assert!(matches!(check_bounds(&grid, 16, u64::MAX), Err(BoundsError::Energy { .. })));
    }

    #[test]
    fn money_stays_inside_63_bits() {
        // 2 ticks of 32 bits with 16 fraction bits: 2^49 less a little, so that prices up to 2^14 fit.
        let fits = Grid::new((1 << 14) - 2, 2, 2).unwrap();
        assert_eq!(check_bounds(&fits, 32, 1), Ok(()));
        let above = Grid::new(1 << 14, 2, 2).unwrap();
        assert!(matches!(
            check_bounds(&above, 32, 1),
            Err(BoundsError::Money { most_mct_per_kwh: 16_384, .. })
        ));
        let mirrored = Grid::new(-(1 << 14), 2, 2).unwrap();
        assert_eq!(check_bounds(&mirrored, 32, 1), Ok(()));
        let below = Grid::new(-(1 << 14) - 2, 2, 2).unwrap();
        let error = check_bounds(&below, 32, 1).unwrap_err();
        assert!(matches!(error, BoundsError::Money { price_mct_per_kwh: -16_386, .. }));
        assert!(error.to_string().contains("at -16.386 ct/kWh"), "{error}");
    }
}
