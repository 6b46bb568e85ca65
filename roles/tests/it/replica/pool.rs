//! The pool's bounds, and what leaves it.

use super::network::{Network, START_MS, fast, signing_key, timing};
use crate::common::BOOK;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::keygen::{self, Event, OneTimeKey, Party};
use veilgrid_crypto::wire::WireError;
use veilgrid_ledger::refusal::{Account, Refusal};
use veilgrid_ledger::rounds::refusal::RoundRefusal;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::{Transaction, TransactionKind};
use veilgrid_roles::replica::{Limits, OfferRefusal, Offered};

fn bytes(bid: &SealedBid) -> usize {
    bid.to_bytes().len()
}

#[test]
fn an_account_has_a_few_bids_and_the_ledger_takes_the_first() {
    let mut network = Network::open();
    let bids: Vec<SealedBid> = (1..=3).map(|wh| network.bid(1, 5, &[wh, 0, 0, 0, 0, 0, 0, 0])).collect();
    let (first, account) = (bids[0].digest(), Account(bids[0].account));
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
    let second = Refusal::Rounds(RoundRefusal::SecondBid { round: 1, account });
    assert_eq!(again[1], Err(second.into()));
}

#[test]
fn false_and_foreign_bids_stay_out() {
    let mut network = Network::open();
    let mut bids = network.book(1);
    bids[1].proof[3] ^= 1;
    bids[2].account[0] ^= 1;
    let stranger = Refusal::Rounds(RoundRefusal::NotAMember { round: 1, account: Account(bids[2].account) });
    bids.push(network.bid(2, 4, &BOOK[0]));
    let answers = network.replicas[0].offer_bids(1, bids);
    assert_eq!(answers[0], Ok(Offered::New));
    assert!(matches!(answers[1], Err(OfferRefusal::BidInvalid { .. })));
    assert_eq!(answers[2], Err(stranger.into()));
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

/// Twelve bids, and blocks of which each has room for a few.
fn narrow() -> (Network, Vec<SealedBid>, usize) {
    let bound = 6_000;
    let mut network = Network::open_with(Limits { max_block_bytes: bound, ..Limits::default() });
    let bids: Vec<SealedBid> = (0..12).map(|member| network.bid(1, member, &BOOK[member % 4])).collect();
    let fit = (bound - 512) / bytes(&bids[0]);
    assert!((3..6).contains(&fit), "{fit} bids of {} bytes", bytes(&bids[0]));
    (network, bids, fit)
}

/// Of the two blocks of grace one may be a faulty proposer's: what a validator promises fits into the other one.
#[test]
fn no_more_bids_are_taken_than_the_grace_has_room_for() {
    let (mut network, bids, fit) = narrow();
    let answers = network.replicas[0].offer_bids(1, bids.clone());
    assert!(answers[..fit].iter().all(|answer| *answer == Ok(Offered::New)), "{answers:?}");
    let full = fit * bytes(&bids[0]);
    let refused = OfferRefusal::Backlog { round_id: 1, bytes: full, bound: full };
    assert!(answers[fit..].iter().all(|answer| *answer == Err(refused.clone())), "{answers:?}");
    // Nothing of what is refused was verified.
    assert_eq!(network.replicas[0].summary().verdicts, fit);
    // What others have promised is kept all the same, and counts.
    network.replicas[1].offer_bids(1, bids[fit..=fit].to_vec());
    network.gossip();
    assert_eq!(network.replicas[0].summary().bids, fit + 1);
    let now = network.replicas[1].offer_bids(1, bids[fit + 1..].to_vec());
    assert!(now.iter().all(|answer| matches!(answer, Err(OfferRefusal::Backlog { .. }))), "{now:?}");
    // Blocks make room. Whoever asks again until the close gets all bids in.
    let mut waiting = bids;
    while !waiting.is_empty() {
        let answers = network.replicas[0].offer_bids(1, waiting.clone());
        let left = waiting.into_iter().zip(answers).filter(|(_, answer)| answer.is_err());
        waiting = left.map(|(bid, _)| bid).collect();
        network.next_block();
    }
    network.next_block();
    assert!(network.now_ms < timing().close_ms(1).expect("close"));
    assert_eq!(network.state().round(1).expect("open").bids().len(), 12);
}

/// Key events may fill blocks; bids of a round in grace have no other blocks.
#[test]
fn bids_of_a_round_in_grace_come_before_key_events() {
    let mut network = Network::founded(Limits::default(), RoundTiming { grace_blocks: 12, ..fast() });
    let mut met = 0;
    while met < 2 {
        assert!(network.now_ms < START_MS + 120_000, "they never meet");
        let proposer = network.blocks.len() % network.replicas.len();
        let in_grace = network.state().rounds().find(|round| round.grace_from().is_some());
        let round_id = in_grace.filter(|round| round.bids().len() == 0).map(|round| round.round_id());
        network.gossip();
        if let Some(round_id) = round_id.filter(|_| network.replicas[proposer].summary().key_events > 0) {
            let book = network.book(round_id);
            network.replicas[proposer].offer_bids(round_id, book);
        }
        if network.step().is_none() {
            continue;
        }
        let kinds: Vec<TransactionKind> = network.tip().transactions.iter().map(Transaction::kind).collect();
        let place = |wanted| kinds.iter().position(|kind| *kind == wanted);
        if let (Some(bids), Some(event)) = (place(TransactionKind::Bids), place(TransactionKind::KeyEvent)) {
            assert!(bids < event, "{kinds:?}");
            met += 1;
        }
    }
}

/// The ledger takes one account's bids under an R: a second account's would be refused there.
#[test]
fn an_r_of_another_account_stays_out_of_the_pool() {
    let mut network = Network::open();
    let (first, mut second) = (network.bid(1, 0, &BOOK[0]), network.bid(1, 1, &BOOK[1]));
    second.r = first.r;
    let (account, owner) = (Account(second.account), Account(first.account));
    let repeated =
        OfferRefusal::from(Refusal::Rounds(RoundRefusal::HandleRepeated { round: 1, account, first: owner }));
    assert_eq!(network.replicas[1].offer_bids(1, vec![first.clone()]), [Ok(Offered::New)]);
    assert_eq!(network.replicas[1].offer_bids(1, vec![second.clone()]), [Err(repeated.clone())]);
    network.gossip();
    network.next_block();
    assert_eq!(network.replicas[2].summary().bids, 0);
    // Now by the ledger; the proof, which does not hold either, was not looked at.
    assert_eq!(network.replicas[2].offer_bids(1, vec![second]), [Err(repeated)]);
    assert_eq!(network.replicas[2].offer_bids(1, vec![first]), [Ok(Offered::Known)]);
}

#[test]
fn bids_fill_blocks_up_to_the_bound() {
    let (mut network, bids, fit) = narrow();
    let bound = network.replicas[0].limits().max_block_bytes;
    for (at, some) in bids.chunks(fit).enumerate() {
        network.replicas[at].offer_bids(1, some.to_vec());
    }
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
        Event::Announcement(event).to_bytes()
    };
    let (own, second, third, forged) = (announce(1), announce(1), announce(1), announce(0));
    let replica = &mut network.replicas[0];
    let party = Party::Receiver(2);
    let refused = OfferRefusal::EventRefused(keygen::Refusal::Signature { party });
    assert_eq!(replica.offer_key_event(session, &forged), Err(refused));
    assert_eq!(replica.offer_key_event(session, &own), Ok(Offered::New));
    assert_eq!(replica.offer_key_event(session, &own), Ok(Offered::Known));
    assert_eq!(replica.offer_key_event(session, &second), Ok(Offered::New));
    assert_eq!(replica.offer_key_event(session, &third), Err(OfferRefusal::PartyFull { party }));
    assert_eq!(
        replica.offer_key_event(session + 1, &[]),
        Err(OfferRefusal::NoSession { session: session + 1 })
    );
    assert!(matches!(replica.offer_key_event(session, &[9]), Err(OfferRefusal::EventMalformed(_))));
    // Longer than any event of the session: not even decoded.
    let bound = Event::max_bytes(&context);
    let too_long = WireError::TooLong { field: "key event", length: bound as u64 + 1, bound: bound as u64 };
    assert_eq!(
        replica.offer_key_event(session, &vec![9; bound + 1]),
        Err(OfferRefusal::EventMalformed(too_long))
    );
    assert_eq!(replica.summary().key_events, 2);
    // One of the two is on the ledger afterwards, and both have left. The validator itself says nothing else.
    network.silent = vec![1];
    let taken = network.next_block();
    assert!(!taken.effects.iter().any(|effect| matches!(effect, Effect::Refused(_))));
    let events = |t: &&Transaction| matches!(t, Transaction::KeyEvent { event, .. } if [&own, &second].contains(&event));
    assert_eq!(network.tip().transactions.iter().filter(events).count(), 1);
    assert_eq!(network.replicas[1].summary().key_events, 0);
    // Phases that wait for the silent one end by their numbers of blocks, which come fast meanwhile.
    network.run_until(7_000, |effect| matches!(effect, Effect::KeysInForce { .. }));
    assert!(network.state().height() >= 40, "{}", network.state().height());
    assert_eq!(network.replicas[0].summary().key_events, 0);
}

/// Whoever fills the rounds to come keeps nobody out of the one that is open, nor the other way round.
#[test]
fn bids_of_coming_rounds_leave_an_open_round_its_room() {
    let mut network = Network::open();
    let now = network.book(1);
    let bound = 4 * bytes(&now[0]);
    let limits = Limits { pool_bytes: bound, ..Limits::default() };
    let state = network.state().clone();
    let early: Vec<(u64, Vec<SealedBid>)> = [2, 3].map(|round_id| (round_id, network.book(round_id))).into();
    let replica = &mut network.replicas[0];
    *replica = veilgrid_roles::replica::Replica::new(state, limits);
    for (round_id, bids) in early {
        let answers = replica.offer_bids(round_id, bids);
        assert_eq!(answers[0], Ok(Offered::New), "a quarter of an open round's room");
        let full = OfferRefusal::PoolFull { bytes: bound / 4, bound: bound / 4 };
        assert!(answers[1..].iter().all(|answer| *answer == Err(full.clone())), "{answers:?}");
    }
    let answers = replica.offer_bids(1, now);
    assert!(answers.iter().all(|answer| *answer == Ok(Offered::New)), "{answers:?}");
}
