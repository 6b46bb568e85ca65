//! The plan of a seed.

use crate::dice::Dice;
use crate::market::{MAX_MEMBERS, VALIDATORS};
use crate::misbehaviour::{Flood, InvalidBlock, Misbehaviour};
use crate::plan::{Kept, Plan, Step};
use veilgrid_engine::simulation::Link;
use veilgrid_roles::core::Failure;

/// Faults begin and end within this long, in simulated milliseconds: keys are generated in the first seconds, two rounds
/// open after them.
const WINDOW_MS: u64 = 13_000;

impl Plan {
    /// The plan of a seed: either one validator is false all the time, or validators are down one after another. The
    /// network is disturbed in either case, or not at all.
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 0);
        let link = Link { latency_ms: dice.within(5..40), jitter_ms: dice.within(0..10), loss_percent: 0 };
        let members = 3 + dice.index(3);
        let mut steps = disturbances(&mut dice, link);
        let false_validator = dice.chance(50).then(|| {
            let liar = dice.index(VALIDATORS);
            (liar, misbehaviour(&mut dice, liar))
        });
        if false_validator.is_none() {
            steps.extend(outages(&mut dice));
        }
        let plan = Self { seed, members, link, false_validator, steps, sabotage: None, undone: None };
        if plan.keeps_bids() {
            return plan.patient(&mut dice);
        }
        let Self { false_validator, mut steps, .. } = plan;
        steps.sort_by_key(|(at_ms, _)| *at_ms);
        Self { seed, members, link, false_validator, steps, sabotage: None, undone: None }
    }
}

impl Plan {
    /// A network that nothing disturbs, as whoever keeps bids from others wants it: what is acknowledged has to be in its
    /// round. The run lasts until its chance has come.
    fn patient(self, dice: &mut Dice) -> Self {
        let (latency_ms, lasts_ms, members) = match self.false_validator {
            // The bid has come by gossip before its member does.
            Some((_, Misbehaviour::Whisperer(_))) => (5..15, 3 * WINDOW_MS, self.members),
            // Voters take so long that a promise can be given meanwhile.
            Some((_, Misbehaviour::FastLeader(_))) => (40..55, 3 * WINDOW_MS, self.members),
            Some((_, Misbehaviour::EpochsEnd)) => (5..40, 60_000, self.members),
            // The longest messages of false bids.
            _ => (5..40, WINDOW_MS, MAX_MEMBERS),
        };
        let link =
            Link { latency_ms: dice.within(latency_ms), jitter_ms: dice.within(0..5), loss_percent: 0 };
        Self { link, members, steps: vec![(lasts_ms, Step::Heal)], ..self }
    }
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

/// How the validator with this index is false.
fn misbehaviour(dice: &mut Dice, liar: usize) -> Misbehaviour {
    match dice.below(18) {
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
        7 => {
            let others: Vec<u16> =
                dice.order(VALIDATORS).into_iter().filter(|i| *i != liar).map(|i| i as u16 + 1).collect();
            Misbehaviour::TwoDisputes(others[0], others[1])
        }
        8 => Misbehaviour::SilentDealer,
        9 | 10 => Misbehaviour::Whisperer(another(dice, liar)),
        11 | 12 => Misbehaviour::EpochsEnd,
        13 | 14 => Misbehaviour::FastLeader(another(dice, liar)),
        _ => Misbehaviour::Flood(match dice.below(5) {
            0 => Flood::Garbage,
            1 => Flood::Signatures,
            2 => Flood::ProofsAtPromises,
            3 => Flood::ProofsAtOpenings,
            _ => Flood::Repetitions,
        }),
    }
}

/// A validator but this one.
fn another(dice: &mut Dice, index: usize) -> usize {
    (index + 1 + dice.index(VALIDATORS - 1)) % VALIDATORS
}
