//! Complaints and their answers: who is named, who is left out, when everybody aborts.

use super::world::{World, at, check_shares, falsified};
use veilgrid_crypto::keygen::{
    AbortReason, DealerFault, DeliveryFault, Effect, Event, KeyGenError, Package, Party, Phase,
    ReceiverFault, Refusal, Verdict,
};

/// A world in which each dealer of `false_to` has sealed a false share of key 1 for each of its receivers, judged.
/// The dealer's own copy stays true.
fn disputed(n: u16, seed: u64, false_to: &[(u16, u16)]) -> World {
    let mut world = World::generate(n, 2, seed);
    world.announce_all(&[]);
    let ctx = world.ctx();
    for dealer in 1..=n {
        let truth = world.dealt[at(dealer)].1.clone();
        for (_, receiver) in false_to.iter().filter(|(d, _)| *d == dealer) {
            let shares = &mut world.dealt[at(dealer)].1[at(*receiver)];
            *shares = falsified(shares, 1, &ctx);
        }
        for event in [world.package(dealer), world.delivery(dealer)] {
            assert_eq!(world.apply(12, event), Ok(Effect::Accepted));
        }
        world.dealt[at(dealer)].1 = truth;
    }
    world.judge_all(&[]);
    world
}

#[test]
fn an_answered_complaint_gives_the_receiver_its_shares() {
    let mut world = disputed(4, 1, &[(3, 2)]);
    assert_eq!(world.session.phase(), Phase::Answering);
    assert_eq!(world.session.verdict_of(2), Some(&[3][..]));
    let faults = world.opened[1].as_ref().expect("opened").faults();
    assert_eq!(faults, [DeliveryFault::FalseShare { dealer: 3, receiver: 2, key: 1 }]);
    assert_eq!(world.session.complaints_against(3), [2]);
    let event = world.answer(3, 2);
    assert_eq!(world.apply(32, event), Ok(Effect::Accepted));
    let agreement = world.agreement();
    assert_eq!((agreement.dealers, agreement.dealer_faults), (vec![1, 2, 3, 4], vec![]));
    check_shares(&agreement.public, &world.held());
}

#[test]
fn an_unanswered_complaint_excludes_the_dealer() {
    let mut world = disputed(4, 2, &[(3, 2)]);
    world.session.advance(40).expect("height");
    assert_eq!(world.session.phase(), Phase::Answering);
    world.session.advance(41).expect("height");
    let agreement = world.agreement();
    assert_eq!(agreement.dealers, [1, 2, 4]);
    assert_eq!(agreement.dealer_faults, [(3, DealerFault::Unanswered { receiver: 2 })]);
    // The excluded dealer has its shares as well.
    check_shares(&agreement.public, &world.held());
}

#[test]
fn a_false_answer_excludes_the_dealer() {
    let mut world = disputed(4, 3, &[(3, 2)]);
    let ctx = world.ctx();
    world.dealt[2].1[1] = falsified(&world.dealt[2].1[1], 1, &ctx);
    let event = world.answer(3, 2);
    assert_eq!(world.apply(32, event), Ok(Effect::Excluded { dealer: 3 }));
    let agreement = world.agreement();
    assert_eq!(agreement.dealer_faults, [(3, DealerFault::FalseAnswer { receiver: 2, key: 1 })]);
    check_shares(&agreement.public, &world.held());
}

#[test]
fn more_complaints_than_false_receivers_convict_the_dealer() {
    let mut world = disputed(7, 4, &[(3, 1), (3, 2), (3, 5)]);
    let agreement = world.agreement();
    assert_eq!(agreement.dealer_faults, [(3, DealerFault::Accused { complaints: 3 })]);
    check_shares(&agreement.public, &world.held());
    // Two complaints are within what two false receivers can do.
    let world = disputed(7, 5, &[(3, 1), (3, 2)]);
    assert_eq!((world.session.phase(), world.session.complaints_against(3)), (Phase::Answering, vec![1, 2]));
}

#[test]
fn more_complaints_than_false_dealers_convict_the_receiver() {
    let mut world = World::generate(4, 1, 6);
    world.announce_all(&[]);
    world.deal_all(&[]);
    let liar = Verdict::sign(&world.ctx(), 1, vec![2, 3], &world.receivers[0], &mut world.rng);
    assert_eq!(world.apply(22, Event::Verdict(liar)), Ok(Effect::Accepted));
    for receiver in 2..=4 {
        let event = world.verdict(receiver);
        world.apply(22, event).expect("accepted");
    }
    let agreement = world.agreement();
    assert_eq!(agreement.receiver_faults, [(1, ReceiverFault::FalseComplaints { complaints: 2 })]);
    assert_eq!(agreement.dealers, [1, 2, 3, 4]);
}

/// Threat: validator 3 seals false shares for 2 and complains about 4, in every session. Both answers are true, so
/// that nobody is convicted; were that an abort, there would never be keys.
#[test]
fn one_false_validator_with_two_disputes_stops_no_session() {
    let disputes = [(3, 2), (4, 3)];
    let mut world = disputed(4, 13, &disputes);
    for (dealer, receiver) in disputes {
        assert_eq!(world.session.phase(), Phase::Answering);
        let event = world.answer(dealer, receiver);
        assert_eq!(world.apply(32, event), Ok(Effect::Accepted));
    }
    let agreement = world.agreement();
    assert_eq!((agreement.dealers, agreement.dealer_faults), (vec![1, 2, 3, 4], vec![]));
    assert_eq!(agreement.receiver_faults, []);
    check_shares(&agreement.public, &world.held());
}

/// Reveals of different dealers do not add up; an unanswered complaint costs its own dealer only.
#[test]
fn reveals_are_counted_dealer_by_dealer() {
    let disputes = [(1, 5), (1, 6), (2, 6), (2, 7), (3, 7)];
    let mut world = disputed(7, 7, &disputes);
    for (dealer, receiver) in disputes {
        assert_eq!(world.session.phase(), Phase::Answering);
        let event = world.answer(dealer, receiver);
        assert_eq!(world.apply(32, event), Ok(Effect::Accepted));
    }
    let agreement = world.agreement();
    assert_eq!(agreement.dealer_faults, []);
    check_shares(&agreement.public, &world.held());
    // The third dealer stays silent.
    let mut world = disputed(7, 8, &disputes);
    for (dealer, receiver) in &disputes[..4] {
        let event = world.answer(*dealer, *receiver);
        world.apply(32, event).expect("accepted");
    }
    world.session.advance(41).expect("height");
    let agreement = world.agreement();
    assert_eq!(agreement.dealer_faults, [(3, DealerFault::Unanswered { receiver: 7 })]);
    check_shares(&agreement.public, &world.held());
}

/// Where nobody may be false (f' = 0) numbers convict nobody, and one reveal is too many.
#[test]
fn a_reveal_aborts_where_nobody_may_be_false() {
    let mut world = disputed(3, 14, &[(1, 2), (1, 3)]);
    assert_eq!((world.session.phase(), world.session.complaints_against(1)), (Phase::Answering, vec![2, 3]));
    let event = world.answer(1, 2);
    assert_eq!(world.apply(32, event), Ok(Effect::Accepted));
    let expected = AbortReason::TooManyReveals { disputes: vec![(1, 2)], allowed: 0 };
    assert_eq!(world.abort().reason, expected);
}

#[test]
fn exclusions_down_to_fewer_than_t_dealers_abort() {
    let mut world = World::generate(4, 1, 9);
    world.announce_all(&[]);
    let ctx = world.ctx();
    world.dealt[0].1[1] = falsified(&world.dealt[0].1[1], 0, &ctx);
    world.deal_all(&[4]);
    world.judge_all(&[]);
    world.session.advance(41).expect("height");
    let abort = world.abort();
    assert_eq!(abort.reason, AbortReason::TooFewDealers { found: 2, needed: 3 });
    let faults = [(1, DealerFault::Unanswered { receiver: 2 }), (4, DealerFault::NoPackage)];
    assert_eq!(abort.dealer_faults, faults);
}

#[test]
fn answers_that_nobody_asked_for_are_refused() {
    let mut world = disputed(7, 10, &[(3, 2), (4, 2)]);
    let unasked = [world.answer(3, 1), world.answer(5, 2)];
    for (event, (dealer, receiver)) in unasked.into_iter().zip([(3, 1), (5, 2)]) {
        let refusal = world.apply(32, event).unwrap_err();
        assert_eq!(refusal, Refusal::NoComplaint { dealer, receiver });
        assert_eq!(refusal.culprit(), Some(Party::Dealer(dealer)));
    }
    let event = world.answer(3, 2);
    assert_eq!(world.apply(32, event.clone()), Ok(Effect::Accepted));
    assert_eq!(world.apply(32, event), Err(Refusal::Repeated { party: Party::Dealer(3) }));
}

#[test]
fn false_packages_exclude_their_dealers() {
    let mut world = World::generate(7, 2, 11);
    world.announce_all(&[]);
    let ctx = world.ctx().generation();
    // A false proof, signed.
    let Package::Generation(mut package) = world.dealt[0].0.clone() else { unreachable!() };
    package.proofs[1][40] ^= 1;
    package.sign(&ctx, &world.dealers[0], &mut world.rng);
    let event = Event::Package(Package::Generation(package));
    assert_eq!(world.apply(12, event.clone()), Ok(Effect::Excluded { dealer: 1 }));
    assert_eq!(world.apply(12, event), Err(Refusal::Excluded { dealer: 1 }));
    // A true one comes too late, and nothing is delivered by an excluded dealer.
    for event in [world.package(1), world.delivery(1)] {
        assert_eq!(world.apply(12, event), Err(Refusal::Excluded { dealer: 1 }));
    }
    // The constant terms of dealer 2, whom dealer 3 knows well.
    let source = || <rand_chacha::ChaCha20Rng as rand_core::SeedableRng>::seed_from_u64(5);
    for dealer in [2u16, 3] {
        let dealt = veilgrid_crypto::keygen::deal(&ctx, &world.dealers[at(dealer)], dealer, &mut source());
        let (package, shares) = dealt.expect("dealt");
        world.dealt[at(dealer)] = (Package::Generation(package), shares);
    }
    let events = [world.package(2), world.package(3)];
    let effects = events.map(|event| world.apply(12, event));
    assert_eq!(effects, [Ok(Effect::Accepted), Ok(Effect::Excluded { dealer: 3 })]);
    let repeated = KeyGenError::RepeatedConstant { dealer: 3, key: 0, first_dealer: 2, first_key: 0 };
    let faults = [
        (1, DealerFault::Package(KeyGenError::Proof { dealer: 1, key: 1 })),
        (3, DealerFault::Package(repeated)),
    ];
    assert_eq!(world.session.dealer_faults(), faults);
}

#[test]
fn a_dealer_that_tells_two_stories_is_named() {
    let mut world = World::generate(4, 1, 12);
    world.announce_all(&[]);
    let first = world.package(2);
    assert_eq!(world.apply(12, first), Ok(Effect::Accepted));
    let dealt =
        veilgrid_crypto::keygen::deal(&world.ctx().generation(), &world.dealers[1], 2, &mut world.rng);
    let (package, shares) = dealt.expect("dealt");
    world.dealt[1] = (Package::Generation(package), shares);
    let second = world.package(2);
    let refusal = world.apply(12, second).unwrap_err();
    assert_eq!(
        (refusal.culprit(), refusal),
        (Some(Party::Dealer(2)), Refusal::Repeated { party: Party::Dealer(2) })
    );
    let delivery = world.delivery(2);
    assert_eq!(world.apply(12, delivery), Ok(Effect::Excluded { dealer: 2 }));
    assert_eq!(world.session.dealer_faults(), [(2, DealerFault::OtherPackage)]);
}
