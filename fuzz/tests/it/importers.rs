//! Importers of readings: files from outside, changed. They never panic, hold no more than their bytes justify, and hand out nothing
//! that is no slot's energy.

use bolero::check;
use std::io::{Cursor, Write};
use veilgrid_fuzz::edits::Case;
use veilgrid_fuzz::property::{CASES, bounded};
use veilgrid_readings::{Reading, Zone, is_meter_id};
use veilgrid_readings_csv::{Layout, Options, Rows, Sign};
use veilgrid_readings_telegrams::{p1, sml};

/// Buffers of a reader, and a reading's texts.
const TEXT_BYTES: u64 = 256 << 10;
/// What the reader of workbooks makes ready for each of its parts, and those of the archive.
const BOOK_BYTES: u64 = 16 << 20;

macro_rules! fixture {
    ($path:literal) => {
        include_bytes!(concat!("../../../connectors/", $path)).as_slice()
    };
}

/// The first lines of a fixture: a case is changed in a few places, which should not be lost in a year.
fn lines(bytes: &[u8], count: usize) -> Vec<u8> {
    bytes.split_inclusive(|byte| *byte == b'\n').take(count).flatten().copied().collect()
}

/// What no importer may hand out, whatever its file.
fn take(reading: &Reading<'_>) -> Result<(), String> {
    assert!(is_meter_id(reading.meter), "{:?} is no meter", reading.meter);
    assert!(reading.seconds > 0 || reading.value.is_none(), "an interval of nothing");
    Ok(())
}

/// Runs an importer over changed samples, each of which it reads as it is.
fn fuzz<T, E: core::fmt::Debug>(
    samples: &[Vec<u8>],
    cases: usize,
    bytes: u64,
    read: impl Fn(&[u8]) -> Result<T, E> + std::panic::RefUnwindSafe,
) {
    for sample in samples {
        read(sample).expect("a sample is read");
    }
    check!().with_iterations(cases).with_type::<Case>().for_each(|case| {
        let _ = bounded(&case.bytes(samples), bytes, &read);
    });
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|error| error.to_string())
}

#[test]
fn csv() {
    let sample = lines(fixture!("csv/tests/fixtures/pandas_signed.csv"), 8);
    let crlf = String::from_utf8(sample.clone()).expect("text").replace('\n', "\r\n").into_bytes();
    let options = Options {
        zone: Some(Zone::named("Europe/Vienna").expect("a zone")),
        sign: Some(Sign::ConsumptionPositive),
        ..Options::default()
    };
    fuzz(&[sample, crlf], CASES, TEXT_BYTES, |bytes| {
        let layout = Layout::detect(bytes, true, &options)?;
        let mut rows = Rows::new(&layout, bytes, None)?;
        while rows.step(&mut |reading: &Reading<'_>| take(reading))? {
            let place = rows.place();
            assert!(place.byte <= bytes.len() as u64, "a place behind the end");
        }
        Ok::<_, veilgrid_readings::Fault>(())
    });
}

#[test]
fn nem12() {
    let day: String = (0..48).map(|value| format!("{value}.5,")).collect();
    let varies = format!("200,NMI0000001,E1,E1,E1,,1,kWh,30,\n300,20260621,{day}V,,,20260622010000,\n");
    let file = format!("100,NEM12,202606220100,A,B\n{varies}400,1,20,A,,\n400,21,48,S14,,\n900\n");
    fuzz(&[file.into_bytes()], CASES, TEXT_BYTES, |bytes| {
        let read = veilgrid_readings_nem12::read(text(bytes)?, &mut |reading: &Reading<'_>| take(reading));
        read.map_err(|fault| fault.to_string())
    });
}

/// Stands far apart are intervals for each of which a little is held: 2^22 of them at the most.
const INTERVALS_BYTES: u64 = 320 << 20;

/// The checksum that a changed telegram should have, so that more than the checksum is tried.
fn checked(telegram: &[u8]) -> Vec<u8> {
    let Some(end) = telegram.iter().rposition(|byte| *byte == b'!') else { return telegram.to_vec() };
    let crc =
        telegram[..=end].iter().fold(0u16, |value, byte| {
            (0..8).fold(value ^ u16::from(*byte), |value, _| {
                if value & 1 == 1 { (value >> 1) ^ 0xa001 } else { value >> 1 }
            })
        });
    [&telegram[..=end], format!("{crc:04X}\r\n").as_bytes()].concat()
}

#[test]
fn telegrams_of_p1() {
    let telegram = |time: &str, stand: &str| {
        let text = format!(
            "/ISK5\\M\r\n\r\n0-0:1.0.0({time})\r\n0-0:96.1.1(4531)\r\n1-0:1.8.1({stand}*kWh)\r\n1-0:2.8.0(1.5*kWh)\r\n!"
        );
        checked(text.as_bytes())
    };
    let log = [telegram("260621120000S", "000123.456"), telegram("260621121500S", "000124.000")].concat();
    fuzz(&[telegram("260621120000S", "1.0"), log], CASES, INTERVALS_BYTES, |bytes| {
        let read = |bytes: &[u8]| p1::read(bytes, None, 900, &mut |reading: &Reading<'_>| take(reading));
        read(&checked(bytes)).or_else(|_| read(bytes))
    });
}

#[test]
fn telegrams_of_sml() {
    let sample = lines(fixture!("telegrams/tests/fixtures/sml.log"), 2);
    fuzz(&[sample], CASES, INTERVALS_BYTES, |bytes| {
        let read = sml::read(text(bytes)?, None, 900, &mut |reading: &Reading<'_>| take(reading));
        read.map_err(|fault| fault.to_string())
    });
}

#[test]
fn green_button() {
    let feed = fixture!("greenbutton/tests/fixtures/new_york.xml");
    fuzz(&[feed.to_vec()], CASES / 20, TEXT_BYTES, |bytes| {
        let read = veilgrid_readings_greenbutton::read(text(bytes)?, None, &mut |reading| take(reading));
        read.map_err(|fault| fault.to_string())
    });
}

const TYPES: &str = r#"<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>"#;
const ROOT: &str = r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
const BOOK: &str = r#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>"#;
const LINKS: &str = r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#;

/// A workbook around a sheet: a change of the archive itself fails its checksums, and what lies behind is not tried.
fn workbook(sheet: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let parts = [
        ("[Content_Types].xml", TYPES.as_bytes()),
        ("_rels/.rels", ROOT.as_bytes()),
        ("xl/workbook.xml", BOOK.as_bytes()),
        ("xl/_rels/workbook.xml.rels", LINKS.as_bytes()),
        ("xl/worksheets/sheet1.xml", sheet),
    ];
    for (name, bytes) in parts {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).expect("a part");
        archive.write_all(bytes).expect("memory");
    }
    archive.finish().expect("an archive").into_inner()
}

#[test]
fn workbooks() {
    let rows = [
        ["MeteringpointID", "AT1"],
        ["Energy direction", "CONSUMPTION"],
        ["Metercode", "Gesamtverbrauch lt. Messung [KWH]"],
        ["21.06.2026 00:00:00", "0,25"],
        ["21.06.2026 00:15:00", "0,5"],
    ];
    let row = |(number, [first, second]): (usize, [&str; 2])| {
        let cell = |name: &str, text: &str| {
            format!(r#"<c r="{name}{number}" t="inlineStr"><is><t>{text}</t></is></c>"#)
        };
        format!(r#"<row r="{number}">{}{}</row>"#, cell("A", first), cell("B", second))
    };
    let rows: String = (1..).zip(rows).map(row).collect();
    let sheet = format!(
        r#"<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{rows}</sheetData></worksheet>"#
    );
    let read = |file: &[u8]| veilgrid_readings_eda::read(file, &mut |reading: &Reading<'_>| take(reading));
    // Empty cells between others count: a name that is changed may be far away.
    fuzz(&[sheet.into_bytes()], CASES / 20, (24 << 23) + BOOK_BYTES, |sheet| read(&workbook(sheet)));
    fuzz(&[fixture!("eda/tests/fixtures/formula.xlsx").to_vec()], CASES / 20, BOOK_BYTES, |file| {
        // This one has a formula, and is refused for it.
        read(file)
            .or_else(|fault| if fault.what.contains("formula") { Ok(Default::default()) } else { Err(fault) })
    });
}
