//! The intake on a network's ledger: it ends at the close, by the node's clock or by the ledger's time, whichever comes
//! first.

#[path = "../../ledger/tests/common/mod.rs"]
mod common;
#[path = "../../ledger/tests/common/network.rs"]
mod network;

use common::BOOK;
use network::World;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::envelope::EnvelopeKey;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_roles::intake::{Intake, IntakeError, Received};

/// Round 1 takes bids: one of each member is sealed and nowhere yet.
fn scene() -> (World, Intake, Vec<SealedBid>) {
    let mut w = World::keyed(4);
    w.due_at(w.ms(RoundTiming::open_ms, 1));
    let Transaction::Bids { bids, .. } = w.bids(1, &BOOK) else { unreachable!("bids") };
    let (envelope_key, receipt_key) = (EnvelopeKey::generate(&mut w.rng), SigningKey::generate(&mut w.rng));
    let intake = Intake::new(envelope_key, receipt_key, w.state.clone(), 0);
    (w, intake, bids)
}

const OVER: IntakeError = IntakeError::NotOpen { round_id: 1 };

#[test]
fn by_the_clock_nothing_is_taken_and_nothing_promised_from_the_close_on() {
    let (mut w, mut intake, bids) = scene();
    let close_ms = w.ms(RoundTiming::close_ms, 1);
    for bid in &bids[..2] {
        assert!(matches!(intake.receive_bid(bid.clone(), close_ms - 1), Ok(Received::Waiting(_))));
    }
    assert_eq!(intake.receive_bid(bids[2].clone(), close_ms), Err(OVER));
    let early = intake.conclude(vec![(bids[0].clone(), Ok(()))], close_ms - 1, &mut w.rng);
    let receipt = early.answers[0].1.clone().expect("before the close");
    let late = intake.conclude(vec![(bids[1].clone(), Ok(()))], close_ms, &mut w.rng);
    assert_eq!(late.answers[0].1, Err(OVER));
    assert!(late.admitted.is_empty());
    // A lost answer is given again.
    assert_eq!(intake.receive_bid(bids[0].clone(), close_ms), Ok(Received::Repeated(receipt)));
}

/// A node whose clock is behind must not promise what the grace has no time for.
#[test]
fn by_the_ledger_the_grace_is_for_bids_that_were_taken_before() {
    let (mut w, mut intake, bids) = scene();
    let close_ms = w.ms(RoundTiming::close_ms, 1);
    assert!(matches!(intake.receive_bid(bids[0].clone(), close_ms - 1), Ok(Received::Waiting(_))));
    w.due_at(close_ms);
    let round = w.state.round(1).expect("active");
    assert!(round.takes_bids() && round.grace_from().is_some(), "its grace has begun");
    intake.advance(w.state.clone());
    assert_eq!(intake.receive_bid(bids[1].clone(), close_ms - 1), Err(OVER));
    let concluded = intake.conclude(vec![(bids[0].clone(), Ok(()))], close_ms - 1, &mut w.rng);
    assert_eq!(concluded.answers[0].1, Err(OVER));
}
