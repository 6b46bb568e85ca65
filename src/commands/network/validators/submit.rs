//! `veilgrid validators submit`.

use super::{SubmitArgs, list};
use crate::failure::Failure;
use crate::{input, output};
use serde::Serialize;
use std::path::PathBuf;
use veilgrid_api::ValidatorSet;
use veilgrid_client::Client;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_node::roster::Proposal;
use veilgrid_node::start::block_on;

#[derive(Serialize)]
struct Report {
    accepted: Vec<String>,
    refused: Vec<Refused>,
    signed_by: Vec<u16>,
    from_epoch_at_earliest: u64,
}

#[derive(Serialize)]
struct Refused {
    url: String,
    why: String,
}

pub(super) fn run(args: &SubmitArgs) -> Result<(), Failure> {
    let proposal = together(&args.files)?;
    // Before anybody is asked: what is missing here no node can help with.
    let change = proposal.change().map_err(|error| Failure::file(first(&args.files), error))?;
    let signed_by = change.endorsements.iter().map(|one| one.validator).collect();
    let clients = args.url.iter().map(|url| args.reach.client(url)).collect::<Result<Vec<_>, _>>()?;
    let transaction = Transaction::ChangeValidators(Box::new(change)).to_bytes();
    let handed_in = block_on(async {
        let set = anybody(&clients).await?;
        proposal.check_against(&set).map_err(|error| Failure::file(first(&args.files), error))?;
        let (accepted, refused) = hand_in(&clients, &transaction).await;
        Ok((set, accepted, refused))
    });
    let (set, accepted, refused) = handed_in.map_err(Failure::input)??;
    if accepted.is_empty() {
        let why: Vec<String> = refused.into_iter().map(|one| one.why).collect();
        return Err(Failure::Input(format!("no validator takes the change: {}", why.join("; "))));
    }
    let from_epoch_at_earliest = set.epoch.saturating_add(1);
    let report = Report { accepted, refused, signed_by, from_epoch_at_earliest };
    if args.json {
        return output::json(&report);
    }
    tell(&report, &set);
    Ok(())
}

fn tell(report: &Report, set: &ValidatorSet) {
    let Report { accepted, refused, signed_by, from_epoch_at_earliest: epoch } = report;
    refused.iter().for_each(|one| output::line(format!("not taken: {}", one.why)));
    output::line(format!("handed in, signed by validators {}: {}", list(signed_by), accepted.join(", ")));
    let height = epoch.saturating_mul(set.epoch_blocks);
    output::line(format!(
        "Next: a key session deals shares to the new validators; with the epoch after it they are in force, which is \
         epoch {epoch} (height {height}) at the earliest, now it is height {}. Newcomers have to run meanwhile, as \
         candidates, and all validators need their p2p addresses. `veilgrid validators show` says how far it is.",
        set.height
    ));
}

/// The proposal of all files, with all their signatures.
fn together(files: &[PathBuf]) -> Result<Proposal, Failure> {
    let mut proposal =
        Proposal::read_from(first(files), input::open(first(files))?).map_err(Failure::input)?;
    for path in files.iter().skip(1) {
        let copy = Proposal::read_from(path, input::open(path)?).map_err(Failure::input)?;
        proposal.merge(&copy, path).map_err(Failure::input)?;
    }
    Ok(proposal)
}

fn first(files: &[PathBuf]) -> &std::path::Path {
    files.first().map_or(std::path::Path::new("change.json"), PathBuf::as_path)
}

/// The validators as the first node that answers has them.
async fn anybody(clients: &[Client]) -> Result<ValidatorSet, Failure> {
    let mut last = None;
    for client in clients {
        match client.validators().await {
            Ok(set) => return Ok(set),
            Err(error) => last = Some(Failure::input(error)),
        }
    }
    Err(last.unwrap_or_else(|| Failure::Input("name the HTTP address of a validator (--url)".into())))
}

/// Hands the transaction to all of them: who takes it, and who does not.
async fn hand_in(clients: &[Client], transaction: &[u8]) -> (Vec<String>, Vec<Refused>) {
    let (mut accepted, mut refused) = (vec![], vec![]);
    for client in clients {
        let url = client.name().to_owned();
        match client.submit_transaction(transaction.to_vec()).await {
            Ok(()) => accepted.push(url),
            Err(error) => refused.push(Refused { url, why: error.to_string() }),
        }
    }
    (accepted, refused)
}
