//! The owner reads its day, and nobody else.

use super::World;
use veilgrid_crypto::dlog::SmallLog;
use veilgrid_crypto::reading::{DayContext, ReadingKey, RecoveryError, day_point, day_point_holds, open_day};
use veilgrid_crypto::reading::{DayStatement, verify_days};

#[test]
fn the_owner_recovers_randomness_and_readings() {
    let mut world = World::new(16, 8, 7);
    let (keyring, stranger) = (world.keyring(), world.keyring());
    let readings = [0, 1, 65_535, 250, 7];
    let day = world.day_of(&keyring, &[2, 6], &readings);
    let log = SmallLog::new(65_535);
    let own = ReadingKey::of(&keyring, 2);
    let (r, found) = open_day(&world.params, &world.context, &own, &day, &log).expect("opened");
    assert_eq!(found.expose(), &readings);
    let of_source = world.source.randomness(&world.params, &world.context, &day.header, &readings);
    assert_eq!(of_source.expect("in range").expose(), r.expose());

    let closed = |key: &ReadingKey, context: &DayContext| {
        open_day(&world.params, context, key, &day, &log).expect_err("closed")
    };
    assert_eq!(closed(&ReadingKey::of(&stranger, 2), &world.context), RecoveryError::Closed);
    assert_eq!(closed(&ReadingKey::of(&keyring, 3), &world.context), RecoveryError::Closed);
    let other = DayContext { market: [9; 32], ..world.context };
    assert_eq!(closed(&own, &other), RecoveryError::Closed);
    // The r of another day, sealed to this account: its source did wrong.
    let mut false_r = world.day_of(&keyring, &[2, 6], &[0, 1, 2, 3, 4]);
    false_r.recovery = day.recovery;
    let fault = open_day(&world.params, &world.context, &own, &false_r, &log).expect_err("false");
    assert_eq!(fault, RecoveryError::NotItsRandomness);
}

#[test]
fn what_settled_slots_come_to_is_checked_by_the_owner() {
    let mut world = World::new(16, 8, 7);
    let keyring = world.keyring();
    let readings = [3, 1, 65_535, 250, 7, 2];
    let day = world.day_of(&keyring, &[4], &readings);
    let r = world.source.randomness(&world.params, &world.context, &day.header, &readings).expect("in range");
    let statement = DayStatement { context: &world.context, day: &day };
    let verified = verify_days(&world.params, &[statement]).swap_remove(0).expect("honest");
    let weights = [65_536, 0, 1, 30_000, 9_999, 2, 65_536];
    let amount: u128 = [3u128 << 16, 0, 65_535, 30_000 * 250, 7 * 2, 2 << 16].iter().sum();
    let point = day_point(&verified, &weights);
    let holds = |r, weights: &[i64], amount, point| {
        day_point_holds(&world.params, r, verified.present(), weights, amount, point)
    };
    assert!(holds(&r, &weights, amount, &point));
    assert!(!holds(&r, &weights, amount + 1, &point));
    let mut others = weights;
    others[6] -= 1;
    assert!(!holds(&r, &others, amount, &point));
    assert!(!holds(&r, &weights, amount, &day.r));
}
