//! What a fuzzer does to a true encoding. Random bytes alone would hardly ever get past the first length.

use bolero::TypeGenerator;

/// One case of a fuzz target.
#[derive(Debug, Clone, TypeGenerator)]
pub struct Case {
    /// Which sample is changed, modulo their number.
    pub sample: u16,
    /// The changes, one after another.
    #[generator(bolero::generator::produce::<Vec<Edit>>().with().len(0usize..5))]
    pub edits: Vec<Edit>,
}

/// A change. Positions count modulo the length, so that every value is a valid change.
#[derive(Debug, Clone, TypeGenerator)]
#[allow(missing_docs, reason = "the fields are what the variants say")]
pub enum Edit {
    /// Changes one bit.
    Flip { at: u32, bit: u8 },
    /// Replaces one byte.
    Set { at: u32, value: u8 },
    /// Replaces four bytes by a little-endian number, as lengths and counts are written.
    Number { at: u32, value: Interesting },
    /// Cuts the end off.
    Cut { at: u32 },
    /// Inserts bytes.
    Insert { at: u32, bytes: Vec<u8> },
    /// Copies a part to another place, as repeated list entries or rows.
    Copy { from: u32, length: u8, to: u32 },
    /// Removes a part.
    Remove { at: u32, length: u8 },
    /// Forgets the sample: nothing but these bytes is left.
    Replace { bytes: Vec<u8> },
}

/// Numbers at which lengths break.
#[derive(Debug, Clone, Copy, TypeGenerator)]
#[allow(missing_docs, reason = "the names are the values")]
pub enum Interesting {
    Zero,
    One,
    Max,
    HalfOfMax,
    SignBit,
    Any(u32),
    Small(u8),
}

impl Interesting {
    fn value(self) -> u32 {
        match self {
            Self::Zero => 0,
            Self::One => 1,
            Self::Max => u32::MAX,
            Self::HalfOfMax => u32::MAX / 2,
            Self::SignBit => 1 << 31,
            Self::Any(value) => value,
            Self::Small(value) => value.into(),
        }
    }
}

impl Case {
    /// The case's bytes.
    pub fn bytes(&self, samples: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = samples[usize::from(self.sample) % samples.len()].clone();
        for edit in &self.edits {
            edit.apply(&mut bytes);
        }
        bytes
    }
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        // A place before or behind any byte, and a place of a byte when there is one.
        let gap = |at: u32| at as usize % (length + 1);
        let place = |at: u32| at as usize % length.max(1);
        let part = |at: u32, wanted: u8| gap(at)..(gap(at) + usize::from(wanted)).min(length);
        match self {
            Self::Flip { at, bit } => {
                bytes.iter_mut().skip(place(*at)).take(1).for_each(|b| *b ^= 1 << (bit % 8))
            }
            Self::Set { at, value } => bytes.iter_mut().skip(place(*at)).take(1).for_each(|b| *b = *value),
            Self::Number { at, value } => {
                let number = value.value().to_le_bytes();
                bytes.iter_mut().skip(place(*at)).zip(number).for_each(|(byte, new)| *byte = new);
            }
            Self::Cut { at } => bytes.truncate(gap(*at)),
            Self::Insert { at, bytes: new } => {
                let at = gap(*at);
                bytes.splice(at..at, new.iter().copied());
            }
            Self::Copy { from, length: wanted, to } => {
                let copied = bytes[part(*from, *wanted)].to_vec();
                let to = gap(*to);
                bytes.splice(to..to, copied);
            }
            Self::Remove { at, length: wanted } => {
                bytes.drain(part(*at, *wanted));
            }
            Self::Replace { bytes: new } => bytes.clone_from(new),
        }
    }
}
