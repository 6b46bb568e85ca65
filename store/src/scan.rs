//! The check of a whole store when it is opened.

use crate::database::Database;
use crate::error::StoreError;
use crate::layout::{
    KEY_PRUNED, KEY_TIP, Tip, block_key, decode_height, hash_key, read_certificate, read_checkpoint,
};
use crate::record::{Bodies, Chain, named_file};
use crate::usage::LedgerBytes;
use std::collections::BTreeSet;
use std::path::Path;
use veilgrid_ledger::transaction::DecodeContext;

/// What a store holds.
pub(crate) struct Scanned {
    pub(crate) tip: Option<Tip>,
    /// How later blocks are decoded.
    pub(crate) context: DecodeContext,
    pub(crate) pruned_up_to: Option<u64>,
    pub(crate) usage: LedgerBytes,
    /// Files that records name.
    pub(crate) named_files: BTreeSet<String>,
}

/// Reads every block and certificate and checks height, parent, body and index.
pub(crate) fn check_all(database: &Database, bodies: &Bodies, path: &Path) -> Result<Scanned, StoreError> {
    let tip = read_tip(database, path)?;
    let pruned_up_to = read_pruned(database, path)?;
    let has_checkpoint = read_checkpoint(database, path)?.is_some();
    let mut chain = Chain::new();
    let mut usage = LedgerBytes::default();
    let mut named_files = BTreeSet::new();
    if tip.is_none() && database.get(&block_key(0))?.is_some() {
        return Err(StoreError::Damaged { path: path.to_path_buf(), why: "blocks without a tip".into() });
    }
    for height in 0..tip.map_or(0, |tip| tip.height.saturating_add(1)) {
        let damaged = |why: String| StoreError::DamagedBlock { path: path.into(), height, why };
        let record = database.get(&block_key(height))?.ok_or_else(|| damaged("it is missing".into()))?;
        let (form, bytes) = bodies.resolve(height, &record)?.map_err(damaged)?;
        let stored = chain.take(form, &bytes).map_err(damaged)?;
        if database.get(&hash_key(&chain.parent))?.as_deref().and_then(decode_height) != Some(height) {
            return Err(damaged("the index does not name it".into()));
        }
        usage.add_block(&stored, bytes.len());
        if let Some(certificate) = read_certificate(database, path, height)? {
            usage.add_certificate(certificate.len());
        }
        named_files.extend(named_file(height, &record));
    }
    match tip {
        // Without it nobody gets past them.
        _ if usage.pruned_blocks > 0 && !has_checkpoint => {
            let why = "it has pruned blocks and no checkpoint".into();
            Err(StoreError::Damaged { path: path.to_path_buf(), why })
        }
        Some(tip) if chain.parent != tip.hash => {
            let why = "its hash is not that of the tip".into();
            Err(StoreError::DamagedBlock { path: path.into(), height: tip.height, why })
        }
        _ => Ok(Scanned { tip, context: chain.context, pruned_up_to, usage, named_files }),
    }
}

fn read_tip(database: &Database, path: &Path) -> Result<Option<Tip>, StoreError> {
    let Some(bytes) = database.get(KEY_TIP)? else { return Ok(None) };
    let tip = bytes.split_first_chunk::<8>().and_then(|(height, hash)| {
        Some(Tip { height: u64::from_be_bytes(*height), hash: hash.try_into().ok()? })
    });
    match tip {
        Some(tip) => Ok(Some(tip)),
        None => Err(StoreError::Damaged { path: path.to_path_buf(), why: "the tip can't be read".into() }),
    }
}

fn read_pruned(database: &Database, path: &Path) -> Result<Option<u64>, StoreError> {
    let Some(bytes) = database.get(KEY_PRUNED)? else { return Ok(None) };
    match decode_height(&bytes) {
        Some(height) => Ok(Some(height)),
        None => {
            let why = "the height up to which bids were pruned can't be read".into();
            Err(StoreError::Damaged { path: path.to_path_buf(), why })
        }
    }
}
