//! The actors' threads.

use crate::DayError;
use actix_rt::{Arbiter, ArbiterHandle};

/// Threads that end together.
#[derive(Default)]
pub(crate) struct Threads(Vec<Arbiter>);

impl Threads {
    /// Starts a thread for actors.
    pub(crate) fn start(&mut self) -> Result<ArbiterHandle, DayError> {
        let arbiter = Arbiter::try_new().map_err(|source| DayError::Threads { source: Box::new(source) })?;
        let handle = arbiter.handle();
        self.0.push(arbiter);
        Ok(handle)
    }

    /// Ends all threads and waits for them: the actors on them are dropped, their stores closed.
    pub(crate) fn join(self) {
        for arbiter in &self.0 {
            arbiter.stop();
        }
        for arbiter in self.0 {
            if arbiter.join().is_err() {
                tracing::error!("an actor's thread ended in a panic");
            }
        }
    }
}
