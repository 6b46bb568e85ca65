use super::*;
use crate::community::decimal::QuantityError;
use veilgrid_market::timestamp::TimestampError;

const HEADER: &str = "slot_start,participant_id,role,load_kwh,generation_kwh,ev_kwh\n";
const T0: &str = "2016-06-22T00:00:00+02:00";
const T1: &str = "2016-06-22T00:15:00+02:00";
const T3: &str = "2016-06-22T00:45:00+02:00";

const DAY: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../data/community_day/community_day.csv"));

fn import(rows: &[&str]) -> Result<CommunityDay, ImportError> {
    import_community(format!("{HEADER}{}", rows.join("\n")).as_bytes())
}

fn refused(rows: &[&str]) -> ImportError {
    import(rows).unwrap_err()
}

/// Expected figures computed from the file with another language's decimal arithmetic (ROUND_HALF_EVEN).
#[test]
fn the_published_day_imports_exactly() {
    let community = import_community(DAY).unwrap();
    assert_eq!(community.participants.len(), 121);
    assert_eq!(community.slot_starts_unix_s.len(), 96);
    assert_eq!(community.slot_seconds(), Some(900));
    assert_eq!(Role::ALL.map(|role| community.count(role)), [27, 91, 3]);
    assert_eq!(community.slot_starts_unix_s[0], 1_466_546_400);
    assert!(community.participants.iter().all(|participant| participant.energy.len() == 96));
    let total = |get: fn(&SlotEnergy) -> u64| -> u64 {
        community.participants.iter().flat_map(|participant| &participant.energy).map(get).sum()
    };
    assert_eq!(total(|energy| energy.load_wh), 805_451);
    assert_eq!(total(|energy| energy.generation_wh), 945_645);
    assert_eq!(total(|energy| energy.ev_wh), 23_657);
    let rounding = Rounding {
        changed_values: 11_424,
        signed_milliwatt_hours: -103_200,
        absolute_milliwatt_hours: 3_119_600,
    };
    assert_eq!(community.rounding, rounding);
    let first = &community.participants[0];
    assert_eq!(
        (first.id.as_str(), first.role, first.energy[0].load_wh),
        ("LV3.101-B001", Role::Prosumer, 288)
    );
}

#[test]
fn columns_and_rows_may_come_in_any_order() {
    let text = "ev_kwh,note,role,slot_start,load_kwh,participant_id,generation_kwh\n\
                0.003,x,consumer,2016-06-22T00:15:00+02:00,0.002,b,0.001\n\
                0,x,consumer,2016-06-21T22:00:00Z,0.5,b,0\n";
    let community = import_community(text.as_bytes()).unwrap();
    let energy = [
        SlotEnergy { load_wh: 500, generation_wh: 0, ev_wh: 0 },
        SlotEnergy { load_wh: 2, generation_wh: 1, ev_wh: 3 },
    ];
    assert_eq!(community.participants[0].energy, energy);
    assert_eq!(import(&[&format!("{T0},a,prosumer,0,0,0")]).unwrap().slot_seconds(), None);
}

#[test]
fn rounding_is_summed_over_all_values() {
    let community = import(&[&format!("{T0},a,prosumer,0.0005,0.0015,0.0001")]).unwrap();
    let expected =
        Rounding { changed_values: 3, signed_milliwatt_hours: -100, absolute_milliwatt_hours: 1100 };
    assert_eq!(community.rounding, expected);
    let exact = import(&[&format!("{T0},a,prosumer,0.001,12,3.5")]).unwrap();
    assert_eq!(exact.rounding, Rounding::default());
}

#[test]
fn an_empty_file_is_refused() {
    assert!(matches!(import_community(&b""[..]), Err(ImportError::Empty)));
    assert!(matches!(import_community(&b"\n\n"[..]), Err(ImportError::Empty)));
    assert!(matches!(refused(&[]), ImportError::NoRows));
}

#[test]
fn every_column_is_needed_once() {
    for column in COLUMNS {
        let header = HEADER.replace(column, "other");
        let error = import_community(format!("{header}{T0},a,consumer,0,0,0").as_bytes()).unwrap_err();
        assert!(matches!(error, ImportError::MissingColumn { column: name } if name == column), "{error}");
        assert!(error.to_string().contains(column));
        let twice = format!("{column},{HEADER}0,{T0},a,consumer,0,0,0");
        let error = import_community(twice.as_bytes()).unwrap_err();
        assert!(matches!(error, ImportError::RepeatedColumn { column: name } if name == column), "{error}");
    }
}

#[test]
fn a_row_of_another_length_is_refused() {
    let error = refused(&[&format!("{T0},a,consumer,0,0,0"), &format!("{T1},a,consumer,0,0")]);
    assert!(matches!(error, ImportError::RowLength { line: 3, found: 5, expected: 6 }), "{error}");
}

#[test]
fn other_encodings_are_refused() {
    let mut text = HEADER.as_bytes().to_vec();
    text.extend_from_slice(T0.as_bytes());
    text.extend_from_slice(b",a\xff,consumer,0,0,0\n");
    let error = import_community(text.as_slice()).unwrap_err();
    assert!(matches!(error, ImportError::Encoding { line: 2, field: 2 }), "{error}");
}

#[test]
fn an_unknown_role_is_refused() {
    let error = refused(&[&format!("{T0},a,consumer,0,0,0"), &format!("{T0},b,Consumer,0,0,0")]);
    assert!(matches!(&error, ImportError::UnknownRole { line: 3, found } if found == "Consumer"), "{error}");
}

#[test]
fn bad_quantities_are_refused_with_their_place() {
    let cases = [
        ("-0.1", QuantityError::Negative),
        ("x", QuantityError::NotANumber),
        ("NaN", QuantityError::NotANumber),
        ("", QuantityError::Empty),
        ("100000.1", QuantityError::TooLarge),
        ("0.1234567", QuantityError::TooFine),
    ];
    for (text, expected) in cases {
        for (index, column) in COLUMNS.into_iter().enumerate().skip(3) {
            let mut fields = [T0, "a", "consumer", "0", "0", "0"];
            fields[index] = text;
            let error = refused(&[&format!("{T0},b,consumer,0,0,0"), &fields.join(",")]);
            match &error {
                ImportError::Quantity { line: 3, column: name, found, reason } => {
                    assert_eq!((*name, found.as_str(), *reason), (column, text, expected));
                }
                other => panic!("{other}"),
            }
            assert!(error.to_string().starts_with(&format!("line 3, column `{column}`: ")), "{error}");
        }
    }
}

#[test]
fn bad_timestamps_are_refused() {
    for (text, expected) in [
        ("22.06.2016 00:00", TimestampError::Shape),
        ("2016-06-31T00:00:00Z", TimestampError::OutOfRange),
        ("2016-06-22T00:00:00.1Z", TimestampError::Fraction),
    ] {
        let error = refused(&[&format!("{text},a,consumer,0,0,0")]);
        assert!(
            matches!(&error, ImportError::Timestamp { line: 2, found, reason } if found == text && *reason == expected),
            "{error}"
        );
    }
}

#[test]
fn an_id_has_text_and_a_bound() {
    let bound = "a".repeat(MAX_ID_BYTES);
    assert!(import(&[&format!("{T0},{bound},consumer,0,0,0")]).is_ok());
    for id in ["".to_owned(), format!("{bound}a"), "a\tb".to_owned()] {
        let error = refused(&[&format!("{T0},{id},consumer,0,0,0")]);
        assert!(matches!(error, ImportError::ParticipantId { line: 2 }), "{error}");
    }
}

#[test]
fn one_row_a_participant_and_slot() {
    // The same instant, written with another offset.
    let error = refused(&[&format!("{T0},a,consumer,0,0,0"), "2016-06-21T22:00:00Z,a,consumer,1,0,0"]);
    assert!(
        matches!(&error, ImportError::Duplicate { line: 3, participant, first_line: 2, .. } if participant == "a"),
        "{error}"
    );
}

#[test]
fn a_role_does_not_change() {
    let error = refused(&[&format!("{T0},a,consumer,0,0,0"), &format!("{T1},a,prosumer,0,0,0")]);
    assert!(
        matches!(
            error,
            ImportError::RoleChanged {
                line: 3,
                before: Role::Consumer,
                role: Role::Prosumer,
                first_line: 2,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_gap_is_an_error() {
    let rows = [
        format!("{T0},a,consumer,0,0,0"),
        format!("{T1},a,consumer,0,0,0"),
        format!("{T1},b,consumer,0,0,0"),
    ];
    let error = refused(&rows.each_ref().map(String::as_str));
    assert!(
        matches!(&error, ImportError::MissingRow { participant, slot, first_line: 4 }
            if participant == "b" && slot == "2016-06-21T22:00:00Z"),
        "{error}"
    );
}

#[test]
fn slots_are_equally_spaced() {
    let rows = [T0, T1, T3].map(|slot| format!("{slot},a,consumer,0,0,0"));
    let error = refused(&rows.each_ref().map(String::as_str));
    assert!(matches!(error, ImportError::Spacing { line: 4, found_s: 1800, expected_s: 900, .. }), "{error}");
}

#[test]
fn input_without_end_is_cut_off() {
    assert!(matches!(import_bounded(std::io::repeat(b'a'), 9, 1000), Err(ImportError::TooLong)));
}

#[test]
fn rows_and_bytes_are_bounded() {
    let text = format!("{HEADER}{T0},a,consumer,0,0,0\n{T0},b,consumer,0,0,0\n");
    let bytes = text.len() as u64;
    assert!(import_bounded(text.as_bytes(), 2, bytes).is_ok());
    assert!(matches!(import_bounded(text.as_bytes(), 1, bytes), Err(ImportError::TooManyRows)));
    assert!(matches!(import_bounded(text.as_bytes(), 2, bytes - 1), Err(ImportError::TooLong)));
}

#[test]
fn a_failing_reader_is_reported() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("disk"))
        }
    }
    let error = import_community(Broken).unwrap_err();
    assert!(matches!(&error, ImportError::Read(_)) && error.to_string().contains("disk"), "{error}");
}

#[test]
fn quoted_input_is_short_and_printable() {
    let error = refused(&[&format!("{T0},a,{},0,0,0", "z\u{1b}".repeat(500))]).to_string();
    assert!(error.len() < 400 && !error.contains('\u{1b}'), "{error}");
}

#[test]
fn blanks_around_the_names_of_columns_are_no_part_of_them() {
    let file = "slot_start, participant_id, role, load_kwh, generation_kwh, ev_kwh\n\
                2026-06-21T10:00:00Z,home 0,consumer,0.100,0,0\n";
    let read = import_community(file.as_bytes()).expect("read");
    assert_eq!(read.participants[0].id, "home 0");
}
