//! `veilgrid validators propose`.

use super::{ProposeArgs, ask, named};
use crate::failure::Failure;
use crate::{input, output};
use std::path::Path;
use veilgrid_ledger::roster::ValidatorEntry;
use veilgrid_node::founding::PublicPart;
use veilgrid_node::roster::Proposal;

pub(super) fn run(args: &ProposeArgs) -> Result<(), Failure> {
    if args.out.exists() {
        return Err(Failure::file(&args.out, "exists already; name a new file"));
    }
    if args.add.is_empty() && args.remove.is_empty() {
        return Err(Failure::Input(
            "nothing is proposed: say who comes (--add) or who goes (--remove)".into(),
        ));
    }
    let add = args.add.iter().map(|path| newcomer(path)).collect::<Result<Vec<_>, _>>()?;
    let set = ask(&args.reach.client(&args.url)?)?;
    let proposal = Proposal::new(&set, &add, &args.remove).map_err(Failure::input)?;
    proposal.write_new(&args.out).map_err(Failure::input)?;
    if args.json {
        return output::json(&proposal);
    }
    describe(&proposal);
    output::line(format!(
        "written to {}: {} of the {} present validators sign it (`veilgrid validators endorse`), then anybody hands it \
         in (`veilgrid validators submit`)",
        args.out.display(),
        set.threshold,
        set.validators.len()
    ));
    Ok(())
}

/// Who goes and who comes.
pub(super) fn describe(proposal: &Proposal) {
    let (goes, comes) = (proposal.goes(), proposal.comes());
    goes.iter().for_each(|one| output::line(format!("goes:  {}", named(one))));
    comes.iter().for_each(|one| output::line(format!("comes: {}", named(one))));
    if goes.is_empty() && comes.is_empty() {
        output::line("nobody goes and nobody comes: the same validators in another order");
    }
    output::line(format!(
        "from {} validators (since epoch {}) to {}",
        proposal.current.len(),
        proposal.since_epoch,
        proposal.new.len()
    ));
}

fn newcomer(path: &Path) -> Result<ValidatorEntry, Failure> {
    match PublicPart::read_from(path, input::open(path)?).map_err(Failure::input)? {
        PublicPart::Validator { signing_key, consensus_key, envelope_key } => Ok(ValidatorEntry {
            signing_key: signing_key.0,
            consensus_key: consensus_key.0,
            envelope_key: envelope_key.0,
        }),
        _ => Err(Failure::file(path, "this is not the public part of a validator's key file; name one")),
    }
}
