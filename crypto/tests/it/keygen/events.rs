//! Events that are early, late, repeated, foreign or altered: refused, with the signer named once it is certain.

use super::world::{World, at, signers};
use veilgrid_crypto::keygen::{
    Effect, Event, Group, KeyAnnouncement, OneTimeKey, Party, Phase, Refusal, SessionContext, Task, Verdict,
};
use veilgrid_crypto::wire::WireError;

/// One event of each kind, each with the session as it stood before.
fn one_of_each() -> Vec<(World, u64, Event)> {
    let build = || World::generate(4, 1, 80);
    let mut found = Vec::new();

    let mut world = build();
    let event = world.announcement(2);
    found.push((world, 1, event));

    let mut world = build();
    world.announce_all(&[]);
    let event = world.package(2);
    found.push((world, 12, event));

    let mut world = build();
    world.announce_all(&[]);
    let event = world.package(2);
    world.apply(12, event).expect("accepted");
    let event = world.delivery(2);
    found.push((world, 12, event));

    let mut world = build();
    world.announce_all(&[]);
    world.deal_all(&[]);
    let event = Verdict::sign(&world.ctx(), 2, vec![1], &world.receivers[1], &mut world.rng);
    found.push((world, 22, Event::Verdict(event)));

    let mut world = build();
    world.announce_all(&[]);
    world.deal_all(&[]);
    let complaint = Verdict::sign(&world.ctx(), 2, vec![1], &world.receivers[1], &mut world.rng);
    world.apply(22, Event::Verdict(complaint)).expect("accepted");
    for receiver in [1, 3, 4] {
        let event = world.verdict(receiver);
        world.apply(22, event).expect("accepted");
    }
    let event = world.answer(1, 2);
    found.push((world, 32, event));
    found
}

#[test]
fn every_byte_of_an_event_matters() {
    for (world, height, event) in one_of_each() {
        let (ctx, bytes) = (world.ctx(), event.to_bytes());
        let before = {
            let mut s = world.session.clone();
            s.advance(height).expect("height");
            s.digest()
        };
        for byte in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[byte] ^= 1;
            let Ok(altered) = Event::from_bytes(&changed, &ctx) else { continue };
            assert_eq!(altered.to_bytes(), changed, "one value, one encoding");
            let mut session = world.session.clone();
            let refusal = session.apply(height, &altered).expect_err("altered");
            assert_eq!(refusal.culprit(), None, "byte {byte} of {event:?}: a forger must not blame others");
            assert_eq!(session.digest(), before);
        }
        for length in 0..bytes.len() {
            assert!(Event::from_bytes(&bytes[..length], &ctx).is_err(), "length {length}");
        }
        assert_eq!(world.session.clone().apply(height, &event), Ok(Effect::Accepted));
    }
}

#[test]
fn events_of_another_session_are_refused() {
    for (world, height, event) in one_of_each() {
        let good = world.ctx();
        for ctx in [
            SessionContext { ledger_id: [8; 32], ..good },
            SessionContext { session: good.session + 1, ..good },
            SessionContext { epoch: good.epoch + 1, ..good },
            SessionContext { dealers: Group { threshold: 2, ..good.dealers }, ..good },
            SessionContext { receivers: Group { threshold: 4, ..good.receivers }, ..good },
            SessionContext { task: Task::Reshare, ..good },
            SessionContext { previous: [1; 32], ..good },
        ] {
            let resigned = resign(&world, &ctx, &event);
            let Some((resigned, party)) = resigned else { continue };
            let refusal = world.session.clone().apply(height, &resigned).expect_err("foreign");
            assert_eq!(refusal, Refusal::Signature { party });
        }
    }
}

/// The same event signed by its own party for another context.
fn resign(world: &World, ctx: &SessionContext, event: &Event) -> Option<(Event, Party)> {
    let mut rng = world.rng.clone();
    let (dealer, receiver) = (&world.dealers[1], &world.receivers[1]);
    Some(match event {
        Event::Announcement(_) => {
            let key = world.one_time[1].as_ref().expect("a key");
            (Event::Announcement(key.announce(ctx, 2, receiver, &mut rng)), Party::Receiver(2))
        }
        // Packages of a generation are tested in `packages.rs`.
        Event::Package(_) => return None,
        Event::Delivery(delivery) => {
            let mut delivery = delivery.clone();
            delivery.sign(ctx, dealer, &mut rng);
            (Event::Delivery(delivery), Party::Dealer(2))
        }
        Event::Verdict(verdict) => {
            let verdict = Verdict::sign(ctx, 2, verdict.complaints.clone(), receiver, &mut rng);
            (Event::Verdict(verdict), Party::Receiver(2))
        }
        Event::Answer(answer) => {
            let shares = answer.shares.clone();
            let answer = veilgrid_crypto::keygen::Answer::reveal(ctx, shares, &world.dealers[0], &mut rng);
            (Event::Answer(answer), Party::Dealer(1))
        }
    })
}

#[test]
fn early_late_and_repeated_events_name_their_signer() {
    let all = one_of_each();
    let due = [Phase::Announcing, Phase::Dealing, Phase::Dealing, Phase::Judging, Phase::Answering];
    for (place, (world, ..)) in all.iter().enumerate() {
        let phase = world.session.phase();
        for ((_, _, event), due) in all.iter().zip(due).filter(|(_, due)| *due != phase) {
            let refusal = world.session.clone().apply(due_height(phase), event).expect_err("wrong phase");
            let party = refusal.culprit().expect("the signer");
            let expected = if phase < due {
                Refusal::Early { party, due, phase }
            } else {
                Refusal::Late { party, due, phase }
            };
            assert_eq!(refusal, expected, "at {place}");
        }
    }
    for (place, (world, height, event)) in all.into_iter().enumerate() {
        let mut session = world.session.clone();
        assert_eq!(session.apply(height, &event), Ok(Effect::Accepted));
        let refusal = session.apply(height, &event).expect_err("twice");
        let party = refusal.culprit().expect("the signer");
        // The only complaint has been answered, which ends the session.
        let (due, phase) = (Phase::Answering, Phase::Ended);
        let last = Refusal::Late { party, due, phase };
        assert_eq!(refusal, if place == 4 { last } else { Refusal::Repeated { party } });
    }
}

fn due_height(phase: Phase) -> u64 {
    match phase {
        Phase::Announcing => 1,
        Phase::Dealing => 12,
        Phase::Judging => 22,
        Phase::Answering | Phase::Ended => 32,
    }
}

#[test]
fn parties_that_are_not_there_are_refused() {
    let mut world = World::generate(4, 1, 81);
    let stranger = &signers(1, 99)[0];
    for receiver in [0, 5, u16::MAX] {
        let key = OneTimeKey::generate(&mut world.rng);
        let event = Event::Announcement(key.announce(&world.ctx(), receiver, stranger, &mut world.rng));
        let party = Party::Receiver(receiver);
        assert_eq!(world.session.apply(1, &event), Err(Refusal::UnknownParty { party }));
    }
    let key = OneTimeKey::generate(&mut world.rng);
    let event = Event::Announcement(key.announce(&world.ctx(), 1, stranger, &mut world.rng));
    let party = Party::Receiver(1);
    assert_eq!(world.session.apply(1, &event), Err(Refusal::Signature { party }));
    // Another validator's announcement under one's own number.
    let Event::Announcement(other) = world.announcement(2) else { unreachable!() };
    let event = Event::Announcement(KeyAnnouncement { receiver: 1, ..other });
    assert_eq!(world.session.apply(1, &event), Err(Refusal::Signature { party }));
}

/// What a pool and a ledger ask before they copy a session for a trial says the same as the trial.
#[test]
fn a_signature_is_checked_without_the_rest() {
    for (mut world, height, event) in one_of_each() {
        world.session.advance(height).expect("height");
        assert_eq!(world.session.check_signature(&event), Ok(()));
        assert!(World::generate(4, 1, 81).session.check_signature(&event).is_err(), "for its session only");
        let mut bytes = event.to_bytes();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        let Ok(forged) = Event::from_bytes(&bytes, &world.ctx()) else { continue };
        let refusal = Refusal::Signature { party: event.party() };
        // The last bytes of an event are its signature.
        assert_eq!(world.session.check_signature(&forged), Err(refusal.clone()));
        assert_eq!(world.session.apply(height, &forged), Err(refusal));
    }
}

#[test]
fn one_time_keys_of_small_order_are_refused() {
    // A key pair's announcement is signed over any key that its receiver chooses.
    let mut world = World::generate(4, 1, 82);
    let ctx = world.ctx();
    let sign = |world: &mut World, key: [u8; 32]| {
        let mut t = merlin::Transcript::new(b"veilgrid/1/keygen/announcement");
        t.append_u64(b"version", 1);
        t.append_message(b"context", &ctx.to_bytes());
        t.append_message(b"message", &[&2u16.to_le_bytes()[..], &key].concat());
        let signature = world.receivers[1].sign(&mut t, &mut world.rng);
        Event::Announcement(KeyAnnouncement { receiver: 2, key, signature })
    };
    for key in [[0u8; 32], [0xff; 32]] {
        let event = sign(&mut world, key);
        let refusal = world.apply(1, event).unwrap_err();
        assert!(matches!(refusal, Refusal::OneTimeKey { receiver: 2, source: WireError::Invalid { .. } }));
        assert_eq!(refusal.culprit(), Some(Party::Receiver(2)));
    }
    // The signer may correct itself.
    let key = world.one_time[1].as_ref().expect("a key").public().to_bytes();
    let event = sign(&mut world, key);
    assert_eq!(world.apply(1, event), Ok(Effect::Accepted));
}

#[test]
fn verdicts_are_about_dealers_that_take_part() {
    let mut world = World::generate(4, 1, 83);
    world.announce_all(&[4]);
    world.deal_all(&[3]);
    let ctx = world.ctx();
    for (complaints, dealer) in [(vec![3], 3), (vec![5], 5), (vec![0], 0), (vec![2, 1], 1), (vec![1, 1], 1)] {
        let event = Verdict::sign(&ctx, 1, complaints.clone(), &world.receivers[0], &mut world.rng);
        let refusal = world.session.apply(22, &Event::Verdict(event)).unwrap_err();
        assert_eq!(refusal, Refusal::Complaint { receiver: 1, dealer }, "{complaints:?}");
    }
    let event = Verdict::sign(&ctx, 4, vec![], &world.receivers[at(4)], &mut world.rng);
    let refusal = world.session.apply(22, &Event::Verdict(event)).unwrap_err();
    assert_eq!(refusal, Refusal::NothingSealed { receiver: 4 });
    assert_eq!(refusal.culprit(), Some(Party::Receiver(4)));
    // On the wire such lists do not even decode.
    let event = Event::Verdict(Verdict::sign(&ctx, 1, vec![2, 1], &world.receivers[0], &mut world.rng));
    assert!(matches!(Event::from_bytes(&event.to_bytes(), &ctx), Err(WireError::Invalid { .. })));
}

#[test]
fn a_delivery_needs_its_package() {
    let mut world = World::generate(4, 1, 84);
    world.announce_all(&[]);
    let event = world.delivery(1);
    let refusal = world.apply(12, event).unwrap_err();
    assert_eq!((refusal.culprit(), refusal), (Some(Party::Dealer(1)), Refusal::NoPackage { dealer: 1 }));
}

#[test]
fn lengths_are_bounded_before_allocation() {
    let (world, _, event) = one_of_each().remove(1);
    for (kind, at) in [(1u8, 3), (2, 35), (3, 3), (4, 5)] {
        let mut bytes = event.to_bytes();
        bytes[0] = kind;
        bytes[at..at + 4].fill(0xff);
        assert!(Event::from_bytes(&bytes, &world.ctx()).is_err(), "kind {kind}");
    }
    assert!(Event::from_bytes(&[5], &world.ctx()).is_err());
}
