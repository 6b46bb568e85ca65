//! Counters of the server, in Prometheus' text format.

use super::connection_counts::{ConnectionCounts, HandshakeEnd};
use super::services::Services;
use super::strangers::malformed;
use std::fmt::{Display, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use veilgrid_api::{Kind, MemberCounts, StatusReport};
use veilgrid_ledger::state::State;

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
    pub(super) connections: ConnectionCounts,
}

impl Metrics {
    /// Connections that were closed as they came.
    pub fn connections_refused(&self) -> u64 {
        self.connections.refused()
    }

    /// Connections that are open now, those in their handshake among them.
    pub fn connections(&self) -> u64 {
        self.connections.open()
    }

    /// Connections that are in their TLS handshake now.
    pub fn handshakes(&self) -> u64 {
        self.connections.handshakes()
    }

    /// TLS handshakes that failed so.
    pub fn handshakes_failed(&self, why: HandshakeEnd) -> u64 {
        self.connections.failed(why)
    }

    pub(super) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn relayed(&self) {
        self.relayed.fetch_add(1, Ordering::Relaxed);
    }

    /// A bid got its receipt this long after its envelope was there.
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
        let mut page = Page(String::with_capacity(8192));
        self.write_ledger(&mut page, &state);
        write_vitals(&mut page, &status, &state);
        if let Some(counts) = &status.member {
            write_member(&mut page, counts);
        }
        self.write_server(&mut page);
        self.write_refusals(&mut page.0);
        self.write_latencies(&mut page.0);
        page.0
    }

    fn write_ledger(&self, page: &mut Page, state: &State) {
        page.gauge("veilgrid_height", "Height of the last final block.", state.height());
        let help = "1 when there are keys to seal bids under.";
        page.gauge("veilgrid_keys_ready", help, u8::from(state.community().bid_params().is_some()));
        let help = "Last round that was opened or whose time has passed.";
        page.gauge("veilgrid_round", help, state.last_round_id().unwrap_or(0));
        page.gauge("veilgrid_rounds_active", "Rounds that are not finished.", state.rounds().count());
        page.counter("veilgrid_rounds_settled_total", "Settled rounds.", state.finished().settled);
        let help = "Void rounds, those that no block opened in their time included.";
        page.counter("veilgrid_rounds_voided_total", help, state.finished().voided);
    }

    fn write_server(&self, page: &mut Page) {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        page.counter("veilgrid_http_requests_total", "Requests.", load(&self.requests));
        self.connections.write(page);
        let help = "Connections that sent what is no HTTP.";
        page.counter("veilgrid_malformed_requests_total", help, malformed());
        page.counter(
            "veilgrid_receipts_total",
            "Receipts given to senders of envelopes.",
            load(&self.receipts),
        );
        let help = "Bids taken in from the aggregator.";
        page.counter("veilgrid_relayed_bids_total", help, load(&self.relayed));
        if let Some(ms) = self.receipt_p99_ms() {
            page.gauge("veilgrid_receipt_p99_ms", "99th percentile of the time to a receipt.", ms);
        }
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

/// A page of metrics.
pub(super) struct Page(pub(super) String);

impl Page {
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.line(name, help, "gauge", value);
    }

    pub(super) fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.line(name, help, "counter", value);
    }

    fn line(&mut self, name: &str, help: &str, kind: &str, value: impl Display) {
        // Writing to a string does not fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n");
    }

    /// What is not known is not there.
    fn known(&mut self, name: &str, help: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.gauge(name, help, value);
        }
    }
}

/// What a process says about itself and the network.
fn write_vitals(page: &mut Page, status: &StatusReport, state: &State) {
    page.gauge("veilgrid_healthy", "1 when the node does its work.", u8::from(status.trouble.is_none()));
    let help = "What wants a look although the node does its work.";
    page.gauge("veilgrid_warnings", help, status.warnings.len());
    page.gauge("veilgrid_pool_bids", "Bids that wait for a block.", status.pool_bids);
    let help = "Last height with a certificate of its own.";
    page.known("veilgrid_certified_height", help, status.certified_height);
    let help = "1 when this validator holds shares of the keys in force.";
    page.known("veilgrid_holds_shares", help, status.holds_shares.map(u8::from));
    let help = "Validators that hold shares of the keys in force, as far as is known here.";
    page.known("veilgrid_holders", help, status.holders);
    let help = "Validators with shares that open a sum.";
    page.known("veilgrid_holders_needed", help, status.holders.map(|_| state.community().threshold()));
    let help = "Rounds whose opening has stood still for too long.";
    page.gauge("veilgrid_rounds_suspended", help, status.suspended_rounds);
    let help = "Since the time of the last final block.";
    page.known("veilgrid_last_block_age_seconds", help, status.last_block_age_s);
    let help = "Validators that are connected (validator), or that answered when they were last asked.";
    page.known("veilgrid_peers_connected", help, status.peers_connected);
    page.known("veilgrid_disk_free_bytes", "Free on the disk of data_dir.", status.disk_free_bytes);
    let help = "This machine's clock against the validators', as far as is certain; behind is negative.";
    page.known("veilgrid_clock_skew_ms", help, status.clock_skew_ms);
    let help = "When the certificate of the API expires, seconds since 1970 UTC.";
    page.known("veilgrid_certificate_expiry_timestamp_seconds", help, status.certificate_expires_unix_s);
    let help = "Since this validator last voted, or its engine began.";
    page.known("veilgrid_last_vote_age_seconds", help, status.last_vote_age_s);
    if status.role == "validator" {
        let help = "1 when this validator has voted for none of the blocks of the last half minute.";
        page.gauge("veilgrid_votes_for_nothing", help, u8::from(status.votes_for_nothing));
        let help = "Certificates with a vote of this validator that its process has not given.";
        page.gauge("veilgrid_unknown_votes", help, status.unknown_votes);
        let help = "How far this machine's clock is off, in milliseconds; 0 when it is near enough.";
        page.gauge("veilgrid_clock_off_ms", help, status.clock_off_ms.map_or(0, i64::unsigned_abs));
    }
}

/// What has happened to a participant's bids.
fn write_member(page: &mut Page, counts: &MemberCounts) {
    let MemberCounts { bids_on_ledger, receipts, settled, voided, passed_over, .. } = *counts;
    page.counter("veilgrid_member_bids_total", "Own bids on the ledger.", bids_on_ledger);
    page.counter("veilgrid_member_receipts_total", "Receipts that were checked and kept.", receipts);
    page.counter(
        "veilgrid_member_settled_total",
        "Rounds that were settled with the member's own fill.",
        settled,
    );
    page.counter("veilgrid_member_voided_total", "Rounds with an own bid that ended void.", voided);
    page.counter("veilgrid_member_passed_over_total", "Rounds in which nobody could bid.", passed_over);
    let help = "Promises that were not kept.";
    page.counter("veilgrid_member_broken_promises_total", help, counts.broken_promises);
    let help = "Settlement points that do not hold the fill of their owner.";
    page.counter("veilgrid_member_wrong_settlements_total", help, counts.wrong_settlements);
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
