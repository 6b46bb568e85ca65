//! Names that a power failure does not take away.
//!
//! A file's `fsync` makes its content durable and not its name: that is an entry of its folder, and so is a folder's own. What
//! is promised on the strength of a file therefore rests on every folder above it that was new.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::path::Path;

/// Makes the names in a directory durable.
///
/// # Errors
/// The file system's.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    File::open(directory)?.sync_all()
}

/// Makes the name of a file or directory durable.
///
/// # Errors
/// The file system's.
pub fn sync_name(path: &Path) -> io::Result<()> {
    sync_directory(path.parent().unwrap_or(Path::new(".")))
}

/// Makes a directory with all above it, by `builder`, and returns when all their names are durable. One that is there may have
/// been made by a run that was killed before it made the name durable, so its name is synchronised too.
///
/// # Errors
/// The file system's, and [`io::ErrorKind::NotADirectory`] when something else has the name.
pub fn create_directories(path: &Path, builder: &DirBuilder) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(above) = path.parent().filter(|above| !above.as_os_str().is_empty()) {
                create_directories(above, builder)?;
            }
            match builder.create(path) {
                // Another process was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => made?,
            }
        }
        Err(error) => return Err(error),
    }
    match sync_name(path) {
        // A folder above that nobody may read, such as one of the system's: its names are not this program's.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        synced => synced,
    }
}

/// Synchronises the files in a directory and in those below it, and their names. For what a library has just made.
///
/// # Errors
/// The file system's.
pub(crate) fn sync_tree(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            sync_tree(&entry.path())?;
        } else if kind.is_file() {
            match File::open(entry.path()) {
                // The library was still clearing up.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                opened => opened?.sync_all()?,
            }
        }
    }
    sync_directory(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_made_with_all_above_them_and_again() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("a").join("b").join("c");
        for _ in 0..2 {
            create_directories(&path, &DirBuilder::new()).expect("made");
            assert!(path.is_dir());
        }
        fs::write(path.join("file"), b"1").expect("written");
        let error = create_directories(&path.join("file"), &DirBuilder::new()).expect_err("a file");
        assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
        assert!(create_directories(&path.join("file").join("d"), &DirBuilder::new()).is_err());
        sync_tree(directory.path()).expect("synchronised");
    }
}
