//! Where the passphrase of a key file comes from: a file, the environment, or the terminal. Never a flag, which every
//! user of the machine can read in the list of processes.

use std::io::{IsTerminal, Read as _};
use std::path::{Path, PathBuf};
use thiserror::Error;
use veilgrid_crypto::secret::Secret;

/// The environment variable that may hold the passphrase.
pub const PASSPHRASE_VARIABLE: &str = "VEILGRID_PASSPHRASE";
/// Most bytes of a passphrase.
const MAX_BYTES: usize = 1024;
/// Least characters of a new passphrase.
const MIN_NEW_CHARACTERS: usize = 10;

/// A passphrase; wiped when dropped and never printed.
#[derive(Clone, Debug)]
pub struct Passphrase(Secret<Vec<u8>>);

/// Why there is no passphrase. One variant per rule.
#[derive(Debug, Error)]
pub enum PassphraseError {
    /// "The passphrase file can be read."
    #[error("passphrase file {}: {reason}; name a readable file with the passphrase on one line", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: std::io::Error,
    },
    /// "Nobody else may read the passphrase file."
    #[error("passphrase file {}: other users may read it; run: chmod 600 {}", path.display(), path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
    },
    /// "A passphrase is not empty, of bounded length and one line."
    #[error("the passphrase from {origin} {fault}")]
    Unusable {
        /// File, variable or terminal.
        origin: String,
        /// What is wrong, and what to do.
        fault: &'static str,
    },
    /// "A new passphrase is typed twice alike."
    #[error("the two passphrases differ; start again")]
    Differ,
    /// "Somebody has to say it."
    #[error(
        "no passphrase: there is no terminal to ask at; set passphrase_file in the configuration (or \
         --passphrase-file), or the environment variable {PASSPHRASE_VARIABLE}"
    )]
    Nowhere,
    /// The terminal fails.
    #[error("the passphrase can't be read from the terminal: {0}; use a passphrase file")]
    Terminal(std::io::Error),
}

impl Passphrase {
    /// Takes a passphrase from `origin` (for messages), a line end at its end trimmed.
    ///
    /// # Errors
    /// Empty, too long, or more than one line.
    pub fn new(origin: &str, text: Vec<u8>) -> Result<Self, PassphraseError> {
        let mut text = Secret::new(text);
        for end in [b'\n', b'\r'] {
            if text.expose().last() == Some(&end) {
                text.expose_mut().pop();
            }
        }
        let fault = if text.expose().is_empty() {
            Some("is empty; give one")
        } else if text.expose().len() > MAX_BYTES {
            Some("is longer than 1024 bytes; is this the right file?")
        } else if text.expose().iter().any(|byte| matches!(byte, b'\n' | b'\r' | 0)) {
            Some("has more than one line; a passphrase is one line")
        } else {
            None
        };
        match fault {
            Some(fault) => Err(PassphraseError::Unusable { origin: origin.to_owned(), fault }),
            None => Ok(Self(text)),
        }
    }

    /// The bytes.
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}

/// The passphrase of an existing key file: from `file` if there is one, else from the environment, else from the
/// terminal.
///
/// # Errors
/// [`PassphraseError`].
pub fn existing(file: Option<&Path>, key_file: &Path) -> Result<Passphrase, PassphraseError> {
    match given(file)? {
        Some(passphrase) => Ok(passphrase),
        None => ask(&format!("Passphrase of {}: ", key_file.display())),
    }
}

/// The passphrase of a key file that is about to be made; at the terminal it is typed twice.
///
/// # Errors
/// [`PassphraseError`]; also for one that is short enough to be guessed.
pub fn fresh(file: Option<&Path>, key_file: &Path) -> Result<Passphrase, PassphraseError> {
    let passphrase = match given(file)? {
        Some(passphrase) => passphrase,
        None => {
            let first = ask(&format!("New passphrase of {}: ", key_file.display()))?;
            same(first, &ask("The same again: ")?)?
        }
    };
    strong_enough(&passphrase)?;
    Ok(passphrase)
}

fn same(first: Passphrase, second: &Passphrase) -> Result<Passphrase, PassphraseError> {
    if first.expose() == second.expose() { Ok(first) } else { Err(PassphraseError::Differ) }
}

fn strong_enough(passphrase: &Passphrase) -> Result<(), PassphraseError> {
    if String::from_utf8_lossy(passphrase.expose()).chars().count() < MIN_NEW_CHARACTERS {
        let fault = "has less than 10 characters; take a longer one, for example five random words";
        return Err(PassphraseError::Unusable { origin: "you".to_owned(), fault });
    }
    Ok(())
}

fn given(file: Option<&Path>) -> Result<Option<Passphrase>, PassphraseError> {
    if let Some(path) = file {
        return read_file(path).map(Some);
    }
    match std::env::var_os(PASSPHRASE_VARIABLE) {
        Some(value) => Passphrase::new(PASSPHRASE_VARIABLE, value.into_encoded_bytes()).map(Some),
        None => Ok(None),
    }
}

/// Reads a passphrase file that only its owner may read.
///
/// # Errors
/// [`PassphraseError`].
pub fn read_file(path: &Path) -> Result<Passphrase, PassphraseError> {
    let unreadable = |reason| PassphraseError::File { path: path.to_owned(), reason };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if crate::keyfile::is_open_to_others(&metadata) {
        return Err(PassphraseError::Permissions { path: path.to_owned() });
    }
    // The buffer never grows, so that no copy of the passphrase is left behind.
    let mut text = Vec::with_capacity(MAX_BYTES + 8);
    file.take(MAX_BYTES as u64 + 3).read_to_end(&mut text).map_err(unreadable)?;
    Passphrase::new(&path.display().to_string(), text)
}

/// The words of a seed: from a file that only its owner may read, on one line or several, else from the terminal. They are
/// looked at by [`crate::keyfile::words`].
///
/// # Errors
/// [`PassphraseError`].
pub fn recovery_words(file: Option<&Path>) -> Result<Secret<String>, PassphraseError> {
    let text = match file {
        Some(path) => {
            let unreadable = |reason| PassphraseError::File { path: path.to_owned(), reason };
            let file = std::fs::File::open(path).map_err(unreadable)?;
            if crate::keyfile::is_open_to_others(&file.metadata().map_err(unreadable)?) {
                return Err(PassphraseError::Permissions { path: path.to_owned() });
            }
            // The buffer never grows, so that no copy of the words is left behind.
            let mut text = Vec::with_capacity(MAX_BYTES + 8);
            file.take(MAX_BYTES as u64).read_to_end(&mut text).map_err(unreadable)?;
            text
        }
        None => ask("The 24 words: ")?.expose().to_vec(),
    };
    let fault = |_| PassphraseError::Unusable {
        origin: "the words".to_owned(),
        fault: "is no text; give the 24 words in letters",
    };
    Ok(Secret::new(String::from_utf8(text).map_err(fault)?))
}

fn ask(prompt: &str) -> Result<Passphrase, PassphraseError> {
    if !std::io::stdin().is_terminal() {
        return Err(PassphraseError::Nowhere);
    }
    let text = rpassword::prompt_password(prompt).map_err(PassphraseError::Terminal)?;
    Passphrase::new("the terminal", text.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(text: &[u8]) -> Result<Passphrase, PassphraseError> {
        Passphrase::new("test", text.to_vec())
    }

    #[test]
    fn one_line_end_is_trimmed_and_nothing_else() {
        assert_eq!(new(b" secret \n").expect("fine").expose(), b" secret ");
        assert_eq!(new(b"secret\r\n").expect("fine").expose(), b"secret");
        assert!(new(b"secret\n\n").is_err());
        assert!(new(b"two\nlines").is_err());
        assert!(new(b"\n").is_err());
        assert!(new(&[b'x'; MAX_BYTES + 1]).is_err());
        assert!(!format!("{:?}", new(b"visible").expect("fine")).contains("visible"));
    }

    #[test]
    fn new_ones_are_long_and_typed_alike() {
        assert!(strong_enough(&new(b"123456789").expect("fine")).is_err());
        assert!(strong_enough(&new(b"1234567890").expect("fine")).is_ok());
        assert!(same(new(b"a").expect("fine"), &new(b"b").expect("fine")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("passphrase");
        std::fs::write(&path, "correct horse battery\n").expect("written");
        let mode =
            |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("mode");
        mode(0o644);
        assert!(matches!(read_file(&path), Err(PassphraseError::Permissions { .. })));
        mode(0o600);
        assert_eq!(read_file(&path).expect("fine").expose(), b"correct horse battery");
        assert!(matches!(read_file(&dir.path().join("none")), Err(PassphraseError::File { .. })));
    }
}
