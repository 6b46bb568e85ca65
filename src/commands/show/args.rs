//! Arguments of `show`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// What `show --help` says after its options.
pub const HELP: &str = "Example:\n  veilgrid show my-day/ledger.vgl\n  veilgrid show my-day/ledger.vgl round 3 --json\n\n\
        What the file says is shown; whether it holds is what `veilgrid audit` says. Of a network, what stands in blocks that no \
        certificate covers is marked: not final.\n\n\
        Fields of --json: ledger_id, genesis_hash, last_block_hash, blocks, members, validators, threshold, grid {price_min_mct_per_kwh, \
        tick_mct_per_kwh, ticks}, bits, rule, min_bidders, slot_seconds, network (null, or {certified_height, uncovered_blocks, pruned_blocks, \
        key_sessions, validator_changes, member_orders, validators [{signing_key, consensus_key}], refused [{height, kind, reason}]}), rounds \
        [{round_id, last_round_id (where rounds passed over one after another share a row), slot_start_unix_s, slot_start, \
        slot_seconds, status, bids, outcome, is_final}].\n\
        Of a round: round_id, slot_start_unix_s, slot_start, slot_seconds, status, outcome, is_final, opened [{request, value_wh, \
        shares_of}], bids [{account, digest, settlement_point}].";

/// Arguments of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The exported ledger, `-` for standard input
    pub ledger: PathBuf,
    /// The word `round`, to show one round
    #[arg(value_enum, requires = "number")]
    pub what: Option<ShowWhat>,
    /// The round's number
    #[arg(value_name = "N")]
    pub number: Option<u64>,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// What `show` can show of a ledger.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ShowWhat {
    /// One round
    Round,
}
