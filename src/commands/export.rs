//! `veilgrid export`: a ledger file from a validator's store, for whoever was interrupted before one was written.

use crate::failure::Failure;
use crate::output;
use clap::Args;
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use veilgrid_ledger::state::State;
use veilgrid_store::{Existing, Store};

/// What a store's directory holds from its first moment on; opening any other directory would begin a store in it.
const STORE_FILE: &str = "db";

/// What `export --help` says after its options.
pub const HELP: &str = "Example:\n  veilgrid export my-day/validators/validator-1 rescued.vgl\n  \
        veilgrid audit rescued.vgl";

/// Arguments of `export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The directory of a validator's store
    pub store: PathBuf,
    /// The ledger file; it must not exist
    pub ledger: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// No store, a store that is in use, damaged or without a block, a ledger file that exists or can't be written.
pub fn run(args: &ExportArgs) -> Result<(), Failure> {
    if !args.store.join(STORE_FILE).exists() {
        let text = "no validator's store is here; a validator keeps it in DATA_DIR/ledger, the demo in DIR/validators/validator-1 and so on";
        return Err(Failure::file(&args.store, text));
    }
    if args.ledger.exists() {
        return Err(Failure::file(&args.ledger, "exists already; name a new file, nothing is overwritten"));
    }
    let state = export_store(&args.store, &args.ledger)?;
    output::line(format!("blocks 0 to {} written to {}", state.height(), args.ledger.display()));
    output::line(format!("check them: veilgrid audit {}", args.ledger.display()));
    Ok(())
}

/// Writes a store's ledger to a new file after replaying it with every check; returns the state after its last block.
///
/// # Errors
/// As [`run`].
pub fn export_store(dir: &Path, ledger: &Path) -> Result<State, Failure> {
    let copied = copy_of_read_only(dir)?;
    let opened = copied.as_ref().map_or(dir, |copy| copy.path());
    let store = Store::open(opened).map_err(Failure::input)?;
    let state = store.state().map_err(Failure::input)?;
    store.export(ledger, &state, Existing::Keep).map_err(Failure::input)?;
    Ok(state)
}

/// The database writes on opening, so a store that may not be written, on a read-only medium for example, is read from a copy
/// that goes when the command ends.
pub(crate) fn copy_of_read_only(dir: &Path) -> Result<Option<tempfile::TempDir>, Failure> {
    match OpenOptions::new().append(true).open(dir.join(STORE_FILE)) {
        Err(error) if matches!(error.kind(), ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied) => {
        }
        // What else is wrong the store says itself.
        _ => return Ok(None),
    }
    let failed = |error: std::io::Error| {
        let temporary = std::env::temp_dir();
        Failure::file(
            dir,
            format!(
                "may not be written, so it has to be copied, and the copy in {} failed: {error}; TMPDIR names another folder",
                temporary.display()
            ),
        )
    };
    let copy = tempfile::tempdir().map_err(failed)?;
    copy_files(dir, copy.path()).map_err(failed)?;
    Ok(Some(copy))
}

fn copy_files(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            std::fs::create_dir(&target)?;
            copy_files(&entry.path(), &target)?;
        } else {
            // The content alone: a copy of its permissions could not be written either.
            std::io::copy(&mut File::open(entry.path())?, &mut File::create(&target)?)?;
        }
    }
    Ok(())
}
