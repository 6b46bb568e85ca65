//! What was imported when it was cut off: a record per import, so that the next start goes on there.

use super::buffer::Counts;
use crate::failure::Failure;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use veilgrid_store::files::{read_at_most, write_durably};

const BLOCK_BYTES: usize = 1 << 20;

/// An import.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Its number, counted from 1.
    pub import: u32,
    /// The file, as it was named.
    pub source: String,
    /// How it was read: the same bytes read in another way are another import.
    pub settings: String,
    /// Its length.
    pub bytes: u64,
    /// When it was last changed, 10^-9 s since 1970, as a decimal number; none where the system does not say.
    #[serde(default)]
    pub modified: Option<String>,
    /// All before this byte is in the folder.
    pub done_bytes: u64,
    /// The line at that byte, counted from 1.
    pub line: u64,
    /// SHA-256 of those bytes, in hex.
    pub sha256: String,
    /// Whether that is the whole file.
    pub is_whole: bool,
    /// Until there.
    pub counts: Counts,
}

/// A digest that follows a file.
pub struct Follower {
    digest: Sha256,
    at: u64,
}

impl Follower {
    pub fn new() -> Self {
        Self { digest: Sha256::new(), at: 0 }
    }

    /// Takes in the file's bytes up to a place; the digest until there in hex.
    pub fn up_to(&mut self, file: &mut File, end: u64) -> std::io::Result<String> {
        file.seek(SeekFrom::Start(self.at))?;
        let mut block = vec![0; BLOCK_BYTES];
        let mut rest = file.take(end.saturating_sub(self.at));
        loop {
            match rest.read(&mut block)? {
                0 => break,
                read => {
                    self.digest.update(block.get(..read).unwrap_or_default());
                    self.at += read as u64;
                }
            }
        }
        Ok(hex::encode(self.digest.clone().finalize()))
    }
}

/// Writes a record; it is on disk when this returns.
///
/// # Errors
/// The file system's.
pub fn write(imports: &Path, record: &Record) -> Result<(), Failure> {
    let path = path_of(imports, record.import);
    let bytes = serde_json::to_vec_pretty(record).map_err(Failure::input)?;
    write_durably(&path, &bytes).map_err(|error| Failure::file(&path, error))
}

/// All records, in the order of their numbers.
///
/// # Errors
/// A record that can't be read.
pub fn all(imports: &Path) -> Result<Vec<Record>, Failure> {
    let mut records: Vec<Record> = Vec::new();
    for entry in fs::read_dir(imports).map_err(|error| Failure::file(imports, error))? {
        let path = entry.map_err(|error| Failure::file(imports, error))?.path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let file = File::open(&path).map_err(|error| Failure::file(&path, error))?;
        let bytes = read_at_most(&path, file, 1 << 20).map_err(Failure::input)?;
        records.push(serde_json::from_slice(&bytes).map_err(|error| Failure::file(&path, error))?);
    }
    records.sort_by_key(|record| record.import);
    Ok(records)
}

fn path_of(imports: &Path, import: u32) -> PathBuf {
    imports.join(format!("{import:06}.json"))
}

/// What a file is known by beside its bytes.
pub struct Known<'a> {
    /// How it is read.
    pub settings: &'a str,
    pub bytes: u64,
    pub modified: Option<&'a str>,
}

/// When a file was last changed, as in a record.
pub fn modified(metadata: &fs::Metadata) -> Option<String> {
    let since = metadata.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(since.as_nanos().to_string())
}

/// The record of an earlier import of the same file read in the same way, with a digest that has followed it: the newest one whose part of the
/// file is unchanged. An import that was cut off is gone on with only where the file has not been written since: what came after that part may be in
/// the folder already, and another file that begins alike would contradict it.
///
/// # Errors
/// A file that can't be read.
pub fn earlier(
    records: &[Record],
    known: &Known<'_>,
    file: &mut File,
) -> Result<Option<(Record, Follower)>, std::io::Error> {
    let is_unwritten =
        |record: &Record| known.modified.is_some() && record.modified.as_deref() == known.modified;
    let alike = records.iter().rev().filter(|record| {
        record.settings == known.settings
            && record.bytes == known.bytes
            && (record.is_whole || is_unwritten(record))
    });
    for record in alike {
        let mut follower = Follower::new();
        if follower.up_to(file, record.done_bytes)? == record.sha256 {
            return Ok(Some((record.clone(), follower)));
        }
    }
    Ok(None)
}
