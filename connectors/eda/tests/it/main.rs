//! The EDA portal's export beside openpyxl 3.1.5, which reads the same (`fixtures/make.py`).

use proptest::prelude::*;
use std::collections::BTreeMap;
use veilgrid_readings::{Direction, Grade, Reading, Zone};
use veilgrid_readings_eda::{LeftOut, read};

type Read = (String, Direction, i64, Option<(u64, Grade)>);

const PORTAL: &[u8] = include_bytes!("../fixtures/portal.xlsx");
const DATES: &[u8] = include_bytes!("../fixtures/dates.xlsx");

fn all(file: &[u8]) -> Result<(Vec<Read>, LeftOut), String> {
    let mut readings = Vec::new();
    let mut sink = |one: &Reading<'_>| {
        assert_eq!(one.seconds, 900);
        let value = one.value.map(|(energy, grade)| (energy.rounded_wh().0, grade));
        readings.push((one.meter.to_owned(), one.direction, one.start_unix_s, value));
        Ok(())
    };
    let left_out = read(file, &mut sink).map_err(|fault| fault.to_string())?;
    Ok((readings, left_out))
}

/// What openpyxl read: by begin, Wh of both directions and the quality.
fn openpyxl() -> BTreeMap<i64, ([Option<u64>; 2], Grade)> {
    let line = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let grade = match fields[3] {
            "L1" => Grade::Measured,
            "L2" => Grade::Substituted,
            _ => Grade::Estimated,
        };
        (fields[0].parse().expect("a time"), ([fields[1].parse().ok(), fields[2].parse().ok()], grade))
    };
    include_str!("../fixtures/openpyxl.csv").lines().map(line).collect()
}

fn same_as_openpyxl(readings: &[Read], with_qualities: bool) {
    let expected = openpyxl();
    assert_eq!((expected.len(), readings.len()), (288, 576), "no row is merged or dropped");
    for (meter, direction, start, value) in readings {
        let place = usize::from(*direction == Direction::Generation);
        assert!(meter.ends_with(if place == 0 { "1" } else { "2" }), "{meter}");
        let (wh, grade) = expected[start];
        assert_eq!(
            *value,
            wh[place].map(|wh| (wh, if with_qualities { grade } else { Grade::Measured })),
            "{meter} {start}"
        );
    }
    let vienna = Zone::named("Europe/Vienna").expect("a zone");
    for (date, slots) in [("2026-03-29", 92), ("2026-06-21", 96), ("2026-10-25", 100)] {
        let day = vienna.day(date.parse().expect("a date")).expect("a day");
        let mut starts: Vec<i64> = readings
            .iter()
            .filter(|one| one.1 == Direction::Consumption && day.contains(one.2))
            .map(|one| one.2)
            .collect();
        starts.dedup();
        assert_eq!((starts.len(), day.slots(900)), (slots, u32::try_from(slots).ok()), "{date}");
    }
}

#[test]
fn the_portals_export_is_read_as_openpyxl_reads_it() {
    let (readings, left_out) = all(PORTAL).expect("a file");
    same_as_openpyxl(&readings, true);
    assert_eq!(left_out, LeftOut { columns: 3, by_participation: 0 });
}

#[test]
fn names_decide_and_not_places_and_dates_are_to_the_second() {
    let (readings, left_out) = all(DATES).expect("a file");
    same_as_openpyxl(&readings, false);
    assert_eq!(left_out, LeftOut { columns: 1, by_participation: 0 });
}

#[test]
fn what_is_no_export_is_refused() {
    assert!(all(b"").expect_err("empty").contains("XLSX"));
    assert!(all(b"time,kwh\n").expect_err("text").contains("XLSX"));
    // The first test of a changed workbook is that it still is one: ZIP archives carry a checksum of each part.
    let mut cut = PORTAL.to_vec();
    cut.truncate(PORTAL.len() / 2);
    assert!(all(&cut).is_err());
    let error = all(include_bytes!("../fixtures/formula.xlsx")).expect_err("a formula");
    assert!(error.contains("cell B6") && error.contains("formula"), "{error}");
    let error = all(include_bytes!("../fixtures/one_hour.xlsx")).expect_err("half of the hour");
    assert!(error.contains("cell A6") && error.contains("comes twice"), "{error}");
    let error = all(include_bytes!("../fixtures/direction.xlsx")).expect_err("a direction that does not fit");
    assert!(error.contains("cell B3") && error.contains("`GENERATION`"), "{error}");
}

/// The least workbook that has a sheet.
fn workbook(sheet: &str) -> Vec<u8> {
    let parts = [
        ("[Content_Types].xml", r#"<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>"#.to_owned()),
        ("_rels/.rels", r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#.to_owned()),
        ("xl/workbook.xml", r#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Energiedaten" sheetId="1" r:id="rId1"/></sheets></workbook>"#.to_owned()),
        ("xl/_rels/workbook.xml.rels", r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#.to_owned()),
        ("xl/worksheets/sheet1.xml", format!(r#"<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{sheet}</sheetData></worksheet>"#)),
    ];
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in parts {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).expect("a part");
        std::io::Write::write_all(&mut archive, text.as_bytes()).expect("memory");
    }
    archive.finish().expect("an archive").into_inner()
}

#[test]
fn cells_that_span_more_than_any_export_are_refused_before_the_span_is_made() {
    let cell = |name: &str| format!(r#"<row><c r="{name}"><v>1</v></c></row>"#);
    let near = all(&workbook(&(cell("A1") + &cell("C9")))).expect_err("no export");
    assert!(near.contains("MeteringpointID"), "{near}");
    // 2^24 cells of 24 bytes; a sheet goes to XFD1048576.
    let far = all(&workbook(&(cell("A1") + &cell("XFD1024")))).expect_err("a span");
    assert!(far.contains("sheet `Energiedaten`") && far.contains("1024 rows of 16384 columns"), "{far}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(at in any::<prop::sample::Index>(), bytes in prop::collection::vec(any::<u8>(), 0..6), cut in any::<bool>()) {
        let mut file = include_bytes!("../fixtures/formula.xlsx").to_vec();
        let at = at.index(file.len());
        if cut { file.truncate(at) }
        file.splice(at.min(file.len())..(at + bytes.len()).min(file.len()), bytes);
        let _ = all(&file);
    }
}
