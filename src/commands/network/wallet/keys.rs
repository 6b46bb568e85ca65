//! `veilgrid wallet new`, `backup` and `recover`: key files and words.

use super::rebuilt::open_keys;
use super::{BackupArgs, NewArgs, RecoverArgs};
use crate::failure::Failure;
use crate::output;
use rand_core::OsRng;
use std::io::{IsTerminal, Write};
use std::path::Path;
use veilgrid_crypto::keyring::KeyringSeed;
use veilgrid_node::founding::PublicPart;
use veilgrid_node::keyfile::words::{seed_of, words_of};
use veilgrid_node::keyfile::{Cost, ParticipantKeys, create};
use veilgrid_node::passphrase;
use veilgrid_store::files::write_new_private;

pub(super) fn new(args: &NewArgs) -> Result<(), Failure> {
    let words_out = args.words_out.as_deref();
    refuse_existing(&args.out)?;
    words_can_go(words_out)?;
    let keys = ParticipantKeys::generate(&mut OsRng);
    write(&args.out, args.passphrase_file.as_deref(), &keys)?;
    hand_out(&keys.seed, words_out)?;
    output::json(&PublicPart::of_participant(&keys, args.key_epoch))
}

pub(super) fn backup(args: &BackupArgs) -> Result<(), Failure> {
    words_can_go(args.words_out.as_deref())?;
    hand_out(&open_keys(&args.keys)?.seed, args.words_out.as_deref())
}

pub(super) fn recover(args: &RecoverArgs) -> Result<(), Failure> {
    refuse_existing(&args.out)?;
    let words = passphrase::recovery_words(args.words_file.as_deref()).map_err(Failure::input)?;
    let keys = ParticipantKeys { seed: seed_of(words.expose()).map_err(Failure::input)? };
    write(&args.out, args.passphrase_file.as_deref(), &keys)?;
    output::json(&PublicPart::of_participant(&keys, args.key_epoch))
}

fn refuse_existing(out: &Path) -> Result<(), Failure> {
    if out.exists() {
        return Err(Failure::file(out, "exists already; name a new file, nothing is overwritten"));
    }
    Ok(())
}

/// Before any key is made: words that can be shown nowhere are no backup.
fn words_can_go(words_out: Option<&Path>) -> Result<(), Failure> {
    match words_out {
        Some(path) => refuse_existing(path),
        None if std::io::stderr().is_terminal() => Ok(()),
        None => {
            let text =
                "there is no terminal at which the words can be shown; name a file for them with --words-out";
            Err(Failure::Input(text.to_owned()))
        }
    }
}

fn write(out: &Path, passphrase_file: Option<&Path>, keys: &ParticipantKeys) -> Result<(), Failure> {
    let passphrase = passphrase::fresh(passphrase_file, out).map_err(Failure::input)?;
    create(out, keys, &passphrase, Cost::default(), &mut OsRng).map(drop).map_err(Failure::input)
}

fn hand_out(seed: &KeyringSeed, words_out: Option<&Path>) -> Result<(), Failure> {
    let words = words_of(seed);
    match words_out {
        Some(path) => write_new_private(path, words.expose().as_bytes()).map_err(Failure::input),
        None => {
            let mut terminal = std::io::stderr();
            let shown =
                writeln!(terminal, "the 24 words, in their order; whoever has them has the account:\n");
            shown.and_then(|()| writeln!(terminal, "  {}\n", words.expose())).map_err(|error| {
                Failure::Input(format!("the words can't be shown: {error}; see `veilgrid wallet backup`"))
            })
        }
    }
}
