//! Pages for people: a day and an audit, each as one HTML file with pictures.
//!
//! Values in, text out. A page loads nothing from anywhere and runs no code: its content security policy allows its own style
//! sheet, named by its hash, and nothing else. Every text that comes in is escaped. Pictures are SVG with a title for screen
//! readers, and every picture has its figures in a table beside it.
//!
//! ```
//! use veilgrid_pages::{Language, audit::{AuditPage, Verdict}};
//!
//! let page = AuditPage {
//!     file: "ledger.vgl".to_owned(),
//!     verdict: Verdict::Violation("block 7: the state root is another".to_owned()),
//!     facts: Vec::new(),
//!     checked: Vec::new(),
//!     rounds: None,
//! };
//! let html = page.to_html(Language::English)?;
//! assert!(html.contains("the state root is another"));
//! # Ok::<(), veilgrid_pages::ChartError>(())
//! ```

pub mod audit;
mod chart;
pub mod day;
mod frame;
mod language;
pub mod rounds;

pub use chart::ChartError;
pub use language::Language;
