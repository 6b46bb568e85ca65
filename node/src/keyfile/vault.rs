//! Reading and writing key files.

use super::format::{
    CHECKSUM_BYTES, HEADER_BYTES, Header, NONCE_BYTES, SALT_BYTES, TAG_BYTES, checksum, parse,
};
use super::{Contents, Cost, KeyFileError, Kind, MAX_FILE_BYTES};
use crate::passphrase::Passphrase;
use aes_gcm::aead::AeadInPlace;
use aes_gcm::{Aes256Gcm, KeyInit};
use argon2::{Algorithm, Argon2, Params, Version};
use rand_core::CryptoRngCore;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use veilgrid_crypto::secret::Secret;

/// The key of one key file, derived once, under which a process writes its further secret files.
///
/// Those carry the same cost and salt, so that the passphrase alone still opens each of them, and a fresh random nonce
/// each: below 2^32 writes two nonces practically never meet.
#[derive(Debug)]
pub struct KeyVault {
    key: Secret<[u8; 32]>,
    cost: Cost,
    salt: [u8; SALT_BYTES],
}

/// Writes a new key file; an existing one is never overwritten.
///
/// # Errors
/// [`KeyFileError::Exists`], [`KeyFileError::Unwritable`], or no memory for the derivation.
pub fn create<C: Contents>(
    path: &Path,
    contents: &C,
    passphrase: &Passphrase,
    cost: Cost,
    rng: &mut impl CryptoRngCore,
) -> Result<KeyVault, KeyFileError> {
    // Before the derivation: it is slow.
    if path.exists() {
        return Err(KeyFileError::Exists { path: path.to_owned() });
    }
    let mut salt = [0u8; SALT_BYTES];
    rng.fill_bytes(&mut salt);
    let vault = KeyVault::derive(passphrase, cost, salt)?;
    let bytes = vault.seal(path, C::KIND, contents.encode().expose(), rng)?;
    write_atomic(path, &bytes, Existing::Keep)?;
    Ok(vault)
}

/// Opens a key file.
///
/// # Errors
/// [`KeyFileError`].
pub fn open<C: Contents>(path: &Path, passphrase: &Passphrase) -> Result<(KeyVault, C), KeyFileError> {
    let bytes = read_private(path)?;
    let parts = parse(path, &bytes)?;
    if parts.header.kind != C::KIND {
        return Err(KeyFileError::Kind { path: path.to_owned(), found: parts.header.kind, asked: C::KIND });
    }
    let vault = KeyVault::derive(passphrase, parts.header.cost, parts.header.salt)?;
    let content = vault
        .decrypt(&parts.header, parts.ciphertext)
        .ok_or_else(|| KeyFileError::WrongPassphrase { path: path.to_owned() })?;
    let contents = C::decode(content.expose())
        .map_err(|reason| KeyFileError::Content { path: path.to_owned(), reason })?;
    Ok((vault, contents))
}

/// What a key file says that it holds; proven only once it is opened.
///
/// # Errors
/// [`KeyFileError`].
pub fn peek_kind(path: &Path) -> Result<Kind, KeyFileError> {
    Ok(parse(path, &read_private(path)?)?.header.kind)
}

impl KeyVault {
    fn derive(passphrase: &Passphrase, cost: Cost, salt: [u8; SALT_BYTES]) -> Result<Self, KeyFileError> {
        let failed = |reason: argon2::Error| KeyFileError::Derivation {
            memory_kib: cost.memory_kib,
            reason: reason.to_string(),
        };
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).map_err(failed)?;
        let mut key = Secret::new([0u8; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.expose(), &salt, key.expose_mut())
            .map_err(failed)?;
        Ok(Self { key, cost, salt })
    }

    /// Writes a secret file in place of an earlier one, whole or not at all and durable on return.
    ///
    /// # Errors
    /// [`KeyFileError::Unwritable`], [`KeyFileError::ContentTooLarge`].
    pub fn replace(
        &self,
        path: &Path,
        kind: Kind,
        content: &Secret<Vec<u8>>,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), KeyFileError> {
        let bytes = self.seal(path, kind, content.expose(), rng)?;
        write_atomic(path, &bytes, Existing::Replace)
    }

    /// Reads a secret file that was written under this vault; none if there is no file.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn read(&self, path: &Path, kind: Kind) -> Result<Option<Secret<Vec<u8>>>, KeyFileError> {
        let bytes = match read_private(path) {
            Err(KeyFileError::Unreadable { reason, .. }) if reason.kind() == std::io::ErrorKind::NotFound => {
                return Ok(None);
            }
            read => read?,
        };
        let parts = parse(path, &bytes)?;
        if parts.header.kind != kind {
            return Err(KeyFileError::Kind { path: path.to_owned(), found: parts.header.kind, asked: kind });
        }
        if parts.header.salt != self.salt || parts.header.cost != self.cost {
            return Err(KeyFileError::OtherVault { path: path.to_owned() });
        }
        let content = self.decrypt(&parts.header, parts.ciphertext);
        content.map(Some).ok_or_else(|| KeyFileError::Altered { path: path.to_owned() })
    }

    /// The bytes of a file with this content.
    pub(super) fn seal(
        &self,
        path: &Path,
        kind: Kind,
        content: &[u8],
        rng: &mut impl CryptoRngCore,
    ) -> Result<Vec<u8>, KeyFileError> {
        let length = HEADER_BYTES + content.len() + TAG_BYTES + CHECKSUM_BYTES;
        if length > MAX_FILE_BYTES {
            return Err(KeyFileError::ContentTooLarge { path: path.to_owned(), bytes: content.len() });
        }
        let mut nonce = [0u8; NONCE_BYTES];
        rng.fill_bytes(&mut nonce);
        let header = Header { kind, cost: self.cost, salt: self.salt, nonce };
        // Final size at once: what is encrypted in place below must not have been copied before.
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(&header.to_bytes());
        bytes.extend_from_slice(content);
        let tag = self
            .cipher()
            .encrypt_in_place_detached(&nonce.into(), &header.associated_data(), &mut bytes[HEADER_BYTES..])
            .map_err(|_| KeyFileError::ContentTooLarge { path: path.to_owned(), bytes: content.len() })?;
        bytes.extend_from_slice(&tag);
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum);
        Ok(bytes)
    }

    fn decrypt(&self, header: &Header, ciphertext: &[u8]) -> Option<Secret<Vec<u8>>> {
        let (sealed, tag) = ciphertext.split_at_checked(ciphertext.len().checked_sub(TAG_BYTES)?)?;
        let mut content = Secret::new(sealed.to_vec());
        let opened = self.cipher().decrypt_in_place_detached(
            &header.nonce.into(),
            &header.associated_data(),
            content.expose_mut(),
            tag.into(),
        );
        opened.ok().map(|()| content)
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(self.key.expose().into())
    }
}

/// True when anybody but the owner may do anything with a file.
pub(crate) fn is_open_to_others(metadata: &Metadata) -> bool {
    mode(metadata) & 0o077 != 0
}

#[cfg(unix)]
fn mode(metadata: &Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o7777
}

#[cfg(not(unix))]
fn mode(_: &Metadata) -> u32 {
    0o600
}

/// Reads a file that only its owner may read.
fn read_private(path: &Path) -> Result<Vec<u8>, KeyFileError> {
    let unreadable = |reason| KeyFileError::Unreadable { path: path.to_owned(), reason };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if is_open_to_others(&metadata) {
        return Err(KeyFileError::Permissions { path: path.to_owned(), mode: mode(&metadata) });
    }
    if metadata.len() > MAX_FILE_BYTES as u64 {
        return Err(KeyFileError::TooLarge { path: path.to_owned(), bytes: metadata.len() });
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES as u64).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

/// What happens to a file that is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Existing {
    Keep,
    Replace,
}

/// Writes beside the file, flushes, moves into place, flushes the folder: after a crash the old file or the new one is
/// there, never a part.
fn write_atomic(path: &Path, bytes: &[u8], existing: Existing) -> Result<(), KeyFileError> {
    let unwritable = |reason| KeyFileError::Unwritable { path: path.to_owned(), reason };
    let beside = beside(path).ok_or_else(|| unwritable(std::io::ErrorKind::InvalidFilename.into()))?;
    // Left over from a crash: it was never moved into place, so nobody relies on it.
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(unwritable(error)),
        _ => {}
    }
    let written = write_private(&beside, bytes).and_then(|()| match existing {
        Existing::Replace => std::fs::rename(&beside, path),
        // A hard link fails where a file is, which a rename would replace.
        Existing::Keep => std::fs::hard_link(&beside, path).and_then(|()| std::fs::remove_file(&beside)),
    });
    if let Err(error) = written {
        // The failure above is what matters; a leftover is removed by the next attempt.
        let _ = std::fs::remove_file(&beside);
        if existing == Existing::Keep && error.kind() == std::io::ErrorKind::AlreadyExists {
            return Err(KeyFileError::Exists { path: path.to_owned() });
        }
        return Err(unwritable(error));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(unwritable)
}

fn beside(path: &Path) -> Option<PathBuf> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name()?);
    name.push(".new");
    Some(path.with_file_name(name))
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
