//! `veilgrid validators`: who they are, and how they are replaced by others.
//!
//! A change travels as a file: somebody proposes it, t of the present validators sign it, anybody hands it in.

mod endorse;
mod propose;
mod show;
mod submit;

use crate::failure::Failure;
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};
use veilgrid_api::{NumberedValidator, ValidatorSet};
use veilgrid_client::{Client, ClientOptions};
use veilgrid_node::start::block_on;

/// Arguments of `validators`.
#[derive(Debug, Args)]
pub struct ValidatorsArgs {
    /// What to do
    #[command(subcommand)]
    pub command: ValidatorsCommand,
}

/// What `validators` does.
#[derive(Debug, Subcommand)]
pub enum ValidatorsCommand {
    /// Print the validators in force, and those who are to follow
    #[command(after_help = "Example:\n  veilgrid localnet    # in another terminal\n  \
        veilgrid validators show --url http://127.0.0.1:18001\n\n\
        Fields of --json: ledger_id, height, epoch, epoch_blocks, since_epoch, threshold, validators [{number, \
        signing_key, consensus_key, envelope_key}], pending (null, or {from_epoch, validators}; from_epoch is null while \
        the session that deals for them goes on), session (null, or {session, task, phase}).")]
    Show(ShowArgs),
    /// Write a file that proposes to replace validators
    #[command(after_help = "Example:\n  \
        veilgrid validators propose --url http://127.0.0.1:18001 --add validator-5.json --remove 4 --out change.json\n\n\
        Who stays keeps its place among those who stay; newcomers go to the end, in the order of --add. The file holds \
        no secret: give it, or copies of it, to the present validators.")]
    Propose(ProposeArgs),
    /// Sign a proposal as one of the present validators
    #[command(after_help = "Example:\n  veilgrid validators endorse change.json --config validator.toml\n  \
        veilgrid validators endorse change.json --key-file validator.keys --url http://127.0.0.1:18001\n\n\
        The file is compared with what your own validator has in force. It says who goes and who comes; look at the \
        keys before you type the passphrase.")]
    Endorse(EndorseArgs),
    /// Hand a proposal in that enough have signed
    #[command(
        after_help = "Example:\n  veilgrid validators submit change.json --url http://127.0.0.1:18001\n  \
        veilgrid validators submit mine.json theirs.json --url http://v1.example:8101 http://v2.example:8101\n\n\
        Signatures of several copies of one proposal are put together. A change whose session was aborted may be handed \
        in again while the present validators are in force.\n\n\
        Fields of --json: accepted [url], refused [{url, why}], signed_by [number], from_epoch_at_earliest."
    )]
    Submit(SubmitArgs),
}

/// How a node is reached.
#[derive(Debug, Args)]
pub struct Reach {
    /// PEM file of certificate authorities that are trusted beside the public ones
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

impl Reach {
    pub(super) fn client(&self, url: &str) -> Result<Client, Failure> {
        client(url, self.ca_file.as_deref())
    }
}

/// Arguments of `validators show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
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

/// Arguments of `validators propose`.
#[derive(Debug, Args)]
pub struct ProposeArgs {
    /// HTTP address of a validator
    #[arg(long, value_name = "URL")]
    pub url: String,
    /// Public parts of newcomers, as `veilgrid keys` printed them
    #[arg(long, value_name = "PUBLIC.json", num_args = 1..)]
    pub add: Vec<PathBuf>,
    /// Numbers of validators who go
    #[arg(long, value_name = "N", num_args = 1..)]
    pub remove: Vec<u16>,
    /// The proposal; the file must not exist
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// How the validator is reached
    #[command(flatten)]
    pub reach: Reach,
    /// Print the proposal as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `validators endorse`.
#[derive(Debug, Args)]
pub struct EndorseArgs {
    /// The proposal
    pub file: PathBuf,
    /// The validator's configuration: its key file, its passphrase file and its own HTTP address
    #[arg(long, value_name = "FILE", required_unless_present = "key_file")]
    pub config: Option<PathBuf>,
    /// The validator's key file, instead of the configuration's
    #[arg(long, value_name = "FILE", requires = "url")]
    pub key_file: Option<PathBuf>,
    /// File with the passphrase (mode 600), instead of the configuration's
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// HTTP address of one's own validator, instead of `http.listen` of the configuration
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// How it is reached
    #[command(flatten)]
    pub reach: Reach,
    /// Print what was done as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `validators submit`.
#[derive(Debug, Args)]
pub struct SubmitArgs {
    /// The proposal, and copies of it with further signatures
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// HTTP addresses of validators; one is enough, more are safer
    #[arg(long, value_name = "URL", num_args = 1.., required = true)]
    pub url: Vec<String>,
    /// How they are reached
    #[command(flatten)]
    pub reach: Reach,
    /// Print what became of it as JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
///
/// # Errors
/// Nodes that do not answer, files that are none, a change that the ledger would not take.
pub fn run(args: &ValidatorsArgs) -> Result<(), Failure> {
    match &args.command {
        ValidatorsCommand::Show(args) => show::run(args),
        ValidatorsCommand::Propose(args) => propose::run(args),
        ValidatorsCommand::Endorse(args) => endorse::run(args),
        ValidatorsCommand::Submit(args) => submit::run(args),
    }
}

fn client(url: &str, ca_file: Option<&Path>) -> Result<Client, Failure> {
    Client::new(url, &ClientOptions::default().trusting(ca_file)).map_err(Failure::input)
}

/// Asks a node for the validators.
fn ask(client: &Client) -> Result<ValidatorSet, Failure> {
    block_on(client.validators()).map_err(Failure::input)?.map_err(Failure::input)
}

/// A line that names a validator: its number and both keys that people compare.
fn named(validator: &NumberedValidator) -> String {
    format!(
        "validator {}: signing key {}, consensus key {}",
        validator.number, validator.signing_key, validator.consensus_key
    )
}

/// Numbers for people.
fn list(numbers: &[u16]) -> String {
    match numbers {
        [] => "none".to_owned(),
        _ => numbers.iter().map(u16::to_string).collect::<Vec<_>>().join(", "),
    }
}
