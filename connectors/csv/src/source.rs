//! The bytes of a file on their way to the CSV reader: which line they are of, and no more of them than a row may have.

use std::collections::VecDeque;
use std::io::{Error, Read, Result};

/// Most bytes of a row, as of the first line. A quotation mark that is never closed would take the rest of the file into memory.
const MAX_ROW_BYTES: u64 = 1 << 20;

/// A source that counts.
///
/// The CSV reader's own count of lines stands before the line end that it skips in front of a row, so that every line of a file
/// with CRLF would be blamed for the one below.
pub(crate) struct Source<R> {
    inner: R,
    at: u64,
    /// Line ends that were read and no row has passed yet.
    ends: VecDeque<u64>,
    passed: u64,
    left: u64,
}

impl<R: Read> Source<R> {
    pub fn new(inner: R) -> Self {
        Self { inner, at: 0, ends: VecDeque::new(), passed: 0, left: MAX_ROW_BYTES }
    }

    /// A row begins.
    pub fn begin_row(&mut self) {
        self.left = MAX_ROW_BYTES;
    }

    /// The lines before the one in which a row ends that ends at this byte.
    pub fn lines_before(&mut self, end: u64) -> u64 {
        while self.ends.front().is_some_and(|line_end| *line_end + 1 < end) {
            self.ends.pop_front();
            self.passed += 1;
        }
        self.passed
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.left == 0 {
            return Err(Error::other(
                "is longer than a megabyte; is there a quotation mark that is opened and never closed?",
            ));
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.inner.read(buffer.get_mut(..most).unwrap_or_default())?;
        let bytes = buffer.get(..read).unwrap_or_default();
        let ends = (self.at..).zip(bytes).filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
        self.ends.extend(ends);
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}
