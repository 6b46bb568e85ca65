//! The encoding of secrets: as `veilgrid_crypto::wire`, but in one allocation of the final size, because a vector that
//! grows leaves copies of secrets behind.

use veilgrid_crypto::secret::Secret;
use veilgrid_crypto::wire::{Reader, WireError};

/// Measures an encoding and then collects it.
pub(super) struct Sink {
    length: usize,
    bytes: Option<Secret<Vec<u8>>>,
}

impl Sink {
    /// The encoding that `write` makes; it is called twice and must make the same one.
    pub(super) fn collect(write: impl Fn(&mut Self)) -> Secret<Vec<u8>> {
        let mut measure = Self { length: 0, bytes: None };
        write(&mut measure);
        let bytes = Some(Secret::new(Vec::with_capacity(measure.length)));
        let mut sink = Self { length: 0, bytes };
        write(&mut sink);
        sink.bytes.unwrap_or_else(|| Secret::new(Vec::new()))
    }

    pub(super) fn bytes(&mut self, value: &[u8]) {
        self.length = self.length.saturating_add(value.len());
        if let Some(bytes) = &mut self.bytes {
            bytes.expose_mut().extend_from_slice(value);
        }
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_le_bytes());
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.bytes(&value.to_le_bytes());
    }

    /// A list's length; lists of secrets are far below 2^32.
    pub(super) fn length(&mut self, length: usize) {
        self.u32(u32::try_from(length).expect("a list of secrets has less than 2^32 entries"));
    }

    pub(super) fn blob(&mut self, value: &[u8]) {
        self.length(value.len());
        self.bytes(value);
    }

    /// 0, or 1 and the value.
    pub(super) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        match value {
            None => self.u8(0),
            Some(value) => {
                self.u8(1);
                write(self, value);
            }
        }
    }
}

/// Reads what [`Sink::option`] wrote.
pub(super) fn read_option<'a, T>(
    r: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, WireError>,
) -> Result<Option<T>, WireError> {
    match r.u8("flag")? {
        0 => Ok(None),
        1 => read(r).map(Some),
        _ => Err(WireError::Invalid { field: "flag", why: "it is 0 or 1" }),
    }
}

/// Reads a length of at most `bound` and as many entries, each of at least `entry_bytes`.
pub(super) fn read_list<'a, T>(
    r: &mut Reader<'a>,
    field: &'static str,
    bound: usize,
    entry_bytes: usize,
    mut read: impl FnMut(&mut Reader<'a>) -> Result<T, WireError>,
) -> Result<Vec<T>, WireError> {
    let count = r.length(field, bound, entry_bytes)?;
    (0..count).map(|_| read(r)).collect()
}

/// Reads a secret blob.
pub(super) fn read_secret(r: &mut Reader<'_>, field: &'static str) -> Result<Secret<Vec<u8>>, WireError> {
    let bound = r.remaining();
    Ok(Secret::new(r.blob(field, bound)?.to_vec()))
}
