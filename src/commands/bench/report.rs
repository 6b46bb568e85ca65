//! The figures of a run.

use serde::Serialize;
use veilgrid_crypto::fast::{Arithmetic, arithmetic};

/// What a run measured; none where a figure does not belong to the run. "Single" is the plain crate (or one by one),
/// "batch" is ours.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Which run.
    pub bench: &'static str,
    /// Bids of the run.
    pub bids: usize,
    /// Distinct ones among them.
    pub distinct: usize,
    /// Ticks of the price grid.
    pub ticks: u32,
    /// Bits of a quantity.
    pub bits: u32,
    /// Threads.
    pub threads: usize,
    /// Arithmetic of public points: portable, lanes (of AVX-512 IFMA), or lanes-avx2.
    pub arithmetic: &'static str,
    /// Wall-clock time of what was measured, seconds.
    pub wall_s: f64,
    /// The crate's time a bid on one thread.
    pub per_bid_ms_single: Option<f64>,
    /// Our time a bid (wall-clock time of the run over its bids; of a round, the time before its close).
    pub per_bid_ms_batch: Option<f64>,
    /// single / batch: how many times faster.
    pub ratio: Option<f64>,
    /// Points of a bid in the batch's multiplication, its part of the shared ones included.
    pub points_per_bid: Option<f64>,
    /// Points times the portable unit costs, on all threads of the run: what a batch costs at least with the plain
    /// crate's points, whatever arithmetic the run used.
    pub floor_ms_per_bid: Option<f64>,
    /// batch / floor.
    pub floor_ratio: Option<f64>,
    /// Unit cost: decompressing a point, µs on one thread.
    pub decompress_us: Option<f64>,
    /// Unit cost: one point in a multiplication of the batch's size, µs on one thread.
    pub multiply_us: Option<f64>,
    /// The same floor with the unit costs of the lanes, where the run used them.
    pub lanes_floor_ms_per_bid: Option<f64>,
    /// batch / that floor.
    pub lanes_floor_ratio: Option<f64>,
    /// Unit cost in lanes: decompressing a point, µs on one thread.
    pub lanes_decompress_us: Option<f64>,
    /// Unit cost in lanes: one point in a multiplication of the batch's size, µs on one thread.
    pub lanes_multiply_us: Option<f64>,
    /// From the close to the outcome, with everything verified before, ms.
    pub close_to_cleared_ms: Option<f64>,
    /// Time of the batch with `--invalid` bids in it / time of the valid batch.
    pub invalid_ratio: Option<f64>,
    /// Sums that were opened.
    pub openings: Option<usize>,
    /// Largest resident size of the process so far, MiB; where the system tells.
    pub peak_rss_mib: Option<f64>,
    /// Bytes of a proof.
    pub proof_bytes: usize,
    /// Bytes of a bid.
    pub bid_bytes: usize,
}

impl Report {
    /// Adds the number of threads and the memory that was used.
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self.arithmetic = arithmetic_in_use();
        self.peak_rss_mib = peak_rss_mib();
        self
    }

    /// Rows for people.
    pub fn rows(&self) -> Vec<(String, String)> {
        let mut rows = vec![
            ("bids (distinct)".to_owned(), format!("{} ({})", self.bids, self.distinct)),
            ("grid".to_owned(), format!("{} ticks a side, {} bits", self.ticks, self.bits)),
            ("threads".to_owned(), self.threads.to_string()),
            ("arithmetic of public points".to_owned(), self.arithmetic.to_owned()),
            ("wall time, s".to_owned(), format!("{:.3}", self.wall_s)),
        ];
        let mut add = |name: &str, value: Option<f64>, digits: usize| {
            rows.extend(value.map(|value| (name.to_owned(), format!("{value:.digits$}"))));
        };
        let single = match self.bench {
            "prove" => "the crate's prover, ms a bid",
            _ => "the crate one by one, ms a bid",
        };
        add(single, self.per_bid_ms_single, 3);
        add("ours, ms a bid", self.per_bid_ms_batch, 3);
        add("times faster", self.ratio, 2);
        add("points a bid", self.points_per_bid, 1);
        add("decompressing a point (portable), µs", self.decompress_us, 3);
        add("multiplying a point (portable), µs", self.multiply_us, 3);
        add("floor (points x unit costs), ms a bid", self.floor_ms_per_bid, 3);
        add("ours / floor", self.floor_ratio, 3);
        add("decompressing a point in lanes, µs", self.lanes_decompress_us, 3);
        add("multiplying a point in lanes, µs", self.lanes_multiply_us, 3);
        add("floor with the lanes' unit costs, ms a bid", self.lanes_floor_ms_per_bid, 3);
        add("ours / that floor", self.lanes_floor_ratio, 3);
        add("with invalid bids / without", self.invalid_ratio, 2);
        add("close to cleared, ms", self.close_to_cleared_ms, 1);
        rows.extend(self.openings.map(|openings| ("opened sums".to_owned(), openings.to_string())));
        rows.extend(self.peak_rss_mib.map(|mib| ("peak memory, MiB".to_owned(), format!("{mib:.0}"))));
        rows.push(("proof, bytes".to_owned(), self.proof_bytes.to_string()));
        rows.push(("bid, bytes".to_owned(), self.bid_bytes.to_string()));
        rows
    }
}

/// The arithmetic of public points that this process uses.
pub(super) fn arithmetic_in_use() -> &'static str {
    match arithmetic() {
        Arithmetic::Words => "portable",
        Arithmetic::Avx2 => "lanes-avx2",
        Arithmetic::Ifma => "lanes",
    }
}

/// The process's largest resident size, from Linux' /proc; none elsewhere.
pub(super) fn peak_rss_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}
