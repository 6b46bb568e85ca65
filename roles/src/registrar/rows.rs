//! Certificates as a table: CSV with a header, a member per line.
//!
//! | column | what | when it is empty or absent |
//! |---|---|---|
//! | `account_key` | 64 hexadecimal digits, from the member's `veilgrid keys show` | an error |
//! | `connection_point` | the name of the connection point; it does not leave the registrar | an error |
//! | `role` | consumer, prosumer, producer, charging-station or storage | consumer |
//! | `rights` | buy, sell or both | both |
//! | `import_class`, `export_class` | a capacity class of the market | an error |
//! | `zone` | zone of the grid | 0 |
//! | `participation_per_mille` | part of the connection point in this community | 1000 |
//! | `from`, `to` | RFC 3339 instants; the member bids for slots between them | since ever, without end |

use super::point_id;
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::hash::Hex32;
use veilgrid_ledger::members::certificate::{Certificate, MemberRole, Rights, WHOLE_PARTICIPATION};
use veilgrid_market::timestamp::parse_rfc3339;

const COLUMNS: [&str; 10] = [
    "account_key",
    "connection_point",
    "role",
    "rights",
    "import_class",
    "export_class",
    "zone",
    "participation_per_mille",
    "from",
    "to",
];

/// Most rows of a file: the most members that a ledger has.
const MAX_ROWS: usize = 1 << 16;

/// Most faults that are collected; a file of another kind has one on every line.
const MAX_FAULTS: usize = 20;

/// A row's certificate, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Line of the file, from 1.
    pub line: u64,
    /// The name of the connection point.
    pub point_name: String,
    /// The certificate.
    pub certificate: Certificate,
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

/// Reads all rows.
///
/// # Errors
/// What is wrong, the first 20 faults; no row is used then.
pub fn read(source: impl Read, registrar: &SigningKey, key_epoch: u64) -> Result<Vec<Row>, Vec<RowFault>> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(source);
    let fault = |line, what: String| vec![RowFault { line, what }];
    let header = reader.headers().map_err(|error| fault(1, error.to_string()))?.clone();
    let columns = columns(&header).map_err(|what| fault(1, what))?;
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    for record in reader.records() {
        let read = match &record {
            Ok(record) => {
                let line = record.position().map_or(0, csv::Position::line);
                row(&Fields { record, columns: &columns }, line, registrar, key_epoch)
                    .map_err(|what| RowFault { line, what })
            }
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                Err(RowFault { line, what: error.to_string() })
            }
        };
        match read {
            Ok(row) => rows.push(row),
            Err(fault) => faults.push(fault),
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

/// Two rows of one account, or of one connection point.
fn repeated(rows: &[Row]) -> Vec<RowFault> {
    let (mut accounts, mut points) = (BTreeMap::new(), BTreeMap::new());
    let mut faults = Vec::new();
    for row in rows {
        let line = row.line;
        if let Some(first) = accounts.insert(row.certificate.account, line) {
            faults.push(RowFault { line, what: format!("the account key of line {first} again") });
        }
        if let Some(first) = points.insert(row.certificate.point, line) {
            faults.push(RowFault { line, what: format!("the connection point of line {first} again") });
        }
    }
    faults
}

fn columns(header: &csv::StringRecord) -> Result<BTreeMap<&'static str, usize>, String> {
    let mut columns = BTreeMap::new();
    for (at, name) in header.iter().enumerate() {
        let Some(known) = COLUMNS.iter().find(|known| **known == name) else {
            return Err(format!("there is no column {name:?}; the columns are {}", COLUMNS.join(", ")));
        };
        if columns.insert(*known, at).is_some() {
            return Err(format!("the column {known} is there twice"));
        }
    }
    for needed in ["account_key", "connection_point", "import_class", "export_class"] {
        if !columns.contains_key(needed) {
            return Err(format!("the column {needed} is missing; the columns are {}", COLUMNS.join(", ")));
        }
    }
    Ok(columns)
}

struct Fields<'a> {
    record: &'a csv::StringRecord,
    columns: &'a BTreeMap<&'static str, usize>,
}

impl Fields<'_> {
    /// The text of a column; none when it is empty or absent.
    fn get(&self, column: &str) -> Option<&str> {
        let text = self.columns.get(column).and_then(|at| self.record.get(*at))?;
        (!text.is_empty()).then_some(text)
    }

    fn needed(&self, column: &str) -> Result<&str, String> {
        self.get(column).ok_or_else(|| format!("{column} is empty"))
    }

    fn number<T: std::str::FromStr>(&self, column: &str, default: Option<T>) -> Result<T, String> {
        match (self.get(column), default) {
            (None, Some(default)) => Ok(default),
            (None, None) => Err(format!("{column} is empty")),
            (Some(text), _) => {
                text.parse().map_err(|_| format!("{column} is {text:?}: write a whole number, not below 0"))
            }
        }
    }

    fn instant(&self, column: &str) -> Result<Option<i64>, String> {
        let parsed = self
            .get(column)
            .map(|text| parse_rfc3339(text).map_err(|error| format!("{column}: {text:?} {error}")));
        parsed.transpose()
    }
}

fn row(fields: &Fields<'_>, line: u64, registrar: &SigningKey, key_epoch: u64) -> Result<Row, String> {
    let account: Hex32 =
        fields.needed("account_key")?.parse().map_err(|error| format!("account_key: {error}"))?;
    let point_name = fields.needed("connection_point")?.to_owned();
    let role = match fields.get("role") {
        None => MemberRole::Consumer,
        Some(name) => MemberRole::from_name(name).ok_or_else(|| {
            let all: Vec<&str> = MemberRole::ALL.into_iter().map(MemberRole::name).collect();
            format!("role is {name:?}: write one of {}", all.join(", "))
        })?,
    };
    let rights = match fields.get("rights") {
        None | Some("both") => Rights { buy: true, sell: true },
        Some("buy") => Rights { buy: true, sell: false },
        Some("sell") => Rights { buy: false, sell: true },
        Some(other) => return Err(format!("rights is {other:?}: write buy, sell or both")),
    };
    let certificate = Certificate {
        account: account.0,
        key_epoch,
        point: point_id(registrar, &point_name),
        rights,
        zone: fields.number("zone", Some(0))?,
        role,
        import_class: fields.number("import_class", None)?,
        export_class: fields.number("export_class", None)?,
        credit_line: None,
        participation_per_mille: fields.number("participation_per_mille", Some(WHOLE_PARTICIPATION))?,
        import_source: None,
        export_source: None,
        from_unix_s: fields.instant("from")?.unwrap_or(0),
        to_unix_s: fields.instant("to")?,
    };
    Ok(Row { line, point_name, certificate })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn read_text(text: &str) -> Result<Vec<Row>, Vec<RowFault>> {
        read(text.as_bytes(), &SigningKey::generate(&mut ChaCha20Rng::seed_from_u64(1)), 5)
    }

    fn account(byte: u8) -> String {
        hex::encode([byte; 32])
    }

    #[test]
    fn a_row_is_a_certificate() {
        let text = format!(
            "account_key,connection_point,role,rights,import_class,export_class,zone,participation_per_mille,from,to\n\
             {},AT001,prosumer,sell,3,4,2,500,2027-01-01T00:00:00Z,2028-01-01T00:00:00Z\n{},AT002,,,1,0,,,,\n",
            account(1),
            account(2)
        );
        let rows = read_text(&text).expect("sound");
        let first = &rows[0].certificate;
        assert_eq!((first.account, first.key_epoch, first.role), ([1; 32], 5, MemberRole::Prosumer));
        assert_eq!(first.rights, Rights { buy: false, sell: true });
        assert_eq!((first.import_class, first.export_class, first.zone), (3, 4, 2));
        assert_eq!((first.participation_per_mille, first.to_unix_s), (500, Some(1_830_297_600)));
        let second = &rows[1].certificate;
        assert_eq!((second.role, second.participation_per_mille), (MemberRole::Consumer, 1_000));
        assert_eq!((second.from_unix_s, second.to_unix_s, rows[1].line), (0, None, 3));
        assert_ne!(first.point, second.point);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let faults = |text: &str| -> Vec<String> {
            read_text(text).expect_err("wrong").iter().map(ToString::to_string).collect()
        };
        let header = "account_key,connection_point,import_class,export_class,role,rights,from\n";
        let key = account(1);
        for (line, found) in [
            ("abc,AT1,1,1,,,", "line 2: account_key: \"abc\" is no key or hash"),
            (",AT1,1,1,,,", "line 2: account_key is empty"),
            ("KEY,,1,1,,,", "line 2: connection_point is empty"),
            ("KEY,AT1,,1,,,", "line 2: import_class is empty"),
            ("KEY,AT1,300,1,,,", "line 2: import_class is \"300\""),
            ("KEY,AT1,1,-1,,,", "line 2: export_class is \"-1\""),
            ("KEY,AT1,1,1,boss,,", "line 2: role is \"boss\""),
            ("KEY,AT1,1,1,,all,", "line 2: rights is \"all\""),
            ("KEY,AT1,1,1,,,tomorrow", "line 2: from: \"tomorrow\""),
            ("KEY,AT1", "line 2: "),
        ] {
            let text = format!("{header}{}\n", line.replace("KEY", &key));
            let found_faults = faults(&text);
            assert!(found_faults[0].starts_with(found), "{found_faults:?} instead of {found}");
        }
        let twice = format!("{header}{key},AT1,1,1,,,\n{key},AT2,1,1,,,\n{},AT1,1,1,,,\n", account(2));
        let expected =
            ["line 3: the account key of line 2 again", "line 4: the connection point of line 2 again"];
        assert_eq!(faults(&twice), expected);
        assert_eq!(faults(header), ["line 1: no rows follow the header"]);
        assert!(faults("account_key,meter\n")[0].contains("there is no column \"meter\""));
        assert!(faults("account_key,connection_point,import_class\n")[0].contains("export_class is missing"));
        let many = header.to_owned() + &"x,y,1,1,,,\n".repeat(50);
        assert_eq!(faults(&many).len(), MAX_FAULTS);
    }
}
