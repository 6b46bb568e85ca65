//! The pool's bounds, and what leaves it.

use crate::network::{BOOK, Network, signing_key, timing};
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::keygen::{Event, OneTimeKey, Party, Refusal};
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::transaction::{Transaction, TransactionKind};
use veilgrid_roles::replica::{Limits, OfferRefusal, Offered};

fn bytes(bid: &SealedBid) -> usize {
    bid.to_bytes().len()
}

#[test]
fn an_account_has_a_few_bids_and_the_ledger_takes_the_first() {
    let mut network = Network::open();
    let bids: Vec<SealedBid> = (1..=3).map(|wh| network.bid(1, 5, &[wh, 0, 0, 0, 0, 0, 0, 0])).collect();
    let first = bids[0].digest();
    let answers = network.replicas[1].offer_bids(1, bids.clone());
    assert_eq!(answers[..2], [Ok(Offered::New), Ok(Offered::New)]);
    assert!(matches!(answers[2], Err(OfferRefusal::AccountFull { round_id: 1, .. })));
    assert_eq!(network.replicas[1].offer_bids(1, vec![bids[0].clone()]), [Ok(Offered::Known)]);
    let taken = network.next_block();
    let [Effect::BidsAccepted { bids: accepted, .. }] = &taken.effects[..] else { panic!("{taken:?}") };
    assert_eq!((accepted.len(), accepted[0].bid_digest), (1, first));
    // The second one is gone, and neither comes in again.
    assert_eq!(network.replicas[1].summary().bids, 0);
    let again = network.replicas[1].offer_bids(1, bids);
    assert_eq!(again[0], Ok(Offered::Known));
    assert!(matches!(again[1], Err(OfferRefusal::Conflict { round_id: 1, .. })));
}

#[test]
fn false_and_foreign_bids_stay_out() {
    let mut network = Network::open();
    let mut bids = network.book(1);
    bids[1].proof[3] ^= 1;
    bids[2].account[0] ^= 1;
    bids.push(network.bid(2, 4, &BOOK[0]));
    let answers = network.replicas[0].offer_bids(1, bids);
    assert_eq!(answers[0], Ok(Offered::New));
    assert!(matches!(answers[1], Err(OfferRefusal::BidInvalid { .. })));
    assert!(matches!(answers[2], Err(OfferRefusal::NotAMember { .. })));
    assert_eq!(answers[3], Ok(Offered::New));
    assert!(matches!(answers[4], Err(OfferRefusal::BidInvalid { .. })));
    assert_eq!(network.replicas[0].summary().bids, 2);
}

#[test]
fn bids_are_for_rounds_that_take_some_or_soon_will() {
    let mut network = Network::founded(Limits::default(), timing());
    assert_eq!(network.replicas[0].offer_bids(1, Vec::new()), []);
    let mut network_with_keys = Network::open();
    let (now, next, far) = {
        let n = &mut network_with_keys;
        (n.bid(1, 0, &BOOK[0]), n.bid(2, 0, &BOOK[0]), n.bid(4, 0, &BOOK[0]))
    };
    assert_eq!(network.replicas[0].offer_bids(1, vec![now.clone()]), [Err(OfferRefusal::NoKeys)]);
    let network = &mut network_with_keys;
    assert_eq!(network.replicas[0].offer_bids(2, vec![next]), [Ok(Offered::New)]);
    assert_eq!(network.replicas[0].offer_bids(4, vec![far]), [Err(OfferRefusal::NotOpen { round_id: 4 })]);
    network.run_until(15_000, |effect| matches!(effect, Effect::Voided { .. }));
    assert_eq!(network.replicas[0].offer_bids(1, vec![now]), [Err(OfferRefusal::NotOpen { round_id: 1 })]);
    // The bid that came early is taken as soon as its round opens.
    let opened = network.run_until(34_000, |effect| matches!(effect, Effect::BidsAccepted { .. }));
    assert!(matches!(
        &opened.effects[..],
        [Effect::RoundOpened { round_id: 2, .. }, Effect::BidsAccepted { .. }]
    ));
}

#[test]
fn bytes_are_bounded() {
    let mut network = Network::open();
    let bids = network.book(1);
    let bound = 2 * bytes(&bids[0]) + 10;
    let state = network.state().clone();
    let limits = Limits { pool_bytes: bound, ..Limits::default() };
    network.replicas[0] = veilgrid_roles::replica::Replica::new(state, limits);
    let answers = network.replicas[0].offer_bids(1, bids.clone());
    assert_eq!(answers[..2], [Ok(Offered::New), Ok(Offered::New)]);
    let full = OfferRefusal::PoolFull { bytes: 2 * bytes(&bids[0]), bound };
    assert_eq!(answers[2..], [Err(full.clone()), Err(full)]);
    network.next_block();
    assert_eq!(network.replicas[0].summary().bid_bytes, 0);
    assert_eq!(network.replicas[0].offer_bids(1, vec![bids[2].clone()]), [Ok(Offered::New)]);
}

#[test]
fn bids_fill_blocks_up_to_the_bound() {
    let bound = 6_000;
    let mut network = Network::open_with(Limits { max_block_bytes: bound, ..Limits::default() });
    let bids: Vec<SealedBid> = (0..12).map(|member| network.bid(1, member, &BOOK[member % 4])).collect();
    let fit = (bound - 200) / bytes(&bids[0]);
    assert!((2..12).contains(&fit), "{fit} bids of {} bytes", bytes(&bids[0]));
    network.replicas[0].offer_bids(1, bids);
    let mut counts = Vec::new();
    while counts.iter().sum::<usize>() < 12 {
        let taken = network.next_block();
        let [Effect::BidsAccepted { bids, .. }] = &taken.effects[..] else { panic!("{taken:?}") };
        counts.push(bids.len());
        assert!(network.tip().to_bytes().len() <= bound);
    }
    assert!(counts[0] >= fit && counts.len() == 12usize.div_ceil(fit), "{counts:?}");
}

#[test]
fn key_events_are_signed_and_a_party_has_a_few() {
    let mut network = Network::founded(Limits::default(), timing());
    let (session, context) = {
        let session = network.state().session().expect("a session from the start");
        (session.context().session, *session.context())
    };
    let rng = &mut network.rng;
    let mut announce = |signer: u16| {
        let event = OneTimeKey::generate(rng).announce(&context, 2, &signing_key(signer), rng);
        Transaction::KeyEvent { session, event: Event::Announcement(event).to_bytes() }
    };
    let (own, second, third, forged) = (announce(1), announce(1), announce(1), announce(0));
    let replica = &mut network.replicas[0];
    let party = Party::Receiver(2);
    let refused = OfferRefusal::EventRefused(Refusal::Signature { party });
    assert_eq!(replica.offer_key_event(&forged), Err(refused));
    assert_eq!(replica.offer_key_event(&own), Ok(Offered::New));
    assert_eq!(replica.offer_key_event(&own), Ok(Offered::Known));
    assert_eq!(replica.offer_key_event(&second), Ok(Offered::New));
    assert_eq!(replica.offer_key_event(&third), Err(OfferRefusal::PartyFull { party }));
    let other = Transaction::KeyEvent { session: session + 1, event: Vec::new() };
    assert_eq!(replica.offer_key_event(&other), Err(OfferRefusal::NoSession { session: session + 1 }));
    let junk = Transaction::KeyEvent { session, event: vec![9] };
    assert!(matches!(replica.offer_key_event(&junk), Err(OfferRefusal::EventMalformed(_))));
    let kind = TransactionKind::CloseRound;
    let close = Transaction::CloseRound { round_id: 1 };
    assert_eq!(replica.offer_key_event(&close), Err(OfferRefusal::Kind { found: kind }));
    assert_eq!(replica.offer_share(&close), Err(OfferRefusal::Kind { found: kind }));
    assert_eq!(replica.offer_roster_change(&close), Err(OfferRefusal::Kind { found: kind }));
    assert_eq!(replica.summary().key_events, 2);
    // One of the two is on the ledger afterwards, and both have left. The validator itself says nothing else.
    network.silent = vec![1];
    let taken = network.next_block();
    assert!(!taken.effects.iter().any(|effect| matches!(effect, Effect::Refused(_))));
    let events = |t: &&Transaction| **t == own || **t == second;
    assert_eq!(network.tip().transactions.iter().filter(events).count(), 1);
    assert_eq!(network.replicas[1].summary().key_events, 0);
    // Phases that wait for the silent one end by their numbers of blocks, which come fast meanwhile.
    network.run_until(7_000, |effect| matches!(effect, Effect::KeysInForce { .. }));
    assert!(network.state().height() >= 40, "{}", network.state().height());
    assert_eq!(network.replicas[0].summary().key_events, 0);
}
