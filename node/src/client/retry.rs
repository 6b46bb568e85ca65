//! Repeating a call that failed for a reason that may pass.

use super::error::ClientError;
use rand_core::{OsRng, RngCore};
use std::time::Duration;

/// How often and after which pauses a call is repeated. Pauses double and are drawn between half and whole, so that
/// many clients of a node that comes back do not all call in the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Calls in all, at least one.
    pub attempts: u32,
    /// The first pause.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 4, first: Duration::from_millis(200), longest: Duration::from_secs(3) }
    }
}

impl Retry {
    /// The pause after call `attempt` (from 0), before it is shortened at random.
    fn pause(&self, attempt: u32) -> Duration {
        self.first.saturating_mul(2u32.saturating_pow(attempt)).min(self.longest)
    }

    /// Calls until there is an answer, an error that does not pass, or no attempt is left. Only for calls that may be
    /// repeated without harm.
    ///
    /// # Errors
    /// That of the last call.
    pub async fn idempotent<T>(
        &self,
        mut call: impl AsyncFnMut() -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let mut attempt = 0;
        loop {
            match call().await {
                Err(error) if error.is_transient() && attempt + 1 < self.attempts => {
                    tracing::debug!(%error, attempt, "call is repeated");
                    tokio::time::sleep(shortened(self.pause(attempt))).await;
                    attempt += 1;
                }
                answer => return answer,
            }
        }
    }
}

fn shortened(pause: Duration) -> Duration {
    let half = pause / 2;
    half + half.mul_f64(f64::from(OsRng.next_u32()) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Retry = Retry { attempts: 3, first: Duration::ZERO, longest: Duration::ZERO };

    fn silent() -> ClientError {
        ClientError::Silent { node: "n".into(), waited_ms: 1 }
    }

    fn calls(outcome: impl Fn(u32) -> Result<u32, ClientError>) -> (Result<u32, ClientError>, u32) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        let mut calls = 0;
        let answer = runtime.block_on(FAST.idempotent(async || {
            calls += 1;
            outcome(calls)
        }));
        (answer, calls)
    }

    #[test]
    fn passing_failures_are_repeated_up_to_a_bound() {
        let (answer, count) = calls(|call| if call < 3 { Err(silent()) } else { Ok(call) });
        assert_eq!((answer.ok(), count), (Some(3), 3));
        let (answer, count) = calls(|_| Err(silent()));
        assert_eq!((answer.is_err(), count), (true, 3));
    }

    #[test]
    fn lasting_failures_are_not_repeated() {
        let (answer, count) = calls(|_| Err(ClientError::Malformed { node: "n".into(), why: "x".into() }));
        assert_eq!((answer.is_err(), count), (true, 1));
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let retry = Retry { attempts: 9, first: Duration::from_millis(200), longest: Duration::from_secs(3) };
        let pauses: Vec<_> = (0..6).map(|attempt| retry.pause(attempt).as_millis()).collect();
        assert_eq!(pauses, [200, 400, 800, 1600, 3000, 3000]);
        assert!(shortened(Duration::from_millis(100)) >= Duration::from_millis(50));
    }
}
