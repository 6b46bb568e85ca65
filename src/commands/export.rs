//! `veilgrid export`: a ledger file from a validator's store, for whoever was interrupted before one was written.

use crate::cli::ExportArgs;
use crate::failure::Failure;
use crate::output;
use std::path::Path;
use veilgrid_ledger::state::State;
use veilgrid_node::validator::state_of;
use veilgrid_store::{Existing, Store};

/// What a store's directory holds from its first moment on; opening any other directory would begin a store in it.
const STORE_FILE: &str = "db";

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
    let store = Store::open(dir).map_err(Failure::input)?;
    let state = state_of(&store, dir).map_err(Failure::input)?;
    store.export(ledger, &state, Existing::Keep).map_err(Failure::input)?;
    Ok(state)
}
