//! Sums of a frozen set, opened by the validators' shares: those of the accounts that have the slot, and no others.

use super::World;
use veilgrid_crypto::dlog::SmallLog;
use veilgrid_crypto::keygen::{KeyGenContext, KeyShares, ThresholdKeys, deal, public_keys, receive};
use veilgrid_crypto::opening::{OpeningContext, combine, release_share, verify_share};
use veilgrid_crypto::reading::{DayParams, DayStatement, DayTally, SealedDay, verify_days};
use veilgrid_crypto::schnorr::SigningKey;

const VALIDATORS: u16 = 4;

/// Slot keys whose secrets four validators share, three of whom open.
fn threshold_keys(world: &mut World, keys: u32) -> (ThresholdKeys, Vec<KeyShares>) {
    let rng = &mut world.rng;
    let ctx = KeyGenContext { ledger_id: [1; 32], session: 1, validators: VALIDATORS, threshold: 3, keys };
    let signers: Vec<_> = (0..VALIDATORS).map(|_| SigningKey::generate(rng)).collect();
    let dealers: Vec<_> = signers.iter().map(SigningKey::verifying_key).collect();
    let (packages, dealt): (Vec<_>, Vec<_>) =
        (1u16..).zip(&signers).map(|(d, key)| deal(&ctx, key, d, rng).expect("dealt")).unzip();
    let public = public_keys(&ctx, &packages, &dealers).expect("honest");
    let shares = (1..=VALIDATORS).map(|i| {
        let sent: Vec<_> = dealt.iter().map(|d| d[usize::from(i) - 1].clone()).collect();
        receive(&ctx, &packages, &sent, i).expect("honest")
    });
    let shares = shares.collect();
    world.params = DayParams::new(world.params.bits(), public.keys().to_vec()).expect("distinct keys");
    (public, shares)
}

fn tally(world: &World, days: &[SealedDay]) -> DayTally {
    let statements: Vec<_> = days.iter().map(|day| DayStatement { context: &world.context, day }).collect();
    let mut tally = DayTally::new();
    for day in verify_days(&world.params, &statements) {
        tally.add(&day.expect("honest"));
    }
    tally
}

#[test]
fn opened_sums_have_the_accounts_with_a_reading_and_no_others() {
    let mut world = World::new(16, 4, 4);
    let (public, shares) = threshold_keys(&mut world, 4);
    let readings: [(&[usize], &[u64]); 4] = [
        (&[], &[1, 20, 300, 4_000]),
        (&[], &[5, 60, 700, 8_000]),
        (&[1], &[9, 65_535, 11]),
        (&[0, 1, 3], &[60_000]),
    ];
    let days: Vec<SealedDay> = readings
        .iter()
        .map(|(missing, readings)| {
            let keyring = world.keyring();
            world.day_of(&keyring, missing, readings)
        })
        .collect();
    let tally = tally(&world, &days);
    assert_eq!(tally.count(), 4);
    let log = SmallLog::new(4 << 16);
    let expected = [(15, 3), (80, 2), (300 + 700 + 65_535 + 60_000, 4), (12_011, 3)];
    for (slot, (sum, accounts)) in expected.into_iter().enumerate() {
        let found = tally.slot(slot).expect("readings");
        assert_eq!(found.accounts, accounts);
        let ctx = OpeningContext {
            ledger_id: [1; 32],
            round_id: 1,
            opening_index: slot as u32,
            bid_set: tally.set(),
        };
        let mut weights = [0i64; 4];
        weights[slot] = 1;
        let verified: Vec<_> = shares[1..]
            .iter()
            .map(|own| {
                let share = release_share(&ctx, &weights, own, &public, &found.r_total, &mut world.rng);
                verify_share(&ctx, &weights, &public, &found.r_total, &share.expect("released"))
            })
            .collect::<Result<_, _>>()
            .expect("honest shares");
        let opened = combine(&public, &verified, &found.c_total).expect("three shares");
        assert_eq!(log.solve(&opened), Some(sum), "slot {slot}");
    }
}

#[test]
fn a_slot_without_readings_has_no_sum_and_the_set_names_its_days_in_order() {
    let mut world = World::new(8, 4, 3);
    let days = [world.day(&[2]), world.day(&[2])];
    let both = tally(&world, &days);
    assert!(both.slot(1).is_some() && both.slot(2).is_none() && both.slot(3).is_none());
    assert_eq!(DayTally::new().set(), [0; 32]);
    let turned = tally(&world, &[days[1].clone(), days[0].clone()]);
    assert_ne!(both.set(), turned.set());
    assert_eq!(both.slot(0), turned.slot(0));
    assert_ne!(both.set(), tally(&world, &days[..1]).set());
}
