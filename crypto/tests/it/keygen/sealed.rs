//! Sealed shares open for their receiver, in their session, from their dealer, with their package, and not otherwise.

use super::world::{World, at};
use veilgrid_crypto::keygen::{
    DealtShares, Delivery, DeliveryFault, Effect, Event, Group, OneTimeKey, SessionContext, Task,
    sealed_bytes,
};

/// Dealer 1 is the last to deliver; receiver 2's key is kept in bytes.
fn prepared() -> (World, [u8; 32]) {
    let mut world = World::generate(4, 1, 70);
    world.announce_all(&[]);
    for dealer in [2, 3, 4] {
        for event in [world.package(dealer), world.delivery(dealer)] {
            assert_eq!(world.apply(12, event), Ok(Effect::Accepted));
        }
    }
    let event = world.package(1);
    assert_eq!(world.apply(12, event), Ok(Effect::Accepted));
    let key = *world.one_time[1].as_ref().expect("a key").to_bytes().expose();
    (world, key)
}

fn honest(world: &mut World) -> Delivery {
    match world.delivery(1) {
        Event::Delivery(delivery) => delivery,
        _ => unreachable!("a delivery"),
    }
}

/// What receiver 2 finds when dealer 1 has signed this delivery.
fn found(world: &mut World, key: &[u8; 32], mut delivery: Delivery) -> Vec<DeliveryFault> {
    delivery.sign(&world.ctx(), &world.dealers[0], &mut world.rng);
    let mut session = world.session.clone();
    assert_eq!(session.apply(12, &Event::Delivery(delivery)), Ok(Effect::Accepted));
    let opened = session.open(2, OneTimeKey::from_bytes(key)).expect("dealing is over");
    opened.faults().to_vec()
}

const UNREADABLE: DeliveryFault = DeliveryFault::Unreadable { dealer: 1, receiver: 2 };

#[test]
fn every_byte_of_sealed_shares_matters() {
    let (mut world, key) = prepared();
    let delivery = honest(&mut world);
    assert_eq!(found(&mut world, &key, delivery.clone()), []);
    for byte in 0..sealed_bytes(1) {
        let mut changed = delivery.clone();
        changed.sealed[1].1[byte] ^= 1;
        assert_eq!(found(&mut world, &key, changed), [UNREADABLE], "byte {byte}");
    }
    // An encapsulated key of small order.
    let mut changed = delivery;
    changed.sealed[1].1[..32].fill(0);
    assert_eq!(found(&mut world, &key, changed), [UNREADABLE]);
}

#[test]
fn sealed_shares_are_bound_to_everything() {
    let (mut world, key) = prepared();
    let delivery = honest(&mut world);
    let good = world.ctx();
    let mut contexts = vec![
        SessionContext { task: Task::Refresh, ..good },
        SessionContext { ledger_id: [8; 32], ..good },
        SessionContext { session: good.session + 1, ..good },
        SessionContext { epoch: good.epoch + 1, ..good },
        SessionContext { keys: good.keys + 1, ..good },
        SessionContext { previous: [1; 32], ..good },
    ];
    let other = Group { validators: 5, threshold: 3 };
    let taller = Group { validators: 4, threshold: 4 };
    for group in [other, taller] {
        contexts.push(SessionContext { dealers: group, ..good });
        contexts.push(SessionContext { receivers: group, ..good });
    }
    let announced = world.session.announced();
    let shares = world.dealt[0].1.clone();
    let (signer, package) = (world.dealers[0].clone(), delivery.package);
    let mut variants: Vec<Delivery> = Vec::new();
    for ctx in contexts {
        variants.push(Delivery::seal(&ctx, 1, package, &shares, &announced, &signer, &mut world.rng));
    }
    // Another dealer's number, another package.
    variants.push(Delivery::seal(&good, 3, package, &shares, &announced, &signer, &mut world.rng));
    variants.push(Delivery::seal(&good, 1, [1; 32], &shares, &announced, &signer, &mut world.rng));
    // Another receiver's ciphertext, and receiver 2's shares sealed for receiver 3's key or under its number.
    let mut swapped = delivery.clone();
    swapped.sealed[1].1 = delivery.sealed[2].1.clone();
    variants.push(swapped);
    let mut keys = announced.clone();
    keys[1].1 = announced[2].1;
    variants.push(Delivery::seal(&good, 1, package, &shares, &keys, &signer, &mut world.rng));
    for variant in variants {
        let mut altered = delivery.clone();
        altered.sealed[1].1 = variant.sealed[1].1.clone();
        assert_eq!(found(&mut world, &key, altered), [UNREADABLE]);
    }
}

#[test]
fn what_opens_and_is_wrong_is_named() {
    let (mut world, key) = prepared();
    let delivery = honest(&mut world);
    let ctx = world.ctx();
    let mut sealed_as = |shares: &DealtShares| {
        let mut list = world.dealt[0].1.clone();
        list[1] = shares.clone();
        // The number decides what is sealed for whom.
        list[1].receiver = 2;
        let announced = world.session.announced();
        let signer = world.dealers[0].clone();
        let made = Delivery::seal(&ctx, 1, delivery.package, &list, &announced, &signer, &mut world.rng);
        found(&mut world, &key, made)
    };
    let (dealer, receiver) = (1, 2);
    let mut shares = prepared().0.dealt[0].1[1].clone();
    shares.dealer = 3;
    assert_eq!(sealed_as(&shares), [DeliveryFault::Misaddressed { dealer, receiver }]);
    shares.dealer = 0;
    assert!(matches!(sealed_as(&shares)[..], [DeliveryFault::Encoding { dealer: 1, receiver: 2, .. }]));
    let third = prepared().0.dealt[0].1[at(3)].clone();
    assert_eq!(sealed_as(&third), [DeliveryFault::FalseShare { dealer, receiver, key: 0 }]);
}

#[test]
fn a_delivery_is_for_exactly_the_announced_receivers() {
    let (mut world, _) = prepared();
    let delivery = honest(&mut world);
    let variants: [fn(&mut Delivery); 5] = [
        |d| drop(d.sealed.pop()),
        |d| d.sealed.swap(0, 1),
        |d| d.sealed.push(d.sealed[0].clone()),
        |d| d.sealed[0].0 = 9,
        |d| d.sealed[2].1.push(0),
    ];
    for (number, alter) in variants.iter().enumerate() {
        let mut changed = delivery.clone();
        alter(&mut changed);
        changed.sign(&world.ctx(), &world.dealers[0], &mut world.rng);
        let mut session = world.session.clone();
        let effect = session.apply(12, &Event::Delivery(changed));
        assert_eq!(effect, Ok(Effect::Excluded { dealer: 1 }), "variant {number}");
    }
}
