use super::*;
use crate::pages::{HEIGHT, Mark};
use veilgrid_billing::bill::{Bill, Parts};
use veilgrid_billing::community::{Account, Settings, parse_accounts};
use veilgrid_billing::correction::Note;
use veilgrid_billing::payment::Payment;
use veilgrid_billing::readings::ChangedDay;
use veilgrid_billing::settle::{AccountMonth, Kind, LineKey, Lines, Side};

fn account(name: &str) -> Account {
    let text = format!("account,name,street,town,country,zone\nflat,{name},Weg 1,8010 Graz,AT,7\n");
    parse_accounts(text.as_bytes()).expect("accounts").remove(0)
}

fn lines(count: usize) -> Lines {
    let line = |at: usize| {
        let key = LineKey { kind: Kind::Bought, name: format!("Tariff {at}"), price_mct_per_kwh: 14_500 };
        (key, ((at as i128 + 1) << 16) * 1_000)
    };
    (0..count).map(line).collect()
}

fn bill(name: &str, own: usize, corrected: usize) -> Bill {
    let settings = Settings::parse(include_str!("../../../data/billing/community.toml")).expect("settings");
    let side = Side { metered_wh: 300_000, shared_q16: 120_000 << 16, grades: [2_900, 72, 0] };
    let month = AccountMonth { lines: lines(own), consumption: side, generation: Side::default() };
    let day = |day: usize| ChangedDay {
        date: format!("2026-02-{:02}", day + 1),
        direction: "consumption".into(),
        slots: 3,
        change_wh: -12,
    };
    let notes = [Note {
        period: "2026-02".parse().expect("a month"),
        bill: Some("2026-02-0001".into()),
        lines: lines(corrected),
        days: (0..9).map(day).collect(),
    }];
    let parts = Parts {
        settings: &settings,
        account: &account(name),
        period: "2026-03".parse().expect("a month"),
        date: "2026-04-02".parse().expect("a date"),
        number: Some("2026-03-0001".into()),
        month: &month,
        notes: if corrected == 0 { &[] } else { &notes },
    };
    Bill::new(&parts, |_| Payment::Transfer { until: "2026-04-16".parse().expect("a date") }).expect("a bill")
}

fn texts(papers: &Papers<'_>) -> Vec<(usize, f32, String)> {
    let texts = |(page, marks): (usize, &Vec<Mark>)| {
        let text = |mark: &Mark| match mark {
            Mark::Text { y, text, .. } => Some((page, *y, text.clone())),
            Mark::Fill { .. } => None,
        };
        marks.iter().filter_map(text).collect::<Vec<_>>()
    };
    papers.pages.pages.iter().enumerate().flat_map(texts).collect()
}

#[test]
fn everything_is_on_the_bill_and_on_the_page() {
    let bill = bill("Ana Żółć", 70, 30);
    let papers = laid_out(&bill).expect("laid out");
    let texts = texts(&papers);
    let all: Vec<&str> = texts.iter().map(|(_, _, text)| text.as_str()).collect();
    for at in 0..70 {
        assert!(all.contains(&format!("Tariff {at}").as_str()), "{at}");
    }
    for word in [
        "Ana Żółć",
        "2026-03-0001",
        "Debit note for February 2026, bill 2026-02-0001",
        "values: 2900 measured, 72 substituted",
    ] {
        assert!(all.contains(&word), "{word}: {all:?}");
    }
    assert!(all.iter().any(|text| text.contains("and 3 more days, in the data file")), "{all:?}");
    assert!(papers.pages.pages.len() > 2, "it goes on to a third page");
    assert!(texts.iter().all(|(_, y, _)| *y > 0.0 && *y < HEIGHT - 30.0), "{texts:?}");
    // Lines above the footer, which is on each page.
    let footers = texts.iter().filter(|(_, _, text)| text.starts_with("page ")).count();
    assert_eq!(footers, papers.pages.pages.len());
    assert!(texts.iter().filter(|(_, y, _)| *y > BOTTOM + 8.0).count() == 3 * footers);
}

#[test]
fn the_same_bill_has_the_same_bytes() {
    let bill = bill("Ana", 3, 1);
    let pdf = bill_pdf(&bill).expect("a PDF");
    assert!(pdf.starts_with(b"%PDF-1.7"));
    assert_eq!(pdf, bill_pdf(&bill).expect("a PDF"));
    assert!(pdf.len() < 60_000, "{} bytes", pdf.len());
}

#[test]
fn a_name_without_letters_here_is_refused() {
    assert!(matches!(bill_pdf(&bill("家", 1, 0)), Err(PaperError::Letter { letter: '家', .. })));
}
