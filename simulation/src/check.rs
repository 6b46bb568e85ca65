//! What has to hold after every run.

use crate::burden;
use crate::chronicle::{Agreed, End, RoundStory, SessionStory};
use crate::clients::{Acknowledgement, Client};
use crate::market::{ACKNOWLEDGEMENTS, TIMING, account, grid, params};
use crate::misbehaviour::Misbehaviour;
use crate::plan::Plan;
use crate::world::World;
use veilgrid_crypto::keygen::{DealerFault, Task};
use veilgrid_engine::simulation::consensus_key;
use veilgrid_ledger::transaction::VoidReason;
use veilgrid_market::clear_plain;
use veilgrid_roles::keyholder::Notice;
use veilgrid_roles::replica::{GossipFault, OfferRefusal};

/// A round that is over by its timing is over on the ledger this long afterwards, in milliseconds.
const END_MS: u64 = 4_000;

/// What the checks counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Bids that an honest validator acknowledged and that are on no ledger, while the network was not timely.
    pub(crate) missed_untimely: usize,
}

/// All that does not hold.
pub(crate) fn check(world: &World, end_ms: u64, counts: &mut Counts) -> Vec<String> {
    let mut violations = world.chronicle.violations.clone();
    for (round_id, story) in &world.chronicle.rounds {
        violations.extend(round_faults(world, *round_id, story, end_ms));
    }
    violations.extend(number_faults(world, end_ms));
    for session in &world.chronicle.sessions {
        violations.extend(session_faults(world, session));
    }
    for (round_id, member, client) in world.clients.iter() {
        match fate(world, round_id, member, client, end_ms) {
            Fate::Fine => {}
            Fate::Excused => counts.missed_untimely += 1,
            Fate::Lost => violations.push(format!(
                "round {round_id}: the bid of member {member} is lost: {:?}; {}",
                client.acknowledgements,
                match world.chronicle.rounds.get(&round_id) {
                    Some(story) => format!("the round: {story:?}"),
                    None => "the round was never opened".to_owned(),
                }
            )),
        }
    }
    violations.extend(naming_faults(world));
    violations.extend(burden::check(world, end_ms));
    violations
}

/// "Every round of the calendar was opened, or is void because nobody opened it: once, and one of the two."
fn number_faults(world: &World, end_ms: u64) -> Vec<String> {
    let (mut faults, mut next) = (Vec::new(), 1);
    let opened = world.chronicle.rounds.keys().map(|round_id| (*round_id, *round_id));
    let passed = world.chronicle.passed.iter().map(|(_, _, p)| (p.first_round_id, p.last_round_id));
    let mut all: Vec<(u64, u64)> = opened.chain(passed).collect();
    all.sort_unstable();
    for (first, last) in all {
        if first != next || last < first {
            faults.push(format!("rounds {first} to {last} are known, and {next} should come next"));
        }
        next = last.saturating_add(1);
    }
    let close_ms = TIMING.close_ms(next).unwrap_or(u64::MAX).max(world.plan.calm_ms());
    if close_ms.saturating_add(END_MS) < end_ms {
        faults.push(format!("round {next} has left no trace"));
    }
    for (round_id, story) in &world.chronicle.rounds {
        if TIMING.round_at(story.opened_ms) != Some(*round_id) {
            faults.push(format!("round {round_id} was opened out of its time: {story:?}"));
        }
    }
    for (height, time_ms, passed) in &world.chronicle.passed {
        let had_keys = world.chronicle.keyed_height.is_some_and(|keyed| keyed < *height);
        let right = match passed.reason {
            VoidReason::NoKeys => !had_keys,
            VoidReason::NotOpened => had_keys,
            VoidReason::TooFewBids | VoidReason::OpeningDeadline => false,
        };
        let is_over = TIMING.closed_by(*time_ms).is_some_and(|last| passed.last_round_id <= last);
        if !right || !is_over {
            faults.push(format!("passed over in block {height}: {passed:?}"));
        }
    }
    faults
}

/// "A round ends cleared or void with its reason; what is opened is the path of the clearing, with the right values."
fn round_faults(world: &World, round_id: u64, story: &RoundStory, end_ms: u64) -> Vec<String> {
    let mut faults = Vec::new();
    let mut totals_wh = vec![0u64; grid().steps()];
    for (_, digest) in &story.bids {
        let Some(order_wh) = world.clients.order_wh(digest) else {
            faults.push(format!("round {round_id}: a bid that nobody made"));
            continue;
        };
        totals_wh.iter_mut().zip(order_wh).for_each(|(total, order)| *total += order);
    }
    let market = params();
    let plain = match clear_plain(&market.grid, market.rule, market.open_volume, &totals_wh) {
        Ok(plain) => plain,
        Err(error) => return vec![format!("round {round_id}: {error}")],
    };
    if !plain.opened.starts_with(&story.opened) {
        faults.push(format!("round {round_id}: opened {:?}, the path is {:?}", story.opened, plain.opened));
    }
    let enough = story.bids.len() as u64 >= u64::from(market.min_bidders);
    match &story.end {
        Some((_, End::Settled(settled))) => {
            let opened: Vec<_> = settled.opened.iter().map(|sum| (sum.request, sum.value_wh)).collect();
            let bids: Vec<_> = settled.bids.iter().map(|bid| (bid.account, bid.bid_digest)).collect();
            if opened != plain.opened || settled.outcome != plain.outcome || bids != story.bids || !enough {
                faults.push(format!("round {round_id}: settled as {settled:?}, the plain book as {plain:?}"));
            }
        }
        Some((_, End::Voided { reason, bids })) => {
            let right = match reason {
                VoidReason::TooFewBids => !enough && story.opened.is_empty(),
                VoidReason::OpeningDeadline => enough,
                VoidReason::NoKeys | VoidReason::NotOpened => false,
            };
            if !right || *bids != story.bids.len() as u64 {
                faults.push(format!("round {round_id}: void with {reason:?}, {story:?}"));
            }
        }
        None => {
            let deadline_ms = TIMING.deadline_ms(round_id).unwrap_or(0).max(world.plan.calm_ms());
            if deadline_ms + END_MS < end_ms {
                faults.push(format!("round {round_id} has not ended: {story:?}"));
            }
        }
    }
    faults
}

/// "Honest dealers are never convicted, and never missed while they can be heard; false ones are named."
fn session_faults(world: &World, story: &SessionStory) -> Vec<String> {
    let Some(agreed) = &story.agreed else { return Vec::new() };
    let (from_ms, to_ms) = (story.from_ms, story.to_ms);
    let timely = world.plan.is_timely(from_ms, to_ms);
    let mut faults = Vec::new();
    for (number, fault) in &agreed.excluded {
        let index = usize::from(*number) - 1;
        let false_one = world.plan.liar() == Some(index)
            || world.wiped_ms.contains_key(&index)
            || world.plan.forgets_ms(index).is_some_and(|forgets_ms| forgets_ms <= to_ms);
        let silent = matches!(
            fault,
            DealerFault::NoPackage | DealerFault::NoDelivery | DealerFault::Unanswered { .. }
        );
        let heard = timely && world.plan.is_up(index, from_ms, to_ms);
        // Nothing can be dealt of shares that are not there.
        let empty = story.task == Task::Reshare && lacked_before(world, story, *number);
        if !false_one && (!silent || heard && !empty) {
            faults.push(format!("session {}: the honest dealer {number} {fault}", story.session));
        }
    }
    faults.extend(unnamed(world, story, agreed));
    faults
}

fn lacked_before(world: &World, story: &SessionStory, number: u16) -> bool {
    let before = world.chronicle.sessions.iter().take_while(|other| other.session < story.session);
    before.filter_map(|other| other.agreed.as_ref()).any(|agreed| agreed.lacking.contains(&number))
}

/// A false dealer that is not excluded.
fn unnamed(world: &World, story: &SessionStory, agreed: &Agreed) -> Option<String> {
    let (index, how) = world.plan.false_validator.as_ref()?;
    let number = *index as u16 + 1;
    let named = agreed.excluded.iter().any(|(dealer, _)| *dealer == number);
    let caught = match how {
        Misbehaviour::SilentDealer => true,
        // More receivers than can be false are cheated, and they are all there.
        Misbehaviour::TamperedDelivery(victims) => {
            victims.iter().filter(|victim| **victim != number).count() >= ACKNOWLEDGEMENTS
                && !world.plan.is_disturbed()
        }
        _ => return None,
    };
    (caught && !named).then(|| format!("session {}: the false dealer {number} is not named", story.session))
}

/// What became of a member's bid.
enum Fate {
    Fine,
    Excused,
    Lost,
}

/// "What f + 1 validators have acknowledged before the close is in the round while the network is timely."
fn fate(world: &World, round_id: u64, member: usize, client: &Client, end_ms: u64) -> Fate {
    let given = &client.acknowledgements;
    let story = world.chronicle.rounds.get(&round_id);
    let close_ms = TIMING.close_ms(round_id).unwrap_or(0);
    let closed_ms = story.and_then(|story| story.closed_ms);
    let over = closed_ms.is_some() || close_ms + END_MS < end_ms;
    let account = account(&world.market.members[member]);
    let is_in = |story: &RoundStory| {
        story
            .bids
            .iter()
            .any(|(bidder, digest)| *bidder == account && given.iter().any(|given| given.digest == *digest))
    };
    if given.len() < ACKNOWLEDGEMENTS || !over || story.is_some_and(is_in) {
        return Fate::Fine;
    }
    let until_ms = closed_ms.unwrap_or(close_ms + END_MS);
    let promise = |given: &Acknowledgement| {
        let who = given.validator;
        world.plan.liar() != Some(who)
            && world.plan.forgets_ms(who).is_none_or(|forgets_ms| forgets_ms > until_ms)
            && world.wiped_ms.get(&who).is_none_or(|wiped_ms| *wiped_ms <= given.at_ms)
            && world.plan.is_timely(given.at_ms, until_ms)
            && world.plan.is_up(who, given.at_ms, until_ms)
    };
    if given.iter().any(promise) { Fate::Lost } else { Fate::Excused }
}

/// "Nobody honest is named for anything; a false share is."
fn naming_faults(world: &World) -> Vec<String> {
    let mut faults = Vec::new();
    let liar_key = world.plan.liar().map(consensus_key);
    for (witness, from, fault) in &world.faults {
        if Some(*from) != liar_key {
            let sender = (0..).find(|index| consensus_key(*index) == *from);
            faults.push(format!("validator {witness} blames the honest validator {sender:?}: {fault}"));
        }
    }
    for (witness, notice) in &world.notices {
        let grave = matches!(notice, Notice::SecondBidSet { .. } | Notice::OtherLedger)
            || matches!(notice, Notice::NotReleased { .. });
        if grave {
            faults.push(format!("validator {witness}: {notice}"));
        }
    }
    faults.extend(unnamed_share(world, &world.plan));
    faults
}

/// Somebody sees that the shares are false when a round is cleared in calm.
fn unnamed_share(world: &World, plan: &Plan) -> Option<String> {
    let (index, Misbehaviour::FalseShares) = plan.false_validator.as_ref()? else { return None };
    let number = *index as u16 + 1;
    let names = |fault: &GossipFault| match fault {
        GossipFault::False { first: OfferRefusal::ShareFalse { fault, .. }, .. } => fault.validator == number,
        _ => false,
    };
    let cleared =
        world.chronicle.rounds.values().any(|story| {
            story.opened_ms >= plan.calm_ms() && matches!(story.end, Some((_, End::Settled(_))))
        });
    let named = world.faults.iter().any(|(_, _, fault)| names(fault));
    (cleared && !named).then(|| format!("nobody has named validator {number} for its false shares"))
}
