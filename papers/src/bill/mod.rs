//! A bill as PDF.

mod head;
mod statement;
mod table;

use crate::font::PaperError;
use crate::pages::{About, GREY, HEIGHT, MARGIN, Pages, RIGHT, plain};
use veilgrid_billing::bill::{Bill, sha256};

/// Where the footer begins, and text has to end.
const BOTTOM: f32 = HEIGHT - 74.0;
/// Where text begins on a page that goes on.
const TOP: f32 = 70.0;

/// A bill under way: pages, and where the next line goes.
pub struct Papers<'a> {
    bill: &'a Bill,
    pages: Pages,
    y: f32,
}

/// A bill's PDF.
///
/// # Errors
/// [`PaperError::Letter`] for a name in letters that the fonts do not have.
pub fn bill_pdf(bill: &Bill) -> Result<Vec<u8>, PaperError> {
    let papers = laid_out(bill)?;
    let number = bill.number.as_deref().unwrap_or("preview");
    let date = bill.date;
    papers.pages.finish(&About {
        title: &format!("{}: bill {number} for {}", bill.community, bill.period.title()),
        author: &bill.authority,
        id: &format!("{}/{number}", bill.community),
        date: (date.period().year(), date.period().month(), date.day()),
    })
}

fn laid_out(bill: &Bill) -> Result<Papers<'_>, PaperError> {
    let mut papers = Papers { bill, pages: Pages::new()?, y: TOP };
    papers.head()?;
    papers.amounts()?;
    papers.statement()?;
    papers.remarks()?;
    papers.footers()?;
    Ok(papers)
}

impl Papers<'_> {
    /// Goes on to a new page unless so much has room on this one.
    fn room(&mut self, height: f32) {
        if self.y + height > BOTTOM {
            self.pages.pages.push(Vec::new());
            self.y = TOP;
        }
    }

    /// What is small and has to be said.
    fn remarks(&mut self) -> Result<(), PaperError> {
        let bill = self.bill;
        let mut remarks = vec![
            "Amounts of lines are exact to 1/10,000 euro here and whole in the data file beside this bill; the sum alone is rounded, once, down \
             to a cent: if you pay, you pay the smaller amount, if you are paid, the larger."
                .to_owned(),
            format!(
                "Readings and this bill come from {}. Who bills you gets to know the amount of this bill only if you signed a standing order for \
                 it, and no reading of a single quarter-hour.",
                bill.authority
            ),
        ];
        remarks.extend(bill.note.clone());
        self.y += 8.0;
        for remark in remarks {
            let style = plain(7.5).in_colour(GREY);
            for line in self.pages.wrapped(style, RIGHT - MARGIN, &remark)? {
                self.room(11.0);
                self.y += 10.5;
                self.pages.text(MARGIN, self.y, style, line);
            }
            self.y += 3.0;
        }
        Ok(())
    }

    fn footers(&mut self) -> Result<(), PaperError> {
        let bill = self.bill;
        let json = bill.to_json().map_err(|error| PaperError::Pdf(error.to_string()))?;
        let all = self.pages.pages.len();
        let style = plain(7.0).in_colour(GREY);
        let creditor = &bill.creditor;
        let contact = bill.contact.as_ref().map_or_else(String::new, |contact| format!(" · {contact}"));
        let whose = format!(
            "{} · {} · {} {}{contact}",
            creditor.name, creditor.street, creditor.country, creditor.town
        );
        let finger = match &bill.number {
            Some(number) => format!("Bill {number} · data file SHA-256 {}", sha256(&json)),
            None => "Preview: no bill, nothing is due".to_owned(),
        };
        let pages = std::mem::take(&mut self.pages.pages);
        for (at, page) in pages.into_iter().enumerate() {
            self.pages.pages.push(page);
            self.pages.hairline(HEIGHT - 58.0);
            self.pages.text(MARGIN, HEIGHT - 46.0, style, whose.as_str());
            self.pages.text(MARGIN, HEIGHT - 35.5, style, finger.as_str());
            self.pages.right(RIGHT, HEIGHT - 46.0, style, &format!("page {} of {all}", at + 1))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
