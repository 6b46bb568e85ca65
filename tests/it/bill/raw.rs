//! The bills of March once more, from the raw file, with nothing of the program's code.

use super::place::Place;
use crate::cli::root;
use std::collections::BTreeMap;

/// Clocks are put forward at 2026-03-29T01:00Z.
const SUMMER_TIME_UNIX_S: i64 = 1_774_746_000;
const UNITS_PER_CT: i128 = 65_536_000_000;

#[derive(Default)]
struct Hour {
    consumed: BTreeMap<String, i128>,
    generated: BTreeMap<String, i128>,
}

fn wh(text: &str) -> Option<i128> {
    let (whole, fraction) = text.split_once('.')?;
    format!("{whole}{fraction}").parse().ok()
}

fn account_of(meter: &str) -> &'static str {
    match meter {
        "AT-101" => "flat-1",
        "AT-102" => "flat-2",
        "AT-103" => "house-3",
        "AT-104" => "house-4",
        "AT-105" => "bakery",
        "AT-106" => "barn",
        "AT-107" => "school",
        _ => "flat-8",
    }
}

#[test]
fn an_independent_sum_of_the_raw_file_gives_the_same_bills() {
    let mut hours: BTreeMap<String, Hour> = BTreeMap::new();
    let text = std::fs::read_to_string(root().join("data/billing/march.csv")).expect("march");
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let hour = hours.entry(fields[0].to_owned()).or_default();
        if let Some(consumed) = wh(fields[2]) {
            hour.consumed.insert(fields[1].to_owned(), consumed);
        }
        if let Some(generated) = wh(fields[3]) {
            hour.generated.insert(fields[1].to_owned(), generated);
        }
    }
    let mut owed: BTreeMap<&str, i128> = BTreeMap::new();
    let first = 1_772_319_600;
    for (at, hour) in hours.values_mut().enumerate() {
        let start = first + 3_600 * at as i64;
        // It moved in on the 16th.
        if start < 1_773_615_600 {
            hour.consumed.remove("AT-108");
        }
        let east = if start < SUMMER_TIME_UNIX_S { 3_600 } else { 7_200 };
        let local_hour = (start + east) / 3_600 % 24;
        let (buy, sell) = if (6..22).contains(&local_hour) { (14_500, 12_000) } else { (11_250, 9_750) };
        let (consumed, generated): (i128, i128) =
            (hour.consumed.values().sum(), hour.generated.values().sum());
        let part = if consumed == 0 { 0 } else { 65_536 * consumed.min(generated) / consumed };
        let of_generation = if generated == 0 { 0 } else { part * consumed / generated };
        for (meter, energy) in &hour.consumed {
            let fee = if ["AT-105", "AT-106", "AT-107"].contains(&meter.as_str()) { 1_420 } else { 2_130 };
            *owed.entry(account_of(meter)).or_default() += part * energy * (buy + fee);
        }
        for (meter, energy) in &hour.generated {
            let fee = if meter == "AT-106" { 50 } else { 0 };
            *owed.entry(account_of(meter)).or_default() -= of_generation * energy * (sell - fee);
        }
    }
    assert_eq!(hours.len(), 743);
    let place = Place::new();
    let preview = place.preview("2026-03");
    let bills = preview["bills"].as_array().expect("bills");
    assert_eq!(bills.len(), owed.len());
    for bill in bills {
        let exact = owed[bill["account"].as_str().expect("an account")];
        assert_eq!(bill["exact_units"], exact.to_string(), "{bill}");
        assert_eq!(bill["total_ct"].as_i64().map(i128::from), Some(exact.div_euclid(UNITS_PER_CT)), "{bill}");
    }
}
