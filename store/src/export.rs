//! Ledger files on disk: written whole or not at all.

use crate::durable::sync_directory;
use crate::error::StoreError;
use crate::record::Form;
use crate::store::Store;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::export::{LedgerReader, LedgerWriter};
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::checkpoint::Checkpoint;

const BUFFER_BYTES: usize = 1 << 20;

/// What happens to a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// The export is refused.
    Keep,
    /// It is replaced, in one step.
    Replace,
}

impl Store {
    /// Writes the whole ledger, with certificates and with pruned blocks as they are, to a file for auditors. `state` is the state after the last stored block; its root
    /// stands in the trailer. The file appears under its name only when it is complete and on disk.
    ///
    /// # Errors
    /// [`StoreError::OtherState`], [`StoreError::Empty`], [`StoreError::Exists`], [`StoreError::DiskFull`],
    /// [`StoreError::Io`] and what reading the store can give.
    pub fn export(&self, path: &Path, state: &State, existing: Existing) -> Result<(), StoreError> {
        let tip = self.tip().ok_or_else(|| StoreError::Empty { path: self.path.clone() })?;
        if tip.hash != state.block_hash() {
            return Err(StoreError::OtherState { state: state.height(), tip: tip.height });
        }
        self.export_with_root(path, state.root(), existing)
    }

    /// Writes the whole ledger to any output. `state_root` is the root after the last block.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`], [`StoreError::Io`] and what reading the store can give.
    pub fn export_to<W: Write>(&self, output: W, state_root: Hash) -> Result<W, StoreError> {
        self.write_ledger(output, state_root, Path::new("the output"))
    }

    fn export_with_root(&self, path: &Path, state_root: Hash, existing: Existing) -> Result<(), StoreError> {
        write_whole(path, existing, |file| self.write_ledger(file, state_root, path))
    }

    /// The checkpoint, when a certificate confirms it. One of a block that this store does not have (any more), or
    /// that no later block makes final, leads nowhere: a copy without it audits, only its state roots are not compared.
    fn confirmed_checkpoint(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(bytes) = self.checkpoint()? else { return Ok(None) };
        let Ok(found) = Checkpoint::from_bytes(&bytes) else { return Ok(None) };
        Ok(self.is_certified_after(found.height)?.then_some(bytes))
    }

    /// Writes the ledger to any output; `path` is for messages.
    fn write_ledger<W: Write>(&self, output: W, state_root: Hash, path: &Path) -> Result<W, StoreError> {
        let failed = |error| StoreError::write(path, error);
        let mut writer = LedgerWriter::new(BufWriter::with_capacity(BUFFER_BYTES, output)).map_err(failed)?;
        let count = self.tip().map_or(0, |tip| tip.height.saturating_add(1));
        let checkpoint = self.confirmed_checkpoint()?;
        for height in 0..count {
            let missing = || self.damaged(height, "it is missing".into());
            let (form, bytes) = self.resolve(height)?.ok_or_else(missing)?;
            match form {
                Form::Full => writer.block_bytes(&bytes).map_err(failed)?,
                Form::Pruned => writer.pruned_bytes(&bytes).map_err(failed)?,
            }
            if let Some(certificate) = self.certificate(height)? {
                writer.certificate(&certificate).map_err(failed)?;
            }
            if let Some(checkpoint) = checkpoint.as_ref().filter(|_| height == 0) {
                writer.checkpoint(checkpoint).map_err(failed)?;
            }
        }
        let buffer = writer.finish(state_root).map_err(failed)?;
        buffer.into_inner().map_err(|error| StoreError::io(path, error.into_error()))
    }
}

/// Writes blocks that are in memory, each with its certificate if it has one, as a ledger file, as [`Store::export`] does
/// for stored ones. `state_root` is the root after the last block.
///
/// # Errors
/// [`StoreError::Exists`], [`StoreError::DiskFull`], [`StoreError::Io`].
pub fn write_ledger(
    path: &Path,
    blocks: &[(Block, Option<Vec<u8>>)],
    state_root: Hash,
    existing: Existing,
) -> Result<(), StoreError> {
    write_whole(path, existing, |file| {
        let failed = |error| StoreError::write(path, error);
        let mut writer = LedgerWriter::new(BufWriter::with_capacity(BUFFER_BYTES, file)).map_err(failed)?;
        for (block, certificate) in blocks {
            writer.block(block).map_err(failed)?;
            if let Some(certificate) = certificate {
                writer.certificate(certificate).map_err(failed)?;
            }
        }
        let buffer = writer.finish(state_root).map_err(failed)?;
        buffer.into_inner().map_err(|error| StoreError::io(path, error.into_error()))
    })
}

/// Writes a file so that it appears under its name only when it is complete and on disk.
fn write_whole(
    path: &Path,
    existing: Existing,
    write: impl FnOnce(File) -> Result<File, StoreError>,
) -> Result<(), StoreError> {
    // Early, so that nobody waits for a refusal; the rename below decides.
    if existing == Existing::Keep && path.exists() {
        return Err(StoreError::Exists { path: path.to_path_buf() });
    }
    let temporary = Temporary::beside(path);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&temporary.0)
        .map_err(|source| StoreError::io(path, source))?;
    let file = write(file)?;
    file.sync_all().map_err(|source| StoreError::io(path, source))?;
    publish(&temporary.0, path, existing)?;
    let directory = path.parent().unwrap_or(Path::new("."));
    sync_directory(directory).map_err(|source| StoreError::io(directory, source))
}

/// Opens a ledger file; the blocks stream.
///
/// # Errors
/// [`StoreError::Io`], and [`StoreError::Read`] when it does not begin like a ledger file.
pub fn read_ledger(path: &Path) -> Result<LedgerReader<BufReader<File>>, StoreError> {
    let file = File::open(path).map_err(|source| StoreError::io(path, source))?;
    LedgerReader::new(BufReader::with_capacity(BUFFER_BYTES, file))
        .map_err(|source| StoreError::Read { path: path.to_path_buf(), source })
}

/// A file in the directory of the result, removed again unless it was renamed.
struct Temporary(PathBuf);

impl Temporary {
    fn beside(path: &Path) -> Self {
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{}.part", std::process::id()));
        Self(path.with_file_name(name))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Gone already when the export succeeded; nothing can be done when it fails.
        let _ = fs::remove_file(&self.0);
    }
}

/// Gives the finished file its name. A link refuses a name that is taken, also by a file that came meanwhile; a
/// rename replaces it in one step.
fn publish(temporary: &Path, path: &Path, existing: Existing) -> Result<(), StoreError> {
    let linked = match existing {
        Existing::Replace => fs::rename(temporary, path),
        Existing::Keep => match fs::hard_link(temporary, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(StoreError::Exists { path: path.to_path_buf() });
            }
            // A file system without links: the look before is all there is.
            Err(_) if !path.exists() => fs::rename(temporary, path),
            result => result,
        },
    };
    linked.map_err(|source| StoreError::io(path, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_named() {
        let directory = tempfile::tempdir().expect("directory");
        let store = Store::open(&directory.path().join("store")).expect("store");
        let full = OpenOptions::new().write(true).open("/dev/full").expect("a device that is always full");
        let error = store.write_ledger(full, [0; 32], Path::new("out.vgl")).expect_err("full");
        assert!(matches!(&error, StoreError::DiskFull { path } if path == Path::new("out.vgl")), "{error}");
    }
}
