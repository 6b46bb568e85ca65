//! One run of a plan.

use crate::check::{Counts, check};
use crate::chronicle::End;
use crate::market::VALIDATORS;
use crate::plan::{Plan, Step};
use crate::sabotage::falsify;
use crate::undone::Rule;
use crate::validator::Validator;
use crate::world::{MAX_BLOCK_BYTES, Shared, World};
use std::fmt;
use veilgrid_engine::Timing;
use veilgrid_engine::simulation::{Disagreement, Outcome, Simulation};
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::state::effects::PassedRounds;
use veilgrid_ledger::transaction::VoidReason;

/// A round is cleared within this long after the last fault, in simulated milliseconds: shares may have to be dealt anew
/// first, at the beginning of an epoch.
pub const PROGRESS_MS: u64 = 70_000;
/// The same until all validators hold shares again: lost ones are noticed in one renewal and dealt anew in the next.
pub const SHARES_MS: u64 = 150_000;
/// The validators are looked at so long before the end of a run that is not well, in simulated milliseconds.
const NEARLY_MS: u64 = 3_000;
/// The same when a validator has forgotten its votes: its peers refuse it for a minute, then it has to catch up.
pub const FORGETFUL_MS: u64 = 110_000;
/// Every so many plans without a false validator run until all hold shares.
const SHARES_EVERY: u64 = 8;

/// What came of a run that kept all promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Last height that anybody applied, and the state root after it.
    pub tip: (u64, Hash),
    /// Digest of everything that happened in the engine.
    pub trace: String,
    /// Simulated milliseconds.
    pub elapsed_ms: u64,
    /// Rounds that were cleared.
    pub cleared: usize,
    /// Rounds that ended void.
    pub void: usize,
    /// Rounds that passed before there were keys.
    pub before_keys: u64,
    /// Rounds that no block opened in their time, although there were keys.
    pub not_opened: u64,
    /// Key sessions that ended in keys, and that were aborted.
    pub sessions: (usize, usize),
    /// Bids that f + 1 validators acknowledged.
    pub acknowledged: usize,
    /// Of those the ones that missed their round while the network was not timely.
    pub missed_untimely: usize,
    /// Bids that are on the ledger because the grace has more than f + 1 blocks over an epoch's end.
    pub late_in_grace: usize,
    /// Faults of validators that others have named.
    pub named: usize,
    /// Validators that lost their secrets.
    pub wiped: usize,
}

/// A run that broke a promise.
pub struct Broken {
    /// The plan; its seed replays the run.
    pub plan: Plan,
    /// What does not hold.
    pub violations: Vec<String>,
}

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}", self.plan)?;
        self.violations.iter().try_for_each(|violation| writeln!(f, "  BROKEN: {violation}"))?;
        write!(f, "  replay: VEILGRID_SEED={} cargo test --release -p veilgrid-simulation", self.plan.seed)?;
        write!(f, " one_seed_by_its_number -- --nocapture")
    }
}

/// Runs a plan to its end.
///
/// # Errors
/// Everything that did not hold.
pub fn run(plan: &Plan) -> Result<Report, Box<Broken>> {
    let world = Shared::new(plan);
    let until_shares = plan.liar().is_none() && plan.seed.is_multiple_of(SHARES_EVERY);
    let forgetful = (0..VALIDATORS).any(|index| plan.forgets_ms(index).is_some());
    let bound_ms = match (until_shares, forgetful) {
        (true, _) => SHARES_MS,
        (false, true) => FORGETFUL_MS,
        (false, false) => PROGRESS_MS,
    };
    let limit_ms = plan.calm_ms() + bound_ms;
    let simulation = Simulation {
        epoch_blocks: plan.epoch_blocks(),
        max_block_bytes: MAX_BLOCK_BYTES,
        timing: timing(),
        link: plan.link,
        faults: plan.engine_faults(),
        double_voter: plan.double_voter(),
        shares_queue_bounds: plan.undone == Some(Rule::Queues),
        limit_ms,
        ..Simulation::new(plan.seed, VALIDATORS, world.lock().market.decode)
    };
    let outcome = simulation.run_in_time(
        |index, time| Validator::start(&world, index, time),
        // Nothing of the blocks is needed that the world does not know.
        |_| {
            let mut world = world.lock();
            if world.now_ms + NEARLY_MS >= limit_ms {
                world.take_standing();
            }
            world.is_well(until_shares)
        },
    );
    let mut world = world.lock();
    falsify(&mut world);
    let mut counts = Counts::default();
    let mut violations = check(&world, outcome.elapsed_ms, &mut counts);
    violations.extend(engine_faults(plan, &outcome));
    if !outcome.reached {
        violations.push(format!("no progress {limit_ms} ms after the start: {}", standing(&world, &outcome)));
    }
    if violations.is_empty() {
        Ok(report(&world, outcome, counts))
    } else {
        Err(Box::new(Broken { plan: plan.clone(), violations }))
    }
}

/// Shorter than the default, for blocks that come every 700 ms at least.
fn timing() -> Timing {
    Timing {
        leader_timeout_ms: 1_500,
        certification_timeout_ms: 2_200,
        retry_ms: 1_000,
        skip_after_ms: 3_000,
        fetch_timeout_ms: 1_000,
        fetch_retry_ms: 100,
    }
}

/// Forks, gaps, and engines that stopped by themselves without a failing disk.
fn engine_faults(plan: &Plan, outcome: &Outcome) -> Vec<String> {
    let mut faults = Vec::new();
    // A process may store a block and end at the next write, before anybody hears of it; its successor goes on after
    // that block.
    let fails = |index: usize| {
        let of = |step: &Step| matches!(step, Step::DiskFails(who, ..) if *who == index);
        plan.steps.iter().any(|(_, step)| of(step))
    };
    match outcome.check() {
        Err(Disagreement::Gap { validator, .. }) if fails(validator) => {}
        Err(disagreement) => faults.push(disagreement.to_string()),
        Ok(()) => {}
    }
    for (index, why) in &outcome.stopped {
        if !fails(*index) {
            faults.push(format!("the engine of validator {index} stopped: {why}"));
        }
    }
    faults
}

fn standing(world: &World, outcome: &Outcome) -> String {
    let heights: Vec<u64> = (0..VALIDATORS).map(|index| outcome.height(index)).collect();
    let rounds: Vec<_> = world.chronicle.rounds.iter().map(|(id, story)| (id, &story.end)).collect();
    let sessions = &world.chronicle.sessions;
    let standing = &world.standing;
    format!("applied {heights:?}, validators {standing:#?}, rounds {rounds:?}, sessions {sessions:?}")
}

fn passed_over(world: &World, reason: VoidReason) -> u64 {
    let passed = world.chronicle.passed.iter().map(|(_, _, passed)| passed);
    passed.filter(|passed| passed.reason == reason).map(PassedRounds::count).sum()
}

fn report(world: &World, outcome: Outcome, counts: Counts) -> Report {
    let ends = || world.chronicle.rounds.values().filter_map(|story| story.end.as_ref());
    let cleared = ends().filter(|(_, end)| matches!(end, End::Settled(_))).count();
    let sessions = &world.chronicle.sessions;
    let agreed = sessions.iter().filter(|session| session.agreed.is_some()).count();
    Report {
        tip: world.chronicle.tip(),
        trace: outcome.trace,
        elapsed_ms: outcome.elapsed_ms,
        cleared,
        void: ends().count() - cleared,
        before_keys: passed_over(world, VoidReason::NoKeys),
        not_opened: passed_over(world, VoidReason::NotOpened),
        sessions: (agreed, sessions.len() - agreed),
        acknowledged: world.acknowledged(),
        late_in_grace: world.chronicle.rounds.values().map(|story| story.late_bids).sum(),
        missed_untimely: counts.missed_untimely,
        named: world.faults.len(),
        wiped: world.wiped_ms.len(),
    }
}
