//! A file of receipts: one a line, in hex. Members keep theirs; anybody can hand them to an auditor.

use crate::failure::Failure;
use crate::input;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use veilgrid_crypto::receipt::Receipt;

/// Most bytes of a receipt file; a million receipts are below it.
const MAX_BYTES: u64 = 512 << 20;

/// Writes receipts to a new file.
///
/// # Errors
/// The file can't be written.
pub fn write(path: &Path, receipts: &[Receipt]) -> Result<(), Failure> {
    let lines: String = receipts.iter().map(|receipt| hex::encode(receipt.to_bytes()) + "\n").collect();
    fs::write(path, lines).map_err(|error| Failure::file(path, error))
}

/// Reads receipts from a file, or from standard input for `-`; their signatures are checked by the audit.
///
/// # Errors
/// The line that is no receipt.
pub fn read(path: &Path) -> Result<Vec<Receipt>, Failure> {
    let text = bounded(input::open(path)?, MAX_BYTES).map_err(|error| Failure::file(path, error))?;
    let parse = |(position, line): (usize, &str)| {
        let wrong =
            |error: String| Failure::file(path, format!("line {}: no receipt: {error}", position + 1));
        let bytes = hex::decode(line.trim()).map_err(|error| wrong(error.to_string()))?;
        Receipt::from_bytes(&bytes).map_err(|error| wrong(error.to_string()))
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(parse).collect()
}

/// All of a text of at most `most` bytes. What is read counts, not a stated length: a device states none.
fn bounded(input: impl Read, most: u64) -> io::Result<String> {
    let mut text = String::new();
    if input.take(most.saturating_add(1)).read_to_string(&mut text)? as u64 > most {
        return Err(io::Error::other(format!("more than {most} bytes are no file of receipts")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_read_than_allowed() {
        assert_eq!(bounded(&b"ab\n"[..], 3).expect("fits"), "ab\n");
        assert!(bounded(&b"abc\n"[..], 3).is_err());
        assert!(bounded(io::repeat(b'a'), 1 << 16).is_err(), "a file without an end");
    }
}
