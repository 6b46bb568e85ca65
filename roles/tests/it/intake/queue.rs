//! Bids that wait: quotas, and who shares a batch with whom.

use super::{NOW_MS, is_second, world, world_of};
use veilgrid_crypto::bid::BidFault;
use veilgrid_roles::intake::{IntakeError, MAX_FAILED_PROOFS, Received};

/// Threat: anybody can write a member's account on a bid.
#[test]
fn strangers_can_neither_take_an_accounts_places_nor_use_up_its_quota() {
    let mut w = world();
    let mut intake = w.intake(0);
    let own = w.bid(0, 1);
    for forgery in 0..10 {
        let mut forged = own.clone();
        forged.note[0] ^= 1 + forgery;
        let refused = w.receive(&mut intake, &forged);
        assert_eq!(refused, Err(IntakeError::Fault(BidFault::Signature)));
    }
    assert!(intake.batch(9).is_empty());
    let admitted = w.admit(&mut intake, &own);
    assert_eq!(admitted.receipt.bid_digest, own.digest());
}

#[test]
fn two_different_bids_of_an_account_wait_at_once_and_the_same_one_takes_no_place() {
    let mut w = world();
    let mut intake = w.intake(0);
    let bids = [w.bid(0, 1), w.bid(0, 2), w.bid(0, 3)];
    for bid in [&bids[0], &bids[0], &bids[1], &bids[1]] {
        assert_eq!(w.receive(&mut intake, bid), Ok(Received::Waiting(bid.digest())));
    }
    assert!(matches!(w.receive(&mut intake, &bids[2]), Err(IntakeError::TooManyWaiting { .. })));
    let of_another = w.bid(1, 1);
    assert!(matches!(w.receive(&mut intake, &of_another), Ok(Received::Waiting(_))));
    assert_eq!(intake.batch(9).len(), 3);
    let concluded = w.conclude(&mut intake);
    let conflicts = concluded
        .answers
        .iter()
        .filter(|(_, answer)| matches!(answer, Err(IntakeError::Ledger(rule)) if is_second(rule)))
        .count();
    assert_eq!((concluded.admitted.len(), conflicts), (2, 1));
}

#[test]
fn after_three_false_proofs_an_account_is_not_looked_at_again_in_the_round() {
    let mut w = world();
    let mut intake = w.intake(0);
    for failure in 1..=MAX_FAILED_PROOFS {
        let bid = w.bid(0, failure as u64);
        w.fail(&mut intake, &bid);
    }
    let honest = w.bid(0, 1);
    let refused = w.receive(&mut intake, &honest);
    assert_eq!(refused, Err(IntakeError::QuotaExhausted { account: honest.account, round_id: 1 }));
    assert!(intake.batch(9).is_empty());
    let of_another = w.bid(1, 1);
    w.admit(&mut intake, &of_another);
}

/// Two failures and two waiting bids would be four failures.
#[test]
fn waiting_bids_count_towards_the_quota() {
    let mut w = world();
    let mut intake = w.intake(0);
    for failure in 1..MAX_FAILED_PROOFS {
        let bid = w.bid(0, failure as u64);
        w.fail(&mut intake, &bid);
    }
    let (last, more) = (w.bid(0, 1), w.bid(0, 2));
    assert!(matches!(w.receive(&mut intake, &last), Ok(Received::Waiting(_))));
    assert!(matches!(w.receive(&mut intake, &more), Err(IntakeError::TooManyWaiting { .. })));
}

#[test]
fn the_end_of_a_round_is_nobodys_failure() {
    let mut w = world();
    let mut intake = w.intake(0);
    let bid = w.bid(0, 1);
    for _ in 0..MAX_FAILED_PROOFS {
        w.receive(&mut intake, &bid).expect("waits");
        let ended = Err(BidFault::Round { bid: 1, round: 2 });
        intake.conclude(vec![(bid.clone(), ended)], NOW_MS, &mut w.rng);
    }
    w.admit(&mut intake, &bid);
}

/// Whoever has sent a false proof shares no batch with those who have not.
#[test]
fn a_batch_is_first_come_first_served_and_suspects_wait_alone() {
    let mut w = world();
    let mut intake = w.intake(0);
    let bad = w.bid(0, 1);
    w.fail(&mut intake, &bad);
    let (again, second, third) = (w.bid(0, 2), w.bid(2, 1), w.bid(1, 1));
    for bid in [&again, &second, &third] {
        w.receive(&mut intake, bid).expect("waits");
    }
    assert_eq!(intake.batch(9), [second.clone(), third.clone()]);
    assert_eq!(intake.batch(1), [second]);
    w.conclude(&mut intake);
    assert_eq!(intake.batch(9), [again]);
}

/// A false proof spoils the batch of strangers, not that of members who have sent true ones.
#[test]
fn who_has_sent_true_proofs_goes_first_and_loses_that_by_a_false_one() {
    let mut w = world();
    let mut intake = w.intake(0);
    let proven = w.bid(0, 1);
    let admitted = w.admit(&mut intake, &proven);
    intake.withdraw(&[admitted]);
    let (stranger, again, false_one) = (w.bid(1, 1), w.bid(0, 2), w.bid(0, 3));
    for bid in [&stranger, &again] {
        w.receive(&mut intake, bid).expect("waits");
    }
    assert_eq!(intake.batch(9), std::slice::from_ref(&again), "although the stranger came first");
    intake.forget(&[again.digest()]);
    w.fail(&mut intake, &false_one);
    w.receive(&mut intake, &again).expect("waits");
    assert_eq!(intake.batch(9), [stranger], "the suspect waits");
}

#[test]
fn after_a_restart_whoever_has_a_receipt_goes_first() {
    let mut w = world();
    let mut intake = w.intake(0);
    let bid = w.bid(1, 1);
    let admitted = w.admit(&mut intake, &bid);
    let (mut restored, promised) = w.restore(&[admitted]).expect("restored");
    restored.withdraw(&promised);
    let (stranger, known) = (w.bid(0, 1), w.bid(1, 2));
    for bid in [&stranger, &known] {
        w.receive(&mut restored, bid).expect("waits");
    }
    assert_eq!(restored.batch(9), [known]);
}

/// One of a stranger's proofs is false in a batch of 32: the next ones are of 16 and 8 bids, and grow again.
#[test]
fn batches_of_strangers_shrink_with_false_proofs_and_grow_with_true_ones() {
    let mut w = world_of(80);
    let mut intake = w.intake(0);
    for member in 0..80 {
        let bid = w.bid(member, 1);
        w.receive(&mut intake, &bid).expect("waits");
    }
    let mut sizes = Vec::new();
    for false_ones in [1, 8, 1, 0, 0] {
        let batch = intake.batch(usize::MAX);
        sizes.push(batch.len());
        let verdict = |place: usize| if place < false_ones { Err(BidFault::Range) } else { Ok(()) };
        let verdicts = (0..).map(verdict).zip(batch).map(|(verdict, bid)| (bid, verdict));
        intake.conclude(verdicts.collect(), NOW_MS, &mut w.rng);
    }
    assert_eq!(sizes, [32, 16, 8, 8, 16]);
    assert!(intake.batch(usize::MAX).is_empty());
}

#[test]
fn bids_whose_batch_has_no_verdict_are_dropped_and_may_come_again() {
    let mut w = world();
    let mut intake = w.intake(0);
    let bid = w.bid(0, 1);
    w.receive(&mut intake, &bid).expect("waits");
    intake.forget(&[bid.digest()]);
    assert!(!intake.awaits(&bid.digest()) && intake.batch(9).is_empty());
    w.admit(&mut intake, &bid);
}
