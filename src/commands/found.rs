//! `veilgrid found` and `veilgrid genesis show`: block 0 of a network.

use crate::failure::Failure;
use crate::output;
use clap::{Args, Subcommand};
use rand_core::OsRng;
use serde::Serialize;
use std::path::{Path, PathBuf};
use veilgrid_ledger::genesis::GenesisDraft;
use veilgrid_market::units::format_ct_per_kwh;
use veilgrid_node::checks::wall_clock_unix_ms;
use veilgrid_node::config::Hex32;
use veilgrid_node::founding::{FoundingPlan, GenesisFile, PublicPart, assemble};

/// Arguments of `found`.
#[derive(Debug, Args)]
pub struct FoundArgs {
    /// Market and times, TOML
    #[arg(long, value_name = "FILE")]
    pub plan: PathBuf,
    /// Public parts as `veilgrid keys` printed them; validators are numbered in this order
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
    #[command(after_help = "Example:\n  veilgrid genesis show genesis.bin")]
    Show {
        /// The genesis file
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
}

#[derive(Serialize)]
struct ValidatorSummary {
    index: usize,
    signing_key: Hex32,
    consensus_key: Hex32,
}

/// Runs `found`.
///
/// # Errors
/// Files that can't be read or written, public parts that make no network, a plan that breaks a rule.
pub fn found(args: &FoundArgs) -> Result<(), Failure> {
    let plan = FoundingPlan::read(&args.plan).map_err(Failure::input)?;
    let parts: Vec<PublicPart> = args
        .public
        .iter()
        .map(|path| PublicPart::read(path))
        .collect::<Result<_, _>>()
        .map_err(Failure::input)?;
    let genesis = assemble(&plan, &parts, wall_clock_unix_ms(), &mut OsRng).map_err(Failure::input)?;
    genesis.write(&args.out).map_err(Failure::input)?;
    print(&genesis, args.json)?;
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
    let genesis = GenesisFile::read(file, trusted.map(|hash| hash.0)).map_err(Failure::input)?;
    print(&genesis, json)
}

fn print(genesis: &GenesisFile, json: bool) -> Result<(), Failure> {
    let draft = genesis.genesis().map(|genesis| &genesis.draft);
    let draft = draft.ok_or_else(|| Failure::Input("the block holds no genesis".to_owned()))?;
    let summary = summary(genesis, draft);
    if json {
        return output::json(&summary);
    }
    let timing = draft.params.timing;
    output::line(format!("genesis hash   {}", summary.genesis_hash));
    output::line(format!("ledger id      {}", summary.ledger_id));
    output::line(format!("time           {}", utc_ms(summary.time_unix_ms)));
    output::line(format!("prices         {}", summary.grid));
    output::line(format!(
        "members        {} (at least {} bids a round, at most {} members)",
        summary.members, draft.params.min_bidders, draft.params.max_members
    ));
    if let Some(timing) = timing {
        output::line(format!(
            "rounds         from {} every {} s, bids for {} s, void {} s after the close",
            utc_ms(timing.first_open_unix_ms),
            timing.interval_ms / 1000,
            timing.bidding_ms / 1000,
            timing.opening_deadline_ms / 1000
        ));
    }
    output::line(format!("validators     {}, {} open a sum", summary.validators.len(), summary.threshold));
    let mut table = output::table(&["validator", "signing key", "consensus key"]);
    for validator in &summary.validators {
        let keys = [validator.signing_key, validator.consensus_key];
        let [signing, consensus] = keys.map(|key| key.to_string());
        table.add_row([validator.index.to_string(), signing, consensus]);
    }
    output::line(table);
    Ok(())
}

fn summary(genesis: &GenesisFile, draft: &GenesisDraft) -> Summary {
    let grid = &draft.params.grid;
    let timing = draft.params.timing;
    let network = draft.network.iter().flatten();
    let validators = draft.validators.iter().zip(network).enumerate();
    Summary {
        genesis_hash: Hex32(genesis.hash),
        ledger_id: Hex32(genesis.ledger_id),
        time_unix_ms: genesis.block.header.time_unix_ms,
        threshold: draft.params.threshold,
        validators: validators
            .map(|(place, (signing_key, keys))| ValidatorSummary {
                index: place + 1,
                signing_key: Hex32(*signing_key),
                consensus_key: Hex32(keys.consensus_key),
            })
            .collect(),
        aggregator_receipt_key: Hex32(draft.aggregator_receipt_key),
        members: draft.members.len(),
        grid: format!(
            "{} to {} ct/kWh in {} ticks, quantities of {} bits",
            format_ct_per_kwh(grid.price_min_mct_per_kwh()),
            format_ct_per_kwh(grid.price_max_mct_per_kwh()),
            grid.ticks(),
            draft.params.bits
        ),
        first_open_unix_ms: timing.map_or(0, |timing| timing.first_open_unix_ms),
        interval_ms: timing.map_or(0, |timing| timing.interval_ms),
        bidding_ms: timing.map_or(0, |timing| timing.bidding_ms),
    }
}

fn utc_ms(unix_ms: u64) -> String {
    output::utc(i64::try_from(unix_ms / 1000).unwrap_or(i64::MAX))
}
