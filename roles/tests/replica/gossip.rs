//! Gossip: who sends what, how often, and what is a fault.

use crate::network::{BOOK, Network, consensus_key};
use veilgrid_roles::replica::{GossipFault, MAX_GOSSIP_BYTES, OfferRefusal, Offered, Replica};

fn count(messages: &[Vec<u8>]) -> usize {
    messages.len()
}

fn hand(replica: &mut Replica, messages: &[Vec<u8>]) {
    for message in messages {
        assert_eq!(replica.receive(&consensus_key(0), message), Ok(()));
    }
}

#[test]
fn only_what_came_from_outside_is_sent_and_once() {
    let mut network = Network::open();
    let book = network.book(1);
    let [a, b, ..] = &mut network.replicas[..] else { panic!("four") };
    a.offer_bids(1, book.clone());
    let messages = a.take_gossip();
    assert_eq!((count(&messages), count(&a.take_gossip())), (1, 0));
    hand(b, &messages);
    assert_eq!(b.summary().bids, 4);
    // What is known by gossip is not sent on, also when it comes from outside afterwards.
    assert!(b.offer_bids(1, book).iter().all(|answer| *answer == Ok(Offered::Known)));
    assert_eq!(count(&b.take_gossip()), 0);
    hand(b, &messages);
    assert_eq!(b.summary().bids, 4);
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
    bids[0].proof[0] ^= 1;
    bids[3].signature[0] ^= 1;
    let fault = replica.receive(&from, &message(&bids, 1));
    let Err(GossipFault::False { count: 2, first }) = fault else { panic!("{fault:?}") };
    assert!(matches!(first, OfferRefusal::BidInvalid { account, .. } if account.0 == bids[0].account));
    assert_eq!(replica.summary().bids, 2, "the true ones are kept");
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
    assert_eq!(b.gossip_job(&messages[0]).expect("bids").run(), [Ok(()), Ok(()), Ok(())]);
    assert_eq!((b.summary().verdicts, b.summary().bids), (3, 0));
    hand(b, &messages);
    assert_eq!(b.summary().bids, 3);
    assert!(b.gossip_job(&messages[0]).is_none(), "all are known");
    assert!(b.gossip_job(&[1]).is_none());
}
