//! `veilgrid registrar`: who is a member of a network, by signed orders.
//!
//! The registrar's key stays in its file; what leaves this program is signed orders, and connection points as the ledger
//! knows them.

mod list;
mod send;

use super::validators::Reach;
use crate::failure::Failure;
use crate::input;
use clap::{Args, Subcommand};
use send::{Office, Sent};
use std::path::{Path, PathBuf};
use veilgrid_ledger::hash::Hex32;
use veilgrid_ledger::members::order::{AccountNumber, Action};
use veilgrid_roles::registrar::plan::{ACCOUNTS_PER_ORDER, Members, Plan};
use veilgrid_roles::registrar::rows::{self, Row, RowFault};

/// Arguments of `registrar`.
#[derive(Debug, Args)]
pub struct RegistrarArgs {
    /// What to do
    #[command(subcommand)]
    pub command: RegistrarCommand,
}

const COLUMNS: &str = "Columns: account_key, connection_point, import_class, export_class; if they are there also role (consumer, \
    prosumer, producer, charging-station, storage), rights (buy, sell, both), zone, participation_per_mille, from, to (RFC \
    3339). Names of connection points do not leave this program: the ledger has a keyed digest of each.\n\n\
    Fields of --json: ledger_id, dry_run, unchanged, orders [{sequence, kind, accounts}], members (how many there are), \
    height.";

/// What `registrar` does.
#[derive(Debug, Subcommand)]
pub enum RegistrarCommand {
    /// Print the members of a network
    #[command(after_help = "Example:\n  veilgrid localnet    # in another terminal\n  \
        veilgrid registrar members --url http://127.0.0.1:18001\n\n\
        Fields of --json: those of GET /v1/members, with all members.")]
    Members(MembersArgs),
    /// Enrol the members of a CSV file
    #[command(after_help = format!("Example:\n  veilgrid registrar enrol members.csv --dry-run \\\n    \
        --key-file registrar.keys --url http://127.0.0.1:18001\n\n\
        They may bid in rounds that open after the order is final. Rows that the ledger has already are left out, so that a \
        file can be handed in again.\n\n{COLUMNS}"))]
    Enrol(RowsArgs),
    /// Give members other certificates, and end their suspension
    #[command(after_help = format!("Example:\n  veilgrid registrar update members.csv \\\n    \
        --key-file registrar.keys --url http://127.0.0.1:18001\n\n\
        A row is for the member with its account key.\n\n{COLUMNS}"))]
    Update(RowsArgs),
    /// Keep members from bidding until they are updated
    #[command(
        after_help = "Example:\n  veilgrid registrar suspend 17 --key-file registrar.keys --url http://127.0.0.1:18001\n\n\
        They may still bid in rounds that are open. Fields of --json: as those of enrol."
    )]
    Suspend(AccountsArgs),
    /// Take members out; their account keys can't be enrolled again
    #[command(
        after_help = "Example:\n  veilgrid registrar leave 17 --key-file registrar.keys --url http://127.0.0.1:18001\n\n\
        They may still bid in rounds that are open. Fields of --json: as those of enrol."
    )]
    Leave(AccountsArgs),
}

/// Arguments of `registrar members`.
#[derive(Debug, Args)]
pub struct MembersArgs {
    /// HTTP address of a validator, or of the aggregator
    #[arg(long, value_name = "URL")]
    pub url: String,
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
    /// The registrar's key file
    #[arg(long, value_name = "FILE")]
    pub key_file: PathBuf,
    /// File with the passphrase (mode 600); never the passphrase itself
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// HTTP addresses of validators. One is enough; of several the account numbers are compared, so that one that lies can't have
    /// you suspend or let go another member than you name
    #[arg(long, value_name = "URL", num_args = 1.., required = true)]
    pub url: Vec<String>,
    /// How they are reached
    #[command(flatten)]
    pub reach: Reach,
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

/// Arguments of `registrar enrol` and `update`.
#[derive(Debug, Args)]
pub struct RowsArgs {
    /// The table of members, CSV (- for standard input)
    pub file: PathBuf,
    /// What all orders have
    #[command(flatten)]
    pub order: OrderArgs,
}

/// Arguments of `registrar suspend` and `leave`.
#[derive(Debug, Args)]
pub struct AccountsArgs {
    /// Account numbers or account keys
    #[arg(value_name = "ACCOUNT", num_args = 1.., required = true)]
    pub accounts: Vec<String>,
    /// What all orders have
    #[command(flatten)]
    pub order: OrderArgs,
}

/// Runs the command.
///
/// # Errors
/// Nodes that do not answer, a wrong key, rows that are none, orders that the ledger does not take or that do not become final.
pub fn run(args: &RegistrarArgs) -> Result<(), Failure> {
    match &args.command {
        RegistrarCommand::Members(args) => list::run(args),
        RegistrarCommand::Enrol(args) => with_rows(args, Members::enrol),
        RegistrarCommand::Update(args) => with_rows(args, Members::update),
        RegistrarCommand::Suspend(args) => with_accounts(args, Action::Suspend),
        RegistrarCommand::Leave(args) => with_accounts(args, Action::Leave),
    }
}

fn with_rows(
    args: &RowsArgs,
    plan: fn(&Members, &[Row]) -> Result<Plan, Vec<RowFault>>,
) -> Result<(), Failure> {
    let source = input::open(&args.file)?;
    let office = Office::open(&args.order)?;
    let faults = |faults: Vec<RowFault>| wrong_rows(&args.file, &faults);
    let rows = rows::read(source, &office.key, office.key_epoch()).map_err(faults)?;
    let Plan { actions, unchanged } = plan(&office.members(), &rows).map_err(faults)?;
    let sent = office.send(&args.order, actions)?;
    Sent { unchanged, ..sent }.tell(args.order.json)
}

fn wrong_rows(file: &Path, faults: &[RowFault]) -> Failure {
    let lines: Vec<String> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
    Failure::file(file, format!("nothing was sent:{}", lines.concat()))
}

fn with_accounts(args: &AccountsArgs, action: fn(Vec<AccountNumber>) -> Action) -> Result<(), Failure> {
    let office = Office::open(&args.order)?;
    let members = office.members();
    let mut numbers = Vec::with_capacity(args.accounts.len());
    for text in &args.accounts {
        let member = match (text.parse::<AccountNumber>(), text.parse::<Hex32>()) {
            (Ok(number), _) => members.numbered(number),
            (_, Ok(account)) => members.of(&account.0),
            _ => {
                return Err(Failure::Input(format!(
                    "{text:?} is neither an account number nor an account key"
                )));
            }
        };
        let member = member.ok_or_else(|| Failure::Input(format!("{text} is no member of this ledger")))?;
        if numbers.contains(&member.number) {
            return Err(Failure::Input(format!("account number {} is named twice", member.number)));
        }
        if member.suspended && action(vec![]) == Action::Suspend(vec![]) {
            return Err(Failure::Input(format!("account number {} is suspended already", member.number)));
        }
        numbers.push(member.number);
    }
    let actions = numbers.chunks(ACCOUNTS_PER_ORDER).map(|chunk| action(chunk.to_vec())).collect();
    office.send(&args.order, actions)?.tell(args.order.json)
}
