//! One line a round: what this member traded, in a CSV file that only its owner reads. Rounds in which it traded nothing
//! have their line too, and the status says why:
//!
//! | status | the round |
//! |---|---|
//! | `settled` | is settled, and the settlement point holds this member's fill |
//! | `void` | is void: nobody trades anything |
//! | `not opened` | is void because no block opened it in its time: nobody could bid |
//! | `no bid` | is settled without a bid of this member, which has none for it either |
//! | `bid missing` | is settled without this member's bid |
//! | `wrong settlement` | has a settlement point that does not hold this member's fill |
//! | `bid unreadable` | is settled, and this member's own bid can't be read, so nobody knows what it traded |

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use veilgrid_ledger::state::round::Slot;
use veilgrid_market::timestamp::format_utc;
use veilgrid_market::units::{format_ct_per_kwh, format_ct_q16, format_kwh_q16};
use veilgrid_roles::member::{Fill, ResultBook, ResultsFailure, RoundResult};
use veilgrid_store::files::{open_private, sync_directory, write_durably};

const HEADER: &str = "round,slot_start,slot_seconds,status,bought_kwh,sold_kwh,buy_price_ct_per_kwh,\
                      sell_price_ct_per_kwh,cost_ct\n";
/// Decimals with which Wh/2^16 are exact in kWh.
const EXACT_KWH: u32 = 19;
/// Decimals with which mct/kWh times Wh/2^16 are exact in ct.
const EXACT_CT: u32 = 22;
/// Most bytes that are read back: a line a round for centuries.
const MAX_BYTES: u64 = 1 << 30;

/// How a line says that its own bid could not be read.
const UNREADABLE: &str = "bid unreadable";

/// Longest run of rounds that were not opened with a line each; a longer one has one line, `FIRST-LAST`. A network that
/// was off for months on a short interval would else fill the disk with lines that say nothing.
const MAX_PASSED_LINES: u64 = 10_000;

/// The file. Each round is in it once, also when the ledger is replayed.
#[derive(Debug)]
pub struct Results {
    path: PathBuf,
    file: File,
    rounds: BTreeSet<u64>,
    /// First and last of runs that share a line.
    runs: Vec<(u64, u64)>,
}

impl Results {
    /// Opens or begins the file. A line that was cut off by a crash is taken away: its round is written again.
    ///
    /// # Errors
    /// The file system's, and a file that is none of these.
    pub fn open(path: &Path) -> io::Result<Self> {
        let open = || open_private(path, OpenOptions::new().read(true).write(true).truncate(false));
        let mut file = open()?;
        let mut bytes = Vec::new();
        Read::by_ref(&mut file).take(MAX_BYTES).read_to_end(&mut bytes)?;
        if let Some(certain) = without_unreadable(&bytes) {
            write_durably(path, &certain)?;
            (file, bytes) = (open()?, certain);
        }
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last.saturating_add(1));
        bytes.truncate(whole);
        file.set_len(whole as u64)?;
        file.seek(SeekFrom::End(0))?;
        if bytes.is_empty() {
            file.write_all(HEADER.as_bytes())?;
            file.sync_all()?;
            sync_directory(path)?;
        } else if !bytes.starts_with(HEADER.as_bytes()) {
            let what = format!("{} is no file of results: move it away", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let text = String::from_utf8_lossy(&bytes);
        let names = || text.lines().skip(1).filter_map(|line| line.split(',').next());
        let rounds = names().filter_map(|name| name.parse().ok()).collect();
        let run = |name: &str| {
            let (first, last) = name.split_once('-')?;
            Some((first.parse().ok()?, last.parse().ok()?))
        };
        let runs = names().filter_map(run).collect();
        Ok(Self { path: path.to_path_buf(), file, rounds, runs })
    }

    /// Whether a round is in the file.
    pub fn has(&self, round_id: u64) -> bool {
        self.rounds.contains(&round_id)
            || self.runs.iter().any(|(first, last)| (*first..=*last).contains(&round_id))
    }

    /// Writes a round's line unless it is there already; on disk when this returns.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&mut self, round_id: u64, slot: Slot, result: RoundResult) -> io::Result<()> {
        if self.has(round_id) {
            return Ok(());
        }
        self.append(&line(&round_id.to_string(), slot, result))?;
        self.rounds.insert(round_id);
        tracing::debug!(round_id, path = %self.path.display(), "result written");
        Ok(())
    }

    /// Writes the lines of rounds that were not opened, in one go.
    ///
    /// # Errors
    /// The file system's.
    pub fn write_not_opened(
        &mut self,
        rounds: RangeInclusive<u64>,
        slot_of: impl Fn(u64) -> Option<Slot>,
    ) -> io::Result<()> {
        let (first, last) = (*rounds.start(), *rounds.end());
        if last.saturating_sub(first) >= MAX_PASSED_LINES {
            if let Some(slot) = slot_of(first).filter(|_| !self.has(first)) {
                self.append(&line(&format!("{first}-{last}"), slot, RoundResult::NotOpened))?;
                self.runs.push((first, last));
            }
            return Ok(());
        }
        let missing: Vec<u64> = rounds.filter(|round_id| !self.has(*round_id)).collect();
        let text: String = missing
            .iter()
            .filter_map(|round_id| {
                Some(line(&round_id.to_string(), slot_of(*round_id)?, RoundResult::NotOpened))
            })
            .collect();
        self.append(&text)?;
        self.rounds.extend(missing);
        Ok(())
    }

    /// Appends whole lines.
    fn append(&mut self, lines: &str) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let begin = self.file.stream_position()?;
        let written = self.file.write_all(lines.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // Nothing half-written stays in front of the next line.
            self.file.set_len(begin)?;
            self.file.seek(SeekFrom::Start(begin))?;
            return Err(error);
        }
        Ok(())
    }
}

/// The owner reads them in the file.
impl ResultBook for Results {
    fn write(&mut self, round_id: u64, slot: Slot, result: RoundResult) -> Result<(), ResultsFailure> {
        Results::write(self, round_id, slot, result).map_err(not_written)
    }

    fn write_not_opened(
        &mut self,
        rounds: RangeInclusive<u64>,
        slot_of: &dyn Fn(u64) -> Option<Slot>,
    ) -> Result<(), ResultsFailure> {
        Results::write_not_opened(self, rounds, slot_of).map_err(not_written)
    }
}

fn not_written(error: io::Error) -> ResultsFailure {
    ResultsFailure { why: format!("the results can't be written: {error}") }
}

/// The file without the lines of rounds whose bid could not be read, when it has some: the replay of the ledger writes them
/// again, with the result when the bid was restored.
fn without_unreadable(bytes: &[u8]) -> Option<Vec<u8>> {
    let uncertain = |line: &[u8]| line.split(|byte| *byte == b',').nth(3) == Some(UNREADABLE.as_bytes());
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let certain = || bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| !uncertain(line));
    lines.any(uncertain).then(|| certain().collect::<Vec<_>>().concat())
}

fn line(round: &str, slot: Slot, result: RoundResult) -> String {
    let (status, fill) = match result {
        RoundResult::Settled(fill) => ("settled", fill),
        RoundResult::Void => ("void", Fill::default()),
        RoundResult::Missing => ("bid missing", Fill::default()),
        RoundResult::Wrong => ("wrong settlement", Fill::default()),
        RoundResult::NoBid => ("no bid", Fill::default()),
        RoundResult::Unreadable => (UNREADABLE, Fill::default()),
        RoundResult::NotOpened => ("not opened", Fill::default()),
    };
    let energy = |wh_q16: u64| short(&format_kwh_q16(i128::from(wh_q16), EXACT_KWH));
    let price = |mct: Option<i64>| mct.map(format_ct_per_kwh).unwrap_or_default();
    let trade = fill.trade;
    let cost = trade.map_or(0, |trade| {
        // Below 2^63 times 2^40.
        let of = |wh_q16: u64, mct: i64| i128::from(wh_q16).saturating_mul(i128::from(mct));
        of(fill.bought_wh_q16, trade.buy_price_mct_per_kwh)
            .saturating_sub(of(fill.sold_wh_q16, trade.sell_price_mct_per_kwh))
    });
    format!(
        "{round},{},{},{status},{},{},{},{},{}\n",
        format_utc(slot.start_unix_s),
        slot.seconds,
        energy(fill.bought_wh_q16),
        energy(fill.sold_wh_q16),
        price(trade.map(|trade| trade.buy_price_mct_per_kwh)),
        price(trade.map(|trade| trade.sell_price_mct_per_kwh)),
        short(&format_ct_q16(cost, EXACT_CT)),
    )
}

/// A decimal without the zeros at its end, which say nothing.
fn short(decimal: &str) -> String {
    match decimal.contains('.') {
        true => decimal.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => decimal.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use veilgrid_market::{Rationed, Trade};

    const SLOT: Slot = Slot { start_unix_s: 1_800_000_000, seconds: 900 };

    fn fill(bought_wh_q16: u64, sold_wh_q16: u64) -> Fill {
        let trade = Trade {
            buy_price_mct_per_kwh: 17_500,
            sell_price_mct_per_kwh: 17_000,
            price_low_mct_per_kwh: 17_000,
            price_high_mct_per_kwh: 17_500,
            lowest_buy_tick: 1,
            highest_sell_tick: 1,
            rationed: Rationed::None,
            fraction_q16: 1 << 16,
            rest_q16: 0,
        };
        Fill { bought_wh_q16, sold_wh_q16, trade: Some(trade) }
    }

    #[test]
    fn lines_are_exact() {
        let bought = line("3", SLOT, RoundResult::Settled(fill((1200 << 16) + 1, 0)));
        assert!(bought.starts_with("3,2027-01-15T08:00:00Z,900,settled,1.2000000152587890625"), "{bought}");
        assert!(bought.contains(",17.50,17.00,21.00000026702880859375\n"), "{bought}");
        let sold = line("4", SLOT, RoundResult::Settled(fill(0, 500 << 16)));
        assert!(sold.ends_with(",0,0.5,17.50,17.00,-8.5\n"), "{sold}");
        // Below zero a buyer is paid, and who sells pays.
        let mut below = fill(1000 << 16, 0);
        if let Some(trade) = below.trade.as_mut() {
            (trade.buy_price_mct_per_kwh, trade.sell_price_mct_per_kwh) = (-4_000, -4_500);
        }
        assert!(line("6", SLOT, RoundResult::Settled(below)).ends_with(",1,0,-4.00,-4.50,-4\n"));
        (below.bought_wh_q16, below.sold_wh_q16) = (0, 500 << 16);
        assert!(line("7", SLOT, RoundResult::Settled(below)).ends_with(",0,0.5,-4.00,-4.50,2.25\n"));
        assert!(line("5", SLOT, RoundResult::Void).ends_with(",void,0,0,,,0\n"));
    }

    #[test]
    fn nobody_else_reads_them_wherever_they_are() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().expect("directory");
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(directory.path(), open.clone()).expect("set");
        let path = directory.path().join("results.csv");
        let mode = || fs::metadata(&path).expect("there").permissions().mode() & 0o777;
        drop(Results::open(&path).expect("new"));
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&path, open).expect("set");
        drop(Results::open(&path).expect("there"));
        assert_eq!(mode(), 0o600, "also when it was open to others");
    }

    #[test]
    fn each_round_is_written_once_and_a_cut_line_again() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("results.csv");
        let mut results = Results::open(&path).expect("new");
        results.write(1, SLOT, RoundResult::Void).expect("written");
        results.write(1, SLOT, RoundResult::Missing).expect("known");
        let whole = fs::read(&path).expect("read");
        assert_eq!(String::from_utf8_lossy(&whole).lines().count(), 2);
        results.write(2, SLOT, RoundResult::Void).expect("written");
        let length = fs::metadata(&path).expect("metadata").len();
        drop(results);
        OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(length - 3)).expect("cut");
        let mut results = Results::open(&path).expect("opened");
        assert_eq!(fs::read(&path).expect("read"), whole);
        assert!(results.has(1) && !results.has(2));
        results.write(2, SLOT, RoundResult::Void).expect("written");
        assert_eq!(fs::metadata(&path).expect("metadata").len(), length);
        fs::write(&path, "something,else\n").expect("written");
        assert!(Results::open(&path).is_err());
    }
    #[test]
    fn rounds_that_nobody_opened_have_a_line_each_or_one_for_a_long_run() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("results.csv");
        let slot_of = |round_id: u64| Some(Slot { start_unix_s: 900 * round_id as i64, seconds: 900 });
        let mut results = Results::open(&path).expect("new");
        results.write(2, SLOT, RoundResult::NoBid).expect("written");
        results.write_not_opened(1..=4, slot_of).expect("written");
        results.write_not_opened(10..=2_000_000, slot_of).expect("written");
        let text = fs::read_to_string(&path).expect("read");
        let lines: Vec<String> = text
            .lines()
            .skip(1)
            .map(|line| {
                let fields: Vec<&str> = line.split(',').collect();
                assert_eq!(fields.len(), HEADER.split(',').count(), "{line}");
                format!("{} {}", fields[0], fields[3])
            })
            .collect();
        let expected = ["2 no bid", "1 not opened", "3 not opened", "4 not opened", "10-2000000 not opened"];
        assert_eq!(lines, expected);
        // A replay writes nothing twice.
        let mut again = Results::open(&path).expect("opened");
        again.write_not_opened(1..=4, slot_of).expect("known");
        again.write_not_opened(10..=2_000_000, slot_of).expect("known");
        again.write(77, SLOT, RoundResult::Void).expect("known");
        assert_eq!(fs::read_to_string(&path).expect("read"), text);
    }

    #[test]
    fn a_round_whose_bid_could_not_be_read_is_looked_at_again() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("results.csv");
        let mut results = Results::open(&path).expect("new");
        results.write(1, SLOT, RoundResult::Unreadable).expect("written");
        results.write(2, SLOT, RoundResult::Void).expect("written");
        assert!(fs::read_to_string(&path).expect("read").contains("bid unreadable"));
        let mut again = Results::open(&path).expect("opened");
        assert!(!again.has(1) && again.has(2));
        again.write(1, SLOT, RoundResult::NoBid).expect("written");
        assert_eq!(fs::read_to_string(&path).expect("read").lines().count(), 3);
    }
}
