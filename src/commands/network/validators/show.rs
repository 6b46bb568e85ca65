//! `veilgrid validators show`.

use super::{ShowArgs, ask};
use crate::failure::Failure;
use crate::output;
use veilgrid_api::{NumberedValidator, PendingSet, ValidatorSet};

pub(super) fn run(args: &ShowArgs) -> Result<(), Failure> {
    let set = ask(&args.reach.client(&args.url)?)?;
    if args.json {
        return output::json(&set);
    }
    print(&set);
    Ok(())
}

fn print(set: &ValidatorSet) {
    output::line(format!("ledger id      {}", set.ledger_id));
    output::line(format!(
        "height         {} (epoch {}, {} blocks each)",
        set.height, set.epoch, set.epoch_blocks
    ));
    output::line(format!(
        "validators     {}, in force since epoch {}; {} of them sign a change",
        set.validators.len(),
        set.since_epoch,
        set.threshold
    ));
    table(&set.validators);
    match &set.session {
        Some(session) => output::line(format!(
            "key session    {} ({}) goes on: {}",
            session.session, session.task, session.phase
        )),
        None => output::line("key session    none goes on"),
    }
    match &set.pending {
        None => output::line("change         none is under way"),
        Some(PendingSet { from_epoch: None, validators }) => {
            output::line(
                "change         asked for; in force with the epoch after a key session has dealt for:",
            );
            table(validators);
        }
        Some(PendingSet { from_epoch: Some(epoch), validators }) => {
            let height = epoch.saturating_mul(set.epoch_blocks);
            output::line(format!("change         agreed; in force from epoch {epoch} (height {height}) on:"));
            table(validators);
        }
    }
}

/// Without the envelope keys, which nobody compares: `--json` has them.
fn table(validators: &[NumberedValidator]) {
    let mut table = output::table(&["validator", "signing key", "consensus key"]);
    for one in validators {
        let [signing, consensus] = [one.signing_key, one.consensus_key].map(|key| key.to_string());
        table.add_row([one.number.to_string(), signing, consensus]);
    }
    output::line(table);
}
