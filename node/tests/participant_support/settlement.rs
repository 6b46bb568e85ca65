//! What a member finds when the ledger's settlement point is not its own fill. The rules refuse such a settlement, so
//! the effects of a true one are changed here.

use super::{Member, World, close, open_round, sells};
use crate::common::{BOOK, EPOCH};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::{Arc, Mutex};
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::tally::settlement_point_holds;
use veilgrid_ledger::state::effects::{Effect, SettledRound};
use veilgrid_ledger::state::round::Slot;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::VerifyAll;
use veilgrid_market::fill_weights;
use veilgrid_roles::member::{
    BidArchive, Desk, FillFault, MemoryArchive, OwnBid, ResultBook, ResultsFailure, RoundResult,
};

/// What somebody does to a settlement.
type Change = fn(&mut SettledRound, usize);

/// Each with what the owner of the bid at a place finds.
const CHANGES: [(&str, Change, FillFault); 7] = [
    ("another member's point", |round, at| swap(round, at, 1), FillFault::WrongPoint),
    ("the point of the last bid", |round, at| swap(round, at, 3), FillFault::WrongPoint),
    ("no point at all", |round, at| round.bids[at].settlement_point = [0; 32], FillFault::WrongPoint),
    ("no encoding", |round, at| round.bids[at].settlement_point = [0xff; 32], FillFault::WrongPoint),
    ("another outcome", |round, _| round.outcome.trade = None, FillFault::WrongPoint),
    ("another bid", |round, at| round.bids[at].bid_digest[0] ^= 1, FillFault::OtherBid),
    (
        "no bid",
        |round, at| {
            round.bids.remove(at);
        },
        FillFault::Missing,
    ),
];

/// Gives the bid at a place the point of the one so many places on.
fn swap(round: &mut SettledRound, at: usize, distance: usize) {
    let other = (at + distance) % round.bids.len();
    let point = round.bids[other].settlement_point;
    round.bids[other].settlement_point = round.bids[at].settlement_point;
    round.bids[at].settlement_point = point;
}

fn place_of(round: &SettledRound, bid: &SealedBid) -> usize {
    round.bids.iter().position(|settled| settled.account == bid.account).expect("on the ledger")
}

/// A settled round with the bids of everybody, in the order of the book.
fn settled() -> (World, Vec<SealedBid>, SettledRound) {
    let mut world = World::keyed(4);
    world.due_at(world.ms(RoundTiming::open_ms, 1));
    let transaction = world.bids(1, &BOOK);
    let Transaction::Bids { bids, .. } = transaction.clone() else { panic!("bids") };
    world.push(vec![transaction]);
    world.due_at(world.ms(RoundTiming::close_ms, 1));
    while world.state.round(1).is_some_and(|round| round.takes_bids()) {
        world.due_at(world.state.time_unix_ms());
    }
    let Effect::Settled(settled) = world.finish(1) else { panic!("settled") };
    (world, bids, settled)
}

#[test]
fn a_fill_is_the_bids_own_and_a_wrong_settlement_is_found() {
    let (world, bids, round) = settled();
    let community = world.state.community();
    let (params, context) = (community.bid_params().expect("keys"), community.round_context(1, round.slot));
    for ((keyring, bid), quantities) in world.keyrings.iter().zip(&bids).zip(&BOOK) {
        let own = OwnBid::open(keyring, params, &context, bid).expect("under its keys");
        assert_eq!(own.quantities_wh, quantities);
        let fill = own.fill(keyring, EPOCH, community, &round).expect("the fill");
        let at = place_of(&round, bid);
        for (what, change, fault) in CHANGES {
            let mut changed = round.clone();
            change(&mut changed, at);
            assert_eq!(own.fill(keyring, EPOCH, community, &changed), Err(fault), "{what}");
        }
        // The point holds this number under this randomness and nothing else.
        let point = &round.bids[at].settlement_point;
        let weights = fill_weights(&community.params().grid, &round.outcome);
        let r = keyring.round_view_key(EPOCH, 1).randomness(&bid.salt);
        let net = i64::try_from(fill.bought_wh_q16).expect("small")
            - i64::try_from(fill.sold_wh_q16).expect("small");
        assert!(net != 0 && settlement_point_holds(params, &r, &weights, net, point));
        for wrong in [net + 1, net - 1, -net, 0] {
            assert!(!settlement_point_holds(params, &r, &weights, wrong, point), "{wrong} instead of {net}");
        }
        let other = keyring.round_view_key(EPOCH, 2).randomness(&bid.salt);
        assert!(!settlement_point_holds(params, &other, &weights, net, point));
    }
}

/// What an owner is told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<RoundResult>>>);

impl ResultBook for Told {
    fn write(&mut self, _: u64, _: Slot, result: RoundResult) -> Result<(), ResultsFailure> {
        self.0.lock().expect("told").push(result);
        Ok(())
    }

    fn write_not_opened(
        &mut self,
        _: RangeInclusive<u64>,
        _: &dyn Fn(u64) -> Option<Slot>,
    ) -> Result<(), ResultsFailure> {
        unreachable!("every round was opened")
    }
}

#[test]
fn a_member_tells_its_owner_nothing_of_a_wrong_settlement() {
    let (world, bids, round) = settled();
    let settle = |round: &SettledRound| {
        let (archive, told) = (MemoryArchive::new(), Told::default());
        archive.keep_bid(bids[0].clone(), world.state.community().bid_shape()).expect("kept");
        let keyring = Arc::new(world.keyrings[0].clone());
        let mut desk = Desk::new(keyring, world.state.clone(), archive, told.clone());
        desk.observe(&world.state, &[], &[Effect::Settled(round.clone())]).expect("observed");
        told.0.lock().expect("told").remove(0)
    };
    let RoundResult::Settled(fill) = settle(&round) else { panic!("its fill") };
    assert_eq!((fill.bought_wh_q16, fill.sold_wh_q16), (0, 40 << 16));
    for (what, change, fault) in CHANGES {
        let mut changed = round.clone();
        change(&mut changed, place_of(&round, &bids[0]));
        let wrong = match fault {
            FillFault::WrongPoint => RoundResult::Wrong,
            _ => RoundResult::Missing,
        };
        assert_eq!(settle(&changed), wrong, "{what}");
    }
}

/// Follows the world, with the settlement of round 1 changed on the way.
fn follow_changed(member: &mut Member, world: &World, change: impl Fn(&mut SettledRound)) {
    while member.chain.state().height() < world.state.height() {
        let next = member.chain.state().height() as usize + 1;
        let certified = crate::follower_support::certified(world, next);
        let taken = member.chain.take(&[certified], &mut VerifyAll).expect("no end");
        for mut block in taken.accepted {
            let mut effects = (*block.effects).clone();
            for effect in &mut effects.effects {
                if let Effect::Settled(round) = effect {
                    change(round);
                }
            }
            block.effects = Arc::new(effects);
            member
                .desk
                .observe(&block.state, &block.block.transactions, block.effects.all())
                .expect("observed");
        }
    }
}

/// The first result of a member that has a bid in round 1, and its counts (settled, wrong settlements).
fn result_of(directory: &Path, change: impl Fn(&mut SettledRound, usize)) -> (String, (u64, u64)) {
    let (mut world, mut member) = open_round(directory);
    let bid = member.seal(&world, Some(sells(40))).expect("sealed");
    close(&mut world, Some(bid.clone()));
    assert!(matches!(world.finish(1), Effect::Settled(_)));
    follow_changed(&mut member, &world, |round| change(round, place_of(round, &bid)));
    let results = std::fs::read_to_string(directory.join("results.csv")).expect("results");
    let counts = member.desk.counts();
    (results.lines().nth(1).expect("a line").to_owned(), (counts.settled, counts.wrong_settlements))
}

#[test]
fn a_wrong_settlement_is_counted_and_written_down_and_gives_no_fill() {
    let directory = || tempfile::tempdir().expect("directory");
    let (line, counts) = result_of(directory().path(), |_, _| {});
    assert!(line.contains(",settled,0,0.04,"), "{line}");
    assert_eq!(counts, (1, 0));
    for (what, change, fault) in CHANGES {
        let (line, counts) = result_of(directory().path(), change);
        let wrong = fault == FillFault::WrongPoint;
        let status = if wrong { ",wrong settlement,0,0," } else { ",bid missing,0,0," };
        assert!(line.contains(status), "{what}: {line}");
        assert_eq!(counts, (0, u64::from(wrong)), "{what}");
    }
}
