//! The folder of readings: a text file per meter, direction and month, each whole or not there.
//!
//! ```text
//! readings.json                                         zone and slot length
//! imports/000001.json                                   what was imported when it was cut off, and what has been
//! meters/AT0010…/consumption-2026-03.readings           days with their revisions
//! ```

use crate::failure::Failure;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use veilgrid_readings::{Date, Direction, Month, Zone};
use veilgrid_store::files::{make_private_directory, open_private, read_at_most, write_durably};

const SETTINGS: &str = "readings.json";
const FORMAT: u32 = 1;
const ENDING: &str = ".readings";
/// More than a month of minutes with many revisions.
const MAX_FILE_BYTES: u64 = 64 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct Settings {
    format: u32,
    zone: String,
    slot_seconds: u32,
}

/// An opened folder.
pub struct Folder {
    root: PathBuf,
    /// Whose calendar days these are.
    pub zone: Zone,
    /// The length of a slot.
    pub slot_seconds: u32,
    /// Held while this process writes.
    _lock: Option<File>,
}

impl Folder {
    /// Opens a folder to read it.
    ///
    /// # Errors
    /// No folder of readings.
    pub fn open(root: &Path) -> Result<Self, Failure> {
        let path = root.join(SETTINGS);
        let file = File::open(&path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Failure::file(
                root,
                "is no folder of readings; make one with `veilgrid readings import FILE --into DIR`",
            ),
            _ => Failure::file(&path, error),
        })?;
        let bytes = read_at_most(&path, file, 1 << 16).map_err(Failure::input)?;
        let settings: Settings =
            serde_json::from_slice(&bytes).map_err(|error| Failure::file(&path, error))?;
        if settings.format != FORMAT || settings.slot_seconds == 0 {
            return Err(Failure::file(
                &path,
                format!("has format {}, and this version reads format {FORMAT}", settings.format),
            ));
        }
        let zone = Zone::named(&settings.zone).map_err(|error| Failure::file(&path, error))?;
        Ok(Self { root: root.to_owned(), zone, slot_seconds: settings.slot_seconds, _lock: None })
    }

    /// Opens a folder to write to it, and makes it where it is not there.
    ///
    /// # Errors
    /// A folder that something else lies in, or that another process writes to.
    pub fn create(root: &Path, zone: Option<&Zone>, slot_seconds: u32) -> Result<Self, Failure> {
        let path = root.join(SETTINGS);
        if !path.exists()
            && fs::read_dir(root).is_ok_and(|mut entries| {
                entries.any(|entry| entry.is_ok_and(|entry| entry.file_name() != "lock"))
            })
        {
            return Err(Failure::file(root, "is no folder of readings and is not empty; name a new folder"));
        }
        let new_zone = || {
            zone.ok_or_else(|| {
                Failure::file(
                    root,
                    "is new: say the zone of its calendar days with --calendar, such as Europe/Vienna",
                )
            })
        };
        if !path.exists() {
            new_zone()?;
            make_private_directory(root).map_err(|error| Failure::file(root, error))?;
        }
        let lock = open_private(&root.join("lock"), fs::OpenOptions::new().write(true))
            .map_err(|error| Failure::file(root, error))?;
        lock.try_lock()
            .map_err(|_| Failure::file(root, "another import writes to this folder; wait for it"))?;
        // Not before the lock is held: of two imports that make one folder, the second would change the zone of the first.
        if !path.exists() {
            let settings = Settings { format: FORMAT, zone: new_zone()?.name().to_owned(), slot_seconds };
            let bytes = serde_json::to_vec_pretty(&settings).map_err(Failure::input)?;
            write_durably(&path, &bytes).map_err(|error| Failure::file(root, error))?;
        }
        for name in ["imports", "meters"] {
            let path = root.join(name);
            make_private_directory(&path).map_err(|error| Failure::file(&path, error))?;
        }
        Ok(Self { _lock: Some(lock), ..Self::open(root)? })
    }

    /// Where records of imports are.
    pub fn imports(&self) -> PathBuf {
        self.root.join("imports")
    }

    /// A month as it is stored; without days where it is not.
    ///
    /// # Errors
    /// A file that can't be read, or is damaged.
    pub fn month(&self, meter: &str, direction: Direction, first: Date) -> Result<Month, Failure> {
        let path = self.path(meter, direction, first);
        match File::open(&path) {
            Ok(file) => self.parse(&path, file),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Month {
                meter: meter.to_owned(),
                direction,
                zone: self.zone.clone(),
                slot_seconds: self.slot_seconds,
                first,
                days: std::collections::BTreeMap::new(),
            }),
            Err(error) => Err(Failure::file(&path, error)),
        }
    }

    fn parse(&self, path: &Path, file: File) -> Result<Month, Failure> {
        let bytes = read_at_most(path, file, MAX_FILE_BYTES).map_err(Failure::input)?;
        let text = std::str::from_utf8(&bytes).map_err(|error| Failure::file(path, error))?;
        let month = Month::parse(text).map_err(|error| Failure::file(path, error))?;
        let expected = self.path(&month.meter, month.direction, month.first);
        if expected != path || month.zone != self.zone || month.slot_seconds != self.slot_seconds {
            return Err(Failure::file(
                path,
                "belongs elsewhere: meter, month, zone or slots inside are others; was it copied here?",
            ));
        }
        Ok(month)
    }

    /// Writes a month; it is on disk when this returns.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self, month: &Month) -> Result<(), Failure> {
        let path = self.path(&month.meter, month.direction, month.first);
        let folder = path.parent().unwrap_or(&self.root);
        if !folder.exists() {
            make_private_directory(folder).map_err(|error| Failure::file(folder, error))?;
        }
        write_durably(&path, month.to_text().as_bytes()).map_err(|error| Failure::file(&path, error))
    }

    /// The meters, by id.
    ///
    /// # Errors
    /// The file system's.
    pub fn meters(&self) -> Result<Vec<String>, Failure> {
        let path = self.root.join("meters");
        let failed = |error| Failure::file(&path, error);
        let mut meters = Vec::new();
        for entry in fs::read_dir(&path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            meters.extend(name.to_str().and_then(unescaped));
        }
        meters.sort();
        Ok(meters)
    }

    /// The months of a meter that are there, with their first days, in order.
    ///
    /// # Errors
    /// The file system's.
    pub fn months(&self, meter: &str) -> Result<Vec<(Direction, Date)>, Failure> {
        let path = self.root.join("meters").join(escaped(meter));
        let failed = |error| Failure::file(&path, error);
        let mut months = Vec::new();
        for entry in fs::read_dir(&path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            // What a write left behind when it was cut off has another ending.
            let Some((direction, month)) = name
                .to_str()
                .and_then(|name| name.strip_suffix(ENDING))
                .and_then(|name| name.split_once('-'))
            else {
                continue;
            };
            let date = format!("{month}-01").parse().ok();
            months.extend(Direction::from_name(direction).zip(date));
        }
        months.sort();
        Ok(months)
    }

    fn path(&self, meter: &str, direction: Direction, first: Date) -> PathBuf {
        let name = format!("{}-{:04}-{:02}{ENDING}", direction.name(), first.year(), first.month());
        self.root.join("meters").join(escaped(meter)).join(name)
    }
}

/// An id as the name of a folder: letters, digits, `-` and `_` stand for themselves, each other byte is `%` with two digits.
fn escaped(id: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02x}"),
    };
    id.bytes().map(byte).collect()
}

fn unescaped(name: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        bytes.push(match first {
            b'%' => {
                let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
                rest = tail.get(2..)?;
                u8::from_str_radix(digits, 16).ok()?
            }
            byte => *byte,
        });
    }
    String::from_utf8(bytes).ok().filter(|id| escaped(id) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_id_is_a_folder_name_and_no_two_share_one() {
        for id in ["AT001", "..", "a/b", "Zähler 7", "%41", "A", ".part"] {
            let name = escaped(id);
            assert!(!name.contains(['/', '.', ' ']), "{name}");
            assert_eq!(unescaped(&name).as_deref(), Some(id));
        }
        assert_eq!(unescaped("%4"), None);
        assert_eq!(unescaped("%41"), None, "the name that `A` has is another");
    }
    #[test]
    fn who_does_not_hold_the_lock_settles_no_zone() {
        let folder = tempfile::tempdir().expect("a folder");
        let utc = Zone::named("UTC").expect("a zone");
        let other = File::create(folder.path().join("lock")).expect("a file");
        other.lock().expect("locked");
        let refused = Folder::create(folder.path(), Some(&utc), 900).err().expect("refused");
        assert!(refused.to_string().contains("another import"), "{refused}");
        assert!(!folder.path().join(SETTINGS).exists());
        drop(other);
        assert!(Folder::create(folder.path(), Some(&utc), 900).is_ok());
    }
}
