//! Two certified chains of one ledger, written down.

use serde::Serialize;
use std::io;
use std::path::{Path, PathBuf};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::hash::Hash;
use veilgrid_store::files::{make_private_directory, write_durably};

/// A block and its certificate in the form in which they are written down: hex, because whoever reads it checks it
/// with other programs too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertifiedHeader {
    /// Its height.
    pub height: u64,
    /// Its hash.
    pub block_hash: String,
    /// Hash of the block before it.
    pub parent_hash: String,
    /// The whole block, encoded.
    pub block: String,
    /// The certificate; none when one of a later block covers it.
    pub certificate: Option<String>,
}

impl CertifiedHeader {
    /// A block as evidence.
    pub fn of(block: &Block, certificate: Option<&[u8]>) -> Self {
        Self {
            height: block.header.height,
            block_hash: hex::encode(block.hash()),
            parent_hash: hex::encode(block.header.parent_hash),
            block: hex::encode(block.to_bytes()),
            certificate: certificate.map(hex::encode),
        }
    }
}

/// Proof that more than f validators signed two chains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ForkEvidence {
    /// The ledger.
    #[serde(serialize_with = "as_hex")]
    pub ledger_id: Hash,
    /// The last accepted block.
    pub ours: CertifiedHeader,
    /// The run that excludes it; its last block is certified.
    pub theirs: Vec<CertifiedHeader>,
}

fn as_hex<S: serde::Serializer>(value: &Hash, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(value))
}

impl ForkEvidence {
    /// Writes the evidence into `directory` and returns the file.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self, directory: &Path) -> io::Result<PathBuf> {
        make_private_directory(directory)?;
        let path = directory.join(format!("fork-{}.json", self.ours.height));
        write_durably(&path, &serde_json::to_vec_pretty(self)?)?;
        Ok(path)
    }
}
