//! Sessions without complaints: honest ones, silent parties, deadlines.

use super::world::{SCHEDULE, World, at, check_shares, parties, signers};
use veilgrid_crypto::keygen::{
    AbortReason, DealerFault, Effect, Event, Group, KeyGenError, Opened, Parties, Party, Phase,
    ReceiverFault, Refusal, Schedule, Session, SessionContext, Task,
};

#[test]
fn one_silent_dealer_of_4_7_and_16_is_named_and_still_receives() {
    for n in [4u16, 7, 16] {
        let mut world = World::generate(n, 2, n.into());
        let agreement = world.run(&[2]);
        assert_eq!(agreement.dealer_faults, [(2, DealerFault::NoPackage)]);
        assert_eq!(agreement.dealers, (1..=n).filter(|d| *d != 2).collect::<Vec<_>>());
        assert_eq!(agreement.receiver_faults, []);
        let held = world.held();
        assert_eq!(held.len(), usize::from(n));
        check_shares(&agreement.public, &held);
    }
}

#[test]
fn without_faults_no_deadline_is_waited_for() {
    let mut world = World::generate(4, 3, 1);
    let agreement = world.run(&[]);
    assert_eq!((agreement.dealers.len(), agreement.dealer_faults.len()), (4, 0));
    check_shares(&agreement.public, &world.held());
    assert!(world.log.iter().all(|(height, _)| *height <= 22));
}

#[test]
fn same_events_same_keys() {
    let mut world = World::generate(4, 2, 2);
    world.run(&[3]);
    let replay = |log: &[(u64, Event)]| {
        let parties = parties(&world.dealers, &world.receivers);
        let mut session = Session::new(world.ctx(), SCHEDULE, parties, None, 0).expect("sound");
        for (height, event) in log {
            session.apply(*height, event).expect("accepted before");
        }
        (session.outcome().cloned(), session.digest())
    };
    let (outcome, digest) = replay(&world.log);
    assert_eq!((outcome.as_ref(), digest), (world.session.outcome(), world.session.digest()));
    let mut reordered = world.log.clone();
    let last = reordered.len() - 1;
    reordered.swap(last, last - 1);
    let (same, other) = replay(&reordered);
    assert_eq!(same, outcome);
    assert_ne!(other, digest);
}

#[test]
fn a_dealer_without_delivery_is_named() {
    let mut world = World::generate(4, 1, 3);
    world.announce_all(&[]);
    let event = world.package(4);
    assert_eq!(world.apply(12, event), Ok(Effect::Accepted));
    world.deal_all(&[4]);
    world.judge_all(&[]);
    assert_eq!(world.agreement().dealer_faults, [(4, DealerFault::NoDelivery)]);
}

#[test]
fn fewer_than_t_dealers_abort() {
    let mut world = World::generate(4, 1, 4);
    world.announce_all(&[]);
    world.deal_all(&[1, 2]);
    let abort = world.abort();
    assert_eq!(abort.reason, AbortReason::TooFewDealers { found: 2, needed: 3 });
    assert_eq!(abort.dealer_faults, [(1, DealerFault::NoPackage), (2, DealerFault::NoPackage)]);
    let opened = world.session.open(1, world.one_time[0].take().expect("a key")).expect("dealing is over");
    assert!(matches!(world.session.key_shares(opened), Err(KeyGenError::Context { .. })));
}

#[test]
fn silent_receivers_are_named_and_fewer_than_t_others_abort() {
    let mut world = World::generate(4, 1, 5);
    world.announce_all(&[1]);
    world.deal_all(&[]);
    world.judge_all(&[1]);
    assert_eq!(world.agreement().receiver_faults, [(1, ReceiverFault::NoKey)]);

    let mut world = World::generate(4, 1, 6);
    world.announce_all(&[]);
    world.deal_all(&[]);
    world.judge_all(&[3]);
    let agreement = world.agreement();
    assert_eq!(agreement.receiver_faults, [(3, ReceiverFault::NoVerdict)]);
    // It was only away: its shares are on the ledger.
    world.verdict(3);
    assert_eq!(world.held().len(), 4);

    let mut world = World::generate(4, 1, 7);
    world.announce_all(&[1, 2]);
    assert_eq!(world.abort().reason, AbortReason::TooFewReceivers { found: 2, needed: 3 });

    let mut world = World::generate(4, 1, 8);
    world.announce_all(&[1]);
    world.deal_all(&[]);
    world.judge_all(&[1, 2]);
    let abort = world.abort();
    assert_eq!(abort.reason, AbortReason::TooFewReceivers { found: 2, needed: 3 });
    assert_eq!(abort.receiver_faults, [(1, ReceiverFault::NoKey), (2, ReceiverFault::NoVerdict)]);
}

#[test]
fn deadlines_are_the_last_height_that_counts() {
    let mut world = World::generate(4, 1, 9);
    for receiver in 1..=3 {
        let event = world.announcement(receiver);
        world.apply(1, event).expect("in time");
    }
    let event = world.announcement(4);
    let mut late = World::generate(4, 1, 9);
    late.session = world.session.clone();
    assert_eq!(world.apply(SCHEDULE.announce_until, event.clone()), Ok(Effect::Accepted));
    assert_eq!(world.session.phase(), Phase::Dealing);
    let refusal = late.apply(SCHEDULE.announce_until + 1, event).unwrap_err();
    let (party, due, phase) = (Party::Receiver(4), Phase::Announcing, Phase::Dealing);
    assert_eq!(refusal, Refusal::Late { party, due, phase });
    assert_eq!(refusal.culprit(), Some(party));
    assert_eq!(late.session.receiver_faults(), [(4, ReceiverFault::NoKey)]);
    assert_eq!(late.session.advance(3), Err(Refusal::Height { height: 3, seen: 11 }));
    // A jump over all deadlines ends the session.
    late.session.advance(1000).expect("height");
    assert_eq!(late.abort().reason, AbortReason::TooFewDealers { found: 0, needed: 3 });
}

#[test]
fn one_time_keys_and_opened_shares_survive_a_restart() {
    let mut world = World::generate(4, 2, 10);
    let stored = world.one_time[1].as_ref().expect("a key").to_bytes();
    world.announce_all(&[]);
    let early = world.one_time[1].take().expect("a key");
    let back = world.session.open(2, early).expect_err("nothing to open yet");
    assert_eq!(back.to_bytes().expose(), stored.expose());
    world.one_time[1] = Some(veilgrid_crypto::keygen::OneTimeKey::from_bytes(stored.expose()));
    world.deal_all(&[]);
    world.judge_all(&[]);
    let opened = world.opened[1].take().expect("opened");
    assert_eq!((opened.receiver(), opened.faults().len()), (2, 0));
    let bytes = opened.to_bytes();
    let again = world.session.opened_from_bytes(bytes.expose()).expect("own encoding");
    assert_eq!(again.to_bytes().expose(), bytes.expose());
    for length in 0..bytes.expose().len() {
        assert!(world.session.opened_from_bytes(&bytes.expose()[..length]).is_err(), "length {length}");
    }
    assert!(!format!("{again:?}").contains("Scalar"));
    let held = world.session.key_shares(again).expect("true shares");
    assert!(world.agreement().public.matches(&held));
    // Shares of another receiver under this one's number do not pass.
    let mut others: Vec<u8> = world.opened[2].as_ref().expect("opened").to_bytes().expose().clone();
    others[0] = 2;
    let swapped: Opened = world.session.opened_from_bytes(&others).expect("canonical");
    assert_eq!(world.session.key_shares(swapped).unwrap_err(), KeyGenError::HeldShares { validator: 2 });
}

#[test]
fn setups_that_do_not_fit_are_refused() {
    let signers = signers(4, 11);
    let both = parties(&signers, &signers);
    let ctx = SessionContext::generate([1; 32], 1, 1, Group::of(4), 2);
    let new = |ctx, schedule, parties: &Parties, previous| {
        Session::new(ctx, schedule, parties.clone(), previous, 0).map(|_| ()).unwrap_err()
    };
    assert!(Session::new(ctx, SCHEDULE, both.clone(), None, 0).is_ok());
    let mut few = both.clone();
    few.receivers.pop();
    assert_eq!(new(ctx, SCHEDULE, &few, None), KeyGenError::DealerKeys { found: 3, expected: 4 });
    few = both.clone();
    few.receivers.swap(0, 1);
    assert!(matches!(new(ctx, SCHEDULE, &few, None), KeyGenError::Context { .. }));
    for schedule in [
        Schedule { announce_until: 0, ..SCHEDULE },
        Schedule { deal_until: 10, ..SCHEDULE },
        Schedule { judge_until: 20, ..SCHEDULE },
        Schedule { answer_until: 30, ..SCHEDULE },
    ] {
        assert!(matches!(new(ctx, schedule, &both, None), KeyGenError::Context { .. }), "{schedule:?}");
    }
    let mut world = World::generate(4, 2, 12);
    let public = world.run(&[]).public;
    let refresh = World::renewal(Task::Refresh, &public, Group::of(4), 2);
    assert!(Session::new(refresh, SCHEDULE, both.clone(), Some(public.clone()), 0).is_ok());
    assert!(matches!(new(ctx, SCHEDULE, &both, Some(public.clone())), KeyGenError::Context { .. }));
    assert!(matches!(new(refresh, SCHEDULE, &both, None), KeyGenError::Context { .. }));
    let fewer = SessionContext { keys: 1, ..refresh };
    let other = SessionContext { previous: [1; 32], ..refresh };
    for ctx in [fewer, other] {
        assert!(matches!(new(ctx, SCHEDULE, &both, Some(public.clone())), KeyGenError::Context { .. }));
    }
    assert!(world.session.verdict_of(0).is_none() && world.session.verdict_of(5).is_none());
    assert_eq!(world.session.verdict_of(1), Some(&[][..]));
    assert!(
        world.session.has_package(1) && world.session.has_delivered(1) && !world.session.has_delivered(0)
    );
    assert_eq!(at(1), 0);
}
