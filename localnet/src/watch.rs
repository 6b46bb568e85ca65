//! What the processes of a local network say about themselves.

use super::fleet::{Fleet, Kind, Process};
use super::{LocalnetError, Network};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tokio::task::JoinSet;
use veilgrid_api::{NodeStatus, RoundStatus};
use veilgrid_client::{Client, ClientOptions};
use veilgrid_ledger::transaction::VoidReason;
use veilgrid_node::checks::wall_clock_unix_ms;

/// Rounds that are asked for besides the newest when very many are new.
const MOST_NEW_ROUNDS: u64 = 64;

/// Whether a process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProcessState {
    /// It runs.
    Running,
    /// It ended, in this way.
    Ended(String),
}

/// One process at a moment. What it has not said (yet) is none.
#[derive(Clone, Debug)]
pub struct ProcessView {
    /// `validator-1`, `aggregator`, `participant-001`.
    pub name: String,
    /// Number of the process.
    pub pid: u32,
    /// Whether it runs.
    pub state: ProcessState,
    /// Last final block.
    pub height: Option<u64>,
    /// State root after it, hexadecimal.
    pub state_root: Option<String>,
    /// The last round that was opened or passed over.
    pub round_id: Option<u64>,
    /// The same as this process sees it; participants tell its number only.
    pub round: Option<RoundStatus>,
    /// Bids that wait, or of a participant: under way.
    pub waiting_bids: Option<u64>,
    /// Why it does not do its work.
    pub trouble: Option<String>,
}

/// True for a round in which nobody could bid because the network had no keys yet, or was not there: nobody waits for its
/// result.
fn is_before(round: &RoundStatus, began_unix_ms: u64) -> bool {
    let passed = round.close_unix_ms.is_some_and(|close_unix_ms| close_unix_ms <= began_unix_ms);
    match round.void_reason {
        Some(VoidReason::NoKeys) => true,
        Some(VoidReason::NotOpened) => passed,
        _ => false,
    }
}

/// The network at a moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// All processes.
    pub processes: Vec<ProcessView>,
    /// Rounds that ended while the network was watched, in order.
    pub ended: Vec<RoundStatus>,
}

/// A node's status and the last round as it sees it.
type Answer = (NodeStatus, Option<RoundStatus>);

/// What a participant's status file holds, as far as it is shown.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct StatusFile {
    height: Option<u64>,
    last_round: Option<u64>,
    bids_under_way: Vec<u64>,
}

/// Asks all processes, again and again.
pub(super) struct Watcher {
    runtime: tokio::runtime::Runtime,
    validators: Vec<Client>,
    aggregator: Client,
    /// Rounds that were seen and are not over.
    open: BTreeSet<u64>,
    /// The last round that was seen; none before any process has answered.
    last: Option<u64>,
    ended: BTreeMap<u64, RoundStatus>,
    /// When it began to watch, Unix milliseconds.
    began_unix_ms: u64,
}

impl Watcher {
    pub(super) fn new(network: &Network) -> Result<Self, LocalnetError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| LocalnetError::Watch(error.to_string()))?;
        let client = |url: &String| Client::new(url, &ClientOptions::default());
        Ok(Self {
            runtime,
            validators: network.validator_urls().iter().map(client).collect::<Result<_, _>>()?,
            aggregator: client(&network.aggregator_url())?,
            open: BTreeSet::new(),
            last: None,
            ended: BTreeMap::new(),
            began_unix_ms: wall_clock_unix_ms(),
        })
    }

    /// Runs a task of the same runtime.
    pub(super) fn block_on<T>(&self, task: impl Future<Output = T>) -> T {
        self.runtime.block_on(task)
    }

    /// Looks at all processes and follows the rounds.
    pub(super) fn look(&mut self, fleet: &mut Fleet) -> Snapshot {
        let mut asked = JoinSet::new();
        for (place, process) in fleet.processes.iter_mut().enumerate() {
            let client = match (process.kind, process.poll()) {
                (Kind::Validator(index), None) => self.validators.get(usize::from(index).saturating_sub(1)),
                (Kind::Aggregator, None) => Some(&self.aggregator),
                (Kind::Participant(_), _) | (_, Some(_)) => continue,
            };
            let Some(client) = client.cloned() else { continue };
            asked.spawn_on(async move { (place, ask(&client).await) }, self.runtime.handle());
        }
        let answers: BTreeMap<usize, Answer> = self.runtime.block_on(async {
            asked.join_all().await.into_iter().filter_map(|(place, answer)| Some((place, answer?))).collect()
        });
        let processes: Vec<ProcessView> = (fleet.processes.iter_mut().enumerate())
            .map(|(place, process)| view(process, answers.get(&place).cloned()))
            .collect();
        self.follow(answers.values().filter_map(|(status, _)| status.last_round_id).max(), &answers);
        Snapshot { processes, ended: self.ended.values().cloned().collect() }
    }

    /// Rounds overlap: each that was seen is asked for until it is over.
    fn follow(&mut self, newest: Option<u64>, answers: &BTreeMap<usize, Answer>) {
        if answers.is_empty() {
            return;
        }
        let newest = newest.unwrap_or(0);
        // What was there before the network was watched is not this run's; the newest may still be under way.
        // After a pause of days very many have passed at once, and each is a question.
        let from = self.last.map_or(newest, |last| last.saturating_add(1));
        let from = from.max(newest.saturating_sub(MOST_NEW_ROUNDS)).max(1);
        let first_look = self.last.is_none();
        self.open.extend(from..=newest);
        self.last = Some(self.last.unwrap_or(0).max(newest));
        for round_id in self.open.clone() {
            let found = self.runtime.block_on(async {
                for client in &self.validators {
                    let answer = client.round(round_id).await.ok();
                    // One that lags behind does not know yet what the others do.
                    if answer.as_ref().is_some_and(|round| round.stage.is_over()) {
                        return answer;
                    }
                }
                None
            });
            let Some(round) = found else { continue };
            self.open.remove(&round_id);
            if !first_look && !is_before(&round, self.began_unix_ms) {
                self.ended.insert(round_id, round);
            }
        }
    }
}

async fn ask(client: &Client) -> Option<Answer> {
    let status = client.status().await.ok()?;
    let round = match status.last_round_id {
        Some(round_id) => client.round(round_id).await.ok(),
        None => None,
    };
    Some((status, round))
}

fn view(process: &mut Process, answer: Option<Answer>) -> ProcessView {
    let state = match process.poll() {
        None => ProcessState::Running,
        Some(status) => ProcessState::Ended(status.to_string()),
    };
    let mut view = ProcessView {
        name: process.name.clone(),
        pid: process.pid(),
        state,
        height: None,
        state_root: None,
        round_id: None,
        round: None,
        waiting_bids: None,
        trouble: None,
    };
    if let Some((status, round)) = answer {
        (view.height, view.state_root) = (Some(status.height), Some(status.state_root.to_string()));
        (view.waiting_bids, view.trouble) = (Some(status.node.pool_bids), status.node.trouble);
        (view.round_id, view.round) = (round.as_ref().map(|round| round.round_id), round);
    } else if matches!(process.kind, Kind::Participant(_))
        && let Some(status) = read_status(&process.home.join("data").join("status.json"))
    {
        view.height = status.height;
        view.waiting_bids = Some(status.bids_under_way.len() as u64);
        view.round_id = status.last_round;
    }
    view
}

fn read_status(path: &Path) -> Option<StatusFile> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use veilgrid_api::Stage;

    #[test]
    fn nobody_waits_for_rounds_without_keys_or_of_before() {
        let void = |reason| RoundStatus {
            close_unix_ms: Some(500),
            void_reason: Some(reason),
            ..RoundStatus::at(1, Stage::Void)
        };
        let began_ms = [499, 500];
        assert_eq!(began_ms.map(|ms| is_before(&void(VoidReason::NoKeys), ms)), [true, true]);
        assert_eq!(began_ms.map(|ms| is_before(&void(VoidReason::NotOpened), ms)), [false, true]);
        assert_eq!(began_ms.map(|ms| is_before(&void(VoidReason::TooFewBids), ms)), [false, false]);
    }

    #[test]
    fn a_participants_status_is_read_as_far_as_it_is_shown() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("status.json");
        assert!(read_status(&path).is_none());
        let text = r#"{"height":7,"last_round":3,"bids_under_way":[3],"of_tomorrow":1}"#;
        std::fs::write(&path, text).expect("written");
        let status = read_status(&path).expect("read");
        assert_eq!((status.height, status.last_round, status.bids_under_way), (Some(7), Some(3), vec![3]));
    }
}
