//! The check of a whole store when it is opened.

use crate::error::StoreError;
use crate::store::{KEY_TIP, Tip, block_key, get, hash_key};
use std::path::Path;
use veilgrid_ledger::block::{Block, BlockHeader, body_hash, split};
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::transaction::{DecodeContext, Transaction};

/// Reads every block and checks height, parent, body and index. Returns the tip and how later blocks are decoded.
pub(crate) fn check_all(db: &sled::Db, path: &Path) -> Result<(Option<Tip>, DecodeContext), StoreError> {
    let Some(tip) = read_tip(db, path)? else {
        let stray = db.contains_key(block_key(0)).map_err(|error| StoreError::database(path, error))?;
        return if stray {
            Err(StoreError::Damaged { path: path.to_path_buf(), why: "blocks without a tip".into() })
        } else {
            Ok((None, DecodeContext::Genesis))
        };
    };
    let mut parent: Hash = [0; 32];
    let mut context = DecodeContext::Genesis;
    for height in 0..=tip.height {
        let damaged = |why: &str| StoreError::DamagedBlock { path: path.into(), height, why: why.into() };
        let bytes = get(db, path, &block_key(height))?.ok_or_else(|| damaged("it is missing"))?;
        let header = check_block(&bytes, height, &parent).map_err(damaged)?;
        parent = header.hash();
        if get(db, path, &hash_key(&parent))?.as_deref().and_then(decode_height) != Some(height) {
            return Err(damaged("the index does not name it"));
        }
        if height == 0 {
            context = later_context(&bytes).ok_or_else(|| damaged("it is no genesis block"))?;
        }
    }
    if parent != tip.hash {
        let why = "its hash is not that of the tip".into();
        return Err(StoreError::DamagedBlock { path: path.into(), height: tip.height, why });
    }
    Ok((Some(tip), context))
}

/// The hash of the header names all of it, its body hash all of the body, and the child or the tip names the hash: so
/// that no byte of a record can change unseen.
fn check_block(bytes: &[u8], height: u64, parent: &Hash) -> Result<BlockHeader, &'static str> {
    let (header, body) = split(bytes).map_err(|_| "it is cut off")?;
    if header.height != height {
        return Err("it has another height");
    }
    if header.parent_hash != *parent {
        return Err("its parent is not the block before it");
    }
    if header.body_hash != body_hash(body) {
        return Err("its content was changed");
    }
    Ok(header)
}

fn later_context(bytes: &[u8]) -> Option<DecodeContext> {
    let block = Block::from_bytes(bytes, &DecodeContext::Genesis).ok()?;
    match block.transactions.first() {
        Some(Transaction::Genesis(genesis)) => Some(DecodeContext::of(&genesis.draft)),
        _ => None,
    }
}

fn read_tip(db: &sled::Db, path: &Path) -> Result<Option<Tip>, StoreError> {
    let Some(bytes) = get(db, path, KEY_TIP)? else { return Ok(None) };
    let tip = bytes.split_first_chunk::<8>().and_then(|(height, hash)| {
        Some(Tip { height: u64::from_be_bytes(*height), hash: hash.try_into().ok()? })
    });
    match tip {
        Some(tip) => Ok(Some(tip)),
        None => Err(StoreError::Damaged { path: path.to_path_buf(), why: "the tip can't be read".into() }),
    }
}

pub(crate) fn decode_height(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}
