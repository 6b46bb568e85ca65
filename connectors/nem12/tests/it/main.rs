//! NEM12 beside nemreader 0.9.2 and aemo-mdff-reader 2.2.1, whose results are in `fixtures/` (`make.py`).

use proptest::prelude::*;
use std::collections::BTreeMap;
use veilgrid_readings::{Direction, Grade, Reading, Zone};
use veilgrid_readings_nem12::{LeftOut, read};

type Read = (String, Direction, i64, u32, Option<(u64, Grade)>);

fn all(text: &str) -> Result<(Vec<Read>, LeftOut), String> {
    let mut readings = Vec::new();
    let mut sink = |one: &Reading<'_>| {
        let value = one.value.map(|(energy, grade)| (energy.rounded_wh().0, grade));
        readings.push((one.meter.to_owned(), one.direction, one.start_unix_s, one.seconds, value));
        Ok(())
    };
    let left_out = read(text, &mut sink).map_err(|fault| fault.to_string())?;
    Ok((readings, left_out))
}

const SYDNEY: &str = include_str!("../fixtures/sydney.csv");

/// What a reader gave: stream and begin to Wh and quality.
fn fixture(text: &str) -> BTreeMap<(String, String), (u64, String)> {
    text.lines()
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let [stream, begin, kwh, quality] = fields[..] else { panic!("four fields: {line}") };
            let wh = kwh.replace('.', "").parse().expect("three decimals");
            ((stream.to_owned(), begin.to_owned()), (wh, quality.to_owned()))
        })
        .collect()
}

fn begin(unix_s: i64) -> String {
    let utc = Zone::named("UTC").expect("a zone").day_of(unix_s).expect("a day");
    let second = unix_s - utc.start_unix_s;
    format!("{}T{:02}:{:02}:{:02}Z", utc.date, second / 3600, second / 60 % 60, second % 60)
}

#[test]
fn values_and_grades_are_those_of_both_readers() {
    let (readings, left_out) = all(SYDNEY).expect("a file");
    assert_eq!(left_out, LeftOut { streams: 1, replaced_days: 0 });
    let first = fixture(include_str!("../fixtures/nemreader.csv"));
    let second = fixture(include_str!("../fixtures/aemo_mdff_reader.csv"));
    assert_eq!((readings.len(), first.len(), second.len()), (1536, 1536, 1536));
    for (meter, direction, start, seconds, value) in readings {
        assert_eq!((meter.as_str(), seconds), ("NEM1234567/1", 900));
        let stream = if direction == Direction::Consumption { "NEM1234567/E1" } else { "NEM1234567/B1" };
        let key = (stream.to_owned(), begin(start));
        let (wh, quality) = &first[&key];
        let expected = match quality.as_bytes()[0] {
            b'A' => Some((*wh, Grade::Measured)),
            b'S' | b'F' => Some((*wh, Grade::Substituted)),
            b'E' => Some((*wh, Grade::Estimated)),
            b'N' => None,
            _ => panic!("{quality}"),
        };
        assert_eq!(value, expected, "{key:?}");
        assert_eq!(second[&key].0, *wh, "{key:?}");
        assert!(second[&key].1 == *quality || second[&key].1 == "V", "{key:?}");
    }
}

#[test]
fn days_of_sydney_have_100_96_and_92_quarter_hours() {
    let (readings, _) = all(SYDNEY).expect("a file");
    let sydney = Zone::named("Australia/Sydney").expect("a zone");
    for (date, slots) in [("2026-04-05", 100), ("2026-06-20", 96), ("2026-10-04", 92)] {
        let day = sydney.day(date.parse().expect("a date")).expect("a day");
        let mut starts: Vec<i64> = readings
            .iter()
            .filter(|one| one.1 == Direction::Consumption && day.contains(one.2))
            .map(|one| one.2)
            .collect();
        starts.sort_unstable();
        starts.dedup();
        assert_eq!((starts.len(), day.slots(900)), (slots, u32::try_from(slots).ok()), "{date}");
    }
}

fn file(rows: &[String]) -> String {
    format!(
        "100,NEM12,202606220000,MDP1,RETAIL1\n200,NEM1234567,E1,E1,E1,N1,METER1,KWH,30,20260701\n{}\n900\n",
        rows.join("\n")
    )
}

fn day(value: &str, quality: &str, updated: &str) -> String {
    format!("300,20260620,{}{quality},,,{updated},{updated}", format!("{value},").repeat(48))
}

#[test]
fn a_day_that_was_sent_twice_counts_once_and_the_later_one_counts() {
    let (early, late) = (day("0.1", "A", "20260621010000"), day("0.2", "A", "20260622010000"));
    for rows in [[early.clone(), late.clone()], [late.clone(), early.clone()]] {
        let (readings, left_out) = all(&file(&rows)).expect("a file");
        assert_eq!(readings.len(), 48);
        assert!(readings.iter().all(|one| one.4 == Some((200, Grade::Measured))));
        assert_eq!(left_out.replaced_days, 1);
    }
    assert_eq!(all(&file(&[early.clone(), early.clone()])).expect("the same twice").0.len(), 48);
    let error = all(&file(&[early, day("0.2", "A", "20260621010000")])).expect_err("which one?");
    assert!(error.contains("line 4") && error.contains("line 3"), "{error}");
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let refused = |text: &str, words: &[&str]| {
        let error = all(text).expect_err("refused");
        for word in words {
            assert!(error.contains(word), "`{word}` is not in: {error}");
        }
    };
    let good = day("0.1", "A", "20260621010000");
    assert!(all(&file(std::slice::from_ref(&good))).is_ok());
    refused("time,kwh\n", &["line 1", "no NEM12"]);
    refused(&file(std::slice::from_ref(&good)).replace("\n900", ""), &["cut off"]);
    refused(&format!("{}x\n", file(std::slice::from_ref(&good))), &["line 5", "after the end"]);
    refused(&file(&[good.replacen(",0.1", "", 1)]), &["line 3", "48"]);
    refused(&file(&[good.replacen(",0.1", ",x", 1)]), &["line 3", "value 1", "`x`"]);
    refused(&file(&[good.replacen(",0.1", ",-0.1", 1)]), &["line 3", "below zero"]);
    refused(&file(&[good.replacen(",0.1", ",", 1)]), &["line 3", "value 1", "empty"]);
    refused(&file(&[good.replacen("20260620", "20260631", 1)]), &["line 3", "20260631"]);
    refused(&file(&[day("0.1", "X", "20260621010000")]), &["line 3", "`X`"]);
    refused(&file(&[day("0.1", "A", "2026")]), &["line 3", "update time"]);
    let varies = day("0.1", "V", "20260621010000");
    refused(&file(&[varies.clone(), "400,1,47,A,,".into()]), &["line 3", "interval 48"]);
    refused(
        &file(&[varies.clone(), "400,1,48,A,,".into(), "400,48,48,E52,,".into()]),
        &["line 5", "another record"],
    );
    refused(&file(&[varies, "400,0,49,A,,".into()]), &["line 4", "0 to 49"]);
    refused(&file(&["400,1,48,A,,".into()]), &["line 3", "without a day"]);
    // Null values are no zeros, whatever stands in their place.
    assert!(all(&file(&[day("0", "N", "")])).expect("a file").0.iter().all(|one| one.4.is_none()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(at in any::<prop::sample::Index>(), text in "[0-9A-Z,\n.-]{0,8}", cut in any::<bool>()) {
        let mut file = file(&[day("0.1", "V", "20260621010000"), "400,1,48,A,,".into()]);
        let at = at.index(file.len());
        if cut { file.truncate(at) }
        file.insert_str(at, &text);
        let _ = all(&file);
    }
}
