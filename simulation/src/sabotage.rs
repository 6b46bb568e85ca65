//! Falsified records, to see that the checks find them.

use crate::chronicle::End;
use crate::plan::Sabotage;
use crate::world::World;
use veilgrid_crypto::keygen::DealerFault;
use veilgrid_engine::simulation::consensus_key;
use veilgrid_ledger::state::effects::PassedRounds;
use veilgrid_ledger::transaction::VoidReason;
use veilgrid_roles::replica::GossipFault;

/// Falsifies what the plan asks for, once the run is over.
pub(crate) fn falsify(world: &mut World) {
    let honest = world.honest().next().unwrap_or(0);
    let chronicle = &mut world.chronicle;
    let mut cleared =
        chronicle.rounds.values_mut().filter(|story| matches!(story.end, Some((_, End::Settled(_)))));
    match world.plan.sabotage {
        None | Some(Sabotage::StateRoot | Sabotage::Requests) => {}
        Some(Sabotage::PlainOrders) => world.clients.falsify_orders(),
        Some(Sabotage::Bid) => {
            if let Some(story) = cleared.next() {
                story.bids.pop();
            }
        }
        Some(Sabotage::Void) => cleared.for_each(|story| {
            let (reason, bids) = (VoidReason::TooFewBids, story.bids.len() as u64);
            story.end = story.end.take().map(|(height, _)| (height, End::Voided { reason, bids }));
        }),
        // Long enough ago for everybody to know.
        Some(Sabotage::NoEnd) => {
            chronicle.rounds.values_mut().next().into_iter().for_each(|story| story.end = None);
        }
        Some(Sabotage::PassedOver) => {
            let first = chronicle.rounds.keys().next().copied().unwrap_or(1);
            chronicle.passed.push((0, u64::MAX, one(first, VoidReason::NoKeys)));
        }
        Some(Sabotage::Gap) => {
            chronicle.rounds.pop_first();
        }
        Some(Sabotage::TooSoon) => {
            let next = chronicle.rounds.keys().next_back().map_or(1, |last| last + 1);
            chronicle.passed.push((u64::MAX, 0, one(next, VoidReason::NotOpened)));
        }
        Some(Sabotage::WrongReason) => {
            let next = chronicle.rounds.keys().next_back().map_or(1, |last| last + 1);
            chronicle.passed.push((u64::MAX, u64::MAX, one(next, VoidReason::NoKeys)));
        }
        Some(Sabotage::OutOfTime) => {
            chronicle.rounds.values_mut().for_each(|story| story.opened_ms = 0);
        }
        Some(Sabotage::NoTrace) => {
            chronicle.rounds.clear();
            chronicle.passed.clear();
        }
        Some(Sabotage::Blame) => {
            world.faults.push((honest, consensus_key(honest), GossipFault::Stranger));
        }
        Some(Sabotage::Conviction) => {
            let agreed = chronicle.sessions.iter_mut().filter_map(|session| session.agreed.as_mut());
            let fault = DealerFault::Accused { complaints: 3 };
            agreed.for_each(|agreed| agreed.excluded.push((honest as u16 + 1, fault.clone())));
        }
        Some(Sabotage::Silence) => {
            world.faults.clear();
            let agreed = chronicle.sessions.iter_mut().filter_map(|session| session.agreed.as_mut());
            agreed.for_each(|agreed| agreed.excluded.clear());
        }
    }
}

/// One round that was passed over.
fn one(round_id: u64, reason: VoidReason) -> PassedRounds {
    PassedRounds { first_round_id: round_id, last_round_id: round_id, reason }
}
