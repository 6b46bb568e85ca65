//! Free space of the data directory's disk, while a process runs.
//!
//! A full disk ends a process: what it can't write it must not acknowledge, and a vote that is not on disk must not leave.
//! So it is said before. Below the space that a start asks for (`checks.min_free_mib`) there is a warning, below a quarter
//! of it the node is in trouble, which health and status show.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use veilgrid_api::StatusReport;
use veilgrid_client::shutdown::Shutdown;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(5);
/// Looks after which what still holds is said again: a minute.
const LOOKS_A_LINE: u32 = 12;

/// Bytes that are free for this process on the disk of a file or directory.
///
/// # Errors
/// The file system's.
pub fn free_space(path: &Path) -> io::Result<u64> {
    fs4::available_space(path)
}

/// How much is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    /// As much as a start asks for.
    Enough,
    /// Less.
    Low,
    /// So little that the process may soon end.
    Trouble,
}

fn level(free_mib: u64, min_free_mib: u64) -> Level {
    if free_mib >= min_free_mib {
        Level::Enough
    } else if free_mib >= min_free_mib / 4 {
        Level::Low
    } else {
        Level::Trouble
    }
}

/// What was said last, and how many looks ago.
#[derive(Debug)]
struct Said {
    level: Level,
    looks: u32,
}

impl Said {
    /// Whether this level is to be said now: when it changes, and once a minute as long as it is not enough.
    fn is_due(&mut self, now: Level) -> bool {
        self.looks = self.looks.saturating_add(1);
        let again = now != Level::Enough && self.looks >= LOOKS_A_LINE;
        let due = now != self.level || again;
        if due {
            (self.level, self.looks) = (now, 0);
        }
        due
    }
}

/// Watches a disk until the process ends. Clones are one watch; one that was not started finds nothing.
#[derive(Debug, Clone, Default)]
pub struct DiskWatch(Arc<Mutex<Option<String>>>);

impl DiskWatch {
    /// Begins with a look, and looks every five seconds on a thread of its own.
    ///
    /// # Errors
    /// The system has no more threads.
    pub fn start(data_dir: &Path, min_free_mib: u64, shutdown: &Shutdown) -> io::Result<Self> {
        let watch = Self(Arc::default());
        let mut looks = Looks {
            watch: watch.clone(),
            data_dir: data_dir.to_owned(),
            min_free_mib,
            said: Said { level: Level::Enough, looks: 0 },
        };
        let _ = looks.look(free_space(data_dir));
        let shutdown = shutdown.clone();
        let body = move || {
            while !shutdown.sleep(PAUSE) {
                let _ = looks.look(free_space(&looks.data_dir));
            }
        };
        std::thread::Builder::new().name("disk-space".to_owned()).spawn(body)?;
        Ok(watch)
    }

    /// Why the node may soon end; none with space.
    pub fn trouble(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The report with the disk's trouble, beside any other.
    pub fn add_to(&self, report: StatusReport) -> StatusReport {
        let trouble = match (report.trouble, self.trouble()) {
            (Some(trouble), Some(disk)) => Some(format!("{trouble}; {disk}")),
            (trouble, disk) => trouble.or(disk),
        };
        StatusReport { trouble, ..report }
    }
}

struct Looks {
    watch: DiskWatch,
    data_dir: PathBuf,
    min_free_mib: u64,
    said: Said,
}

impl Looks {
    /// Takes what is free; returns the level when it was said now.
    fn look(&mut self, free: io::Result<u64>) -> Option<Level> {
        let (data_dir, min_free_mib) = (self.data_dir.display(), self.min_free_mib);
        let free_mib = match free {
            Ok(bytes) => bytes >> 20,
            // Nothing is known of the disk, so what was known of it stays.
            Err(error) => {
                tracing::debug!(%data_dir, %error, "free space is not known");
                return None;
            }
        };
        let now = level(free_mib, min_free_mib);
        let trouble = (now == Level::Trouble).then(|| {
            format!(
                "{free_mib} MiB are free on the disk of {data_dir}: free some, a full disk ends this process"
            )
        });
        let said = self.said.is_due(now).then_some(now);
        if let Some(level) = said {
            match level {
                Level::Enough => tracing::info!(%data_dir, free_mib, "the disk has space again"),
                Level::Low => {
                    tracing::warn!(%data_dir, free_mib, min_free_mib, "the disk fills up: free some space");
                }
                Level::Trouble => tracing::error!(
                    %data_dir, free_mib, min_free_mib, "the disk is almost full: free some space, or this process ends"
                ),
            }
        }
        *self.watch.0.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks() -> Looks {
        Looks {
            watch: DiskWatch(Arc::default()),
            data_dir: "/var/v".into(),
            min_free_mib: 200,
            said: Said { level: Level::Enough, looks: 0 },
        }
    }

    #[test]
    fn little_space_is_a_warning_and_less_is_trouble_until_there_is_some_again() {
        let levels = [200, 199, 50, 49, 0].map(|free_mib| level(free_mib, 200));
        assert_eq!(levels, [Level::Enough, Level::Low, Level::Low, Level::Trouble, Level::Trouble]);
        assert_eq!(level(0, 0), Level::Enough, "who asks for no space is not warned");
        let mut looks = looks();
        let mut after = |free_mib: u64| (looks.look(Ok(free_mib << 20)), looks.watch.trouble());
        assert_eq!((after(300), after(100)), ((None, None), (Some(Level::Low), None)));
        let (said, trouble) = after(49);
        assert_eq!(said, Some(Level::Trouble));
        let trouble = trouble.expect("trouble");
        assert!(trouble.contains("49 MiB") && trouble.contains("/var/v"), "{trouble}");
        assert_eq!(looks.look(Err(io::ErrorKind::Other.into())), None);
        assert_eq!(looks.watch.trouble(), Some(trouble), "a failed look changes nothing");
        assert_eq!(looks.look(Ok(300 << 20)), Some(Level::Enough));
        assert_eq!(looks.watch.trouble(), None);
    }

    #[test]
    fn it_is_said_when_it_changes_and_once_a_minute() {
        let mut said = Said { level: Level::Enough, looks: 0 };
        let lines = |said: &mut Said, level, looks| (0..looks).filter(|_| said.is_due(level)).count();
        assert_eq!(lines(&mut said, Level::Enough, 100), 0);
        assert_eq!(lines(&mut said, Level::Low, 12), 1);
        assert_eq!(lines(&mut said, Level::Low, 1), 1);
        assert_eq!(lines(&mut said, Level::Trouble, 1), 1);
        assert_eq!(lines(&mut said, Level::Enough, 100), 1);
    }

    #[test]
    fn a_disk_with_less_than_is_asked_for_is_in_the_report() {
        let directory = tempfile::tempdir().expect("directory");
        let shutdown = Shutdown::new();
        let sound = DiskWatch::start(directory.path(), 0, &shutdown).expect("a thread");
        assert_eq!(sound.add_to(StatusReport::default()), StatusReport::default());
        // More than any disk has.
        let full = DiskWatch::start(directory.path(), u64::MAX, &shutdown).expect("a thread");
        let report = StatusReport { trouble: Some("starting".to_owned()), ..StatusReport::default() };
        let trouble = full.add_to(report).trouble.expect("trouble");
        assert!(trouble.starts_with("starting; ") && trouble.contains("MiB are free"), "{trouble}");
        assert!(full.add_to(StatusReport::default()).trouble.is_some());
        shutdown.trigger();
    }
}
