//! A workbook within bounds. It is an archive: a few kilobytes unpack to as many gigabytes as somebody likes, and two cells at the ends of
//! a sheet span seventeen billion.

use calamine::{Cell, Data, Range, Reader, Xlsx, XlsxError};
use std::collections::BTreeSet;
use std::io::{self, Cursor, Read};
use veilgrid_readings::{Fault, quoted};
use zip::ZipArchive;

/// Most bytes of all parts together.
const MAX_UNPACKED_BYTES: u64 = 512 << 20;
/// Most cells of a sheet, empty ones between others with them: a month of quarter-hours of 2,800 columns.
const MAX_CELLS: u64 = 1 << 23;

/// An opened workbook.
pub(crate) struct Workbook<'f>(Xlsx<Cursor<&'f [u8]>>);

impl<'f> Workbook<'f> {
    /// Opens a file.
    ///
    /// # Errors
    /// What is no workbook, or a larger one than any export.
    pub fn open(file: &'f [u8]) -> Result<Self, Fault> {
        check_unpacked(file, MAX_UNPACKED_BYTES)?;
        calamine::open_workbook_from_rs(Cursor::new(file)).map(Self).map_err(no_workbook)
    }

    /// The names of its sheets.
    pub fn sheets(&self) -> Vec<String> {
        self.0.sheet_names()
    }

    /// The cells of a sheet that are not empty; none of what is no table.
    ///
    /// # Errors
    /// A sheet that can't be read, or is too large.
    pub fn cells(&mut self, sheet: &str) -> Result<Range<Data>, Fault> {
        let fault = |what: &dyn std::fmt::Display| Fault::at(format!("sheet {}", quoted(sheet)), what);
        let mut reader = match self.0.worksheet_cells_reader(sheet) {
            Err(XlsxError::NotAWorksheet(_)) => return Ok(Range::empty()),
            reader => reader.map_err(|error| fault(&error))?,
        };
        let mut cells: Vec<Cell<Data>> = Vec::new();
        let (mut first, mut last) = ((u32::MAX, u32::MAX), (0, 0));
        while let Some(cell) = reader.next_cell().map_err(|error| fault(&error))? {
            let (row, column) = cell.get_position();
            let value = Data::from(cell.get_value().clone());
            if value == Data::Empty {
                continue;
            }
            (first, last) = ((first.0.min(row), first.1.min(column)), (last.0.max(row), last.1.max(column)));
            let (rows, columns) = (u64::from(last.0 - first.0) + 1, u64::from(last.1 - first.1) + 1);
            if rows * columns > MAX_CELLS || cells.len() as u64 == MAX_CELLS {
                return Err(fault(&format!(
                    "has {rows} rows of {columns} columns by row {}, more than the {MAX_CELLS} cells that are read; export a shorter time, or fewer metering points at once",
                    u64::from(row) + 1
                )));
            }
            cells.push(Cell::new((row, column), value));
        }
        Ok(Range::from_sparse(cells))
    }

    /// The places of a sheet's formulas, row and column from 0.
    ///
    /// # Errors
    /// A sheet that can't be read.
    pub fn formulas(&mut self, sheet: &str) -> Result<BTreeSet<(u32, u32)>, Fault> {
        let fault = |error: XlsxError| Fault::at(format!("sheet {}", quoted(sheet)), error);
        let mut reader = self.0.worksheet_cells_reader(sheet).map_err(fault)?;
        let mut places = BTreeSet::new();
        while let Some(cell) = reader.next_formula().map_err(fault)? {
            if !cell.get_value().is_empty() {
                places.insert(cell.get_position());
            }
        }
        Ok(places)
    }
}

fn no_workbook(error: impl std::fmt::Display) -> Fault {
    Fault::at("the file", format!("is no XLSX workbook: {error}"))
}

/// Unpacks all parts and keeps nothing: what an archive says of its lengths is not to be believed.
fn check_unpacked(file: &[u8], most: u64) -> Result<(), Fault> {
    let mut archive = ZipArchive::new(Cursor::new(file)).map_err(no_workbook)?;
    let mut unpacked = 0;
    for place in 0..archive.len() {
        let part = archive.by_index(place).map_err(no_workbook)?;
        unpacked += io::copy(&mut part.take(most - unpacked + 1), &mut io::sink()).map_err(no_workbook)?;
        if unpacked > most {
            return Err(Fault::at(
                "the file",
                format!(
                    "unpacks to more than {most} bytes, which no export of energy data does; export a shorter time at once"
                ),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_unpacks_to_more_than_it_may_is_refused() {
        let file = include_bytes!("../tests/fixtures/portal.xlsx");
        assert_eq!(check_unpacked(file, MAX_UNPACKED_BYTES), Ok(()));
        let fault = check_unpacked(file, file.len() as u64).expect_err("packed");
        assert!(fault.to_string().contains("unpacks to more than"), "{fault}");
    }
}
