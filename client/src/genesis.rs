//! Block 0 of a network as a file: whoever follows the ledger trusts it by its hash.

use std::io::Read;
use std::path::{Path, PathBuf};
use thiserror::Error;
use veilgrid_crypto::wire::WireError;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::builder::genesis_block;
use veilgrid_ledger::community::Community;
use veilgrid_ledger::genesis::{FORMAT_FIELD, Genesis, GenesisError};
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::transaction::{DecodeContext, Transaction};
use veilgrid_store::files::{self, FileError, read_at_most, write_new};

/// Most bytes of a genesis: 2^20 members and 128 validators are less.
const MAX_GENESIS_BYTES: u64 = 64 << 20;

/// Block 0 after all its checks.
#[derive(Clone, Debug)]
pub struct GenesisFile {
    /// The block.
    pub block: Block,
    /// Its hash, by which people name the network.
    pub hash: Hash,
    /// The ledger's identity.
    pub ledger_id: Hash,
}

/// What helps against bytes that are no genesis. A genesis of another format says itself what reads it.
fn get_again(reason: &WireError) -> &'static str {
    match reason {
        WireError::Invalid { field, .. } if *field == FORMAT_FIELD => "",
        _ => "; get the file again from whoever founded the network",
    }
}

/// Why a file holds no genesis of a network, or not the trusted one. One variant per rule.
#[derive(Debug, Error)]
#[allow(missing_docs)] // The fields are what the messages say.
pub enum GenesisFileError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] FileError),
    /// "The genesis file holds block 0."
    #[error("genesis {}: {reason}{}", path.display(), get_again(reason))]
    Decode { path: PathBuf, reason: WireError },
    /// "Block 0 holds a genesis and nothing else, and is of a network."
    #[error("genesis {}: {reason}", path.display())]
    NoNetwork { path: PathBuf, reason: &'static str },
    /// "The genesis is the one that is trusted."
    #[error(
        "genesis {}: its hash is {found}, trusted is {trusted}: this is another network's file, or somebody changed it; \
         ask a second source for the hash before you change genesis_hash",
        path.display()
    )]
    WrongHash { path: PathBuf, found: String, trusted: String },
    /// "The genesis keeps all rules of the ledger."
    #[error("genesis: {0}")]
    Genesis(#[from] GenesisError),
}

/// Reads block 0 of a network from a file, whoever needs it. Its rules are checked by whoever executes it
/// ([`GenesisFile::read`], `State::from_genesis_block`).
///
/// # Errors
/// A file that can't be read or is no block 0 of a network, and another hash than `trusted`.
pub fn read_genesis(path: &Path, trusted: Option<&Hash>) -> Result<Block, GenesisFileError> {
    read_genesis_from(path, files::open(path)?, trusted)
}

/// The same from elsewhere; `path` is for messages.
fn read_genesis_from(
    path: &Path,
    source: impl Read,
    trusted: Option<&Hash>,
) -> Result<Block, GenesisFileError> {
    let bytes = read_at_most(path, source, MAX_GENESIS_BYTES)?;
    let block = Block::from_bytes(&bytes, &DecodeContext::Genesis)
        .map_err(|reason| GenesisFileError::Decode { path: path.to_owned(), reason })?;
    let hash = block.hash();
    // Before anything else of it is believed.
    if let Some(trusted) = trusted.filter(|trusted| **trusted != hash) {
        let (found, trusted) = (hex::encode(hash), hex::encode(trusted));
        return Err(GenesisFileError::WrongHash { path: path.to_owned(), found, trusted });
    }
    network_genesis(path, &block)?;
    Ok(block)
}

/// The genesis of a network in its block 0.
fn network_genesis<'a>(path: &Path, block: &'a Block) -> Result<&'a Genesis, GenesisFileError> {
    let other = |reason| GenesisFileError::NoNetwork { path: path.to_owned(), reason };
    let genesis =
        genesis_of(block).ok_or_else(|| other("block 0 has to hold the genesis and nothing else"))?;
    if block.header.height != 0 || block.check_body().is_err() {
        return Err(other("its header does not fit its content; get the file again"));
    }
    Ok(genesis)
}

/// The genesis in a block 0.
pub fn genesis_of(block: &Block) -> Option<&Genesis> {
    match &block.transactions[..] {
        [Transaction::Genesis(genesis)] => Some(genesis),
        _ => None,
    }
}

impl GenesisFile {
    /// A block 0 that was made here.
    pub fn of(genesis: Genesis, now_unix_ms: u64) -> Self {
        let ledger_id = genesis.ledger_id();
        let block = genesis_block(genesis, now_unix_ms);
        Self { hash: block.hash(), ledger_id, block }
    }

    /// Reads a genesis file with all checks.
    ///
    /// # Errors
    /// As [`read_genesis`], and whatever breaks a rule of the genesis.
    pub fn read(path: &Path, trusted: Option<Hash>) -> Result<Self, GenesisFileError> {
        Self::read_from(path, files::open(path)?, trusted)
    }

    /// The same from elsewhere; `path` is for messages.
    ///
    /// # Errors
    /// As [`GenesisFile::read`].
    pub fn read_from(
        path: &Path,
        source: impl Read,
        trusted: Option<Hash>,
    ) -> Result<Self, GenesisFileError> {
        let block = read_genesis_from(path, source, trusted.as_ref())?;
        let ledger_id = Community::verify(network_genesis(path, &block)?.clone())?.ledger_id();
        Ok(Self { hash: block.hash(), ledger_id, block })
    }

    /// The genesis in the block.
    pub fn genesis(&self) -> Option<&Genesis> {
        genesis_of(&self.block)
    }

    /// Writes the file; one that exists is not overwritten.
    ///
    /// # Errors
    /// [`FileError::Unwritable`].
    pub fn write(&self, path: &Path) -> Result<(), FileError> {
        write_new(path, &self.block.to_bytes())
    }
}
