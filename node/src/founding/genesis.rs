//! Block 0 of a network: assembling, writing and reading it.

use super::{FoundingError, FoundingPlan, PublicPart};
use rand_core::CryptoRngCore;
use std::io::{Read, Write};
use std::path::Path;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::builder::genesis_block;
use veilgrid_ledger::community::Community;
use veilgrid_ledger::genesis::{FORMAT_VERSION, Genesis, GenesisDraft, NetworkKeys};
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::transaction::{DecodeContext, Transaction};

/// Most bytes of a genesis: 2^20 members and 128 validators are less.
const MAX_GENESIS_BYTES: u64 = 64 << 20;
/// The number of a network's first key session.
const FIRST_SESSION: u64 = 1;

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

/// Makes block 0 from the plan and everybody's public parts; validators are numbered in the order in which they come.
///
/// # Errors
/// [`FoundingError`]: not exactly one aggregator, keys of another epoch, and every rule of the genesis.
pub fn assemble(
    plan: &FoundingPlan,
    parts: &[PublicPart],
    now_unix_ms: u64,
    rng: &mut impl CryptoRngCore,
) -> Result<GenesisFile, FoundingError> {
    let (mut validators, mut network, mut aggregators, mut members) = (vec![], vec![], vec![], vec![]);
    for part in parts {
        match *part {
            PublicPart::Validator { signing_key, consensus_key, envelope_key } => {
                validators.push(signing_key.0);
                network.push(NetworkKeys { consensus_key: consensus_key.0, envelope_key: envelope_key.0 });
            }
            PublicPart::Aggregator { receipt_key, envelope_key } => {
                aggregators.push((receipt_key, envelope_key))
            }
            PublicPart::Participant { account_key, key_epoch } if key_epoch != plan.key_epoch => {
                let (account, expected) = (account_key.to_string(), plan.key_epoch);
                return Err(FoundingError::KeyEpoch { account, found: key_epoch, expected });
            }
            PublicPart::Participant { account_key, .. } => members.push(account_key.0),
        }
    }
    let [(receipt_key, envelope_key)] = aggregators[..] else {
        return Err(FoundingError::Aggregators { found: aggregators.len() });
    };
    members.sort_unstable();
    if let Some((account, _)) = members.iter().zip(members.iter().skip(1)).find(|(a, b)| a == b) {
        return Err(FoundingError::Repeated { account: hex::encode(account) });
    }
    let params = plan.params(u16::try_from(validators.len()).unwrap_or(u16::MAX))?;
    let mut nonce = [0u8; 32];
    rng.fill_bytes(&mut nonce);
    let draft = GenesisDraft {
        format_version: FORMAT_VERSION,
        nonce,
        params,
        validators,
        aggregator_receipt_key: receipt_key.0,
        aggregator_envelope_key: envelope_key.0,
        members,
        key_epoch: plan.key_epoch,
        keygen_session: FIRST_SESSION,
        network: Some(network),
    };
    let genesis = Genesis::new(draft, vec![])?;
    let ledger_id = genesis.ledger_id();
    let block = genesis_block(genesis, now_unix_ms);
    Ok(GenesisFile { hash: block.hash(), ledger_id, block })
}

/// Reads block 0 of a network from a file, whoever needs it. Its rules are checked by whoever executes it
/// ([`GenesisFile::read`], `State::from_genesis_block`).
///
/// # Errors
/// A file that can't be read or is no block 0 of a network, and another hash than `trusted`.
pub fn read_genesis(path: &Path, trusted: Option<&Hash>) -> Result<Block, FoundingError> {
    read_genesis_from(path, open(path)?, trusted)
}

/// The same from elsewhere; `path` is for messages.
fn read_genesis_from(path: &Path, source: impl Read, trusted: Option<&Hash>) -> Result<Block, FoundingError> {
    let bytes = read_all(path, source, MAX_GENESIS_BYTES)?;
    let block = Block::from_bytes(&bytes, &DecodeContext::Genesis)
        .map_err(|reason| FoundingError::Decode { path: path.to_owned(), reason })?;
    let hash = block.hash();
    // Before anything else of it is believed.
    if let Some(trusted) = trusted.filter(|trusted| **trusted != hash) {
        let (found, trusted) = (hex::encode(hash), hex::encode(trusted));
        return Err(FoundingError::WrongHash { path: path.to_owned(), found, trusted });
    }
    network_genesis(path, &block)?;
    Ok(block)
}

/// The genesis of a network in its block 0.
fn network_genesis<'a>(path: &Path, block: &'a Block) -> Result<&'a Genesis, FoundingError> {
    let other = |reason| FoundingError::NoNetwork { path: path.to_owned(), reason };
    let genesis =
        genesis_of(block).ok_or_else(|| other("block 0 has to hold the genesis and nothing else"))?;
    if block.header.height != 0 || block.check_body().is_err() {
        return Err(other("its header does not fit its content; get the file again"));
    }
    if genesis.draft.network.is_none() {
        return Err(other("the ledger of a single process; a network needs one from `veilgrid found`"));
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
    /// Reads a genesis file with all checks.
    ///
    /// # Errors
    /// As [`read_genesis`], and whatever breaks a rule of the genesis.
    pub fn read(path: &Path, trusted: Option<Hash>) -> Result<Self, FoundingError> {
        Self::read_from(path, open(path)?, trusted)
    }

    /// The same from elsewhere; `path` is for messages.
    ///
    /// # Errors
    /// As [`GenesisFile::read`].
    pub fn read_from(path: &Path, source: impl Read, trusted: Option<Hash>) -> Result<Self, FoundingError> {
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
    /// [`FoundingError::Unwritable`].
    pub fn write(&self, path: &Path) -> Result<(), FoundingError> {
        write_new(path, &self.block.to_bytes())
    }
}

fn open(path: &Path) -> Result<std::fs::File, FoundingError> {
    std::fs::File::open(path).map_err(|reason| FoundingError::Unreadable { path: path.to_owned(), reason })
}

/// Reads a source of at most `bound` bytes; `path` is for messages.
pub(super) fn read_all(path: &Path, source: impl Read, bound: u64) -> Result<Vec<u8>, FoundingError> {
    let mut bytes = Vec::new();
    source
        .take(bound + 1)
        .read_to_end(&mut bytes)
        .map_err(|reason| FoundingError::Unreadable { path: path.to_owned(), reason })?;
    if bytes.len() as u64 > bound {
        return Err(FoundingError::TooLarge { path: path.to_owned(), bound });
    }
    Ok(bytes)
}

/// Writes a new file, flushed.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), FoundingError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    write_with(&options, path, bytes)
}

/// Writes a new file that only its owner may read.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), FoundingError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    write_with(&options, path, bytes)
}

fn write_with(options: &std::fs::OpenOptions, path: &Path, bytes: &[u8]) -> Result<(), FoundingError> {
    let written = options.open(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        crate::files::sync_directory(path)
    });
    written.map_err(|reason| FoundingError::Unwritable { path: path.to_owned(), reason })
}
