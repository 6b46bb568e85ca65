//! The check of a store when it is opened: of all of it, or of what has come since its node saved a state.

use crate::database::Database;
use crate::error::StoreError;
use crate::layout::{
    KEY_PRUNED, KEY_TIP, Tip, block_key, decode_height, hash_key, read_certificate, read_checkpoint,
};
use crate::record::{Bodies, Chain, named_file};
use crate::saved::{Checked, Saved};
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
    /// Blocks without a certificate.
    pub(crate) uncertified: BTreeSet<u64>,
    /// The first block that was read.
    pub(crate) from: u64,
    /// Files that the records of the blocks that were read name.
    pub(crate) named_files: BTreeSet<String>,
}

/// A scan under way.
struct Scan<'a> {
    database: &'a Database,
    bodies: &'a Bodies,
    path: &'a Path,
    chain: Chain,
    usage: LedgerBytes,
    uncertified: BTreeSet<u64>,
    named_files: BTreeSet<String>,
    /// Blocks up to this height are in `usage` already.
    counted: Option<u64>,
}

/// Reads every block and certificate and checks height, parent, body and index.
pub(crate) fn check_all(database: &Database, bodies: &Bodies, path: &Path) -> Result<Scanned, StoreError> {
    let tip = read_tip(database, path)?;
    if tip.is_none() && database.get(&block_key(0))?.is_some() {
        return Err(StoreError::Damaged { path: path.to_path_buf(), why: "blocks without a tip".into() });
    }
    Scan::from(Chain::new(), (database, bodies, path)).to(tip)
}

/// The same of the blocks that have come since a state was saved. The inner error says why it is not believed.
pub(crate) fn check_since(
    saved: &Saved,
    database: &Database,
    bodies: &Bodies,
    path: &Path,
) -> Result<Result<Scanned, String>, StoreError> {
    let tip = read_tip(database, path)?;
    let Checked { tip: checked, usage, uncertified } = &saved.checked;
    if tip.is_none_or(|tip| tip.height < checked.height) || saved.at.height >= checked.height {
        return Ok(Err("blocks are missing that were there when it was saved".into()));
    }
    if read_pruned(database, path)?.is_some_and(|height| height > saved.at.height) {
        return Ok(Err("later blocks were pruned".into()));
    }
    for block in [&saved.at, checked] {
        if database.get(&hash_key(&block.hash))?.as_deref().and_then(decode_height) != Some(block.height) {
            return Ok(Err(format!("block {} is another one", block.height)));
        }
    }
    let mut chain = Chain::new();
    let first = database.get(&block_key(0))?.map(|record| bodies.resolve(0, &record)).transpose()?;
    let Some(Ok((form, bytes))) = first else { return Ok(Err("block 0 can't be read".into())) };
    if chain.take(form, &bytes).is_err() || chain.parent != saved.genesis {
        return Ok(Err("it is of another ledger".into()));
    }
    // From the state on, so that what is executed next is whole; counted is what was not counted then.
    (chain.height, chain.parent) = (saved.at.height.saturating_add(1), saved.at.hash);
    let mut scan = Scan::from(chain, (database, bodies, path));
    (scan.usage, scan.counted) = (*usage, Some(checked.height));
    for height in uncertified {
        scan.certificate(*height)?;
    }
    scan.to(tip).map(Ok)
}

impl<'a> Scan<'a> {
    fn from(chain: Chain, (database, bodies, path): (&'a Database, &'a Bodies, &'a Path)) -> Self {
        let (usage, uncertified, named_files) = (LedgerBytes::default(), BTreeSet::new(), BTreeSet::new());
        Self { database, bodies, path, chain, usage, uncertified, named_files, counted: None }
    }

    fn to(mut self, tip: Option<Tip>) -> Result<Scanned, StoreError> {
        let pruned_up_to = read_pruned(self.database, self.path)?;
        let has_checkpoint = read_checkpoint(self.database, self.path)?.is_some();
        let from = self.chain.height;
        for height in from..tip.map_or(0, |tip| tip.height.saturating_add(1)) {
            self.block(height)?;
        }
        match tip {
            // Without it nobody gets past them.
            _ if self.usage.pruned_blocks > 0 && !has_checkpoint => {
                let why = "it has pruned blocks and no checkpoint".into();
                Err(StoreError::Damaged { path: self.path.to_path_buf(), why })
            }
            Some(tip) if self.chain.parent != tip.hash => {
                let why = "its hash is not that of the tip".into();
                Err(StoreError::DamagedBlock { path: self.path.into(), height: tip.height, why })
            }
            _ => {
                let Self { chain, usage, uncertified, named_files, .. } = self;
                let context = chain.context;
                Ok(Scanned { tip, context, pruned_up_to, usage, uncertified, from, named_files })
            }
        }
    }

    fn block(&mut self, height: u64) -> Result<(), StoreError> {
        let path = self.path;
        let damaged = |why: String| StoreError::DamagedBlock { path: path.into(), height, why };
        let record = self.database.get(&block_key(height))?.ok_or_else(|| damaged("it is missing".into()))?;
        let (form, bytes) = self.bodies.resolve(height, &record)?.map_err(damaged)?;
        let stored = self.chain.take(form, &bytes).map_err(damaged)?;
        let indexed = self.database.get(&hash_key(&self.chain.parent))?;
        if indexed.as_deref().and_then(decode_height) != Some(height) {
            return Err(damaged("the index does not name it".into()));
        }
        self.named_files.extend(named_file(height, &record));
        if self.counted.is_some_and(|counted| height <= counted) {
            return read_certificate(self.database, self.path, height).map(drop);
        }
        self.usage.add_block(&stored, bytes.len());
        self.certificate(height)
    }

    fn certificate(&mut self, height: u64) -> Result<(), StoreError> {
        match read_certificate(self.database, self.path, height)? {
            Some(certificate) => self.usage.add_certificate(certificate.len()),
            None => {
                self.uncertified.insert(height);
            }
        }
        Ok(())
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
