//! The canonical byte encoding: fixed-width little-endian integers, length-prefixed lists, no optional forms.
//!
//! One value has one encoding and every decoder checks that nothing is left over, so `encode(decode(x)) == x` holds
//! for whatever decodes. A list's length is bounded by what the decoder allows and by the bytes that are there
//! *before* anything is allocated.

use thiserror::Error;

/// Why bytes from outside could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WireError {
    /// The input ended inside of a field.
    #[error("input ends early: {field} needs {needed} more bytes, {left} are left")]
    Truncated {
        /// The field that was being read.
        field: &'static str,
        /// Bytes it needs.
        needed: usize,
        /// Bytes that are left.
        left: usize,
    },
    /// Bytes were left after the last field.
    #[error("{left} bytes follow the end of the value")]
    Trailing {
        /// Number of bytes left over.
        left: usize,
    },
    /// A length is beyond its bound.
    #[error("{field}: length {length} is above the bound {bound}")]
    TooLong {
        /// The list.
        field: &'static str,
        /// Its stated length.
        length: u64,
        /// The largest that is allowed.
        bound: u64,
    },
    /// A field holds a value that the format does not know or that is not canonical.
    #[error("{field}: {why}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// Collects an encoding.
#[derive(Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// An empty encoding.
    pub fn new() -> Self {
        Self::default()
    }
    /// Appends one byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }
    /// Appends a little-endian u16.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }
    /// Appends a little-endian u32.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }
    /// Appends a little-endian u64.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }
    /// Appends a little-endian two's-complement i64.
    pub fn i64(&mut self, value: i64) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }
    /// Appends bytes whose length the format fixes.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.0.extend_from_slice(value);
        self
    }
    /// Appends a list length; lists in this format are far below 2^32.
    pub fn length(&mut self, length: usize) -> &mut Self {
        self.u32(u32::try_from(length).expect("a list of the format has less than 2^32 entries"))
    }
    /// Appends bytes with their length before them.
    pub fn blob(&mut self, value: &[u8]) -> &mut Self {
        self.length(value.len()).bytes(value)
    }
    /// The finished encoding.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads an encoding from the front.
pub struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes }
    }
    /// Number of bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.left.len()
    }
    /// Reads `count` bytes.
    pub fn bytes(&mut self, field: &'static str, count: usize) -> Result<&'a [u8], WireError> {
        if self.left.len() < count {
            return Err(WireError::Truncated { field, needed: count, left: self.left.len() });
        }
        let (head, tail) = self.left.split_at(count);
        self.left = tail;
        Ok(head)
    }
    /// Reads an array of fixed size.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], WireError> {
        Ok(self.bytes(field, N)?.try_into().expect("bytes() returns N bytes"))
    }
    /// Reads one byte.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, WireError> {
        Ok(self.array::<1>(field)?[0])
    }
    /// Reads a little-endian u16.
    pub fn u16(&mut self, field: &'static str) -> Result<u16, WireError> {
        Ok(u16::from_le_bytes(self.array(field)?))
    }
    /// Reads a little-endian u32.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, WireError> {
        Ok(u32::from_le_bytes(self.array(field)?))
    }
    /// Reads a little-endian u64.
    pub fn u64(&mut self, field: &'static str) -> Result<u64, WireError> {
        Ok(u64::from_le_bytes(self.array(field)?))
    }
    /// Reads a little-endian i64.
    pub fn i64(&mut self, field: &'static str) -> Result<i64, WireError> {
        Ok(i64::from_le_bytes(self.array(field)?))
    }
    /// Reads a list length that is at most `bound` and whose entries of at least `entry_bytes` each can still be in
    /// the input, so that a caller may allocate for it.
    pub fn length(
        &mut self,
        field: &'static str,
        bound: usize,
        entry_bytes: usize,
    ) -> Result<usize, WireError> {
        let length = self.u32(field)? as usize;
        if length > bound {
            return Err(WireError::TooLong { field, length: length as u64, bound: bound as u64 });
        }
        let needed = length.saturating_mul(entry_bytes.max(1));
        if needed > self.left.len() {
            return Err(WireError::Truncated { field, needed, left: self.left.len() });
        }
        Ok(length)
    }
    /// Reads length-prefixed bytes of at most `bound`.
    pub fn blob(&mut self, field: &'static str, bound: usize) -> Result<&'a [u8], WireError> {
        let length = self.length(field, bound, 1)?;
        self.bytes(field, length)
    }
    /// Ends the decoding; anything left over is an error.
    pub fn finish(self) -> Result<(), WireError> {
        if self.left.is_empty() { Ok(()) } else { Err(WireError::Trailing { left: self.left.len() }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_leftovers() {
        let mut w = Writer::new();
        w.u8(1).u16(2).u32(3).u64(4).i64(-5).blob(b"six");
        let bytes = w.finish();
        let mut r = Reader::new(&bytes);
        assert_eq!(r.u8("a"), Ok(1));
        assert_eq!(r.u16("b"), Ok(2));
        assert_eq!(r.u32("c"), Ok(3));
        assert_eq!(r.u64("d"), Ok(4));
        assert_eq!(r.i64("e"), Ok(-5));
        assert_eq!(r.blob("f", 3), Ok(&b"six"[..]));
        assert_eq!(r.finish(), Ok(()));
        assert_eq!(Reader::new(&[0]).finish(), Err(WireError::Trailing { left: 1 }));
    }

    #[test]
    fn lengths_are_bounded_before_allocation() {
        let huge = u32::MAX.to_le_bytes();
        assert!(matches!(Reader::new(&huge).length("list", 10, 32), Err(WireError::TooLong { .. })));
        assert!(matches!(
            Reader::new(&huge).length("list", usize::MAX, 32),
            Err(WireError::Truncated { .. })
        ));
    }
}
