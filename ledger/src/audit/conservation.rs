//! Conservation: what members buy, what they sell and the public rest add up, from the opened sums alone.
//!
//! Nobody sees a fill, but the sums over all fills are linear functions of sums that were opened. Every opened sum is
//! the difference of two curve points, W_k = D_{k+1} − S_k, Z_k = D_k − S_k, D_k − 0, S_k − 0, so a difference follows
//! exactly when opened sums connect its two points. With fraction a/2^16 and k the marginal tick, in Wh/2^16:
//!
//! ```text
//! demand long    bought − sold = 2^16·(D_{k+1} − S_k) + a·(D_k − D_{k+1})     = −rest
//! supply long    bought − sold = 2^16·(D_k − S_{k−1}) − a·(S_k − S_{k−1})     =  rest
//! nobody long    bought − sold = 2^16·(D_buy − S_sell)                        =  0
//! ```
//!
//! Under the trade reduction bought and sold are the rationed D and S of the filled ticks. This repeats no step of the
//! search: it would find an outcome that the search and its replay agree on and that yet creates energy.

use super::violation::ConservationError;
use crate::state::round::OpenedSum;
use std::collections::BTreeMap;
use veilgrid_market::units::Q16;
use veilgrid_market::{Grid, Outcome, Rationed, Rule, SumKind, Trade, round_flows_q16};

/// Checks a cleared round against the sums that were opened for it.
///
/// # Errors
/// [`ConservationError`].
pub fn check(grid: &Grid, outcome: &Outcome, opened: &[OpenedSum]) -> Result<(), ConservationError> {
    let Some(trade) = &outcome.trade else {
        round_flows_q16(outcome, 0, 0)?;
        return Ok(());
    };
    let curves = Curves::new(grid, opened);
    let net_q16 = match outcome.rule {
        Rule::Uniform => uniform_net_q16(trade, &curves),
        Rule::TradeReduction => reduction_net_q16(trade, &curves),
    }
    .ok_or(ConservationError::Undetermined)?;
    let rest_q16 = match trade.rationed {
        Rationed::None => 0,
        Rationed::Demand => -i128::from(trade.rest_q16),
        Rationed::Supply => i128::from(trade.rest_q16),
    };
    if net_q16 != rest_q16 {
        return Err(ConservationError::Rest { net_q16, rest_q16 });
    }
    if outcome.volume_wh.is_none() {
        return Ok(());
    }
    // A published volume is what the side trades that is filled in full.
    let (bought_q16, sold_q16) = match trade.rationed {
        Rationed::Supply => {
            let bought = curves.value(trade.buy()).map(|wh| wh * i128::from(Q16));
            (bought, bought.map(|bought| bought - net_q16))
        }
        Rationed::None | Rationed::Demand => {
            let sold = curves.value(trade.sell()).map(|wh| wh * i128::from(Q16));
            (sold.map(|sold| sold + net_q16), sold)
        }
    };
    let positive = |q16: Option<i128>| q16.and_then(|q16| u128::try_from(q16).ok());
    let (Some(bought_q16), Some(sold_q16)) = (positive(bought_q16), positive(sold_q16)) else {
        return Err(ConservationError::Undetermined);
    };
    round_flows_q16(outcome, bought_q16, sold_q16)?;
    Ok(())
}

fn uniform_net_q16(trade: &Trade, curves: &Curves) -> Option<i128> {
    let (whole, part) = (i128::from(Q16), i128::from(trade.fraction_q16));
    let (buy, sell) = (trade.buy(), trade.sell());
    match trade.rationed {
        Rationed::None => Some(whole * curves.difference(buy, sell)?),
        Rationed::Demand => {
            let above = buy.next();
            Some(whole * curves.difference(above, sell)? + part * curves.difference(buy, above)?)
        }
        Rationed::Supply => {
            let below = sell.previous();
            Some(whole * curves.difference(buy, below)? - part * curves.difference(sell, below)?)
        }
    }
}

fn reduction_net_q16(trade: &Trade, curves: &Curves) -> Option<i128> {
    let (whole, part) = (i128::from(Q16), i128::from(trade.fraction_q16));
    let (demand, supply) = (curves.value(trade.buy())?, curves.value(trade.sell())?);
    Some(match trade.rationed {
        Rationed::None => whole * (demand - supply),
        Rationed::Demand => part * demand - whole * supply,
        Rationed::Supply => whole * demand - part * supply,
    })
}

/// A point of a curve: D_k or S_k.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Point {
    Demand(i64),
    Supply(i64),
}

impl Point {
    fn next(self) -> Self {
        match self {
            Self::Demand(tick) => Self::Demand(tick + 1),
            Self::Supply(tick) => Self::Supply(tick + 1),
        }
    }
    fn previous(self) -> Self {
        match self {
            Self::Demand(tick) => Self::Demand(tick - 1),
            Self::Supply(tick) => Self::Supply(tick - 1),
        }
    }
}

/// Excess demand D − S falls with the price, because D falls and S rises. Where two opened values of it are equal,
/// neither has changed in between.
fn flat_stretches(differences: &[(Point, Point, i128)]) -> Vec<(Point, Point, i128)> {
    let excess: Vec<_> =
        differences.iter().filter(|(a, b, _)| matches!(a, Point::Demand(_)) && *b != Curves::ZERO).collect();
    let pairs = excess.iter().enumerate().flat_map(|(i, a)| excess[..i].iter().map(move |b| (a, b)));
    let equal = pairs.filter(|(a, b)| a.2 == b.2);
    equal.flat_map(|(a, b)| [(a.0, b.0, 0), (a.1, b.1, 0)]).collect()
}

trait Edges {
    fn buy(&self) -> Point;
    fn sell(&self) -> Point;
}

impl Edges for Trade {
    fn buy(&self) -> Point {
        Point::Demand(i64::from(self.lowest_buy_tick))
    }
    fn sell(&self) -> Point {
        Point::Supply(i64::from(self.highest_sell_tick))
    }
}

/// What the opened sums say about the curves: `height(a) − height(b) = value` for each of them.
struct Curves {
    ticks: i64,
    differences: Vec<(Point, Point, i128)>,
}

impl Curves {
    fn new(grid: &Grid, opened: &[OpenedSum]) -> Self {
        let ticks = i64::from(grid.ticks());
        let mut differences: Vec<(Point, Point, i128)> = opened
            .iter()
            .map(|sum| {
                let tick = i64::from(sum.request.tick);
                let (a, b) = match sum.request.kind {
                    SumKind::W => (Point::Demand(tick + 1), Point::Supply(tick)),
                    SumKind::Z => (Point::Demand(tick), Point::Supply(tick)),
                    SumKind::D => (Point::Demand(tick), Self::ZERO),
                    SumKind::S => (Point::Supply(tick), Self::ZERO),
                };
                (a, b, i128::from(sum.value_wh))
            })
            .collect();
        differences.extend(flat_stretches(&differences));
        Self { ticks, differences }
    }

    /// S_{−1}, which is nothing, as D_L is.
    const ZERO: Point = Point::Supply(-1);

    fn node(&self, point: Point) -> Point {
        if point == Point::Demand(self.ticks) { Self::ZERO } else { point }
    }

    /// height(a) − height(b), when opened sums connect the two points.
    fn difference(&self, a: Point, b: Point) -> Option<i128> {
        let mut heights = BTreeMap::from([(self.node(b), 0i128)]);
        loop {
            if let Some(height) = heights.get(&self.node(a)) {
                return Some(*height);
            }
            let before = heights.len();
            for (upper, lower, value) in &self.differences {
                let (upper, lower) = (self.node(*upper), self.node(*lower));
                if let Some(height) = heights.get(&lower).copied() {
                    heights.entry(upper).or_insert(height + value);
                } else if let Some(height) = heights.get(&upper).copied() {
                    heights.entry(lower).or_insert(height - value);
                }
            }
            if heights.len() == before {
                return None;
            }
        }
    }

    fn value(&self, point: Point) -> Option<i128> {
        self.difference(point, Self::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use veilgrid_market::{ClearedBook, clear_plain};

    fn opened(book: &ClearedBook) -> Vec<OpenedSum> {
        book.opened
            .iter()
            .map(|(request, value_wh)| OpenedSum { request: *request, value_wh: *value_wh })
            .collect()
    }

    fn grid(totals_wh: &[u64]) -> Grid {
        Grid::new(1_000, 10, (totals_wh.len() / 2) as u32).expect("grid")
    }

    fn cleared(rule: Rule, open_volume: bool, totals_wh: &[u64]) -> ClearedBook {
        clear_plain(&grid(totals_wh), rule, open_volume, totals_wh).expect("book")
    }

    fn books() -> impl Strategy<Value = Vec<u64>> {
        let ticks = prop_oneof![Just(2usize), Just(4), Just(16), Just(64)];
        ticks.prop_flat_map(|ticks| {
            // Small numbers make ties and balanced books frequent.
            prop_oneof![
                prop::collection::vec(0u64..4, 2 * ticks),
                prop::collection::vec(0u64..1_000_000, 2 * ticks),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn every_cleared_book_adds_up(totals in books(), reduction: bool, open_volume: bool) {
            let rule = if reduction { Rule::TradeReduction } else { Rule::Uniform };
            let book = cleared(rule, open_volume, &totals);
            prop_assert_eq!(check(&grid(&totals), &book.outcome, &opened(&book)), Ok(()));
        }

        #[test]
        fn a_changed_rest_volume_or_fraction_is_found(totals in books(), reduction: bool, field in 0..3) {
            let rule = if reduction { Rule::TradeReduction } else { Rule::Uniform };
            let book = cleared(rule, true, &totals);
            let mut outcome = book.outcome;
            let Some(trade) = &mut outcome.trade else { return Ok(()) };
            match field {
                0 => trade.rest_q16 += 1,
                1 => outcome.volume_wh = outcome.volume_wh.map(|wh| wh + 1),
                _ if trade.rationed == Rationed::None => return Ok(()),
                _ => trade.fraction_q16 += 1,
            }
            prop_assert!(check(&grid(&totals), &outcome, &opened(&book)).is_err());
        }
    }
}
