//! What strangers send that is no HTTP at all. The framework underneath answers it by itself and says so in its log only;
//! whoever writes the log counts it here.

use std::sync::atomic::{AtomicU64, Ordering};

static MALFORMED: AtomicU64 = AtomicU64::new(0);

/// Counts a connection that sent what is no HTTP.
pub fn note_malformed() {
    MALFORMED.fetch_add(1, Ordering::Relaxed);
}

/// How many there were since the process began.
pub fn malformed() -> u64 {
    MALFORMED.load(Ordering::Relaxed)
}
