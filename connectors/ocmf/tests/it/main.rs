//! OCMF beside pyocmf 0.6.0, which verifies the same records (`fixtures/make.py`).

use proptest::prelude::*;
use std::collections::BTreeMap;
use veilgrid_readings::Direction;
use veilgrid_readings_ocmf::{Key, Session, session};

const RECORDS: &str = include_str!("../fixtures/records.txt");

/// Name to key and record; pyocmf's verdict on every signature is that it holds.
fn records() -> BTreeMap<&'static str, (Key, &'static str)> {
    RECORDS
        .lines()
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            assert_eq!(fields[2], "True", "pyocmf on {}", fields[0]);
            // Blanks inside of a record may be tabs.
            let record = line.splitn(4, '\t').nth(3).expect("a record");
            (fields[0], (Key::from_text(fields[1]).expect("a key"), record))
        })
        .collect()
}

fn of(names: &[&str]) -> Result<Session, String> {
    let all = records();
    let texts: Vec<&str> = names.iter().map(|name| all[name].1).collect();
    session(&texts, &all[names[0]].0).map_err(|fault| fault.to_string())
}

#[test]
fn a_session_through_the_repeated_hour_lasts_an_hour_and_has_its_energy_exactly() {
    for name in ["whole", "p384", "k256", "spaces"] {
        let session = of(&[name]).expect("a session");
        assert_eq!(
            (session.begin_unix_ms, session.end_unix_ms),
            (1_792_887_300_000, 1_792_890_900_000),
            "{name}"
        );
        assert_eq!(
            (session.energy_nano_wh(), session.direction),
            (21_523_000_000_000, Direction::Consumption),
            "{name}"
        );
        assert_eq!(
            (session.meter.as_str(), session.register.as_str(), session.pagination.as_slice()),
            ("M-0001", "01-0B:01.08.00", &["T12".to_owned()][..]),
            "{name}"
        );
    }
}

#[test]
fn begin_and_end_may_be_two_records_of_one_meter() {
    let session = of(&["begin", "end"]).expect("a session");
    assert_eq!(
        (session.energy_nano_wh(), session.end_unix_ms - session.begin_unix_ms),
        (4_500_000_000_000, 15 * 60_000)
    );
    assert_eq!(session.pagination, ["T12", "T13"]);
    let refused = |names: &[&str], word: &str| {
        let error = of(names).expect_err("refused");
        assert!(error.contains(word), "`{word}` is not in: {error}");
    };
    refused(&["begin"], "read at its begin and at its end");
    refused(&["begin", "begin"], "second begin");
    refused(&["begin", "other_meter"], "two meters");
    refused(&["begin", "end", "end"], "two");
}

#[test]
fn a_signature_that_holds_is_not_enough_for_a_bill() {
    for (name, word) in [
        ("exponent", "no value that is a decimal number"),
        ("clock", "not synchronised"),
        ("fault", "not in order"),
        ("flag", "error flag"),
        ("backwards", "below that of its begin"),
        ("earlier", "ends before it begins"),
        ("two_registers", "2 registers"),
    ] {
        let error = of(&[name]).expect_err(name);
        assert!(error.contains(word), "{name}: `{word}` is not in: {error}");
    }
}

#[test]
fn the_certified_key_decides() {
    let all = records();
    let (whole, k256) = (&all["whole"], &all["k256"]);
    let error = session(&[whole.1], &k256.0).expect_err("a key of another curve").to_string();
    assert!(error.contains("record 1"), "{error}");
    // A bare point does not say its curve: the record would.
    for text in ["", "hex", "04ab", &"04".repeat(65)] {
        assert!(Key::from_text(text).is_err(), "{text}");
    }
    // A line's end behind the record is none of its bytes.
    assert!(session(&[&format!("{}\r\n", whole.1)], &whole.0).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// No byte of the payload can be another.
    #[test]
    fn a_changed_payload_is_refused(at in any::<prop::sample::Index>(), byte in 0x20u8..0x7f) {
        let all = records();
        let (key, text) = &all["whole"];
        let end = text.rfind("|{").expect("a signature");
        let mut changed = text.as_bytes().to_vec();
        let at = 5 + at.index(end - 5);
        changed[at] = byte;
        let changed = String::from_utf8(changed).expect("ASCII");
        prop_assert_eq!(session(&[&changed], key).is_ok(), changed == *text);
    }
}
