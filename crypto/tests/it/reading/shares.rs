//! A day's shares, seen from outside: sizes, batches, whatever is changed, golden vectors.

use super::World;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::OnceLock;
use veilgrid_crypto::reading::shares::{
    SealedShares, ShareError, ShareFault, ShareOpening, ShareParams, ShareParamsError, ShareStatement,
    ShareUnit, check_shares, seal_shares, share_randomness, verify_shares,
};
use veilgrid_crypto::reading::{
    DayContext, DayStatement, DayTally, VerifiedDay, day_point, day_point_holds, verify_days,
};
use veilgrid_crypto::secret::Secret;

/// A verified day with what its owner knows.
struct Day {
    day: VerifiedDay,
    r: Secret<curve25519_dalek::Scalar>,
    readings: Vec<u64>,
}

fn day(world: &mut World, missing: &[usize], readings: &[u64]) -> Day {
    let keyring = world.keyring();
    let sealed = world.day_of(&keyring, missing, readings);
    let World { params, context, source, .. } = world;
    let r = source.randomness(params, context, &sealed.header, readings).expect("in range");
    let statement = DayStatement { context, day: &sealed };
    let day = verify_days(params, &[statement]).swap_remove(0).expect("honest");
    Day { day, r, readings: readings.to_vec() }
}

fn seal(world: &mut World, params: &ShareParams, day: &Day, caps: &[u64]) -> (SealedShares, Vec<u64>) {
    let opening = ShareOpening { r: &day.r, readings_wh: &day.readings };
    let sealed = seal_shares(params, &world.context, &day.day, &opening, caps, &mut world.rng);
    let (sealed, shares) = sealed.expect("sealable");
    (sealed, shares.expose().clone())
}

#[test]
fn shares_are_the_smaller_of_cap_and_reading_whatever_is_missing() {
    for (unit, of_wh) in [(ShareUnit::Wh, 1), (ShareUnit::WhQ16, 1 << 16)] {
        let mut world = World::new(16, 6, 5);
        let params = ShareParams::new(&world.params, unit).expect("16 bits");
        let most = 65_535 * of_wh;
        let mut all = Vec::new();
        for (missing, readings, caps, expected) in [
            (vec![], vec![0, 1, 65_535, 300, 5], vec![0, 2, 1, 300, 4], vec![0, 1, 1, 300, 4]),
            (vec![1, 4], vec![7, 65_535, 9], vec![65_535, 65_535, 0], vec![7, 65_535, 0]),
            (vec![0, 1, 2, 3], vec![12], vec![13], vec![12]),
        ] {
            let day = day(&mut world, &missing, &readings);
            let caps: Vec<u64> = caps.iter().map(|cap| cap * of_wh).collect();
            assert!(caps.iter().all(|cap| *cap <= most));
            let (sealed, shares) = seal(&mut world, &params, &day, &caps);
            assert_eq!(shares, expected.iter().map(|share| share * of_wh).collect::<Vec<_>>());
            let bytes = sealed.to_bytes();
            assert_eq!(bytes.len(), SealedShares::encoded_bytes(&params, readings.len()));
            assert_eq!(SealedShares::from_bytes(&bytes, &params, readings.len()).as_ref(), Ok(&sealed));
            all.push((day, caps, sealed, shares));
        }
        let statements: Vec<ShareStatement<'_>> = all
            .iter()
            .map(|(day, caps, shares, _)| ShareStatement {
                context: &world.context,
                day: &day.day,
                caps,
                shares,
            })
            .collect();
        let mut tally = DayTally::new();
        for (verdict, (statement, (day, caps, _, shares))) in
            verify_shares(&params, &statements).into_iter().zip(statements.iter().zip(&all))
        {
            assert_eq!(check_shares(&params, statement), Ok(()));
            let verified = verdict.expect("honest");
            tally.add(&verified);
            // The owner knows what its shares come to.
            let r_a = share_randomness(&params, &day.day, caps, &day.r);
            let weights = [1i64; 5];
            let (point, sum) =
                (day_point(&verified, &weights), shares.iter().map(|share| u128::from(*share)).sum());
            let present = verified.present();
            assert!(day_point_holds(&world.params, &r_a, present, &weights, sum, &point));
            assert!(!day_point_holds(&world.params, &day.r, present, &weights, sum, &point));
        }
        assert_eq!(
            (tally.slot(0).map(|sum| sum.accounts), tally.slot(4).map(|sum| sum.accounts)),
            (Some(2), Some(2))
        );
    }
}

#[test]
fn shares_of_days_of_any_length_are_proved() {
    for slots in 1..=13u16 {
        for unit in [ShareUnit::Wh, ShareUnit::WhQ16] {
            let mut world = World::new(16, slots.into(), slots);
            let params = ShareParams::new(&world.params, unit).expect("16 bits");
            let readings = world.readings(slots.into());
            let caps = world.readings(slots.into());
            let day = day(&mut world, &[], &readings);
            let (shares, _) = seal(&mut world, &params, &day, &caps);
            let statement =
                ShareStatement { context: &world.context, day: &day.day, caps: &caps, shares: &shares };
            assert_eq!(check_shares(&params, &statement), Ok(()), "{slots} slots, {unit:?}");
            assert!(verify_shares(&params, &[statement])[0].is_ok(), "{slots} slots, {unit:?}");
        }
    }
}

#[test]
fn the_shares_of_a_day_of_quarter_hours_are_below_4_600_bytes() {
    let mut world = World::new(16, 100, 96);
    let [wh, q16] =
        [ShareUnit::Wh, ShareUnit::WhQ16].map(|unit| ShareParams::new(&world.params, unit).expect("16 bits"));
    assert_eq!(SealedShares::encoded_bytes(&wh, 96), 4_384);
    assert_eq!(SealedShares::encoded_bytes(&q16, 96), 4_448);
    assert_eq!(SealedShares::encoded_bytes(&q16, 100), 4_576);
    let readings = world.readings(96);
    let caps: Vec<u64> = world.readings(96).iter().map(|cap| cap << 16 | 77).collect();
    let day = day(&mut world, &[], &readings);
    let (shares, _) = seal(&mut world, &q16, &day, &caps);
    let statement = ShareStatement { context: &world.context, day: &day.day, caps: &caps, shares: &shares };
    assert_eq!(check_shares(&q16, &statement), Ok(()));
    assert!(verify_shares(&q16, &[statement])[0].is_ok());
}

#[test]
fn every_changed_byte_and_cap_is_refused_and_the_culprit_named() {
    let mut world = World::new(16, 4, 4);
    let params = ShareParams::new(&world.params, ShareUnit::Wh).expect("16 bits");
    let day = day(&mut world, &[2], &[9, 800, 70]);
    let caps = [10, 500, 70];
    let (honest, _) = seal(&mut world, &params, &day, &caps);
    let fault = |context: &DayContext, caps: &[u64], shares: &SealedShares| {
        let statement = |caps, shares| ShareStatement { context, day: &day.day, caps, shares };
        let both = verify_shares(&params, &[statement(caps, shares), statement(caps, &honest)]);
        let found = both[0].as_ref().err().cloned();
        assert_eq!(check_shares(&params, &statement(caps, shares)).err(), found);
        found
    };
    assert_eq!(fault(&world.context, &caps, &honest), None);
    let bytes = honest.to_bytes();
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1 << ((5 * place + place / 8) % 8);
        let changed = SealedShares::from_bytes(&changed, &params, 3).expect("right length");
        assert!(fault(&world.context, &caps, &changed).is_some(), "byte {place}");
    }
    for place in 0..3 {
        let mut others = caps;
        others[place] += 1;
        assert_eq!(fault(&world.context, &others, &honest), Some(ShareFault::Values), "cap {place}");
    }
    assert!(matches!(fault(&world.context, &caps[..2], &honest), Some(ShareFault::Malformed(_))));
    let other = DayContext { market: [9; 32], ..world.context };
    assert!(matches!(fault(&other, &caps, &honest), Some(ShareFault::Malformed(_))));
}

#[test]
fn shares_of_another_day_or_unit_do_not_fit() {
    let mut world = World::new(16, 4, 3);
    let [wh, q16] =
        [ShareUnit::Wh, ShareUnit::WhQ16].map(|unit| ShareParams::new(&world.params, unit).expect("16 bits"));
    let days = [day(&mut world, &[], &[1, 2, 3]), day(&mut world, &[], &[1, 2, 3])];
    let caps = [5, 1, 3];
    let (shares, _) = seal(&mut world, &wh, &days[0], &caps);
    let verdict = |params: &ShareParams, day: &Day| {
        let statement =
            ShareStatement { context: &world.context, day: &day.day, caps: &caps, shares: &shares };
        check_shares(params, &statement)
    };
    assert_eq!(verdict(&wh, &days[0]), Ok(()));
    assert_eq!(verdict(&wh, &days[1]), Err(ShareFault::Values));
    assert!(matches!(verdict(&q16, &days[0]), Err(ShareFault::Malformed(_))));
}

#[test]
fn a_day_that_was_verified_for_another_context_proves_no_shares() {
    let mut world = World::new(16, 4, 3);
    let params = ShareParams::new(&world.params, ShareUnit::Wh).expect("16 bits");
    let (day, caps) = (day(&mut world, &[], &[1, 2, 3]), [5, 1, 3]);
    let context = world.context;
    let mut verdict = |context: DayContext| {
        // Whoever has r can prove shares of the vector in any context: yesterday's reading would count today.
        world.context = context;
        let (shares, _) = seal(&mut world, &params, &day, &caps);
        let statement = ShareStatement { context: &context, day: &day.day, caps: &caps, shares: &shares };
        let batch = verify_shares(&params, &[statement]).swap_remove(0).err();
        assert_eq!(check_shares(&params, &statement).err(), batch);
        batch
    };
    assert_eq!(verdict(context), None);
    for other in [
        DayContext { day_start_unix_s: context.day_start_unix_s + 86_400, ..context },
        DayContext { ledger_id: [9; 32], ..context },
        DayContext { market: [9; 32], ..context },
    ] {
        assert!(matches!(verdict(other), Some(ShareFault::Malformed(_))), "{other:?}");
    }
}

#[test]
fn what_can_not_be_sealed_is_named() {
    let mut world = World::new(16, 4, 3);
    let params = ShareParams::new(&world.params, ShareUnit::Wh).expect("16 bits");
    let [own, other] = [day(&mut world, &[], &[1, 2, 3]), day(&mut world, &[], &[1, 2, 4])];
    let mut refused = |r, readings_wh: &[u64], caps: &[u64]| {
        let opening = ShareOpening { r, readings_wh };
        seal_shares(&params, &world.context, &own.day, &opening, caps, &mut world.rng).err()
    };
    assert_eq!(refused(&own.r, &[1, 2, 3], &[1, 2, 3]), None);
    let lengths = |readings, caps| Some(ShareError::Lengths { readings, caps, present: 3 });
    assert_eq!(refused(&own.r, &[1, 2], &[1, 2, 3]), lengths(2, 3));
    assert_eq!(refused(&own.r, &[1, 2, 3], &[1; 4]), lengths(3, 4));
    assert_eq!(refused(&own.r, &[1, 2, 3], &[1, 65_536, 1]), Some(ShareError::Cap { place: 1, bits: 16 }));
    assert_eq!(refused(&other.r, &[1, 2, 3], &[1; 3]), Some(ShareError::Opening));
    assert_eq!(refused(&own.r, &[1, 2, 4], &[1; 3]), Some(ShareError::Opening));
    assert_eq!(refused(&own.r, &[1, 2, 65_539], &[1; 3]), Some(ShareError::Opening));
    let wide = World::new(32, 3, 3).params;
    assert_eq!(ShareParams::new(&wide, ShareUnit::Wh).err(), Some(ShareParamsError::Bits { bits: 32 }));
}

/// The shares of one day. Bytes are hexadecimal; a context is ledger, epoch, market, authority, day start and slot seconds.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Vector {
    /// `Wh` or `WhQ16`.
    unit: String,
    slot_keys: Vec<String>,
    context: (String, u64, String, String, i64, u32),
    slots: u16,
    missing: Vec<usize>,
    readings_wh: Vec<u64>,
    caps: Vec<u64>,
    shares_params_digest: String,
    day: String,
    shares: Vec<u64>,
    r: String,
    shares_digest: String,
    sealed: String,
}

fn context_of(context: &DayContext) -> (String, u64, String, String, i64, u32) {
    let DayContext { ledger_id, key_epoch, market, authority, day_start_unix_s, slot_seconds, .. } = context;
    let [ledger_id, market, authority] = [ledger_id, market, authority].map(hex::encode);
    (ledger_id, *key_epoch, market, authority, *day_start_unix_s, *slot_seconds)
}

fn computed() -> Vec<Vector> {
    let one = |unit: ShareUnit, missing: &[usize], readings: &[u64], caps: &[u64]| {
        let mut world = World::new(16, 4, 4);
        let params = ShareParams::new(&world.params, unit).expect("16 bits");
        let keyring = world.keyring();
        let sealed_day = world.day_of(&keyring, missing, readings);
        let World { params: days, context, source, .. } = &world;
        let r = source.randomness(days, context, &sealed_day.header, readings).expect("in range");
        let statement = DayStatement { context, day: &sealed_day };
        let verified = verify_days(days, &[statement]).swap_remove(0).expect("honest");
        let day = Day { day: verified, r, readings: readings.to_vec() };
        let (sealed, shares) = seal(&mut world, &params, &day, caps);
        Vector {
            unit: format!("{unit:?}"),
            slot_keys: world.params.slot_keys().iter().map(|key| hex::encode(key.compress().0)).collect(),
            context: context_of(&world.context),
            slots: 4,
            missing: missing.to_vec(),
            readings_wh: readings.to_vec(),
            caps: caps.to_vec(),
            shares_params_digest: hex::encode(params.digest()),
            day: hex::encode(sealed_day.to_bytes()),
            shares,
            r: hex::encode(sealed.r),
            shares_digest: hex::encode(sealed.digest(&sealed_day.digest())),
            sealed: hex::encode(sealed.to_bytes()),
        }
    };
    vec![
        one(ShareUnit::Wh, &[], &[0, 120, 65_535, 1], &[5, 100, 65_535, 9]),
        one(ShareUnit::WhQ16, &[3], &[3, 1_000, 0], &[70_000, 4_294_901_760, 1]),
    ]
}

fn stored() -> Vec<Vector> {
    static TEXT: OnceLock<String> = OnceLock::new();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../protocol-spec/vectors/shares.json");
    let text = TEXT.get_or_init(|| {
        if std::env::var_os("VEILGRID_BLESS").is_some_and(|value| value == "1") {
            let text = serde_json::to_string_pretty(&computed()).expect("plain data");
            std::fs::write(&path, text + "\n").expect("the specification's folder is writable");
        }
        std::fs::read_to_string(&path).expect("protocol-spec/vectors/shares.json is there")
    });
    serde_json::from_str(text).expect("the file has the vectors' form")
}

#[test]
fn sealing_gives_the_stored_shares_byte_for_byte() {
    assert_eq!(stored(), computed(), "the format has changed");
}

#[test]
fn portable_arithmetic_gives_the_same_shares() {
    stored();
    crate::support::passes_with_every_arithmetic(
        "reading::shares::sealing_gives_the_stored_shares_byte_for_byte",
    );
}
