//! What the engine needs of the runtime it runs on: the real one or the deterministic one of the simulation.

use crate::shared::Faults;
use commonware_runtime::{Clock, Handle, Metrics, Spawner, Storage};
use rand_core_10::CryptoRng;

/// A runtime for an engine.
pub(crate) trait Runtime: Spawner + Metrics + Clock + Storage + CryptoRng {}

impl<E: Spawner + Metrics + Clock + Storage + CryptoRng> Runtime for E {}

/// Stops the engine when a task ends that must run for as long as the engine does.
pub(crate) fn guard<E: Runtime, T: Send + 'static>(
    context: &E,
    name: &'static str,
    task: Handle<T>,
    faults: &Faults,
) {
    let faults = faults.clone();
    context.child("guard").spawn(move |_| async move {
        let _ = task.await;
        faults.report(format!("the engine's {name} ended"));
    });
}
