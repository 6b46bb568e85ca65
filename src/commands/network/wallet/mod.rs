//! `veilgrid wallet`: a member's money, rebuilt from its keys and a ledger.
//!
//! Nothing of a wallet is stored beside the key file: bids carry a note that only their owner opens, everything else on the ledger
//! is public. Amounts are printed because they are asked for; keys and words never are, except words at a terminal.

mod act;
mod keys;
mod rebuilt;
mod statement;

use super::ledger_source::LedgerArgs;
use crate::failure::Failure;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Arguments of `wallet`.
#[derive(Debug, Args)]
pub struct WalletArgs {
    /// What to do
    #[command(subcommand)]
    pub command: WalletCommand,
}

/// What `wallet` does.
#[derive(Debug, Subcommand)]
pub enum WalletCommand {
    /// Make the keys of a new member, in a key file and as 24 words
    #[command(
        after_help = "Example:\n  veilgrid wallet new --out me.keys --words-out me.words > me.json\n\n\
        The key file is that of a participant (`veilgrid keys new --kind participant`), and the public part that is printed is for \
        the registrar. Whoever has the words has the account: write them on paper, then delete the file. Without --words-out they \
        are shown at the terminal."
    )]
    New(NewArgs),
    /// Write the 24 words of a key file down again
    #[command(after_help = "Example:\n  veilgrid wallet backup --key-file me.keys --words-out me.words\n\n\
        Without --words-out they are shown at the terminal.")]
    Backup(BackupArgs),
    /// Make the key file anew from the 24 words
    #[command(
        after_help = "Example:\n  veilgrid wallet recover --out me.keys --words-file me.words > me.json\n  \
        veilgrid wallet show --key-file me.keys --ledger my-net/ledger.vgl\n\n\
        Without --words-file the words are asked for at the terminal, where they are not shown."
    )]
    Recover(RecoverArgs),
    /// Print what is on the account
    #[command(
        after_help = "Example:\n  veilgrid wallet show --key-file me.keys --ledger my-net/ledger.vgl\n  \
        veilgrid wallet show --key-file me.keys --url http://127.0.0.1:18001 --genesis $(cat my-net/genesis.hash)\n\n\
        Fields of --json: ledger_id, height, account, number, balance_ct, reserved_ct, free_ct (exact decimals, as text), \
        debit_sequence, unclaimed_rounds [id]."
    )]
    Show(ReadArgs),
    /// Print each change of the balance, by round
    #[command(
        after_help = "Example:\n  veilgrid wallet statement --key-file me.keys --ledger my-net/ledger.vgl\n  \
        veilgrid wallet statement --key-file me.keys --store participant/data/ledger --csv > statement.csv\n\n\
        Amounts in ct and energy in Wh are exact in CSV and JSON; the table cuts them toward zero.\n\n\
        Columns of --csv, and fields of lines in --json: height, time, kind (deposit, withdrawal, fill), round, slot_start, slot_seconds, \
        bought_wh, sold_wh, buy_price_ct_per_kwh, sell_price_ct_per_kwh, debit_sequence, reference, amount_ct, balance_ct. \
        Fields of --json: ledger_id, height, account, number, balance_ct, lines."
    )]
    Statement(StatementArgs),
    /// Claim what fills of finished rounds are worth
    #[command(after_help = "Example:\n  veilgrid wallet claim --key-file me.keys \\\n    \
        --url http://127.0.0.1:18001 --genesis $(cat my-net/genesis.hash)\n\n\
        A participant that runs does that by itself. Fields of --json: claimed [round id], height, balance_ct, free_ct.")]
    Claim(ClaimArgs),
    /// Have the treasury pay out what is free
    #[command(after_help = "Example:\n  veilgrid wallet withdraw --amount 12.50 --key-file me.keys \\\n    \
        --url http://127.0.0.1:18001 --genesis $(cat my-net/genesis.hash)\n\n\
        The amount is public. A bid of this account that is under way may be refused because of it; the participant makes it again. \
        Fields of --json: number, debit_sequence, amount_ct, reference, dry_run, height, balance_ct, free_ct.")]
    Withdraw(WithdrawArgs),
}

/// Where the keys are.
#[derive(Debug, Args)]
pub struct KeyArgs {
    /// The participant's key file
    #[arg(long, value_name = "FILE")]
    pub key_file: PathBuf,
    /// File with the passphrase (mode 600); never the passphrase itself
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// Arguments of `wallet new`.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The key file; it must not exist
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// File for the words (mode 600); it must not exist
    #[arg(long, value_name = "FILE")]
    pub words_out: Option<PathBuf>,
    /// File with the passphrase (mode 600); never the passphrase itself
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Key epoch of the account key
    #[arg(long, value_name = "E", default_value_t = 1)]
    pub key_epoch: u64,
}

/// Arguments of `wallet backup`.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The keys
    #[command(flatten)]
    pub keys: KeyArgs,
    /// File for the words (mode 600); it must not exist
    #[arg(long, value_name = "FILE")]
    pub words_out: Option<PathBuf>,
}

/// Arguments of `wallet recover`.
#[derive(Debug, Args)]
pub struct RecoverArgs {
    /// The key file; it must not exist
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// File with the words (mode 600)
    #[arg(long, value_name = "FILE")]
    pub words_file: Option<PathBuf>,
    /// File with the passphrase (mode 600); never the passphrase itself
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Key epoch of the account key
    #[arg(long, value_name = "E", default_value_t = 1)]
    pub key_epoch: u64,
}

/// Arguments of `wallet show`.
#[derive(Debug, Args)]
pub struct ReadArgs {
    /// The keys
    #[command(flatten)]
    pub keys: KeyArgs,
    /// The ledger
    #[command(flatten)]
    pub ledger: LedgerArgs,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `wallet statement`.
#[derive(Debug, Args)]
pub struct StatementArgs {
    /// Keys and ledger
    #[command(flatten)]
    pub read: ReadArgs,
    /// Print as CSV
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
}

/// Arguments of `wallet claim`.
#[derive(Debug, Args)]
pub struct ClaimArgs {
    /// Keys and ledger
    #[command(flatten)]
    pub read: ReadArgs,
    /// How long to wait until it is final, in seconds
    #[arg(long, value_name = "S", default_value_t = 60)]
    pub wait_s: u64,
}

/// Arguments of `wallet withdraw`.
#[derive(Debug, Args)]
pub struct WithdrawArgs {
    /// How much, EUR
    #[arg(long, value_name = "EUR")]
    pub amount: String,
    /// What the treasury knows the payee by, 64 hex digits that were agreed on [default: zeros, for the bank account that it has of you]
    #[arg(long, value_name = "DIGEST")]
    pub reference: Option<String>,
    /// Check everything and send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Keys and ledger
    #[command(flatten)]
    pub read: ReadArgs,
    /// How long to wait until it is final, in seconds
    #[arg(long, value_name = "S", default_value_t = 60)]
    pub wait_s: u64,
}

/// Runs the command.
///
/// # Errors
/// Files that can't be read or exist already, words that are none, ledgers that break a rule or are of other keys, nodes that do not
/// answer, amounts that are not there.
pub fn run(args: &WalletArgs) -> Result<(), Failure> {
    match &args.command {
        WalletCommand::New(args) => keys::new(args),
        WalletCommand::Backup(args) => keys::backup(args),
        WalletCommand::Recover(args) => keys::recover(args),
        WalletCommand::Show(args) => statement::show(args),
        WalletCommand::Statement(args) => statement::statement(args),
        WalletCommand::Claim(args) => act::claim(args),
        WalletCommand::Withdraw(args) => act::withdraw(args),
    }
}
