//! Time: the simulated clock that block times of a day come from.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Simulated time, which the day's conductor and the orderer move. All clones are one clock.
#[derive(Debug, Clone)]
pub struct SimulatedClock(Arc<AtomicU64>);

impl SimulatedClock {
    /// A clock that stands at `unix_ms`, milliseconds since 1970 UTC.
    pub fn new(unix_ms: u64) -> Self {
        Self(Arc::new(AtomicU64::new(unix_ms)))
    }

    /// Moves the clock on; never back, as block time does not run backwards.
    pub fn advance_to(&self, unix_ms: u64) {
        self.0.fetch_max(unix_ms, Ordering::AcqRel);
    }

    /// The time, milliseconds since 1970 UTC.
    pub fn now_unix_ms(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}
