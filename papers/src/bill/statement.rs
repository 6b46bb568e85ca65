//! What was metered: the community's part of it, and what is between the member and its supplier.

use super::Papers;
use crate::font::PaperError;
use crate::pages::{GREEN, GREY, MARGIN, RIGHT, SAND, bold, plain};
use veilgrid_billing::settle::Side;
use veilgrid_market::units::{format_kwh, format_kwh_q16};

impl Papers<'_> {
    pub(super) fn statement(&mut self) -> Result<(), PaperError> {
        let statement = self.bill.statement;
        self.room(150.0);
        self.y += 34.0;
        self.pages.text(MARGIN, self.y, bold(11.0), "Your energy this month");
        let sides = [
            (
                "You consumed",
                "from your community",
                "from your supplier, on its own bill",
                statement.consumption,
            ),
            (
                "You fed in",
                "to your community",
                "to your supplier, on its own statement",
                statement.generation,
            ),
        ];
        for (what, shared, rest, side) in sides {
            if side.grades != [0; 3] {
                self.side(what, shared, rest, &side)?;
            }
        }
        Ok(())
    }

    fn side(&mut self, what: &str, shared: &str, rest: &str, side: &Side) -> Result<(), PaperError> {
        self.room(66.0);
        self.y += 19.0;
        let (metered_q16, shared_q16) = (i128::from(side.metered_wh) << 16, i128::from(side.shared_q16));
        self.pages.text(MARGIN, self.y, plain(9.5), format!("{what} {} kWh", format_kwh(side.metered_wh)));
        let small = plain(8.0).in_colour(GREY);
        self.pages.right(RIGHT, self.y, small, &values(side))?;
        self.y += 6.0;
        // The one place where a number becomes a length.
        let part = if side.metered_wh == 0 { 0.0 } else { shared_q16 as f32 / metered_q16 as f32 };
        let width = RIGHT - MARGIN;
        self.pages.fill(MARGIN, self.y, width, 9.0, SAND);
        self.pages.fill(MARGIN, self.y, width * part.clamp(0.0, 1.0), 9.0, GREEN);
        self.y += 20.0;
        self.pages.fill(MARGIN, self.y - 5.5, 6.0, 6.0, GREEN);
        let text =
            format!("{} kWh ({}) {shared}", format_kwh_q16(shared_q16, 3), percent(shared_q16, metered_q16));
        let from_here = MARGIN + 11.0;
        self.pages.text(from_here, self.y, plain(8.5), text.as_str());
        let x = (from_here + self.pages.width(plain(8.5), &text)? + 24.0).max(MARGIN + 220.0);
        self.pages.fill(x, self.y - 5.5, 6.0, 6.0, SAND);
        let rest_kwh = format_kwh_q16(metered_q16 - shared_q16, 3);
        self.pages.text(x + 11.0, self.y, plain(8.5), format!("{rest_kwh} kWh {rest}"));
        self.y += 3.0;
        Ok(())
    }
}

/// How many values rest on what.
fn values(side: &Side) -> String {
    let names = ["measured", "substituted", "estimated"];
    let counts = side.grades.iter().zip(names).filter(|(count, _)| **count > 0);
    let texts: Vec<String> = counts.map(|(count, name)| format!("{count} {name}")).collect();
    format!("values: {}", texts.join(", "))
}

fn percent(part: i128, whole: i128) -> String {
    let tenths = (part * 1_000).checked_div(whole).unwrap_or(0);
    format!("{}.{}%", tenths / 10, tenths % 10)
}
