//! Files that are whole or not there, also after a power failure.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

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
    fs::write(&temporary, bytes)?;
    fs::rename(&temporary, path)
}

/// Makes a directory with all above it, readable for its owner only.
///
/// # Errors
/// The file system's.
pub fn make_private_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes the names in a file's directory durable.
///
/// # Errors
/// The file system's.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

fn write_temporary(path: &Path, bytes: &[u8]) -> io::Result<std::path::PathBuf> {
    let temporary = temporary_of(path);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&temporary)?;
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
}
