//! What can go wrong with a store, where, and what to do.

use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;
use veilgrid_ledger::export::{MAX_CERTIFICATE_BYTES, MAX_CHECKPOINT_BYTES, ReadError, WriteError};
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::refusal::{BlockError, BlockFault};

/// Why the store refuses or fails.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The disk is full.
    #[error("no space left on the device of {}: free some and try again; nothing was acknowledged", .path.display())]
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
    /// Another process has the store open.
    #[error("{} is in use by another process: stop it first, one process owns a store", .path.display())]
    InUse {
        /// The store.
        path: PathBuf,
    },
    /// Another version of the program has written the store.
    #[error(
        "{} has store format {found}, this program reads {known}: use the program that fits, or build the store again \
         from an exported ledger", .path.display()
    )]
    Version {
        /// The store.
        path: PathBuf,
        /// Its format.
        found: u16,
        /// The format that this program knows.
        known: u16,
    },
    /// The directory holds a database of something else.
    #[error("{} is no store of this program: choose another directory", .path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// The database's files are damaged.
    #[error("{} is damaged: {why}; restore a backup or build it again from an exported ledger", .path.display())]
    Damaged {
        /// The store.
        path: PathBuf,
        /// What the database says.
        why: String,
    },
    /// A block is damaged or missing.
    #[error(
        "{}, block {height}: {why}; restore a backup or build the store again from an exported ledger", .path.display()
    )]
    DamagedBlock {
        /// The store.
        path: PathBuf,
        /// Height of the block.
        height: u64,
        /// What is wrong with it.
        why: String,
    },
    /// Blocks that were acknowledged are gone: the database has dropped a damaged end of its files.
    #[error(
        "{} is damaged: block {acknowledged} was acknowledged, but {} are left; restore a backup or build it again \
         from an exported ledger", .path.display(), .stored.map_or_else(|| "no blocks".into(), |h| format!("blocks 0 to {h}"))
    )]
    LostBlocks {
        /// The store.
        path: PathBuf,
        /// Height of the last acknowledged block.
        acknowledged: u64,
        /// Height of the last block that is left.
        stored: Option<u64>,
    },
    /// A block does not follow the tip.
    #[error("block {found} can't be stored: {expected} is next")]
    Gap {
        /// Height of the refused block.
        found: u64,
        /// The next height.
        expected: u64,
    },
    /// A block has another parent than the tip.
    #[error("block {height} has another parent than the stored block before it: it belongs to a fork")]
    OtherParent {
        /// Height of the refused block.
        height: u64,
    },
    /// Another block is stored at the height.
    #[error(
        "block {} of height {height} is stored already, {} belongs to a fork: nothing was written", hex(.stored),
        hex(.offered)
    )]
    Fork {
        /// The height.
        height: u64,
        /// Hash of the stored block.
        stored: Hash,
        /// Hash of the refused block.
        offered: Hash,
    },
    /// A certificate is empty or too long.
    #[error("the certificate of block {height} has {bytes} bytes, 1 to {MAX_CERTIFICATE_BYTES} are allowed")]
    Certificate {
        /// Height of its block.
        height: u64,
        /// Its length.
        bytes: usize,
    },
    /// A checkpoint is too long.
    #[error("the checkpoint has {bytes} bytes, at most {MAX_CHECKPOINT_BYTES} are allowed")]
    Checkpoint {
        /// Its length.
        bytes: usize,
    },
    /// A write has failed before.
    #[error("{}: an earlier write failed, so that nothing is written any more: open the store again", .path.display())]
    Halted {
        /// The store.
        path: PathBuf,
    },
    /// The block's bids were pruned.
    #[error(
        "{}, block {height}: its bids were pruned; get the whole block from a node that keeps them", .path.display()
    )]
    Pruned {
        /// The store.
        path: PathBuf,
        /// Height of the block.
        height: u64,
    },
    /// The block's body is not the one its header names, or too large.
    #[error("block {height} can't be stored: {fault}")]
    Block {
        /// The height.
        height: u64,
        /// What is wrong.
        fault: BlockFault,
    },
    /// A stored block breaks a rule of the ledger.
    #[error("the stored ledger breaks a rule: {0}")]
    Rule(BlockError),
    /// The state is not the one after the last stored block.
    #[error("the state is at block {state}, the store at block {tip}: replay the store first")]
    OtherState {
        /// Height of the state.
        state: u64,
        /// Height of the store.
        tip: u64,
    },
    /// There is nothing to export.
    #[error("{} holds no block yet", .path.display())]
    Empty {
        /// The store.
        path: PathBuf,
    },
    /// The file is there.
    #[error("{} exists: choose another name, or say that it may be replaced", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A ledger file can't be written.
    #[error("{}: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: WriteError,
    },
    /// A file is no ledger file.
    #[error("{}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ReadError,
    },
}

impl StoreError {
    /// Whether files of the store are not what they were: what [`Store::open_or_rebuild`](crate::Store::open_or_rebuild)
    /// builds anew.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::DamagedBlock { .. } | Self::LostBlocks { .. })
    }

    /// A file-system error, with a full disk told apart.
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::DiskFull { path }
            }
            _ => Self::Io { path, source },
        }
    }

    /// An error of the database, told apart by what the user can do.
    pub(crate) fn database(path: &Path, error: sled::Error) -> Self {
        match error {
            sled::Error::Io(source) if source.to_string().contains("could not acquire lock") => {
                Self::InUse { path: path.to_path_buf() }
            }
            sled::Error::Io(source)
                if matches!(source.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
            {
                Self::Damaged { path: path.to_path_buf(), why: source.to_string() }
            }
            sled::Error::Io(source) => Self::io(path, source),
            other => Self::Damaged { path: path.to_path_buf(), why: other.to_string() },
        }
    }

    /// An error of the ledger writer.
    pub(crate) fn write(path: &Path, error: WriteError) -> Self {
        match error {
            WriteError::Io { source, .. } => Self::io(path, source),
            source => Self::Write { path: path.to_path_buf(), source },
        }
    }
}

/// The first half of a hash: enough to tell blocks apart.
fn hex(hash: &Hash) -> String {
    hash[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_apart() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let path = Path::new("ledger.vgl");
        let errors = [
            StoreError::io(path, full()),
            StoreError::database(path, sled::Error::Io(full())),
            StoreError::write(path, WriteError::Io { offset: 3, source: full() }),
        ];
        for error in errors {
            assert!(error.to_string().starts_with("no space left on the device of ledger.vgl"), "{error}");
        }
    }
}
