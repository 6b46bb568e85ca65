//! Sharing: the reference's results, what holds for any community, and files that are refused.

use proptest::prelude::*;
use serde_json::{Value, json};
use std::fs::File;
use std::path::PathBuf;
use veilgrid_market::sharing::{
    MAX_SLOT_WH, Readings, ReadingsError, RowsError, SharePpm, SharingError, SharingKey, SlotShares,
    SlotTotals, WHOLE_PPM, check_minimums, parse_readings, parse_slot_keys, parse_static_keys, share_plain,
    share_slot,
};
use veilgrid_market::timestamp::format_utc;

const ONE: u64 = 1 << 16;

fn file(name: &str) -> File {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../data/sharing");
    File::open(folder.join(name)).expect(name)
}

fn key_of(name: &str, key: &str) -> SharingKey {
    let keys = || file(&format!("{name}.keys.csv"));
    match key {
        "pro-rata" => SharingKey::ProRata,
        "static" => parse_static_keys(keys()).expect("keys"),
        "slots" => parse_slot_keys(keys()).expect("keys"),
        other => panic!("key {other}"),
    }
}

fn as_json(readings: &Readings, at: usize, shares: &SlotShares) -> Value {
    let slot = &readings.slots[at];
    let by_name = |list: &[veilgrid_market::sharing::Reading], amounts: &[u64]| -> Value {
        assert_eq!(list.len(), amounts.len());
        list.iter()
            .zip(amounts)
            .map(|(one, q16)| (readings.accounts[one.account].clone(), json!(q16)))
            .collect()
    };
    json!({
        "slot_start": format_utc(slot.start_unix_s),
        "consumption_wh": shares.totals.consumption_wh(),
        "generation_wh": shares.totals.generation_wh(),
        "shared_q16": shares.shared_q16,
        "fraction_consumption_q16": shares.fraction_consumption_q16,
        "fraction_generation_q16": shares.fraction_generation_q16,
        "rounding_q16": shares.rounding_q16,
        "consumers": by_name(&slot.consumption, &shares.consumers_q16),
        "producers": by_name(&slot.generation, &shares.producers_q16),
    })
}

#[test]
fn communities_come_to_what_the_reference_says() {
    let expected: Vec<Value> = serde_json::from_reader(file("expected.json")).expect("JSON list");
    assert_eq!(expected.len(), 9);
    for community in &expected {
        let (name, key) =
            (community["name"].as_str().expect("name"), community["key"].as_str().expect("key"));
        let readings = parse_readings(file(&format!("{name}.csv"))).expect(name);
        let key = key_of(name, key);
        assert!(key.without_readings(&readings).is_empty(), "{name}");
        let shared = share_plain(&readings, &key).expect(name);
        let found: Vec<Value> =
            shared.iter().enumerate().map(|(at, one)| as_json(&readings, at, one)).collect();
        assert_eq!(Value::from(found), community["slots"], "{name}");
    }
}

/// Consumption, generation and, with shares, one per consumer.
fn communities() -> impl Strategy<Value = (Vec<u64>, Vec<u64>, Option<Vec<SharePpm>>)> {
    let energy = || prop_oneof![4 => 0u64..2_000, 1 => Just(0), 1 => 0u64..(MAX_SLOT_WH / 16)];
    let consumers = prop::collection::vec((energy(), 0u32..WHOLE_PPM), 0..12);
    (consumers, prop::collection::vec(energy(), 0..12), any::<bool>(), any::<bool>()).prop_map(
        |(consumers, generation, keyed, whole)| {
            let sum: u64 = consumers.iter().map(|(_, weight)| u64::from(*weight)).sum();
            let part = |weight: u32| {
                // Shares that add up to about the whole, or to a part of it.
                let most = if whole { WHOLE_PPM } else { WHOLE_PPM / 3 };
                (u64::from(weight) * u64::from(most)).checked_div(sum).unwrap_or(0) as u32
            };
            let shares = consumers.iter().map(|(_, weight)| SharePpm::new(part(*weight)).expect("a part"));
            let shares = keyed.then(|| shares.collect());
            (consumers.iter().map(|(energy, _)| *energy).collect(), generation, shares)
        },
    )
}

proptest! {
    #[test]
    fn what_is_shared_is_delivered_to_the_last_unit((consumption, generation, shares) in communities()) {
        let shared = share_slot(&consumption, &generation, shares.as_deref()).expect("in bounds");
        let (got, gave): (u64, u64) = (shared.consumers_q16.iter().sum(), shared.producers_q16.iter().sum());
        prop_assert_eq!(got, shared.shared_q16);
        prop_assert_eq!(gave + shared.rounding_q16, got);
        let generated: u64 = generation.iter().sum();
        prop_assert!(shared.rounding_q16 < generated.max(1));
        for (energy, q16) in consumption.iter().zip(&shared.consumers_q16) {
            prop_assert!(*q16 <= ONE * energy);
        }
        for (energy, q16) in generation.iter().zip(&shared.producers_q16) {
            prop_assert!(*q16 <= ONE * energy);
        }
    }

    #[test]
    fn pro_rata_shares_all_there_is_but_for_rounding((consumption, generation, _) in communities()) {
        let shared = share_slot(&consumption, &generation, None).expect("in bounds");
        let (consumed, generated): (u64, u64) = (consumption.iter().sum(), generation.iter().sum());
        prop_assert!(ONE * consumed.min(generated) - shared.shared_q16 < consumed.max(1));
    }

    #[test]
    fn nobody_gets_more_than_its_share((consumption, generation, shares) in communities()) {
        prop_assume!(shares.is_some());
        let shares = shares.expect("assumed");
        let shared = share_slot(&consumption, &generation, Some(&shares)).expect("in bounds");
        let generated: u64 = generation.iter().sum();
        for ((energy, share), q16) in consumption.iter().zip(&shares).zip(&shared.consumers_q16) {
            let (all, whole) = (u128::from(generated) * u128::from(share.get()) * u128::from(ONE), u128::from(WHOLE_PPM));
            prop_assert!(u128::from(*q16) * whole <= all);
            // Either its share or all that it consumed.
            prop_assert!(*q16 == ONE * energy || (u128::from(*q16) + 1) * whole > all);
        }
    }
}

#[test]
fn sums_above_the_bound_and_shares_above_the_whole_are_refused() {
    let too_much = share_slot(&[MAX_SLOT_WH, 1], &[], None);
    assert_eq!(too_much, Err(SharingError::TooMuch { start_unix_s: None }));
    assert!(share_slot(&[u64::MAX, u64::MAX], &[], None).is_err());
    assert!(share_slot(&[MAX_SLOT_WH], &[MAX_SLOT_WH], None).is_ok());
    let half = SharePpm::new(500_001).expect("a share");
    let refused = share_slot(&[1, 1], &[1], Some(&[half, half]));
    assert_eq!(refused, Err(SharingError::MoreThanTheWhole { start_unix_s: None, sum_ppm: 1_000_002 }));
    assert_eq!(share_slot(&[1], &[1], Some(&[])), Err(SharingError::Shares { consumers: 1, shares: 0 }));
    assert_eq!(SharePpm::new(WHOLE_PPM + 1), None);
    let totals = SlotTotals::new(3, 2).expect("in bounds");
    assert_eq!(totals.generation_fraction_q16(2 * ONE), Ok(65_536));
    assert!(totals.generation_fraction_q16(2 * ONE + 1).is_err());
}

const HEADER: &str = "slot_start,account,direction,energy_wh\n";

fn refused(rows: &str) -> String {
    parse_readings(format!("{HEADER}{rows}").as_bytes()).expect_err("refused").to_string()
}

#[test]
fn readings_that_are_refused_name_line_reason_and_way_out() {
    let good = "2026-10-24T00:00:00Z,a,consumption,1\n";
    for (row, words) in [
        (
            "2026-10-24T00:00:00Z,a,consumption,2",
            "\"a\" has a reading of consumption for 2026-10-24T00:00:00Z in line 2",
        ),
        ("2026-10-24T02:00:00+02:00,a,consumption,2", "in line 2 already"),
        ("2026-10-24T00:00:00Z,b,Consumption,2", "write consumption or generation"),
        ("2026-10-24T00:00:00Z,b,,2", "the direction \"\" is unknown"),
        ("2026-10-24T00:00:00Z,b,generation,-2", "energy_wh -2 is negative"),
        ("2026-10-24T00:00:00Z,b,generation,2.5", "not a whole number of Wh"),
        ("2026-10-24T00:00:00Z,b,generation,1e3", "not a whole number of Wh"),
        ("2026-10-24T00:00:00Z,b,generation,+3", "not a whole number of Wh"),
        ("2026-10-24T00:00:00Z,b,generation,-", "not a whole number of Wh"),
        ("2026-10-24T00:00:00Z,b,generation,", "leave out the row of a reading that is missing"),
        ("2026-10-24T00:00:00Z,b,generation,1099511627777", "the most that a slot holds"),
        ("2026-10-24T00:00:00Z,b,generation,99999999999999999999999", "the most that a slot holds"),
        ("2026-10-24T00:00:00Z,,generation,1", "the account is missing"),
        ("2026-10-24,b,generation,1", "is not RFC 3339"),
        ("2026-10-24T00:00:00Z,b,generation", "3 fields where the header has 4"),
    ] {
        let message = refused(&format!("{good}{row}\n"));
        assert!(message.starts_with("line 3: ") && message.contains(words), "{row}: {message}");
    }
    // Both directions of one account, and another slot, are no repetition.
    let others = "2026-10-24T00:00:00Z,a,generation,0\n2026-10-24T00:15:00Z,a,consumption,1\n";
    assert!(parse_readings(format!("{HEADER}{good}{others}").as_bytes()).is_ok());
}

#[test]
fn headers_have_to_be_the_columns_and_no_others() {
    let read = |text: &str| parse_readings(text.as_bytes()).expect_err("refused");
    let rows = |error: ReadingsError| match error {
        ReadingsError::Rows(error) => error,
        other => panic!("{other}"),
    };
    assert!(matches!(rows(read("")), RowsError::Empty { .. }));
    assert!(matches!(rows(read(HEADER)), RowsError::NoRows));
    let unknown =
        read("slot_start,account,direction,energy_wh,grade\n2026-10-24T00:00:00Z,a,consumption,1,0\n");
    assert!(matches!(rows(unknown), RowsError::UnknownColumn { column, .. } if column == "grade"));
    let missing = read("slot_start,account,direction,energy_kwh\n");
    assert!(matches!(rows(missing), RowsError::MissingColumn { column: "energy_wh", .. }));
    let twice = read("slot_start,account,direction,energy_wh,account\n");
    assert!(matches!(rows(twice), RowsError::DuplicateColumn { column: "account" }));
    // Other orders of columns, a byte order mark and CRLF are all right.
    let text =
        "\u{feff}energy_wh,direction,account,slot_start\r\n\r\n7,generation,a,2026-10-24T00:00:00Z\r\n";
    let readings = parse_readings(text.as_bytes()).expect("read");
    assert_eq!(readings.slots[0].generation[0].energy_wh, 7);
}

#[test]
fn keys_that_are_refused_name_line_and_reason() {
    let fixed = |rows: &str| parse_static_keys(format!("account,share_ppm\n{rows}").as_bytes());
    let slots = |rows: &str| parse_slot_keys(format!("slot_start,account,share_ppm\n{rows}").as_bytes());
    for (found, words) in [
        (fixed("a,500000\na,1\n"), "line 3: \"a\" has a share in line 2"),
        (fixed("a,500000\nb,500001\n"), "the shares add up to 1000001 ppm"),
        (fixed("a,1000001\n"), "line 2: share_ppm \"1000001\""),
        (fixed("a,-1\n"), "line 2: share_ppm \"-1\""),
        (fixed("a,0.5\n"), "line 2: share_ppm \"0.5\""),
        (fixed("a,+5\n"), "line 2: share_ppm \"+5\""),
        (fixed("a,\n"), "line 2: share_ppm \"\""),
        (fixed(",5\n"), "line 2: the account is missing"),
        (
            slots("2026-10-24T00:00:00Z,a,1\n2026-10-24T00:00:00Z,a,2\n"),
            "a share of 2026-10-24T00:00:00Z in line 2",
        ),
        (
            slots("2026-10-24T00:15:00Z,a,1000000\n2026-10-24T00:15:00Z,b,1\n"),
            "the shares of 2026-10-24T00:15:00Z add up",
        ),
        (slots("24.10.2026,a,1\n"), "line 2: slot_start"),
    ] {
        let message = found.expect_err("refused").to_string();
        assert!(message.contains(words), "{message}");
    }
    let wrong_kind = parse_static_keys("slot_start,account,share_ppm\n2026-10-24T00:00:00Z,a,1\n".as_bytes());
    assert!(wrong_kind.expect_err("refused").to_string().contains("the column \"slot_start\" is unknown"));
    assert!(slots("2026-10-24T00:00:00Z,a,1000000\n2026-10-24T00:15:00Z,a,1000000\n").is_ok());
}

#[test]
fn shares_that_nobody_can_get_are_named() {
    let readings = "2026-10-24T00:00:00Z,a,consumption,1\n2026-10-24T00:15:00Z,b,consumption,1\n2026-10-24T00:00:00Z,c,generation,1\n";
    let readings = parse_readings(format!("{HEADER}{readings}").as_bytes()).expect("readings");
    let fixed = parse_static_keys("account,share_ppm\na,1\nb,1\nc,1\nd,1\ne,0\n".as_bytes()).expect("keys");
    assert_eq!(fixed.without_readings(&readings), [("c", None), ("d", None)]);
    let slots = "slot_start,account,share_ppm\n2026-10-24T00:00:00Z,a,1\n2026-10-24T00:00:00Z,b,1\n2026-10-24T01:00:00Z,a,1\n";
    let slots = parse_slot_keys(slots.as_bytes()).expect("keys");
    let (first, other) = (readings.slots[0].start_unix_s, readings.slots[0].start_unix_s + 3_600);
    assert_eq!(slots.without_readings(&readings), [("a", Some(other)), ("b", Some(first))]);
}

#[test]
fn a_set_below_its_minimum_is_named_with_its_slot() {
    let rows = "2026-10-24T00:00:00Z,a,consumption,1\n2026-10-24T00:00:00Z,b,consumption,1\n2026-10-24T00:15:00Z,a,consumption,1\n";
    let readings = parse_readings(format!("{HEADER}{rows}").as_bytes()).expect("readings");
    assert_eq!(check_minimums(&readings, &SharingKey::ProRata, 1, 1), Ok(()));
    // Nobody generates: there is nothing to open.
    assert_eq!(check_minimums(&readings, &SharingKey::ProRata, 1, 5), Ok(()));
    let few = check_minimums(&readings, &SharingKey::ProRata, 2, 1).expect_err("refused");
    assert_eq!((few.start_unix_s - readings.slots[0].start_unix_s, few.accounts, few.minimum), (900, 1, 2));
    assert!(few.to_string().starts_with("slot 2026-10-24T00:15:00Z: "), "{few}");
}

/// What is shared is then the reading of the only one who has a share, however many others consume.
#[test]
fn consumers_without_a_share_fill_no_minimum() {
    let rows =
        ["a", "b", "c"].map(|account| format!("2026-10-24T00:00:00Z,{account},consumption,7\n")).concat();
    let readings = parse_readings(format!("{HEADER}{rows}").as_bytes()).expect("readings");
    let keys = |rows: &str| parse_static_keys(format!("account,share_ppm\n{rows}").as_bytes()).expect("keys");
    let alone = check_minimums(&readings, &keys("a,1000000\nb,0\nd,0\n"), 2, 1).expect_err("one alone");
    assert_eq!((alone.accounts, alone.minimum), (1, 2));
    assert_eq!(check_minimums(&readings, &keys("a,500000\nb,1\n"), 2, 1), Ok(()));
    // Nobody has a share of this slot: nothing is opened.
    assert_eq!(check_minimums(&readings, &keys("d,1000000\n"), 2, 1), Ok(()));
}
