//! What can go wrong with the journal of an intake.

use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;
use veilgrid_crypto::wire::WireError;

/// Why the journal refuses or fails.
#[derive(Debug, Error)]
pub enum IntakeError {
    /// The disk is full.
    #[error("no space left on the device of {}: free some; nothing was acknowledged", .path.display())]
    DiskFull {
        /// What was being written.
        path: PathBuf,
    },
    /// The file system failed.
    #[error("{}: {source}", .path.display())]
    Io {
        /// What was being read or written.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Another process has the journal open.
    #[error("{} is in use by another process: stop it first, one process owns a journal", .path.display())]
    InUse {
        /// The journal.
        path: PathBuf,
    },
    /// A round's file is not what it was.
    #[error(
        "{} (round {round_id}) is damaged at byte {offset}: {why}; restore a copy, or let it be rebuilt and have the \
         bids after that place sent again", .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Its round.
        round_id: u64,
        /// Where.
        offset: u64,
        /// What is wrong.
        why: &'static str,
    },
    /// The record of the last receipt's number is not what it was.
    #[error(
        "{} is damaged: the number of the last receipt is not known; restore a copy, or remove it and go on with a \
         number above all that were given", .path.display()
    )]
    DamagedNumbers {
        /// The file.
        path: PathBuf,
    },
    /// A receipt can't be read.
    #[error("the receipt of an entry can't be read: {0}")]
    Receipt(WireError),
    /// The round was forgotten already.
    #[error("round {round_id} is over and forgotten: nothing of it is taken in any more")]
    Forgotten {
        /// The round.
        round_id: u64,
    },
    /// More than one batch may have.
    #[error("a batch of {bytes} bytes is too large: record it in parts")]
    TooLarge {
        /// Its length.
        bytes: u64,
    },
    /// So many rounds were damaged that no number of a receipt is certainly unused.
    #[error("{} is damaged, and there are no numbers of receipts left above those that were given: restore a copy", .path.display())]
    NoNumbers {
        /// The damaged file.
        path: PathBuf,
    },
}

impl IntakeError {
    /// A file-system error, with a full disk told apart.
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::DiskFull { path }
            }
            _ => Self::Io { path, source },
        }
    }
}
