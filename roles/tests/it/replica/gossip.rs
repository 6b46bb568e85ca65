//! Gossip: who sends what, how often, and what is a fault.

use super::network::{Network, consensus_key, timing};
use crate::common::BOOK;
use veilgrid_ledger::transaction::{DecodeContext, Transaction};
use veilgrid_roles::replica::{GossipFault, Limits, MAX_GOSSIP_BYTES, OfferRefusal, Offered, Replica};

fn count(messages: &[Vec<u8>]) -> usize {
    messages.len()
}

fn hand(replica: &mut Replica, messages: &[Vec<u8>]) {
    for message in messages {
        assert_eq!(replica.receive(&consensus_key(0), message), Ok(()));
    }
}

#[test]
fn what_was_taken_from_outside_is_sent_once_and_what_came_by_gossip_is_not() {
    let mut network = Network::open();
    let book = network.book(1);
    let [a, b, ..] = &mut network.replicas[..] else { panic!("four") };
    a.offer_bids(1, book.clone());
    let messages = a.take_gossip();
    assert_eq!((count(&messages), count(&a.take_gossip())), (1, 0));
    // However often it is offered.
    assert!(a.offer_bids(1, book).iter().all(|answer| *answer == Ok(Offered::Known)));
    hand(b, &messages);
    hand(b, &messages);
    assert_eq!((b.summary().bids, b.summary().own_waiting), (4, 0));
    assert_eq!((count(&a.take_gossip()), count(&b.take_gossip())), (0, 0));
}

/// A faulty validator tells a bid to one honest validator alone. The member that hands it to that one then has two
/// acknowledgements, and one of the two validators has to bring it in.
#[test]
fn what_was_whispered_is_sent_on_when_a_member_hands_it_over() {
    let mut network = Network::open();
    let book = network.book(1);
    let [liar, told, others @ ..] = &mut network.replicas[..] else { panic!("four") };
    liar.offer_bids(1, book.clone());
    let whisper = liar.take_gossip();
    hand(told, &whisper);
    assert!(told.offer_bids(1, book.clone()).iter().all(|answer| *answer == Ok(Offered::Known)));
    let messages = told.take_gossip();
    assert_eq!(count(&messages), 1, "all four bids");
    for other in others {
        hand(other, &messages);
        assert_eq!(other.summary().bids, 4);
    }
    // Offered again it makes no echo.
    let [_, told, ..] = &mut network.replicas[..] else { panic!("four") };
    assert!(told.offer_bids(1, book.clone()).iter().all(|answer| *answer == Ok(Offered::Known)));
    assert_eq!((count(&told.take_gossip()), told.summary().own_waiting), (0, 4));
    // What is on the ledger is nobody's to send.
    network.next_block();
    let told = &mut network.replicas[1];
    assert!(told.offer_bids(1, book).iter().all(|answer| *answer == Ok(Offered::Known)));
    assert_eq!((count(&told.take_gossip()), told.summary().own_waiting), (0, 0));
}

/// A validator that was started again hears of a bid by gossip before it has offered what its journal promises.
#[test]
fn a_promise_of_before_a_restart_is_sent_on_though_gossip_was_faster() {
    let mut network = Network::open();
    let promised = network.book(1);
    let state = network.state().clone();
    network.replicas[0].offer_bids(1, promised.clone());
    let gossip = network.replicas[0].take_gossip();
    let mut restarted = Replica::new(state, Limits::default());
    hand(&mut restarted, &gossip);
    assert!(restarted.offer_bids(1, promised).iter().all(Result::is_ok));
    assert_eq!(count(&restarted.take_gossip()), 1);
}

/// The same of key events: whoever hands one to a validator counts on that one.
#[test]
fn a_whispered_key_event_is_sent_on_when_it_is_handed_over() {
    let mut network = Network::founded(Limits::default(), timing());
    network.silent = vec![1, 2, 3];
    let mut said = Vec::new();
    while said.is_empty() {
        network.hold_keys();
        said = network.replicas[0].take_gossip();
        if said.is_empty() {
            let Some(block) = network.proposal() else { continue };
            network.commit(block);
        }
    }
    let context = DecodeContext::of(network.state().community().genesis());
    let told = &mut network.replicas[1];
    hand(told, &said);
    let events: Vec<Transaction> = said
        .iter()
        .filter(|message| message[1] == 1)
        .map(|message| Transaction::from_bytes(&message[2..], &context).expect("an event"))
        .collect();
    assert!(!events.is_empty());
    assert_eq!(count(&told.take_gossip()), 0);
    for event in &events {
        let Transaction::KeyEvent { session, event } = event else { panic!("{event:?}") };
        assert_eq!(told.offer_key_event(*session, event), Ok(Offered::Known));
        assert_eq!(told.offer_key_event(*session, event), Ok(Offered::Known));
    }
    assert_eq!(told.take_gossip(), said);
    assert_eq!(count(&told.take_gossip()), 0);
}

#[test]
fn loss_is_repaired_while_something_waits() {
    let mut network = Network::open();
    let early = network.bid(2, 0, &BOOK[0]);
    network.replicas[0].offer_bids(2, vec![early]);
    // Nobody gets the message. Some blocks later it is sent again, as it is not on the ledger.
    assert_eq!(count(&network.replicas[0].take_gossip()), 1);
    let (mut sent, first) = (0, network.state().height());
    while sent == 0 {
        let Some(block) = network.proposal() else { continue };
        network.commit(block);
        sent = count(&network.replicas[0].take_gossip());
    }
    let blocks = network.state().height() - first;
    assert!((2..=8).contains(&blocks), "again after {blocks} blocks");
    // What is on the ledger is not.
    let taken = network.bid(1, 1, &BOOK[1]);
    network.replicas[0].offer_bids(1, vec![taken]);
    network.gossip();
    network.next_block();
    let early_again = network.bid(2, 0, &BOOK[0]).to_bytes().len();
    for _ in 0..9 {
        let Some(block) = (0..100).find_map(|_| network.proposal()) else { continue };
        network.commit(block);
        for message in network.replicas[0].take_gossip() {
            assert!(message.len() < early_again + 20, "one bid, the early one");
        }
    }
}

#[test]
fn faults_are_the_senders_and_lateness_is_none() {
    let mut network = Network::open();
    let mut bids = network.book(1);
    let replica = &mut network.replicas[1];
    let from = consensus_key(0);
    let too_long = GossipFault::TooLong { bytes: MAX_GOSSIP_BYTES + 1 };
    assert_eq!(replica.receive(&from, &vec![0; MAX_GOSSIP_BYTES + 1]), Err(too_long));
    for malformed in [&[][..], &[1], &[2, 0], &[1, 9], &[1, 0, 1], &[1, 1, 200], &[1, 2, 0, 0]] {
        let fault = replica.receive(&from, malformed);
        assert!(matches!(fault, Err(GossipFault::Malformed(_))), "{malformed:?}: {fault:?}");
    }
    // A transaction that nobody gossips.
    let close = [&[1, 1, 3][..], &1u64.to_le_bytes()].concat();
    let fault = replica.receive(&from, &close);
    assert!(matches!(fault, Err(GossipFault::False { first: OfferRefusal::Kind { .. }, .. })), "{fault:?}");

    let message = |bids: &[veilgrid_crypto::bid::SealedBid], round_id: u64| {
        let mut bytes = vec![1, 0];
        bytes.extend(round_id.to_le_bytes());
        bytes.extend(u32::try_from(bids.len()).expect("few").to_le_bytes());
        bids.iter().for_each(|bid| bytes.extend(bid.to_bytes()));
        bytes
    };
    let mut trailing = message(&bids, 1);
    trailing.push(0);
    assert!(matches!(replica.receive(&from, &trailing), Err(GossipFault::Malformed(_))));
    // A bid twice, or more bids of an account than anybody honest holds.
    let twice = message(&[bids[0].clone(), bids[0].clone()], 1);
    assert!(matches!(replica.receive(&from, &twice), Err(GossipFault::Crowded { round_id: 1, .. })));
    let copies: Vec<_> = (1..4)
        .map(|bit| {
            let mut bid = bids[0].clone();
            bid.proof[0] ^= bit;
            bid
        })
        .collect();
    let fault = replica.receive(&from, &message(&copies, 1));
    assert!(matches!(fault, Err(GossipFault::Crowded { round_id: 1, .. })), "{fault:?}");
    assert_eq!(replica.gossip_work().signatures, 0, "nothing was computed for all that");
    let true_ones = bids.clone();
    bids[0].proof[0] ^= 1;
    bids[3].signature[0] ^= 1;
    let fault = replica.receive(&from, &message(&bids, 1));
    let Err(GossipFault::False { count: 1, first }) = fault else { panic!("{fault:?}") };
    assert!(matches!(first, OfferRefusal::BidInvalid { account, .. } if account.0 == bids[0].account));
    assert_eq!(replica.summary().bids, 0, "whoever is honest sends no such message");
    assert_eq!(
        (replica.gossip_work().signatures, replica.gossip_work().proofs),
        (4, 0),
        "signatures come first"
    );
    assert_eq!(replica.receive(&from, &message(&true_ones[1..3], 1)), Ok(()));
    assert_eq!((replica.summary().bids, replica.gossip_work().proofs), (2, 2));
    assert_eq!(replica.receive(&from, &message(&true_ones[1..3], 1)), Ok(()));
    assert_eq!(replica.gossip_work().signatures, 6, "what is known is not looked at again");
    // A round that is not near: no fault, and nothing is kept.
    assert_eq!(replica.receive(&from, &message(&bids, 7)), Ok(()));
    assert_eq!(replica.summary().bids, 2);
}

#[test]
fn proofs_can_be_verified_before_they_are_offered() {
    let mut network = Network::open();
    let mut bids = network.book(1);
    bids[1].proof[0] ^= 1;
    let [a, b, ..] = &mut network.replicas[..] else { panic!("four") };
    let job = a.bid_job(1, bids.clone()).expect("four bids");
    assert_eq!(job.bids().len(), 4);
    let verdicts = job.run();
    assert!([true, false, true, true] == verdicts.iter().map(Result::is_ok).collect::<Vec<_>>()[..]);
    // The valid ones are remembered and not in the pool yet.
    assert_eq!((a.summary().verdicts, a.summary().bids), (3, 0));
    a.offer_bids(1, bids.clone());
    assert_eq!((a.summary().verdicts, a.summary().bids), (3, 3));
    assert_eq!(a.bid_job(1, bids.clone()).map(|job| job.bids().len()), Some(1), "the false one is left");
    assert!(a.bid_job(9, bids).is_none());

    let messages = a.take_gossip();
    let from = consensus_key(0);
    let job = b.begin(&from, &messages[0]).expect("honest").expect("bids");
    assert_eq!(job.bids().len(), 3);
    let checked = job.run();
    assert_eq!((b.summary().verdicts, b.summary().bids), (3, 0));
    assert_eq!(b.conclude(checked), Ok(()));
    assert_eq!(b.summary().bids, 3);
    assert!(b.begin(&from, &messages[0]).expect("honest").is_none(), "all are known");
}
