//! The header of a key file and its bounds.

use super::KeyFileError;
use sha2::{Digest, Sha256};
use std::path::Path;
use veilgrid_crypto::wire::{Reader, WireError, Writer};
use veilgrid_ledger::room::MAX_SECRETS_BYTES;

/// The format that this program reads and writes.
pub(super) const VERSION: u16 = 1;
/// Most bytes of a key file: a validator's secrets in the largest network that a ledger takes, and what encloses them.
pub const MAX_FILE_BYTES: usize = MAX_SECRETS_BYTES + (1 << 20);
pub(super) const MAGIC: &[u8; 6] = b"VGKEYS";
pub(super) const SALT_BYTES: usize = 16;
pub(super) const NONCE_BYTES: usize = 12;
/// Magic, version, kind, cost, salt, nonce.
pub(super) const HEADER_BYTES: usize = 6 + 2 + 1 + 12 + SALT_BYTES + NONCE_BYTES;
/// Of AES-GCM.
pub(super) const TAG_BYTES: usize = 16;
pub(super) const CHECKSUM_BYTES: usize = 32;

/// Bounds of the derivation's cost when a file is read.
const MEMORY_KIB: std::ops::RangeInclusive<u32> = 8 * 1024..=256 * 1024;
const PASSES: std::ops::RangeInclusive<u32> = 1..=10;
const LANES: std::ops::RangeInclusive<u32> = 1..=4;
/// The same for people.
pub(super) const BOUNDS: &str = "8192 to 262144 KiB, 1 to 10 passes, 1 to 4 lanes";

/// What a key file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A validator's lasting keys.
    Validator,
    /// An aggregator's keys.
    Aggregator,
    /// A participant's keyring seed.
    Participant,
    /// A validator's secrets that change: key shares and open key sessions.
    ValidatorSecrets,
    /// The registrar's key.
    Registrar,
    /// The treasury's key.
    Treasury,
    /// The key of whoever asks for proofs of facts.
    Asker,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 7] = [
        Self::Validator,
        Self::Aggregator,
        Self::Participant,
        Self::ValidatorSecrets,
        Self::Registrar,
        Self::Treasury,
        Self::Asker,
    ];

    /// For messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Validator => "a validator's keys",
            Self::Aggregator => "an aggregator's keys",
            Self::Participant => "a participant's keys",
            Self::ValidatorSecrets => "a validator's secrets",
            Self::Registrar => "a registrar's key",
            Self::Treasury => "a treasury's key",
            Self::Asker => "an asker's key",
        }
    }

    pub(super) fn code(self) -> u8 {
        match self {
            Self::Validator => 1,
            Self::Aggregator => 2,
            Self::Participant => 3,
            Self::ValidatorSecrets => 4,
            Self::Registrar => 5,
            Self::Treasury => 6,
            Self::Asker => 7,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The name that the associated data end with.
    fn label(self) -> &'static [u8] {
        match self {
            Self::Validator => b"veilgrid/1/keyfile/validator",
            Self::Aggregator => b"veilgrid/1/keyfile/aggregator",
            Self::Participant => b"veilgrid/1/keyfile/participant",
            Self::ValidatorSecrets => b"veilgrid/1/keyfile/validator-secrets",
            Self::Registrar => b"veilgrid/1/keyfile/registrar",
            Self::Treasury => b"veilgrid/1/keyfile/treasury",
            Self::Asker => b"veilgrid/1/keyfile/asker",
        }
    }
}

/// What one derivation of the key costs, and so each guess of a passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory, KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes (argon2's parallelism).
    pub lanes: u32,
}

impl Default for Cost {
    fn default() -> Self {
        Self { memory_kib: 64 * 1024, passes: 3, lanes: 1 }
    }
}

impl Cost {
    /// The least that is accepted: for passphrases that are random keys themselves.
    pub const LEAST: Self = Self { memory_kib: *MEMORY_KIB.start(), passes: 1, lanes: 1 };

    fn is_accepted(&self) -> bool {
        MEMORY_KIB.contains(&self.memory_kib) && PASSES.contains(&self.passes) && LANES.contains(&self.lanes)
    }
}

/// Everything before the ciphertext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) cost: Cost,
    pub(super) salt: [u8; SALT_BYTES],
    pub(super) nonce: [u8; NONCE_BYTES],
}

/// A file split into its parts; nothing is decrypted.
pub(super) struct Parts<'a> {
    pub(super) header: Header,
    pub(super) ciphertext: &'a [u8],
}

impl Header {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.bytes(MAGIC).u16(VERSION).u8(self.kind.code());
        w.u32(self.cost.memory_kib).u32(self.cost.passes).u32(self.cost.lanes);
        w.bytes(&self.salt).bytes(&self.nonce);
        w.finish()
    }

    /// What the ciphertext is bound to: the whole header and the kind's name.
    pub(super) fn associated_data(&self) -> Vec<u8> {
        [&self.to_bytes(), self.kind.label()].concat()
    }
}

/// Splits a file and checks everything that needs no key, the cheapest first.
pub(super) fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<Parts<'a>, KeyFileError> {
    let damaged = || KeyFileError::Damaged { path: path.to_owned() };
    if !bytes.starts_with(MAGIC) {
        return Err(KeyFileError::NoKeyFile { path: path.to_owned() });
    }
    let body = bytes.len().checked_sub(CHECKSUM_BYTES).and_then(|end| bytes.split_at_checked(end));
    let (body, sum) = body.ok_or_else(damaged)?;
    if checksum(body).as_slice() != sum {
        return Err(damaged());
    }
    let (header, ciphertext) = body.split_at_checked(HEADER_BYTES).ok_or_else(damaged)?;
    let header = read_header(path, header).map_err(|fault| fault.unwrap_or_else(|_| damaged()))?;
    if ciphertext.len() < TAG_BYTES {
        return Err(damaged());
    }
    Ok(Parts { header, ciphertext })
}

/// A header, a rule that it breaks, or a length that can't be.
fn read_header(path: &Path, bytes: &[u8]) -> Result<Header, Result<KeyFileError, WireError>> {
    let path = path.to_owned();
    let mut r = Reader::new(bytes);
    r.bytes("magic", MAGIC.len()).map_err(Err)?;
    let found = r.u16("version").map_err(Err)?;
    if found != VERSION {
        return Err(Ok(KeyFileError::Version { path, found }));
    }
    let found = r.u8("kind").map_err(Err)?;
    let Some(kind) = Kind::from_code(found) else {
        return Err(Ok(KeyFileError::UnknownKind { path, found }));
    };
    let cost = Cost {
        memory_kib: r.u32("memory").map_err(Err)?,
        passes: r.u32("passes").map_err(Err)?,
        lanes: r.u32("lanes").map_err(Err)?,
    };
    if !cost.is_accepted() {
        let Cost { memory_kib, passes, lanes } = cost;
        return Err(Ok(KeyFileError::Cost { path, memory_kib, passes, lanes }));
    }
    Ok(Header { kind, cost, salt: r.array("salt").map_err(Err)?, nonce: r.array("nonce").map_err(Err)? })
}

/// The sum at the end of a file.
pub(super) fn checksum(body: &[u8]) -> [u8; CHECKSUM_BYTES] {
    Sha256::digest(body).into()
}
