//! What leaves the program for people and banks: bills as PDF, payments as SEPA files.
//!
//! Values in, bytes out. A bill's PDF is PDF/A-2u with its fonts inside and no time but the bill's date, so that the same bill has the
//! same bytes. What is on it is the bill's: nothing is computed here but how lines are laid out.
#![forbid(unsafe_code)]

pub mod bank;
mod bill;
mod font;
mod pages;

pub use bill::{Papers, bill_pdf};
pub use font::PaperError;
