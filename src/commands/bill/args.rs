//! Arguments of `veilgrid bill`.

use clap::{Args, Subcommand};
use std::path::PathBuf;
use veilgrid_billing::period::{Date, Period};

const RUN_HELP: &str = "\
Example:
  veilgrid bill run --community data/billing/community.toml --readings readings --bills bills --period 2026-03 --preview
  veilgrid bill run --community data/billing/community.toml --readings readings --bills bills --period 2026-03 --final --date 2026-04-02

Who runs this holds the readings; it is not the community's operator. The folder of readings is that of `veilgrid readings import`. \
A month with a missing value, or one of a grade that the market does not let be billed, is refused and the message names account and slots.

--preview keeps nothing; with --out it writes bills marked as previews. --final writes the month's folder into --bills at once or not at \
all, and never again: a correction that comes later appears inside of the next month's bills, once. Months are billed in order.

A month's folder: members/NUMBER.pdf, .csv, .json (each for its member alone), operator/ (for the community's operator: totals that members \
opened by standing orders, public sums, pain.008.xml with direct debits, pain.001.xml with credit transfers), inputs/, run.json, SHA256SUMS.

Fields of --json: period, final, date, folder (or null), bills [{number (null of a preview), account, name, exact_units, corrections_ct, total_ct, how}], \
billed_ct, rounding_units (what rounding left out, of all bills together), payees {community, fees {zone: units}, shared_q16}, \
corrected [{period, last_import, accounts, amount}], deferred [{period, reason}], operator {community, period, totals [{account, bill, \
total_ct}], not_opened, fees [{zones, accounts, fees_ct}], community_ct, corrections [{period, accounts, amount_ct}], withheld [text]}. \
Units are Wh/2^16 times mct/kWh, as text; 1 ct are 65536000000.";

const SHOW_HELP: &str = "\
Example:
  veilgrid bill show --bills bills --period 2026-03
  veilgrid bill show --bills bills --period 2026-03 --account flat-2
  veilgrid bill show --bills bills --period 2026-03 --account flat-2 --json

Fields of --json: without --account those of run.json: format, community, period, date, previous, last_import, bills [{number, account, exact, total_ct, \
sha256}], payees, corrected, deferred, inputs {file: sha256}. With --account those of the bill: format, number, community, period, date, \
account, recipient, creditor, creditor_iban, contact, note, authority, lines [{kind, name, price_mct_per_kwh, energy_q16, formula, amount, amount_ct}], corrections \
[{period, bill, lines, days [{date, direction, slots, change_wh}], amount, amount_ct}], exact, total_ct, rounding, statement, payment.";

const STATUS_HELP: &str = "\
Example:
  veilgrid bill status --bills bills
  veilgrid bill status --bills bills --json

Checks the chain of all months, that each adds up, and the digest of every file. Exit code 0: everything holds. 2: a file was changed, \
is missing, or does not fit.

Fields of --json: months [{period, date, bills, billed_ct, corrected [period], deferred [period], sha256}], next_period (null before the first), files.";

/// Arguments of `bill`.
#[derive(Debug, Args)]
pub struct BillArgs {
    /// What to do
    #[command(subcommand)]
    pub command: BillCommand,
}

/// What `bill` does.
#[derive(Debug, Subcommand)]
pub enum BillCommand {
    /// Bill a month, or see what its bills would be
    #[command(after_help = RUN_HELP)]
    Run(RunArgs),
    /// Print a final month, or one bill of it
    #[command(after_help = SHOW_HELP)]
    Show(ShowArgs),
    /// Which months are final, and whether all of it is as it was written
    #[command(after_help = STATUS_HELP)]
    Status(StatusArgs),
    /// Sign a standing order: let the payee get to know the totals of your bills, and nothing else
    #[cfg(feature = "network")]
    #[command(after_help = super::order::HELP)]
    Order(super::order::OrderArgs),
}

/// Arguments of `bill run`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("mode").required(true).args(["preview", "is_final"]))]
pub struct RunArgs {
    /// The community file; the files that it names are looked for beside it
    #[arg(long, value_name = "FILE")]
    pub community: PathBuf,
    /// The folder of readings
    #[arg(long, value_name = "DIR")]
    pub readings: PathBuf,
    /// The folder of final months; made by the first one
    #[arg(long, value_name = "DIR")]
    pub bills: PathBuf,
    /// The month, such as 2026-03
    #[arg(long, value_name = "MONTH")]
    pub period: Period,
    /// Keep nothing
    #[arg(long)]
    pub preview: bool,
    /// Bill it
    #[arg(long = "final")]
    pub is_final: bool,
    /// Folder for previews; it must not exist
    #[arg(long, value_name = "DIR", conflicts_with = "is_final")]
    pub out: Option<PathBuf>,
    /// Date of the bills [default: today, UTC]
    #[arg(long, value_name = "DATE")]
    pub date: Option<Date>,
    /// Day on which banks collect and pay [default: the bills' date and the community's payment_days]
    #[arg(long, value_name = "DATE")]
    pub collect_on: Option<Date>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `bill show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The folder of final months
    #[arg(long, value_name = "DIR")]
    pub bills: PathBuf,
    /// The month
    #[arg(long, value_name = "MONTH")]
    pub period: Period,
    /// One account's bill
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `bill status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The folder of final months
    #[arg(long, value_name = "DIR")]
    pub bills: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}
