//! What is shown while the network runs.

use super::report::outcome;
use crate::output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use veilgrid_localnet::{ProcessState, ProcessView, Snapshot};

/// What is shown while the network runs: a table in place on a terminal, a line for each change elsewhere.
pub(super) struct View {
    bar: Option<ProgressBar>,
    told: BTreeSet<String>,
}

impl View {
    pub(super) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(
                ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar
        });
        Self { bar, told: BTreeSet::new() }
    }

    pub(super) fn show(&mut self, snapshot: &Snapshot) {
        match &self.bar {
            Some(bar) => bar.set_message(live_table(snapshot)),
            None => {
                for line in changes(snapshot) {
                    if self.told.insert(line.clone()) {
                        // Nobody is left to tell when standard error is closed.
                        let _ = writeln!(std::io::stderr(), "{line}");
                    }
                }
            }
        }
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }
}

fn live_table(snapshot: &Snapshot) -> String {
    let mut table = output::table(&[
        "process",
        "pid",
        "height",
        "root",
        "round",
        "stage",
        "bids",
        "waiting",
        "last outcome",
    ]);
    let last = snapshot.ended.last().map(outcome).unwrap_or_default();
    for process in &snapshot.processes {
        table.add_row(cells(process, &last));
    }
    table.to_string()
}

fn cells(process: &ProcessView, last: &str) -> Vec<String> {
    let number = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    let round = process.round.as_ref();
    let note = match (&process.state, &process.trouble) {
        (ProcessState::Ended(status), _) => format!("ended: {status}"),
        (_, Some(trouble)) => trouble.clone(),
        _ => last.to_owned(),
    };
    vec![
        process.name.clone(),
        process.pid.to_string(),
        number(process.height),
        process.state_root.as_deref().and_then(|root| root.get(..8)).unwrap_or("-").to_owned(),
        number(process.round_id),
        round.map_or("-", |round| round.stage.name()).to_owned(),
        number(round.and_then(|round| round.bids)),
        number(process.waiting_bids),
        note,
    ]
}

/// Lines for a log: each is printed once.
fn changes(snapshot: &Snapshot) -> Vec<String> {
    let mut lines = vec![];
    for process in &snapshot.processes {
        match &process.state {
            ProcessState::Running if process.height.is_some() => {
                lines.push(format!("{} answers (pid {})", process.name, process.pid));
            }
            ProcessState::Running => {}
            ProcessState::Ended(status) => lines.push(format!("{} ended: {status}", process.name)),
        }
    }
    // One voice is enough for what all validators see alike; participants know a round's number only.
    if let Some(round) = snapshot.processes.iter().find_map(|process| process.round.as_ref()) {
        lines.push(format!("round {}: {}", round.round_id, round.stage));
    }
    for round in &snapshot.ended {
        let bids = round.bids.map_or_else(|| "?".to_owned(), |bids| bids.to_string());
        lines.push(format!("round {} is over: {bids} bids, {}", round.round_id, outcome(round)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use veilgrid_api::{RoundStatus, Stage};

    fn process(name: &str, stage: Option<Stage>) -> ProcessView {
        ProcessView {
            name: name.to_owned(),
            pid: 7,
            state: ProcessState::Running,
            height: None,
            state_root: None,
            round_id: Some(4),
            round: stage.map(|stage| RoundStatus::at(4, stage)),
            waiting_bids: None,
            trouble: None,
        }
    }

    #[test]
    fn a_round_is_told_by_a_process_that_knows_its_stage() {
        // The folder of a participant tells of the run before, also while no validator answers.
        let mut snapshot = Snapshot { processes: vec![process("participant-001", None)], ended: vec![] };
        assert_eq!(changes(&snapshot), [] as [String; 0]);
        snapshot.processes.push(process("validator-1", Some(Stage::Bidding)));
        assert_eq!(changes(&snapshot), ["round 4: bidding"]);
    }
}
