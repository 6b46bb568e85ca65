//! Whatever is changed in a day or in its context, it is refused and nobody else's is.

use super::World;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use veilgrid_crypto::reading::{
    DayContext, DayFault, DayHeader, DayParams, DayStatement, Direction, Grade, Kind, SealedDay, check_day,
    verify_days,
};

#[test]
fn a_flipped_bit_in_any_byte_is_refused_and_the_culprit_named() {
    for (bits, keys, slots, missing) in [(8, 6, 5, vec![]), (16, 9, 9, vec![2, 7])] {
        let mut world = World::new(bits, keys, slots);
        let (day, honest) = (world.day(&missing), world.day(&[]));
        assert_eq!(world.fault(&day, &honest), None);
        let bytes = day.to_bytes();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1 << ((5 * place + place / 8) % 8);
            // A grade that comes or goes changes the length, a kind or direction may be unknown.
            let Ok(changed) = SealedDay::from_bytes(&changed, &world.params, usize::from(slots)) else {
                assert!((32..70 + usize::from(slots).div_ceil(4)).contains(&place), "byte {place}");
                continue;
            };
            assert!(world.fault(&changed, &honest).is_some(), "{bits} bits, {slots} slots, byte {place}");
        }
    }
}

#[test]
fn every_field_of_the_header_is_bound() {
    let mut world = World::new(8, 4, 4);
    let (day, honest) = (world.day(&[1]), world.day(&[]));
    let change = |change: &dyn Fn(&mut DayHeader)| {
        let mut changed = day.clone();
        change(&mut changed.header);
        world.fault(&changed, &honest)
    };
    assert_eq!(change(&|_| ()), None);
    let changes: [&dyn Fn(&mut DayHeader); 7] = [
        &|header| header.account[31] ^= 1,
        &|header| header.direction = Direction::Generation,
        &|header| header.kind = Kind::Shared,
        &|header| header.revision = 1,
        &|header| header.previous[0] = 1,
        &|header| header.grades[0] = Grade::Estimated,
        // The same number of points, at other slots.
        &|header| header.grades.swap(1, 2),
    ];
    for (at, one) in changes.into_iter().enumerate() {
        assert_eq!(change(one), Some(DayFault::Values), "change {at}");
    }
    let another_length: [&dyn Fn(&mut DayHeader); 4] = [
        &|header| header.grades[1] = Grade::Measured,
        &|header| header.grades[0] = Grade::Missing,
        &|header| header.grades.push(Grade::Missing),
        &|header| header.grades.truncate(3),
    ];
    for (at, one) in another_length.into_iter().enumerate() {
        assert!(matches!(change(one), Some(DayFault::Malformed(_))), "change {at}");
    }
}

#[test]
fn every_field_of_the_context_is_bound() {
    let mut world = World::new(8, 4, 4);
    let day = world.day(&[]);
    let verdict = |params: &DayParams, context: &DayContext| {
        let statement = DayStatement { context, day: &day };
        let batch = verify_days(params, &[statement]).swap_remove(0).err();
        assert_eq!(check_day(params, &statement).err(), batch);
        batch
    };
    assert_eq!(verdict(&world.params, &world.context), None);
    let context = world.context;
    let others = [
        DayContext { ledger_id: [9; 32], ..context },
        DayContext { key_epoch: 3, ..context },
        DayContext { market: [9; 32], ..context },
        DayContext { authority: [9; 32], ..context },
        DayContext { day_start_unix_s: context.day_start_unix_s + 86_400, ..context },
        DayContext { slot_seconds: 3_600, ..context },
    ];
    for other in &others {
        assert_eq!(verdict(&world.params, other), Some(DayFault::Values), "{other:?}");
    }
    assert!(verdict(&world.params, &DayContext { slots: 3, ..context }).is_some());
    for slot in 0..4 {
        let mut keys = world.params.slot_keys().to_vec();
        keys[slot] += RISTRETTO_BASEPOINT_POINT;
        let other = DayParams::new(8, keys).expect("valid");
        assert_eq!(verdict(&other, &context), Some(DayFault::Values), "key {slot}");
    }
}

#[test]
fn points_of_another_day_of_the_same_account_do_not_fit() {
    let mut world = World::new(8, 4, 4);
    let keyring = world.keyring();
    let honest = world.day(&[]);
    let (first, second) =
        (world.day_of(&keyring, &[], &[1, 2, 3, 4]), world.day_of(&keyring, &[], &[1, 2, 3, 5]));
    assert_ne!(first.r, second.r, "days that differ share no randomness");
    for slot in 0..4 {
        let mut mixed = first.clone();
        mixed.c[slot] = second.c[slot];
        assert!(world.fault(&mixed, &honest).is_some(), "slot {slot}");
    }
    assert!(world.fault(&SealedDay { r: second.r, ..first.clone() }, &honest).is_some());
    assert!(world.fault(&SealedDay { proof: second.proof.clone(), ..first }, &honest).is_some());
}

#[test]
fn the_identity_is_refused_in_every_point_position() {
    let mut world = World::new(8, 3, 3);
    let (day, honest) = (world.day(&[]), world.day(&[]));
    let header = DayHeader::encoded_bytes(3);
    let (points, proof) = (0..1 + 3, day.to_bytes().len() - world.params.proof_bytes());
    let places = points.map(|at| header + 32 * at).chain((0..7).chain(12..22).map(|at| proof + 32 * at));
    for place in places {
        for (bytes, reason) in [([0; 32], "identity"), ([0xff; 32], "canonical")] {
            let mut changed = day.to_bytes();
            changed[place..place + 32].copy_from_slice(&bytes);
            let changed = SealedDay::from_bytes(&changed, &world.params, 3).expect("right length");
            let fault = world.fault(&changed, &honest).expect("refused");
            assert!(
                matches!(&fault, DayFault::Malformed(error) if error.to_string().contains(reason)),
                "{fault}"
            );
        }
    }
}
