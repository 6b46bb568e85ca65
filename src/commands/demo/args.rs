//! Arguments of `demo`.

use crate::page::PageLanguage;
use clap::Args;
use std::path::PathBuf;

/// What `demo --help` says after its options.
pub const HELP: &str = "Example:\n  veilgrid demo --participants 20 --slots 8 --out my-day\n  \
        veilgrid audit my-day/ledger.vgl";

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Community data as CSV (slot_start,participant_id,role,load_kwh,generation_kwh,ev_kwh), `-` for standard input; default: the
    /// built-in day
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Participants, chosen across the roles in proportion
    #[arg(long, value_name = "N", default_value_t = 24)]
    pub participants: usize,
    /// Slots, spread over the hours in which the community generates
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub slots: usize,
    /// Ticks of the price grid, a power of two
    #[arg(long, value_name = "L", default_value_t = 64)]
    pub ticks: u32,
    /// Validators, at least four
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub validators: u16,
    /// A round with fewer bids is void
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub min_bidders: u32,
    /// Retail tariff, ct/kWh: what energy costs outside of the market
    #[arg(long, value_name = "CT", default_value = "32", allow_negative_numbers = true)]
    pub retail: String,
    /// Feed-in tariff, ct/kWh: what surplus earns outside of the market; below zero, what it costs. The price grid goes from
    /// feed-in to retail
    #[arg(long, value_name = "CT", default_value = "8", allow_negative_numbers = true)]
    pub feed_in: String,
    /// Folder for the ledger; it must not exist (default: a fresh time-stamped one)
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Seed of limit prices and charging sessions; keys always come from the system
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Language of the day's page
    #[arg(long, value_enum, default_value_t = PageLanguage::En)]
    pub lang: PageLanguage,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}
