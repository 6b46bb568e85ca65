//! `veilgrid readings import`.

use super::args::{FormatArg, ImportArgs};
use super::buffer::{Buffer, Counts};
use super::capacities::Capacities;
use super::folder::Folder;
use super::formats;
use super::record::{self, Follower, Known, Record};
use super::report::{self, Column, Course, Report, Shape};
use crate::failure::Failure;
use crate::output;
use indicatif::ProgressBar;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use veilgrid_readings::Zone;
use veilgrid_readings_csv::{Layout, Options, Place, Rows};
use veilgrid_store::files::read_at_most;

/// Bytes by which a file's shape is known.
const HEAD_BYTES: u64 = 1 << 20;
/// Bytes of a file that are read at once.
const READ_BYTES: usize = 1 << 18;
/// Rows between two looks at the progress bar.
const ROWS_PER_LOOK: u32 = 1 << 14;
const MIB: u64 = 1 << 20;
/// Most bytes of a file that is read as a whole.
const MAX_WHOLE_BYTES: u64 = 256 << 20;

/// Runs the command.
///
/// # Errors
/// What is wrong with file, folder or options, with the place; what was written before stays, and the same command goes on there.
pub fn run(args: &ImportArgs) -> Result<(), Failure> {
    let mut file = File::open(&args.source).map_err(|error| Failure::file(&args.source, error))?;
    let metadata = file.metadata().map_err(|error| Failure::file(&args.source, error))?;
    if !metadata.is_file() {
        return Err(Failure::file(
            &args.source,
            "is no file; an import that may be cut off has to read it again, so a pipe will not do",
        ));
    }
    let mut head = Vec::new();
    file.by_ref()
        .take(HEAD_BYTES)
        .read_to_end(&mut head)
        .map_err(|error| Failure::file(&args.source, error))?;
    let format = formats::of(&head, args.format).map_err(|what| Failure::file(&args.source, what))?;
    let calendar = match args.calendar.as_deref() {
        Some(name) => formats::zone(Some(name))?,
        None => formats::zone(args.zone.as_deref())?,
    };
    let slot_seconds = args.slot_minutes.saturating_mul(60);
    if !(60..=86_400).contains(&slot_seconds) {
        return Err(Failure::Input(format!(
            "--slot-minutes {}: a slot has 1 to 1440 minutes",
            args.slot_minutes
        )));
    }
    let capacities = Capacities::read(args.capacities.as_deref(), args.capacity_kw.as_deref())?;
    let (bytes, modified) = (metadata.len(), record::modified(&metadata));
    match format {
        FormatArg::Csv => {
            // What is wrong with the first lines is said before a folder is made.
            let options = formats::csv_options(args, folder_slots(args).unwrap_or(slot_seconds))?;
            let is_whole = bytes <= HEAD_BYTES;
            let layout = Layout::detect(&head, is_whole, &options)
                .map_err(|fault| Failure::file(&args.source, fault))?;
            let folder = folder(args, calendar.as_ref(), slot_seconds)?;
            Import { args, folder: &folder, capacities, bytes, modified }.csv(file, &layout, &options)
        }
        format => {
            let folder = folder(args, calendar.as_ref(), slot_seconds)?;
            Import { args, folder: &folder, capacities, bytes, modified }.whole(file, format)
        }
    }
}

/// The folder to write to.
fn folder(args: &ImportArgs, calendar: Option<&Zone>, slot_seconds: u32) -> Result<Folder, Failure> {
    let folder = Folder::create(&args.into, calendar, slot_seconds)?;
    match calendar.filter(|zone| args.calendar.is_some() && **zone != folder.zone) {
        None => Ok(folder),
        Some(zone) => Err(Failure::file(
            &args.into,
            format!(
                "has the days of {}, and --calendar says {}; leave it out, or name a new folder",
                folder.zone.name(),
                zone.name()
            ),
        )),
    }
}

/// The slots of a folder that is there already.
fn folder_slots(args: &ImportArgs) -> Option<u32> {
    Folder::open(&args.into).ok().map(|folder| folder.slot_seconds)
}

/// Whether a file's last byte ends a line.
fn ends_a_line(file: &mut File) -> std::io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(matches!(last, [b'\n' | b'\r']))
}

struct Import<'a> {
    args: &'a ImportArgs,
    folder: &'a Folder,
    capacities: Capacities,
    bytes: u64,
    modified: Option<String>,
}

impl Import<'_> {
    fn csv(&self, mut file: File, layout: &Layout, options: &Options) -> Result<(), Failure> {
        let failed = |error: std::io::Error| Failure::file(&self.args.source, error);
        let settings = format!("csv {options:?}");
        let (mut record, mut follower) = self.record(&settings, &mut file)?;
        let resumed_at_byte = (record.done_bytes > 0).then_some(record.done_bytes);
        let already_imported = record.is_whole;
        let mut notes = Vec::new();
        let mut place = resumed_at_byte.map(|byte| Place { byte, line: record.line });
        let mut buffer =
            Buffer::new(self.folder, self.import(&record), self.args.hold_slots, record.counts.clone());
        if !already_imported {
            let mut second = file.try_clone().map_err(failed)?;
            // The two share one position: what follows with the digest seeks, and so the reader has a handle of its own.
            let mut reading = File::open(&self.args.source).map_err(failed)?;
            reading.seek(SeekFrom::Start(record.done_bytes)).map_err(failed)?;
            let source = BufReader::with_capacity(READ_BYTES, reading);
            let mut rows = Rows::new(layout, source, place.take())
                .map_err(|fault| Failure::file(&self.args.source, fault))?;
            let bar = output::progress(self.bytes.div_ceil(MIB), "MiB read", self.args.json);
            while self.some_rows(&mut rows, &mut buffer)? {
                bar.set_position(rows.place().byte / MIB);
                if buffer.is_full() && rows.is_settled() {
                    self.save(&mut buffer, &mut record, &mut follower, &mut second, rows.place(), &bar)?;
                }
            }
            record.is_whole = true;
            self.save(
                &mut buffer,
                &mut record,
                &mut follower,
                &mut second,
                Place { byte: self.bytes, ..rows.place() },
                &bar,
            )?;
            bar.finish_and_clear();
            if !ends_a_line(&mut second).map_err(failed)? {
                notes.push(
                    "the last line has no line end: if the file was cut off, its last value is cut, too"
                        .into(),
                );
            }
        }
        let columns =
            layout.columns().into_iter().map(|(role, title)| Column { role: role.name(), title }).collect();
        let shape = Shape { format: "csv", columns, notes, interval_s: Some(layout.interval_s()) };
        self.report(&record, &buffer, shape, resumed_at_byte.filter(|_| !already_imported), already_imported)
    }

    /// A file that is read as a whole, and then written.
    fn whole(&self, mut file: File, format: FormatArg) -> Result<(), Failure> {
        let failed = |error: std::io::Error| Failure::file(&self.args.source, error);
        let settings = formats::settings(format, self.args);
        let (mut record, mut follower) = self.record(&settings, &mut file)?;
        let already_imported = record.is_whole;
        let mut buffer =
            Buffer::new(self.folder, self.import(&record), self.args.hold_slots, record.counts.clone());
        let mut notes = Vec::new();
        if !already_imported {
            file.rewind().map_err(failed)?;
            let bytes = read_at_most(&self.args.source, &file, MAX_WHOLE_BYTES).map_err(Failure::input)?;
            let mut sink = |reading: &veilgrid_readings::Reading<'_>| {
                self.capacities.check(reading)?;
                buffer.take(reading)
            };
            notes = formats::read_whole(
                format,
                &bytes,
                self.args.meter.as_deref(),
                self.folder.slot_seconds,
                &mut sink,
            )
            .map_err(|fault| Failure::file(&self.args.source, fault))?;
            record.is_whole = true;
            let bar = output::progress(1, "written", self.args.json);
            self.save(
                &mut buffer,
                &mut record,
                &mut follower,
                &mut file,
                Place { byte: self.bytes, line: 0 },
                &bar,
            )?;
            bar.finish_and_clear();
        }
        let shape = Shape { format: formats::name(format), columns: Vec::new(), notes, interval_s: None };
        self.report(&record, &buffer, shape, None, already_imported)
    }

    fn some_rows<R: Read>(&self, rows: &mut Rows<'_, R>, buffer: &mut Buffer<'_>) -> Result<bool, Failure> {
        let mut sink = |reading: &veilgrid_readings::Reading<'_>| {
            self.capacities.check(reading)?;
            buffer.take(reading)
        };
        for _ in 0..ROWS_PER_LOOK {
            if !rows.step(&mut sink).map_err(|fault| Failure::file(&self.args.source, fault))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The record of this import: that of an earlier run of the same, or a new one.
    fn record(&self, settings: &str, file: &mut File) -> Result<(Record, Follower), Failure> {
        let records = record::all(&self.folder.imports())?;
        let known = Known { settings, bytes: self.bytes, modified: self.modified.as_deref() };
        let earlier = record::earlier(&records, &known, file)
            .map_err(|error| Failure::file(&self.args.source, error))?;
        if let Some((record, follower)) = earlier.filter(|_| !self.args.dry_run) {
            return Ok((record, follower));
        }
        let import = records
            .last()
            .map_or(Some(1), |last| last.import.checked_add(1))
            .ok_or_else(|| Failure::Input("too many imports".into()))?;
        let mut follower = Follower::new();
        let sha256 = follower.up_to(file, 0).map_err(|error| Failure::file(&self.args.source, error))?;
        let source = self.args.source.display().to_string();
        let (settings, counts) = (settings.to_owned(), Counts::default());
        let record = Record {
            import,
            source,
            settings,
            bytes: self.bytes,
            modified: self.modified.clone(),
            done_bytes: 0,
            line: 1,
            sha256,
            is_whole: false,
            counts,
        };
        if !self.args.dry_run {
            record::write(&self.folder.imports(), &record)?;
        }
        Ok((record, follower))
    }

    fn import(&self, record: &Record) -> Option<u32> {
        (!self.args.dry_run).then_some(record.import)
    }

    /// Writes what waits, and then how far that is.
    fn save(
        &self,
        buffer: &mut Buffer<'_>,
        record: &mut Record,
        follower: &mut Follower,
        file: &mut File,
        place: Place,
        bar: &ProgressBar,
    ) -> Result<(), Failure> {
        buffer.write(|| bar.tick())?;
        if self.args.dry_run {
            return Ok(());
        }
        record.sha256 =
            follower.up_to(file, place.byte).map_err(|error| Failure::file(&self.args.source, error))?;
        (record.done_bytes, record.line, record.counts) = (place.byte, place.line, buffer.counts.clone());
        record::write(&self.folder.imports(), record)
    }

    fn report(
        &self,
        record: &Record,
        buffer: &Buffer<'_>,
        shape: Shape,
        resumed_at_byte: Option<u64>,
        already_imported: bool,
    ) -> Result<(), Failure> {
        let course = Course {
            import: self.import(record),
            source: record.source.clone(),
            counts: buffer.counts.clone(),
            resumed_at_byte,
            already_imported,
            capacities_checked: self.capacities.are_known(),
        };
        let report = Report::new(course, shape);
        if self.args.json {
            return output::json(&report);
        }
        report::print(&report);
        Ok(())
    }
}
