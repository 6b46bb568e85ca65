//! What is told of a network that was founded, and of a run at its end.

use crate::failure::Failure;
use crate::output;
use serde::Serialize;
use std::path::PathBuf;
use veilgrid_api::{RoundStatus, Stage};
use veilgrid_localnet::{Network, Summary, settled};

/// What was founded, for whoever starts the processes.
pub(super) fn founded(network: &Network, json: bool) -> Result<(), Failure> {
    let (validators, aggregator) = (network.validator_urls(), network.aggregator_url());
    if json {
        return output::json(&Founded { dir: network.dir(), aggregator, validators });
    }
    let when = if network.continued { "was founded before" } else { "was founded" };
    output::line(format!("the network in {} {when}; nothing runs", network.dir().display()));
    let config = network.dir().join("validator-1").join("validator.toml");
    output::line(format!("start its processes: veilgrid validator --config {}, ...", config.display()));
    output::line(format!("or all of them: veilgrid localnet --dir {}", network.dir().display()));
    Ok(())
}

#[derive(Serialize)]
struct Founded<'a> {
    dir: &'a std::path::Path,
    aggregator: String,
    validators: Vec<String>,
}

/// How a round ended, in words.
pub(super) fn outcome(round: &RoundStatus) -> String {
    match (&round.outcome, &round.void_reason_text) {
        (Some(outcome), _) => format!("{} kWh at {} ct/kWh", output::volume(outcome), output::price(outcome)),
        (None, Some(reason)) => format!("void: {reason}"),
        (None, None) => round.stage.to_string(),
    }
}

#[derive(Serialize)]
struct Report {
    dir: PathBuf,
    rounds: Vec<RoundReport>,
    settled: usize,
    agreed_height: Option<u64>,
    agreed_block_hash: Option<String>,
    agreed_prior_state_root: Option<String>,
    interrupted: bool,
    ended_processes: Vec<String>,
}

#[derive(Serialize)]
struct RoundReport {
    round_id: u64,
    stage: Stage,
    bids: Option<u64>,
    outcome: String,
}

/// Tells how the run went.
pub(super) fn report(network: &Network, summary: &Summary, json: bool) -> Result<(), Failure> {
    if json {
        let round = |round: &RoundStatus| RoundReport {
            round_id: round.round_id,
            stage: round.stage,
            bids: round.bids,
            outcome: outcome(round),
        };
        return output::json(&Report {
            dir: network.dir().to_owned(),
            rounds: summary.ended.iter().map(round).collect(),
            settled: settled(&summary.ended),
            agreed_height: summary.agreement.map(|agreement| agreement.height),
            agreed_block_hash: summary.agreement.map(|agreement| hex::encode(agreement.block_hash)),
            agreed_prior_state_root: summary
                .agreement
                .map(|agreement| hex::encode(agreement.prior_state_root)),
            interrupted: summary.interrupted,
            ended_processes: summary.fallen.iter().map(|fallen| fallen.name.clone()).collect(),
        });
    }
    let mut table = output::table(&["round", "stage", "bids", "outcome"]);
    for round in &summary.ended {
        let bids = round.bids.map_or_else(|| "-".to_owned(), |bids| bids.to_string());
        table.add_row([round.round_id.to_string(), round.stage.to_string(), bids, outcome(round)]);
    }
    output::line(table);
    if let Some(agreement) = summary.agreement {
        output::line(format!(
            "all validators have the same block at height {}: {}, after the state {}",
            agreement.height,
            hex::encode(agreement.block_hash),
            hex::encode(agreement.prior_state_root)
        ));
    }
    Ok(())
}
