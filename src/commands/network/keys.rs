//! `veilgrid keys`: key files of everybody who has a part in a network.

use crate::failure::Failure;
use crate::output;
use clap::{Args, Subcommand, ValueEnum};
use rand_core::OsRng;
use std::path::{Path, PathBuf};
use veilgrid_node::founding::PublicPart;
use veilgrid_node::keyfile::{
    AggregatorKeys, AskerKeys, Contents, Cost, Kind, ParticipantKeys, RegistrarKeys, TreasuryKeys,
    ValidatorKeys, create, open, peek_kind,
};
use veilgrid_node::passphrase::{self, Passphrase};

/// Arguments of `keys`.
#[derive(Debug, Args)]
pub struct KeysArgs {
    /// What to do
    #[command(subcommand)]
    pub command: KeysCommand,
}

/// What `keys` does.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make fresh keys in a new encrypted file and print their public part
    #[command(
        after_help = "Example:\n  veilgrid keys new --kind validator --out validator.keys > validator.json\n\n\
        The passphrase is asked for at the terminal, or read from --passphrase-file or VEILGRID_PASSPHRASE. \
        Keep a copy of the file and of the passphrase in two different places."
    )]
    New {
        /// Whose keys
        #[arg(long, value_enum)]
        kind: KeyKind,
        /// The key file; it must not exist
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// What both commands have
        #[command(flatten)]
        common: KeysCommon,
    },
    /// Print the public part of a key file
    #[command(after_help = "Example:\n  veilgrid keys show validator.keys > validator.json")]
    Show {
        /// The key file
        file: PathBuf,
        /// What both commands have
        #[command(flatten)]
        common: KeysCommon,
    },
}

/// Arguments that the commands of `keys` have in common.
#[derive(Debug, Args)]
pub struct KeysCommon {
    /// File with the passphrase (mode 600); never the passphrase itself
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Key epoch of a participant's account key
    #[arg(long, value_name = "E", default_value_t = 1)]
    pub key_epoch: u64,
}

/// Whose keys.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum KeyKind {
    /// A validator: signing, consensus and envelope keys
    Validator,
    /// An aggregator: receipt and envelope keys
    Aggregator,
    /// The registrar: the key of its orders
    Registrar,
    /// The treasury of a market with money: the key of its orders
    Treasury,
    /// Somebody who asks members for proofs: the key of its questions
    Asker,
    /// A participant: the seed of its keys
    Participant,
}

/// Runs the command.
///
/// # Errors
/// No passphrase, a file that exists, can't be read or written, or holds something else.
pub fn run(args: &KeysArgs) -> Result<(), Failure> {
    match &args.command {
        KeysCommand::New { kind, out, common } => new(*kind, out, common),
        KeysCommand::Show { file, common } => show(file, common),
    }
}

fn new(kind: KeyKind, out: &Path, common: &KeysCommon) -> Result<(), Failure> {
    if out.exists() {
        return Err(Failure::file(out, "exists already; name a new file, keys are never overwritten"));
    }
    let passphrase = passphrase::fresh(common.passphrase_file.as_deref(), out).map_err(Failure::input)?;
    let public = match kind {
        KeyKind::Validator => {
            let keys = ValidatorKeys::generate(&mut OsRng);
            write(out, &keys, &passphrase)?;
            PublicPart::from(&keys)
        }
        KeyKind::Aggregator => {
            let keys = AggregatorKeys::generate(&mut OsRng);
            write(out, &keys, &passphrase)?;
            PublicPart::from(&keys)
        }
        KeyKind::Registrar => {
            let keys = RegistrarKeys::generate(&mut OsRng);
            write(out, &keys, &passphrase)?;
            PublicPart::from(&keys)
        }
        KeyKind::Treasury => {
            let keys = TreasuryKeys::generate(&mut OsRng);
            write(out, &keys, &passphrase)?;
            PublicPart::from(&keys)
        }
        KeyKind::Asker => {
            let keys = AskerKeys::generate(&mut OsRng);
            write(out, &keys, &passphrase)?;
            PublicPart::from(&keys)
        }
        KeyKind::Participant => {
            let keys = ParticipantKeys::generate(&mut OsRng);
            write(out, &keys, &passphrase)?;
            PublicPart::of_participant(&keys, common.key_epoch)
        }
    };
    output::json(&public)
}

fn write<K: Contents>(out: &Path, keys: &K, passphrase: &Passphrase) -> Result<(), Failure> {
    create(out, keys, passphrase, Cost::default(), &mut OsRng).map(drop).map_err(Failure::input)
}

fn show(file: &Path, common: &KeysCommon) -> Result<(), Failure> {
    // Before the passphrase is asked for: a file that is no key file needs none.
    let kind = peek_kind(file).map_err(Failure::input)?;
    if kind == Kind::ValidatorSecrets {
        return Err(Failure::file(file, "a validator's secrets have no public part; name its key file"));
    }
    let passphrase = passphrase::existing(common.passphrase_file.as_deref(), file).map_err(Failure::input)?;
    let public = match kind {
        Kind::Validator => PublicPart::from(&read::<ValidatorKeys>(file, &passphrase)?),
        Kind::Aggregator => PublicPart::from(&read::<AggregatorKeys>(file, &passphrase)?),
        Kind::Registrar => PublicPart::from(&read::<RegistrarKeys>(file, &passphrase)?),
        Kind::Treasury => PublicPart::from(&read::<TreasuryKeys>(file, &passphrase)?),
        Kind::Asker => PublicPart::from(&read::<AskerKeys>(file, &passphrase)?),
        Kind::Participant | Kind::ValidatorSecrets => {
            PublicPart::of_participant(&read::<ParticipantKeys>(file, &passphrase)?, common.key_epoch)
        }
    };
    output::json(&public)
}

fn read<K: Contents>(file: &Path, passphrase: &Passphrase) -> Result<K, Failure> {
    open::<K>(file, passphrase).map(|(_, keys)| keys).map_err(Failure::input)
}
