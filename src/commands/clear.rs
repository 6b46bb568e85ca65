//! `veilgrid clear`: one round from an order book, each order a bidder of its own.

use crate::cli::{ClearArgs, OffGridArg, RuleArg};
use crate::failure::Failure;
use crate::{input, output};
use rand_core::OsRng;
use rayon::prelude::*;
use serde::Serialize;
use veilgrid_crypto::bid::{SealedBid, seal_bid};
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::tally::settlement_point_holds;
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::state::effects::SettledRound;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_market::units::{format_ct_per_kwh, format_kwh_q16};
use veilgrid_market::{
    BookOrder, Grid, OffGrid, Order, Outcome, Purpose, Rationed, Rule, Side, SumKind, SumRequest,
    check_bounds, clear_plain, fill_q16, fill_weights, parse_book, place_book, step_of, step_quantities,
    step_totals,
};
use veilgrid_roles::committee::{Founding, one_process_timing, threshold_for};
use veilgrid_roles::local::{LocalCommunity, RoundEnd};
use veilgrid_store::{Existing, write_ledger};

/// Validators of a sealed round from a file.
const VALIDATORS: u16 = 4;
/// The fewest bids that a ledger opens sums of.
const LEAST_MEMBERS: usize = 2;
const KEY_EPOCH: u64 = 1;
const ROUND: u64 = 1;
const SLOT_SECONDS: u32 = 900;
/// When the round opens, in milliseconds of the ledger's time. A book of orders has no date.
const OPENS_MS: u64 = 60_000;

/// A book with the terms of its round.
struct Round {
    grid: Grid,
    rule: Rule,
    bits: u8,
    kept: Vec<BookOrder>,
    dropped: Vec<BookOrder>,
}

/// What a round decided and what it opened.
struct Cleared {
    outcome: Outcome,
    opened: Vec<(SumRequest, i64)>,
}

/// Runs the command.
///
/// # Errors
/// Unusable input, an existing ledger file.
pub fn run(args: &ClearArgs) -> Result<(), Failure> {
    if let Some(path) = args.ledger.as_ref().filter(|path| path.exists()) {
        return Err(Failure::file(path, "exists already; name a new file, nothing is overwritten"));
    }
    let round = read_round(args)?;
    let cleared = if args.plain { plain(&round)? } else { sealed(&round, args)? };
    if args.json { output::json(&result_json(&round, &cleared)) } else { print(&round, &cleared, args.plain) }
}

fn read_round(args: &ClearArgs) -> Result<Round, Failure> {
    let grid = Grid::new(args.price_min, args.tick, args.ticks).map_err(Failure::input)?;
    let file = input::open(&args.book)?;
    let book = parse_book(file).map_err(|error| Failure::file(&args.book, error))?;
    let off_grid = match args.off_grid {
        OffGridArg::Refuse => OffGrid::Refuse,
        OffGridArg::Drop => OffGrid::Drop,
    };
    // The bounds are those of openings; whoever reads every order opens none.
    if !args.plain {
        check_bounds(&grid, u32::from(args.bits), book.len().max(LEAST_MEMBERS) as u64).map_err(|error| {
            Failure::Input(format!("{error}; or clear the book with --plain, which opens no sum"))
        })?;
    }
    let placed = place_book(&grid, book, off_grid).map_err(|error| Failure::file(&args.book, error))?;
    for row in placed.kept.iter().filter(|_| !args.plain) {
        step_quantities(&grid, &[row.order], u32::from(args.bits)).map_err(|error| {
            let (id, way_out) = (output::harmless(&row.id), way_out(&grid, args.bits, placed.kept.len()));
            Failure::file(&args.book, format!("line {}, order {id}: {error}; {way_out}", row.line))
        })?;
    }
    let rule = match args.rule {
        RuleArg::Uniform => Rule::Uniform,
        RuleArg::TradeReduction => Rule::TradeReduction,
    };
    Ok(Round { grid, rule, bits: args.bits, kept: placed.kept, dropped: placed.dropped })
}

/// What helps whose order is larger than a step holds: more bits where that many orders may have them, else fewer prices
/// with them, else clearing in plaintext.
fn way_out(grid: &Grid, bits: u8, orders: usize) -> String {
    let members = orders.max(LEAST_MEMBERS) as u64;
    for wider in [16, 32].into_iter().filter(|wider| *wider > u32::from(bits)) {
        if check_bounds(grid, wider, members).is_ok() {
            return format!("or take --bits {wider}");
        }
        let halves = std::iter::successors(Some(grid.ticks() / 2), |ticks| (*ticks > 2).then_some(ticks / 2));
        for ticks in halves {
            let tick = grid.tick_mct_per_kwh() * u64::from(grid.ticks() / ticks);
            let coarser = Grid::new(grid.price_min_mct_per_kwh(), tick, ticks);
            if coarser.is_ok_and(|coarser| check_bounds(&coarser, wider, members).is_ok()) {
                return format!("or take --bits {wider} with a coarser grid: --ticks {ticks} --tick {tick}");
            }
        }
    }
    "or split the order into several, or clear the book with --plain".to_owned()
}

/// The orders whose limits lie between prices of the grid, with the price at which each counts.
fn moved(round: &Round) -> Vec<(&BookOrder, i64)> {
    let at = |row: &BookOrder| {
        step_of(&round.grid, &row.order).ok().map(|step| round.grid.price_mct_per_kwh(step as u32 / 2))
    };
    let moved = round.kept.iter().filter_map(|row| Some((row, at(row)?)));
    moved.filter(|(row, price)| row.order.limit_mct_per_kwh != *price).collect()
}

fn plain(round: &Round) -> Result<Cleared, Failure> {
    let orders: Vec<Order> = round.kept.iter().map(|row| row.order).collect();
    let totals_wh = step_totals(&round.grid, &orders).map_err(Failure::input)?;
    let book = clear_plain(&round.grid, round.rule, true, &totals_wh).map_err(Failure::input)?;
    Ok(Cleared { outcome: book.outcome, opened: book.opened })
}

/// The sealed round: four validators generate keys, every order is sealed under keys of its own, and each owner finds
/// its fill in the ledger's settlement points.
fn sealed(round: &Round, args: &ClearArgs) -> Result<Cleared, Failure> {
    // One member an order, those of orders that were left out among them: they seal zero bids. A ledger refuses rounds
    // of one bid, so a single order gets company by a member with a zero bid too.
    let members = (round.kept.len() + round.dropped.len()).max(LEAST_MEMBERS);
    let keyrings: Vec<Keyring> =
        (0..members).map(|_| Keyring::from_seed(&KeyringSeed::generate(&mut OsRng))).collect();
    let members =
        keyrings.iter().map(|keyring| keyring.account_key(KEY_EPOCH).verifying_key().to_bytes()).collect();
    let timing = one_process_timing(OPENS_MS, 0, SLOT_SECONDS);
    let founding = Founding {
        params: market(round, u32::try_from(keyrings.len()).map_err(Failure::input)?, timing),
        validators: VALIDATORS,
        members,
        key_epoch: KEY_EPOCH,
        time_unix_ms: Founding::genesis_time_ms(&timing),
    };
    let mut community = LocalCommunity::found(&founding, &mut OsRng).map_err(Failure::input)?;
    community.open_round().map_err(Failure::input)?;
    let bids = seal_all(round, &keyrings, &community, args.json)?;
    community.submit(ROUND, &bids, &mut OsRng).map_err(Failure::input)?;
    let end = community.finish_round(ROUND).map_err(Failure::input)?;
    let RoundEnd::Settled(settled) = end else {
        return Err(Failure::Input("the round was void although there is no minimum of bidders".to_owned()));
    };
    check_fills(round, &keyrings, &bids, &community, &settled)?;
    if let Some(path) = &args.ledger {
        let root = community.state().root();
        write_ledger(path, community.ledger(), root, Existing::Keep).map_err(Failure::input)?;
    }
    let opened = settled.opened.iter().map(|sum| (sum.request, sum.value_wh)).collect();
    Ok(Cleared { outcome: settled.outcome, opened })
}

fn market(round: &Round, members: u32, timing: RoundTiming) -> MarketParams {
    MarketParams {
        grid: round.grid,
        bits: round.bits,
        rule: round.rule,
        open_volume: true,
        min_bidders: LEAST_MEMBERS as u32,
        max_members: members,
        slot_seconds: SLOT_SECONDS,
        threshold: threshold_for(VALIDATORS),
        timing,
    }
}

fn seal_all(
    round: &Round,
    keyrings: &[Keyring],
    community: &LocalCommunity,
    json: bool,
) -> Result<Vec<SealedBid>, Failure> {
    let state = community.state();
    let (params, context) = state
        .community()
        .bid_params()
        .zip(state.round_context(ROUND))
        .ok_or_else(|| Failure::Input("the round is not open".to_owned()))?;
    let bar = output::progress(keyrings.len() as u64, "sealing bids", json);
    let bids = keyrings
        .par_iter()
        .enumerate()
        .map(|(position, keyring)| {
            let orders: Vec<Order> = round.kept.get(position).map(|row| row.order).into_iter().collect();
            let quantities_wh =
                step_quantities(&round.grid, &orders, u32::from(round.bits)).map_err(Failure::input)?;
            let bid =
                seal_bid(params, &context, keyring, &quantities_wh, &mut OsRng).map_err(Failure::input)?;
            bar.inc(1);
            Ok(bid)
        })
        .collect();
    bar.finish_and_clear();
    bids
}

/// Each owner checks that the ledger's settlement point holds exactly its fill.
fn check_fills(
    round: &Round,
    keyrings: &[Keyring],
    bids: &[SealedBid],
    community: &LocalCommunity,
    settled: &SettledRound,
) -> Result<(), Failure> {
    let community = community.state().community();
    let weights = fill_weights(&round.grid, &settled.outcome);
    for ((row, keyring), bid) in round.kept.iter().zip(keyrings).zip(bids) {
        let fill =
            i64::try_from(fill_q16(&round.grid, &settled.outcome, &row.order)).map_err(Failure::input)?;
        let net = if row.order.side == Side::Buy { fill } else { -fill };
        let r = keyring.round_view_key(KEY_EPOCH, ROUND).randomness(&bid.salt);
        let own = settled.bids.iter().find(|settled| settled.account == bid.account);
        let holds = own.is_some_and(|own| {
            let params = community.bid_params();
            params.is_some_and(|params| {
                settlement_point_holds(params, &r, &weights, net, &own.settlement_point)
            })
        });
        if !holds {
            return Err(Failure::Audit(format!(
                "the ledger's settlement of order {} is not its fill",
                row.id
            )));
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct ResultJson<'a> {
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

fn result_json<'a>(round: &'a Round, cleared: &Cleared) -> ResultJson<'a> {
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

fn print(round: &Round, cleared: &Cleared, plain: bool) -> Result<(), Failure> {
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
        kept: round.kept.clone(),
        dropped: Vec::new(),
    })?;
    let lost = uniform.outcome.volume_wh.unwrap_or(0).saturating_sub(outcome.volume_wh.unwrap_or(0));
    Ok(format_kwh_q16(i128::from(lost) << 16, 3))
}
