//! The mark of what was acknowledged.
//!
//! The database cuts its log at the first damaged byte and opens without a word, so that a single flipped bit could
//! take acknowledged blocks away and leave a shorter chain that looks whole. The mark is a small file beside it, which
//! names the last acknowledged block: a store that ends before its mark has lost blocks and says so.
//!
//! Two slots are written in turn, so that a write that is cut off leaves the mark before it. A slot is
//! `height u64 ‖ block hash ‖ SHA-256 of both`; slots that don't hold are ignored.

use crate::error::StoreError;
use crate::store::Tip;
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const FILE_NAME: &str = "acknowledged";
const CONTENT_BYTES: usize = 8 + 32;
const SLOT_BYTES: usize = CONTENT_BYTES + 32;
/// Slots lie in different sectors, so that one torn sector spoils one of them.
const SLOT_DISTANCE: u64 = 4096;

#[derive(Debug)]
pub(crate) struct Mark {
    file: File,
    path: PathBuf,
    marked: Option<Tip>,
}

impl Mark {
    /// Opens the mark in a store's directory, which is there, or begins one.
    pub(crate) fn open(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join(FILE_NAME);
        let io = |source| StoreError::io(&path, source);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(io)?;
        let mut marked: Option<Tip> = None;
        for slot in 0..2 {
            let tip = read_slot(&mut file, slot).map_err(io)?;
            if tip.map(|tip| tip.height) > marked.map(|tip| tip.height) {
                marked = tip;
            }
        }
        Ok(Self { file, path, marked })
    }

    /// The last acknowledged block.
    pub(crate) fn marked(&self) -> Option<Tip> {
        self.marked
    }

    /// Marks a block that is on disk. When it returns, the mark is too.
    pub(crate) fn set(&mut self, tip: Tip) -> Result<(), StoreError> {
        let slot = encode(&tip);
        let written = self
            .file
            .seek(SeekFrom::Start(tip.height % 2 * SLOT_DISTANCE))
            .and_then(|_| self.file.write_all(&slot))
            .and_then(|()| self.file.sync_data());
        written.map_err(|source| StoreError::io(&self.path, source))?;
        self.marked = Some(tip);
        Ok(())
    }
}

fn encode(tip: &Tip) -> Vec<u8> {
    let content = [tip.height.to_be_bytes().as_slice(), &tip.hash].concat();
    [content.as_slice(), &Sha256::digest(&content)].concat()
}

fn read_slot(file: &mut File, slot: u64) -> std::io::Result<Option<Tip>> {
    let mut bytes = Vec::with_capacity(SLOT_BYTES);
    file.seek(SeekFrom::Start(slot * SLOT_DISTANCE))?;
    Read::by_ref(file).take(SLOT_BYTES as u64).read_to_end(&mut bytes)?;
    let Some((height, rest)) = bytes.split_first_chunk::<8>() else { return Ok(None) };
    let Some((hash, _)) = rest.split_first_chunk::<32>() else { return Ok(None) };
    let tip = Tip { height: u64::from_be_bytes(*height), hash: *hash };
    Ok((encode(&tip) == bytes).then_some(tip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spoiled_slot_leaves_the_mark_before() {
        let directory = tempfile::tempdir().expect("directory");
        let tip = |height| Tip { height, hash: [height as u8; 32] };
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
            bytes[SLOT_DISTANCE as usize + byte] ^= 1;
            std::fs::write(&path, bytes).expect("write");
            assert_eq!(Mark::open(directory.path()).expect("mark").marked(), Some(tip(4)), "byte {byte}");
        }
    }
}
