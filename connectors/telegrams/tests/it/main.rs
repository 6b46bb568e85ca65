//! P1 beside dsmr-parser 1.11.2 and SML beside smllib 1.7, whose results are in `fixtures/` (`make.py`).

use proptest::prelude::*;
use veilgrid_readings::{Direction, Fault, Grade, Reading, Sink, Zone};
use veilgrid_readings_telegrams::{p1, sml};

type Read = (String, Direction, i64, Option<(u64, Grade)>);

const P1: &[u8] = include_bytes!("../fixtures/p1.log");
const SML: &str = include_str!("../fixtures/sml.log");

fn all(read: impl FnOnce(&mut Sink<'_>) -> Result<u64, Fault>) -> Result<Vec<Read>, String> {
    let mut readings = Vec::new();
    let mut sink = |one: &Reading<'_>| {
        assert_eq!(one.seconds, 900);
        let value = one.value.map(|(energy, grade)| (energy.rounded_wh().0, grade));
        readings.push((one.meter.to_owned(), one.direction, one.start_unix_s, value));
        Ok(())
    };
    read(&mut sink).map_err(|fault| fault.to_string())?;
    Ok(readings)
}

/// The stands that a library read: time, consumption and generation in Wh.
fn stands(text: &str) -> Vec<(i64, [u64; 2])> {
    let number = |text: &str| text.parse::<u64>().expect("a number");
    text.lines()
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            (fields[0].parse().expect("a time"), [number(fields[1]), number(fields[2])])
        })
        .collect()
}

/// Intervals are the differences of the stands that the library read, and the days have their quarter-hours.
fn same_as_library(readings: &[Read], stands: &[(i64, [u64; 2])], meter: &str) {
    let zone = Zone::named("Europe/Amsterdam").expect("a zone");
    let stand = |unix_s: i64| stands.iter().find(|(at, _)| *at == unix_s).map(|(_, stands)| *stands);
    for (date, slots, missing) in [("2026-03-29", 92, 0), ("2026-06-21", 96, 3), ("2026-10-25", 100, 0)] {
        let day = zone.day(date.parse().expect("a date")).expect("a day");
        for (place, direction) in Direction::ALL.into_iter().enumerate() {
            let of_day: Vec<&Read> =
                readings.iter().filter(|one| one.1 == direction && day.contains(one.2)).collect();
            assert_eq!((of_day.len(), day.slots(900)), (slots, u32::try_from(slots).ok()), "{date}");
            assert_eq!(of_day.iter().filter(|one| one.3.is_none()).count(), missing, "{date}");
            for one in of_day {
                let (from, to) = (stand(one.2), stand(one.2 + 900));
                let expected = from.zip(to).map(|(from, to)| (to[place] - from[place], Grade::Measured));
                assert_eq!((one.0.as_str(), one.3), (meter, expected), "{date} {}", one.2);
            }
        }
    }
}

#[test]
fn p1_intervals_are_the_differences_of_what_dsmr_parser_reads() {
    let readings = all(|sink| p1::read(P1, None, 900, sink)).expect("a log");
    same_as_library(&readings, &stands(include_str!("../fixtures/p1_dsmr_parser.csv")), "E0044007131650618");
}

#[test]
fn sml_intervals_are_the_differences_of_what_smllib_reads() {
    let readings = all(|sink| sml::read(SML, None, 900, sink)).expect("a log");
    same_as_library(&readings, &stands(include_str!("../fixtures/sml_smllib.csv")), "0a01454d480000abcdef");
}

#[test]
fn a_log_that_lost_its_carriage_returns_is_the_same() {
    let text = String::from_utf8(P1.to_vec()).expect("ASCII");
    let whole = all(|sink| p1::read(P1, None, 900, sink)).expect("a log");
    assert_eq!(all(|sink| p1::read(text.replace('\r', "").as_bytes(), None, 900, sink)), Ok(whole));
}

fn checksummed(body: &str) -> String {
    let crc = body.bytes().fold(0u16, |value, byte| {
        (0..8).fold(
            value ^ u16::from(byte),
            |value, _| if value & 1 == 1 { (value >> 1) ^ 0xa001 } else { value >> 1 },
        )
    });
    format!("{body}{crc:04X}\r\n")
}

/// A telegram with these lines.
fn telegram(lines: &[&str]) -> String {
    checksummed(&format!("/ELL5\\253833635_A\r\n\r\n{}\r\n!", lines.join("\r\n")))
}

#[test]
fn the_letter_of_a_time_is_its_offset_whatever_the_date() {
    let at = |time: &str| {
        p1::parse(telegram(&[&format!("0-0:1.0.0({time})"), "1-0:1.8.0(1*kWh)"]).trim_end().as_bytes(), 1)
            .expect("a telegram")
            .unix_s
    };
    // Swedish meters keep winter time in June.
    assert_eq!(at("260621120000S"), 1_782_036_000);
    assert_eq!(at("260621120000W"), 1_782_039_600);
    assert_eq!(at("261025023000W") - at("261025023000S"), 3600);
}

#[test]
fn the_total_register_counts_and_else_the_sum_of_the_tariffs() {
    let stand = |lines: &[&str]| {
        let lines: Vec<&str> =
            std::iter::once("0-0:1.0.0(260621120000S)").chain(lines.iter().copied()).collect();
        let one = p1::parse(telegram(&lines).trim_end().as_bytes(), 1).expect("a telegram");
        (one.consumption_nano_wh.map(|nano| nano / 1_000_000_000), one.generation_nano_wh)
    };
    assert_eq!(stand(&["1-0:1.8.0(00006678.394*kWh)"]), (Some(6_678_394), None));
    assert_eq!(stand(&["1-0:1.8.1(000001.500*kWh)", "1-0:1.8.2(000002.000*kWh)"]), (Some(3500), None));
    assert_eq!(stand(&["1-0:1.8.0(00000010*Wh)", "1-0:1.8.1(7*Wh)"]), (Some(10), None));
    assert_eq!(stand(&["1-0:2.8.0(9999999.999*kWh)"]), (None, Some(9_999_999_999_000_000_000)));
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let refused = |log: &[u8], words: &[&str]| {
        let error = all(|sink| p1::read(log, None, 900, sink)).expect_err("refused");
        for word in words {
            assert!(error.contains(word), "`{word}` is not in: {error}");
        }
    };
    let good = telegram(&["0-0:1.0.0(260621120000S)", "0-0:96.1.1(4530)", "1-0:1.8.0(1.000*kWh)"]);
    assert!(all(|sink| p1::read(good.as_bytes(), None, 900, sink)).is_ok());
    let second = format!("{good}{}", good.replace("(1.000", "(1.001"));
    refused(second.as_bytes(), &["line 7", "checksum"]);
    refused(&good.as_bytes()[..60], &["line 1", "cut off"]);
    refused(format!("{good}x").as_bytes(), &["line 7", "outside"]);
    refused(telegram(&["1-0:1.8.0(1*kWh)"]).as_bytes(), &["line 1", "time"]);
    refused(telegram(&["0-0:1.0.0(260621120000S)", "1-0:1.8.0(1*kWh)"]).as_bytes(), &["line 1", "--meter"]);
    refused(
        telegram(&["0-0:1.0.0(260631120000S)", "1-0:1.8.0(1*kWh)"]).as_bytes(),
        &["line 3", "260631120000S"],
    );
    refused(telegram(&["0-0:1.0.0(260621120000S)", "1-0:1.8.0(1)"]).as_bytes(), &["line 4", "unit"]);
    refused(
        telegram(&["0-0:1.0.0(260621120000S)", "1-0:1.8.0(1*kWh)", "1-0:1.8.0(2*kWh)"]).as_bytes(),
        &["line 5", "second time"],
    );
    let refused = |log: &str, words: &[&str]| {
        let error = all(|sink| sml::read(log, None, 900, sink)).expect_err("refused");
        for word in words {
            assert!(error.contains(word), "`{word}` is not in: {error}");
        }
    };
    let line = SML.lines().next().expect("a line");
    refused(
        &format!("{line}\n{}\n", line.replace("1b1b1b1b1a", "1b1b1b1b1b")),
        &["line 2", "whole SML telegram"],
    );
    refused(&line.replace("000a", "010a"), &["line 1"]);
    refused(&line.replace("2026-03", "2026-13"), &["line 1", "time"]);
    refused("2026-03-28T23:00:00Z 1b1", &["line 1", "hex"]);
    refused("2026-03-28T23:00:00Z", &["line 1", "bytes behind"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic_and_no_changed_byte_of_a_telegram_passes(at in any::<prop::sample::Index>(), byte in any::<u8>(), flip in 1u8..) {
        let good = telegram(&["0-0:1.0.0(260621120000S)", "0-0:96.1.1(4530)", "1-0:1.8.0(1.000*kWh)"]).into_bytes();
        let mut changed = good.clone();
        let place = at.index(good.len() - 6);
        changed[place] = byte;
        let read = all(|sink| p1::read(&changed, None, 900, sink));
        // A space or a line's end in front of it is no change of the telegram.
        prop_assert!(changed == good || read.is_err() || byte.is_ascii_whitespace());
        let line = SML.lines().next().expect("a line");
        let (time, bytes) = line.split_once(' ').expect("two words");
        let mut bytes: Vec<u8> = (0..bytes.len() / 2).map(|at| u8::from_str_radix(&bytes[2 * at..2 * at + 2], 16).expect("hex")).collect();
        let place = at.index(bytes.len());
        bytes[place] ^= flip;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let log = format!("{time} {hex}");
        prop_assert!(all(|sink| sml::read(&log, None, 900, sink)).is_err());
    }
}
