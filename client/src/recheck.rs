//! The blocks that a start from a saved state has not read are checked beside everything else, so that a disk that forgets is found
//! out while others still have what it has forgotten.

use crate::ledger::SharedStore;
use crate::shutdown::Shutdown;
use std::thread;
use std::time::Duration;
use tokio::time::Instant;
use veilgrid_ledger::state::State;

/// How long blocks are checked at a stretch.
const WORK: Duration = Duration::from_millis(10);
/// And how long they are not: a tenth of one core, and of the disk's time.
const REST: Duration = Duration::from_millis(90);

/// Checks the stored blocks up to the one of a state that was saved, from there down, on a thread of its own. What is damaged is
/// said; the next start then checks everything and builds the store anew.
///
/// # Errors
/// The system has no thread.
pub fn start(store: SharedStore, saved: &State, shutdown: Shutdown) -> std::io::Result<()> {
    let (height, hash) = (saved.height(), saved.block_hash());
    let check = move || {
        let (mut next, mut hash) = (Some(height), hash);
        let mut since = Instant::now();
        while let Some(height) = next {
            if shutdown.is_triggered() {
                return;
            }
            let checked = store.lock().check_block(height, &hash);
            match checked {
                Ok(parent) => hash = parent,
                Err(error) => return store.found_damage(height, &error),
            }
            next = height.checked_sub(1);
            if since.elapsed() >= WORK {
                thread::sleep(REST);
                since = Instant::now();
            }
        }
        tracing::info!(blocks = height, "the stored blocks before the saved state are whole");
    };
    thread::Builder::new().name("recheck".to_owned()).spawn(check).map(drop)
}
