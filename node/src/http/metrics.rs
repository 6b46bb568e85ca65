//! Counters of the server, in Prometheus' text format.

use super::problem::Kind;
use super::services::Services;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the histogram's buckets, in milliseconds; the last bucket has none.
const BOUNDS_MS: [u64; 14] = [1, 5, 10, 25, 50, 100, 200, 400, 800, 1_500, 3_000, 6_000, 12_000, 30_000];

/// Counts since the server started.
#[derive(Default)]
pub struct Metrics {
    requests: AtomicU64,
    receipts: AtomicU64,
    relayed: AtomicU64,
    refusals: [AtomicU64; Kind::ALL.len()],
    latencies: [AtomicU64; BOUNDS_MS.len() + 1],
    latency_sum_us: AtomicU64,
}

impl Metrics {
    pub(super) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn relayed(&self) {
        self.relayed.fetch_add(1, Ordering::Relaxed);
    }

    /// A bid got its receipt so long after its envelope was there.
    pub(super) fn receipt(&self, after: Duration) {
        self.receipts.fetch_add(1, Ordering::Relaxed);
        let bucket = BOUNDS_MS.iter().position(|bound| after <= Duration::from_millis(*bound));
        if let Some(count) = self.latencies.get(bucket.unwrap_or(BOUNDS_MS.len())) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let us = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
        self.latency_sum_us.fetch_add(us, Ordering::Relaxed);
    }

    pub(super) fn refusal(&self, kind: Kind) {
        if let Some(count) = self.refusals.get(kind as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many receipts were given.
    pub fn receipts(&self) -> u64 {
        self.receipts.load(Ordering::Relaxed)
    }

    /// How many requests were refused as this kind.
    pub fn refused(&self, kind: Kind) -> u64 {
        self.refusals.get(kind as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// The 99th percentile of the time to a receipt: the upper bound of its bucket. None before the first receipt, and
    /// when it is above the last bound.
    pub fn receipt_p99_ms(&self) -> Option<u64> {
        let counts: Vec<u64> = self.latencies.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let all: u64 = counts.iter().sum();
        let rank = (all > 0).then(|| all - all / 100)?;
        let mut below = 0u64;
        let bucket = counts.iter().position(|count| {
            below += count;
            below >= rank
        })?;
        BOUNDS_MS.get(bucket).copied()
    }

    /// All counts and the ledger's state, as Prometheus reads them.
    pub(super) fn text(&self, services: &Services) -> String {
        let state = services.ledger.state();
        let status = (services.status)();
        let mut text = String::with_capacity(4096);
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let mut line = |name: &str, help: &str, kind: &str, value: u64| {
            // Writing to a string does not fail.
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n");
        };
        line("veilgrid_height", "Height of the last final block.", "gauge", state.height());
        line(
            "veilgrid_round",
            "Last round that was opened or whose time has passed.",
            "gauge",
            state.last_round_id().unwrap_or(0),
        );
        line(
            "veilgrid_rounds_active",
            "Rounds that are not finished.",
            "gauge",
            state.rounds().count() as u64,
        );
        line("veilgrid_rounds_settled_total", "Settled rounds.", "counter", state.finished().settled);
        line(
            "veilgrid_rounds_voided_total",
            "Void rounds, those that no block opened in their time included.",
            "counter",
            state.finished().voided,
        );
        line("veilgrid_pool_bids", "Bids that wait for a block.", "gauge", status.pool_bids);
        if let Some(height) = status.certified_height {
            let help = "Last height with a certificate of its own.";
            line("veilgrid_certified_height", help, "gauge", height);
        }
        if let Some(age_s) = status.last_vote_age_s {
            line(
                "veilgrid_last_vote_age_seconds",
                "Since this validator last voted, or its engine began.",
                "gauge",
                age_s,
            );
        }
        if status.role == "validator" {
            let help = "1 when this validator has voted for none of the blocks of the last half minute.";
            line("veilgrid_votes_for_nothing", help, "gauge", u64::from(status.votes_for_nothing));
            let help = "Certificates with a vote of this validator that its process has not given.";
            line("veilgrid_unknown_votes", help, "gauge", status.unknown_votes);
            let help = "How far this machine's clock is off, in milliseconds; 0 when it is near enough.";
            line("veilgrid_clock_off_ms", help, "gauge", status.clock_off_ms.map_or(0, i64::unsigned_abs));
        }
        line(
            "veilgrid_healthy",
            "1 when the node does its work.",
            "gauge",
            u64::from(status.trouble.is_none()),
        );
        line("veilgrid_http_requests_total", "Requests.", "counter", load(&self.requests));
        line(
            "veilgrid_receipts_total",
            "Receipts given to senders of envelopes.",
            "counter",
            load(&self.receipts),
        );
        line(
            "veilgrid_relayed_bids_total",
            "Bids taken in from the aggregator.",
            "counter",
            load(&self.relayed),
        );
        if let Some(ms) = self.receipt_p99_ms() {
            line("veilgrid_receipt_p99_ms", "99th percentile of the time to a receipt.", "gauge", ms);
        }
        self.write_refusals(&mut text);
        self.write_latencies(&mut text);
        text
    }

    fn write_refusals(&self, text: &mut String) {
        let name = "veilgrid_refusals_total";
        let _ = write!(
            text,
            "# HELP {name} Refused requests and relayed bids by reason.\n# TYPE {name} counter\n"
        );
        for kind in Kind::ALL {
            let _ = writeln!(text, "{name}{{reason=\"{}\"}} {}", kind.slug(), self.refused(*kind));
        }
    }

    fn write_latencies(&self, text: &mut String) {
        let name = "veilgrid_receipt_seconds";
        let _ = write!(text, "# HELP {name} Time from envelope to receipt.\n# TYPE {name} histogram\n");
        let mut below = 0u64;
        for (place, count) in self.latencies.iter().enumerate() {
            below += count.load(Ordering::Relaxed);
            let bound = BOUNDS_MS.get(place).map_or_else(|| "+Inf".to_owned(), |ms| seconds(ms * 1000));
            let _ = writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {below}");
        }
        let sum = seconds(self.latency_sum_us.load(Ordering::Relaxed));
        let _ = write!(text, "{name}_sum {sum}\n{name}_count {below}\n");
    }
}

/// Microseconds as decimal seconds.
fn seconds(us: u64) -> String {
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_percentile_is_the_bound_of_its_bucket() {
        let metrics = Metrics::default();
        assert_eq!(metrics.receipt_p99_ms(), None);
        for _ in 0..99 {
            metrics.receipt(Duration::from_millis(150));
        }
        assert_eq!(metrics.receipt_p99_ms(), Some(200));
        metrics.receipt(Duration::from_millis(5_000));
        assert_eq!(metrics.receipt_p99_ms(), Some(200), "1 of 100 may be slower");
        metrics.receipt(Duration::from_millis(5_000));
        assert_eq!(metrics.receipt_p99_ms(), Some(6_000));
        for _ in 0..9 {
            metrics.receipt(Duration::from_secs(60));
        }
        assert_eq!(metrics.receipt_p99_ms(), None, "above the last bound");
        assert_eq!(metrics.receipts(), 110);
    }

    #[test]
    fn refusals_are_counted_each_by_its_kind() {
        let metrics = Metrics::default();
        for kind in Kind::ALL {
            metrics.refusal(*kind);
        }
        metrics.refusal(Kind::Conflict);
        assert_eq!(metrics.refused(Kind::Conflict), 2);
        assert!(Kind::ALL.iter().all(|kind| metrics.refused(*kind) >= 1));
    }
}
