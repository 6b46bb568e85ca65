//! The checks can fail: each is given a record that was falsified, or a network with more faults than it bears.

use veilgrid_simulation::{Flood, Kept, Misbehaviour, Plan, Rule, Sabotage, Step, run};

/// A run in which nothing goes wrong.
fn calm(seed: u64) -> Plan {
    Plan { steps: Vec::new(), false_validator: None, ..Plan::of(seed) }
}

/// What is said to be broken in a run of this plan.
fn violations(plan: &Plan) -> String {
    let broken = run(plan).map(|report| format!("all is well: {report:?}"));
    broken.unwrap_or_else(|broken| broken.violations.join("; "))
}

fn falsified(sabotage: Sabotage) -> String {
    violations(&Plan { sabotage: Some(sabotage), ..calm(1) })
}

#[test]
fn a_calm_run_keeps_all_promises() {
    let report = run(&calm(1)).expect("nothing goes wrong");
    assert!(report.cleared >= 1 && report.void == 0 && report.named == 0, "{report:?}");
    assert_eq!(report.not_opened, 0, "a round finds a block in its time: {report:?}");
    assert_eq!(report.sessions, (1, 0));
    assert_eq!(report.missed_untimely, 0);
}

#[test]
fn falsified_records_are_found() {
    for (sabotage, says) in [
        (Sabotage::StateRoot, "another state root at height 5"),
        (Sabotage::Requests, "that no final state has asked for"),
        (Sabotage::PlainOrders, "the path is"),
        (Sabotage::Bid, "is lost"),
        (Sabotage::Void, "void with TooFewBids"),
        (Sabotage::PassedOver, "should come next"),
        (Sabotage::TooSoon, "passed over in block"),
        (Sabotage::WrongReason, "reason: NoKeys"),
        (Sabotage::OutOfTime, "was opened out of its time"),
        (Sabotage::Blame, "blames the honest validator"),
        (Sabotage::Conviction, "the honest dealer 1"),
    ] {
        let found = falsified(sabotage);
        assert!(found.contains(says), "{sabotage:?}: {found}");
    }
}

#[test]
fn a_round_without_end_is_found() {
    // Round 1 is over when the validator comes back after which the run waits for another round.
    let steps = vec![(12_000, Step::Crash(0)), (13_000, Step::Restart(0, Kept::All))];
    for (sabotage, says) in [
        (Sabotage::NoEnd, "round 1 has not ended"),
        (Sabotage::Gap, "and 1 should come next"),
        (Sabotage::NoTrace, "round 1 has left no trace"),
    ] {
        let found = violations(&Plan { steps: steps.clone(), sabotage: Some(sabotage), ..calm(1) });
        assert!(found.contains(says), "{sabotage:?}: {found}");
    }
}

#[test]
fn unnamed_culprits_are_found() {
    for (how, says) in [
        (Misbehaviour::FalseShares, "nobody has named validator 4"),
        (Misbehaviour::SilentDealer, "the false dealer 4 is not named"),
        (Misbehaviour::TamperedDelivery(vec![1, 2]), "the false dealer 4 is not named"),
    ] {
        let plan = Plan { false_validator: Some((3, how)), ..calm(2) };
        run(&plan).expect("one false validator is borne");
        let found = violations(&Plan { sabotage: Some(Sabotage::Silence), ..plan });
        assert!(found.contains(says), "{found}");
    }
}

/// A session in which one validator makes two disputes ends in keys, and nobody is convicted.
#[test]
fn two_disputes_of_one_validator_stop_no_session() {
    let plan = Plan { false_validator: Some((3, Misbehaviour::TwoDisputes(1, 2))), ..calm(2) };
    let report = run(&plan).expect("one false validator is borne");
    assert!(report.sessions.0 >= 1 && report.sessions.1 == 0, "{report:?}");
    assert!(report.cleared >= 1, "{report:?}");
}

#[test]
fn a_market_without_a_quorum_does_not_pass() {
    let steps = vec![(500, Step::Crash(0)), (500, Step::Crash(1))];
    let found = violations(&Plan { steps, ..calm(3) });
    assert!(found.contains("no progress"), "{found}");
}

#[test]
fn the_seeds_of_continuous_integration_hold_every_fault() {
    let plans: Vec<Plan> = (0..200).map(Plan::of).collect();
    let has = |holds: &dyn Fn(&Plan) -> bool| plans.iter().filter(|plan| holds(plan)).count() >= 2;
    let lies = |name: &str| has(&|plan| format!("{:?}", plan.false_validator).contains(name));
    for name in ["DoubleVoter", "WrongRoot", "RefusedTransaction", "BadShare", "FromTheFuture", "DueLeftOut"]
    {
        assert!(lies(name), "{name}");
    }
    for name in ["Censor", "FalseShares", "TwoStories", "TamperedDelivery", "TwoDisputes", "SilentDealer"] {
        assert!(lies(name), "{name}");
    }
    for name in [
        "Whisperer",
        "EpochsEnd",
        "FastLeader",
        "Garbage",
        "Signatures",
        "Promises",
        "Openings",
        "Repetitions",
    ] {
        assert!(lies(name), "{name}");
    }
    let happens = |name: &str| has(&|plan| format!("{:?}", plan.steps).contains(name));
    for name in [
        "Partition",
        "Links",
        "Crash",
        "Before)",
        "After)",
        "NotTheEngineStore",
        "Nothing",
        "TheEngineStore)",
    ] {
        assert!(happens(name), "{name}");
    }
}

/// The seeds of continuous integration in which a validator is false in this way.
fn attacked(is: fn(&Misbehaviour) -> bool) -> impl Iterator<Item = Plan> {
    let plans = (0..200).map(Plan::of);
    plans.filter(move |plan| plan.false_validator.as_ref().is_some_and(|(_, how)| is(how)))
}

/// With a rule undone the attacker that it is against finds a seed.
#[test]
fn an_attacker_finds_the_rule_that_is_undone() {
    type Is = fn(&Misbehaviour) -> bool;
    let attackers: [(Rule, Is, &str); 6] = [
        (Rule::SentOn, |how| matches!(how, Misbehaviour::Whisperer(_)), "is lost"),
        (Rule::LastPromise, |how| matches!(how, Misbehaviour::FastLeader(_)), "is lost"),
        (Rule::Muting, |how| *how == Misbehaviour::Flood(Flood::Garbage), "false messages of the flood"),
        (Rule::Lanes, |how| *how == Misbehaviour::Flood(Flood::ProofsAtOpenings), "a share or key event"),
        (Rule::Queues, |how| *how == Misbehaviour::Flood(Flood::ProofsAtPromises), "bids that validator"),
        (Rule::GraceOverEpochs, |how| *how == Misbehaviour::EpochsEnd, "is lost"),
    ];
    for (rule, is, says) in attackers {
        let mut plans = attacked(is).map(|plan| Plan { undone: Some(rule), ..plan });
        assert!(plans.any(|plan| violations(&plan).contains(says)), "{rule:?}: no seed shows it");
    }
}

/// Who leads an epoch's last block and the next one's first finds a grace that f + 1 blocks would have ended.
#[test]
fn a_grace_over_an_epochs_end_needs_its_f_blocks_more() {
    let late = |plan: Plan| run(&plan).expect("one false validator is borne").late_in_grace;
    let needs = attacked(|how| *how == Misbehaviour::EpochsEnd).any(|plan| late(plan) > 0);
    assert!(needs, "no seed shows it");
}

/// The engine's epochs, which are shorter while the rule about them is undone, break nothing by themselves: it takes
/// whoever leads their ends.
#[test]
fn epochs_that_the_ledger_does_not_know_break_no_promise_without_their_attacker() {
    let plan = attacked(|how| matches!(how, Misbehaviour::Whisperer(_))).next().expect("a seed has it");
    let report = run(&Plan { undone: Some(Rule::GraceOverEpochs), ..plan }).expect("the rule is not needed");
    assert!(report.cleared >= 1, "{report:?}");
}
