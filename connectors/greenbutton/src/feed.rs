//! The feed's entries with their links.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};
use veilgrid_readings::{Direction, Fault, quoted};

/// Elements within elements; a feed has eight.
const MOST_DEPTH: usize = 32;

/// An entry of the feed.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    pub line: u64,
    pub link_self: String,
    pub link_up: Vec<String>,
    pub link_related: Vec<String>,
    pub content: Content,
}

impl Entry {
    /// A related link leads to the other entry itself, or to the collection that it is in.
    pub fn is_parent_of(&self, other: &Entry) -> bool {
        self.link_related.iter().any(|link| *link == other.link_self || other.link_up.contains(link))
    }
}

/// What an entry is about.
#[derive(Debug, Default)]
pub(crate) enum Content {
    #[default]
    Other,
    UsagePoint {
        is_electricity: bool,
    },
    MeterReading,
    ReadingType(ReadingType),
    Intervals(Vec<Interval>),
}

/// The unit and kind of values.
#[derive(Debug, Default, Clone)]
pub(crate) struct ReadingType {
    pub line: u64,
    pub unit: String,
    pub power_of_ten: i32,
    pub flow_direction: String,
    pub accumulation: String,
}

impl ReadingType {
    /// Wh (72) of an interval (delta data, 4; 0 where it is not told).
    pub fn is_energy_of_intervals(&self) -> bool {
        self.unit == "72" && matches!(self.accumulation.as_str(), "4" | "0" | "")
    }

    /// Forward is to the customer.
    pub fn direction(&self) -> Option<Direction> {
        match self.flow_direction.as_str() {
            "1" => Some(Direction::Consumption),
            "19" => Some(Direction::Generation),
            _ => None,
        }
    }
}

/// An interval as it is written.
#[derive(Debug, Default)]
pub(crate) struct Interval {
    pub line: u64,
    /// None until it is told.
    pub start_unix_s: Option<i64>,
    pub seconds: u32,
    pub value: Option<String>,
    pub qualities: Vec<String>,
}

/// Reads all entries.
pub(crate) fn entries(text: &str) -> Result<Vec<Entry>, Fault> {
    let mut reader = Reader::from_str(text);
    let mut walk = Walk::default();
    let (mut line, mut counted) = (1, 0);
    loop {
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX).min(text.len());
        line += text
            .as_bytes()
            .get(counted..at)
            .unwrap_or_default()
            .iter()
            .filter(|byte| **byte == b'\n')
            .count() as u64;
        counted = at;
        let event = reader
            .read_event()
            .map_err(|error| Fault::line(line, format!("is no well-formed XML: {error}")))?;
        match event {
            Event::Start(tag) => walk.open(&tag, line)?,
            Event::Empty(tag) => {
                walk.open(&tag, line)?;
                walk.close(line)?;
            }
            Event::Text(content) => walk.text.push_str(&content),
            Event::CData(content) => walk.text.push_str(&content),
            Event::GeneralRef(entity) => walk.text.push(character(&entity, line)?),
            Event::End(_) => walk.close(line)?,
            Event::Eof if walk.path.is_empty() => break,
            Event::Eof => {
                return Err(Fault::line(
                    line,
                    "is the last one, and elements are still open; was the file cut off?",
                ));
            }
            // Comments, instructions, declarations.
            _ => {}
        }
    }
    Ok(walk.entries)
}

/// The character of `&#48;` or `&amp;`. A feed defines no entities of its own, and a digit that is left out makes another number.
fn character(entity: &BytesRef<'_>, line: u64) -> Result<char, Fault> {
    let fault = || Fault::line(line, format!("has an entity {} that is not defined", quoted(entity)));
    match entity.resolve_char_ref().map_err(|_| fault())? {
        Some(character) => Ok(character),
        None => match &**entity {
            "amp" => Ok('&'),
            "lt" => Ok('<'),
            "gt" => Ok('>'),
            "quot" => Ok('"'),
            "apos" => Ok('\''),
            _ => Err(fault()),
        },
    }
}

#[derive(Default)]
struct Walk {
    path: Vec<String>,
    /// Text of the innermost element.
    text: String,
    entry: Option<Entry>,
    reading_type: ReadingType,
    interval: Interval,
    entries: Vec<Entry>,
}

impl Walk {
    fn open(&mut self, tag: &BytesStart<'_>, line: u64) -> Result<(), Fault> {
        let name = tag.local_name().as_ref().to_owned();
        if self.path.len() >= MOST_DEPTH {
            return Err(Fault::line(line, "is nested deeper than any Green Button file"));
        }
        match name.as_str() {
            "entry" => self.entry = Some(Entry { line, ..Entry::default() }),
            "link" => self.link(tag, line)?,
            "ReadingType" => self.reading_type = ReadingType { line, ..ReadingType::default() },
            "IntervalReading" => self.interval = Interval { line, ..Interval::default() },
            "UsagePoint" => self.content(Content::UsagePoint { is_electricity: true }),
            "MeterReading" => self.content(Content::MeterReading),
            // An entry may have several blocks.
            "IntervalBlock"
                if !matches!(
                    self.entry.as_ref().map(|entry| &entry.content),
                    Some(Content::Intervals(_))
                ) =>
            {
                self.content(Content::Intervals(Vec::new()));
            }
            _ => {}
        }
        self.path.push(name);
        self.text.clear();
        Ok(())
    }

    fn content(&mut self, content: Content) {
        if let Some(entry) = &mut self.entry {
            entry.content = content;
        }
    }

    fn link(&mut self, tag: &BytesStart<'_>, line: u64) -> Result<(), Fault> {
        let Some(entry) = &mut self.entry else { return Ok(()) };
        let mut relation = String::new();
        let mut target = String::new();
        for attribute in tag.attributes() {
            let attribute = attribute
                .map_err(|error| Fault::line(line, format!("has a link that can't be read: {error}")))?;
            let value = attribute.value.trim().to_owned();
            match attribute.key.local_name().as_ref() {
                "rel" => relation = value,
                "href" => target = value,
                _ => {}
            }
        }
        match relation.as_str() {
            "self" => entry.link_self = target,
            "up" => entry.link_up.push(target),
            "related" => entry.link_related.push(target),
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, line: u64) -> Result<(), Fault> {
        let Some(name) = self.path.pop() else {
            return Err(Fault::line(line, "closes an element that was not opened"));
        };
        let parent = self.path.last().map(String::as_str).unwrap_or_default();
        let text = std::mem::take(&mut self.text).trim().to_owned();
        match (parent, name.as_str()) {
            ("ServiceCategory", "kind") => {
                if let Some(Entry { content: Content::UsagePoint { is_electricity }, .. }) = &mut self.entry {
                    *is_electricity = text == "0";
                }
            }
            ("ReadingType", "uom") => self.reading_type.unit = text,
            ("ReadingType", "flowDirection") => self.reading_type.flow_direction = text,
            ("ReadingType", "accumulationBehaviour") => self.reading_type.accumulation = text,
            ("ReadingType", "powerOfTenMultiplier") => {
                self.reading_type.power_of_ten = number(&text, "powerOfTenMultiplier", line)?
            }
            (_, "ReadingType") => {
                let reading_type = std::mem::take(&mut self.reading_type);
                self.content(Content::ReadingType(reading_type));
            }
            ("IntervalReading", "value") => self.interval.value = Some(text).filter(|text| !text.is_empty()),
            ("ReadingQuality", "quality") if self.path.iter().any(|name| name == "IntervalReading") => {
                self.interval.qualities.push(text)
            }
            ("timePeriod", "start") if self.in_interval() => {
                self.interval.start_unix_s = Some(number(&text, "start", line)?)
            }
            ("timePeriod", "duration") if self.in_interval() => {
                self.interval.seconds = number(&text, "duration", line)?
            }
            (_, "IntervalReading") => self.end_of_interval(line)?,
            (_, "entry") => self.entries.extend(self.entry.take()),
            _ => {}
        }
        Ok(())
    }

    /// A block has a time of its own.
    fn in_interval(&self) -> bool {
        self.path.iter().rev().nth(1).is_some_and(|name| name == "IntervalReading")
    }

    fn end_of_interval(&mut self, line: u64) -> Result<(), Fault> {
        let interval = std::mem::take(&mut self.interval);
        if interval.seconds == 0 {
            return Err(Fault::line(
                line,
                "ends an interval without a duration; it is not known how long it is",
            ));
        }
        if interval.start_unix_s.is_none() {
            return Err(Fault::line(line, "ends an interval without a start; it is not known when it was"));
        }
        match &mut self.entry {
            Some(Entry { content: Content::Intervals(intervals), .. }) => intervals.push(interval),
            _ => return Err(Fault::line(line, "ends an interval outside of an IntervalBlock of an entry")),
        }
        Ok(())
    }
}

fn number<T: std::str::FromStr>(text: &str, name: &str, line: u64) -> Result<T, Fault> {
    text.parse()
        .map_err(|_| Fault::line(line, format!("has {} as {name}, which is no whole number", quoted(text))))
}
