//! Key files: secrets at rest under a passphrase.
//!
//! ```text
//! "VGKEYS" ‖ version (2) ‖ kind (1) ‖ argon2id: memory in KiB (4), passes (4), lanes (4)
//!          ‖ salt (16) ‖ nonce (12) ‖ AES-256-GCM(content) with its tag ‖ SHA-256 of all before (32)
//! ```
//!
//! # Security
//!
//! The key is argon2id of the passphrase and the salt. The associated data are the whole header and the name of the
//! kind, so neither the parameters nor the kind of a file can be changed and no file opens as another kind. The sum at
//! the end tells a damaged file from a wrong passphrase before any work is done; it proves nothing against an
//! attacker, the tag does. Parameters are bounded when they are read: a hostile file can't take all memory.
//!
//! # Restored backups
//!
//! Keys that never change (signing, consensus, envelope, the seed of a member's keyring) may be restored at any time. A validator's
//! changing secrets are worth something only while the sharing that they belong to is in force. Every refresh and every
//! resharing replaces that sharing; shares of an earlier one open nothing, and no refresh makes them good again, because
//! a refresh adds to the shares of those who hold the present ones. Whoever has restored too old a file is where
//! somebody without one is: it announces no key in the next refresh, the ledger learns so that it lacks shares, and the
//! epoch after that begins with a resharing, which gives it new ones. An old file does no harm: what the ledger has of
//! this validator is not made a second time. Its engine's journal is another matter: it must never be older than what
//! the validator has signed. Secrets files belong to the key file under whose [`KeyVault`] they were written: one from
//! another validator, or from a time before the key file was made anew, is refused as [`KeyFileError::OtherVault`].

mod contents;
mod format;
#[cfg(test)]
mod tests;
mod vault;
pub mod words;

use std::path::PathBuf;
use thiserror::Error;
use veilgrid_crypto::wire::WireError;

pub use contents::{
    AggregatorKeys, AskerKeys, Contents, ParticipantKeys, RegistrarKeys, TreasuryKeys, ValidatorKeys,
};
pub use format::{Cost, Kind, MAX_FILE_BYTES};
pub(crate) use vault::is_open_to_others;
pub use vault::{KeyVault, create, open, peek_kind};

/// Why a key file was refused or not written. One variant per rule.
#[derive(Debug, Error)]
#[allow(missing_docs)] // The fields are what the messages say.
pub enum KeyFileError {
    /// "The file can be read."
    #[error("key file {}: {reason}; name a file that `veilgrid keys new` wrote and that this user may read", path.display())]
    Unreadable { path: PathBuf, reason: std::io::Error },
    /// "Nobody but the owner may read it."
    #[error("key file {}: other users may read it (mode {mode:o}); run: chmod 600 {}", path.display(), path.display())]
    Permissions { path: PathBuf, mode: u32 },
    /// "It begins with the magic bytes."
    #[error("{}: this is no veilgrid key file; name one that `veilgrid keys new` wrote", path.display())]
    NoKeyFile { path: PathBuf },
    /// "A program reads the versions that it knows."
    #[error("key file {}: format {found}, this program reads format {}; use a newer program", path.display(), format::VERSION)]
    Version { path: PathBuf, found: u16 },
    /// "Its checksum is right."
    #[error("key file {} is damaged: its checksum is wrong; restore it from a backup", path.display())]
    Damaged { path: PathBuf },
    /// "It is not larger than any key file."
    #[error("key file {}: {bytes} bytes, no key file has more than {MAX_FILE_BYTES}", path.display())]
    TooLarge { path: PathBuf, bytes: u64 },
    /// "The cost of the key derivation is within its bounds."
    #[error(
        "key file {}: argon2id with {memory_kib} KiB, {passes} passes and {lanes} lanes is outside of what is accepted \
         ({}); the file does not come from this program",
        path.display(), format::BOUNDS
    )]
    Cost { path: PathBuf, memory_kib: u32, passes: u32, lanes: u32 },
    /// "It holds what is asked for."
    #[error("key file {} holds {}, not {}; name the right file", path.display(), found.name(), asked.name())]
    Kind { path: PathBuf, found: Kind, asked: Kind },
    /// "Its kind is known."
    #[error("key file {}: kind {found} is unknown; use a newer program", path.display())]
    UnknownKind { path: PathBuf, found: u8 },
    /// "The passphrase is the one under which it was written."
    #[error("key file {}: the passphrase is wrong (or somebody altered the file); try again", path.display())]
    WrongPassphrase { path: PathBuf },
    /// "A secrets file was written under the same key file."
    #[error(
        "{}: written under another key file; restore the key file and the secrets of one and the same validator, or \
         remove this file to join without shares",
        path.display()
    )]
    OtherVault { path: PathBuf },
    /// "A secrets file is whole." Its key is right, so somebody altered it.
    #[error("{}: the file was altered; restore it from a backup", path.display())]
    Altered { path: PathBuf },
    /// "Its content is canonical."
    #[error("key file {}: its content makes no sense ({reason}); it comes from another program", path.display())]
    Content { path: PathBuf, reason: WireError },
    /// "No key is overwritten."
    #[error("key file {} exists already; name a new file, keys are never overwritten", path.display())]
    Exists { path: PathBuf },
    /// "The file can be written."
    #[error("key file {}: can't be written: {reason}; check the folder, its permissions and the space on the disk", path.display())]
    Unwritable { path: PathBuf, reason: std::io::Error },
    /// "The content is not larger than any key file."
    #[error("{}: {bytes} bytes of secrets, a key file holds at most {MAX_FILE_BYTES}", path.display())]
    ContentTooLarge { path: PathBuf, bytes: usize },
    /// The machine has no memory for the derivation.
    #[error("argon2id with {memory_kib} KiB of memory: {reason}; free some memory")]
    Derivation { memory_kib: u32, reason: String },
}
