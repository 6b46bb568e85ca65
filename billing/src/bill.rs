//! A bill: lines with the formula behind each amount, notes on earlier months, one total.

use crate::community::{Account, Settings};
use crate::correction::Note;
use crate::money::{Amount, TooMuch};
use crate::payment::Payment;
use crate::period::{Date, Period};
use crate::readings::ChangedDay;
use crate::settle::{AccountMonth, Kind, LineKey, Lines, Side, total};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use veilgrid_market::units::{format_ct_per_kwh, format_kwh_q16};

/// Version of the JSON form.
const FORMAT: u32 = 1;

/// A name with its address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Name.
    pub name: String,
    /// Street with number.
    pub street: String,
    /// Postcode and town.
    pub town: String,
    /// Country.
    pub country: String,
}

/// One line: an energy at a price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What it is for, under which name and price.
    #[serde(flatten)]
    pub key: LineKey,
    /// Wh/2^16, as text: programs would round a number of that size.
    #[serde(with = "as_text")]
    pub energy_q16: i128,
    /// The formula, exactly.
    pub formula: String,
    /// What it comes to, in units of Wh/2^16 times mct/kWh.
    pub amount: Amount,
    /// The same in ct, exactly.
    pub amount_ct: String,
}

impl Line {
    fn new(key: &LineKey, energy_q16: i128) -> Result<Self, TooMuch> {
        let amount = key.amount(energy_q16)?;
        let sign = if key.kind == Kind::Sold { "−1 × " } else { "" };
        let (energy, price) = (exact_kwh(energy_q16), format_ct_per_kwh(key.price_mct_per_kwh));
        let formula = format!("{sign}{energy} kWh × {price} ct/kWh = {amount}");
        Ok(Self { key: key.clone(), energy_q16, formula, amount, amount_ct: amount.exact_ct() })
    }
}

/// Energy in kWh with all its decimals.
pub fn exact_kwh(energy_q16: i128) -> String {
    let text = format_kwh_q16(energy_q16, 19);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A credit or debit note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteShown {
    /// The month that it corrects.
    pub period: Period,
    /// The bill that it corrects.
    pub bill: Option<String>,
    /// What is billed more, or less.
    pub lines: Vec<Line>,
    /// The days on which readings of the account's own meters changed.
    pub days: Vec<ChangedDay>,
    /// What it comes to.
    pub amount: Amount,
    /// The same in ct, exactly.
    pub amount_ct: String,
}

/// What was metered; what was not shared is between the member and its supplier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Consumption.
    pub consumption: Side,
    /// Generation.
    pub generation: Side,
}

/// A bill, or a preview of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bill {
    /// Version of this form.
    pub format: u32,
    /// Its number; none of a preview.
    pub number: Option<String>,
    /// The community.
    pub community: String,
    /// What is billed.
    pub period: Period,
    /// Its date.
    pub date: Date,
    /// The account.
    pub account: String,
    /// Whose bill it is.
    pub recipient: Address,
    /// Who bills.
    pub creditor: Address,
    /// Where to pay.
    pub creditor_iban: String,
    /// Whom to ask.
    pub contact: Option<String>,
    /// What else has to be said.
    pub note: Option<String>,
    /// Who read the meters and made the bill.
    pub authority: String,
    /// The month.
    pub lines: Vec<Line>,
    /// Earlier months.
    pub corrections: Vec<NoteShown>,
    /// The exact sum of all lines and notes.
    pub exact: Amount,
    /// The sum, rounded down to a cent; below zero the member gets it.
    pub total_ct: i64,
    /// What rounding left out: at least nothing, less than a cent.
    pub rounding: Amount,
    /// What was metered.
    pub statement: Statement,
    /// How it is paid.
    pub payment: Payment,
}

/// What a bill is made of.
pub struct Parts<'a> {
    /// The community.
    pub settings: &'a Settings,
    /// The account.
    pub account: &'a Account,
    /// The period.
    pub period: Period,
    /// The date.
    pub date: Date,
    /// The number; none of a preview.
    pub number: Option<String>,
    /// The month.
    pub month: &'a AccountMonth,
    /// What is corrected.
    pub notes: &'a [Note],
}

/// What a month and its notes come to, exactly.
///
/// # Errors
/// [`TooMuch`].
pub fn exact(month: &AccountMonth, notes: &[Note]) -> Result<Amount, TooMuch> {
    notes.iter().try_fold(total(&month.lines)?, |sum, note| sum.plus(note.amount()?))
}

impl Bill {
    /// Makes a bill; `payment` says how a total is paid.
    ///
    /// # Errors
    /// [`TooMuch`].
    pub fn new(parts: &Parts<'_>, payment: impl FnOnce(i64) -> Payment) -> Result<Self, TooMuch> {
        let Parts { settings, account, period, date, number, month, notes } = parts;
        let exact = exact(month, notes)?;
        let total_ct = exact.floor_ct().ok_or(TooMuch)?;
        let creditor = &settings.creditor;
        Ok(Self {
            format: FORMAT,
            number: number.clone(),
            community: settings.name.clone(),
            period: *period,
            date: *date,
            account: account.id.clone(),
            recipient: Address {
                name: account.name.clone(),
                street: account.street.clone(),
                town: account.town.clone(),
                country: account.country.clone(),
            },
            creditor: Address {
                name: creditor.name.clone(),
                street: creditor.street.clone(),
                town: creditor.town.clone(),
                country: creditor.country.clone(),
            },
            creditor_iban: creditor.iban.clone(),
            contact: creditor.contact.clone(),
            note: creditor.note.clone(),
            authority: settings.authority.clone(),
            lines: lines(&month.lines)?,
            corrections: notes.iter().map(note).collect::<Result<_, _>>()?,
            exact,
            total_ct,
            rounding: exact.plus(Amount::from_ct(total_ct).negated())?,
            statement: Statement { consumption: month.consumption, generation: month.generation },
            payment: payment(total_ct),
        })
    }

    /// Its canonical bytes, which its digest is over.
    ///
    /// # Errors
    /// None for a bill that [`Bill::new`] made.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// The energy by line that it bills for a month: its own, or one that it corrects.
    pub fn billed(&self, period: Period) -> Lines {
        let notes = self.corrections.iter().filter(|note| note.period == period).flat_map(|note| &note.lines);
        let own = self.lines.iter().filter(|_| period == self.period);
        own.chain(notes).map(|line| (line.key.clone(), line.energy_q16)).collect()
    }

    /// All lines as CSV, exact.
    pub fn to_csv(&self) -> String {
        let mut text =
            "bill,account,period,corrects,kind,name,price_ct_per_kwh,energy_kwh,amount_ct\n".to_owned();
        let number = self.number.as_deref().unwrap_or("preview");
        let own = self.lines.iter().map(|line| (None, line));
        let notes =
            self.corrections.iter().flat_map(|note| note.lines.iter().map(|line| (Some(note.period), line)));
        for (corrects, line) in own.chain(notes) {
            let kind = kind_name(line.key.kind);
            let corrects = corrects.map_or_else(String::new, |period| period.to_string());
            let price = format_ct_per_kwh(line.key.price_mct_per_kwh);
            let fields = [
                number.to_owned(),
                self.account.clone(),
                self.period.to_string(),
                corrects,
                kind.to_owned(),
                line.key.name.clone(),
                price,
                exact_kwh(line.energy_q16),
                line.amount_ct.clone(),
            ];
            text += &csv_row(&fields);
        }
        let (rounding, total) = (self.rounding.negated().exact_ct(), self.total_ct.to_string());
        for (kind, amount) in [("rounding", rounding), ("total", total)] {
            let empty = String::new;
            let fields = [
                number.to_owned(),
                self.account.clone(),
                self.period.to_string(),
                empty(),
                kind.to_owned(),
                empty(),
                empty(),
                empty(),
                amount,
            ];
            text += &csv_row(&fields);
        }
        text
    }
}

/// SHA-256 in hex.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// A kind as files write it.
pub fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Bought => "bought",
        Kind::Sold => "sold",
        Kind::FeeBought => "fee_bought",
        Kind::FeeSold => "fee_sold",
    }
}

/// A row of CSV. A field that a spreadsheet would take for a formula gets an apostrophe, unless it is a number.
pub fn csv_row(fields: &[String]) -> String {
    let quote = |field: &String| {
        let is_number = field
            .strip_prefix('-')
            .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
        let is_formula = field.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_number;
        let field = if is_formula { format!("'{field}") } else { field.clone() };
        if field.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", field.replace('"', "\"\""))
        } else {
            field
        }
    };
    fields.iter().map(quote).collect::<Vec<_>>().join(",") + "\n"
}

fn lines(lines: &Lines) -> Result<Vec<Line>, TooMuch> {
    lines.iter().map(|(key, energy)| Line::new(key, *energy)).collect()
}

fn note(note: &Note) -> Result<NoteShown, TooMuch> {
    let amount = note.amount()?;
    Ok(NoteShown {
        period: note.period,
        bill: note.bill.clone(),
        lines: lines(&note.lines)?,
        days: note.days.clone(),
        amount,
        amount_ct: amount.exact_ct(),
    })
}

/// Whole numbers as text.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(number: &i128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i128, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_its_formula_and_a_spreadsheet_gets_no_formula() {
        let key = |kind, price| LineKey { kind, name: "Day".into(), price_mct_per_kwh: price };
        let line = Line::new(&key(Kind::Sold, 12_000), (1_234 << 16) + (1 << 15)).expect("a line");
        assert_eq!(line.formula, "−1 × 1.2345 kWh × 12.00 ct/kWh = -14.814 ct");
        let line = Line::new(&key(Kind::Bought, -500), 2_000 << 16).expect("a line");
        assert_eq!(line.formula, "2 kWh × -0.50 ct/kWh = -1 ct");
        let row = csv_row(&["=1+1".into(), "-1.5".into(), "-a".into(), "a,\"b\"".into()]);
        assert_eq!(row, "'=1+1,-1.5,'-a,\"a,\"\"b\"\"\"\n");
    }
}
