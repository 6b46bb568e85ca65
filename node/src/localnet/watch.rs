//! What the processes of a local network say about themselves.

use super::Network;
use super::fleet::{Fleet, Kind, Process};
use crate::checks::wall_clock_unix_ms;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;
use tokio::task::JoinSet;
use veilgrid_market::Outcome;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Most bytes of an answer.
const MAX_ANSWER_BYTES: usize = 1 << 20;
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
    /// The last round that was opened or passed over, as this process sees it.
    pub round: Option<RoundView>,
    /// Bids that wait, or of a participant: under way.
    pub waiting_bids: Option<u64>,
    /// Why it does not do its work.
    pub trouble: Option<String>,
}

/// A round as a process sees it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RoundView {
    /// Its number.
    pub round_id: u64,
    /// Its stage, as `GET /v1/rounds/{id}` names it.
    #[serde(default)]
    pub stage: String,
    /// Its bids.
    #[serde(default)]
    pub bids: Option<u64>,
    /// How it was cleared.
    #[serde(default)]
    pub outcome: Option<Outcome>,
    /// When its bidding ends, Unix milliseconds.
    #[serde(default)]
    pub close_unix_ms: Option<u64>,
    /// Why it is void, in one word.
    #[serde(default)]
    pub void_reason: Option<String>,
    /// The same in a sentence.
    #[serde(default)]
    pub void_reason_text: Option<String>,
}

impl RoundView {
    /// True when nothing more happens in it.
    pub fn is_over(&self) -> bool {
        matches!(self.stage.as_str(), "settled" | "void" | "finished")
    }

    /// True for a round in which nobody could bid because the network had no keys yet, or was not there: nobody waits
    /// for its result.
    fn is_before(&self, began_unix_ms: u64) -> bool {
        let passed = self.close_unix_ms.is_some_and(|close_unix_ms| close_unix_ms <= began_unix_ms);
        match self.void_reason.as_deref() {
            Some("NoKeys") => true,
            Some("NotOpened") => passed,
            _ => false,
        }
    }
}

/// A round that is over.
pub type EndedRound = RoundView;

/// The network at a moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// All processes.
    pub processes: Vec<ProcessView>,
    /// Rounds that ended while the network was watched, in order.
    pub ended: Vec<EndedRound>,
}

/// What `GET /v1/status` answers, as far as it is shown.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct StatusAnswer {
    height: Option<u64>,
    state_root: Option<String>,
    last_round_id: Option<u64>,
    pool_bids: Option<u64>,
    trouble: Option<String>,
}

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
    http: reqwest::Client,
    /// Rounds that were seen and are not over.
    open: BTreeSet<u64>,
    /// The last round that was seen; none before any process has answered.
    last: Option<u64>,
    ended: BTreeMap<u64, EndedRound>,
    /// When it began to watch, Unix milliseconds.
    began_unix_ms: u64,
}

impl Watcher {
    pub(super) fn new() -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let http = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build();
        let http = http.map_err(|error| error.to_string())?;
        Ok(Self {
            runtime,
            http,
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
    pub(super) fn look(&mut self, network: &Network, fleet: &mut Fleet) -> Snapshot {
        let mut asked = JoinSet::new();
        for (place, process) in fleet.processes.iter_mut().enumerate() {
            let url = match (process.kind, process.poll()) {
                (Kind::Validator(index), None) => network.validator_url(index),
                (Kind::Aggregator, None) => network.aggregator_url(),
                (Kind::Participant(_), _) | (_, Some(_)) => continue,
            };
            let http = self.http.clone();
            asked.spawn_on(async move { (place, ask(&http, &url).await) }, self.runtime.handle());
        }
        let answers: BTreeMap<usize, (StatusAnswer, Option<RoundView>)> = self.runtime.block_on(async {
            asked.join_all().await.into_iter().filter_map(|(place, answer)| Some((place, answer?))).collect()
        });
        let processes: Vec<ProcessView> = (fleet.processes.iter_mut().enumerate())
            .map(|(place, process)| view(process, answers.get(&place).cloned()))
            .collect();
        self.follow(network, answers.values().filter_map(|(status, _)| status.last_round_id).max(), &answers);
        Snapshot { processes, ended: self.ended.values().cloned().collect() }
    }

    /// Rounds overlap: each that was seen is asked for until it is over.
    fn follow(
        &mut self,
        network: &Network,
        newest: Option<u64>,
        answers: &BTreeMap<usize, (StatusAnswer, Option<RoundView>)>,
    ) {
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
        let urls = network.validator_urls();
        for round_id in self.open.clone() {
            let found = self.runtime.block_on(async {
                for url in &urls {
                    let answer = get::<RoundView>(&self.http, &format!("{url}/v1/rounds/{round_id}")).await;
                    // One that lags behind does not know yet what the others do.
                    if answer.as_ref().is_some_and(RoundView::is_over) {
                        return answer;
                    }
                }
                None
            });
            let Some(round) = found else { continue };
            self.open.remove(&round_id);
            if !first_look && !round.is_before(self.began_unix_ms) {
                self.ended.insert(round_id, round);
            }
        }
    }
}

/// A node's status and the last round as it sees it.
async fn ask(http: &reqwest::Client, url: &str) -> Option<(StatusAnswer, Option<RoundView>)> {
    let status: StatusAnswer = get(http, &format!("{url}/v1/status")).await?;
    let round = match status.last_round_id {
        Some(round_id) => get(http, &format!("{url}/v1/rounds/{round_id}")).await,
        None => None,
    };
    Some((status, round))
}

async fn get<T: DeserializeOwned>(http: &reqwest::Client, url: &str) -> Option<T> {
    let mut response = http.get(url).send().await.ok()?.error_for_status().ok()?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).ok()
}

fn view(process: &mut Process, answer: Option<(StatusAnswer, Option<RoundView>)>) -> ProcessView {
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
        round: None,
        waiting_bids: None,
        trouble: None,
    };
    if let Some((status, round)) = answer {
        (view.height, view.state_root) = (status.height, status.state_root);
        (view.waiting_bids, view.trouble, view.round) = (status.pool_bids, status.trouble, round);
    } else if matches!(process.kind, Kind::Participant(_))
        && let Some(status) = read_status(&process.home.join("data").join("status.json"))
    {
        view.height = status.height;
        view.waiting_bids = Some(status.bids_under_way.len() as u64);
        view.round = status.last_round.map(|round_id| RoundView {
            round_id,
            stage: String::new(),
            bids: None,
            outcome: None,
            close_unix_ms: None,
            void_reason: None,
            void_reason_text: None,
        });
    }
    view
}

fn read_status(path: &Path) -> Option<StatusFile> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use veilgrid_ledger::transaction::VoidReason;

    #[test]
    fn answers_are_read_as_far_as_they_are_known() {
        let text = r#"{"height":7,"role":"validator","state_root":"ab","last_round_id":null,"pool_bids":3}"#;
        let status: StatusAnswer = serde_json::from_str(text).expect("read");
        assert_eq!((status.height, status.last_round_id, status.pool_bids), (Some(7), None, Some(3)));
        let round: RoundView =
            serde_json::from_str(r#"{"round_id":2,"stage":"bidding","bids":4}"#).expect("read");
        assert!(!round.is_over());
        for stage in ["settled", "void", "finished"] {
            assert!(RoundView { stage: stage.to_owned(), ..round.clone() }.is_over());
        }
        let void = |reason: VoidReason| {
            let reason = serde_json::to_value(reason).expect("a word");
            let text = serde_json::json!({
                "round_id": 1, "stage": "void", "bids": 0, "close_unix_ms": 500, "void_reason": reason,
            });
            serde_json::from_value::<RoundView>(text).expect("read")
        };
        let began_ms = [499, 500];
        assert_eq!(began_ms.map(|ms| void(VoidReason::NoKeys).is_before(ms)), [true, true]);
        assert_eq!(began_ms.map(|ms| void(VoidReason::NotOpened).is_before(ms)), [false, true]);
        assert_eq!(began_ms.map(|ms| void(VoidReason::TooFewBids).is_before(ms)), [false, false]);
    }
}
