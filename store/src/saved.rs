//! A node's own saved state beside its blocks: the file from which it starts again, so that a restart does not grow with history.
//!
//! ```text
//! "VGSTATE" | 0 | format u16 | program: length u8, version
//! height u64 | block hash 32                                      of the saved state
//! genesis hash 32
//! checked: height u64 | block hash 32 | blocks, pruned blocks, block bytes, bid bytes, certificates, certificate bytes u64 each
//!          u32, heights without a certificate u64 each            the store when it was written
//! u32, notes | u32, state                                         what the node keeps beside; `State::save`, or nothing
//! HMAC-SHA-256 of all before, 32
//! ```
//!
//! Integers are little-endian. The file is whole or not there. It is never more than a shortcut: one that does not hold, of
//! another node, ledger or program, or that does not fit the blocks, is not believed, and everything is checked and executed
//! again (specification section 9.5).

use crate::error::StoreError;
use crate::files;
use crate::layout::Tip;
use crate::usage::LedgerBytes;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use veilgrid_crypto::labels;
use veilgrid_crypto::secret::Secret;
use veilgrid_crypto::wire::{Reader, WireError, Writer};
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::state::State;

const FILE_NAME: &str = "state";
const MAGIC: &[u8; 8] = b"VGSTATE\0";
/// Format of the file.
const FORMAT: u16 = 1;
/// What another version has verified, this one verifies again: a rule that was put right counts for all blocks.
const PROGRAM: &str = env!("CARGO_PKG_VERSION");
const TAG_BYTES: usize = 32;
/// Larger files are none of this program.
const MAX_BYTES: u64 = 1 << 30;
/// With more blocks without a certificate nothing is saved: a ledger of a network has few.
const MAX_UNCERTIFIED: usize = 1 << 16;

/// The key under which a node knows what it has saved itself. It follows from a secret of the node, so whoever can write its disk
/// and does not have its keys can make it execute its blocks again, and nothing else.
#[derive(Clone)]
pub struct SavedKey(Secret<[u8; 32]>);

impl SavedKey {
    /// The key that follows from a secret of the node's.
    pub fn derive(secret: &Secret<[u8; 32]>) -> Self {
        let mut mac = tag_under(secret.expose());
        mac.update(labels::STORE_SAVED_KEY);
        Self(Secret::new(mac.finalize().into_bytes().into()))
    }

    fn tag(&self) -> Hmac<Sha256> {
        tag_under(self.0.expose())
    }
}

fn tag_under(key: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length.
    <Hmac<Sha256> as Mac>::new_from_slice(key).unwrap_or_else(|_| unreachable!("a key of any length"))
}

/// What of a store was checked when a state was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) tip: Tip,
    pub(crate) usage: LedgerBytes,
    /// Blocks that had no certificate then; one may have come since.
    pub(crate) uncertified: BTreeSet<u64>,
}

/// A saved state as the store has found it, with everything compared that does not need the state itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Saved {
    /// The last block that it has executed.
    pub(crate) at: Tip,
    pub(crate) genesis: Hash,
    pub(crate) checked: Checked,
    pub(crate) notes: Vec<u8>,
    pub(crate) state: Vec<u8>,
}

/// A state and a node's notes on their way to the disk, encoded without the store.
pub struct Unsaved {
    at: Tip,
    state: Vec<u8>,
    notes: Vec<u8>,
}

impl Unsaved {
    /// Of a state with a block after it, and of what the node wants to find beside it.
    pub fn new(state: &State, notes: Vec<u8>) -> Self {
        Self { at: Tip { height: state.height(), hash: state.block_hash() }, state: state.save(), notes }
    }

    /// Of the blocks up to this state's, that they were verified, and nothing else: for whoever executes them again all the same.
    pub fn verdicts(state: &State) -> Self {
        let at = Tip { height: state.height(), hash: state.block_hash() };
        Self { at, state: Vec::new(), notes: Vec::new() }
    }

    /// Height of the state.
    pub fn height(&self) -> u64 {
        self.at.height
    }

    /// Hash of its block.
    pub(crate) fn at(&self) -> Tip {
        self.at
    }

    /// Bytes that are written.
    pub fn len(&self) -> usize {
        self.state.len().saturating_add(self.notes.len())
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn into_saved(self, genesis: Hash, checked: Checked) -> Saved {
        Saved { at: self.at, genesis, checked, notes: self.notes, state: self.state }
    }
}

impl Saved {
    /// Why it is not written, if it is not.
    pub(crate) fn misfit(&self) -> Option<&'static str> {
        let too_many = self.checked.uncertified.len() > MAX_UNCERTIFIED;
        too_many.then_some("too many blocks have no certificate")
    }

    fn to_bytes(&self, key: &SavedKey) -> Vec<u8> {
        let Self { at, genesis, checked: Checked { tip, usage, uncertified }, notes, state } = self;
        let mut w = Writer::new();
        w.bytes(MAGIC).u16(FORMAT).u8(PROGRAM.len() as u8).bytes(PROGRAM.as_bytes());
        w.u64(at.height).bytes(&at.hash).bytes(genesis).u64(tip.height).bytes(&tip.hash);
        let LedgerBytes { blocks, pruned_blocks, block_bytes, bid_bytes, certificates, certificate_bytes } =
            usage;
        for count in [blocks, pruned_blocks, block_bytes, bid_bytes, certificates, certificate_bytes] {
            w.u64(*count);
        }
        w.length(uncertified.len());
        for height in uncertified {
            w.u64(*height);
        }
        w.blob(notes).blob(state);
        let mut bytes = w.finish();
        let tag = key.tag().chain_update(&bytes).finalize().into_bytes();
        bytes.extend_from_slice(&tag);
        bytes
    }

    fn from_bytes(bytes: &[u8], key: &SavedKey) -> Result<Self, String> {
        let Some((content, tag)) = bytes.split_last_chunk::<TAG_BYTES>() else {
            return Err("it is cut off".into());
        };
        if !content.starts_with(MAGIC) {
            return Err("it is no saved state".into());
        }
        // In constant time, and before anything else is read of it.
        key.tag()
            .chain_update(content)
            .verify_slice(tag)
            .map_err(|_| "this node has not written it, or it was changed".to_owned())?;
        let mut r = Reader::new(content);
        let header = Self::header(&mut r).map_err(|error| error.to_string())?;
        let (format, program) = header;
        if format != FORMAT || program != PROGRAM.as_bytes() {
            let program = String::from_utf8_lossy(program);
            return Err(format!(
                "version {program} has written it, format {format}: this is {PROGRAM}, format {FORMAT}"
            ));
        }
        Self::body(r).map_err(|error| error.to_string())
    }

    fn header<'a>(r: &mut Reader<'a>) -> Result<(u16, &'a [u8]), WireError> {
        r.bytes("magic", MAGIC.len())?;
        let format = r.u16("format")?;
        let length = r.u8("length of the version")?;
        Ok((format, r.bytes("version", length.into())?))
    }

    fn body(mut r: Reader<'_>) -> Result<Self, WireError> {
        let at = read_tip(&mut r)?;
        let genesis = r.array("genesis")?;
        let tip = read_tip(&mut r)?;
        let usage = LedgerBytes {
            blocks: r.u64("blocks")?,
            pruned_blocks: r.u64("pruned blocks")?,
            block_bytes: r.u64("bytes of blocks")?,
            bid_bytes: r.u64("bytes of bids")?,
            certificates: r.u64("certificates")?,
            certificate_bytes: r.u64("bytes of certificates")?,
        };
        let count = r.length("blocks without certificate", MAX_UNCERTIFIED, 8)?;
        let uncertified = (0..count).map(|_| r.u64("height")).collect::<Result<_, _>>()?;
        let notes = r.blob("notes", usize::MAX)?.to_vec();
        let state = r.blob("state", usize::MAX)?.to_vec();
        r.finish()?;
        Ok(Self { at, genesis, checked: Checked { tip, usage, uncertified }, notes, state })
    }
}

fn read_tip(r: &mut Reader<'_>) -> Result<Tip, WireError> {
    Ok(Tip { height: r.u64("height")?, hash: r.array("block hash")? })
}

fn path_in(directory: &Path) -> PathBuf {
    directory.join(FILE_NAME)
}

/// Writes it: the one before or this one is there, whatever happens.
pub(crate) fn write(directory: &Path, saved: &Saved, key: &SavedKey) -> Result<usize, StoreError> {
    let (path, bytes) = (path_in(directory), saved.to_bytes(key));
    files::write_durably(&path, &bytes).map_err(|source| StoreError::io(&path, source))?;
    Ok(bytes.len())
}

/// Reads it; none when there is none. The inner error says why it is not believed.
pub(crate) fn read(directory: &Path, key: &SavedKey) -> Result<Option<Result<Saved, String>>, StoreError> {
    let path = path_in(directory);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // A disk that can't read it may read blocks.
        Err(error) => return Ok(Some(Err(error.to_string()))),
    };
    let mut bytes = Vec::new();
    match file.take(MAX_BYTES).read_to_end(&mut bytes) {
        Ok(_) => Ok(Some(Saved::from_bytes(&bytes, key))),
        Err(error) => Ok(Some(Err(error.to_string()))),
    }
}

/// Takes it away, durably: blocks are not what they were when it was written.
pub(crate) fn remove(directory: &Path) -> Result<(), StoreError> {
    let path = path_in(directory);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed
            .and_then(|()| files::sync_directory(&path))
            .map_err(|source| StoreError::io(&path, source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved() -> Saved {
        let usage = LedgerBytes { blocks: 9, certificates: 7, ..LedgerBytes::default() };
        let checked = Checked { tip: Tip { height: 8, hash: [8; 32] }, usage, uncertified: [3, 5].into() };
        let (notes, state) = (b"notes".to_vec(), b"a state".to_vec());
        Saved { at: Tip { height: 7, hash: [7; 32] }, genesis: [1; 32], checked, notes, state }
    }

    fn key(byte: u8) -> SavedKey {
        SavedKey::derive(&Secret::new([byte; 32]))
    }

    #[test]
    fn what_was_saved_comes_back_under_its_key_alone() {
        let directory = tempfile::tempdir().expect("directory");
        assert_eq!(read(directory.path(), &key(1)).expect("read"), None);
        write(directory.path(), &saved(), &key(1)).expect("written");
        assert_eq!(read(directory.path(), &key(1)).expect("read"), Some(Ok(saved())));
        let other = read(directory.path(), &key(2)).expect("read").expect("there");
        assert!(other.expect_err("another node's").contains("this node has not written it"));
        remove(directory.path()).expect("removed");
        remove(directory.path()).expect("removed before");
        assert_eq!(read(directory.path(), &key(1)).expect("read"), None);
    }

    #[test]
    fn no_byte_of_it_changes_unseen() {
        let bytes = saved().to_bytes(&key(1));
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                assert!(Saved::from_bytes(&changed, &key(1)).is_err(), "byte {at}, bit {bit}");
            }
            assert!(Saved::from_bytes(&bytes[..at], &key(1)).is_err(), "cut at {at}");
        }
        assert!(Saved::from_bytes(&[&bytes[..], &[0]].concat(), &key(1)).is_err());
    }

    /// Under the node's own key: what an older or a newer program of the same node has written.
    #[test]
    fn another_program_s_is_not_believed() {
        let bytes = saved().to_bytes(&key(1));
        let content = &bytes[..bytes.len() - TAG_BYTES];
        for (at, says) in [(8, "format"), (11, "version")] {
            let mut changed = content.to_vec();
            changed[at] = changed[at].wrapping_add(1);
            let tag = key(1).tag().chain_update(&changed).finalize().into_bytes();
            changed.extend_from_slice(&tag);
            let why = Saved::from_bytes(&changed, &key(1)).expect_err("another program");
            assert!(why.contains(says) && why.contains("has written it"), "{why}");
        }
    }

    #[test]
    fn a_file_that_is_none_is_said() {
        let why = |bytes: &[u8]| Saved::from_bytes(bytes, &key(1)).expect_err("none");
        assert_eq!(why(b"short"), "it is cut off");
        assert_eq!(why(&[0; 64]), "it is no saved state");
    }
}
