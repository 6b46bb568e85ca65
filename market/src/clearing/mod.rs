//! The clearing rules as a pure replay: the sums opened so far, in order, decide which is opened next.
//!
//! [`next_step`] runs the whole search again from its start. That costs microseconds, keeps no state between openings
//! and makes every node and every auditor ask for the same sums. Both rules share the path to the crossing
//! ([`search::Search::cross`]); a value that follows from opened ones is never opened, and every value is checked
//! against all that is known before it is used ([`known::Known`]).

mod error;
mod known;
mod reduction;
mod search;
mod uniform;

pub use crate::rule::Rule;
pub use error::ClearingError;
pub use known::{Impossible, MAX_OPENED_WH};

use crate::grid::Grid;
use crate::outcome::Outcome;
use crate::sums::SumRequest;
use crate::utility::{Utility, UtilityFill};
use search::{Search, Stop};

/// What the openings so far lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Open this sum and ask again with its value appended.
    Open(SumRequest),
    /// The round is decided.
    Done(Outcome),
}

/// The next sum to open, or the outcome, from the values opened so far (in Wh, in the order they were asked for).
///
/// With `open_volume` the uniform rule asks for the traded volume last, unless it follows from the path. The trade
/// reduction needs the volume for its path and ignores `open_volume`.
///
/// # Errors
/// [`ClearingError::Impossible`] for a value that no book has, [`ClearingError::TooMany`] for values beyond the path.
pub fn next_step(
    grid: &Grid,
    rule: Rule,
    open_volume: bool,
    opened_wh: &[i64],
) -> Result<Next, ClearingError> {
    let mut search = Search::new(grid, opened_wh, None);
    let decided = match rule {
        Rule::Uniform => uniform::decide(&mut search, open_volume).map(|(outcome, _)| outcome),
        Rule::TradeReduction => reduction::decide(&mut search),
    };
    Ok(match next(&search, opened_wh, decided)? {
        Step::Open(request) => Next::Open(request),
        Step::Done(outcome) => Next::Done(outcome),
    })
}

/// As [`Next`], of a round in which the utility has an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextWithUtility {
    /// Open this sum over the members' bids and ask again with its value appended.
    Open(SumRequest),
    /// The round is decided: what it means for members, and what the utility trades.
    Done(Outcome, UtilityFill),
}

/// [`next_step`] under the uniform rule with the utility's public order beside the members' bids. The sums that it asks
/// for are sums over the members' bids alone.
///
/// # Errors
/// As [`next_step`].
pub fn next_step_with_utility(
    grid: &Grid,
    utility: &Utility,
    open_volume: bool,
    opened_wh: &[i64],
) -> Result<NextWithUtility, ClearingError> {
    let mut search = Search::new(grid, opened_wh, Some(utility));
    let decided = uniform::decide(&mut search, open_volume);
    Ok(match next(&search, opened_wh, decided)? {
        Step::Open(request) => NextWithUtility::Open(request),
        Step::Done((outcome, fill)) => NextWithUtility::Done(outcome, fill),
    })
}

enum Step<T> {
    Open(SumRequest),
    Done(T),
}

fn next<T>(
    search: &Search<'_>,
    opened_wh: &[i64],
    decided: Result<T, Stop>,
) -> Result<Step<T>, ClearingError> {
    match decided {
        Ok(_) if search.used() < opened_wh.len() => {
            Err(ClearingError::TooMany { given: opened_wh.len(), used: search.used() })
        }
        Ok(decided) => Ok(Step::Done(decided)),
        Err(Stop::Need(request)) => Ok(Step::Open(request)),
        Err(Stop::Impossible(error)) => Err(error),
    }
}
