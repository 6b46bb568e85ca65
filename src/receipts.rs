//! A file of receipts: one a line, in hex. Members keep theirs; anybody can hand them to an auditor.

use crate::failure::Failure;
use std::fs;
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

/// Reads receipts; their signatures are checked by the audit.
///
/// # Errors
/// The line that is no receipt.
pub fn read(path: &Path) -> Result<Vec<Receipt>, Failure> {
    let length = fs::metadata(path).map_err(|error| Failure::file(path, error))?.len();
    if length > MAX_BYTES {
        return Err(Failure::file(path, format!("{length} bytes are no file of receipts")));
    }
    let text = fs::read_to_string(path).map_err(|error| Failure::file(path, error))?;
    let parse = |(position, line): (usize, &str)| {
        let wrong =
            |error: String| Failure::file(path, format!("line {}: no receipt: {error}", position + 1));
        let bytes = hex::decode(line.trim()).map_err(|error| wrong(error.to_string()))?;
        Receipt::from_bytes(&bytes).map_err(|error| wrong(error.to_string()))
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(parse).collect()
}
