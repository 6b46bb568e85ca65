//! What stands where in the database, and what a value has to be.
//!
//! One tree, so that a block, its index entry, its certificate and the tip are written as one atomic batch:
//!
//! ```text
//! "format"            u16     format of this layout
//! "tip"               u64 ‖ hash    last block
//! "pruned"            u64     no bids are left up to this height
//! "checkpoint"        SHA-256(checkpoint) ‖ checkpoint    of the last pruning
//! "b" ‖ height        a block's record (`record`)
//! "c" ‖ height        SHA-256(height ‖ certificate) ‖ certificate
//! "h" ‖ block hash    height
//! ```
//!
//! Heights are big-endian, so that keys sort by them.

use crate::database::Database;
use crate::error::StoreError;
use sha2::{Digest, Sha256};
use std::path::Path;
use veilgrid_ledger::export::MAX_CERTIFICATE_BYTES;
use veilgrid_ledger::hash::Hash;

/// Format of the layout that this program writes.
pub(crate) const FORMAT: u16 = 2;

pub(crate) const KEY_FORMAT: &[u8] = b"format";
pub(crate) const KEY_TIP: &[u8] = b"tip";
const KEY_CHECKPOINT: &[u8] = b"checkpoint";
pub(crate) const KEY_PRUNED: &[u8] = b"pruned";

/// The last stored block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// Its height.
    pub height: u64,
    /// Its hash.
    pub hash: Hash,
}

pub(crate) fn block_key(height: u64) -> [u8; 9] {
    let mut key = [b'b'; 9];
    key[1..].copy_from_slice(&height.to_be_bytes());
    key
}

pub(crate) fn hash_key(hash: &Hash) -> [u8; 33] {
    let mut key = [b'h'; 33];
    key[1..].copy_from_slice(hash);
    key
}

pub(crate) fn decode_height(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

/// Adds a certificate to a batch.
pub(crate) fn insert_certificate(batch: &mut sled::Batch, height: u64, certificate: &[u8]) {
    let value = [digest(height, certificate).as_slice(), certificate].concat();
    batch.insert(certificate_key(height).as_slice(), value);
}

/// Reads a certificate and checks its digest.
pub(crate) fn read_certificate(
    database: &Database,
    path: &Path,
    height: u64,
) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(value) = database.get(&certificate_key(height))? else { return Ok(None) };
    match value.split_first_chunk::<32>() {
        Some((stored, certificate)) if *stored == digest(height, certificate) => {
            Ok(Some(certificate.to_vec()))
        }
        _ => {
            let why = "its certificate was changed".into();
            Err(StoreError::DamagedBlock { path: path.into(), height, why })
        }
    }
}

/// "A certificate has 1 byte to the bound."
pub(crate) fn check_certificate_length(height: u64, certificate: &[u8]) -> Result<(), StoreError> {
    let bytes = certificate.len();
    if bytes == 0 || bytes > MAX_CERTIFICATE_BYTES {
        return Err(StoreError::Certificate { height, bytes });
    }
    Ok(())
}

fn digest(height: u64, certificate: &[u8]) -> [u8; 32] {
    Sha256::new_with_prefix(height.to_be_bytes()).chain_update(certificate).finalize().into()
}

fn certificate_key(height: u64) -> [u8; 9] {
    let mut key = [b'c'; 9];
    key[1..].copy_from_slice(&height.to_be_bytes());
    key
}

/// Adds a checkpoint to a batch.
pub(crate) fn insert_checkpoint(batch: &mut sled::Batch, checkpoint: &[u8]) {
    batch.insert(KEY_CHECKPOINT, [Sha256::digest(checkpoint).as_slice(), checkpoint].concat());
}

/// Reads the checkpoint and checks its digest.
pub(crate) fn read_checkpoint(database: &Database, path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(value) = database.get(KEY_CHECKPOINT)? else { return Ok(None) };
    match value.split_first_chunk::<32>() {
        Some((digest, checkpoint)) if Sha256::digest(checkpoint).as_slice() == digest => {
            Ok(Some(checkpoint.to_vec()))
        }
        _ => Err(StoreError::Damaged { path: path.to_path_buf(), why: "the checkpoint was changed".into() }),
    }
}
