//! Readers of text from outside: order books, a community's day, the table of parties, files of receipts.
//!
//! Text has many forms for one value, so what was read is written in one form and has to be read as the same again.

use bolero::check;
use std::fmt::Write;
use veilgrid::receipts;
use veilgrid_fuzz::edits::Case;
use veilgrid_fuzz::property::{CASES, bounded};
use veilgrid_fuzz::samples::samples;
use veilgrid_market::timestamp::format_utc;
use veilgrid_market::units::{format_ct_per_kwh, format_kwh};
use veilgrid_market::{BookOrder, Order, parse_book};
use veilgrid_scenario::community::setm::{SetmCase, setm_orders};
use veilgrid_scenario::community::{CommunityDay, Rounding, import_community};

/// Buffers of the CSV reader.
const CSV_BYTES: u64 = 128 << 10;

const BOOK: &str =
    "id,side,price_ct_per_kwh,quantity_kwh\r\na,buy,12.5,1.25\n\"b,c\",sell, 7 ,0.5\nd,buy,0.0005,0\n";
const BOOK_REORDERED: &str =
    "note,quantity_kwh,price_ct_per_kwh,side,id\n,3.000,+1.,sell,x\n,.5,99999,buy,\"y\"\"z\"\n";

fn book_csv(orders: &[BookOrder]) -> String {
    let mut text = String::from("id,side,price_ct_per_kwh,quantity_kwh\n");
    for BookOrder { id, order, .. } in orders {
        let (price, quantity) = (format_ct_per_kwh(order.limit_mct_per_kwh), format_kwh(order.energy_wh));
        writeln!(text, "{},{},{price},{quantity}", quoted(id), order.side).expect("a string grows");
    }
    text
}

fn quoted(field: &str) -> String {
    format!("\"{}\"", field.replace('"', "\"\""))
}

fn orders(book: &[BookOrder]) -> Vec<(&str, Order)> {
    book.iter().map(|entry| (entry.id.as_str(), entry.order)).collect()
}

#[test]
fn order_book() {
    let samples = [BOOK, BOOK_REORDERED].map(|text| text.as_bytes().to_vec());
    assert!(samples.iter().all(|sample| parse_book(&sample[..]).is_ok()));
    check!().with_iterations(CASES).with_type::<Case>().for_each(|case| {
        if let Ok(book) = bounded(&case.bytes(&samples), CSV_BYTES, |bytes| parse_book(bytes)) {
            let again = parse_book(book_csv(&book).as_bytes()).expect("a book that was read");
            assert_eq!(orders(&again), orders(&book));
        }
    });
}

const DAY: &str = "slot_start,participant_id,role,load_kwh,generation_kwh,ev_kwh
2016-06-22T00:00:00+02:00,a,prosumer,0.2878,1.5,0
2016-06-22T00:00:00+02:00,b,charging_station,0,0,11
2016-06-21T22:15:00Z,a,prosumer,0.1,0,0
2016-06-21T22:15:00Z,b,charging_station,0,0,0.0006
";
const HOUR: &str = "ev_kwh,role,participant_id,slot_start,load_kwh,generation_kwh,note\n\
                    0,consumer,\"c \"\"1\"\"\",2024-02-29T23:00:00Z,3,0,\n";

fn day_csv(community: &CommunityDay) -> String {
    let mut text = String::from("slot_start,participant_id,role,load_kwh,generation_kwh,ev_kwh\n");
    for participant in &community.participants {
        for (start, energy) in community.slot_starts_unix_s.iter().zip(&participant.energy) {
            let [load, generation, ev] = [energy.load_wh, energy.generation_wh, energy.ev_wh].map(format_kwh);
            let (start, id, role) = (format_utc(*start), quoted(&participant.id), participant.role);
            writeln!(text, "{start},{id},{role},{load},{generation},{ev}").expect("a string grows");
        }
    }
    text
}

#[test]
fn community_day() {
    let samples = [DAY, HOUR].map(|text| text.as_bytes().to_vec());
    assert!(samples.iter().all(|sample| import_community(&sample[..]).is_ok()));
    check!().with_iterations(CASES).with_type::<Case>().for_each(|case| {
        if let Ok(community) = bounded(&case.bytes(&samples), CSV_BYTES, |bytes| import_community(bytes)) {
            let again = import_community(day_csv(&community).as_bytes()).expect("a day that was read");
            assert_eq!(again, CommunityDay { rounding: Rounding::default(), ..community });
        }
    });
}

const PARTIES: &str = "# facts\nname,kind,min_bid_eur_per_mwh,max_bid_eur_per_mwh
industrial consumer 1,consumer,34,46
personal consumer 1,consumer,35,46
wind,producer,20,31
";

#[test]
fn table_of_parties() {
    let samples = [PARTIES.as_bytes().to_vec()];
    setm_orders(&samples[0][..], SetmCase::Low).expect("a table");
    check!().with_iterations(CASES).with_type::<Case>().for_each(|case| {
        let bytes = case.bytes(&samples);
        for choice in [SetmCase::Low, SetmCase::High] {
            // Orders of the table's parties need not be a book: names may repeat.
            let _ = bounded(&bytes, CSV_BYTES, |bytes| setm_orders(bytes, choice));
        }
    });
}

/// One receipt a line, in hex.
#[test]
fn receipts_file() {
    let lines: String = samples()
        .receipts
        .iter()
        .map(|bytes| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>() + "\n")
        .collect();
    let samples = [lines.into_bytes()];
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("receipts.txt");
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).expect("written");
        bounded(bytes, 1 << 12, |_| receipts::read(&path))
    };
    assert_eq!(read(&samples[0]).expect("receipts").len(), 3);
    check!().with_iterations(CASES / 20).with_type::<Case>().for_each(|case| {
        if let Ok(found) = read(&case.bytes(&samples)) {
            receipts::write(&path, &found).expect("written");
            assert_eq!(receipts::read(&path).expect("receipts"), found);
        }
    });
}
