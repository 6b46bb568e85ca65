//! The encoding of a validator's secrets:
//!
//! ```text
//! version u8 (1) | signing key's public half 32 | ledger (flag, 32) | height u64 | shares in force (flag, held) |
//! next shares (flag, held) | part of the session in progress (flag, ...) | releases
//! held = session u64, blob
//! ```

use super::KeyHolder;
use super::bytes::{Sink, read_option};
use super::guard::ReleaseGuard;
use super::held::Held;
use super::running::Running;
use std::collections::BTreeSet;
use thiserror::Error;
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_crypto::secret::Secret;
use veilgrid_crypto::wire::{Reader, WireError};

const VERSION: u8 = 1;

/// Why stored secrets cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SecretsError {
    /// "A program reads the version that it writes."
    #[error(
        "the validator's secrets have version {found}, this program reads version {VERSION}; use the program that wrote them"
    )]
    Version {
        /// Stated version.
        found: u8,
    },
    /// "Secrets belong to one validator."
    #[error("the secrets belong to another validator than the signing key; the files were swapped")]
    OtherValidator,
    /// "Secrets have one encoding."
    #[error(
        "the validator's secrets are damaged: {0}; restore the file, or start without it and wait for the next resharing"
    )]
    Encoding(#[from] WireError),
}

impl KeyHolder {
    /// Everything that has to survive, in one canonical encoding. Secret; to be stored encrypted.
    pub fn to_bytes(&self) -> Secret<Vec<u8>> {
        Sink::collect(|sink| {
            sink.u8(VERSION);
            sink.bytes(&self.verifying_key().to_bytes());
            sink.option(self.ledger_id.as_ref(), |sink, ledger_id| sink.bytes(ledger_id));
            sink.u64(self.height);
            sink.option(self.current.as_ref(), |sink, held| held.write(sink));
            sink.option(self.next.as_ref(), |sink, held| held.write(sink));
            sink.option(self.running.as_ref(), |sink, running| running.write(sink));
            self.guard.write(sink);
        })
    }

    /// A validator after a restart.
    ///
    /// # Errors
    /// [`SecretsError`] for another validator's secrets, another version, or bytes that are no encoding.
    pub fn restore(signing_key: SigningKey, secrets: &[u8]) -> Result<Self, SecretsError> {
        let mut r = Reader::new(secrets);
        let found = r.u8("version")?;
        if found != VERSION {
            return Err(SecretsError::Version { found });
        }
        let owner: PointBytes = r.array("signing key")?;
        if owner != signing_key.verifying_key().to_bytes() {
            return Err(SecretsError::OtherValidator);
        }
        let ledger_id = read_option(&mut r, |r| r.array("ledger id"))?;
        let height = r.u64("height")?;
        let current = read_option(&mut r, Held::read)?;
        let next = read_option(&mut r, Held::read)?;
        let running = read_option(&mut r, Running::read)?;
        let guard = ReleaseGuard::read(&mut r)?;
        r.finish()?;
        let (emitted, noticed) = (BTreeSet::new(), BTreeSet::new());
        Ok(Self { signing_key, ledger_id, height, current, next, running, guard, emitted, noticed })
    }
}
