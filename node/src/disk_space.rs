//! Free space of the data directory's disk.

use std::io;
use std::path::Path;

/// Bytes that are free for this process on the disk of a file or directory.
///
/// # Errors
/// The file system's.
pub fn free_space(path: &Path) -> io::Result<u64> {
    fs4::available_space(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_has_space_and_a_path_that_is_not_there_is_an_error() {
        let directory = tempfile::tempdir().expect("directory");
        assert!(free_space(directory.path()).expect("known") > 0);
        assert!(free_space(&directory.path().join("none")).is_err());
    }
}
