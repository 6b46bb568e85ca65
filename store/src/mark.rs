//! The mark of what was acknowledged.
//!
//! The database cuts its log at the first damaged byte and opens without a word, so that a single flipped bit could
//! take acknowledged blocks away and leave a shorter chain that looks whole. The mark is a small file beside it, which
//! names the last acknowledged block: a store that ends before its mark has lost blocks and says so.
//!
//! It also says how many certificates there were at the last flush, which may come without a block.
//!
//! Two slots are written in turn, so that a write that is cut off leaves the mark before it. A slot is
//! `number u64 ‖ height u64 ‖ block hash ‖ certificates u64 ‖ SHA-256 of all`; slots that don't hold are ignored, and
//! the higher number counts.

use crate::durable::sync_directory;
use crate::error::StoreError;
use crate::layout::Tip;
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const FILE_NAME: &str = "acknowledged";
const CONTENT_BYTES: usize = 8 + 8 + 32 + 8;
const SLOT_BYTES: usize = CONTENT_BYTES + 32;
/// Slots lie in different sectors, so that one torn sector spoils one of them.
const SLOT_DISTANCE: u64 = 4096;

/// What was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    pub(crate) tip: Tip,
    /// How many blocks have a certificate.
    pub(crate) certificates: u64,
}

#[derive(Debug)]
pub(crate) struct Mark {
    file: File,
    path: PathBuf,
    number: u64,
    marked: Option<Acknowledged>,
}

/// Whether a directory holds, or held, a store.
pub(crate) fn is_marked(directory: &Path) -> bool {
    directory.join(FILE_NAME).exists()
}

impl Mark {
    /// Opens the mark in a store's directory, which is there, or begins one.
    pub(crate) fn open(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join(FILE_NAME);
        let io = |source| StoreError::io(&path, source);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(io)?;
        // Its name too: a mark that a power failure takes away would let a shorter chain pass for whole.
        file.sync_all().and_then(|()| sync_directory(directory)).map_err(io)?;
        let mut last: Option<(u64, Acknowledged)> = None;
        for slot in 0..2 {
            let found = read_slot(&mut file, slot).map_err(io)?;
            if found.map(|(number, _)| number) > last.map(|(number, _)| number) {
                last = found;
            }
        }
        let (number, marked) = last.unzip();
        Ok(Self { file, path, number: number.unwrap_or(0), marked })
    }

    /// What was acknowledged last.
    pub(crate) fn marked(&self) -> Option<Acknowledged> {
        self.marked
    }

    /// Marks what is on disk. When it returns, the mark is too.
    pub(crate) fn set(&mut self, acknowledged: Acknowledged) -> Result<(), StoreError> {
        let number = self.number.saturating_add(1);
        let slot = encode(number, &acknowledged);
        let written = self
            .file
            .seek(SeekFrom::Start(number % 2 * SLOT_DISTANCE))
            .and_then(|_| self.file.write_all(&slot))
            .and_then(|()| self.file.sync_data());
        written.map_err(|source| StoreError::io(&self.path, source))?;
        (self.number, self.marked) = (number, Some(acknowledged));
        Ok(())
    }
}

fn encode(number: u64, acknowledged: &Acknowledged) -> Vec<u8> {
    let Acknowledged { tip, certificates } = acknowledged;
    let numbers = [number, tip.height, *certificates].map(u64::to_be_bytes);
    let content = [numbers[0].as_slice(), &numbers[1], &tip.hash, &numbers[2]].concat();
    [content.as_slice(), &Sha256::digest(&content)].concat()
}

fn read_slot(file: &mut File, slot: u64) -> std::io::Result<Option<(u64, Acknowledged)>> {
    let mut bytes = Vec::with_capacity(SLOT_BYTES);
    file.seek(SeekFrom::Start(slot * SLOT_DISTANCE))?;
    Read::by_ref(file).take(SLOT_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(decode(&bytes).filter(|(number, acknowledged)| encode(*number, acknowledged) == bytes))
}

fn decode(bytes: &[u8]) -> Option<(u64, Acknowledged)> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    let (height, rest) = rest.split_first_chunk::<8>()?;
    let (hash, rest) = rest.split_first_chunk::<32>()?;
    let (certificates, _) = rest.split_first_chunk::<8>()?;
    let tip = Tip { height: u64::from_be_bytes(*height), hash: *hash };
    Some((u64::from_be_bytes(*number), Acknowledged { tip, certificates: u64::from_be_bytes(*certificates) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spoiled_slot_leaves_the_mark_before() {
        let directory = tempfile::tempdir().expect("directory");
        let tip =
            |height| Acknowledged { tip: Tip { height, hash: [height as u8; 32] }, certificates: height / 2 };
        let mut mark = Mark::open(directory.path()).expect("mark");
        assert_eq!(mark.marked(), None);
        for height in 0..6 {
            mark.set(tip(height)).expect("set");
        }
        drop(mark);
        assert_eq!(Mark::open(directory.path()).expect("mark").marked(), Some(tip(5)));
        let path = directory.path().join(FILE_NAME);
        let original = std::fs::read(&path).expect("read");
        for byte in 0..SLOT_BYTES {
            let mut bytes = original.clone();
            bytes[byte] ^= 1;
            std::fs::write(&path, bytes).expect("write");
            assert_eq!(Mark::open(directory.path()).expect("mark").marked(), Some(tip(4)), "byte {byte}");
        }
    }
}
