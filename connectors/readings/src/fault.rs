//! What is wrong with a file, where, and what to do: the error of every importer.

use thiserror::Error;

/// A file that an importer refuses, with its place.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{place}: {what}")]
pub struct Fault {
    /// Line, cell or byte, in words.
    pub place: String,
    /// What is wrong and what to do.
    pub what: String,
}

impl Fault {
    /// A fault in a line, counted from 1.
    pub fn line(line: u64, what: impl std::fmt::Display) -> Self {
        Self { place: format!("line {line}"), what: what.to_string() }
    }

    /// A fault anywhere else.
    pub fn at(place: impl std::fmt::Display, what: impl std::fmt::Display) -> Self {
        Self { place: place.to_string(), what: what.to_string() }
    }
}

/// What a message quotes of a file: enough to find it, never a megabyte, nothing that a terminal obeys.
pub fn quoted(text: &str) -> String {
    const SHOWN: usize = 40;
    let mut quoted: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        quoted.push('…');
    }
    format!("`{quoted}`")
}
