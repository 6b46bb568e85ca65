//! One line a round: what this member traded, in a CSV file that only its owner reads.

use crate::files::{open_private, sync_directory};
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use veilgrid_ledger::state::round::Slot;
use veilgrid_market::units::{format_ct_per_kwh, format_ct_q16, format_kwh_q16};
use veilgrid_roles::community::timestamp::format_utc;
use veilgrid_roles::member::Fill;

const HEADER: &str = "round,slot_start,slot_seconds,status,bought_kwh,sold_kwh,buy_price_ct_per_kwh,\
                      sell_price_ct_per_kwh,cost_ct\n";
/// Decimals with which Wh/2^16 are exact in kWh.
const EXACT_KWH: u32 = 19;
/// Decimals with which mct/kWh times Wh/2^16 are exact in ct.
const EXACT_CT: u32 = 22;
/// Most bytes that are read back: a line a round for centuries.
const MAX_BYTES: u64 = 1 << 30;

/// How a round ended for this member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoundResult {
    /// It was settled, and the settlement point holds this fill.
    Settled(Fill),
    /// It is void.
    Void,
    /// It was settled without this member's bid, which somebody had promised to take.
    Missing,
    /// Its settlement point does not hold the member's fill.
    Wrong,
}

/// The file. Each round is in it once, also when the ledger is replayed.
#[derive(Debug)]
pub struct Results {
    path: PathBuf,
    file: File,
    rounds: BTreeSet<u64>,
}

impl Results {
    /// Opens or begins the file. A line that was cut off by a crash is taken away: its round is written again.
    ///
    /// # Errors
    /// The file system's, and a file that is none of these.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = open_private(path, OpenOptions::new().read(true).write(true).truncate(false))?;
        let mut bytes = Vec::new();
        Read::by_ref(&mut file).take(MAX_BYTES).read_to_end(&mut bytes)?;
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
        let rounds = text.lines().skip(1).filter_map(|line| line.split(',').next()?.parse().ok()).collect();
        Ok(Self { path: path.to_path_buf(), file, rounds })
    }

    /// Whether a round is in the file.
    pub fn has(&self, round_id: u64) -> bool {
        self.rounds.contains(&round_id)
    }

    /// Writes a round's line unless it is there already; on disk when this returns.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&mut self, round_id: u64, slot: Slot, result: RoundResult) -> io::Result<()> {
        if self.has(round_id) {
            return Ok(());
        }
        let line = line(round_id, slot, result);
        let begin = self.file.stream_position()?;
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // Nothing half-written stays in front of the next line.
            self.file.set_len(begin)?;
            self.file.seek(SeekFrom::Start(begin))?;
            return Err(error);
        }
        self.rounds.insert(round_id);
        tracing::debug!(round_id, path = %self.path.display(), "result written");
        Ok(())
    }
}

fn line(round_id: u64, slot: Slot, result: RoundResult) -> String {
    let (status, fill) = match result {
        RoundResult::Settled(fill) => ("settled", fill),
        RoundResult::Void => ("void", Fill::default()),
        RoundResult::Missing => ("bid missing", Fill::default()),
        RoundResult::Wrong => ("wrong settlement", Fill::default()),
    };
    let energy = |wh_q16: u64| short(&format_kwh_q16(i128::from(wh_q16), EXACT_KWH));
    let price = |mct: Option<u64>| mct.map(format_ct_per_kwh).unwrap_or_default();
    let trade = fill.trade;
    let cost = trade.map_or(0, |trade| {
        // Below 2^63 times 2^40.
        let of = |wh_q16: u64, mct: u64| i128::from(wh_q16).saturating_mul(i128::from(mct));
        of(fill.bought_wh_q16, trade.buy_price_mct_per_kwh)
            .saturating_sub(of(fill.sold_wh_q16, trade.sell_price_mct_per_kwh))
    });
    format!(
        "{round_id},{},{},{status},{},{},{},{},{}\n",
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
        let bought = line(3, SLOT, RoundResult::Settled(fill((1200 << 16) + 1, 0)));
        assert!(bought.starts_with("3,2027-01-15T08:00:00Z,900,settled,1.2000000152587890625"), "{bought}");
        assert!(bought.contains(",17.50,17.00,21.00000026702880859375\n"), "{bought}");
        let sold = line(4, SLOT, RoundResult::Settled(fill(0, 500 << 16)));
        assert!(sold.ends_with(",0,0.5,17.50,17.00,-8.5\n"), "{sold}");
        assert!(line(5, SLOT, RoundResult::Void).ends_with(",void,0,0,,,0\n"));
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
}
