//! The intake on a network's ledger: it ends two skews before the close by the node's clock, or when the ledger's time
//! begins the grace, whichever comes first.

#[path = "../../../ledger/tests/common/mod.rs"]
mod common;
#[path = "../../../ledger/tests/common/network.rs"]
mod network;

use self::common::BOOK;
use self::network::World;
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
fn by_the_clock_nothing_is_taken_and_nothing_promised_shortly_before_the_close() {
    let (mut w, mut intake, bids) = scene();
    let (early_ms, close_ms) = (2 * w.timing().max_clock_skew_ms, w.ms(RoundTiming::close_ms, 1));
    let last_ms = close_ms - early_ms;
    let too_late = IntakeError::TooLate { round_id: 1, early_ms };
    for bid in &bids[..2] {
        assert!(matches!(intake.receive_bid(bid.clone(), last_ms - 1), Ok(Received::Waiting(_))));
    }
    assert_eq!(intake.receive_bid(bids[2].clone(), last_ms), Err(too_late.clone()));
    let early = intake.conclude(vec![(bids[0].clone(), Ok(()))], last_ms - 1, &mut w.rng);
    let receipt = early.answers[0].1.clone().expect("in time");
    let late = intake.conclude(vec![(bids[1].clone(), Ok(()))], last_ms, &mut w.rng);
    assert_eq!(late.answers[0].1, Err(too_late));
    assert!(late.admitted.is_empty());
    // A lost answer is given again.
    assert_eq!(intake.receive_bid(bids[0].clone(), last_ms), Ok(Received::Repeated(receipt)));
}

/// A node whose clock is behind must not promise what the grace has no time for.
#[test]
fn by_the_ledger_the_grace_is_for_bids_that_were_taken_before() {
    let (mut w, mut intake, bids) = scene();
    let (close_ms, now_ms) = (w.ms(RoundTiming::close_ms, 1), w.ms(RoundTiming::open_ms, 1));
    assert!(matches!(intake.receive_bid(bids[0].clone(), now_ms), Ok(Received::Waiting(_))));
    w.due_at(close_ms);
    let round = w.state.round(1).expect("active");
    assert!(round.takes_bids() && round.grace_from().is_some(), "its grace has begun");
    intake.advance(w.state.clone());
    assert_eq!(intake.receive_bid(bids[1].clone(), now_ms), Err(OVER));
    let concluded = intake.conclude(vec![(bids[0].clone(), Ok(()))], now_ms, &mut w.rng);
    assert_eq!(concluded.answers[0].1, Err(OVER));
}

/// A leader whose clock is as fast as allowed, before voters whose clocks are so too, begins the grace two skews before the
/// close of a node whose clock is slow. Until then that node may promise; afterwards it must not, though no block of the
/// grace is final for it.
#[test]
fn nothing_is_promised_once_a_fast_leader_may_have_begun_the_grace() {
    let (mut w, mut intake, bids) = scene();
    let (skew_ms, close_ms) = (w.timing().max_clock_skew_ms, w.ms(RoundTiming::close_ms, 1));
    let mut earliest_ms = None;
    for true_ms in close_ms - 3 * skew_ms..close_ms {
        // Clocks of honest validators differ by the skew at most; the voters' are fast, this node's is slow.
        let (voters_ms, own_ms) = (true_ms + skew_ms / 2, true_ms - skew_ms / 2);
        let block_ms = voters_ms + skew_ms;
        if block_ms >= close_ms {
            earliest_ms.get_or_insert(true_ms);
            let answer = intake.conclude(vec![(bids[0].clone(), Ok(()))], own_ms, &mut w.rng);
            assert!(
                matches!(answer.answers[0].1, Err(IntakeError::TooLate { .. })),
                "at {true_ms}: {answer:?}"
            );
        }
    }
    let earliest_ms = earliest_ms.expect("before the close") - skew_ms / 2;
    let before = intake.conclude(vec![(bids[0].clone(), Ok(()))], earliest_ms - 1, &mut w.rng);
    assert!(before.answers[0].1.is_ok(), "no earlier than has to be: {before:?}");
}
