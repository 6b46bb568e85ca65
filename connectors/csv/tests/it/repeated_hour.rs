//! The hour that comes twice is never merged, never dropped, never guessed.

use crate::{plain, read};
use veilgrid_readings_csv::{HalfOfHour, Options, StampIs};

/// Starts of the first meter's rows.
fn starts(rows: &[&str], options: &Options) -> Result<Vec<i64>, String> {
    let text =
        rows.iter().fold("meter,begin,consumption\n".to_owned(), |text, row| format!("{text}{row},1\n"));
    let readings = read(&text, options).map_err(|fault| fault.to_string())?;
    assert_eq!(readings.len(), rows.len(), "no row is merged or dropped");
    Ok(readings.into_iter().filter(|reading| reading.0 == "A").map(|reading| reading.2).collect())
}

const TWO: i64 = 1_792_886_400; // 2026-10-25 02:00 in summer time

#[test]
fn the_order_of_rows_tells_the_halves_apart() {
    let rows = [
        "A,2026-10-25 02:30",
        "A,2026-10-25 02:45",
        "A,2026-10-25 02:00",
        "A,2026-10-25 02:15",
        "A,2026-10-25 03:00",
    ];
    assert_eq!(starts(&rows, &plain()), Ok(vec![TWO + 1800, TWO + 2700, TWO + 3600, TWO + 4500, TWO + 7200]));
    // Two meters in turns, each by its own order; the file ends inside of the hour.
    let rows = ["A,2026-10-25 02:00", "B,2026-10-25 02:00", "A,2026-10-25 02:00", "B,2026-10-25 02:00"];
    assert_eq!(starts(&rows, &plain()), Ok(vec![TWO, TWO + 3600]));
}

#[test]
fn what_is_there_once_is_refused_unless_somebody_says_which() {
    let rows = ["A,2026-10-25 01:45", "A,2026-10-25 02:00", "A,2026-10-25 02:15", "A,2026-10-25 03:00"];
    let message = starts(&rows, &plain()).expect_err("one of two");
    assert!(message.contains("line 3") && message.contains("--repeated-hour"), "{message}");
    let said =
        |half| starts(&rows, &Options { repeated_hour: Some(half), ..plain() }).map(|starts| starts[1]);
    assert_eq!((said(HalfOfHour::Earlier), said(HalfOfHour::Later)), (Ok(TWO), Ok(TWO + 3600)));
}

#[test]
fn rows_sorted_by_the_text_of_their_time_are_refused() {
    let rows = ["A,2026-10-25 02:00", "A,2026-10-25 02:00", "A,2026-10-25 02:15", "A,2026-10-25 02:15"];
    let message = starts(&rows, &plain()).expect_err("which is which is not known");
    assert!(message.contains("the order of the rows does not tell"), "{message}");
}

#[test]
fn an_offset_settles_it_and_a_zone_without_summer_time_has_no_such_hour() {
    let rows = ["A,2026-10-25T02:00:00+01:00", "A,2026-10-25T02:00:00+02:00"];
    assert_eq!(starts(&rows, &plain()), Ok(vec![TWO + 3600, TWO]));
    let fixed = Options { zone: Some(veilgrid_readings::Zone::named("+01:00").expect("a zone")), ..plain() };
    assert_eq!(
        starts(&["A,2026-10-25 02:00", "A,2026-03-29 02:00"], &fixed),
        Ok(vec![TWO + 3600, 1_774_746_000])
    );
}

#[test]
fn begin_and_end_may_be_by_the_clock_or_in_truth() {
    let text = "meter,begin,end,consumption\nA,2026-10-25 01:45,2026-10-25 02:00,1\nA,2026-10-25 02:45,2026-10-25 03:00,1\nA,2026-10-25 02:45,2026-10-25 03:00,1\n";
    let by_the_clock = read(text, &plain()).expect("a file");
    assert_eq!(by_the_clock.iter().map(|one| one.2).collect::<Vec<_>>(), [TWO - 900, TWO + 2700, TWO + 6300]);
    // In truth the interval that begins at 02:45 in summer time ends at 02:00 in winter time, and that of 01:45 in spring at 03:00.
    let text = "meter,begin,end,consumption\nA,2026-03-29 01:30,2026-03-29 01:45,1\nA,2026-03-29 01:45,2026-03-29 03:00,1\n\
                A,2026-10-25 02:45,2026-10-25 02:00,1\nA,2026-10-25 02:45,2026-10-25 03:00,1\n";
    let in_truth = read(text, &plain()).expect("a file");
    assert_eq!(
        in_truth.iter().map(|one| one.2).collect::<Vec<_>>(),
        [1_774_744_200, 1_774_745_100, TWO + 2700, TWO + 6300]
    );
}

#[test]
fn the_hour_that_is_left_out_is_refused() {
    let message = starts(&["A,2026-03-29 02:15"], &plain()).expect_err("no such time");
    assert!(message.contains("line 2") && message.contains("left out in Europe/Vienna"), "{message}");
    // As an end it is no time either: the interval from 01:45 ends at 03:00.
    let options = Options { stamp: Some(StampIs::End), ..plain() };
    let error =
        read("meter,timestamp,consumption\nA,2026-03-29 02:00,1\n", &options).expect_err("no such time");
    assert!(error.to_string().contains("left out"), "{error}");
}
