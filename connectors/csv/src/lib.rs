//! Meter readings from CSV in the shapes that people have: one line per meter and interval, any delimiter, decimal mark, zone, unit and order
//! of columns.
//!
//! What a file's first lines show with certainty is detected; what they leave open is asked for by an option, with the options in
//! the message; nothing is guessed. [`Layout::detect`] looks at the first lines, [`Rows`] then reads line by line in bounded memory and
//! can go on from a [`Place`].
#![forbid(unsafe_code)]

mod columns;
mod detect;
mod grades;
mod marks;
mod options;
mod repeated;
mod rows;
mod source;
mod stamp;

pub use detect::Layout;
pub use options::{DateOrder, HalfOfHour, Options, Role, Sign, StampIs};
pub use rows::{Place, Rows};
