//! The property that every decoder of outside bytes has.

use crate::edits::Case;
use core::fmt::Debug;

/// Bytes that a decoder may hold at once for each byte of its input: small entries of lists grow in memory, and a
/// growing list has its old and its new place for a moment.
const HELD_PER_INPUT_BYTE: u64 = 64;

/// Cases of a target in a run of the tests; `BOLERO_RANDOM_ITERATIONS` asks for another number.
pub const CASES: usize = 10_000;

/// A decoder under test: how it reads and how its values are written again.
pub struct Decoder<'a, T, E> {
    samples: &'a [Vec<u8>],
    fixed_bytes: u64,
    decode: fn(&[u8]) -> Result<T, E>,
    encode: fn(&T) -> Vec<u8>,
}

impl<'a, T, E: Debug> Decoder<'a, T, E> {
    /// A target over true encodings. Whatever the input, the decoder may hold `fixed_bytes` for its buffers.
    ///
    /// # Panics
    /// When a sample does not decode, as the cases would show nothing then.
    pub fn new(
        samples: &'a [Vec<u8>],
        fixed_bytes: u64,
        decode: fn(&[u8]) -> Result<T, E>,
        encode: fn(&T) -> Vec<u8>,
    ) -> Self {
        let decoder = Self { samples, fixed_bytes, decode, encode };
        assert!(!samples.is_empty(), "a target has a sample");
        for sample in samples {
            if let Err(error) = decoder.check(sample) {
                panic!("a sample does not decode: {error:?}");
            }
        }
        decoder
    }

    /// Checks one case.
    ///
    /// # Panics
    /// When the property does not hold.
    pub fn case(&self, case: &Case) {
        let _ = self.check(&case.bytes(self.samples));
    }

    fn check(&self, bytes: &[u8]) -> Result<T, E> {
        let decoded = bounded(bytes, self.fixed_bytes, self.decode);
        if let Ok(value) = &decoded {
            assert!((self.encode)(value) == bytes, "what decodes has a second encoding");
        }
        decoded
    }
}

/// Runs `decode` and bounds what it holds at once by the length of its input.
///
/// # Panics
/// When it holds more.
pub fn bounded<T>(bytes: &[u8], fixed_bytes: u64, decode: impl FnOnce(&[u8]) -> T) -> T {
    let mut decoded = None;
    let held = allocation_counter::measure(|| decoded = Some(decode(bytes))).bytes_max;
    let (given, per_byte) = (bytes.len() as u64, HELD_PER_INPUT_BYTE);
    assert!(held <= fixed_bytes + per_byte * given, "{held} bytes are held for an input of {given}");
    decoded.expect("the closure ran")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: [u8; 4] = [1, 2, 3, 4];

    #[test]
    #[should_panic(expected = "a second encoding")]
    fn a_lenient_decoder_is_found() {
        Decoder::new(&[SAMPLE.to_vec()], 0, |bytes| Ok::<_, ()>(bytes.len()), |_| vec![]);
    }

    #[test]
    #[should_panic(expected = "bytes are held for an input of 4")]
    fn a_length_that_is_believed_is_found() {
        bounded(&SAMPLE, 0, |bytes| Vec::<u8>::with_capacity(1000 * bytes.len()));
    }
}
