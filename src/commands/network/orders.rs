//! `veilgrid orders check`: a participant's orders, looked at without a network.

use crate::failure::Failure;
use crate::{input, output};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::path::{Path, PathBuf};
use veilgrid_client::genesis::read_genesis;
use veilgrid_market::Grid;
use veilgrid_market::units::format_ct_per_kwh;
use veilgrid_node::config::orders::{MovedLimit, OrdersFile, OrdersMarket, RowFault};
use veilgrid_node::config::{Flags, ParticipantConfig, load};
use veilgrid_node::founding::FoundingPlan;

/// Arguments of `orders`.
#[derive(Debug, Args)]
pub struct OrdersArgs {
    /// What to do
    #[command(subcommand)]
    pub command: OrdersCommand,
}

/// What `orders` does.
#[derive(Debug, Subcommand)]
pub enum OrdersCommand {
    /// Name every row of a file of orders that can't be bid, and every limit that is none of the market's prices
    #[command(
        after_help = "Example:\n  veilgrid orders check my-net/participant-001/orders.csv --genesis my-net/genesis.bin\n  \
        veilgrid orders check --config my-net/participant-001/participant.toml\n  \
        veilgrid orders check orders.csv --price-min 8000 --tick 400 --ticks 64\n\n\
        No process is asked, nothing is written, and no key is needed. Without a market (one of --config, --genesis, --plan, \
        --ticks) only the form of the rows is looked at.\n\n\
        Exit code 0: every row can be bid. 2: some can't (a participant bids the others), or the file can't be read.\n\n\
        Fields of --json: ok, market (text or null), sound_rows, faults [{lines, column, reason}], further_faults, \
        moved [{line, slot, side, limit_mct_per_kwh, grid_price_mct_per_kwh}], further_moved."
    )]
    Check(CheckArgs),
}

/// Arguments of `orders check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The orders, `-` for standard input [default: those of --config]
    #[arg(value_name = "ORDERS.csv", required_unless_present = "config")]
    pub file: Option<PathBuf>,
    /// The market of this participant's configuration
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The market of this block 0
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    pub genesis: Option<PathBuf>,
    /// The market of this plan
    #[arg(long, value_name = "FILE", conflicts_with_all = ["config", "genesis"])]
    pub plan: Option<PathBuf>,
    /// Number of prices of a market, a power of two
    #[arg(long, value_name = "L", conflicts_with_all = ["config", "genesis", "plan"])]
    pub ticks: Option<u32>,
    /// Its lowest price, mct/kWh; may be below zero
    #[arg(long, value_name = "P", default_value_t = 0, allow_negative_numbers = true, requires = "ticks")]
    pub price_min: i64,
    /// Distance of two of its prices, mct/kWh, even
    #[arg(long, value_name = "T", default_value_t = 1000, requires = "ticks")]
    pub tick: u64,
    /// Its bits of a quantity in Wh: 8, 16 or 32
    #[arg(long, value_name = "n", default_value_t = 16, requires = "ticks")]
    pub bits: u8,
    /// Length of its slots in seconds
    #[arg(long, value_name = "S", default_value_t = 900, requires = "ticks")]
    pub slot_seconds: u32,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// What orders have to fit, from wherever it is known.
struct Market {
    grid: Grid,
    bits: u8,
    slot_seconds: u32,
}

impl Market {
    fn for_orders(&self) -> OrdersMarket<'_> {
        OrdersMarket { grid: &self.grid, bits: self.bits, slot_seconds: self.slot_seconds }
    }

    fn describe(&self) -> String {
        let Self { grid, bits, slot_seconds } = self;
        format!("{}, quantities of {bits} bits, slots of {slot_seconds} s", grid.describe())
    }
}

#[derive(Serialize)]
struct Report<'a> {
    ok: bool,
    market: Option<String>,
    sound_rows: usize,
    faults: &'a [RowFault],
    further_faults: usize,
    moved: &'a [MovedLimit],
    further_moved: usize,
}

/// Runs the command.
///
/// # Errors
/// Rows that can't be bid, files that can't be read.
pub fn run(args: &OrdersArgs) -> Result<(), Failure> {
    let OrdersCommand::Check(args) = &args.command;
    let config: Option<ParticipantConfig> =
        args.config.as_ref().map(|path| load(path, &Flags::new())).transpose().map_err(Failure::input)?;
    let market = market(args, config.as_ref())?;
    let path = match (&args.file, &config) {
        (Some(file), _) => file,
        (None, Some(config)) => &config.orders,
        (None, None) => return Err(Failure::Input("name a file of orders, or --config".to_owned())),
    };
    let for_orders = market.as_ref().map(Market::for_orders);
    let file = OrdersFile::read_from(path, input::open(path)?, for_orders).map_err(Failure::input)?;
    match args.json {
        true => output::json(&Report {
            ok: file.faults.is_empty(),
            market: market.as_ref().map(Market::describe),
            sound_rows: file.sound_rows,
            faults: &file.faults,
            further_faults: file.further_faults,
            moved: &file.moved,
            further_moved: file.further_moved,
        })?,
        false => print(&file, market.as_ref()),
    }
    refuse(path, &file)
}

fn market(args: &CheckArgs, config: Option<&ParticipantConfig>) -> Result<Option<Market>, Failure> {
    let of_genesis = |path: &Path, trusted: Option<&[u8; 32]>| {
        let block = read_genesis(path, trusted).map_err(Failure::input)?;
        let params = veilgrid_client::genesis::genesis_of(&block).map(|genesis| &genesis.params);
        let params = params.ok_or_else(|| Failure::file(path, "block 0 holds no genesis"))?;
        Ok(Market { grid: params.grid, bits: params.bits, slot_seconds: params.slot_seconds })
    };
    if let Some(config) = config {
        return of_genesis(&config.genesis, Some(&config.genesis_hash.0)).map(Some);
    }
    if let Some(path) = &args.genesis {
        return of_genesis(path, None).map(Some);
    }
    if let Some(path) = &args.plan {
        let plan = FoundingPlan::read(path).map_err(Failure::input)?.market;
        let grid = Grid::new(plan.price_min_mct_per_kwh, plan.tick_mct_per_kwh, plan.ticks);
        let grid = grid.map_err(|error| Failure::file(path, error))?;
        return Ok(Some(Market { grid, bits: plan.bits, slot_seconds: plan.slot_seconds }));
    }
    let Some(ticks) = args.ticks else { return Ok(None) };
    let grid = Grid::new(args.price_min, args.tick, ticks).map_err(Failure::input)?;
    veilgrid_market::step_quantities(&grid, &[], u32::from(args.bits)).map_err(Failure::input)?;
    Ok(Some(Market { grid, bits: args.bits, slot_seconds: args.slot_seconds }))
}

fn print(file: &OrdersFile, market: Option<&Market>) {
    match market {
        Some(market) => output::line(format!("market         {}", market.describe())),
        None => output::line(
            "market         none named: prices, slots and sums were not looked at (--config, --genesis, --plan or --ticks)",
        ),
    }
    output::line(format!("rows to bid    {}", file.sound_rows));
    if file.moved.is_empty() {
        return;
    }
    output::line("Limits that are none of the market's prices count at one of them:");
    let mut table = output::table(&["line", "slot (UTC)", "side", "limit ct/kWh", "counts as ct/kWh"]);
    for moved in &file.moved {
        table.add_row([
            moved.line.to_string(),
            moved.slot.clone(),
            moved.side.to_string(),
            format_ct_per_kwh(moved.limit_mct_per_kwh),
            format_ct_per_kwh(moved.grid_price_mct_per_kwh),
        ]);
    }
    output::line(table);
    if file.further_moved > 0 {
        output::line(format!("and {} more", file.further_moved));
    }
}

/// Every fault, one a line.
fn refuse(path: &Path, file: &OrdersFile) -> Result<(), Failure> {
    if file.faults.is_empty() {
        return Ok(());
    }
    let count = file.faults.len().saturating_add(file.further_faults);
    let faults = if count == 1 { "fault" } else { "faults" };
    let mut text = format!(
        "{}: {count} {faults}; a participant bids the sound rows all the same ({} of them)",
        path.display(),
        file.sound_rows
    );
    for fault in &file.faults {
        text.push_str(&format!("\n  {fault}"));
    }
    if file.further_faults > 0 {
        text.push_str(&format!("\n  and {} more", file.further_faults));
    }
    Err(Failure::Input(text))
}
