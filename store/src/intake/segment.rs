//! The file of a round.
//!
//! ```text
//! 0     "VGINTAKE"  version u16  round u64  SHA-256 of these
//! 512   mark: number u64  acknowledged u64  SHA-256 of both       two marks, written in turn
//! 1024  mark
//! 4096  frames: length u32  SHA-256(digest of the frame before ‖ length ‖ payload)  payload
//! payload = for each entry: length u32  bid  length u32  receipt
//! ```
//!
//! Integers are little-endian. A frame is a batch: it is there as a whole or not at all. A mark names the end of the
//! frames that were acknowledged; it is written after the flush and not flushed itself, so that it costs nothing and is
//! never ahead of the disk. So what does not hold behind the mark is the torn end of a write that nobody was told of,
//! and what does not hold before it is damage.

use super::entry::IntakeEntry;
use super::error::IntakeError;
use crate::durable::sync_name;
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use veilgrid_crypto::receipt::Receipt;

/// Most bytes of a batch.
pub(super) const MAX_FRAME_BYTES: u64 = 64 << 20;

const MAGIC: [u8; 8] = *b"VGINTAKE";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 8 + 2 + 8 + 32;
const MARK_BYTES: usize = 8 + 8 + 32;
const MARK_DISTANCE: u64 = 512;
const FRAMES_START: u64 = 4096;
const FRAME_HEAD_BYTES: usize = 4 + 32;

/// A round's file, checked up to its end.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    round_id: u64,
    /// Where the next frame goes.
    end: u64,
    /// Digest of the last frame.
    digest: [u8; 32],
    /// Number of the last mark.
    marks: u64,
}

/// An end of frames: where the next one goes, and the digest that it continues.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    end: u64,
    digest: [u8; 32],
}

/// What a damaged file holds before the damage.
pub(super) struct Kept {
    pub(super) entries: u64,
    pub(super) last_sequence: u64,
}

/// What was found on opening.
pub(super) struct Verified {
    pub(super) segment: Segment,
    pub(super) last_sequence: u64,
    pub(super) cut_bytes: u64,
}

/// The file of a round.
pub(super) fn path(directory: &Path, round_id: u64) -> PathBuf {
    directory.join(format!("round-{round_id:016x}.intake"))
}

/// The round of a file's name.
pub(super) fn round_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("round-")?.strip_suffix(".intake")?;
    let round_id = u64::from_str_radix(digits, 16).ok()?;
    (format!("{round_id:016x}") == digits).then_some(round_id)
}

/// Bytes of a batch's payload.
pub(super) fn frame_bytes(entries: &[IntakeEntry]) -> u64 {
    entries.iter().map(|entry| 8 + entry.bid.len() as u64 + entry.receipt.len() as u64).sum()
}

impl Segment {
    /// Begins a file. It gets its name when it is complete and on disk, so that a file that is cut short was damaged.
    pub(super) fn create(path: &Path, round_id: u64) -> Result<Self, IntakeError> {
        let header = header(round_id);
        let new = path.with_extension("new");
        let digest = Sha256::digest(header).into();
        let mut segment = Self { path: path.to_path_buf(), round_id, end: FRAMES_START, digest, marks: 0 };
        let mut write = || {
            let mut file = File::create(&new)?;
            file.write_all(&header)?;
            file.set_len(FRAMES_START)?;
            segment.mark(&mut file)?;
            file.sync_all()?;
            fs::rename(&new, path)?;
            sync_name(path)
        };
        write().map_err(|source| IntakeError::io(path, source))?;
        Ok(segment)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The same file under another name.
    pub(super) fn at(self, path: PathBuf) -> Self {
        Self { path, ..self }
    }

    /// Checks a file, cuts a torn end off and marks what is left.
    pub(super) fn open(path: &Path, round_id: u64) -> Result<Verified, IntakeError> {
        let io = |source| IntakeError::io(path, source);
        let damaged = |offset, why| IntakeError::Damaged { path: path.into(), round_id, offset, why };
        let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let Some((marks, acknowledged)) = read_marks(&mut file).map_err(io)? else {
            return Err(damaged(MARK_DISTANCE, "neither mark can be read"));
        };
        if length < acknowledged {
            return Err(damaged(length, "the file ends before what was acknowledged"));
        }
        let mut frames = Frames::begin(&mut file, length, round_id).map_err(io)?;
        let Some(frames) = &mut frames else {
            return Err(damaged(0, "it does not begin like this round's file"));
        };
        let mut last_sequence = 0;
        let stop = loop {
            match frames.next().map_err(io)? {
                Ok(None) => break None,
                Ok(Some(entries)) => {
                    last_sequence = sequences(&entries).fold(last_sequence, u64::max);
                }
                Err(why) => break Some(why),
            }
        };
        let (end, digest) = (frames.offset, frames.digest);
        match stop {
            Some(why) if end < acknowledged => return Err(damaged(end, why)),
            Some(_) => file.set_len(end).map_err(io)?,
            None => {}
        }
        // Also where nothing is cut: a run that was killed may have written what the disk does not have yet, and what is
        // found here counts as promised from now on.
        file.sync_all().map_err(io)?;
        let mut segment = Self { path: path.to_path_buf(), round_id, end, digest, marks };
        segment.mark(&mut file).map_err(io)?;
        Ok(Verified { segment, last_sequence, cut_bytes: length.saturating_sub(end) })
    }

    /// Appends a batch, which is on disk then.
    pub(super) fn append(&mut self, entries: &[IntakeEntry]) -> Result<(), IntakeError> {
        let mut payload = Vec::new();
        for entry in entries {
            for part in [&entry.bid, &entry.receipt] {
                payload.extend((part.len() as u32).to_le_bytes());
                payload.extend(part);
            }
        }
        let length = (payload.len() as u32).to_le_bytes();
        let digest = frame_digest(&self.digest, length, &payload);
        let frame = [length.as_slice(), &digest, &payload].concat();
        let (path, end) = (self.path.clone(), self.end);
        let write = || {
            let mut file = OpenOptions::new().write(true).open(&path)?;
            file.seek(SeekFrom::Start(end))?;
            file.write_all(&frame)?;
            file.sync_data()?;
            Ok(file)
        };
        let mut file = write().map_err(|source| IntakeError::io(&path, source))?;
        (self.end, self.digest) = (end + frame.len() as u64, digest);
        self.mark(&mut file).map_err(|source| IntakeError::io(&path, source))
    }

    /// Where the next batch goes.
    pub(super) fn place(&self) -> Place {
        Place { end: self.end, digest: self.digest }
    }

    /// Goes back to an earlier end, and takes what is behind it off the disk. What a failed flush leaves in the system's
    /// memory may look like the disk's content and never come there, so it is not looked at.
    pub(super) fn cut_back(&mut self, place: Place) -> Result<(), IntakeError> {
        let path = self.path.clone();
        (self.end, self.digest) = (place.end, place.digest);
        let mut cut = || {
            let mut file = OpenOptions::new().write(true).open(&path)?;
            // The mark first: a file that is shorter than its mark says is damaged.
            self.mark(&mut file)?;
            file.sync_all()?;
            file.set_len(place.end)?;
            file.sync_all()
        };
        cut().map_err(|source| IntakeError::io(&path, source))
    }

    /// All entries.
    pub(super) fn entries(&self) -> Result<Vec<IntakeEntry>, IntakeError> {
        let (path, round_id) = (self.path.as_path(), self.round_id);
        let io = |source| IntakeError::io(path, source);
        let damaged = |offset, why| IntakeError::Damaged { path: path.into(), round_id, offset, why };
        let mut file = File::open(path).map_err(io)?;
        let frames = Frames::begin(&mut file, self.end, round_id).map_err(io)?;
        let mut frames = frames.ok_or_else(|| damaged(0, "it does not begin like this round's file"))?;
        let mut all = Vec::new();
        loop {
            match frames.next().map_err(io)? {
                Ok(None) => return Ok(all),
                Ok(Some(entries)) => all.extend(entries),
                Err(why) => return Err(damaged(frames.offset, why)),
            }
        }
    }

    fn mark(&mut self, file: &mut File) -> io::Result<()> {
        let number = self.marks.saturating_add(1);
        file.seek(SeekFrom::Start(MARK_DISTANCE * (1 + number % 2)))?;
        file.write_all(&encode_mark(number, self.end))?;
        self.marks = number;
        Ok(())
    }
}

/// Copies what a damaged file holds before the damage. Batch by batch: one of all entries could be longer than batches
/// may be, and would be refused when it is read.
pub(super) fn copy_before_damage(path: &Path, round_id: u64, to: &mut Segment) -> Result<Kept, IntakeError> {
    let io = |source| IntakeError::io(path, source);
    let mut file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut kept = Kept { entries: 0, last_sequence: 0 };
    if let Some(mut frames) = Frames::begin(&mut file, length, round_id).map_err(io)? {
        while let Ok(Some(entries)) = frames.next().map_err(io)? {
            to.append(&entries)?;
            kept.entries = kept.entries.saturating_add(entries.len() as u64);
            kept.last_sequence = sequences(&entries).fold(kept.last_sequence, u64::max);
        }
    }
    Ok(kept)
}

fn sequences(entries: &[IntakeEntry]) -> impl Iterator<Item = u64> + '_ {
    entries.iter().filter_map(|entry| Some(Receipt::from_bytes(&entry.receipt).ok()?.sequence))
}

/// Reads frames one after another.
struct Frames<'a> {
    file: io::BufReader<&'a mut File>,
    offset: u64,
    length: u64,
    digest: [u8; 32],
}

impl<'a> Frames<'a> {
    /// None when the file does not begin as it should.
    fn begin(file: &'a mut File, length: u64, round_id: u64) -> io::Result<Option<Self>> {
        let expected = header(round_id);
        let mut found = Vec::with_capacity(HEADER_BYTES);
        file.seek(SeekFrom::Start(0))?;
        Read::by_ref(file).take(HEADER_BYTES as u64).read_to_end(&mut found)?;
        if found != expected {
            return Ok(None);
        }
        file.seek(SeekFrom::Start(FRAMES_START))?;
        let digest = Sha256::digest(expected).into();
        Ok(Some(Self { file: io::BufReader::new(file), offset: FRAMES_START, length, digest }))
    }

    /// The next batch, none at the end, or what is wrong at the offset.
    fn next(&mut self) -> io::Result<Result<Option<Vec<IntakeEntry>>, &'static str>> {
        let left = self.length.saturating_sub(self.offset);
        if left == 0 {
            return Ok(Ok(None));
        }
        let mut head = [0; FRAME_HEAD_BYTES];
        if left < FRAME_HEAD_BYTES as u64 {
            return Ok(Err("a batch is cut off"));
        }
        self.file.read_exact(&mut head)?;
        let Some((length, stored)) = head.split_first_chunk::<4>() else {
            return Ok(Err("a batch is cut off"));
        };
        let bytes = u64::from(u32::from_le_bytes(*length));
        if bytes > MAX_FRAME_BYTES {
            return Ok(Err("a batch is longer than batches are"));
        }
        if bytes > left - FRAME_HEAD_BYTES as u64 {
            return Ok(Err("a batch is cut off"));
        }
        let mut payload = vec![0; bytes as usize];
        self.file.read_exact(&mut payload)?;
        let digest = frame_digest(&self.digest, *length, &payload);
        if digest.as_slice() != stored {
            return Ok(Err("a batch was changed"));
        }
        let Some(entries) = decode_entries(&payload) else { return Ok(Err("a batch can't be read")) };
        self.offset += FRAME_HEAD_BYTES as u64 + bytes;
        self.digest = digest;
        Ok(Ok(Some(entries)))
    }
}

fn decode_entries(mut payload: &[u8]) -> Option<Vec<IntakeEntry>> {
    fn part<'a>(payload: &mut &'a [u8]) -> Option<&'a [u8]> {
        let (length, rest) = payload.split_first_chunk::<4>()?;
        let (part, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        *payload = rest;
        Some(part)
    }
    let mut entries = Vec::new();
    while !payload.is_empty() {
        let bid = part(&mut payload)?.to_vec();
        entries.push(IntakeEntry { bid, receipt: part(&mut payload)?.to_vec() });
    }
    Some(entries)
}

fn header(round_id: u64) -> [u8; HEADER_BYTES] {
    let content = [MAGIC.as_slice(), &VERSION.to_le_bytes(), &round_id.to_le_bytes()].concat();
    let mut header = [0; HEADER_BYTES];
    let (front, digest) = header.split_at_mut(content.len());
    front.copy_from_slice(&content);
    digest.copy_from_slice(&Sha256::digest(&content));
    header
}

fn frame_digest(before: &[u8; 32], length: [u8; 4], payload: &[u8]) -> [u8; 32] {
    Sha256::new_with_prefix(before).chain_update(length).chain_update(payload).finalize().into()
}

fn encode_mark(number: u64, acknowledged: u64) -> Vec<u8> {
    let content = [number.to_le_bytes(), acknowledged.to_le_bytes()].concat();
    [content.as_slice(), &Sha256::digest(&content)].concat()
}

/// Number and place of the newer mark that holds.
fn read_marks(file: &mut File) -> io::Result<Option<(u64, u64)>> {
    let mut newest = None;
    for slot in 1..=2 {
        let mut bytes = Vec::with_capacity(MARK_BYTES);
        file.seek(SeekFrom::Start(MARK_DISTANCE * slot))?;
        Read::by_ref(file).take(MARK_BYTES as u64).read_to_end(&mut bytes)?;
        let mark = bytes.split_first_chunk::<8>().and_then(|(number, rest)| {
            let (acknowledged, _) = rest.split_first_chunk::<8>()?;
            Some((u64::from_le_bytes(*number), u64::from_le_bytes(*acknowledged)))
        });
        newest = newest.max(mark.filter(|(number, place)| encode_mark(*number, *place) == bytes));
    }
    Ok(newest)
}
