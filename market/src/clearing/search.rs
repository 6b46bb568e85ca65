//! The search that both rules share: ask for sums in order, find the crossing, find the edge of a curve.

use super::error::ClearingError;
use super::known::Known;
use crate::grid::Grid;
use crate::outcome::Outcome;
use crate::rule::Rule;
use crate::sums::{Purpose, SumKind, SumRequest};
use crate::utility::Utility;

/// Why a rule can't go on.
pub(super) enum Stop {
    /// The next value is not opened yet.
    Need(SumRequest),
    /// An opened value contradicts the others.
    Impossible(ClearingError),
}

/// Where demand and supply cross.
pub(super) enum Crossing {
    /// W_at = 0; `below` and `above` are the nearest ticks of the path with W above and below zero, or the ends.
    Balanced { at: i64, below: i64, above: i64 },
    /// W_{tick-1} > 0 > W_tick; at the outermost ticks one of the two was not opened.
    Marginal { tick: i64 },
}

/// A replay of the search over the values opened so far.
pub(super) struct Search<'a> {
    /// The grid.
    pub(super) grid: &'a Grid,
    opened_wh: &'a [i64],
    used: usize,
    /// The members' curves: what is opened, and what follows from it.
    known: Known,
    /// The utility's order, which is public and in no opened value.
    utility: Option<&'a Utility>,
}

impl<'a> Search<'a> {
    pub(super) fn new(grid: &'a Grid, opened_wh: &'a [i64], utility: Option<&'a Utility>) -> Self {
        Self { grid, opened_wh, used: 0, known: Known::new(i64::from(grid.ticks())), utility }
    }

    /// The utility's order, if there is one.
    pub(super) fn utility(&self) -> Option<&'a Utility> {
        self.utility
    }

    /// A sum over the members' bids with the utility's order in it. Both are at most 2^40.
    fn with_utility(&self, kind: SumKind, tick: i64, members_wh: i64) -> i64 {
        members_wh + self.utility.map_or(0, |utility| utility.added_wh(kind, tick))
    }

    /// Values taken from the list so far.
    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// Number of ticks, L.
    pub(super) fn ticks(&self) -> i64 {
        i64::from(self.grid.ticks())
    }

    /// A value that follows from the opened ones.
    pub(super) fn follows(&self, kind: SumKind, tick: i64) -> Option<i64> {
        self.known.get(kind, tick).map(|members_wh| self.with_utility(kind, tick, members_wh))
    }

    /// The value of a sum that the rule needs.
    pub(super) fn path(&mut self, kind: SumKind, tick: i64) -> Result<i64, Stop> {
        self.ask(kind, tick, Purpose::Path)
    }

    /// The value of a sum: the known one, or the next of the list, or the request for it.
    pub(super) fn ask(&mut self, kind: SumKind, tick: i64, purpose: Purpose) -> Result<i64, Stop> {
        if let Some(value_wh) = self.follows(kind, tick) {
            return Ok(value_wh);
        }
        // A tick is at most MAX_TICKS and at least −1.
        let request = SumRequest { kind, tick: tick as i32, purpose };
        let index = self.used;
        let value_wh = *self.opened_wh.get(index).ok_or(Stop::Need(request))?;
        self.used += 1;
        self.known
            .learn(kind, tick, value_wh)
            .map_err(|why| Stop::Impossible(ClearingError::Impossible { index, request, value_wh, why }))?;
        Ok(self.with_utility(kind, tick, value_wh))
    }

    /// Bisects W for its zero. The two ends are not opened: their signs are known.
    pub(super) fn cross(&mut self) -> Result<Crossing, Stop> {
        let (mut below, mut above) = (-1, self.ticks() - 1);
        while above - below > 1 {
            let at = (below + above).div_euclid(2);
            match self.path(SumKind::W, at)? {
                0 => return Ok(Crossing::Balanced { at, below, above }),
                1.. => below = at,
                _ => above = at,
            }
        }
        Ok(Crossing::Marginal { tick: above })
    }

    /// The farthest tick from `start` at which a curve still reaches `level_wh`, and the curve one tick farther.
    ///
    /// Demand is followed upward, supply downward, to the end where it is zero. Steps double first and are bisected
    /// then: the edge is next to the crossing in most books, and a value that still reaches the level tells nothing that
    /// the edge itself does not.
    pub(super) fn edge(&mut self, kind: SumKind, start: i64, level_wh: i64) -> Result<(i64, i64), Stop> {
        let (way, end) = if kind == SumKind::D { (1, self.ticks()) } else { (-1, -1) };
        let (mut reaches, mut step) = (start, 1);
        let mut falls_short = loop {
            let tick = start + way * step;
            if (tick - end) * way >= 0 {
                break end;
            }
            if self.path(kind, tick)? < level_wh {
                break tick;
            }
            (reaches, step) = (tick, 2 * step);
        };
        while (falls_short - reaches).abs() > 1 {
            let tick = (reaches + falls_short).div_euclid(2);
            let side = if self.path(kind, tick)? < level_wh { &mut falls_short } else { &mut reaches };
            *side = tick;
        }
        Ok((reaches, self.path(kind, falls_short)?))
    }
}

/// The outcome of a round without trade.
pub(super) fn no_trade(rule: Rule) -> Outcome {
    Outcome { rule, trade: None, volume_wh: Some(0) }
}
