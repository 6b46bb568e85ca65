//! `veilgrid clear`: one round from an order book, each order a bidder of its own.

mod args;
mod report;
mod sealed;

pub use args::{ClearArgs, HELP};

use crate::failure::Failure;
use crate::{input, output};
use args::{OffGridArg, RuleArg};
use rand_core::OsRng;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::capacity::MAX_CAPACITY_WH;
use veilgrid_market::{
    BookOrder, Grid, MAX_OPENED_WH, OffGrid, Order, Outcome, Rule, Side, SumRequest, Utility, UtilityFill,
    check_bounds, clear_plain, clear_plain_with_utility, parse_book, parse_price, parse_quantity, place_book,
    step_of, step_quantities, step_totals,
};

/// The fewest bids that a ledger opens sums of.
const LEAST_MEMBERS: usize = 2;

/// A book with the terms of its round.
struct Round {
    grid: Grid,
    rule: Rule,
    bits: u8,
    /// Whether the market needs capacities that bind, and so money, for the bounds of what can be opened.
    by_capacity: bool,
    /// The utility's order beside the book, if it has one.
    utility: Option<Utility>,
    kept: Vec<BookOrder>,
    dropped: Vec<BookOrder>,
}

/// What a round decided and what it opened.
struct Cleared {
    outcome: Outcome,
    /// What the utility trades, if it has an order.
    utility: Option<UtilityFill>,
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
    let cleared = if args.plain { plain(&round)? } else { sealed::sealed(&round, args)? };
    if args.json {
        output::json(&report::result_json(&round, &cleared))
    } else {
        report::print(&round, &cleared, args.plain)
    }
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
    let largest_wh = book.iter().map(|row| row.order.energy_wh).max().unwrap_or(0);
    let bounds = check_bounds(&grid, u32::from(args.bits), book.len().max(LEAST_MEMBERS) as u64);
    // Fewer bits are taken because they are enough: their bound is that of the steps.
    let by_capacity = args.bits == 32 && bounds.is_err();
    let within = args.plain || by_capacity && fits_by_capacity(&grid, book.len(), largest_wh);
    if !within {
        bounds.map_err(|error| {
            Failure::Input(format!("{error}; or clear the book with --plain, which opens no sum"))
        })?;
    }
    let placed = place_book(&grid, book, off_grid).map_err(|error| Failure::file(&args.book, error))?;
    for row in placed.kept.iter().filter(|_| !args.plain) {
        step_quantities(&grid, &[row.order], u32::from(args.bits)).map_err(|error| {
            let id = output::harmless(&row.id);
            let way_out = way_out(&grid, args.bits, placed.kept.len(), row.order.energy_wh);
            Failure::file(&args.book, format!("line {}, order {id}: {error}; {way_out}", row.line))
        })?;
    }
    let rule = match args.rule {
        RuleArg::Uniform => Rule::Uniform,
        RuleArg::TradeReduction => Rule::TradeReduction,
    };
    let utility = utility(&grid, rule, args)?;
    let (bits, kept, dropped) = (args.bits, placed.kept, placed.dropped);
    Ok(Round { grid, rule, bits, by_capacity, utility, kept, dropped })
}

/// The utility's order from `--retail`, `--feed-in` and the limits.
fn utility(grid: &Grid, rule: Rule, args: &ClearArgs) -> Result<Option<Utility>, Failure> {
    let (Some(retail), Some(feed_in)) = (&args.retail, &args.feed_in) else { return Ok(None) };
    if rule != Rule::Uniform {
        return Err(Failure::Input(
            "under trade reduction the utility has no order: leave out --retail and --feed-in, or take --rule uniform"
                .to_owned(),
        ));
    }
    let (retail, feed_in) = (tariff("retail", retail)?, tariff("feed-in", feed_in)?);
    let limit = |name: &str, text: &Option<String>| match text {
        None => Ok(MAX_OPENED_WH.unsigned_abs()),
        Some(text) => parse_quantity(1, text).map_err(|_| {
            let text = output::harmless(text);
            Failure::Input(format!(
                "--{name} {text}: give kWh in whole Wh, up to 2^40 Wh, for example 12 or 0.25"
            ))
        }),
    };
    let import_wh = limit("import-limit", &args.import_limit)?;
    let export_wh = limit("export-limit", &args.export_limit)?;
    Utility::new(grid, retail, feed_in, import_wh, export_wh).map(Some).map_err(Failure::input)
}

/// A tariff in ct/kWh as mct/kWh, which it has to be exactly: a rounded one would be another tariff.
fn tariff(name: &str, text: &str) -> Result<i64, Failure> {
    let (below, above) = (parse_price(1, Side::Buy, text), parse_price(1, Side::Sell, text));
    match (below, above) {
        (Ok(below), Ok(above)) if below == above => Ok(below),
        _ => {
            let text = output::harmless(text);
            Err(Failure::Input(format!(
                "--{name} {text}: give a price in ct/kWh with at most three decimals, for example 32, 8.5 or -1"
            )))
        }
    }
}

/// Whether the book is within the bounds of a market in which capacities bind every bid: everybody's connection is as large as
/// the largest order, which is proved of each bid, instead of as large as a step can hold.
fn fits_by_capacity(grid: &Grid, orders: usize, largest_wh: u64) -> bool {
    let all_wh = largest_wh.checked_mul(orders.max(LEAST_MEMBERS) as u64);
    all_wh.is_some_and(|all_wh| all_wh <= MAX_CAPACITY_WH)
        && sealed::capacities(largest_wh).is_ok_and(|classes| {
            sealed::money_rules(&SigningKey::generate(&mut OsRng), 0)
                .check(grid, &classes, sealed::INTERVAL_MS)
                .is_ok()
        })
}

/// What helps whose order is larger than a step holds: more bits where that many orders may have them, else fewer prices
/// with them, else clearing in plaintext.
fn way_out(grid: &Grid, bits: u8, orders: usize, energy_wh: u64) -> String {
    let members = orders.max(LEAST_MEMBERS) as u64;
    for wider in [16, 32].into_iter().filter(|wider| *wider > u32::from(bits)) {
        let holds = wider == 32 && energy_wh < 1 << wider && fits_by_capacity(grid, orders, energy_wh);
        if holds || check_bounds(grid, wider, members).is_ok() {
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
    if let Some(utility) = &round.utility {
        let book =
            clear_plain_with_utility(&round.grid, utility, true, &totals_wh).map_err(Failure::input)?;
        return Ok(Cleared { outcome: book.outcome, utility: Some(book.utility), opened: book.opened });
    }
    let book = clear_plain(&round.grid, round.rule, true, &totals_wh).map_err(Failure::input)?;
    Ok(Cleared { outcome: book.outcome, utility: None, opened: book.opened })
}
