//! Running a local network.

use super::agreement::{Agreement, check_agreement};
use super::deposits::FirstDeposits;
use super::fleet::{Fleet, Kind};
use super::watch::{Snapshot, Watcher};
use super::{LocalnetError, Network};
use std::path::{Path, PathBuf};
use std::time::Duration;
use veilgrid_api::{RoundStatus, Stage};
use veilgrid_client::shutdown::Shutdown;
use veilgrid_roles::committee::threshold_for;

/// Between two looks at the processes.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What keys and the first round may take before a goal counts as missed.
const START_S: u64 = 240;

/// When a run ends by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Goal {
    /// After this many settled rounds; none: never. A void round does not count: nothing was traded in it.
    pub rounds: Option<usize>,
    /// The goal has to be reached in this time, seconds; none: as many intervals as rounds, and some.
    pub timeout_s: Option<u64>,
}

/// How a run went.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Rounds that ended while it was watched.
    pub ended: Vec<RoundStatus>,
    /// What the validators agree on; none when the run was interrupted before they had anything.
    pub agreement: Option<Agreement>,
    /// True when somebody asked for the end before the goal.
    pub interrupted: bool,
    /// Processes that ended by themselves.
    pub fallen: Vec<Fallen>,
}

/// A process that ended by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallen {
    /// Its name.
    pub name: String,
    /// How it ended.
    pub status: String,
    /// What it printed.
    pub log: PathBuf,
}

/// Starts all processes, shows them to `observe` every second, and stops them at the goal or on `shutdown`.
///
/// # Errors
/// A process that can't start or panicked, too few validators left to go on, a goal that is not reached in time,
/// validators that differ. All processes are stopped in every case.
pub fn run(
    network: &Network,
    program: &Path,
    goal: Goal,
    shutdown: &Shutdown,
    observe: &mut dyn FnMut(&Snapshot),
) -> Result<Summary, LocalnetError> {
    let mut watcher = Watcher::new(network)?;
    let deposits = FirstDeposits::of(network)?;
    let mut fleet = Fleet::start(network, program)?;
    let watched = watch(network, &mut fleet, (&mut watcher, deposits), goal, shutdown, observe);
    // The ledgers are compared while the validators still answer.
    let checked = watched.and_then(|(ended, interrupted)| {
        let running = running_validators(&mut fleet);
        let agreement = match watcher.block_on(check_agreement(network, &running)) {
            Ok(agreement) => Some(agreement),
            // Whoever interrupts may do so before a validator listens.
            Err(LocalnetError::Client(_)) if interrupted => None,
            Err(error) => return Err(error),
        };
        Ok(Summary { ended, agreement, interrupted, fallen: fallen(&mut fleet) })
    });
    fleet.stop();
    // A panic says more than what followed from it.
    fleet.find_panic()?;
    checked
}

fn watch(
    network: &Network,
    fleet: &mut Fleet,
    (watcher, mut deposits): (&mut Watcher, Option<FirstDeposits>),
    goal: Goal,
    shutdown: &Shutdown,
    observe: &mut dyn FnMut(&Snapshot),
) -> Result<(Vec<RoundStatus>, bool), LocalnetError> {
    let timeout_s = goal.rounds.map(|rounds| {
        let rounds = u64::try_from(rounds).unwrap_or(u64::MAX).saturating_add(4);
        goal.timeout_s.unwrap_or(rounds.saturating_mul(network.interval_s).saturating_add(START_S))
    });
    let began_ms = veilgrid_node::checks::wall_clock_unix_ms();
    loop {
        let snapshot = watcher.look(fleet);
        observe(&snapshot);
        if let Some(first) = &deposits
            && watcher.block_on(first.make())
        {
            tracing::info!("the first deposits are on the ledger");
            deposits = None;
        }
        let settled = settled(&snapshot.ended);
        if let Some(wanted) = goal.rounds.filter(|wanted| settled >= *wanted) {
            tracing::info!(rounds = wanted, "the goal is reached");
            return Ok((snapshot.ended, false));
        }
        if shutdown.is_triggered() {
            return Ok((snapshot.ended, true));
        }
        enough_validators(network, fleet)?;
        let elapsed_s = veilgrid_node::checks::wall_clock_unix_ms().saturating_sub(began_ms) / 1000;
        if let (Some(wanted), Some(seconds)) = (goal.rounds, timeout_s)
            && elapsed_s > seconds
        {
            let others = snapshot.ended.len().saturating_sub(settled);
            return Err(LocalnetError::TooSlow { settled, others, wanted, seconds, logs: network.logs() });
        }
        shutdown.sleep(LOOK_EVERY);
    }
}

/// How many rounds were settled.
pub fn settled(rounds: &[RoundStatus]) -> usize {
    rounds.iter().filter(|round| round.stage == Stage::Settled).count()
}

/// A network goes on without some of its processes, and the table shows it, but not without a quorum.
fn enough_validators(network: &Network, fleet: &mut Fleet) -> Result<(), LocalnetError> {
    let quorum = usize::from(threshold_for(network.validators));
    if running_validators(fleet).len() >= quorum {
        return Ok(());
    }
    match fallen(fleet).into_iter().next() {
        Some(Fallen { name, status, log }) => Err(LocalnetError::Ended { name, status, log }),
        None => Ok(()),
    }
}

fn running_validators(fleet: &mut Fleet) -> Vec<u16> {
    let running = fleet.processes.iter_mut().filter_map(|process| match (process.kind, process.poll()) {
        (Kind::Validator(index), None) => Some(index),
        _ => None,
    });
    running.collect()
}

fn fallen(fleet: &mut Fleet) -> Vec<Fallen> {
    let ended = fleet.processes.iter_mut().filter_map(|process| {
        let status = process.poll()?.to_string();
        Some(Fallen { name: process.name.clone(), status, log: process.log.clone() })
    });
    ended.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn void_rounds_and_those_whose_end_nobody_knows_are_not_settled() {
        let rounds = [Stage::Settled, Stage::Void, Stage::Finished, Stage::Settled];
        let rounds = rounds.map(|stage| RoundStatus::at(1, stage));
        assert_eq!(settled(&rounds), 2);
        assert_eq!(settled(&[]), 0);
    }
}
