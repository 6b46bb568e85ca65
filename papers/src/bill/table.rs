//! The lines: energy times price, corrections, the sum and how it is rounded.

use super::Papers;
use crate::font::PaperError;
use crate::pages::{GREEN, GREY, HAIR, MARGIN, RIGHT, Style, bold, plain};
use veilgrid_billing::bill::{Line, NoteShown};
use veilgrid_billing::money::format_eur;
use veilgrid_billing::settle::Kind;
use veilgrid_market::units::{format_ct_per_kwh, format_kwh_q16, format_ratio};

/// Where columns end.
const ENERGY: f32 = 355.0;
const PRICE: f32 = 440.0;
/// Most days that a note lists.
const LISTED_DAYS: usize = 6;

impl Papers<'_> {
    pub(super) fn amounts(&mut self) -> Result<(), PaperError> {
        let bill = self.bill;
        self.header_row()?;
        for (title, kinds) in [
            ("Energy from your community", [Kind::Bought, Kind::Bought]),
            ("Energy to your community", [Kind::Sold, Kind::Sold]),
            ("Network fees on shared energy", [Kind::FeeBought, Kind::FeeSold]),
        ] {
            let lines: Vec<&Line> = bill.lines.iter().filter(|line| kinds.contains(&line.key.kind)).collect();
            if !lines.is_empty() {
                self.group(title, None, &lines)?;
            }
        }
        if bill.lines.is_empty() {
            self.group("No energy was shared with your account this month", None, &[])?;
        }
        for note in &bill.corrections {
            let kind = if note.amount.units() < 0 { "Credit note" } else { "Debit note" };
            let of = note.bill.as_ref().map_or_else(String::new, |bill| format!(", bill {bill}"));
            let lines: Vec<&Line> = note.lines.iter().collect();
            self.group(&format!("{kind} for {}{of}", note.period.title()), Some(&why(note)), &lines)?;
        }
        self.sums()
    }

    fn header_row(&mut self) -> Result<(), PaperError> {
        let style = plain(8.0).in_colour(GREY);
        self.pages.text(MARGIN, self.y, style, "What");
        for (x, text) in [(ENERGY, "kWh"), (PRICE, "ct/kWh"), (RIGHT, "EUR")] {
            self.pages.right(x, self.y, style, text)?;
        }
        self.y += 6.0;
        self.pages.hairline(self.y);
        Ok(())
    }

    fn group(&mut self, title: &str, why: Option<&str>, lines: &[&Line]) -> Result<(), PaperError> {
        self.room(38.0);
        self.y += 17.0;
        self.pages.text(MARGIN, self.y, bold(9.5), title);
        let small = plain(8.0).in_colour(GREY);
        for line in
            why.map_or_else(|| Ok(Vec::new()), |why| self.pages.wrapped(small, RIGHT - MARGIN, why))?
        {
            self.room(12.0);
            self.y += 11.5;
            self.pages.text(MARGIN, self.y, small, line);
        }
        for line in lines {
            self.line(line)?;
        }
        self.y += 7.0;
        self.pages.fill(MARGIN, self.y, RIGHT - MARGIN, 0.4, HAIR);
        Ok(())
    }

    fn line(&mut self, line: &Line) -> Result<(), PaperError> {
        let what = match line.key.kind {
            Kind::Bought | Kind::Sold => line.key.name.clone(),
            Kind::FeeBought => format!("{}, on energy bought", line.key.name),
            Kind::FeeSold => format!("{}, on energy sold", line.key.name),
        };
        let wrapped = self.pages.wrapped(plain(9.5), ENERGY - MARGIN - 62.0, &what)?;
        self.room(14.0 * wrapped.len() as f32);
        for (at, text) in wrapped.into_iter().enumerate() {
            self.y += 14.0;
            self.pages.text(MARGIN + 10.0, self.y, plain(9.5), text);
            if at == 0 {
                let style = plain(9.5);
                self.pages.right(ENERGY, self.y, style, &minus(&format_kwh_q16(line.energy_q16, 3)))?;
                self.pages.right(
                    PRICE,
                    self.y,
                    style,
                    &minus(&format_ct_per_kwh(line.key.price_mct_per_kwh)),
                )?;
                self.pages.right(RIGHT, self.y, style, &minus(&line.amount.shown_eur()))?;
            }
        }
        Ok(())
    }

    fn sums(&mut self) -> Result<(), PaperError> {
        let bill = self.bill;
        self.room(70.0);
        self.y += 6.0;
        let rounding = bill.rounding.negated().shown_eur();
        let total = if bill.total_ct < 0 { "You receive, EUR" } else { "You pay, EUR" };
        let rows: [(&str, String, Style); 3] = [
            ("Sum", minus(&bill.exact.shown_eur()), plain(9.5)),
            ("Rounded down to a cent", minus(&rounding), plain(9.5).in_colour(GREY)),
            (total, format_eur(bill.total_ct.saturating_abs()), bold(11.0).in_colour(GREEN)),
        ];
        for (what, amount, style) in rows {
            self.y += 15.0;
            self.pages.text(MARGIN, self.y, style, what);
            self.pages.right(RIGHT, self.y, style, &amount)?;
        }
        self.y += 8.0;
        self.pages.fill(MARGIN, self.y, RIGHT - MARGIN, 1.2, GREEN);
        Ok(())
    }
}

/// A number with a dash for its sign; the fonts have no minus sign.
fn minus(number: &str) -> String {
    number.replace('-', "–")
}

/// What a note rests on.
fn why(note: &NoteShown) -> String {
    if note.days.is_empty() {
        return "Readings of other members were corrected, which changes what was shared with you; your own are as they were.".to_owned();
    }
    let day = |day: &veilgrid_billing::readings::ChangedDay| {
        let sign = if day.change_wh >= 0 { "+" } else { "" };
        let values = if day.slots == 1 { "value" } else { "values" };
        let kwh = minus(&format_ratio(day.change_wh.into(), 1_000, 3));
        format!("{} ({}: {} {values}, {sign}{kwh} kWh)", day.date, day.direction, day.slots)
    };
    let listed: Vec<String> = note.days.iter().take(LISTED_DAYS).map(day).collect();
    let more = note.days.len().saturating_sub(LISTED_DAYS);
    let more = if more > 0 { format!(" and {more} more days, in the data file") } else { String::new() };
    format!("Your readings were corrected on {}{more}.", listed.join(", "))
}
