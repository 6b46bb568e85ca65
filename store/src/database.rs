//! The embedded database, with its habits kept in one place.
//!
//! On damaged files it can panic, in any call and when it is dropped. Every call goes through [`guarded`], which turns
//! a panic into [`StoreError::Damaged`]; nothing of it reaches the process or its standard error.

use crate::durable::{create_directories, sync_directory, sync_tree};
use crate::error::StoreError;
use std::cell::Cell;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::thread;
use std::time::Duration;

/// Blocks are read in order and once, so that a small cache is enough.
const CACHE_BYTES: u64 = 8 << 20;
/// How long a closed database may keep its files.
const UNLOCK_TRIES: u32 = 400;
const UNLOCK_PAUSE: Duration = Duration::from_millis(5);

/// A database that this process has open.
pub(crate) struct Database {
    path: PathBuf,
    /// Only `drop` takes it out.
    db: Option<sled::Db>,
}

impl Database {
    /// Opens or creates it.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        // The folders first, each with its name on the disk: the database would make all of them at once, and synchronises
        // no name.
        create_directories(path, &DirBuilder::new()).map_err(|source| StoreError::io(path, source))?;
        let config = sled::Config::new()
            .path(path)
            .cache_capacity(CACHE_BYTES)
            // Whoever writes flushes; nothing is left to a timer.
            .flush_every_ms(None);
        let db = guarded(path, || config.open().map_err(|error| StoreError::database(path, error)))?;
        let database = Self { path: path.to_path_buf(), db: Some(db) };
        // The database makes its settings, its log and its folders without waiting for the disk: after a power failure a
        // new one could be without them, and would be taken for damaged.
        sync_own_files(path).map_err(|source| StoreError::io(path, source))?;
        Ok(database)
    }

    /// A value.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.call(|db| Ok(db.get(key)?.map(|value| value.to_vec())))
    }

    /// Applies all of a batch or nothing. It is durable after [`Database::flush`].
    pub(crate) fn apply(&self, batch: sled::Batch) -> Result<(), StoreError> {
        self.call(|db| db.apply_batch(batch))
    }

    /// Brings all that was applied to the disk.
    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        self.call(|db| db.flush())?;
        self.sync_files()
    }

    /// Whether nothing was ever stored in it.
    pub(crate) fn is_new(&self) -> Result<bool, StoreError> {
        self.call(|db| Ok(db.is_empty() && db.tree_names().len() == 1))
    }

    /// On Linux the database's flush ends in `sync_file_range`, which neither writes the file's length nor empties the
    /// disk's cache: a power failure could take an acknowledged block. So its log is synchronised here, and so is `blobs`,
    /// where it puts pages above 128 KiB into files that it never synchronises. A page has up to 17 entries, and the
    /// certificates of more than a hundred validators can fill one.
    fn sync_files(&self) -> Result<(), StoreError> {
        let (log, large) = (self.path.join("db"), self.path.join("blobs"));
        let synced = File::open(&log).and_then(|file| file.sync_all());
        synced.map_err(|source| StoreError::io(&log, source))?;
        sync_tree(&large).map_err(|source| StoreError::io(&large, source))
    }

    /// Threads of the database can hold its files for a moment longer, so that whoever opens them again at once would be
    /// told that another process has them.
    fn wait_until_unlocked(&self) {
        for _ in 0..UNLOCK_TRIES {
            // Without the file, or without locks, there is nothing to wait for.
            let held = File::open(self.path.join("db"))
                .is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)));
            if !held {
                return;
            }
            thread::sleep(UNLOCK_PAUSE);
        }
    }

    fn call<T>(&self, action: impl FnOnce(&sled::Db) -> sled::Result<T>) -> Result<T, StoreError> {
        guarded(&self.path, || match &self.db {
            Some(db) => action(db).map_err(|error| StoreError::database(&self.path, error)),
            None => Err(StoreError::Halted { path: self.path.clone() }),
        })
    }
}

/// Synchronises what the database has in a store's directory, and the names there. The bodies of blocks are not its own: whoever
/// writes one waits for the disk before a record names it, and there may be very many.
fn sync_own_files(directory: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            match File::open(entry.path()) {
                // The library was still clearing up.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                opened => opened?.sync_all()?,
            }
        }
    }
    let large = directory.join("blobs");
    if large.is_dir() {
        sync_tree(&large)?;
    }
    sync_directory(directory)
}

impl Drop for Database {
    fn drop(&mut self) {
        let db = self.db.take();
        let closed = guarded(&self.path, || {
            drop(db);
            Ok(())
        });
        if let Err(error) = closed {
            tracing::error!(path = %self.path.display(), %error, "the database did not close");
        }
        self.wait_until_unlocked();
    }
}

impl core::fmt::Debug for Database {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Database").field("path", &self.path).finish_non_exhaustive()
    }
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static MESSAGE: Cell<Option<String>> = const { Cell::new(None) };
}

/// Runs `action`; a panic in it is an error that says what the database said.
fn guarded<T>(path: &Path, action: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    capture_panics();
    let before = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(action));
    GUARDED.set(before);
    result.unwrap_or_else(|_| {
        let why = MESSAGE.take().unwrap_or_else(|| "the database gave up".into());
        Err(StoreError::Damaged { path: path.to_path_buf(), why })
    })
}

/// Installs a hook, once, that keeps the message of a guarded panic for the error and hands all others on.
fn capture_panics() {
    static HOOK: Once = Once::new();
    // The hook can't be changed while this thread unwinds; then the panic is printed, which does no harm.
    if std::thread::panicking() {
        return;
    }
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if GUARDED.try_with(Cell::get).unwrap_or(false) {
                MESSAGE.set(Some(message(info)));
            } else {
                previous(info);
            }
        }));
    });
}

fn message(info: &PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("the database gave up");
    let line = text.lines().next().unwrap_or_default();
    format!("the database can't read its files ({line})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_message() {
        let error =
            guarded::<()>(Path::new("here"), || panic!("index out of bounds\nand more")).expect_err("panic");
        let text = error.to_string();
        assert!(text.contains("here is damaged") && text.contains("(index out of bounds)"), "{text}");
        assert_eq!(guarded(Path::new("here"), || Ok(3)).expect("no panic"), 3);
        assert!(!GUARDED.get(), "a panic outside is printed as ever");
    }
}
