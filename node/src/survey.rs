//! What validators say of themselves over HTTP: whether they hold shares, and what their clocks show. Claims: one counts
//! against whoever makes it, and nothing is done because of it but saying so.

use crate::checks::{ClockSample, wall_clock_unix_ms};
use crate::vitals::Vitals;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;
use veilgrid_api::{NodeStatus, StatusReport};
use veilgrid_client::Client;
use veilgrid_client::shutdown::Shutdown;

/// How often what is wrong is looked for.
const LOOK: Duration = Duration::from_secs(2);
/// A validator that is so many blocks behind says nothing of the shares that are in force here.
const NEAR_BLOCKS: u64 = 20;

/// The answer of one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: NodeStatus,
    pub(crate) clock: Option<ClockSample>,
}

impl Answer {
    /// The number of a validator that says that it has no shares, at a ledger of this height.
    pub(crate) fn denies(&self, height: u64) -> Option<u16> {
        let StatusReport { mode, holds_shares, index, .. } = &self.status.node;
        let near = self.status.height.saturating_add(NEAR_BLOCKS) >= height;
        let denies = near && *holds_shares == Some(false) && mode.as_deref() == Some("validating");
        index.filter(|_| denies)
    }
}

/// Asks validators, all at once; whoever does not answer is left out.
pub(crate) async fn ask(validators: &[Client]) -> Vec<Answer> {
    let mut asked = JoinSet::new();
    for validator in validators {
        let validator = validator.clone();
        asked.spawn(async move {
            let sent_unix_ms = wall_clock_unix_ms();
            let status = validator.status().await.ok()?;
            let received_unix_ms = wall_clock_unix_ms();
            let peer_unix_ms = status.clock_unix_ms;
            let clock = (peer_unix_ms > 0).then_some(ClockSample {
                peer_unix_ms,
                resolution_ms: 1,
                sent_unix_ms,
                received_unix_ms,
            });
            Some(Answer { status, clock })
        });
    }
    asked.join_all().await.into_iter().flatten().collect()
}

/// Looks for what is wrong and says it until the process ends; asks the validators every so often.
pub(crate) async fn keep_watch(
    vitals: Vitals,
    validators: Vec<Client>,
    every: Duration,
    own_lack: impl Fn() -> Option<u16>,
    shutdown: Shutdown,
) {
    let mut since_asked = None::<veilgrid_actors::stopwatch::Stopwatch>;
    loop {
        if !validators.is_empty() && since_asked.is_none_or(|since| since.elapsed() >= every) {
            since_asked = Some(veilgrid_actors::stopwatch::Stopwatch::start());
            let answers = tokio::select! {
                () = shutdown.wait() => return,
                answers = ask(&validators) => answers,
            };
            vitals.surveyed(&answers);
        }
        vitals.say(own_lack());
        tokio::select! {
            () = shutdown.wait() => return,
            () = sleep(LOOK) => {}
        }
    }
}

/// A status of which only this matters.
#[cfg(test)]
pub(crate) fn status_of(height: u64, node: StatusReport) -> NodeStatus {
    let (none, version) = (veilgrid_ledger::hash::Hex32([0; 32]), String::new());
    NodeStatus {
        version,
        node,
        ledger_id: none,
        height,
        block_hash: none,
        state_root: none,
        time_unix_ms: 0,
        last_round_id: None,
        validators: 4,
        threshold: 2,
        keys_ready: true,
        clock_unix_ms: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_validator_that_validates_here_and_now_denies() {
        let report = StatusReport {
            index: Some(3),
            mode: Some("validating".into()),
            holds_shares: Some(false),
            ..StatusReport::default()
        };
        let denies = |report: &StatusReport, height| {
            Answer { status: status_of(100, report.clone()), clock: None }.denies(height)
        };
        assert_eq!(denies(&report, 120), Some(3));
        assert_eq!(denies(&report, 121), None, "it is behind");
        let others = [
            StatusReport { holds_shares: Some(true), ..report.clone() },
            StatusReport { holds_shares: None, ..report.clone() },
            StatusReport { mode: Some("catching-up".into()), ..report.clone() },
            StatusReport { index: None, ..report },
        ];
        assert!(others.iter().all(|report| denies(report, 100).is_none()));
    }
}
