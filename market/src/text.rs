//! Text files that people hand over: where a row stands, and values of it in messages.

/// Counts lines. The CSV reader's own count stands before the line ends that it skips in front of a row, so that files
/// with CRLF or empty lines would be blamed in the wrong place.
pub(crate) struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    /// From the first line of a file.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, line: 1 }
    }

    /// The line of a row, from 1; rows come in the order of the file.
    pub fn line_of(&mut self, position: Option<&csv::Position>) -> u64 {
        let start = position.map_or(0, |position| usize::try_from(position.byte()).unwrap_or(usize::MAX));
        let after = |at: usize| self.bytes.get(at..).unwrap_or_default();
        let skipped = after(start).iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let row = start.saturating_add(skipped);
        let ends =
            after(self.at).iter().take(row.saturating_sub(self.at)).filter(|byte| **byte == b'\n').count();
        self.line += ends as u64;
        self.at = self.at.max(row);
        self.line
    }
}

/// A value from the file as it goes into a message: short enough for a terminal, and without anything that moves its
/// cursor or changes its colours.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 60;
    let mut shown = String::new();
    for (count, character) in text.chars().enumerate() {
        match character {
            _ if count == MOST => {
                shown.push('…');
                break;
            }
            control if control.is_control() => shown.extend(control.escape_default()),
            other => shown.push(other),
        }
    }
    shown
}
