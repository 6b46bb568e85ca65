//! The life of a round on four replicas.

use super::network::{Network, START_MS, consensus_key, offer, timing};
use veilgrid_crypto::opening::OpeningShare;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::transaction::{Transaction, TransactionKind, VoidReason};
use veilgrid_roles::keyholder::Owed;
use veilgrid_roles::replica::{GossipFault, OfferRefusal, Offered};

fn kinds(network: &Network) -> Vec<TransactionKind> {
    network.tip().transactions.iter().map(Transaction::kind).collect()
}

#[test]
fn a_round_goes_from_open_to_settled() {
    let mut network = Network::open();
    assert!(network.now_ms - timing().first_open_unix_ms <= 20, "it opens when it is due");
    // Each bid comes in at another validator; gossip brings all of them to the next proposer.
    for (at, bid) in network.book(1).into_iter().enumerate() {
        assert_eq!(network.replicas[at].offer_bids(1, vec![bid]), [Ok(Offered::New)]);
    }
    let taken = network.next_block();
    assert!(matches!(&taken.effects[..], [Effect::BidsAccepted { bids, .. }] if bids.len() == 4));

    let closed = network.run_until(14_000, |effect| matches!(effect, Effect::RoundClosed { .. }));
    let close_ms = timing().close_ms(1).expect("close");
    let first_late = network.blocks.iter().find(|block| block.header.time_unix_ms >= close_ms).expect("late");
    // Grace begins without delay, and counts blocks that come fast.
    assert!(first_late.header.time_unix_ms - close_ms <= 20);
    assert_eq!(closed.height, first_late.header.height + 2);
    assert!(network.tip().header.time_unix_ms - close_ms <= 250);

    let settled = network.run_until(16_000, |effect| matches!(effect, Effect::Settled(_)));
    // The last value, the outcome and the settlement follow from each other in one block.
    assert_eq!(kinds(&network)[..3], [TransactionKind::OpeningShare; 3]);
    assert_eq!(
        kinds(&network)[3..],
        [TransactionKind::OpenedValue, TransactionKind::Clear, TransactionKind::Settle]
    );
    let Some(Effect::Settled(round)) = settled.effects.last() else { panic!("settled last") };
    assert_eq!(round.bids.len(), 4);
    assert!(round.outcome.trade.is_some());
    assert_eq!(network.state().finished().settled, 1);
    let summary = network.replicas[2].summary();
    assert_eq!((summary.bids, summary.shares, summary.verdicts), (0, 0, 0), "{summary:?}");
    assert_eq!(summary.own_waiting, 0, "{summary:?}");
    // The next round opens at its time.
    network.run_until(33_100, |effect| matches!(effect, Effect::RoundOpened { round_id: 2, .. }));
}

#[test]
fn a_round_with_too_few_bids_is_void_in_the_block_that_closes_it() {
    let mut network = Network::open();
    let bid = network.bid(1, 0, &[40, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(network.replicas[3].offer_bids(1, vec![bid]), [Ok(Offered::New)]);
    network.run_until(14_000, |effect| {
        matches!(effect, Effect::Voided { reason: VoidReason::TooFewBids, bids: 1, .. })
    });
    assert_eq!(kinds(&network), [TransactionKind::CloseRound, TransactionKind::Void]);
}

#[test]
fn a_round_that_is_not_opened_is_void_at_its_deadline() {
    let mut network = Network::open();
    let book = network.book(1);
    network.replicas[0].offer_bids(1, book);
    network.silent = vec![0, 3];
    network.run_until(14_000, |effect| matches!(effect, Effect::RoundClosed { .. }));
    network.gossip();
    // Two shares are here, three are needed: none is proposed and blocks come slowly.
    let (height, from_ms) = (network.state().height(), network.now_ms);
    network.run_until(30_000, |effect| {
        matches!(effect, Effect::Voided { reason: VoidReason::OpeningDeadline, .. })
    });
    let deadline_ms = timing().deadline_ms(1).expect("deadline");
    assert!(network.tip().header.time_unix_ms - deadline_ms <= 20, "it wakes at the deadline");
    let blocks = network.state().height() - height;
    assert!(blocks <= (network.now_ms - from_ms) / 1_000 + 2, "{blocks} blocks while shares are waited for");
    let shares = network.blocks.iter().flat_map(|block| &block.transactions);
    assert_eq!(shares.filter(|t| t.kind() == TransactionKind::OpeningShare).count(), 0);
    assert_eq!(network.replicas[1].summary().shares, 0, "the shares of a finished round leave");
}

#[test]
fn shares_that_come_late_resume_an_opening() {
    let mut network = Network::open();
    let book = network.book(1);
    network.replicas[0].offer_bids(1, book);
    network.silent = vec![0, 3];
    network.run_until(14_000, |effect| matches!(effect, Effect::RoundClosed { .. }));
    let late_ms = network.now_ms + 4_000;
    while network.now_ms < late_ms {
        network.step();
    }
    network.silent = Vec::new();
    for at in [0, 3] {
        for share in network.holders[at].pending(network.replicas[at].state()) {
            assert_eq!(offer(&mut network.replicas[at], share), Ok(Offered::New));
        }
    }
    network.run_until(20_000, |effect| matches!(effect, Effect::Settled(_)));
    assert!(network.now_ms < START_MS + 20_000);
}

#[test]
fn false_shares_are_named_and_the_opening_goes_on() {
    let mut network = Network::open();
    let book = network.book(1);
    network.replicas[0].offer_bids(1, book);
    network.silent = vec![2];
    network.run_until(14_000, |effect| matches!(effect, Effect::RoundClosed { .. }));
    network.gossip();
    // Validator 3 (at 2) sends its own share with a byte changed to everybody.
    let pending = network.holders[2].pending(network.replicas[2].state());
    let Some(Owed::Share { round_id, opening_index, share }) = pending.first() else {
        panic!("a share is owed")
    };
    let (round_id, opening_index) = (*round_id, *opening_index);
    let (mut wrong, mut replica) = (*share, network.replicas.remove(2));
    assert_eq!(replica.offer_share(round_id, opening_index, *share), Ok(Offered::New));
    wrong.response[0] ^= 1;
    let message = replica.take_gossip().pop().expect("the share");
    let at = message.len() - 32;
    let mut false_message = message.clone();
    false_message[at] ^= 1;
    network.replicas.insert(2, replica);
    let fault = network.replicas[0].receive(&consensus_key(2), &false_message);
    let Err(GossipFault::False { count: 1, first: OfferRefusal::ShareFalse { fault, .. } }) = fault else {
        panic!("{fault:?}")
    };
    assert_eq!(fault.validator, 3);
    // The culprit's shares of this opening are not looked at again, true or not.
    let culprit = OfferRefusal::Culprit { round_id, opening_index, validator: 3 };
    assert_eq!(network.replicas[0].offer_share(round_id, opening_index, wrong), Err(culprit));
    assert_eq!(network.replicas[0].receive(&consensus_key(2), &message), Ok(()));
    assert_eq!(network.replicas[0].summary().shares, 3);
    // Nobody else can send a share under its number, and strangers send none.
    let theft = GossipFault::NotTheOwner { validator: 3, sender: 2 };
    assert_eq!(network.replicas[3].receive(&consensus_key(1), &message), Err(theft));
    assert_eq!(network.replicas[3].receive(&[99; 32], &message), Err(GossipFault::Stranger));
    assert_eq!(network.replicas[3].receive(&consensus_key(2), &message), Ok(()));
    assert_eq!(network.replicas[3].summary().shares, 4);
    // A share of another sharing is late, not false.
    let mut of_before = false_message.clone();
    of_before[2..10].copy_from_slice(&0u64.to_le_bytes());
    // Whose number was whose then is not asked: validators may have changed.
    for from in [consensus_key(2), consensus_key(1), [99; 32]] {
        assert_eq!(network.replicas[1].receive(&from, &of_before), Ok(()));
    }
    assert_eq!(network.replicas[1].summary().shares, 3);
    assert_eq!(network.replicas[1].receive(&consensus_key(2), &message), Ok(()));
    assert_eq!(network.replicas[1].summary().shares, 4);
    network.run_until(16_000, |effect| matches!(effect, Effect::Settled(_)));
}

#[test]
fn blocks_are_idle_when_nothing_waits() {
    let mut network = Network::open();
    network.next_block();
    let (first, from_ms) = (network.state().height(), network.now_ms);
    while network.now_ms <= from_ms + 5_000 {
        network.step();
    }
    assert_eq!(network.state().height() - first, 5);
}

/// Shares are kept of openings that are awaited or soon will be: another validator may be some blocks ahead, not many.
#[test]
fn shares_are_for_openings_that_are_near() {
    let mut network = Network::open();
    let book = network.book(1);
    network.replicas[0].offer_bids(1, book);
    let sharing = network.state().sharing().expect("keys");
    let kept = |network: &mut Network, (sharing, round_id, opening_index): (u64, u64, u32)| {
        let before = network.replicas[1].summary().shares;
        let share = OpeningShare { validator: 1, point: [7; 32], challenge: [1; 32], response: [1; 32] };
        let transaction = Transaction::OpeningShare { round_id, opening_index, share };
        let message = [&[1, 2], &sharing.to_le_bytes()[..], &transaction.to_bytes()].concat();
        assert_eq!(network.replicas[1].receive(&consensus_key(0), &message), Ok(()));
        network.replicas[1].summary().shares - before == 1
    };
    // While bids are taken the first five openings are near, of the sharing in force and of two later ones.
    let near = [(sharing, 1, 1), (sharing, 1, 4), (sharing + 2, 1, 0)];
    let far = [(sharing, 1, 5), (sharing, 2, 0), (sharing - 1, 1, 0), (sharing + 3, 1, 0)];
    assert_eq!(near.map(|one| kept(&mut network, one)), [true; 3]);
    assert_eq!(far.map(|one| kept(&mut network, one)), [false; 4]);
    // Its own share for such an opening is refused by name.
    let share = OpeningShare { validator: 2, point: [7; 32], challenge: [1; 32], response: [1; 32] };
    for (round_id, opening_index) in [(1, 5), (2, 0)] {
        let refusal = OfferRefusal::ShareNotAwaited { round_id, opening_index };
        assert_eq!(network.replicas[1].offer_share(round_id, opening_index, share), Err(refusal));
    }
    assert_eq!(network.replicas[1].offer_share(1, 4, share), Ok(Offered::New));
}
