//! What a file does not say is asked for, and what is wrong in it is named with its line.

use crate::{plain, read, vienna};
use proptest::prelude::*;
use veilgrid_readings::{Direction, Grade};
use veilgrid_readings_csv::{DateOrder, Layout, Options, Rows, Sign, StampIs};

fn refused(text: &str, options: &Options, words: &[&str]) {
    let message = read(text, options).expect_err("refused").to_string();
    for word in words {
        assert!(message.contains(word), "{text:?}: `{word}` is not in: {message}");
    }
}

const QUARTERS: &str = "A,2026-06-21 10:00,0.5\nA,2026-06-21 10:15,0.5\n";

#[test]
fn what_is_not_certain_is_asked_for() {
    let file = |header: &str| format!("{header}\n{QUARTERS}");
    refused(&file("meter,timestamp,consumption_kwh"), &vienna(), &["--stamp", "timestamp"]);
    refused(&file("meter,begin,consumption"), &vienna(), &["--unit", "consumption"]);
    refused(&file("meter,begin,consumption_mwh"), &vienna(), &["--unit"]);
    refused(&file("meter,begin,kWh"), &vienna(), &["--direction", "--sign"]);
    refused(&file("x,begin,consumption_kwh"), &vienna(), &["--meter"]);
    refused(&file("meter,x,consumption_kwh"), &vienna(), &["--column begin="]);
    refused(&file("meter,begin,x"), &vienna(), &["--column consumption="]);
    refused(&file("meter,begin,consumption_kwh"), &Options::default(), &["--zone"]);
    refused("meter,begin,consumption_kwh\nA,2026-06-21 10:00,0.5\n", &vienna(), &["--interval-minutes"]);
    refused(
        "meter,begin,consumption_kwh\nA,2026-06-21 10:00,0.5\nA,2026-06-21 11:00,0.5\n",
        &vienna(),
        &["--interval-minutes"],
    );
    let slashes = "meter,begin,consumption_kwh\nA,05/06/2026 10:00,0.5\nA,05/06/2026 10:15,0.5\n";
    refused(slashes, &vienna(), &["line 2", "--date-order"]);
    let first = |order| read(slashes, &Options { date_order: Some(order), ..vienna() }).expect("a file")[0].2;
    assert_eq!(first(DateOrder::DayFirst) - first(DateOrder::MonthFirst), 30 * 86_400);
    assert!(read(&slashes.replace("05/06", "21/06"), &vienna()).is_ok(), "21 is no month");
    refused(
        "meter;begin;consumption_kwh\nA;2026-06-21 10:00;1.234\nA;2026-06-21 10:15;2.500\n",
        &vienna(),
        &["1.234", "--decimal"],
    );
    assert!(
        read("meter;begin;consumption_kwh\nA;2026-06-21 10:00;1.234\nA;2026-06-21 10:15;0.500\n", &vienna())
            .is_ok()
    );
    refused(
        "meter|begin,x|consumption_kwh\nA|2026-06-21 10:00,1|1\nB|2026-06-21 10:00,1|1\n",
        &vienna(),
        &["--delimiter", ", or |"],
    );
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let file = |row: &str| format!("meter,begin,consumption\nA,2026-06-21 10:00,1\n{row}\n");
    refused(&file("A,2026-06-21 10:15,1;5"), &plain(), &["line 3", "1;5", "number"]);
    refused(&file("A,2026-06-21 10:15,-1"), &plain(), &["line 3", "below zero", "--sign"]);
    refused(&file("A,2026-06-21 10:15,1e3"), &plain(), &["line 3", "1e3"]);
    refused(&file("A,2026-06-31 10:15,1"), &plain(), &["line 3", "does not exist"]);
    refused(&file("A,2026-06-21 25:15,1"), &plain(), &["line 3", "does not exist"]);
    refused(&file("A,21.06.26 10:15,1"), &plain(), &["line 3", "four digits"]);
    refused(&file("A,2026-06-21 10:15:00.5,1"), &plain(), &["line 3", "fraction"]);
    refused(&file("A,2026-06-21 10:15,99999999"), &plain(), &["line 3", "GWh"]);
    refused(&file(" ,2026-06-21 10:15,1"), &plain(), &["line 3", "meter"]);
    refused("", &plain(), &["empty"]);
    refused("meter,begin,consumption\n", &plain(), &["no values"]);
    refused(
        "meter,begin,consumption,import\nA,2026-06-21 10:00,1,1\n",
        &plain(),
        &["two columns", "--column consumption="],
    );
    let graded = |word: &str| format!("meter,begin,consumption,status\nA,2026-06-21 10:00,1,{word}\n");
    refused(&graded("E"), &plain(), &["line 2", "`E`", "grade"]);
    assert_eq!(read(&graded("Ersatzwert"), &plain()).expect("a file")[0].4, Some((1000, Grade::Substituted)));
    assert_eq!(read(&graded("missing"), &plain()).expect("a file")[0].4, None);
    // A file cut off in its last line.
    let options = Options { delimiter: Some(b','), ..plain() };
    refused("meter,begin,consumption\nA,2026-06-21 10:00,1\nA,2026-06-2", &options, &["line 3", "cut off"]);
}

/// The lines of files from Windows are those that an editor shows, in the first lines, later, and after an import that goes on.
#[test]
fn lines_are_the_same_with_crlf_and_empty_lines() {
    let file = |row: &str| format!("meter,begin,consumption\r\nA,2026-06-21 10:00,1\r\n\r\n{row}\r\n");
    refused(&file("A,2026-06-21 10:15,x"), &plain(), &["line 4", "`x`"]);
    refused(&file("A,2026-06-31 10:15,1"), &plain(), &["line 4", "does not exist"]);
    let whole = file("A,2026-06-21 10:15,2\r\nA,2026-06-21 10:30,x");
    let layout = Layout::detect(whole.as_bytes(), true, &plain()).expect("a file");
    let mut rows = Rows::new(&layout, whole.as_bytes(), None).expect("rows");
    for _ in 0..2 {
        assert!(rows.step(&mut |_| Ok(())).expect("a row"));
    }
    let place = rows.place();
    let rest = &whole.as_bytes()[place.byte as usize..];
    let mut rows = Rows::new(&layout, rest, Some(place)).expect("rows");
    let fault = rows.step(&mut |_| Ok(())).expect_err("no number");
    assert_eq!(fault.place, "line 5");
}

#[test]
fn a_quotation_mark_that_is_never_closed_takes_no_more_than_a_row() {
    let mut text = "meter,begin,consumption\nA,2026-06-21 10:00,1\n".to_owned();
    let layout = Layout::detect(text.as_bytes(), true, &plain()).expect("a file");
    text += "\"A,2026-06-21 10:15,1\n";
    text += &"A,2026-06-21 10:30,1\n".repeat(1 << 17);
    let mut source = text.as_bytes();
    let mut rows = Rows::new(&layout, &mut source, None).expect("rows");
    assert!(rows.step(&mut |_| Ok(())).expect("the first row"));
    let fault = rows.step(&mut |_| Ok(())).expect_err("no end").to_string();
    assert!(fault.starts_with("line 3:") && fault.contains("quotation mark"), "{fault}");
    drop(rows);
    assert!(source.len() > text.len() / 2, "{} bytes were left", source.len());
}

#[test]
fn empty_nan_and_dash_are_missing_and_zero_is_zero() {
    for (cell, value) in [
        ("", None),
        ("NaN", None),
        ("-", None),
        ("null", None),
        ("0", Some(0)),
        ("0.000", Some(0)),
        ("-0", Some(0)),
    ] {
        let text = format!("meter,begin,consumption\nA,2026-06-21 10:00,{cell}\n");
        let readings = read(&text, &plain()).expect("a file");
        assert_eq!(readings[0].4, value.map(|wh| (wh, Grade::Measured)), "{cell:?}");
    }
}

#[test]
fn lines_before_the_header_are_counted_whatever_they_hold() {
    let text = "Report \"of, \n\n;;;\nmeter,begin,consumption\nA,2026-06-21 10:00,1\nA,2026-06-21 10:15,x\n";
    let options = Options { skip_lines: 3, ..plain() };
    refused(text, &options, &["line 6", "`x`"]);
    let readings = read(&text.replace(",x", ",2"), &options).expect("a file");
    assert_eq!(
        readings.iter().map(|one| one.4).collect::<Vec<_>>(),
        [Some((1000, Grade::Measured)), Some((2000, Grade::Measured))]
    );
}

#[test]
fn date_and_times_apart_as_german_operators_write_them() {
    let text = "Datum;von;bis;Verbrauch [kWh]\n21.06.2026;23:30;23:45;1,5\n21.06.2026;23:45;00:00;-\n";
    let readings = read(text, &Options { meter: Some("A".into()), ..vienna() }).expect("a file");
    assert_eq!(
        readings.iter().map(|one| (one.2, one.3, one.4)).collect::<Vec<_>>(),
        [(1_782_077_400, 900, Some((1500, Grade::Measured))), (1_782_078_300, 900, None)]
    );
    let text = "date,time,load W,meter\n2026-06-21,24:00,100,A\n2026-06-22,00:15,100,A\n";
    let readings = read(text, &Options { stamp: Some(StampIs::End), ..vienna() }).expect("a file");
    assert_eq!(
        (readings[0].1, readings[0].2, readings[0].4),
        (Direction::Consumption, 1_782_078_300, Some((25, Grade::Measured)))
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Whatever is changed in a true file: an error or readings, never a panic.
    #[test]
    fn no_bytes_make_it_panic(at in any::<prop::sample::Index>(), bytes in prop::collection::vec(any::<u8>(), 0..6), cut in any::<bool>()) {
        let mut text = include_bytes!("../fixtures/pandas_signed.csv").to_vec();
        text.truncate(600);
        let at = at.index(text.len());
        if cut { text.truncate(at) }
        text.splice(at.min(text.len())..at.min(text.len()), bytes);
        let options = Options { sign: Some(Sign::ConsumptionPositive), ..vienna() };
        if let Ok(layout) = Layout::detect(&text, true, &options)
            && let Ok(mut rows) = Rows::new(&layout, &text[..], None)
        {
            let mut last = 0;
            while rows.step(&mut |_| Ok(())).unwrap_or(false) {
                prop_assert!(rows.place().byte > last, "each step goes on");
                last = rows.place().byte;
            }
        }
    }
}
