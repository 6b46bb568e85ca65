//! Refresh and resharing: the keys stay, the shares do not.

use super::share;
use super::world::{World, at, check_shares, combined, falsified, signers};
use veilgrid_crypto::keygen::{
    AbortReason, Agreement, DealerFault, Effect, Event, KeyGenError, KeyShares, Package, Refusal,
    RenewalPackage, SessionContext, Task, ThresholdKeys, deal_refresh, deal_resharing,
};
use veilgrid_crypto::schnorr::SigningKey;

/// A group with its keys and everybody's shares.
fn founded(n: u16, keys: u32, seed: u64) -> (ThresholdKeys, Vec<SigningKey>, Vec<KeyShares>) {
    let mut world = World::generate(n, keys, seed);
    let agreement = world.run(&[]);
    (agreement.public, world.dealers.clone(), world.held())
}

fn refreshed(world: &mut World, old: Vec<KeyShares>) -> Vec<KeyShares> {
    let opened: Vec<_> = world.opened.iter_mut().map(|opened| opened.take().expect("opened")).collect();
    let both = old.into_iter().zip(opened);
    both.map(|(old, opened)| world.session.refreshed_shares(old, opened).expect("refreshed")).collect()
}

#[test]
fn a_refresh_keeps_keys_and_makes_old_shares_useless() {
    for n in [4u16, 7, 16] {
        let (public, signers, old) = founded(n, 2, 100 + u64::from(n));
        let mut world = World::refresh(&public, &signers, 200);
        let agreement = world.run(&[3]);
        assert_eq!(agreement.dealer_faults, [(3, DealerFault::NoPackage)]);
        assert_eq!(agreement.public.keys(), public.keys());
        let fresh = refreshed(&mut world, old.clone());
        check_shares(&agreement.public, &fresh);
        let t = usize::from(public.threshold());
        for k in 0..2 {
            for i in 1..=n {
                assert_ne!(agreement.public.share_key(i, k), public.share_key(i, k));
                assert_ne!(share(&fresh[at(i)], k), share(&old[at(i)], k));
            }
            // Any mixture of t old and new shares.
            for stale in 1..t {
                let mixed: Vec<&KeyShares> = old[..stale].iter().chain(&fresh[stale..t]).collect();
                assert_ne!(combined(&mixed, k), *public.key(k), "{stale} stale shares");
            }
        }
        assert!(old.iter().all(|held| public.matches(held) && !agreement.public.matches(held)));
        assert!(fresh.iter().all(|held| agreement.public.matches(held) && !public.matches(held)));
    }
}

#[test]
fn a_second_refresh_follows_the_first() {
    let (public, signers, old) = founded(4, 1, 120);
    let mut first = World::refresh(&public, &signers, 220);
    let once = first.run(&[]).public;
    let shares = refreshed(&mut first, old.clone());
    let mut second = World::refresh(&once, &signers, 221);
    let twice = second.run(&[]).public;
    // Shares that missed a refresh are given back with the reason.
    let opened = second.opened[0].clone().expect("opened");
    let (back, error) = second.session.refreshed_shares(old[0].clone(), opened).unwrap_err();
    assert_eq!(error, KeyGenError::HeldShares { validator: 1 });
    assert!(public.matches(&back));
    let opened = second.opened[1].clone().expect("opened");
    let (back, error) = second.session.refreshed_shares(back, opened.clone()).unwrap_err();
    assert!(matches!(error, KeyGenError::Context { .. }) && back.index() == 1);
    assert!(matches!(second.session.key_shares(opened), Err(KeyGenError::Context { .. })));
    check_shares(&twice, &refreshed(&mut second, shares));
    assert_eq!(twice.keys(), public.keys());
}

#[test]
fn a_refresh_dealer_cannot_change_a_key() {
    let (public, signers, old) = founded(4, 2, 130);
    let mut world = World::refresh(&public, &signers, 230);
    // Sharings of something else than zero: the honest ones moved by a constant.
    let ctx = world.ctx();
    let moved = |index: usize| falsified(&world.dealt[1].1[index], 0, &ctx);
    world.dealt[1].1 = (0..4).map(moved).collect();
    let agreement = world.run(&[]);
    assert_eq!(agreement.dealer_faults, [(2, DealerFault::Accused { complaints: 4 })]);
    assert_eq!(agreement.public.keys(), public.keys());
    check_shares(&agreement.public, &refreshed(&mut world, old));
}

/// Hands the keys of `old` to `new` and checks them there.
fn handed_over(
    n: u16,
    new: &[SigningKey],
    silent: &[u16],
    seed: u64,
) -> (ThresholdKeys, Agreement, Vec<KeyShares>) {
    let (public, old, held) = founded(n, 2, seed);
    let mut world = World::reshare(&public, &old, &held, new, seed + 1);
    let agreement = world.run(silent);
    assert_eq!(agreement.public.keys(), public.keys());
    assert_eq!(usize::from(agreement.public.validators()), new.len());
    let fresh = world.held();
    check_shares(&agreement.public, &fresh);
    let t = usize::from(agreement.public.threshold());
    for k in 0..2 {
        let mixed: Vec<&KeyShares> = held[..1].iter().chain(&fresh[1..t]).collect();
        assert_ne!(combined(&mixed, k), *public.key(k));
    }
    (public, agreement, fresh)
}

#[test]
fn resharing_hands_keys_to_larger_smaller_and_equal_sets() {
    for (n, m) in [(4u16, 7u16), (7, 4), (4, 4), (4, 16), (16, 7), (7, 16), (5, 6)] {
        let (_, agreement, _) = handed_over(n, &signers(m, 900), &[2], 300 + u64::from(n * 20 + m));
        assert_eq!(agreement.public.threshold(), m - (m - 1) / 3);
        assert_eq!(agreement.dealer_faults, [(2, DealerFault::NoPackage)]);
        // The first t of those that qualify.
        let t = n - (n - 1) / 3;
        let expected: Vec<u16> = (1..=n).filter(|d| *d != 2).take(t.into()).collect();
        assert_eq!(agreement.dealers, expected);
    }
}

#[test]
fn sets_may_overlap() {
    let (public, old, held) = founded(4, 1, 310);
    // Validators 3 and 4 stay as 1 and 2, three are new.
    let mut new = vec![old[2].clone(), old[3].clone()];
    new.extend(signers(3, 901));
    let mut world = World::reshare(&public, &old, &held, &new, 311);
    let agreement = world.run(&[]);
    assert_eq!((agreement.public.keys(), agreement.dealers), (public.keys(), vec![1, 2, 3]));
    check_shares(&agreement.public, &world.held());
}

#[test]
fn a_validator_without_shares_gets_new_ones_by_resharing_to_the_same_set() {
    let mut world = World::generate(4, 1, 320);
    world.announce_all(&[2]);
    world.deal_all(&[]);
    world.judge_all(&[2]);
    let public = world.agreement().public;
    let held = world.held();
    assert_eq!(held.iter().map(KeyShares::index).collect::<Vec<_>>(), [1, 3, 4]);
    let signers = world.dealers.clone();
    let dealing: Vec<SigningKey> = held.iter().map(|shares| signers[at(shares.index())].clone()).collect();
    let mut ctx_world = World::refresh(&public, &signers, 321);
    let ctx = World::renewal(Task::Reshare, &public, public.group(), 322);
    let parties = super::world::parties(&signers, &signers);
    ctx_world.session =
        veilgrid_crypto::keygen::Session::new(ctx, super::world::SCHEDULE, parties, Some(public.clone()), 0)
            .expect("sound");
    for (shares, key) in held.iter().zip(&dealing) {
        let (package, dealt) = deal_resharing(&ctx, key, shares, &mut ctx_world.rng).expect("dealt");
        ctx_world.dealt[at(shares.index())] = (Package::Renewal(package), dealt);
    }
    let agreement = ctx_world.run(&[2]);
    let fresh = ctx_world.held();
    assert_eq!((agreement.public.keys(), fresh.len()), (public.keys(), 4));
    check_shares(&agreement.public, &fresh);
}

#[test]
fn a_holder_that_shares_something_else_is_named() {
    let (public, old, mut held) = founded(4, 2, 330);
    // Shares of other keys: a polynomial that is sound in itself, with another constant term.
    let (_, _, others) = founded(4, 2, 331);
    held[2] = others[2].clone();
    let mut world = World::reshare(&public, &old, &held, &signers(7, 902), 332);
    let agreement = world.run(&[]);
    assert_eq!(agreement.dealer_faults, [(3, DealerFault::Accused { complaints: 7 })]);
    assert_eq!((agreement.dealers, agreement.public.keys()), (vec![1, 2, 4], public.keys()));
    check_shares(&agreement.public, &world.held());

    // A second one is too many.
    held[0] = others[0].clone();
    let mut world = World::reshare(&public, &old, &held, &signers(7, 902), 333);
    world.announce_all(&[]);
    world.deal_all(&[]);
    world.judge_all(&[]);
    let abort = world.abort();
    assert_eq!(abort.reason, AbortReason::TooFewDealers { found: 2, needed: 3 });
    assert_eq!(abort.dealer_faults.iter().map(|(dealer, _)| *dealer).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn complaints_of_a_resharing_are_answered() {
    let (public, old, held) = founded(4, 1, 340);
    let mut world = World::reshare(&public, &old, &held, &signers(4, 903), 341);
    let ctx = world.ctx();
    let truth = world.dealt[0].1.clone();
    world.dealt[0].1[2] = falsified(&truth[2], 0, &ctx);
    world.announce_all(&[]);
    world.deal_all(&[]);
    world.dealt[0].1 = truth;
    world.judge_all(&[]);
    let event = world.answer(1, 3);
    assert_eq!(world.apply(32, event), Ok(Effect::Accepted));
    let agreement = world.agreement();
    assert_eq!(agreement.public.keys(), public.keys());
    check_shares(&agreement.public, &world.held());
}

/// The numbers that convict are those of the group that may be false, and reveals count dealer by dealer: as many
/// disputes as both groups' false members can make stop no resharing.
#[test]
fn disputes_stop_no_resharing_between_groups_of_different_sizes() {
    // f = 1 and f' = 2: dealer 1 is false to two, receivers 3 and 4 complain falsely about dealer 2.
    let to_seven = (4, 7, vec![(1, 1), (1, 2), (2, 3), (2, 4)]);
    // f = 2 and f' = 1: the dealers 1 and 2 are false to one each, receiver 3 complains falsely about two.
    let to_four = (7, 4, vec![(1, 1), (2, 2), (4, 3), (5, 3)]);
    for (n, m, disputes) in [to_seven, to_four] {
        let (public, old, held) = founded(n, 1, 350 + u64::from(n));
        let mut world = World::reshare(&public, &old, &held, &signers(m, 904), 360);
        let ctx = world.ctx();
        let truth = world.dealt.clone();
        for (dealer, receiver) in &disputes {
            let shares = &mut world.dealt[at(*dealer)].1[at(*receiver)];
            *shares = falsified(shares, 0, &ctx);
        }
        world.announce_all(&[]);
        world.deal_all(&[]);
        world.dealt = truth;
        world.judge_all(&[]);
        for (dealer, receiver) in disputes {
            let event = world.answer(dealer, receiver);
            assert_eq!(world.apply(32, event), Ok(Effect::Accepted));
        }
        let agreement = world.agreement();
        assert_eq!(agreement.public.keys(), public.keys(), "{n} to {m}");
        assert_eq!((agreement.dealer_faults, agreement.receiver_faults), (vec![], vec![]));
        check_shares(&agreement.public, &world.held());
    }
    // One complaint more about dealer 1 than receivers can be false: convicted without an answer.
    let (public, old, held) = founded(7, 1, 370);
    let mut world = World::reshare(&public, &old, &held, &signers(4, 905), 371);
    let ctx = world.ctx();
    for receiver in [1, 2] {
        let shares = &mut world.dealt[0].1[at(receiver)];
        *shares = falsified(shares, 0, &ctx);
    }
    world.announce_all(&[]);
    world.deal_all(&[]);
    world.judge_all(&[]);
    assert_eq!(world.agreement().dealer_faults, [(1, DealerFault::Accused { complaints: 2 })]);
}

#[test]
fn renewal_packages_have_one_form_and_are_bound_to_their_session() {
    let (public, signers, held) = founded(4, 2, 350);
    let mut world = World::refresh(&public, &signers, 351);
    world.announce_all(&[]);
    let (good, signer) = (world.ctx(), signers[1].clone());
    let Package::Renewal(package) = world.dealt[1].0.clone() else { unreachable!() };
    let bytes = package.to_bytes();
    assert_eq!(RenewalPackage::from_bytes(&bytes, &good), Ok(package.clone()));
    let refused = |world: &World, package: RenewalPackage| {
        let event = Event::Package(Package::Renewal(package));
        world.session.clone().apply(12, &event)
    };
    for byte in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[byte] ^= 1;
        if let Ok(altered) = RenewalPackage::from_bytes(&changed, &good) {
            let refusal = refused(&world, altered).expect_err("altered");
            assert_eq!(refusal.culprit(), None, "byte {byte}");
        }
    }
    for length in 0..bytes.len() {
        assert!(RenewalPackage::from_bytes(&bytes[..length], &good).is_err());
    }
    for ctx in [
        SessionContext { ledger_id: [8; 32], ..good },
        SessionContext { session: good.session + 1, ..good },
        SessionContext { epoch: good.epoch + 1, ..good },
        SessionContext { task: Task::Reshare, ..good },
        SessionContext { previous: [1; 32], ..good },
    ] {
        let mut foreign = package.clone();
        foreign.sign(&ctx, &signer, &mut world.rng);
        let party = veilgrid_crypto::keygen::Party::Dealer(2);
        assert_eq!(refused(&world, foreign), Err(Refusal::Signature { party }), "{ctx:?}");
    }
    // Signed and of another shape, with the identity, with no point.
    type Shape = (fn(&mut RenewalPackage), fn(&KeyGenError) -> bool);
    let shapes: [Shape; 4] = [
        (
            |p| p.commitments[1].truncate(1),
            |e| matches!(e, KeyGenError::CommitmentCount { key: 1, found: 1, .. }),
        ),
        (|p| drop(p.commitments.pop()), |e| matches!(e, KeyGenError::KeyCount { found: 1, .. })),
        (|p| p.commitments[0][1] = [0; 32], |e| matches!(e, KeyGenError::Commitment { coefficient: 2, .. })),
        (
            |p| p.commitments[0][0] = [0xff; 32],
            |e| matches!(e, KeyGenError::Commitment { coefficient: 1, .. }),
        ),
    ];
    for (number, (alter, expected)) in shapes.into_iter().enumerate() {
        let mut altered = package.clone();
        alter(&mut altered);
        altered.sign(&good, &signer, &mut world.rng);
        let mut session = world.session.clone();
        let effect = session.apply(12, &Event::Package(Package::Renewal(altered)));
        assert_eq!(effect, Ok(Effect::Excluded { dealer: 2 }), "shape {number}");
        let faults = session.dealer_faults();
        assert!(matches!(&faults[..], [(2, DealerFault::Package(error))] if expected(error)), "{faults:?}");
    }
    // A package of the other kind of task is not signed for this one.
    let generation = World::generate(4, 2, 352).package(2);
    assert!(matches!(world.session.clone().apply(12, &generation), Err(Refusal::Signature { .. })));
    // Wrong calls.
    let wrong = SessionContext { task: Task::Reshare, ..good };
    let mut rng = world.rng.clone();
    assert!(matches!(deal_refresh(&wrong, &signer, 2, &mut rng), Err(KeyGenError::Context { .. })));
    assert!(matches!(deal_resharing(&good, &signer, &held[1], &mut rng), Err(KeyGenError::Context { .. })));
    assert!(matches!(deal_refresh(&good, &signer, 5, &mut rng), Err(KeyGenError::UnknownDealer { .. })));
    let more = SessionContext { keys: 3, ..wrong };
    assert!(matches!(
        deal_resharing(&more, &signer, &held[1], &mut rng),
        Err(KeyGenError::ShareCount { .. })
    ));
}
