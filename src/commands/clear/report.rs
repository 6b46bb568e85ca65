//! What a round came to, as tables and as JSON.

use super::{Cleared, Round, moved, plain};
use crate::failure::Failure;
use crate::output;
use serde::Serialize;
use veilgrid_market::units::{format_ct_per_kwh, format_kwh, format_kwh_q16};
use veilgrid_market::{BookOrder, Outcome, Purpose, Rationed, Rule, Side, SumKind, UtilityFill, fill_q16};

#[derive(Serialize)]
pub(super) struct ResultJson<'a> {
    traded: bool,
    /// The price of both sides; none under trade reduction, which has two.
    price_mct_per_kwh: Option<i64>,
    #[serde(flatten)]
    two_prices: Option<TwoPricesJson>,
    price_interval_mct_per_kwh: Option<[i64; 2]>,
    volume_wh: Option<u64>,
    rationed: Rationed,
    fraction_q16: Option<u32>,
    rest_q16: u64,
    /// What the utility trades; there only when it has an order.
    #[serde(skip_serializing_if = "Option::is_none")]
    utility: Option<UtilityFill>,
    fills: Vec<FillJson<'a>>,
    /// Orders whose limits were moved to the grid.
    moved: Vec<MovedJson<'a>>,
    opened: Vec<OpenedJson>,
}

#[derive(Serialize)]
struct MovedJson<'a> {
    id: &'a str,
    side: &'static str,
    limit_mct_per_kwh: i64,
    grid_price_mct_per_kwh: i64,
}

/// Stands in the results of trade reduction only.
#[derive(Serialize)]
struct TwoPricesJson {
    buy_price_mct_per_kwh: Option<i64>,
    sell_price_mct_per_kwh: Option<i64>,
}

#[derive(Serialize)]
struct FillJson<'a> {
    id: &'a str,
    side: &'static str,
    filled_q16: u64,
}

#[derive(Serialize)]
struct OpenedJson {
    purpose: Purpose,
    sum: SumKind,
    tick: i32,
    value_wh: i64,
}

fn side_name(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

pub(super) fn result_json<'a>(round: &'a Round, cleared: &Cleared) -> ResultJson<'a> {
    let trade = cleared.outcome.trade;
    let one_price = trade.filter(|_| round.rule == Rule::Uniform);
    let two_prices = (round.rule == Rule::TradeReduction).then(|| TwoPricesJson {
        buy_price_mct_per_kwh: trade.map(|trade| trade.buy_price_mct_per_kwh),
        sell_price_mct_per_kwh: trade.map(|trade| trade.sell_price_mct_per_kwh),
    });
    let mut rows: Vec<&BookOrder> = round.kept.iter().chain(&round.dropped).collect();
    rows.sort_by_key(|row| row.line);
    let fill = |row: &'a BookOrder| FillJson {
        id: &row.id,
        side: side_name(row.order.side),
        filled_q16: u64::try_from(fill_q16(&round.grid, &cleared.outcome, &row.order)).unwrap_or(u64::MAX),
    };
    let moved = moved(round).into_iter().map(|(row, grid_price_mct_per_kwh)| MovedJson {
        id: &row.id,
        side: side_name(row.order.side),
        limit_mct_per_kwh: row.order.limit_mct_per_kwh,
        grid_price_mct_per_kwh,
    });
    ResultJson {
        traded: cleared.outcome.traded(),
        price_mct_per_kwh: one_price.map(|trade| trade.buy_price_mct_per_kwh),
        two_prices,
        price_interval_mct_per_kwh: trade
            .map(|trade| [trade.price_low_mct_per_kwh, trade.price_high_mct_per_kwh]),
        volume_wh: cleared.outcome.volume_wh,
        rationed: trade.map_or(Rationed::None, |trade| trade.rationed),
        fraction_q16: trade.map(|trade| trade.fraction_q16),
        rest_q16: trade.map_or(0, |trade| trade.rest_q16),
        utility: cleared.utility,
        fills: rows.into_iter().map(fill).collect(),
        moved: moved.collect(),
        opened: cleared
            .opened
            .iter()
            .map(|(request, value_wh)| OpenedJson {
                purpose: request.purpose,
                sum: request.kind,
                tick: request.tick,
                value_wh: *value_wh,
            })
            .collect(),
    }
}

pub(super) fn print(round: &Round, cleared: &Cleared, plain: bool) -> Result<(), Failure> {
    let outcome = &cleared.outcome;
    let mut fills = output::table(&["order", "side", "limit ct/kWh", "asked kWh", "filled kWh"]);
    for row in &round.kept {
        let filled = i128::try_from(fill_q16(&round.grid, outcome, &row.order)).map_err(Failure::input)?;
        fills.add_row([
            output::harmless(&row.id),
            side_name(row.order.side).to_owned(),
            format_ct_per_kwh(row.order.limit_mct_per_kwh),
            format_kwh_q16(i128::from(row.order.energy_wh) << 16, 3),
            format_kwh_q16(filled, 3),
        ]);
    }
    output::line(fills);
    let mut summary = output::table(&["result", "value"]);
    summary.add_row(["price ct/kWh".to_owned(), output::price(outcome)]);
    if let Some(trade) = outcome.trade {
        let (low, high) = (trade.price_low_mct_per_kwh, trade.price_high_mct_per_kwh);
        summary.add_row([
            "equilibrium ct/kWh".to_owned(),
            format!("{} to {}", format_ct_per_kwh(low), format_ct_per_kwh(high)),
        ]);
    }
    summary.add_row(["volume kWh".to_owned(), output::volume(outcome)]);
    summary.add_row(["rationed".to_owned(), output::rationing(outcome)]);
    if let Some(utility) = &cleared.utility {
        summary.add_row(["the utility sells kWh".to_owned(), format_kwh(utility.sold_wh)]);
        summary.add_row(["the utility buys kWh".to_owned(), format_kwh(utility.bought_wh)]);
    }
    if round.rule == Rule::TradeReduction {
        summary.add_row(["volume that the rule cost, kWh".to_owned(), reduction_cost(round, outcome)?]);
    }
    let opened: Vec<String> = cleared
        .opened
        .iter()
        .map(|(request, value)| format!("{:?}{}={value}", request.kind, request.tick))
        .collect();
    summary.add_row(["opened, Wh".to_owned(), opened.join(" ")]);
    let moved: Vec<String> = moved(round)
        .into_iter()
        .map(|(row, price)| {
            let (limit, price) = (format_ct_per_kwh(row.order.limit_mct_per_kwh), format_ct_per_kwh(price));
            format!("{}: {} {limit} counts as {price}", output::harmless(&row.id), side_name(row.order.side))
        })
        .collect();
    if !moved.is_empty() {
        summary.add_row(["limits moved to the grid, ct/kWh".to_owned(), moved.join("\n")]);
    }
    if !round.dropped.is_empty() {
        summary.add_row(["left out (off the grid)".to_owned(), round.dropped.len().to_string()]);
    }
    output::line(summary);
    let how =
        if plain { "plain: every order was read" } else { "sealed: nothing but the opened sums was read" };
    output::line(how);
    Ok(())
}

/// What trade reduction leaves untraded against the uniform price; from the orders that this process was given.
fn reduction_cost(round: &Round, outcome: &Outcome) -> Result<String, Failure> {
    let uniform = plain(&Round {
        grid: round.grid,
        rule: Rule::Uniform,
        bits: round.bits,
        by_capacity: round.by_capacity,
        utility: None,
        kept: round.kept.clone(),
        dropped: Vec::new(),
    })?;
    let lost = uniform.outcome.volume_wh.unwrap_or(0).saturating_sub(outcome.volume_wh.unwrap_or(0));
    Ok(format_kwh_q16(i128::from(lost) << 16, 3))
}
