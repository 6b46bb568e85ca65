//! Who bills whom for what, and what is to be done.

use super::Papers;
use crate::bank::grouped_iban;
use crate::font::PaperError;
use crate::pages::{GREEN, GREY, MARGIN, PALE, RED, RIGHT, WIDTH, bold, plain};
use veilgrid_billing::money::format_eur;
use veilgrid_billing::payment::Payment;

impl Papers<'_> {
    pub(super) fn head(&mut self) -> Result<(), PaperError> {
        let bill = self.bill;
        let creditor = &bill.creditor;
        self.pages.fill(0.0, 0.0, WIDTH, 7.0, GREEN);
        self.pages.text(MARGIN, 58.0, bold(15.0).in_colour(GREEN), bill.community.as_str());
        // In the window of an envelope (DIN 5008): who sends it, to whom.
        let sender =
            format!("{} · {} · {} {}", creditor.name, creditor.street, creditor.country, creditor.town);
        self.pages.text(MARGIN, 124.0, plain(7.0).in_colour(GREY), sender);
        let to = &bill.recipient;
        let lines = [to.name.clone(), to.street.clone(), format!("{} {}", to.country, to.town)];
        let mut y = 142.0;
        for line in lines {
            for line in self.pages.wrapped(plain(10.5), 235.0, &line)? {
                self.pages.text(MARGIN, y, plain(10.5), line);
                y += 14.5;
            }
        }
        self.facts()?;
        let title = if bill.number.is_some() { "Bill" } else { "Preview of a bill" };
        self.pages.text(MARGIN, 246.0, bold(19.0), format!("{title} for {}", bill.period.title()));
        if bill.number.is_none() {
            self.pages.text(MARGIN, 88.0, bold(11.0).in_colour(RED), "PREVIEW – not a bill, nothing is due");
        }
        self.what_to_do()
    }

    fn facts(&mut self) -> Result<(), PaperError> {
        let bill = self.bill;
        let period = bill.period;
        let facts = [
            ("Bill", bill.number.clone().unwrap_or_else(|| "–".to_owned())),
            ("Date", bill.date.to_string()),
            ("Period", format!("{period}-01 to {period}-{:02}", period.days())),
            ("Account", bill.account.clone()),
        ];
        let mut y = 142.0;
        for (what, value) in facts {
            self.pages.text(352.0, y, plain(9.0).in_colour(GREY), what);
            for line in self.pages.wrapped(plain(9.0), RIGHT - 410.0, &value)? {
                self.pages.text(410.0, y, plain(9.0), line);
                y += 14.5;
            }
        }
        Ok(())
    }

    /// The amount, large, and how it is paid.
    fn what_to_do(&mut self) -> Result<(), PaperError> {
        let (title, text) = self.payment_text();
        let lines = self.pages.wrapped(plain(9.0), 265.0, &text)?;
        let height = 30.0 + 12.5 * lines.len().max(2) as f32;
        self.pages.fill(MARGIN, 264.0, RIGHT - MARGIN, height, PALE);
        self.pages.fill(MARGIN, 264.0, 3.0, height, GREEN);
        self.pages.text(MARGIN + 16.0, 284.0, plain(9.0).in_colour(GREY), title);
        let amount = format!("EUR {}", format_eur(self.bill.total_ct.saturating_abs()));
        self.pages.text(MARGIN + 16.0, 308.0, bold(20.0), amount);
        for (at, line) in lines.into_iter().enumerate() {
            self.pages.text(262.0, 284.0 + 12.5 * at as f32, plain(9.0), line);
        }
        self.y = 264.0 + height + 24.0;
        Ok(())
    }

    fn payment_text(&self) -> (&'static str, String) {
        let bill = self.bill;
        let creditor = &bill.creditor.name;
        let number = bill.number.as_deref().unwrap_or("the bill's number");
        match &bill.payment {
            Payment::Nothing => ("Nothing to pay", "This month comes to less than a cent.".to_owned()),
            Payment::Debit { iban, mandate, creditor_id, on } => (
                "You pay",
                format!(
                    "{creditor} collects it from your account {} on {on} by SEPA direct debit (mandate {mandate}, creditor identifier \
                     {creditor_id}). You need to do nothing.",
                    grouped_iban(iban)
                ),
            ),
            Payment::Transfer { until } => (
                "You pay",
                format!(
                    "Please transfer it until {until} to {creditor}, IBAN {}, with the reference {number}.",
                    grouped_iban(&bill.creditor_iban)
                ),
            ),
            Payment::Credit { iban, on } => (
                "You receive",
                format!(
                    "{creditor} transfers it to your account {} from {on} on. You need to do nothing.",
                    grouped_iban(iban)
                ),
            ),
            Payment::Ask => (
                "You receive",
                format!(
                    "{creditor} does not know this amount, nor where to pay it: hand this bill over with your IBAN, or sign a standing order."
                ),
            ),
        }
    }
}
