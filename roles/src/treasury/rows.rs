//! Deposits as a table: CSV with a header, a payment per line.
//!
//! | column | what |
//! |---|---|
//! | `account` | an account number (0 is the community's own account) or an account key |
//! | `amount_eur` or `amount_ct` | the amount, an exact decimal of whole cents; one of the two columns |
//! | `reference` | what the bank calls the payment; it does not leave the treasury. 64 hexadecimal digits stay as they are |

use super::amount::{cents_of_ct, cents_of_euro};
use super::reference_of;
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::hash::Hex32;
use veilgrid_ledger::members::order::AccountNumber;

const COLUMNS: [&str; 4] = ["account", "amount_eur", "amount_ct", "reference"];
/// Most rows of a file.
const MAX_ROWS: usize = 1 << 16;
/// Most faults that are collected; a file of another kind has one on every line.
const MAX_FAULTS: usize = 20;
/// Most characters of a reference: a bank's has 140.
const MAX_REFERENCE_CHARACTERS: usize = 500;

/// An account as people name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountName {
    /// By its number.
    Number(AccountNumber),
    /// By its key.
    Key(PointBytes),
}

/// A payment that has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Line of the file, from 1.
    pub line: u64,
    /// For whom.
    pub account: AccountName,
    /// How much, ct.
    pub amount_ct: u64,
    /// What it is called on the ledger.
    pub reference: [u8; 32],
}

/// What is wrong with a file, line by line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFault {
    /// Line of the file, from 1.
    pub line: u64,
    /// What is wrong there and what to do.
    pub what: String,
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::str::FromStr for AccountName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match (text.parse::<AccountNumber>(), text.parse::<Hex32>()) {
            (Ok(number), _) => Ok(Self::Number(number)),
            (_, Ok(key)) => Ok(Self::Key(key.0)),
            _ => Err(format!("{text:?} is neither an account number nor an account key")),
        }
    }
}

impl Row {
    /// A payment from words.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(
        line: u64,
        account: &str,
        amount_ct: u64,
        reference: &str,
        treasury: &SigningKey,
    ) -> Result<Self, String> {
        let characters = reference.trim().chars().count();
        if !(1..=MAX_REFERENCE_CHARACTERS).contains(&characters) {
            return Err(format!(
                "a reference of {characters} characters: it has 1 to {MAX_REFERENCE_CHARACTERS}, such as the bank's"
            ));
        }
        let reference = reference_of(treasury, reference);
        Ok(Self { line, account: account.parse()?, amount_ct, reference })
    }
}

/// Reads all rows.
///
/// # Errors
/// What is wrong, the first 20 faults; no row is used then.
pub fn read(source: impl Read, treasury: &SigningKey) -> Result<Vec<Row>, Vec<RowFault>> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(source);
    let fault = |line, what: String| vec![RowFault { line, what }];
    let header = reader.headers().map_err(|error| fault(1, error.to_string()))?.clone();
    let columns = Columns::of(&header).map_err(|what| fault(1, what))?;
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    for record in reader.records() {
        let (line, read) = match &record {
            Ok(record) => {
                let line = record.position().map_or(0, csv::Position::line);
                (line, columns.row(record, line, treasury))
            }
            Err(error) => (error.position().map_or(0, csv::Position::line), Err(error.to_string())),
        };
        match read {
            Ok(row) => rows.push(row),
            Err(what) => faults.push(RowFault { line, what }),
        }
        if faults.len() >= MAX_FAULTS || rows.len() > MAX_ROWS {
            break;
        }
    }
    faults.extend(repeated(&rows));
    if let Some(row) = rows.get(MAX_ROWS) {
        faults.push(RowFault { line: row.line, what: format!("a file has at most {MAX_ROWS} rows") });
    }
    if rows.is_empty() && faults.is_empty() {
        return Err(fault(1, "no rows follow the header".to_owned()));
    }
    faults.sort_by_key(|fault| fault.line);
    faults.truncate(MAX_FAULTS);
    if faults.is_empty() { Ok(rows) } else { Err(faults) }
}

/// A payment has one reference: the same one twice is a payment that was entered twice.
fn repeated(rows: &[Row]) -> Vec<RowFault> {
    let mut seen = BTreeMap::new();
    let again = |row: &Row| {
        let first = seen.insert(row.reference, row.line)?;
        Some(RowFault { line: row.line, what: format!("the reference of line {first} again") })
    };
    rows.iter().filter_map(again).collect()
}

struct Columns {
    account: usize,
    amount: usize,
    is_euro: bool,
    reference: usize,
}

impl Columns {
    fn of(header: &csv::StringRecord) -> Result<Self, String> {
        let mut found = BTreeMap::new();
        for (at, name) in header.iter().enumerate() {
            let Some(known) = COLUMNS.iter().find(|known| **known == name) else {
                return Err(format!("there is no column {name:?}; the columns are {}", COLUMNS.join(", ")));
            };
            if found.insert(*known, at).is_some() {
                return Err(format!("the column {known} is there twice"));
            }
        }
        let needed =
            |name: &str| found.get(name).copied().ok_or_else(|| format!("the column {name} is missing"));
        let (amount, is_euro) = match (found.get("amount_eur"), found.get("amount_ct")) {
            (Some(at), None) => (*at, true),
            (None, Some(at)) => (*at, false),
            _ => return Err("one column is needed of amount_eur and amount_ct".to_owned()),
        };
        Ok(Self { account: needed("account")?, amount, is_euro, reference: needed("reference")? })
    }

    fn row(&self, record: &csv::StringRecord, line: u64, treasury: &SigningKey) -> Result<Row, String> {
        let field = |at: usize| record.get(at).unwrap_or_default();
        let text = field(self.amount);
        let amount = if self.is_euro { cents_of_euro(text) } else { cents_of_ct(text) };
        let amount_ct = amount.map_err(|error| format!("the amount {text:?}: {error}"))?;
        Row::new(line, field(self.account), amount_ct, field(self.reference), treasury)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn treasury() -> SigningKey {
        SigningKey::generate(&mut ChaCha20Rng::seed_from_u64(1))
    }

    fn faults(text: &str) -> String {
        let faults = read(text.as_bytes(), &treasury()).expect_err("refused");
        faults.iter().map(|fault| format!("{fault}\n")).collect()
    }

    #[test]
    fn payments_are_read_in_either_unit() {
        let key = "0a".repeat(32);
        let text = format!("account,amount_eur,reference\n7, 12.5 ,May 3\n{key},0.01,May 4\n0,100,fund\n");
        let rows = read(text.as_bytes(), &treasury()).expect("rows");
        let expected = [AccountName::Number(7), AccountName::Key([10; 32]), AccountName::Number(0)];
        assert_eq!(rows.iter().map(|row| row.account).collect::<Vec<_>>(), expected);
        assert_eq!(rows.iter().map(|row| row.amount_ct).collect::<Vec<_>>(), [1250, 1, 10_000]);
        assert_eq!(rows[0].reference, reference_of(&treasury(), "May 3"));
        let rows = read("reference,account,amount_ct\nMay 3,7,1250\n".as_bytes(), &treasury()).expect("rows");
        assert_eq!((rows[0].amount_ct, rows[0].line), (1250, 2));
    }

    #[test]
    fn each_fault_is_said_with_its_line() {
        let header = "account,amount_eur,reference\n";
        for (rows, said) in [
            ("x,1,a\n", "line 2: \"x\" is neither an account number nor an account key"),
            ("7,1,a\n7,0,b\n", "line 3: the amount \"0\": an amount is at least one cent"),
            ("7,-1,a\n", "at least one cent"),
            ("7,1.005,a\n", "a part of a cent"),
            ("7,\"1,50\",a\n", "decimal point"),
            ("7,1,\n", "a reference of 0 characters"),
            ("7,1,a\n8,2, a \n", "line 3: the reference of line 2 again"),
            ("7,1\n", "line 2"),
            ("", "no rows follow the header"),
        ] {
            let faults = faults(&format!("{header}{rows}"));
            assert!(faults.contains(said), "{rows:?}: {faults}");
        }
        assert!(faults("account,reference\n7,a\n").contains("one column is needed"));
        assert!(faults("account,amount_eur,amount_ct,reference\n7,1,1,a\n").contains("one column is needed"));
        assert!(faults("account,amount_eur,iban\n").contains("no column \"iban\""));
    }
}
