//! The time that actors go by.

use std::sync::Arc;

/// The time that an actor goes by, milliseconds since 1970 UTC.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The machine's time, milliseconds since 1970; 0 for a clock that stands before.
#[allow(clippy::disallowed_types, reason = "a process has to know the time; nothing pure calls this")]
pub fn wall_clock_unix_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
