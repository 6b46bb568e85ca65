//! The application behind its mutex, and the way in which an error of any part stops the engine.

use crate::application::Application;
use crate::fault::EngineFault;
use commonware_runtime::Spawner;
use futures::channel::mpsc;
use std::sync::{Arc, Mutex};

/// Where every part of an engine reports what it cannot go on from. The first report stops the engine.
#[derive(Clone)]
pub(crate) struct Faults(mpsc::UnboundedSender<EngineFault>);

impl Faults {
    pub fn new() -> (Self, mpsc::UnboundedReceiver<EngineFault>) {
        let (sender, receiver) = mpsc::unbounded();
        (Self(sender), receiver)
    }

    pub fn report(&self, fault: impl Into<EngineFault>) {
        // No receiver: the engine is stopping already.
        let _ = self.0.unbounded_send(fault.into());
    }
}

/// The engine is stopping; there is nothing to answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopping;

/// The application, shared with the rest of the node.
pub(crate) struct Shared {
    application: Arc<Mutex<dyn Application>>,
    faults: Faults,
}

impl Clone for Shared {
    fn clone(&self) -> Self {
        Self { application: self.application.clone(), faults: self.faults.clone() }
    }
}

impl Shared {
    pub fn new(application: Arc<Mutex<dyn Application>>, faults: Faults) -> Self {
        Self { application, faults }
    }

    /// Stops the engine.
    pub fn fail(&self, fault: impl Into<EngineFault>) {
        self.faults.report(fault);
    }

    /// Calls the application on a thread that may block: executing a block takes its time, and the engine's network
    /// must not stand still meanwhile.
    pub async fn call<E, T>(
        &self,
        runtime: &E,
        action: impl FnOnce(&mut dyn Application) -> T + Send + 'static,
    ) -> Result<T, Stopping>
    where
        E: Spawner,
        T: Send + 'static,
    {
        let application = self.application.clone();
        let task = runtime.child("application").shared(true).spawn(move |_| async move {
            application.lock().ok().map(|mut application| action(&mut *application))
        });
        match task.await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => {
                self.fail("the application's lock is poisoned: a thread panicked while it held it");
                Err(Stopping)
            }
            Err(_) => Err(Stopping),
        }
    }
}
