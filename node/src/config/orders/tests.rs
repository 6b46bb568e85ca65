use super::*;

fn read(text: &str) -> Result<OrdersFile, OrdersError> {
    let grid = Grid::new(8_000, 1_000, 16).expect("grid");
    let market = OrdersMarket { grid: &grid, bits: 16, slot_seconds: 900 };
    OrdersFile::parse(Path::new("o.csv"), text.as_bytes(), Some(market))
}

fn parse(text: &str) -> Result<SlotOrders, OrdersError> {
    read(text)?.whole(Path::new("o.csv"))
}

const HEADER: &str = "slot,side,price_ct_per_kwh,quantity_kwh\n";

fn orders(rows: &str) -> SlotOrders {
    parse(&format!("{HEADER}{rows}")).expect("sound")
}

fn fault(rows: &str) -> String {
    parse(&format!("{HEADER}{rows}")).expect_err("refused").to_string()
}

#[test]
fn a_slot_has_its_own_rows_or_those_of_every_slot() {
    let orders = orders("*,buy,20,0.5\n# a comment\n08:15,sell,9.5,1.25\n 08:15 , buy , 8.0005 , 0.001\n");
    let noon = orders.for_slot(12 * 3600);
    assert_eq!(noon, [Order { side: Side::Buy, limit_mct_per_kwh: 20_000, energy_wh: 500 }]);
    let own = orders.for_slot(1_800_000_000 / 86_400 * 86_400 + 8 * 3600 + 15 * 60);
    assert_eq!(own[0], Order { side: Side::Sell, limit_mct_per_kwh: 9_500, energy_wh: 1_250 });
    assert_eq!(own[1], Order { side: Side::Buy, limit_mct_per_kwh: 8_000, energy_wh: 1 });
    assert_eq!(orders.for_slot(-86_400 + 8 * 3600 + 900), own, "before 1970 too");
    assert_eq!(orders.for_slot(8 * 3600 + 901), noon, "no whole minute");
    assert!(parse(HEADER).expect("no rows").for_slot(0).is_empty());
}

#[test]
fn faults_name_line_and_column() {
    for (rows, place) in [
        ("24:00,buy,20,1\n", "line 2, column 1 (slot)"),
        ("8:15,buy,20,1\n", "line 2, column 1 (slot)"),
        ("08:60,buy,20,1\n", "line 2, column 1 (slot)"),
        ("+8:15,buy,20,1\n", "line 2, column 1 (slot)"),
        ("*,buy,20,1\n\n*,hold,20,1\n", "line 4, column 2 (side)"),
        ("*,buy,x,1\n", "line 2, column 3 (price_ct_per_kwh)"),
        ("*,buy,NaN,1\n", "line 2, column 3 (price_ct_per_kwh)"),
        ("*,buy,-1,1\n", "line 2, column 3 (price_ct_per_kwh)"),
        ("*,buy,7.999,1\n", "line 2, column 3 (price_ct_per_kwh)"),
        ("*,sell,23.001,1\n", "line 2, column 3 (price_ct_per_kwh)"),
        ("*,buy,20,0.0001\n", "line 2, column 4 (quantity_kwh)"),
        ("*,buy,20,-1\n", "line 2, column 4 (quantity_kwh)"),
        ("*,buy,20\n", "line 2, column 3"),
        ("*,buy,20,1,1\n", "line 2, column 4"),
        (
            "*,buy,20,60\n*,sell,20,1\n*,buy,20.1,10\n",
            "lines 2, 4, column 4 (quantity_kwh): slot *: together 70.000",
        ),
        ("07:07,buy,20,1\n", "line 2, column 1 (slot)"),
        ("*,buy,2,1\n", "8.00 to 23.00 ct/kWh"),
        ("*,buy,\u{1b}[31m,1\n", "\\u{1b}[31m"),
        ("*,\u{1b}[31m,1,1\n", "the side \"\\u{1b}[31m\" is"),
        ("\u{1b}[31m,buy,1,1\n", ": \"\\u{1b}[31m\" is no slot"),
        ("07:00,buy,20,60\n07:00,buy,20,10\n", "slot 07:00"),
    ] {
        let text = fault(rows);
        assert!(text.starts_with("orders o.csv, ") && text.contains(place), "{rows:?}: {text}");
        assert!(!text.contains("line 0"), "{text}");
    }
    assert!(fault("*,buy,20,1\r\n\r\n*,buy,x,1\r\n").contains("line 4, column 3"));
    assert!(parse("").expect_err("empty").to_string().contains("slot,side,price_ct_per_kwh,quantity_kwh"));
    assert!(parse("side,slot,price_ct_per_kwh,quantity_kwh\n").is_err());
    let head = parse("slot\u{1b}[31m,side\n").expect_err("no such columns").to_string();
    assert!(head.contains("\"slot\\u{1b}[31m,side\""), "{head}");
}

#[test]
fn what_is_written_is_read_back() {
    let slot = [
        Order { side: Side::Buy, limit_mct_per_kwh: 20_000, energy_wh: 501 },
        Order { side: Side::Sell, limit_mct_per_kwh: 9_000, energy_wh: 1 },
    ];
    let text = format_orders([(495, &slot[..]), (0, &slot[1..])]);
    let read = parse(&text).expect("read back");
    assert_eq!(read.for_slot(495 * 60), slot);
    assert_eq!(read.for_slot(0), &slot[1..]);
}

fn with_header(rows: &str) -> OrdersFile {
    read(&format!("{HEADER}{rows}")).expect("a file of orders")
}

#[test]
fn all_faults_are_told_at_once_and_the_other_rows_count() {
    let rows = "07:15,buy,20.00,0.300\n07:30,buy,2.00,0.300\n8:45,buy,21.00,0.200\n09:00,buy,\"21,0.2\n\
                09:15,sell,\u{ff},1\n09:15,sell,9,1\n*,buy,22,1\n";
    let mut bytes = format!("{HEADER}{rows}").into_bytes();
    let grid = Grid::new(8_000, 1_000, 16).expect("grid");
    let market = OrdersMarket { grid: &grid, bits: 16, slot_seconds: 900 };
    let place = bytes.windows(2).position(|pair| pair == "\u{ff}".as_bytes()).expect("there");
    bytes.remove(place);
    let file = OrdersFile::parse(Path::new("o.csv"), &bytes, Some(market)).expect("a file of orders");
    let told: Vec<String> = file.faults.iter().map(ToString::to_string).collect();
    assert_eq!(file.faults.iter().map(|fault| fault.lines[0]).collect::<Vec<_>>(), [3, 4, 5, 6], "{told:?}");
    assert!(told[0].contains("2.00 ct/kWh") && told[0].contains("8.00 to 23.00 ct/kWh"), "{told:?}");
    assert!(told[1].contains("\"8:45\"") && told[1].contains("HH:MM"), "{told:?}");
    assert!(told[3].contains("UTF-8"), "{told:?}");
    assert_eq!((file.sound_rows, file.further_faults), (3, 0));
    let of = |hour: i64, minute: i64| file.orders.for_slot(hour * 3600 + minute * 60).len();
    assert_eq!([of(7, 15), of(9, 15), of(12, 0)], [1, 1, 1]);
    // What is meant for a slot of its own is not replaced by what is meant for all others.
    assert_eq!([of(7, 30), of(8, 45), of(9, 0)], [0, 0, 0], "{told:?}");
}

#[test]
fn what_goes_into_logs_quotes_nothing_of_the_file() {
    let rows = "07:30,buy,2.125,0.377\n8:45,buy,21.5,0.277\n09:00,holdit,21,1\n*,buy,x7,1\n*,buy,9,0.0007\n\
                10:07,buy,9,1\n*,buy,20.5,61.009\n*,buy,20.25,62.003\n";
    let file = with_header(rows);
    assert_eq!(file.faults.len(), 7);
    for fault in &file.faults {
        let text = fault.discreetly();
        assert!(text.starts_with("line"), "{text}");
        for value in
            ["2.125", "0.377", "45", "21.5", "holdit", "x7", "0.0007", "10:07", "61.", "62.", "123", "20."]
        {
            assert!(!text.contains(value), "{value}: {text}");
        }
    }
}

#[test]
fn a_first_line_that_is_an_order_is_in_no_log() {
    let error = read("07:30,buy,21.25,0.377\n").expect_err("no header");
    assert!(error.to_string().contains("21.25"));
    assert!(!error.discreetly().contains("21.25") && error.discreetly().contains("line 1"), "{error:?}");
}

#[test]
fn orders_that_are_too_much_together_are_all_left_out_and_no_others() {
    let file = with_header("07:00,buy,20,60\n07:00,buy,21,1\n07:00,buy,20.1,60\n07:15,buy,20,60\n");
    assert_eq!(file.faults.len(), 1);
    assert_eq!(file.faults[0].lines, [2, 4]);
    let told = file.faults[0].to_string();
    assert!(
        told.contains("20.00 ct/kWh") && told.contains("65.535 kWh") && told.contains("120.000"),
        "{told}"
    );
    assert_eq!(file.orders.for_slot(7 * 3600).len(), 1);
    assert_eq!(file.orders.for_slot(7 * 3600 + 900).len(), 1);
}

#[test]
fn orders_below_zero_are_read_and_moved_in_the_member_s_favour() {
    let grid = Grid::new(-16_000, 1_000, 64).expect("grid");
    let market = OrdersMarket { grid: &grid, bits: 16, slot_seconds: 900 };
    let rows = format!("{HEADER}*,sell,-3.5,1\n12:00,buy,-2.0001,0.5\n13:00,buy,-16.001,1\n");
    let file = OrdersFile::parse(Path::new("o.csv"), rows.as_bytes(), Some(market)).expect("read");
    let noon = file.orders.for_slot(12 * 3600);
    assert_eq!(noon, [Order { side: Side::Buy, limit_mct_per_kwh: -2_001, energy_wh: 500 }]);
    let moved: Vec<(i64, i64)> =
        file.moved.iter().map(|moved| (moved.limit_mct_per_kwh, moved.grid_price_mct_per_kwh)).collect();
    assert_eq!(moved, [(-3_500, -3_000), (-2_001, -3_000)]);
    assert_eq!((file.sound_rows, file.faults.len()), (2, 1));
    assert!(file.faults[0].reason.contains("-16.00 to 47.00 ct/kWh"), "{:?}", file.faults[0]);
}

#[test]
fn limits_that_were_moved_are_told_with_their_line() {
    let file = with_header("*,buy,20.5,1\n*,sell,20.5,1\n08:00,buy,99,1\n08:00,sell,9,1\n");
    let moved: Vec<(u64, i64, i64)> = file
        .moved
        .iter()
        .map(|moved| (moved.line, moved.limit_mct_per_kwh, moved.grid_price_mct_per_kwh))
        .collect();
    assert_eq!(moved, [(2, 20_500, 20_000), (3, 20_500, 21_000), (4, 99_000, 23_000)]);
    assert_eq!(file.moved[2].slot, "08:00");
}

#[test]
fn lists_are_bounded_and_the_rest_is_counted() {
    let rows: String = (0..70).map(|_| "*,buy,2,1\n*,buy,20.5,0\n").collect();
    let file = with_header(&rows);
    assert_eq!((file.faults.len(), file.further_faults, file.further_moved), (MAX_LISTED, 20, 20));
    assert_eq!(file.sound_rows, 70);
}

#[test]
fn without_a_market_only_the_form_is_looked_at() {
    let text = format!("\u{feff}{HEADER}07:07,buy,2,600\r8:45,buy,2,1\r\n");
    let file = OrdersFile::parse(Path::new("o.csv"), text.as_bytes(), None).expect("a file of orders");
    assert_eq!((file.sound_rows, file.faults.len(), file.moved.len()), (1, 1, 0));
    assert_eq!(file.faults[0].lines, [3]);
}
