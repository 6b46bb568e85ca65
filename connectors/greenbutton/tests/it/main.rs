//! Green Button beside greenbutton-objects 2024.7.11, which reads the same (`fixtures/make.py`).

use proptest::prelude::*;
use veilgrid_readings::{Direction, Grade, Reading, Zone};
use veilgrid_readings_greenbutton::{LeftOut, read};

type Read = (String, Direction, i64, u32, Option<(u64, Grade)>);

const FEED: &str = include_str!("../fixtures/new_york.xml");

fn all(text: &str, meter: Option<&str>) -> Result<(Vec<Read>, LeftOut), String> {
    let mut readings = Vec::new();
    let mut sink = |one: &Reading<'_>| {
        let value = one.value.map(|(energy, grade)| (energy.rounded_wh().0, grade));
        readings.push((one.meter.to_owned(), one.direction, one.start_unix_s, one.seconds, value));
        Ok(())
    };
    let left_out = read(text, meter, &mut sink).map_err(|fault| fault.to_string())?;
    Ok((readings, left_out))
}

#[test]
fn values_times_and_qualities_are_those_of_greenbutton_objects() {
    let (mut readings, left_out) = all(FEED, None).expect("a feed");
    assert_eq!(left_out, LeftOut { meter_readings: 1 });
    let mut expected: Vec<Read> = include_str!("../fixtures/greenbutton_objects.csv")
        .lines()
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let direction = if fields[0] == "1" { Direction::Consumption } else { Direction::Generation };
            let grade = if fields[4] == "8" { Grade::Estimated } else { Grade::Measured };
            let number = |text: &str| text.parse::<u64>().expect("a number");
            let value = Some((number(fields[3]), grade));
            (
                "7f3c9a10-0000-4000-8000-000000000001".to_owned(),
                direction,
                fields[1].parse().expect("a time"),
                900,
                value,
            )
        })
        .collect();
    readings.sort();
    expected.sort();
    assert_eq!(readings, expected);
    let new_york = Zone::named("America/New_York").expect("a zone");
    for (date, slots, there) in [("2026-03-08", 92, 92), ("2026-06-21", 96, 91), ("2026-11-01", 100, 100)] {
        let day = new_york.day(date.parse().expect("a date")).expect("a day");
        let count =
            readings.iter().filter(|one| one.1 == Direction::Consumption && day.contains(one.2)).count();
        assert_eq!((day.slots(900), count), (Some(slots), there), "{date}");
    }
}

#[test]
fn links_decide_and_not_the_order_of_entries() {
    let (head, rest) = FEED.split_once("<entry>").expect("entries");
    let mut entries: Vec<&str> = rest.trim_end().trim_end_matches("</feed>").split("<entry>").collect();
    entries.reverse();
    let turned = entries.iter().fold(head.to_owned(), |text, entry| text + "<entry>" + entry) + "</feed>";
    let sorted = |text: &str| {
        let mut readings = all(text, None).expect("a feed").0;
        readings.sort();
        readings
    };
    assert_eq!(sorted(&turned), sorted(FEED));
    assert!(all(FEED, Some("AT1")).expect("a feed").0.iter().all(|one| one.0 == "AT1"));
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let refused = |text: &str, words: &[&str]| {
        let error = all(text, None).expect_err("refused");
        for word in words {
            assert!(error.contains(word), "`{word}` is not in: {error}");
        }
    };
    refused("", &["no intervals"]);
    refused(&FEED[..FEED.find("</entry>").expect("an entry")], &["line", "cut off"]);
    refused(&FEED.replacen("<value>110</value>", "<value>x</value>", 1), &["line 5", "`x`"]);
    refused(&FEED.replacen("<value>110</value>", "<value>-110</value>", 1), &["line 5", "below zero"]);
    refused(&FEED.replacen("<quality>8</quality>", "<quality>13</quality>", 1), &["quality `13`"]);
    refused(&FEED.replacen("<flowDirection>1<", "<flowDirection>4<", 1), &["flowDirection"]);
    refused(
        &FEED.replacen("<powerOfTenMultiplier>-1<", "<powerOfTenMultiplier>99<", 1),
        &["power of ten of 99"],
    );
    refused(&FEED.replacen("rel=\"related\"", "rel=\"other\"", 2), &["reading types"]);
    refused(
        &FEED.replacen("<timePeriod><duration>900</duration>", "<timePeriod>", 1),
        &["line 5", "duration"],
    );
    let start = FEED.find("<start>").expect("a start of a block");
    let start = start + FEED[start + 1..].find("<start>").expect("a start of an interval") + 1;
    let end = start + FEED[start..].find("</start>").expect("its end") + "</start>".len();
    // Without its start it is not one of 1970.
    refused(&(FEED[..start].to_owned() + &FEED[end..]), &["line 5", "without a start"]);
    refused(
        &FEED.replacen("<value>110</value>", "<value>1&v;0</value>", 1),
        &["line 5", "`v`", "not defined"],
    );
    // A value that is not written is missing, and no zero.
    let (readings, _) = all(&FEED.replacen("<value>110</value>", "", 1), None).expect("a feed");
    assert_eq!(readings.iter().filter(|one| one.4.is_none()).count(), 1);
}

#[test]
fn a_number_is_the_same_however_xml_writes_it() {
    let expected = all(FEED, None).expect("a feed").0;
    for text in ["1&#49;0", "11<![CDATA[0]]>", " 1<!-- one -->10\n", "&#x31;10"] {
        let feed = FEED.replacen("<value>110</value>", &format!("<value>{text}</value>"), 1);
        assert_eq!(all(&feed, None).expect("a feed").0, expected, "{text}");
    }
    assert!(all(&FEED.replacen("<value>110</value>", "<value>1<!-- --> 10</value>", 1), None).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(at in any::<prop::sample::Index>(), text in "[<>/a-z0-9\"= &;-]{0,8}", cut in any::<bool>()) {
        let mut feed = FEED.to_owned();
        let at = at.index(feed.len());
        if cut { feed.truncate(at) }
        feed.insert_str(at, &text);
        let _ = all(&feed, None);
    }
}
