//! What goes wrong in a run, all of it decided by the seed.

use crate::misbehaviour::{Flood, Misbehaviour};
use crate::undone::Rule;
use std::fmt;
use veilgrid_engine::simulation::{Fault, Link};
use veilgrid_roles::core::Failure;

/// After the end of a disturbance validators have to find each other, and what was lost is sent again.
const AFTERMATH_MS: u64 = 3_000;
/// A link is timely when its messages take no longer on average, in milliseconds.
const TIMELY_MS: u64 = 60;

/// A slow clock is behind the others by this much, in milliseconds: the allowed skew less the time that a block takes to
/// the voters, for whom its own blocks are late.
const SLOW_MS: u64 = 300;

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
    /// A validator's disk fails at the write after this many further ones, and the validator stops there.
    DiskFails(usize, u64, Failure),
    /// A validator that is down starts again.
    Restart(usize, Kept),
}

/// Something in the record of a run is falsified, so that the check that guards it has to find that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// One validator's state root at one height.
    StateRoot,
    /// What the states have asked for is not noted.
    Requests,
    /// Plain orders that are not those in the bids.
    PlainOrders,
    /// A bid that was acknowledged is not in its round.
    Bid,
    /// A cleared round is called void.
    Void,
    /// A round has no end.
    NoEnd,
    /// A round that was opened is said to have been passed over.
    PassedOver,
    /// A round that was opened is not on record.
    Gap,
    /// A round is said to have been passed over before its time.
    TooSoon,
    /// A round is said to have passed before there were keys, and there were.
    WrongReason,
    /// A round was opened when it was not its turn.
    OutOfTime,
    /// No round is on record.
    NoTrace,
    /// An honest validator is blamed for a message.
    Blame,
    /// An honest dealer is convicted.
    Conviction,
    /// Nobody is named for anything.
    Silence,
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
    /// Never in the plan of a seed: for tests of the checks.
    pub sabotage: Option<Sabotage>,
    /// Never in the plan of a seed: for tests of the attackers.
    pub undone: Option<Rule>,
}

impl Plan {
    /// The time after which nothing happens any more.
    pub fn calm_ms(&self) -> u64 {
        self.steps.last().map_or(0, |(at_ms, _)| *at_ms)
    }

    /// The index of the validator that is false.
    pub fn liar(&self) -> Option<usize> {
        self.false_validator.as_ref().map(|(index, _)| *index)
    }

    /// A block comes after this long without anything to put into it, and while blocks are counted, in milliseconds: at the
    /// pace at which the false validator can do most.
    pub(crate) fn pace_ms(&self) -> (u64, u64) {
        match self.false_validator {
            Some((_, Misbehaviour::Whisperer(_))) => (1_200, 100),
            Some((_, Misbehaviour::FastLeader(_))) => (700, 20),
            Some((_, Misbehaviour::EpochsEnd)) => (100, 100),
            _ => (700, 100),
        }
    }

    /// Whether the false validator keeps bids from others.
    pub(crate) fn keeps_bids(&self) -> bool {
        self.false_validator.as_ref().is_some_and(|(_, how)| how.keeps_bids())
    }

    /// How the false validator floods the others.
    pub(crate) fn flood(&self) -> Option<Flood> {
        match self.false_validator {
            Some((_, Misbehaviour::Flood(flood))) => Some(flood),
            _ => None,
        }
    }

    /// The honest validator to which members go after the false one that keeps their bids.
    pub(crate) fn second_asked(&self) -> Option<usize> {
        match self.false_validator {
            Some((_, Misbehaviour::Whisperer(second) | Misbehaviour::FastLeader(second))) => Some(second),
            _ => None,
        }
    }

    /// What the clock of a validator shows.
    pub(crate) fn clock_ms(&self, index: usize, now_ms: u64) -> u64 {
        match self.false_validator {
            Some((_, Misbehaviour::FastLeader(slow))) if slow == index => now_ms.saturating_sub(SLOW_MS),
            _ => now_ms,
        }
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
        let (mut slow_from_ms, mut cut_from_ms) = (None, None);
        let mut disturbed = Vec::new();
        for (at_ms, step) in &self.steps {
            let (open, begins) = match step {
                Step::Links(link) => (&mut slow_from_ms, !is_timely(link)),
                Step::Partition(_) => (&mut cut_from_ms, true),
                Step::Heal => (&mut cut_from_ms, false),
                _ => continue,
            };
            if begins {
                *open = open.or(Some(*at_ms));
            } else {
                disturbed.extend(open.take().map(|began_ms| (began_ms, at_ms + AFTERMATH_MS)));
            }
        }
        disturbed
            .extend([slow_from_ms, cut_from_ms].into_iter().flatten().map(|began_ms| (began_ms, u64::MAX)));
        disturbed.into_iter().all(|(began_ms, over_ms)| over_ms < from_ms || began_ms > to_ms)
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

    /// When a validator starts without the votes that it has cast. Its peers see it vote again and refuse its
    /// connections for a minute: it counts as faulty from then on.
    pub(crate) fn forgets_ms(&self, index: usize) -> Option<u64> {
        let forgets = |step: &Step| matches!(step, Step::Restart(who, Kept::NotTheEngineStore | Kept::Nothing) if *who == index);
        self.steps.iter().find(|(_, step)| forgets(step)).map(|(at_ms, _)| *at_ms)
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

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {} members, {:?}", self.seed, self.members, self.link)?;
        if let Some(sabotage) = self.sabotage {
            writeln!(f, "  afterwards the record is falsified: {sabotage:?}")?;
        }
        if let Some(rule) = self.undone {
            writeln!(f, "  a rule is undone: {rule:?}")?;
        }
        if let Some((index, how)) = &self.false_validator {
            writeln!(f, "  always     validator {index} (number {}) is false: {how:?}", index + 1)?;
        }
        for (at_ms, step) in &self.steps {
            writeln!(f, "  {at_ms:>6} ms  {step:?}")?;
        }
        Ok(())
    }
}
