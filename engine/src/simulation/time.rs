//! Simulated time for applications.

use commonware_runtime::{Clock as _, deterministic};
use commonware_utils::SystemTimeExt as _;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// The clock of a run. What takes long in reality can take as long here.
#[derive(Clone)]
pub struct Time(Arc<deterministic::Context>);

impl Time {
    pub(super) fn new(context: deterministic::Context) -> Self {
        Self(Arc::new(context))
    }

    /// Simulated milliseconds since 1970 UTC.
    pub fn now_unix_ms(&self) -> u64 {
        self.0.current().epoch_millis()
    }

    /// Lets this many simulated milliseconds pass.
    pub fn pass(&self, ms: u64) -> impl Future<Output = ()> + Send + use<> {
        self.0.sleep(Duration::from_millis(ms))
    }
}
