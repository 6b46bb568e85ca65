//! `veilgrid treasury`: money that has come for members, and withdrawals that were paid, by signed orders.
//!
//! The treasury's key stays in its file; what leaves this program is signed orders, and references as the ledger knows them.

mod paid;
mod send;
mod status;
mod waiting;

use super::euro::euro;
use super::validators::Reach;
use crate::failure::Failure;
use crate::input;
use clap::{Args, Subcommand};
use send::{Planned, Till};
use std::path::{Path, PathBuf};
use veilgrid_ledger::members::order::AccountNumber;
use veilgrid_ledger::money::treasury::{COMMUNITY_ACCOUNT, Deposit, MAX_ENTRIES_PER_ORDER, TreasuryAction};
use veilgrid_roles::treasury::rows::{self, AccountName, Row, RowFault};

/// Arguments of `treasury`.
#[derive(Debug, Args)]
pub struct TreasuryArgs {
    /// What to do
    #[command(subcommand)]
    pub command: TreasuryCommand,
}

const SENT_FIELDS: &str = "Fields of --json: ledger_id, dry_run, orders [{sequence, kind, accounts, amount_ct}], next_order, height.";

/// What `treasury` does.
#[derive(Debug, Subcommand)]
pub enum TreasuryCommand {
    /// Enter money that has come for members
    #[command(after_help = format!("Example:\n  veilgrid treasury deposit payments.csv --dry-run \\\n    \
        --key-file treasury.keys --url http://127.0.0.1:18001\n  \
        veilgrid treasury deposit --account 7 --amount 50.00 --reference 'transfer of 3 May' \\\n    \
        --key-file treasury.keys --url http://127.0.0.1:18001 --order 12\n\n\
        Columns of the file: account (a number, 0 for the community's own account, or an account key), amount_eur or amount_ct, \
        reference. References do not leave this program: the ledger has a keyed digest of each.\n\n\
        A payment that is handed in again is entered again. --order N says which number your next order has in your books; when \
        the ledger has another one, nothing is sent.\n\n{SENT_FIELDS}"))]
    Deposit(DepositArgs),
    /// Enter withdrawals that you have paid out
    #[command(after_help = format!("Example:\n  veilgrid treasury status --url http://127.0.0.1:18001\n  \
        veilgrid treasury paid 7/2 9/0 --key-file treasury.keys --url http://127.0.0.1:18001\n\n\
        A withdrawal is named ACCOUNT/DEBIT, as `veilgrid treasury status` prints it.\n\n{SENT_FIELDS}"))]
    Paid(PaidArgs),
    /// Print the treasury's books on the ledger, and the withdrawals that wait to be paid
    #[command(after_help = "Example:\n  veilgrid localnet --money    # in another terminal\n  \
        veilgrid treasury status --url http://127.0.0.1:18001\n\n\
        Fields of --json: ledger_id, height, treasury_key, next_order, accounts, deposited_ct, withdrawn_ct, community_ct, \
        unpaid_ct, unpaid [{number, debit_sequence, amount_ct}], doubted (withdrawals that not all nodes name), nodes, warnings.")]
    Status(StatusArgs),
}

/// Arguments of `treasury status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// HTTP addresses of validators, or of the aggregator. One is enough; of several only what all of them say counts as to be paid
    #[arg(long, value_name = "URL", num_args = 1.., required = true)]
    pub url: Vec<String>,
    /// How it is reached
    #[command(flatten)]
    pub reach: Reach,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of orders.
#[derive(Debug, Args)]
pub struct OrderArgs {
    /// The treasury's key file
    #[arg(long, value_name = "FILE")]
    pub key_file: PathBuf,
    /// File with the passphrase (mode 600); never the passphrase itself
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// HTTP addresses of validators. One is enough; of several the accounts and the next order are compared, so that one that lies
    /// can't have you pay into another account, or sign an order twice
    #[arg(long, value_name = "URL", num_args = 1.., required = true)]
    pub url: Vec<String>,
    /// How they are reached
    #[command(flatten)]
    pub reach: Reach,
    /// Number that the next order has in your books; nothing is sent when the ledger has another one
    #[arg(long, value_name = "N")]
    pub order: Option<u64>,
    /// Check everything and send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How long to wait until an order is final, in seconds
    #[arg(long, value_name = "S", default_value_t = 60)]
    pub wait_s: u64,
    /// Print what became of it as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `treasury deposit`.
#[derive(Debug, Args)]
pub struct DepositArgs {
    /// The payments, CSV (- for standard input)
    #[arg(required_unless_present = "account", conflicts_with_all = ["account", "amount", "reference"])]
    pub file: Option<PathBuf>,
    /// Account number or account key, for one payment without a file
    #[arg(long, value_name = "ACCOUNT", requires_all = ["amount", "reference"])]
    pub account: Option<String>,
    /// Its amount, EUR
    #[arg(long, value_name = "EUR", requires = "account")]
    pub amount: Option<String>,
    /// What the bank calls it
    #[arg(long, value_name = "TEXT", requires = "account")]
    pub reference: Option<String>,
    /// What all orders have
    #[command(flatten)]
    pub order: OrderArgs,
}

/// Arguments of `treasury paid`.
#[derive(Debug, Args)]
pub struct PaidArgs {
    /// The withdrawals, as ACCOUNT/DEBIT
    #[arg(value_name = "ACCOUNT/DEBIT", num_args = 1.., required = true)]
    pub withdrawals: Vec<String>,
    /// What all orders have
    #[command(flatten)]
    pub order: OrderArgs,
}

/// Runs the command.
///
/// # Errors
/// Nodes that do not answer, a wrong key, rows that are none, orders that the ledger does not take or that do not become final.
pub fn run(args: &TreasuryArgs) -> Result<(), Failure> {
    match &args.command {
        TreasuryCommand::Deposit(args) => deposit(args),
        TreasuryCommand::Paid(args) => paid::run(args),
        TreasuryCommand::Status(args) => status::run(args),
    }
}

fn deposit(args: &DepositArgs) -> Result<(), Failure> {
    let (till, rows) = match (&args.file, &args.account) {
        (Some(file), _) => {
            let source = input::open(file)?;
            let till = Till::open(&args.order)?;
            let rows = rows::read(source, &till.key).map_err(|faults| wrong_rows(file, &faults))?;
            (till, rows)
        }
        (None, Some(account)) => {
            let amount_ct = euro("--amount", args.amount.as_deref().unwrap_or_default())?;
            let till = Till::open(&args.order)?;
            let reference = args.reference.as_deref().unwrap_or_default();
            let row = Row::new(1, account, amount_ct, reference, &till.key).map_err(Failure::Input)?;
            (till, vec![row])
        }
        (None, None) => return Err(Failure::Input("name a file with payments, or --account".to_owned())),
    };
    let origin = args.file.as_deref();
    let deposits = rows.iter().map(|row| deposit_of(&till, origin, row)).collect::<Result<Vec<_>, _>>()?;
    let planned = deposits.chunks(MAX_ENTRIES_PER_ORDER).map(|chunk| Planned {
        amount_ct: chunk.iter().fold(0, |sum: u64, deposit| sum.saturating_add(deposit.amount_ct)),
        action: TreasuryAction::Deposit(chunk.to_vec()),
    });
    let planned = planned.collect();
    till.send(&args.order, planned)?.tell(args.order.json)
}

fn deposit_of(till: &Till, origin: Option<&Path>, row: &Row) -> Result<Deposit, Failure> {
    let number = number_of(till, row.account).map_err(|what| match origin {
        Some(file) => wrong_rows(file, &[RowFault { line: row.line, what }]),
        None => Failure::Input(what),
    })?;
    Ok(Deposit { number, amount_ct: row.amount_ct, reference: row.reference })
}

fn number_of(till: &Till, account: AccountName) -> Result<AccountNumber, String> {
    let mut accounts = till.accounts().iter();
    match account {
        AccountName::Number(COMMUNITY_ACCOUNT) => Ok(COMMUNITY_ACCOUNT),
        AccountName::Number(number) => {
            let found = accounts.find(|entry| entry.number == number);
            found.map(|entry| entry.number).ok_or_else(|| format!("no account has the number {number}"))
        }
        AccountName::Key(key) => {
            let found = accounts.find(|entry| entry.account.0 == key);
            found
                .map(|entry| entry.number)
                .ok_or_else(|| format!("no account has the key {}", hex::encode(key)))
        }
    }
}

fn wrong_rows(file: &Path, faults: &[RowFault]) -> Failure {
    let lines: Vec<String> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
    Failure::file(file, format!("nothing was sent:{}", lines.concat()))
}
