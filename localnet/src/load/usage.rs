//! What processes take from the machine, as Linux tells it in `/proc`; elsewhere there is nothing to read.

use std::path::Path;

/// A process's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident now, KiB.
    pub resident_kib: u64,
    /// Most that was resident since the start or [`reset_peak`], KiB.
    pub peak_kib: u64,
}

/// Memory of a process.
pub fn memory(pid: u32) -> Option<Memory> {
    parse(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

fn parse(status: &str) -> Option<Memory> {
    let kib = |key: &str| -> Option<u64> {
        let line = status.lines().find(|line| line.starts_with(key))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    Some(Memory { resident_kib: kib("VmRSS:")?, peak_kib: kib("VmHWM:")? })
}

/// Lets a process's peak begin anew at what is resident now; true if the system does that.
pub fn reset_peak(pid: u32) -> bool {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").is_ok()
}

/// Bytes that a folder takes on the disk, with everything below it. Files that go away meanwhile do not count.
pub fn disk_bytes(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let Ok(entries) = std::fs::read_dir(path) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path()),
            // Blocks of a file are of 512 bytes, whatever the file system's are.
            Ok(metadata) => metadata.blocks().saturating_mul(512),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_kib() {
        let status = "Name:\tx\nVmPeak:\t  9 kB\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n";
        assert_eq!(parse(status), Some(Memory { resident_kib: 1024, peak_kib: 2048 }));
        assert_eq!(parse("Name:\tx\n"), None, "a process that ends has none");
    }

    #[test]
    fn folders_count_with_what_is_below() {
        let dir = tempfile::tempdir().expect("dir");
        std::fs::create_dir(dir.path().join("below")).expect("made");
        let empty = disk_bytes(dir.path());
        std::fs::write(dir.path().join("below").join("file"), vec![7u8; 100_000]).expect("written");
        std::fs::File::open(dir.path().join("below").join("file"))
            .and_then(|f| f.sync_all())
            .expect("synced");
        assert!(disk_bytes(dir.path()) >= empty + 100_000);
        assert_eq!(disk_bytes(&dir.path().join("absent")), 0);
    }
}
