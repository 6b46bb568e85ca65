//! Blocks as they travel: repeated `u32 block length ‖ block ‖ u32 certificate length ‖ certificate`, little-endian; a
//! certificate of length zero is none.

use thiserror::Error;
use veilgrid_crypto::wire::{Reader, WireError};
pub use veilgrid_ledger::room::MAX_NETWORK_BLOCK_BYTES;

/// Most bytes of a certificate: 128 validators' signatures are far below.
pub const MAX_CERTIFICATE_BYTES: usize = 64 << 10;

/// An encoded block with the certificate that it came with. Nothing in it is checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertifiedBlock {
    /// The encoded block.
    pub block: Vec<u8>,
    /// The engine's certificate, when the source has one of this very block.
    pub certificate: Option<Vec<u8>>,
}

/// The bytes are no blocks in their frames.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("block {index} of the answer: {source}")]
pub struct FrameError {
    /// Position in the answer, from 0.
    pub index: usize,
    /// What is wrong.
    pub source: WireError,
}

/// Appends a block in its frame.
pub fn write_frame(out: &mut Vec<u8>, block: &[u8], certificate: Option<&[u8]>) {
    for part in [block, certificate.unwrap_or_default()] {
        // Blocks and certificates are bounded far below 2^32.
        out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(part);
    }
}

/// Reads at most `most` blocks out of their frames.
///
/// # Errors
/// Bytes that are cut off, blocks or certificates above their bounds, more than `most` blocks.
pub fn read_frames(bytes: &[u8], most: usize) -> Result<Vec<CertifiedBlock>, FrameError> {
    let mut reader = Reader::new(bytes);
    let mut blocks = Vec::new();
    while reader.remaining() > 0 {
        let index = blocks.len();
        if index >= most {
            let (length, bound) = (index as u64 + 1, most as u64);
            let source = WireError::TooLong { field: "blocks of the answer", length, bound };
            return Err(FrameError { index, source });
        }
        blocks.push(read_frame(&mut reader).map_err(|source| FrameError { index, source })?);
    }
    Ok(blocks)
}

fn read_frame(reader: &mut Reader<'_>) -> Result<CertifiedBlock, WireError> {
    let block = reader.blob("block", MAX_NETWORK_BLOCK_BYTES)?.to_vec();
    let certificate = reader.blob("certificate", MAX_CERTIFICATE_BYTES)?;
    Ok(CertifiedBlock { block, certificate: (!certificate.is_empty()).then(|| certificate.to_vec()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> Vec<u8> {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, b"one", None);
        write_frame(&mut bytes, b"second", Some(b"certificate"));
        bytes
    }

    #[test]
    fn frames_come_back() {
        let read = read_frames(&frames(), 2).expect("frames");
        assert_eq!(read.len(), 2);
        assert_eq!(read[0], CertifiedBlock { block: b"one".to_vec(), certificate: None });
        assert_eq!(read[1].certificate.as_deref(), Some(b"certificate".as_slice()));
        assert_eq!(read_frames(&[], 0), Ok(Vec::new()));
    }

    #[test]
    fn cut_and_oversized_frames_are_refused() {
        let bytes = frames();
        let first = 4 + 3 + 4;
        for length in (1..bytes.len()).filter(|length| *length != first) {
            assert!(read_frames(&bytes[..length], 2).is_err(), "{length}");
        }
        assert_eq!(read_frames(&bytes, 1).expect_err("one too many").index, 1);
        let mut large = Vec::new();
        write_frame(&mut large, b"b", Some(&vec![0; MAX_CERTIFICATE_BYTES + 1]));
        assert!(read_frames(&large, 1).is_err());
    }

    #[test]
    fn a_block_for_which_no_validator_votes_is_refused() {
        let frame = |bytes: usize| {
            let mut frame = Vec::new();
            write_frame(&mut frame, &vec![0; bytes], None);
            read_frames(&frame, 1)
        };
        assert!(frame(MAX_NETWORK_BLOCK_BYTES).is_ok());
        for bytes in [MAX_NETWORK_BLOCK_BYTES + 1, 4 << 20] {
            let refused = frame(bytes).expect_err("too large");
            assert!(matches!(refused.source, WireError::TooLong { field: "block", .. }), "{refused}");
        }
        let votes = veilgrid_roles::replica::Limits::default().max_block_bytes;
        assert_eq!(MAX_NETWORK_BLOCK_BYTES, votes, "what validators vote for can be fetched");
    }
}
