//! The folder of final months: each is there as a whole or not at all, and none is ever written again.
//!
//! ```text
//! bills/2026-03/run.json            what was billed, with the digest of the month before
//! bills/2026-03/members/…           a bill per member: PDF, CSV, JSON
//! bills/2026-03/operator/…          what the community's operator gets
//! bills/2026-03/inputs/…            the files that it was made from
//! bills/2026-03/SHA256SUMS          of all other files, as `sha256sum --check` reads it
//! ```

use super::load::{Loaded, load_kept};
use crate::failure::Failure;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use veilgrid_billing::bill::{Bill, sha256};
use veilgrid_billing::period::Period;
use veilgrid_billing::run::{Run, check_chain, check_next};
use veilgrid_store::files::{
    make_private_directory, open_private, read_at_most, sync_directory, write_new_private,
};

const RUN: &str = "run.json";
const SUMS: &str = "SHA256SUMS";
const INPUTS: &str = "inputs";
const MEMBERS: &str = "members";
const LOCK: &str = "lock";
/// How a month is called until it is whole.
const UNFINISHED: &str = ".unfinished-";
const MAX_BYTES: u64 = 256 << 20;

/// The files of a month by their path in it.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A final month.
pub struct Stored {
    pub run: Run,
    pub sha256: String,
    folder: PathBuf,
}

/// The folder, its chain checked.
pub struct Store {
    root: PathBuf,
    pub months: Vec<Stored>,
    /// The digest that the next month names.
    pub last_digest: String,
}

impl Store {
    /// Opens the folder; one that is not there yet has no months.
    ///
    /// # Errors
    /// A folder of something else, a month that was changed or does not follow the one before.
    pub fn open(root: &Path) -> Result<Self, Failure> {
        let mut months = Vec::new();
        let mut read = Vec::new();
        for folder in month_folders(root)? {
            let path = folder.join(RUN);
            let bytes = read_file(&path)?;
            let run = Run::parse(&bytes).map_err(|error| Failure::file(&path, error))?;
            if folder.file_name().and_then(|name| name.to_str()) != Some(&run.period.to_string()) {
                return Err(Failure::file(&path, format!("is of {}; was it copied here?", run.period)));
            }
            months.push(Stored { run, sha256: sha256(&bytes), folder });
            read.push(bytes);
        }
        let chain = read.iter().zip(&months).map(|(bytes, month)| (bytes.as_slice(), &month.run));
        let last_digest = check_chain(chain).map_err(|error| Failure::file(root, error))?;
        Ok(Self { root: root.to_owned(), months, last_digest })
    }

    /// Checks that a month may be billed next.
    ///
    /// # Errors
    /// One that is final, or not the next; in words.
    pub fn check_next(&self, period: Period) -> Result<(), Failure> {
        check_next(self.months.last().map(|month| month.run.period), period).map_err(Failure::input)
    }

    /// A month.
    ///
    /// # Errors
    /// One that is not final.
    pub fn month(&self, period: Period) -> Result<&Stored, Failure> {
        self.months.iter().find(|month| month.run.period == period).ok_or_else(|| {
            Failure::file(
                &self.root,
                format!("{period} is not final; `veilgrid bill status` lists the months that are"),
            )
        })
    }

    /// Writes a final month: it is on disk when this returns, or nothing of it is.
    ///
    /// # Errors
    /// Another process that bills, a month that is there already, the file system's.
    pub fn write_final(&self, period: Period, files: &Files) -> Result<PathBuf, Failure> {
        let failed = |error| Failure::file(&self.root, error);
        make_private_directory(&self.root).map_err(failed)?;
        let lock = open_private(&self.root.join(LOCK), OpenOptions::new().write(true)).map_err(failed)?;
        lock.try_lock()
            .map_err(|_| Failure::file(&self.root, "another process bills into this folder; wait for it"))?;
        // It may have billed since this one looked.
        let now = Self::open(&self.root)?;
        now.check_next(period)?;
        if now.last_digest != self.last_digest {
            return Err(Failure::file(
                &self.root,
                "another process has billed a month meanwhile; start again",
            ));
        }
        let unfinished = self.root.join(format!("{UNFINISHED}{period}"));
        match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        write_files(&unfinished, files)?;
        let folder = self.root.join(period.to_string());
        fs::rename(&unfinished, &folder).map_err(|error| Failure::file(&folder, error))?;
        sync_directory(&folder).map_err(failed)?;
        Ok(folder)
    }
}

impl Stored {
    /// The bill of an account, if it has one.
    ///
    /// # Errors
    /// A file that is missing or was changed.
    pub fn bill(&self, account: &str) -> Result<Option<Bill>, Failure> {
        let Some(entry) = self.run.bills.iter().find(|entry| entry.account == account) else {
            return Ok(None);
        };
        let path = self.folder.join(MEMBERS).join(format!("{}.json", entry.number));
        let bytes = read_file(&path)?;
        if sha256(&bytes) != entry.sha256 {
            return Err(Failure::file(&path, "was changed after it was billed; restore it from a backup"));
        }
        serde_json::from_slice(&bytes).map(Some).map_err(|error| Failure::file(&path, error))
    }

    /// The files that it was made from.
    ///
    /// # Errors
    /// As [`Self::bill`].
    pub fn inputs(&self) -> Result<Loaded, Failure> {
        load_kept(&self.folder.join(INPUTS), &self.run.inputs)
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Checks the digest of every file; how many there are.
    ///
    /// # Errors
    /// The first file that is missing, was changed, or is not of the month.
    pub fn check_files(&self) -> Result<usize, Failure> {
        for entry in &self.run.bills {
            self.bill(&entry.account)?;
        }
        self.inputs()?;
        let path = self.folder.join(SUMS);
        let sums = String::from_utf8(read_file(&path)?).map_err(|error| Failure::file(&path, error))?;
        let mut listed: BTreeMap<PathBuf, &str> = BTreeMap::new();
        for line in sums.lines() {
            let (digest, name) = line.split_once("  ").ok_or_else(|| Failure::file(&path, "is damaged"))?;
            listed.insert(self.folder.join(name), digest);
        }
        let mut there = Vec::new();
        files_below(&self.folder, &mut there)?;
        for file in there.iter().filter(|file| **file != path) {
            let digest = listed
                .remove(file)
                .ok_or_else(|| Failure::file(file, "is not of this month; was it put here?"))?;
            if sha256(&read_file(file)?) != digest {
                return Err(Failure::file(
                    file,
                    "was changed after its month was billed; restore it from a backup",
                ));
            }
        }
        match listed.into_keys().next() {
            Some(missing) => Err(Failure::file(&missing, "is missing; restore it from a backup")),
            None => Ok(there.len()),
        }
    }
}

/// Writes files with their digests into a new folder.
///
/// # Errors
/// A folder that exists, the file system's.
pub fn write_files(folder: &Path, files: &Files) -> Result<(), Failure> {
    if folder.exists() {
        return Err(Failure::file(folder, "exists already; name a new folder, nothing is overwritten"));
    }
    let mut sums = String::new();
    for (name, bytes) in files {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        make_private_directory(parent).map_err(|error| Failure::file(parent, error))?;
        write_new_private(&path, bytes).map_err(Failure::input)?;
        sums += &format!("{}  {name}\n", sha256(bytes));
    }
    write_new_private(&folder.join(SUMS), sums.as_bytes()).map_err(Failure::input)
}

/// The files of a month as they are kept.
pub fn month_files(run: &[u8], members: Files, operator: Files, inputs: Files) -> Files {
    let mut files = Files::from([(RUN.to_owned(), run.to_vec())]);
    for (folder, content) in [(MEMBERS, members), ("operator", operator), (INPUTS, inputs)] {
        files.extend(content.into_iter().map(|(name, bytes)| (format!("{folder}/{name}"), bytes)));
    }
    files
}

fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let file = File::open(path).map_err(|error| Failure::file(path, error))?;
    read_at_most(path, file, MAX_BYTES).map_err(Failure::input)
}

/// The folders of months, in order. Anything else in the folder, but for what a run leaves, says that it is another folder.
fn month_folders(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::file(root, error)),
    };
    let mut folders = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| Failure::file(root, error))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name == LOCK || name.starts_with(UNFINISHED) {
            continue;
        }
        if name.parse::<Period>().is_err() {
            return Err(Failure::file(
                root,
                format!("has {name:?} in it and is no folder of bills; name a new folder"),
            ));
        }
        folders.push(path);
    }
    folders.sort();
    Ok(folders)
}

fn files_below(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    for entry in fs::read_dir(folder).map_err(|error| Failure::file(folder, error))? {
        let path = entry.map_err(|error| Failure::file(folder, error))?.path();
        if path.is_dir() { files_below(&path, files)? } else { files.push(path) }
    }
    Ok(())
}
