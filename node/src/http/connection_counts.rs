//! Counts of connections: those that are there, and those that came to nothing.

use super::metrics::Page;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// How a TLS handshake ends that does not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeEnd {
    /// It took too long, or was never begun.
    Timeout,
    /// What came is no TLS, or the other side did not agree or went away.
    Broken,
    /// It gave way to an address with fewer handshakes, because all places were taken.
    Displaced,
}

impl HandshakeEnd {
    const ALL: [Self; 3] = [Self::Timeout, Self::Broken, Self::Displaced];

    fn slug(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::Displaced => "displaced",
        }
    }
}

/// Connections of a server.
#[derive(Default)]
pub(super) struct ConnectionCounts {
    open: AtomicU64,
    handshakes: AtomicU64,
    refused: AtomicU64,
    failed: [AtomicU64; HandshakeEnd::ALL.len()],
}

impl ConnectionCounts {
    /// So many are there now, and so many of them in their handshake.
    pub(super) fn are(&self, open: usize, handshakes: usize) {
        self.open.store(open as u64, Ordering::Relaxed);
        self.handshakes.store(handshakes as u64, Ordering::Relaxed);
    }

    pub(super) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn fail(&self, why: HandshakeEnd) {
        if let Some(count) = self.failed.get(why as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    pub(super) fn handshakes(&self) -> u64 {
        self.handshakes.load(Ordering::Relaxed)
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    pub(super) fn failed(&self, why: HandshakeEnd) -> u64 {
        self.failed.get(why as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    pub(super) fn write(&self, page: &mut Page) {
        let help = "Connections that are open, those in their handshake among them.";
        page.gauge("veilgrid_connections", help, self.open());
        let help = "Connections that are in their TLS handshake.";
        page.gauge("veilgrid_tls_handshakes", help, self.handshakes());
        let help = "Connections that were closed as they came, because there were too many.";
        page.counter("veilgrid_connections_refused_total", help, self.refused());
        let name = "veilgrid_tls_handshakes_failed_total";
        // Writing to a string does not fail.
        let _ =
            write!(page.0, "# HELP {name} TLS handshakes that failed, by reason.\n# TYPE {name} counter\n");
        for why in HandshakeEnd::ALL {
            let _ = writeln!(page.0, "{name}{{reason=\"{}\"}} {}", why.slug(), self.failed(why));
        }
    }
}
