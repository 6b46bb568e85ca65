//! Deliveries against aggregators of every kind, in virtual time.

use super::*;

const OPEN: u64 = 100_000;
const CLOSE: u64 = 120_000;

fn delivery() -> Delivery {
    Delivery::new(Terms {
        validators: 4,
        needed: 2,
        first_validator: 3,
        last_promise_unix_ms: CLOSE,
        silence_ms: 2000,
        pause_ms: 500,
        longest_pause_ms: 4000,
    })
}

use Target::{Aggregator, Validator};

#[test]
fn with_a_good_aggregator_nobody_else_is_asked() {
    let mut delivery = delivery();
    assert_eq!(delivery.due(OPEN), [Aggregator]);
    assert_eq!(delivery.due(OPEN + 100), []);
    delivery.answered(Aggregator, Answer::Receipt, OPEN + 200);
    delivery.seen_on_ledger();
    for now_ms in (OPEN + 300..CLOSE + 5000).step_by(500) {
        assert_eq!(delivery.due(now_ms), []);
    }
    assert_eq!(delivery.fallback(), None);
}

#[test]
fn a_refusal_leads_to_validators_at_once_and_the_refuser_is_not_asked_again() {
    let mut delivery = delivery();
    delivery.due(OPEN);
    delivery.answered(Aggregator, Answer::Refused, OPEN + 10);
    assert_eq!(delivery.due(OPEN + 10), [Validator(3), Validator(4)]);
    assert_eq!(delivery.fallback(), Some(Fallback::NotTaken));
    delivery.answered(Validator(3), Answer::Receipt, OPEN + 20);
    delivery.answered(Validator(4), Answer::Receipt, OPEN + 20);
    assert_eq!(delivery.validator_receipts(), 2);
    for now_ms in (OPEN + 30..CLOSE).step_by(100) {
        assert_eq!(delivery.due(now_ms), [], "f+1 receipts are enough");
    }
}

#[test]
fn silence_leads_to_validators_and_a_late_receipt_still_counts() {
    let mut delivery = delivery();
    delivery.due(OPEN);
    assert_eq!(delivery.due(OPEN + 1999), []);
    assert_eq!(delivery.due(OPEN + 2000), [Validator(3), Validator(4)]);
    assert_eq!(delivery.fallback(), Some(Fallback::Silent));
    // Both are silent too: others take their place; the aggregator's receipt ends the search.
    assert_eq!(delivery.due(OPEN + 4000), [Validator(1), Validator(2)]);
    delivery.answered(Aggregator, Answer::Receipt, OPEN + 4100);
    assert!(delivery.aggregator_receipt());
    assert_eq!(delivery.due(OPEN + 8000), []);
}

#[test]
fn a_censoring_aggregator_is_passed_by_at_half_of_the_time_left() {
    let mut delivery = delivery();
    delivery.due(OPEN);
    delivery.answered(Aggregator, Answer::Receipt, OPEN + 2000);
    assert_eq!(delivery.due(OPEN + 10_999), []);
    assert_eq!(delivery.due(OPEN + 11_000), [Validator(3), Validator(4)]);
    assert_eq!(delivery.fallback(), Some(Fallback::NotOnLedger));
    // One receipt is not f+1.
    delivery.answered(Validator(3), Answer::Receipt, OPEN + 11_100);
    delivery.answered(Validator(4), Answer::Refused, OPEN + 11_100);
    assert_eq!(delivery.due(OPEN + 11_200), [Validator(1)]);
    delivery.answered(Validator(1), Answer::Receipt, OPEN + 11_300);
    assert_eq!(delivery.due(OPEN + 13_000), []);
}

#[test]
fn the_watch_ends_when_the_bid_is_on_the_ledger() {
    let mut delivery = delivery();
    delivery.due(OPEN);
    delivery.answered(Aggregator, Answer::Receipt, OPEN + 2000);
    delivery.seen_on_ledger();
    assert_eq!(delivery.due(OPEN + 11_000), []);
}

#[test]
fn failures_are_repeated_with_growing_pauses_until_the_close() {
    let mut delivery = delivery();
    let mut asked = Vec::new();
    for now_ms in (OPEN..CLOSE + 10_000).step_by(100) {
        for target in delivery.due(now_ms) {
            asked.push((target, now_ms));
            delivery.answered(target, Answer::Failed, now_ms);
        }
    }
    let times = |wanted| -> Vec<u64> {
        asked.iter().filter(|(target, _)| *target == wanted).map(|(_, at)| at - OPEN).collect()
    };
    assert_eq!(times(Aggregator), [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500]);
    for validator in 1..=4 {
        let times = times(Validator(validator));
        assert!(times.len() >= 4, "validator {validator}: {times:?}");
        assert!(times.iter().all(|at| OPEN + at < CLOSE));
    }
}

#[test]
fn with_enough_validators_a_failed_aggregator_is_left_alone() {
    let mut delivery = delivery();
    delivery.due(OPEN);
    delivery.answered(Aggregator, Answer::Failed, OPEN);
    assert_eq!(delivery.due(OPEN), [Validator(3), Validator(4)]);
    for number in [3, 4] {
        delivery.answered(Validator(number), Answer::Receipt, OPEN + 10);
    }
    assert_eq!(delivery.due(OPEN + 600), []);
}

#[test]
fn an_aggregator_that_lags_is_asked_again_before_anybody_else() {
    let mut delivery = delivery();
    assert_eq!(delivery.due(OPEN), [Aggregator]);
    delivery.answered(Aggregator, Answer::Early, OPEN + 10);
    assert_eq!(delivery.due(OPEN + 100), []);
    assert_eq!(delivery.due(OPEN + 260), [Aggregator]);
    delivery.answered(Aggregator, Answer::Early, OPEN + 1990);
    assert_eq!(delivery.due(OPEN + 1999), []);
    assert_eq!(delivery.due(OPEN + 2000), [Validator(3), Validator(4)], "it lags for too long");
}

#[test]
fn receipts_from_before_a_restart_are_not_asked_for_again() {
    let mut delivery = delivery();
    delivery.answered(Aggregator, Answer::Receipt, OPEN + 1000);
    assert_eq!(delivery.due(OPEN + 1000), []);
    assert_eq!(delivery.due(OPEN + 10_500), [Validator(3), Validator(4)]);
    // A receipt is not taken back by a later failure.
    delivery.answered(Validator(3), Answer::Receipt, OPEN + 10_600);
    delivery.answered(Validator(3), Answer::Failed, OPEN + 10_700);
    assert_eq!(delivery.validator_receipts(), 1);
    delivery.answered(Validator(9), Answer::Receipt, OPEN + 10_700);
    assert_eq!(delivery.validator_receipts(), 1);
}
