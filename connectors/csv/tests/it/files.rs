//! Files that pandas 2.3.3 and polars 2.1.0 wrote (`fixtures/make.py`): days of 92, 96 and 100 quarter-hours come out right.

use crate::{Read, read, vienna};
use veilgrid_readings::{Direction, Grade, Zone};
use veilgrid_readings_csv::{Layout, Options, Rows, Sign, StampIs};

/// What make.py put into the files.
fn expected() -> Vec<Read> {
    let vienna = Zone::named("Europe/Vienna").expect("a zone");
    let mut readings = Vec::new();
    for (date, count) in [("2026-03-29", 92), ("2026-06-21", 96), ("2026-10-25", 100)] {
        let day = vienna.day(date.parse().expect("a date")).expect("a day");
        assert_eq!(day.slots(900), Some(count));
        for n in 0..i64::from(count) {
            let missing = count == 96 && n % 17 == 16;
            for (direction, wh) in
                [(Direction::Consumption, (37 * n + 11) % 500), (Direction::Generation, (53 * n + 7) % 400)]
            {
                let value = (!missing).then(|| (u64::try_from(wh).expect("not below zero"), Grade::Measured));
                readings.push(("AT001".to_owned(), direction, day.start_unix_s + n * 900, 900, value));
            }
        }
    }
    readings
}

fn sorted(mut readings: Vec<Read>) -> Vec<Read> {
    readings.sort();
    readings
}

const GERMAN: &str = include_str!("../fixtures/pandas_german_end.csv");
const SIGNED: &str = include_str!("../fixtures/pandas_signed.csv");

fn german() -> Options {
    Options { meter: Some("AT001".into()), stamp: Some(StampIs::End), ..vienna() }
}

#[test]
fn with_offsets_nothing_has_to_be_said() {
    let readings = read(include_str!("../fixtures/pandas_offsets.csv"), &Options::default()).expect("a file");
    assert_eq!(sorted(readings), sorted(expected()));
}

#[test]
fn local_times_of_the_end_with_decimal_comma() {
    assert_eq!(sorted(read(GERMAN, &german()).expect("a file")), sorted(expected()));
}

#[test]
fn mean_power_with_a_line_for_each_direction() {
    let options = Options { stamp: Some(StampIs::Begin), ..Options::default() };
    let readings = read(include_str!("../fixtures/polars_power.csv"), &options).expect("a file");
    assert_eq!(sorted(readings), sorted(expected()));
}

#[test]
fn a_signed_column_becomes_two_directions_and_missing_is_missing_in_both() {
    let options = Options { sign: Some(Sign::ConsumptionPositive), ..vienna() };
    let readings = read(SIGNED, &options).expect("a file");
    let net = |pair: &[Read]| match pair {
        [a, b] => {
            a.4.zip(b.4).map(|(a, b)| i64::try_from(a.0).expect("small") - i64::try_from(b.0).expect("small"))
        }
        _ => panic!("two directions"),
    };
    let (found, wanted): (Vec<_>, Vec<_>) =
        (readings.chunks(2).map(net).collect(), expected().chunks(2).map(net).collect());
    assert_eq!(found, wanted);
    assert_eq!(found.iter().filter(|net| net.is_none()).count(), 5);
    assert!(
        readings.chunks(2).all(|pair| pair.iter().any(|one| one.4.is_none_or(|(wh, _)| wh == 0))),
        "one of both is zero"
    );
    let turned = Options { sign: Some(Sign::GenerationPositive), ..vienna() };
    let turned = read(SIGNED, &turned).expect("a file");
    assert!(readings.iter().zip(&turned).all(|(a, b)| a.2 == b.2));
    assert_eq!(net(turned.get(..2).expect("a row")), Some(-4));
}

#[test]
fn reading_goes_on_wherever_it_is_settled() {
    let layout = Layout::detect(GERMAN.as_bytes(), true, &german()).expect("a layout");
    let whole = read(GERMAN, &german()).expect("a file");
    for stop in 0..288 {
        let mut readings = 0;
        let mut first = Rows::new(&layout, GERMAN.as_bytes(), None).expect("rows");
        for _ in 0..stop {
            assert!(
                first
                    .step(&mut |_| {
                        readings += 1;
                        Ok(())
                    })
                    .expect("a row")
            );
        }
        if !first.is_settled() {
            continue;
        }
        let place = first.place();
        let at = usize::try_from(place.byte).expect("small");
        let mut rest =
            Rows::new(&layout, GERMAN.as_bytes().get(at..).expect("inside"), Some(place)).expect("rows");
        while rest
            .step(&mut |one| {
                assert_eq!(one.start_unix_s, whole[readings].2, "stopped after {stop} rows");
                readings += 1;
                Ok(())
            })
            .expect("a row")
        {}
        assert_eq!(readings, whole.len(), "stopped after {stop} rows");
        assert_eq!(rest.place().line, 290);
    }
}
