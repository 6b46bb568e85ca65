//! Meter readings from the XLSX file of energy data that the Austrian portal for energy communities (EDA-Anwenderportal) exports, and that others
//! write after it.
//!
//! A sheet has a column for each series, and above it rows that say what it is. Rows and columns are found by their names and
//! never by their places: `MeteringpointID`, `Energy direction`, `Metercode` in the first column, a column of qualities (L1, L2, L3) behind that of its
//! values. What is read is what the meter counted (codes G.01); shares of the community are left out and told. Times are the begin of
//! a quarter-hour on the clocks of Austria.
#![forbid(unsafe_code)]

mod cells;
mod sheet;
mod workbook;

pub use sheet::{LeftOut, read};
