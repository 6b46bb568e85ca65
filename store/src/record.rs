//! How a block is stored: in the database when it is small, in a file of its own when it is not.
//!
//! The database never gives the space of a replaced large value back, and writes it several times on the way. So a
//! large block lies in `bodies/`, and pruning it removes a file:
//!
//! ```text
//! record  0 ‖ block            1 ‖ pruned block                 small
//!         2 ‖ SHA-256          3 ‖ SHA-256                      of bodies/<height>.full, bodies/<height>.pruned
//! ```
//!
//! A file is on disk before its record is written, and goes after its record has. A file without a record is what a
//! crash left.

use crate::durable::{create_directories, sync_directory};
use crate::error::StoreError;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use veilgrid_ledger::block::{Block, BlockHeader, MAX_BLOCK_BYTES};
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::pruned::PrunedBlock;
use veilgrid_ledger::transaction::{DecodeContext, Transaction};

/// Blocks up to this length lie in the database.
const INLINE_BYTES: usize = 4096;
const DIRECTORY: &str = "bodies";

/// The two forms of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Full,
    Pruned,
}

/// A block as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// All of it.
    Full(Block),
    /// Its bids are digests only.
    Pruned(PrunedBlock),
}

impl Stored {
    /// The header, which pruning leaves as it is.
    pub fn header(&self) -> &BlockHeader {
        match self {
            Self::Full(block) => &block.header,
            Self::Pruned(block) => &block.header,
        }
    }

    pub(crate) fn form(&self) -> Form {
        match self {
            Self::Full(_) => Form::Full,
            Self::Pruned(_) => Form::Pruned,
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Full(block) => block.to_bytes(),
            Self::Pruned(block) => block.to_bytes(),
        }
    }
}

/// The files of large blocks.
#[derive(Debug)]
pub(crate) struct Bodies {
    directory: PathBuf,
}

impl Bodies {
    /// The bodies of a store's directory.
    pub(crate) fn of(store: &Path) -> Self {
        Self { directory: store.join(DIRECTORY) }
    }

    /// Makes the directory.
    pub(crate) fn create(&self) -> Result<(), StoreError> {
        create_directories(&self.directory, &fs::DirBuilder::new())
            .map_err(|source| StoreError::io(&self.directory, source))
    }

    pub(crate) fn path(&self, height: u64, form: Form) -> PathBuf {
        self.directory.join(file_name(height, form))
    }

    /// Returns the record of a block. What it names is on disk then.
    pub(crate) fn put(&self, height: u64, form: Form, bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
        if bytes.len() <= INLINE_BYTES {
            return Ok([&[form as u8], bytes].concat());
        }
        let path = self.path(height, form);
        // Whatever lies there has no record: a crash left it.
        let write = || -> io::Result<()> {
            let mut file = File::create(&path)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            sync_directory(&self.directory)
        };
        write().map_err(|source| StoreError::io(&path, source))?;
        Ok([&[form as u8 + 2], Sha256::digest(bytes).as_slice()].concat())
    }

    /// The form and the bytes that a record stands for. The inner error says what is wrong with them.
    pub(crate) fn resolve(
        &self,
        height: u64,
        record: &[u8],
    ) -> Result<Result<(Form, Vec<u8>), String>, StoreError> {
        let Some((tag, content)) = record.split_first() else { return Ok(Err("it is cut off".into())) };
        let form = match tag {
            0 | 2 => Form::Full,
            1 | 3 => Form::Pruned,
            _ => return Ok(Err(format!("no record begins with {tag}"))),
        };
        if *tag < 2 {
            return Ok(Ok((form, content.to_vec())));
        }
        let bytes = match self.read(height, form)? {
            Ok(bytes) => bytes,
            Err(why) => return Ok(Err(why)),
        };
        if Sha256::digest(&bytes).as_slice() != content {
            return Ok(Err(format!("{DIRECTORY}/{} was changed", file_name(height, form))));
        }
        Ok(Ok((form, bytes)))
    }

    /// A file's bytes, whatever they are.
    pub(crate) fn read(&self, height: u64, form: Form) -> Result<Result<Vec<u8>, String>, StoreError> {
        let path = self.path(height, form);
        let name = file_name(height, form);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Err(format!("{DIRECTORY}/{name} is missing")));
            }
            Err(source) => return Err(StoreError::io(&path, source)),
        };
        let mut bytes = Vec::new();
        let bound = MAX_BLOCK_BYTES as u64 + 1;
        file.take(bound).read_to_end(&mut bytes).map_err(|source| StoreError::io(&path, source))?;
        Ok(if bytes.len() as u64 == bound {
            Err(format!("{DIRECTORY}/{name} is too long"))
        } else {
            Ok(bytes)
        })
    }

    /// Removes a file whose record is gone.
    pub(crate) fn remove(&self, height: u64, form: Form) -> Result<(), StoreError> {
        let path = self.path(height, form);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io(&path, error)),
            _ => Ok(()),
        }
    }

    /// Removes what a crash has left at the heights from `from` to the one after the tip: files that no record there names.
    pub(crate) fn keep_named(&self, named: &BTreeSet<String>, from: u64, tip: u64) -> Result<(), StoreError> {
        for height in from..=tip.saturating_add(1) {
            for form in [Form::Full, Form::Pruned] {
                if !named.contains(&file_name(height, form)) {
                    self.remove(height, form)?;
                }
            }
        }
        Ok(())
    }

    /// Removes the files that no record names.
    pub(crate) fn keep_only(&self, named: &BTreeSet<String>) -> Result<(), StoreError> {
        let failed = |source| StoreError::io(&self.directory, source);
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let ours = entry.file_name().into_string().ok().filter(|name| is_file_name(name));
            if let Some(name) = ours.filter(|name| !named.contains(name)) {
                tracing::info!(name, "a block's file without a record is removed");
                fs::remove_file(entry.path()).map_err(|source| StoreError::io(&entry.path(), source))?;
            }
        }
        Ok(())
    }
}

/// The file that a record names.
pub(crate) fn named_file(height: u64, record: &[u8]) -> Option<String> {
    match record.first() {
        Some(2) => Some(file_name(height, Form::Full)),
        Some(3) => Some(file_name(height, Form::Pruned)),
        _ => None,
    }
}

fn file_name(height: u64, form: Form) -> String {
    let extension = match form {
        Form::Full => "full",
        Form::Pruned => "pruned",
    };
    format!("{height:016x}.{extension}")
}

fn is_file_name(name: &str) -> bool {
    let Some((height, extension)) = name.split_once('.') else { return false };
    height.len() == 16
        && height.bytes().all(|byte| byte.is_ascii_hexdigit())
        && matches!(extension, "full" | "pruned")
}

/// Checks a chain of stored blocks, one after another. The hash of the header names all of it, its body hash what is
/// left of the body, and the child or the tip names the hash: so that no byte of a record can change unseen.
pub(crate) struct Chain {
    pub(crate) height: u64,
    pub(crate) parent: Hash,
    pub(crate) context: DecodeContext,
}

impl Chain {
    pub(crate) fn new() -> Self {
        Self { height: 0, parent: [0; 32], context: DecodeContext::Genesis }
    }

    /// Takes the next block, or says what is wrong with it.
    pub(crate) fn take(&mut self, form: Form, bytes: &[u8]) -> Result<Stored, String> {
        let stored = decode(form, bytes, &self.context)?;
        let header = stored.header();
        if header.height != self.height {
            return Err("it has another height".into());
        }
        if header.parent_hash != self.parent {
            return Err("its parent is not the block before it".into());
        }
        let whole = match &stored {
            Stored::Full(block) => block.check_body().is_ok(),
            Stored::Pruned(block) => block.check_body().is_ok(),
        };
        if !whole {
            return Err("its content was changed".into());
        }
        if self.height == 0 {
            self.context = later_context(&stored).ok_or("it is no genesis block")?;
        }
        self.parent = header.hash();
        self.height += 1;
        Ok(stored)
    }
}

/// Decodes a stored block.
pub(crate) fn decode(form: Form, bytes: &[u8], context: &DecodeContext) -> Result<Stored, String> {
    let decoded = match form {
        Form::Full => Block::from_bytes(bytes, context).map(Stored::Full),
        Form::Pruned => PrunedBlock::from_bytes(bytes, context).map(Stored::Pruned),
    };
    decoded.map_err(|error| format!("it can't be read: {error}"))
}

/// How the blocks after a genesis are decoded.
pub(crate) fn later_context(genesis: &Stored) -> Option<DecodeContext> {
    let Stored::Full(block) = genesis else { return None };
    match block.transactions.first() {
        Some(Transaction::Genesis(genesis)) => Some(DecodeContext::of(genesis)),
        _ => None,
    }
}
