//! Files that are whole or not there, also after a power failure, and that only their owner reads.

use crate::durable::{create_directories, sync_name};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Read and written by the owner, by nobody else.
const PRIVATE_FILE: u32 = 0o600;
/// What others may do.
const OTHERS: u32 = 0o077;

/// A file that a person has named can't be used. One variant per rule.
#[derive(Debug, Error)]
#[allow(missing_docs)] // The fields are what the messages say.
pub enum FileError {
    /// "The file can be read."
    #[error("{}: {reason}; name a readable file", path.display())]
    Unreadable { path: PathBuf, reason: io::Error },
    /// "The file can be written, and none is overwritten."
    #[error("{}: can't be written: {reason}; name a new file in a folder of yours", path.display())]
    Unwritable { path: PathBuf, reason: io::Error },
    /// "A file has a bounded size."
    #[error("{}: more than {bound} bytes; is this the right file?", path.display())]
    TooLarge { path: PathBuf, bound: u64 },
}

/// Opens a file that a person has named.
///
/// # Errors
/// [`FileError::Unreadable`].
pub fn open(path: &Path) -> Result<File, FileError> {
    File::open(path).map_err(|reason| FileError::Unreadable { path: path.to_owned(), reason })
}

/// Reads a source of at most `bound` bytes; `path` is for messages.
///
/// # Errors
/// [`FileError::Unreadable`], [`FileError::TooLarge`].
pub fn read_at_most(path: &Path, source: impl Read, bound: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    source
        .take(bound.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|reason| FileError::Unreadable { path: path.to_owned(), reason })?;
    if bytes.len() as u64 > bound {
        return Err(FileError::TooLarge { path: path.to_owned(), bound });
    }
    Ok(bytes)
}

/// Writes a new file, which is on disk when this returns; one that exists is not overwritten.
///
/// # Errors
/// [`FileError::Unwritable`].
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    write_with(OpenOptions::new().write(true).create_new(true), path, bytes)
}

/// As [`write_new`], for a file that only its owner may read.
///
/// # Errors
/// [`FileError::Unwritable`].
pub fn write_new_private(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    write_with(OpenOptions::new().write(true).create_new(true).mode(PRIVATE_FILE), path, bytes)
}

fn write_with(options: &OpenOptions, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let written = options.open(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        sync_directory(path)
    });
    written.map_err(|reason| FileError::Unwritable { path: path.to_owned(), reason })
}

/// Writes a file and returns when it is on disk. Readers see the old content or the new one, never a part.
///
/// # Errors
/// The file system's.
pub fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = write_temporary(path, bytes)?;
    fs::rename(&temporary, path)?;
    sync_directory(path)
}

/// As [`write_durably`] for a file that is written once: one that is there already is left as it is.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`], and the file system's.
pub fn write_once(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = write_temporary(path, bytes)?;
    // A link fails where a rename would replace.
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary)?;
    linked?;
    sync_directory(path)
}

/// Replaces a file that others read, without waiting for the disk: it can be made again.
///
/// # Errors
/// The file system's.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = temporary_of(path);
    open_private(&temporary, OpenOptions::new().write(true).truncate(true))?.write_all(bytes)?;
    fs::rename(&temporary, path)
}

/// Makes a directory with all above it, readable for its owner only. Their names are durable when it returns.
///
/// # Errors
/// The file system's.
pub fn make_private_directory(path: &Path) -> io::Result<()> {
    create_directories(path, fs::DirBuilder::new().mode(0o700))
}

/// Whether nobody but its owner may enter a directory or list it.
///
/// # Errors
/// The file system's.
pub fn is_private(path: &Path) -> io::Result<bool> {
    Ok(fs::metadata(path)?.permissions().mode() & OTHERS == 0)
}

/// Opens a file that is created when it is not there. Others may not read it afterwards, whoever made it.
///
/// # Errors
/// The file system's.
pub fn open_private(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file = options.create(true).mode(PRIVATE_FILE).open(path)?;
    if file.metadata()?.permissions().mode() & OTHERS != 0 {
        file.set_permissions(Permissions::from_mode(PRIVATE_FILE))?;
    }
    Ok(file)
}

/// Makes the names in a file's directory durable.
///
/// # Errors
/// The file system's.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    sync_name(path)
}

fn write_temporary(path: &Path, bytes: &[u8]) -> io::Result<std::path::PathBuf> {
    let temporary = temporary_of(path);
    let mut file = open_private(&temporary, OpenOptions::new().write(true).truncate(true))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(temporary)
}

fn temporary_of(path: &Path) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_once_stays() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("bid");
        write_once(&path, b"first").expect("written");
        let again = write_once(&path, b"second").expect_err("there already");
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).expect("read"), b"first");
        assert_eq!(fs::read_dir(directory.path()).expect("list").count(), 1, "no part is left behind");
        write_durably(&path, b"third").expect("replaced");
        assert_eq!(fs::read(&path).expect("read"), b"third");
    }

    #[test]
    fn only_the_owner_reads_what_is_written() {
        let directory = tempfile::tempdir().expect("directory");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).expect("set");
        let path = |name: &str| directory.path().join(name);
        set(directory.path(), 0o755);
        assert!(!is_private(directory.path()).expect("there"));
        write_durably(&path("durable"), b"1").expect("written");
        write_once(&path("once"), b"1").expect("written");
        // Left behind by a crash of an earlier version.
        fs::write(path("replaced.part"), b"0").expect("written");
        set(&path("replaced.part"), 0o644);
        replace(&path("replaced"), b"1").expect("written");
        fs::write(path("kept"), b"1").expect("written");
        set(&path("kept"), 0o664);
        open_private(&path("kept"), OpenOptions::new().append(true)).expect("opened");
        for name in ["durable", "once", "replaced", "kept"] {
            assert_eq!(mode(&path(name)), 0o600, "{name}");
            assert_eq!(fs::read(path(name)).expect("read"), b"1", "{name}");
        }
        make_private_directory(&path("inside")).expect("made");
        assert!(is_private(&path("inside")).expect("there"));
    }
}
