//! `veilgrid create-genesis` and `veilgrid genesis show`: block 0 of a network.

use super::genesis_details::Details;
use crate::failure::Failure;
use crate::{input, output};
use clap::{Args, Subcommand};
use rand_core::OsRng;
use serde::Serialize;
use std::path::{Path, PathBuf};
use veilgrid_client::genesis::GenesisFile;
use veilgrid_ledger::genesis::Genesis;
use veilgrid_market::Rule;
use veilgrid_market::units::{format_ct_per_kwh, format_ratio};
use veilgrid_node::checks::wall_clock_unix_ms;
use veilgrid_node::config::Hex32;
use veilgrid_node::founding::{Dates, FoundingPlan, PublicPart, assemble, check_times};
use veilgrid_node::open_files::check_epochs;

/// Arguments of `create-genesis`.
#[derive(Debug, Args)]
pub struct CreateGenesisArgs {
    /// Market and times, TOML; `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub plan: PathBuf,
    /// Public parts as `veilgrid keys` printed them, `-` for one on standard input; validators are numbered in this order
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    pub public: Vec<PathBuf>,
    /// The genesis file; it must not exist
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `genesis`.
#[derive(Debug, Args)]
pub struct GenesisArgs {
    /// What to do
    #[command(subcommand)]
    pub command: GenesisCommand,
}

/// What `genesis` does.
#[derive(Debug, Subcommand)]
pub enum GenesisCommand {
    /// Check a genesis file with all rules and print it for people
    #[command(
        after_help = "Example:\n  veilgrid genesis show my-net/genesis.bin --hash $(cat my-net/genesis.hash)"
    )]
    Show {
        /// The genesis file, `-` for standard input
        file: PathBuf,
        /// Hash that it has to have, 64 hex digits
        #[arg(long, value_name = "HASH")]
        hash: Option<String>,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
}

/// What people compare and copy into configurations.
#[derive(Serialize)]
struct Summary {
    genesis_hash: Hex32,
    ledger_id: Hex32,
    time_unix_ms: u64,
    threshold: u16,
    validators: Vec<ValidatorSummary>,
    aggregator_receipt_key: Hex32,
    members: usize,
    grid: String,
    first_open_unix_ms: u64,
    interval_ms: u64,
    bidding_ms: u64,
    rule: Rule,
    slot_seconds: u32,
    /// The times of round 1.
    dates: Dates,
    /// What works and may not be meant.
    notes: Vec<String>,
    #[serde(flatten)]
    details: Details,
}

#[derive(Serialize)]
struct ValidatorSummary {
    index: usize,
    signing_key: Hex32,
    consensus_key: Hex32,
}

/// Runs `create-genesis`.
///
/// # Errors
/// Files that can't be read or written, public parts that make no network, a plan that breaks a rule.
pub fn create(args: &CreateGenesisArgs) -> Result<(), Failure> {
    let plan = FoundingPlan::read_from(&args.plan, input::open(&args.plan)?).map_err(Failure::input)?;
    let parts: Vec<PublicPart> = args
        .public
        .iter()
        .map(|path| PublicPart::read_from(path, input::open(path)?).map_err(Failure::input))
        .collect::<Result<_, _>>()?;
    let genesis = assemble(&plan, &parts, wall_clock_unix_ms(), &mut OsRng).map_err(Failure::input)?;
    let summary = summary(&args.plan, &genesis)?;
    check_epochs(plan.timing.epoch_blocks, summary.validators.len())
        .map_err(|why| Failure::file(&args.plan, why))?;
    genesis.write(&args.out).map_err(Failure::input)?;
    print(&genesis, &summary, args.json)?;
    if !args.json {
        output::line(format!(
            "written to {}; give it to everybody, with the hash by another way",
            args.out.display()
        ));
    }
    Ok(())
}

/// Runs `genesis`.
///
/// # Errors
/// A file that can't be read, has another hash or breaks a rule.
pub fn genesis(args: &GenesisArgs) -> Result<(), Failure> {
    let GenesisCommand::Show { file, hash, json } = &args.command;
    let trusted: Option<Hex32> = hash.as_deref().map(str::parse).transpose().map_err(Failure::input)?;
    show(file, trusted, *json)
}

fn show(file: &Path, trusted: Option<Hex32>, json: bool) -> Result<(), Failure> {
    let genesis = GenesisFile::read_from(file, input::open(file)?, trusted.map(|hash| hash.0));
    let genesis = genesis.map_err(Failure::input)?;
    print(&genesis, &summary(file, &genesis)?, json)
}

fn content_of(genesis: &GenesisFile) -> Result<&Genesis, Failure> {
    genesis.genesis().ok_or_else(|| Failure::Input("the block holds no genesis".to_owned()))
}

fn print(genesis: &GenesisFile, summary: &Summary, json: bool) -> Result<(), Failure> {
    if json {
        return output::json(summary);
    }
    let content = content_of(genesis)?;
    output::line(format!("genesis hash   {}", summary.genesis_hash));
    output::line(format!("ledger id      {}", summary.ledger_id));
    output::line(format!("founded        {}", summary.dates.founded));
    output::line(format!("prices         {}", summary.grid));
    output::line(format!(
        "members        {} (at least {} bids a round, at most {} members)",
        summary.members, content.params.min_bidders, content.params.max_members
    ));
    print_calendar(summary, content);
    output::line(format!("validators     {}, {} open a sum", summary.validators.len(), summary.threshold));
    let mut table = output::table(&["validator", "signing key", "consensus key"]);
    for validator in &summary.validators {
        let keys = [validator.signing_key, validator.consensus_key];
        let [signing, consensus] = keys.map(|key| key.to_string());
        table.add_row([validator.index.to_string(), signing, consensus]);
    }
    output::line(table);
    summary.details.print(summary.aggregator_receipt_key);
    Ok(())
}

/// When which round takes bids and what it trades: whoever joins agrees to it for the ledger's life.
fn print_calendar(summary: &Summary, content: &Genesis) {
    let Dates { first_open, first_close, first_deadline, first_slot_start, first_slot_end, .. } =
        &summary.dates;
    output::line(format!("rule           {}", rule_text(summary.rule)));
    output::line(format!("round 1        opens {first_open}, takes bids until {first_close}"));
    output::line(format!("               is cleared until {first_deadline}, or void"));
    output::line(format!(
        "first slot     {first_slot_start} to {first_slot_end}, {} s; each round trades the next one",
        summary.slot_seconds
    ));
    let timing = &content.params.timing;
    output::line(format!(
        "rounds         every {} s, bids for {} s, void {} s after the close",
        seconds(timing.interval_ms),
        seconds(timing.bidding_ms),
        seconds(timing.opening_deadline_ms)
    ));
    output::line("               all times in UTC (Z, +00:00): a market has no other zone");
    summary.notes.iter().for_each(|note| output::line(format!("note           {note}")));
}

fn rule_text(rule: Rule) -> &'static str {
    match rule {
        Rule::Uniform => "uniform: one price for all, the long side rationed pro rata",
        Rule::TradeReduction => {
            "trade reduction: the marginal prices' orders set the prices and do not trade"
        }
    }
}

fn seconds(ms: u64) -> String {
    format_ratio(i128::from(ms), 1000, if ms.is_multiple_of(1000) { 0 } else { 3 })
}

/// What is printed of a genesis whose times make sense.
fn summary(origin: &Path, genesis: &GenesisFile) -> Result<Summary, Failure> {
    let content = content_of(genesis)?;
    let founded_unix_ms = genesis.block.header.time_unix_ms;
    let (dates, mut notes) =
        check_times(&content.params, founded_unix_ms).map_err(|why| Failure::file(origin, why))?;
    let grid = &content.params.grid;
    let (timing, validators) = (content.params.timing, &content.roster.validators);
    // A network that exists may run with a higher limit.
    notes.extend(check_epochs(timing.epoch_blocks, validators.len()).err());
    Ok(Summary {
        genesis_hash: Hex32(genesis.hash),
        ledger_id: Hex32(genesis.ledger_id),
        time_unix_ms: genesis.block.header.time_unix_ms,
        threshold: content.params.threshold,
        validators: (1..)
            .zip(validators)
            .map(|(index, entry)| ValidatorSummary {
                index,
                signing_key: Hex32(entry.signing_key),
                consensus_key: Hex32(entry.consensus_key),
            })
            .collect(),
        aggregator_receipt_key: Hex32(content.aggregator_receipt_key),
        members: content.members.len(),
        grid: format!(
            "{} to {} ct/kWh in {} ticks, quantities of {} bits",
            format_ct_per_kwh(grid.price_min_mct_per_kwh()),
            format_ct_per_kwh(grid.price_max_mct_per_kwh()),
            grid.ticks(),
            content.params.bits
        ),
        first_open_unix_ms: timing.first_open_unix_ms,
        interval_ms: timing.interval_ms,
        bidding_ms: timing.bidding_ms,
        rule: content.params.rule,
        slot_seconds: content.params.slot_seconds,
        dates,
        notes,
        details: Details::of(content),
    })
}
