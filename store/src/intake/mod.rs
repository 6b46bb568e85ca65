//! The journal of an intake: what was acknowledged with a receipt and does not stand in a block yet.
//!
//! A file a round, not a tree of the database: a batch costs one write and one flush of one file, a round that is over
//! is forgotten by removing its file, which gives the space back, and damage to one round leaves the others readable.
//! Receipts are numbered; the last number survives the rounds that it was given in, since a number that is given twice
//! proves an aggregator a liar.

mod entry;
mod error;
mod segment;

pub use entry::IntakeEntry;
pub use error::IntakeError;

use crate::durable::{create_directories, sync_directory};
use segment::{Place, Segment, Verified};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use veilgrid_crypto::receipt::Receipt;

const LOCK_FILE: &str = "lock";
const FORGOTTEN_FILE: &str = "forgotten";
/// How many numbers are left out after damage. Which numbers the lost receipts had is not known; that they are fewer is
/// certain, because a file with so many has terabytes.
const NUMBERS_LEFT_OUT: u64 = 1 << 32;

/// A round whose file was damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedRound {
    /// The round.
    pub round_id: u64,
    /// How many entries before the damage were kept.
    pub kept_entries: u64,
    /// Where the damaged file is now.
    pub moved_to: PathBuf,
    /// What was wrong with it.
    pub why: String,
}

/// What was forgotten: rounds that are over, and the numbers that were given in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Forgotten {
    /// Rounds up to this one, if any was. Rounds are numbered from 1: up to 0 is none.
    up_to: Option<u64>,
    last_sequence: u64,
}

/// An intake's journal on disk. One process owns it.
#[derive(Debug)]
pub struct IntakeJournal {
    directory: PathBuf,
    /// Held for as long as the journal is open.
    _lock: File,
    segments: BTreeMap<u64, Segment>,
    forgotten: Forgotten,
    last_sequence: u64,
    cut_bytes: u64,
    /// Where the files of rounds ended before a write that has failed: what is behind was not acknowledged.
    to_repair: BTreeMap<u64, Place>,
}

impl IntakeJournal {
    /// Opens or creates a journal and checks all of it. The end of a file that a crash has cut off was never
    /// acknowledged and is removed.
    ///
    /// # Errors
    /// [`IntakeError::Damaged`], [`IntakeError::InUse`], [`IntakeError::DiskFull`], [`IntakeError::Io`].
    pub fn open(directory: &Path) -> Result<Self, IntakeError> {
        Self::open_with(directory, &mut |damage| Err(damage))
    }

    /// Opens a journal; files that are damaged inside are moved aside, and of their entries those before the damage
    /// are kept. Whoever holds a receipt for another one has to send its bid again. The numbers of lost receipts are not
    /// given again: [`IntakeJournal::last_sequence`] is above them all.
    ///
    /// # Errors
    /// As [`IntakeJournal::open`]; of damage only that of the record of forgotten rounds.
    pub fn open_or_rebuild(directory: &Path) -> Result<(Self, Vec<DamagedRound>), IntakeError> {
        let mut damages = Vec::new();
        let mut journal = Self::open_with(directory, &mut |damage| {
            damages.push(damage);
            Ok(())
        })?;
        let mut rounds = Vec::new();
        for damage in damages {
            rounds.push(journal.rebuild(damage)?);
        }
        Ok((journal, rounds))
    }

    fn open_with(
        directory: &Path,
        on_damage: &mut dyn FnMut(IntakeError) -> Result<(), IntakeError>,
    ) -> Result<Self, IntakeError> {
        let io = |source| IntakeError::io(directory, source);
        create_directories(directory, &fs::DirBuilder::new()).map_err(io)?;
        let lock = lock(directory)?;
        // A run that was killed may have named a file and not made the name durable.
        sync_directory(directory).map_err(io)?;
        let forgotten = read_forgotten(&directory.join(FORGOTTEN_FILE))?;
        let mut journal = Self {
            directory: directory.to_path_buf(),
            _lock: lock,
            segments: BTreeMap::new(),
            forgotten,
            last_sequence: forgotten.last_sequence,
            cut_bytes: 0,
            to_repair: BTreeMap::new(),
        };
        for entry in fs::read_dir(directory).map_err(io)? {
            let entry = entry.map_err(io)?;
            let Some(round_id) = entry.file_name().to_str().and_then(segment::round_of) else { continue };
            if Some(round_id) <= forgotten.up_to {
                // A crash came between the record of what is forgotten and the removal.
                fs::remove_file(entry.path()).map_err(io)?;
                continue;
            }
            match Segment::open(&entry.path(), round_id) {
                Ok(verified) => journal.adopt(round_id, verified),
                Err(damage @ IntakeError::Damaged { .. }) => on_damage(damage)?,
                Err(error) => return Err(error),
            }
        }
        Ok(journal)
    }

    fn adopt(&mut self, round_id: u64, verified: Verified) {
        if verified.cut_bytes > 0 {
            let path = verified.segment.path().display().to_string();
            tracing::warn!(path, bytes = verified.cut_bytes, "the end of the journal was cut off by a crash");
        }
        self.cut_bytes = self.cut_bytes.saturating_add(verified.cut_bytes);
        self.last_sequence = self.last_sequence.max(verified.last_sequence);
        self.segments.insert(round_id, verified.segment);
    }

    /// Moves a damaged file aside and writes the entries before the damage anew.
    fn rebuild(&mut self, damage: IntakeError) -> Result<DamagedRound, IntakeError> {
        let why = damage.to_string();
        let IntakeError::Damaged { path, round_id, .. } = damage else { return Err(damage) };
        let io = |source| IntakeError::io(&path, source);
        let mut segment = Segment::create(&self.directory.join("rebuilding.part"), round_id)?;
        let kept = segment::copy_before_damage(&path, round_id, &mut segment)?;
        let moved_to = (1..u32::MAX)
            .map(|n| path.with_extension(format!("intake.damaged-{n}")))
            .find(|path| !path.exists())
            .ok_or_else(|| io(io::Error::from(io::ErrorKind::AlreadyExists)))?;
        // While the damage can still be seen: a crash after this only leaves more numbers out.
        let last_sequence = self.last_sequence.max(kept.last_sequence).checked_add(NUMBERS_LEFT_OUT);
        let last_sequence = last_sequence.ok_or_else(|| IntakeError::NoNumbers { path: path.clone() })?;
        self.note_forgotten(Forgotten { up_to: Some(self.forgotten.up_to.unwrap_or(0)), last_sequence })?;
        // A second name, then a replacement: at no moment is there no file of the round.
        fs::hard_link(&path, &moved_to)
            .and_then(|()| fs::rename(segment.path(), &path))
            .and_then(|()| sync_directory(&self.directory))
            .map_err(io)?;
        self.segments.insert(round_id, segment.at(path.clone()));
        self.last_sequence = last_sequence;
        Ok(DamagedRound { round_id, kept_entries: kept.entries, moved_to, why })
    }

    /// Writes entries that are about to be acknowledged. When it returns, all of them are on disk: a write and a flush
    /// for each round among them. After an error none of them may be acknowledged. A later call begins by taking away
    /// what a failed write has left behind, so that a disk that has room again is written again.
    ///
    /// # Errors
    /// [`IntakeError::Receipt`], [`IntakeError::Forgotten`] and [`IntakeError::TooLarge`], after which nothing was
    /// written; [`IntakeError::DiskFull`], [`IntakeError::Io`].
    pub fn record(&mut self, entries: &[IntakeEntry]) -> Result<(), IntakeError> {
        self.repair()?;
        let mut rounds: BTreeMap<u64, Vec<IntakeEntry>> = BTreeMap::new();
        let mut last_sequence = self.last_sequence;
        for entry in entries {
            let receipt = Receipt::from_bytes(&entry.receipt).map_err(IntakeError::Receipt)?;
            if Some(receipt.round_id) <= self.forgotten.up_to {
                return Err(IntakeError::Forgotten { round_id: receipt.round_id });
            }
            last_sequence = last_sequence.max(receipt.sequence);
            rounds.entry(receipt.round_id).or_default().push(entry.clone());
        }
        if let Some(bytes) = rounds
            .values()
            .map(|entries| segment::frame_bytes(entries))
            .find(|bytes| *bytes > segment::MAX_FRAME_BYTES)
        {
            return Err(IntakeError::TooLarge { bytes });
        }
        self.write(rounds)?;
        // One write may be of several rounds: only now all of them are there, and none has to be taken away.
        self.to_repair.clear();
        self.last_sequence = last_sequence;
        Ok(())
    }

    /// Cuts off what a write that has failed has left behind. Nobody was told of it, and its receipts were not given:
    /// left in place, a restart would take it for given, beside other receipts with the same numbers.
    fn repair(&mut self) -> Result<(), IntakeError> {
        while let Some((round_id, place)) = self.to_repair.first_key_value() {
            if let Some(segment) = self.segments.get_mut(round_id) {
                segment.cut_back(*place)?;
                let path = segment.path().display().to_string();
                tracing::warn!(path, "the journal is written again after a write that has failed");
            }
            self.to_repair.pop_first();
        }
        Ok(())
    }

    fn write(&mut self, rounds: BTreeMap<u64, Vec<IntakeEntry>>) -> Result<(), IntakeError> {
        for (round_id, entries) in rounds {
            let segment = match self.segments.get_mut(&round_id) {
                Some(segment) => segment,
                None => {
                    let created = Segment::create(&segment::path(&self.directory, round_id), round_id)?;
                    self.segments.entry(round_id).or_insert(created)
                }
            };
            self.to_repair.insert(round_id, segment.place());
            segment.append(&entries)?;
        }
        Ok(())
    }

    /// All entries by their rounds, in the order in which they were recorded.
    ///
    /// # Errors
    /// [`IntakeError::Damaged`], [`IntakeError::Io`].
    pub fn load(&self) -> Result<BTreeMap<u64, Vec<IntakeEntry>>, IntakeError> {
        self.segments.iter().map(|(round_id, segment)| Ok((*round_id, segment.entries()?))).collect()
    }

    /// The highest number of a receipt that was ever recorded, 0 in a new journal.
    pub fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    /// Bytes that were removed on opening because a crash had cut their writing off; none of them was acknowledged.
    pub fn cut_bytes(&self) -> u64 {
        self.cut_bytes
    }

    /// Forgets the rounds up to this one: they are over, and their bids stand in blocks or in none.
    ///
    /// # Errors
    /// [`IntakeError::DiskFull`], [`IntakeError::Io`].
    pub fn forget_up_to(&mut self, round_id: u64) -> Result<(), IntakeError> {
        self.repair()?;
        if Some(round_id) <= self.forgotten.up_to {
            return Ok(());
        }
        // The last number first: it must not go with the file that names it.
        self.note_forgotten(Forgotten { up_to: Some(round_id), last_sequence: self.last_sequence })?;
        let kept = match round_id.checked_add(1) {
            Some(next) => self.segments.split_off(&next),
            None => BTreeMap::new(),
        };
        for segment in core::mem::replace(&mut self.segments, kept).into_values() {
            fs::remove_file(segment.path()).map_err(|source| IntakeError::io(segment.path(), source))?;
        }
        Ok(())
    }

    fn note_forgotten(&mut self, forgotten: Forgotten) -> Result<(), IntakeError> {
        write_forgotten(&self.directory, &forgotten)?;
        self.forgotten = forgotten;
        Ok(())
    }
}

fn lock(directory: &Path) -> Result<File, IntakeError> {
    let path = directory.join(LOCK_FILE);
    let io = |source| IntakeError::io(&path, source);
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(IntakeError::InUse { path: directory.to_path_buf() }),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

fn encode_forgotten(forgotten: &Forgotten) -> Option<Vec<u8>> {
    let content = [forgotten.up_to?.to_le_bytes(), forgotten.last_sequence.to_le_bytes()].concat();
    Some([content.as_slice(), &Sha256::digest(&content)].concat())
}

fn read_forgotten(path: &Path) -> Result<Forgotten, IntakeError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Forgotten::default()),
        Err(source) => return Err(IntakeError::io(path, source)),
    };
    let decoded = bytes.split_first_chunk::<8>().and_then(|(up_to, rest)| {
        let (last_sequence, _) = rest.split_first_chunk::<8>()?;
        let up_to = Some(u64::from_le_bytes(*up_to));
        Some(Forgotten { up_to, last_sequence: u64::from_le_bytes(*last_sequence) })
    });
    decoded.filter(|forgotten| encode_forgotten(forgotten).as_ref() == Some(&bytes)).ok_or_else(|| {
        // Not of one round, so that nothing is rebuilt: the number of the last receipt is at stake.
        IntakeError::DamagedNumbers { path: path.to_path_buf() }
    })
}

fn write_forgotten(directory: &Path, forgotten: &Forgotten) -> Result<(), IntakeError> {
    let (path, new) = (directory.join(FORGOTTEN_FILE), directory.join("forgotten.new"));
    let bytes = encode_forgotten(forgotten).unwrap_or_default();
    let write = || {
        let mut file = File::create(&new)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        sync_directory(directory)
    };
    write().map_err(|source| IntakeError::io(&path, source))
}
