//! Reading order books: what is accepted, and one refusal a rule.

use veilgrid_market::*;

const HEADER: &str = "id,side,price_ct_per_kwh,quantity_kwh\n";

fn parse(text: &str) -> Result<Vec<BookOrder>, BookError> {
    parse_book(text.as_bytes())
}

fn row(row: &str) -> Result<BookOrder, BookError> {
    parse(&format!("{HEADER}{row}\n")).map(|mut book| book.remove(0))
}

#[test]
fn rows_are_exact() {
    let buy = row("b1,buy,24.1239,1.200").unwrap();
    assert_eq!((buy.id.as_str(), buy.line), ("b1", 2));
    assert_eq!(buy.order, Order { side: Side::Buy, limit_mct_per_kwh: 24_123, energy_wh: 1_200 });
    assert_eq!(row("s1,sell,24.1231,0.0010000").unwrap().order.limit_mct_per_kwh, 24_124);
    assert_eq!(row("s1,sell,24.123000,.001").unwrap().order.limit_mct_per_kwh, 24_123);
    assert_eq!(row("z,buy,1,0").unwrap().order.energy_wh, 0);
    assert_eq!(row(" b , buy , +1 , 2 ").unwrap().id, "b");
}

/// Down and up are the same ways below zero: a buy pays no more than it says, a sell gets no less.
#[test]
fn prices_below_zero_are_exact() {
    let limit = |text: &str| row(text).unwrap().order.limit_mct_per_kwh;
    assert_eq!(limit("b,buy,-16,1"), -16_000);
    assert_eq!((limit("b,buy,-0.0001,1"), limit("s,sell,-0.0001,1")), (-1, 0));
    assert_eq!((limit("b,buy,-24.1239,1"), limit("s,sell,-24.1239,1")), (-24_124, -24_123));
    assert_eq!((limit("b,buy,-0,1"), limit("s,sell,-.5,1")), (0, -500));
}

#[test]
fn columns_may_stand_in_any_order() {
    let book =
        parse("\u{feff}quantity_kwh,note,side,id,price_ct_per_kwh\r\n1,x,sell,a,2\r\n\r\n3,,buy,b,4\r\n")
            .unwrap();
    assert_eq!(book[0].order, Order { side: Side::Sell, limit_mct_per_kwh: 2_000, energy_wh: 1_000 });
    assert_eq!((book[1].id.as_str(), book[1].line), ("b", 4));
}

#[test]
fn lines_are_counted_as_an_editor_does() {
    for end in ["\n", "\r\n", "\n\n", "\r\n\r\n"] {
        let step = end.matches('\n').count() as u64;
        let text = format!("{HEADER}a,buy,1,1\nb,buy,1,1\nc,buy,x,1\n").replace('\n', end);
        let error = parse(&text).unwrap_err();
        assert!(
            matches!(error, BookError::NotANumber { line, .. } if line == 1 + 3 * step),
            "{end:?}: {error}"
        );
        let short = format!("{HEADER}a,buy,1,1\nb,buy,1\n").replace('\n', end);
        let error = parse(&short).unwrap_err();
        assert!(
            matches!(error, BookError::Malformed { line, .. } if line == 1 + 2 * step),
            "{end:?}: {error}"
        );
    }
}

#[test]
fn files_are_refused_with_the_reason() {
    assert_eq!(parse(""), Err(BookError::Empty));
    assert_eq!(parse("\n\n"), Err(BookError::Empty));
    assert_eq!(parse(HEADER), Err(BookError::NoOrders));
    let found = "id,side,price,quantity_kwh".to_owned();
    assert_eq!(
        parse("id,side,price,quantity_kwh\n1,buy,1,1\n"),
        Err(BookError::MissingColumn { column: "price_ct_per_kwh", found })
    );
    assert_eq!(
        parse("id,side,id,price_ct_per_kwh,quantity_kwh\n"),
        Err(BookError::DuplicateColumn { column: "id" })
    );
    let error = parse(&format!("{HEADER}a,buy,1,1\nb,buy,1\n")).unwrap_err();
    assert!(
        matches!(&error, BookError::Malformed { line: 3, reason } if reason.contains("3 fields")),
        "{error}"
    );
    let latin = [HEADER.as_bytes(), b"\xe4,buy,1,1\n"].concat();
    assert!(matches!(parse_book(&latin[..]), Err(BookError::Malformed { line: 2, .. })));
}

#[test]
fn size_is_bounded() {
    assert_eq!(parse_book(std::io::repeat(b'a')), Err(BookError::TooManyBytes));
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("cable cut"))
        }
    }
    assert!(matches!(parse_book(Broken), Err(BookError::Read { reason }) if reason.contains("cable cut")));
    let mut many = HEADER.to_owned();
    for id in 0..=MAX_ORDERS {
        many.push_str(&format!("{id},buy,1,1\n"));
    }
    assert_eq!(parse(&many), Err(BookError::TooManyOrders { line: MAX_ORDERS as u64 + 2 }));
}

#[test]
fn every_rule_of_a_row_has_its_own_error() {
    use BookError::*;
    let text = str::to_owned;
    let (price, quantity) = ("price_ct_per_kwh", "quantity_kwh");
    let line = 2;
    for (given, expected) in [
        (",buy,1,1", MissingId { line }),
        ("a,bid,1,1", UnknownSide { line, value: text("bid") }),
        ("a,BUY,1,1", UnknownSide { line, value: text("BUY") }),
        ("a,buy,abc,1", NotANumber { line, column: price, value: text("abc") }),
        ("a,buy,,1", NotANumber { line, column: price, value: text("") }),
        ("a,buy,1,1e3", NotANumber { line, column: quantity, value: text("1e3") }),
        ("a,buy,NaN,1", NotFinite { line, column: price, value: text("NaN") }),
        ("a,buy,1,-inf", NotFinite { line, column: quantity, value: text("-inf") }),
        (
            "a,buy,-1099511627.7761,1",
            TooLow { line, column: price, value: text("-1099511627.7761"), lowest: text("-1099511627.776") },
        ),
        (
            "a,sell,-1099511627.777,1",
            TooLow { line, column: price, value: text("-1099511627.777"), lowest: text("-1099511627.776") },
        ),
        ("a,buy,1,-1", NegativeQuantity { line, value: text("-1") }),
        ("a,buy,1,1.2345", QuantityTooFine { line, value: text("1.2345") }),
        (
            "a,buy,1,1099511627.777",
            TooLarge {
                line,
                column: quantity,
                value: text("1099511627.777"),
                largest: text("1099511627.776"),
            },
        ),
        (
            "a,sell,1099511627.7761,1",
            TooLarge { line, column: price, value: text("1099511627.7761"), largest: text("1099511627.776") },
        ),
    ] {
        let error = row(given).unwrap_err();
        assert_eq!(error, expected, "{given}");
        assert!(error.to_string().starts_with("line 2: "), "{error}");
    }
    assert!(matches!(row(&format!("a,buy,{},1", "9".repeat(50))), Err(TooLarge { .. })));
    assert!(row("a,buy,1099511627.7769,1099511627.776").is_ok());
    assert!(row("a,sell,-1099511627.7769,1").is_ok());
    assert_eq!(
        parse(&format!("{HEADER}a,buy,1,1\nb,buy,1,1\na,sell,1,1\n")),
        Err(DuplicateId { line: 4, id: text("a"), first_line: 2 })
    );
    let long = row(&format!("a,{},1,1", "x".repeat(500))).unwrap_err().to_string();
    assert!(long.len() < 150, "{long}");
}

#[test]
fn off_grid_orders_are_refused_or_dropped() {
    let book = parse(&format!("{HEADER}a,buy,10,1\nb,sell,30,1\nc,buy,4.99,1\n")).unwrap();
    let grid = Grid::new(5_000, 250, 64).unwrap();
    let error = place_book(&grid, book.clone(), OffGrid::Refuse).unwrap_err();
    assert!(matches!(&error, BookError::OffGrid { line: 3, id, .. } if id == "b"));
    let message = error.to_string();
    for part in ["line 3", "\"b\"", "sell at 30.00", "5.00 to 20.75 ct/kWh", "ticks of 0.25"] {
        assert!(message.contains(part), "{message}");
    }
    let placed = place_book(&grid, book, OffGrid::Drop).unwrap();
    assert_eq!(placed.kept.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["a"]);
    assert_eq!(placed.dropped.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["b", "c"]);
}
