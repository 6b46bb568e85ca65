//! What goes wrong in a run, all of it decided by the seed.

use crate::dice::Dice;
use crate::market::VALIDATORS;
use std::fmt;
use veilgrid_engine::simulation::{Fault, Link};
use veilgrid_roles::core::Failure;

/// Faults begin and end within so long, in simulated milliseconds: keys are generated in the first seconds, two rounds
/// open after them.
const WINDOW_MS: u64 = 13_000;
/// After the end of a disturbance validators have to find each other, and what was lost is sent again.
const AFTERMATH_MS: u64 = 3_000;
/// A link is timely when its messages take no longer on average, in milliseconds.
const TIMELY_MS: u64 = 60;

/// How a validator is false for the whole run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misbehaviour {
    /// Votes for two blocks wherever it can, and is silent after the first epoch.
    DoubleVoter,
    /// Proposes blocks that the rules refuse.
    InvalidBlocks(InvalidBlock),
    /// Leaves all bids out of the blocks that it proposes, which no rule forbids.
    Censor,
    /// Its opening shares are false, in gossip and in the blocks that it proposes.
    FalseShares,
    /// Deals twice and tells each validator one of the two stories.
    TwoStories,
    /// Seals false shares for these receivers (numbers from 1), under its signature.
    TamperedDelivery(Vec<u16>),
    /// Takes part in consensus and says nothing in key sessions.
    SilentDealer,
}

/// What is wrong with a proposed block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidBlock {
    /// Another state root than its parent's.
    WrongRoot,
    /// A transaction that the state refuses.
    RefusedTransaction,
    /// A false opening share at the end.
    BadShare,
    /// A time that is further ahead than voters allow.
    FromTheFuture,
    /// What its time makes due is left out.
    DueLeftOut,
}

/// What is left of a validator that was down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// All that was written.
    All,
    /// Journal, secrets and intake, but not the engine's store: it forgets its votes.
    NotTheEngineStore,
    /// The engine's store alone.
    TheEngineStore,
    /// Nothing.
    Nothing,
}

impl Kept {
    /// Whether journal, secrets and intake are there.
    pub(crate) fn has_journal(self) -> bool {
        matches!(self, Self::All | Self::NotTheEngineStore)
    }
}

/// One event of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// All links are like this from now on.
    Links(Link),
    /// These validators cannot reach the others.
    Partition(Vec<usize>),
    /// Everybody can reach everybody.
    Heal,
    /// A validator is killed.
    Crash(usize),
    /// A validator's disk fails at the write after so many further ones, and the validator stops there.
    DiskFails(usize, u64, Failure),
    /// A validator that is down starts again.
    Restart(usize, Kept),
}

/// A run: the same plan gives the same run.
#[derive(Clone)]
pub struct Plan {
    /// Decides everything.
    pub seed: u64,
    /// Members that bid.
    pub members: usize,
    /// Links when nothing disturbs them.
    pub link: Link,
    /// A validator, by index, that is false.
    pub false_validator: Option<(usize, Misbehaviour)>,
    /// What happens, with its time in simulated milliseconds, in order of time.
    pub steps: Vec<(u64, Step)>,
}

impl Plan {
    /// The plan of a seed: either one validator is false all the time, or validators are down one after another. The
    /// network is disturbed in either case, or not at all.
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 0);
        let link = Link { latency_ms: dice.within(5..40), jitter_ms: dice.within(0..10), loss_percent: 0 };
        let members = 3 + dice.index(3);
        let mut steps = disturbances(&mut dice, link);
        let false_validator = dice.chance(50).then(|| (dice.index(VALIDATORS), misbehaviour(&mut dice)));
        if false_validator.is_none() {
            steps.extend(outages(&mut dice));
        }
        steps.sort_by_key(|(at_ms, _)| *at_ms);
        Self { seed, members, link, false_validator, steps }
    }

    /// The time after which nothing happens any more.
    pub fn calm_ms(&self) -> u64 {
        self.steps.last().map_or(0, |(at_ms, _)| *at_ms)
    }

    /// The index of the validator that is false.
    pub fn liar(&self) -> Option<usize> {
        self.false_validator.as_ref().map(|(index, _)| *index)
    }

    pub(crate) fn misbehaviour_of(&self, index: usize) -> Option<&Misbehaviour> {
        self.false_validator.as_ref().filter(|(liar, _)| *liar == index).map(|(_, how)| how)
    }

    pub(crate) fn double_voter(&self) -> Option<usize> {
        self.liar().filter(|liar| self.misbehaviour_of(*liar) == Some(&Misbehaviour::DoubleVoter))
    }

    /// Whether links are ever slow, lossy or cut.
    pub(crate) fn is_disturbed(&self) -> bool {
        self.steps.iter().any(|(_, step)| matches!(step, Step::Links(_) | Step::Partition(_)))
    }

    /// Whether all links are timely and whole from one time to another, and were so for a while before.
    pub(crate) fn is_timely(&self, from_ms: u64, to_ms: u64) -> bool {
        let mut slow_since = None;
        let mut cut_since = None;
        let hits = |since: Option<u64>, until_ms: u64| {
            since.is_some_and(|since| since <= to_ms && until_ms + AFTERMATH_MS >= from_ms)
        };
        for (at_ms, step) in &self.steps {
            match step {
                Step::Links(link) if is_timely(link) => {
                    if hits(slow_since.take(), *at_ms) {
                        return false;
                    }
                }
                Step::Links(_) => slow_since = slow_since.or(Some(*at_ms)),
                Step::Partition(_) => cut_since = cut_since.or(Some(*at_ms)),
                Step::Heal => {
                    if hits(cut_since.take(), *at_ms) {
                        return false;
                    }
                }
                _ => {}
            }
        }
        !hits(slow_since, u64::MAX - AFTERMATH_MS) && !hits(cut_since, u64::MAX - AFTERMATH_MS)
    }

    /// Whether a validator is up from one time to another and was so for a while before. A failing disk counts as
    /// down from the time on at which it begins to fail.
    pub(crate) fn is_up(&self, index: usize, from_ms: u64, to_ms: u64) -> bool {
        let mut down_since = None;
        for (at_ms, step) in &self.steps {
            match step {
                Step::Crash(who) | Step::DiskFails(who, ..) if *who == index => {
                    down_since = down_since.or(Some(*at_ms));
                }
                Step::Restart(who, _) if *who == index => {
                    let since = down_since.take().unwrap_or(*at_ms);
                    if since <= to_ms && *at_ms + AFTERMATH_MS >= from_ms {
                        return false;
                    }
                }
                _ => {}
            }
        }
        down_since.is_none_or(|since| since > to_ms)
    }

    /// What the engine's simulation does; the rest is done above it.
    pub(crate) fn engine_faults(&self) -> Vec<(u64, Fault)> {
        let fault = |step: &Step| match step {
            Step::Links(link) => Some(Fault::Links(*link)),
            Step::Partition(island) => Some(Fault::Partition(island.clone())),
            Step::Heal => Some(Fault::Heal),
            Step::Crash(index) => Some(Fault::Crash(*index)),
            Step::Restart(index, Kept::All | Kept::TheEngineStore) => Some(Fault::Restart(*index)),
            Step::Restart(index, Kept::NotTheEngineStore | Kept::Nothing) => {
                Some(Fault::RestartEmpty(*index))
            }
            Step::DiskFails(..) => None,
        };
        self.steps.iter().filter_map(|(at_ms, step)| Some((*at_ms, fault(step)?))).collect()
    }
}

fn is_timely(link: &Link) -> bool {
    link.loss_percent == 0 && link.latency_ms <= TIMELY_MS
}

/// Slow and lossy links, and partitions, one after another.
fn disturbances(dice: &mut Dice, link: Link) -> Vec<(u64, Step)> {
    let mut steps = Vec::new();
    let mut at_ms = 0;
    for _ in 0..dice.below(4) {
        at_ms += dice.within(200..4_000);
        let until_ms = at_ms + dice.within(300..4_000);
        if until_ms > WINDOW_MS {
            break;
        }
        if dice.chance(50) {
            let order = dice.order(VALIDATORS);
            let island = order[..1 + dice.index(2)].to_vec();
            steps.extend([(at_ms, Step::Partition(island)), (until_ms, Step::Heal)]);
        } else {
            let bad = Link {
                latency_ms: dice.within(20..250),
                jitter_ms: dice.within(0..100),
                loss_percent: dice.below(30) as u8,
            };
            steps.extend([(at_ms, Step::Links(bad)), (until_ms, Step::Links(link))]);
        }
        at_ms = until_ms;
    }
    steps
}

/// Validators that are down, one at a time. What was lost for good is lost at the end: a validator without votes or
/// secrets counts as faulty until it has caught up and has shares again.
fn outages(dice: &mut Dice) -> Vec<(u64, Step)> {
    let mut steps = Vec::new();
    let mut at_ms = dice.within(0..2_000);
    for _ in 0..dice.below(4) {
        at_ms += dice.within(300..4_000);
        let until_ms = at_ms + dice.within(300..4_000);
        if until_ms > WINDOW_MS {
            break;
        }
        let who = dice.index(VALIDATORS);
        steps.push((at_ms, if dice.chance(40) { failing_disk(dice, who) } else { Step::Crash(who) }));
        let kept = match dice.below(10) {
            0 => Kept::NotTheEngineStore,
            1 => Kept::TheEngineStore,
            2 => Kept::Nothing,
            _ => Kept::All,
        };
        steps.push((until_ms, Step::Restart(who, kept)));
        if kept != Kept::All {
            break;
        }
        at_ms = until_ms;
    }
    steps
}

fn failing_disk(dice: &mut Dice, who: usize) -> Step {
    let failure = if dice.chance(50) { Failure::Before } else { Failure::After };
    Step::DiskFails(who, dice.below(6), failure)
}

fn misbehaviour(dice: &mut Dice) -> Misbehaviour {
    match dice.below(8) {
        0 => Misbehaviour::DoubleVoter,
        1 | 2 => Misbehaviour::InvalidBlocks(match dice.below(5) {
            0 => InvalidBlock::WrongRoot,
            1 => InvalidBlock::RefusedTransaction,
            2 => InvalidBlock::BadShare,
            3 => InvalidBlock::FromTheFuture,
            _ => InvalidBlock::DueLeftOut,
        }),
        3 => Misbehaviour::Censor,
        4 => Misbehaviour::FalseShares,
        5 => Misbehaviour::TwoStories,
        6 => {
            let mut victims: Vec<u16> =
                dice.order(VALIDATORS).into_iter().take(1 + dice.index(3)).map(|i| i as u16 + 1).collect();
            victims.sort_unstable();
            Misbehaviour::TamperedDelivery(victims)
        }
        _ => Misbehaviour::SilentDealer,
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {} members, {:?}", self.seed, self.members, self.link)?;
        if let Some((index, how)) = &self.false_validator {
            writeln!(f, "  always     validator {index} (number {}) is false: {how:?}", index + 1)?;
        }
        for (at_ms, step) in &self.steps {
            writeln!(f, "  {at_ms:>6} ms  {step:?}")?;
        }
        Ok(())
    }
}
