//! Arguments of `clear`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// What `clear --help` says after its options.
pub const HELP: &str = "Example:\n  veilgrid clear data/order_books/t_10_s1.csv\n  \
        veilgrid clear data/setm_case_high.csv --plain --json\n  \
        veilgrid clear data/order_books/n_surplus_pays_to_be_taken.csv --price-min=-16000\n  \
        veilgrid clear data/order_books/t_10_s1.csv --plain --retail 16 --feed-in 8 --import-limit 0.5\n\n\
        The book is CSV: id,side,price_ct_per_kwh,quantity_kwh with side buy or sell. Prices may be below zero: whoever buys \
        is paid then.";

/// Arguments of `clear`.
#[derive(Debug, Args)]
pub struct ClearArgs {
    /// The order book, `-` for standard input
    #[arg(value_name = "BOOK.csv")]
    pub book: PathBuf,
    /// Clear in plaintext: no keys, no proofs, no ledger
    #[arg(long)]
    pub plain: bool,
    /// Lowest price of the grid, mct/kWh; may be below zero
    #[arg(long, value_name = "P", default_value_t = 0, allow_negative_numbers = true)]
    pub price_min: i64,
    /// Distance of two prices, mct/kWh, even
    #[arg(long, value_name = "T", default_value_t = 1000)]
    pub tick: u64,
    /// Number of prices, a power of two
    #[arg(long, value_name = "L", default_value_t = 64)]
    pub ticks: u32,
    /// Bits of a quantity in Wh: 8, 16 or 32
    #[arg(long, value_name = "n", default_value_t = 16)]
    pub bits: u8,
    /// Clearing rule
    #[arg(long, value_enum, default_value_t = RuleArg::Uniform)]
    pub rule: RuleArg,
    /// Orders that can never trade on the grid
    #[arg(long, value_enum, default_value_t = OffGridArg::Refuse)]
    pub off_grid: OffGridArg,
    /// Retail tariff, ct/kWh, one of the grid's prices: the utility sells at it, after the members at the same price. With --plain
    /// alone: no ledger has the utility's order yet
    #[arg(long, value_name = "CT", requires_all = ["feed_in", "plain"], allow_negative_numbers = true)]
    pub retail: Option<String>,
    /// Feed-in tariff, ct/kWh, one of the grid's prices below retail: the utility buys at it, after the members
    #[arg(long, value_name = "CT", requires = "retail", allow_negative_numbers = true)]
    pub feed_in: Option<String>,
    /// Most that the utility sells, kWh [default: no limit]
    #[arg(long, value_name = "KWH", requires = "retail")]
    pub import_limit: Option<String>,
    /// Most that the utility buys, kWh [default: no limit]
    #[arg(long, value_name = "KWH", requires = "retail")]
    pub export_limit: Option<String>,
    /// Keep the sealed round's ledger in this file; it must not exist
    #[arg(long, value_name = "FILE", conflicts_with = "plain")]
    pub ledger: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Clearing rules.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RuleArg {
    /// One price for all, the long side rationed pro rata
    Uniform,
    /// The marginal ticks set the prices and do not trade
    TradeReduction,
}

/// What happens to an order off the grid.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum OffGridArg {
    /// The book is refused and the order named
    Refuse,
    /// The order is left out
    Drop,
}
