//! Batches of days: sizes, missing slots, verdicts.

use super::World;
use rand_core::RngCore;
use veilgrid_crypto::reading::{
    DayError, DayHeader, DayParams, DayParamsError, Direction, Grade, ReadingKey, SealedDay, seal_day,
};

#[test]
fn honest_days_of_all_shapes_are_accepted_whatever_is_missing() {
    for (bits, keys, slots) in [(8, 1, 1), (8, 5, 3), (8, 24, 24), (16, 25, 23), (16, 32, 32), (32, 10, 9)] {
        let mut world = World::new(bits, keys, slots);
        let slots = usize::from(slots);
        let mut days = vec![world.day(&[]), world.day(&[])];
        for missing in 0..slots {
            if slots > 1 {
                days.push(world.day(&[missing]));
            }
        }
        if slots > 2 {
            // All but one, the first and the last, every other one.
            days.push(world.day(&(1..slots).collect::<Vec<_>>()));
            days.push(world.day(&[0, slots - 1]));
            days.push(world.day(&(0..slots).step_by(2).collect::<Vec<_>>()));
        }
        let keyring = world.keyring();
        for extreme in [0, u64::MAX >> (64 - bits)] {
            days.push(world.day_of(&keyring, &[], &vec![extreme; slots]));
        }
        assert!(world.faults(&days).iter().all(Option::is_none), "{bits} bits, {slots} of {keys} slots");
        for day in &days {
            assert_eq!(world.fault(day, &days[0]), None);
            let (bytes, present) = (day.to_bytes(), day.header.present().len());
            assert_eq!(bytes.len(), SealedDay::encoded_bytes(&world.params, slots, present));
            assert_eq!(SealedDay::from_bytes(&bytes, &world.params, slots).as_ref(), Ok(day));
        }
    }
}

#[test]
fn a_day_of_quarter_hours_of_16_bits_is_below_4_600_bytes() {
    let world = World::new(16, 100, 96);
    assert_eq!(SealedDay::encoded_bytes(&world.params, 96, 96), 4_430);
    assert_eq!(SealedDay::encoded_bytes(&world.params, 100, 100), 4_559);
    assert_eq!(SealedDay::encoded_bytes(&world.params, 92, 92), 4_301);
}

/// Random mixes of honest and altered days: the batch names whom the clear verifier names.
#[test]
fn mixes_get_the_verdicts_of_the_clear_verifier() {
    let mut world = World::new(8, 12, 11);
    let mut days: Vec<SealedDay> = (0..40)
        .map(|_| {
            let missing: Vec<usize> = (0..10).filter(|_| world.rng.next_u32().is_multiple_of(5)).collect();
            world.day(&missing)
        })
        .collect();
    for at in [3, 4, 17, 39] {
        let place = days[at].c.len() - 1;
        days[at].c[place] = days[at].r;
    }
    days[20].proof[40] ^= 1;
    let faults = world.faults(&days);
    for (at, (day, fault)) in days.iter().zip(&faults).enumerate() {
        assert_eq!(fault.is_some(), [3, 4, 17, 20, 39].contains(&at), "{at}");
        assert_eq!(world.fault(day, &days[0]).as_ref(), fault.as_ref(), "{at}");
    }
}

#[test]
fn what_can_not_be_sealed_is_named() {
    let mut world = World::new(8, 4, 3);
    let wallet = ReadingKey::of(&world.keyring(), 2).public();
    let World { params, context, source, rng } = &mut world;
    let mut seal = |grades: &[Grade], readings: &[u64]| {
        let header = DayHeader::first([9; 32], Direction::Generation, grades.to_vec());
        seal_day(params, context, header, source, &wallet, readings, rng).err()
    };
    let [missing, measured] = [Grade::Missing, Grade::Measured];
    assert_eq!(seal(&[measured; 2], &[1, 2]), Some(DayError::Slots { slots: 3, grades: 2, keys: 4 }));
    assert_eq!(seal(&[measured; 3], &[1, 2]), Some(DayError::Readings { given: 2, graded: 3 }));
    assert_eq!(seal(&[missing; 3], &[]), Some(DayError::Nothing));
    assert_eq!(seal(&[missing, measured, measured], &[1, 256]), Some(DayError::Reading { slot: 2, bits: 8 }));
    let keys = params.slot_keys().to_vec();
    let refused = |bits, keys| DayParams::new(bits, keys).err();
    assert_eq!(refused(12, keys.clone()), Some(DayParamsError::Bits { bits: 12 }));
    assert_eq!(refused(8, Vec::new()), Some(DayParamsError::Slots { slots: 0 }));
    assert_eq!(refused(8, [keys.clone(), keys.clone()].concat()), Some(DayParamsError::Key { slot: 4 }));
}
