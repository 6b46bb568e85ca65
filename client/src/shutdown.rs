//! The wish that a process ends: one flag that threads poll or sleep on and that async code awaits.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Exit code of a process that a second signal ends at once.
const INTERRUPTED: i32 = 130;

/// A flag that is raised once and never lowered. Clones share it.
#[derive(Clone, Debug)]
pub struct Shutdown {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// The same fact twice: threads sleep on the condition, tasks await the channel.
    raised: Mutex<bool>,
    changed: Condvar,
    sender: watch::Sender<bool>,
}

/// The signals that have come. A process whose standard input has closed is stopping in order already, and the first
/// signal asks for nothing else; only whoever sends two does not want to wait.
#[derive(Debug, Default)]
struct Signals {
    asked: bool,
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// To stop in order.
    Stop,
    /// To end at once.
    EndNow,
}

impl Signals {
    fn next(&mut self) -> Asked {
        if std::mem::replace(&mut self.asked, true) { Asked::EndNow } else { Asked::Stop }
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

impl Shutdown {
    /// A flag that nobody has raised.
    pub fn new() -> Self {
        let inner =
            Inner { raised: Mutex::new(false), changed: Condvar::new(), sender: watch::Sender::new(false) };
        Self { inner: Arc::new(inner) }
    }

    /// Raises the flag; more than once is the same as once.
    pub fn trigger(&self) {
        *self.inner.raised.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.inner.changed.notify_all();
        self.inner.sender.send_replace(true);
    }

    /// True once the flag is raised.
    pub fn is_triggered(&self) -> bool {
        *self.inner.sender.borrow()
    }

    /// Returns when the flag is raised.
    pub async fn wait(&self) {
        // The sender lives as long as `self`, so the channel can't close before the flag is raised.
        let _ = self.inner.sender.subscribe().wait_for(|raised| *raised).await;
    }

    /// Sleeps on this thread until the flag is raised.
    pub fn wait_blocking(&self) {
        let raised = self.inner.raised.lock().unwrap_or_else(PoisonError::into_inner);
        drop(
            self.inner.changed.wait_while(raised, |raised| !*raised).unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// Sleeps on this thread for at most `duration`; true if the flag is raised.
    pub fn sleep(&self, duration: Duration) -> bool {
        let raised = self.inner.raised.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.inner.changed.wait_timeout_while(raised, duration, |raised| !*raised);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Raises the flag on SIGINT, SIGTERM and SIGHUP. A second signal ends the process at once: whatever was
    /// acknowledged is on disk by then. What else has raised the flag does not count as a signal.
    ///
    /// # Errors
    /// A process in which another handler is installed already.
    pub fn on_signals(&self) -> Result<(), ctrlc::Error> {
        let (shutdown, mut signals) = (self.clone(), Signals::default());
        ctrlc::set_handler(move || match shutdown.signal(&mut signals) {
            Asked::Stop => {}
            Asked::EndNow => std::process::exit(INTERRUPTED),
        })
    }

    /// Takes a signal: the first one raises the flag, if nothing else has.
    fn signal(&self, signals: &mut Signals) -> Asked {
        let asked = signals.next();
        self.trigger();
        asked
    }

    /// Raises the flag when standard input closes: a child whose parent is gone, however it went, ends too.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn on_stdin_closed(&self) -> std::io::Result<()> {
        let shutdown = self.clone();
        let watch = move || {
            let (mut stdin, mut ignored) = (std::io::stdin().lock(), [0u8; 64]);
            loop {
                match stdin.read(&mut ignored) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
            shutdown.trigger();
        };
        std::thread::Builder::new().name("stdin".to_owned()).spawn(watch).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_wake_when_it_is_raised_and_not_before() {
        let shutdown = Shutdown::new();
        assert!(!shutdown.is_triggered());
        assert!(!shutdown.sleep(Duration::from_millis(5)));
        let other = shutdown.clone();
        let waiter = std::thread::spawn(move || other.wait_blocking());
        assert!(!waiter.is_finished());
        shutdown.trigger();
        waiter.join().expect("the waiter ends");
        assert!(shutdown.sleep(Duration::from_secs(3600)));
        assert!(shutdown.is_triggered());
    }

    #[test]
    fn only_a_second_signal_ends_at_once() {
        let (shutdown, mut signals) = (Shutdown::new(), Signals::default());
        assert_eq!(shutdown.signal(&mut signals), Asked::Stop);
        assert!(shutdown.is_triggered());
        assert_eq!(shutdown.signal(&mut signals), Asked::EndNow);
        // Standard input has closed before: that was no signal.
        let (shutdown, mut signals) = (Shutdown::new(), Signals::default());
        shutdown.trigger();
        assert_eq!(shutdown.signal(&mut signals), Asked::Stop);
        assert_eq!(shutdown.signal(&mut signals), Asked::EndNow);
    }

    #[test]
    fn tasks_wake_too_even_if_they_ask_late() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("runtime");
        let shutdown = Shutdown::new();
        let early = runtime.block_on(async {
            tokio::time::timeout(Duration::from_millis(5), shutdown.wait()).await.is_ok()
        });
        assert!(!early, "nobody has raised it");
        shutdown.trigger();
        runtime.block_on(shutdown.wait());
    }
}
