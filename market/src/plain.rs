//! Clearing a book whose totals are known: the same search over them, for tests, bills and public books.

use crate::clearing::{
    ClearingError, MAX_OPENED_WH, Next, NextWithUtility, Rule, next_step, next_step_with_utility,
};
use crate::grid::Grid;
use crate::outcome::Outcome;
use crate::sums::SumRequest;
use crate::utility::{Utility, UtilityFill};

/// A book cleared in the clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClearedBook {
    /// What was decided.
    pub outcome: Outcome,
    /// What had to be opened for it, in order, with the values in Wh.
    pub opened: Vec<(SumRequest, i64)>,
    /// The volume of the uniform price, so that the cost of the trade reduction can be told.
    pub uniform_volume_wh: u64,
}

/// Clears a book from its totals a step, in Wh (see [`crate::step_totals`]).
///
/// # Errors
/// [`ClearingError::Totals`] when there is not one total a step, [`ClearingError::BookTooLarge`] above 2^40 Wh a side.
pub fn clear_plain(
    grid: &Grid,
    rule: Rule,
    open_volume: bool,
    totals_wh: &[u64],
) -> Result<ClearedBook, ClearingError> {
    check_totals(grid, totals_wh)?;
    let (mut opened, mut values_wh) = (Vec::new(), Vec::new());
    loop {
        match next_step(grid, rule, open_volume, &values_wh)? {
            Next::Open(request) => {
                let value_wh = sum_of(&request.weights(grid), totals_wh);
                opened.push((request, value_wh));
                values_wh.push(value_wh);
            }
            Next::Done(outcome) => {
                return Ok(ClearedBook { outcome, opened, uniform_volume_wh: largest_volume_wh(totals_wh) });
            }
        }
    }
}

/// A book cleared in plaintext beside the utility's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClearedWithUtility {
    /// What was decided for the members.
    pub outcome: Outcome,
    /// What the utility trades.
    pub utility: UtilityFill,
    /// What had to be opened of the members' bids, in order, with the values in Wh.
    pub opened: Vec<(SumRequest, i64)>,
}

/// Clears a book beside the utility's order, from the members' totals per step in Wh, under the uniform rule.
///
/// # Errors
/// As [`clear_plain`].
pub fn clear_plain_with_utility(
    grid: &Grid,
    utility: &Utility,
    open_volume: bool,
    totals_wh: &[u64],
) -> Result<ClearedWithUtility, ClearingError> {
    check_totals(grid, totals_wh)?;
    let (mut opened, mut values_wh) = (Vec::new(), Vec::new());
    loop {
        match next_step_with_utility(grid, utility, open_volume, &values_wh)? {
            NextWithUtility::Open(request) => {
                let value_wh = sum_of(&request.weights(grid), totals_wh);
                opened.push((request, value_wh));
                values_wh.push(value_wh);
            }
            NextWithUtility::Done(outcome, utility) => {
                return Ok(ClearedWithUtility { outcome, utility, opened });
            }
        }
    }
}

fn check_totals(grid: &Grid, totals_wh: &[u64]) -> Result<(), ClearingError> {
    if totals_wh.len() != grid.steps() {
        return Err(ClearingError::Totals { given: totals_wh.len(), steps: grid.steps() });
    }
    let side_fits = |first: usize| {
        let total: u128 = totals_wh.iter().skip(first).step_by(2).map(|wh| u128::from(*wh)).sum();
        total <= u128::from(MAX_OPENED_WH.unsigned_abs())
    };
    if side_fits(0) && side_fits(1) { Ok(()) } else { Err(ClearingError::BookTooLarge) }
}

/// The sum of weight times total; both sides are at most 2^40 Wh and weights −1 to 1, so 64 bits hold it.
fn sum_of(weights: &[i64], totals_wh: &[u64]) -> i64 {
    weights.iter().zip(totals_wh).map(|(weight, total_wh)| weight * (*total_wh as i64)).sum()
}

/// The largest min(D_k, S_k): from the curves, not by the search, so that it can check the search too.
fn largest_volume_wh(totals_wh: &[u64]) -> u64 {
    let mut demand_wh: u64 = totals_wh.iter().skip(1).step_by(2).sum();
    let (mut supply_wh, mut largest_wh) = (0, 0);
    for tick in totals_wh.chunks_exact(2) {
        supply_wh += tick[0];
        largest_wh = largest_wh.max(demand_wh.min(supply_wh));
        demand_wh -= tick[1];
    }
    largest_wh
}
