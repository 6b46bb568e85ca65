//! Pages as files: their language, and one that is there already is never overwritten.

use crate::failure::Failure;
use clap::ValueEnum;
use std::path::Path;
use veilgrid_market::{Outcome, SumKind};
use veilgrid_pages::rounds::Ended;
use veilgrid_pages::{ChartError, Language};
use veilgrid_store::files::write_new;

/// The language of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PageLanguage {
    /// English
    En,
    /// German
    De,
}

impl From<PageLanguage> for Language {
    fn from(language: PageLanguage) -> Self {
        match language {
            PageLanguage::En => Self::English,
            PageLanguage::De => Self::German,
        }
    }
}

/// Refuses a page's file that exists, before the work that the page would be about.
///
/// # Errors
/// It exists.
pub fn refuse_existing(path: Option<&Path>) -> Result<(), Failure> {
    match path.filter(|path| path.exists()) {
        Some(path) => Err(Failure::file(path, "exists already; name a new file, nothing is overwritten")),
        None => Ok(()),
    }
}

/// Writes a page, whole or not at all.
///
/// # Errors
/// A picture that can't be drawn, a file that exists or can't be written.
pub fn write(path: &Path, page: Result<String, ChartError>) -> Result<(), Failure> {
    let page = page.map_err(|error| Failure::file(path, error))?;
    write_new(path, page.as_bytes()).map_err(Failure::input)
}

/// How a round with an outcome ended, as pages show it.
pub fn cleared(outcome: &Outcome) -> Ended {
    Ended::Cleared {
        prices_mct_per_kwh: outcome
            .trade
            .map(|trade| (trade.buy_price_mct_per_kwh, trade.sell_price_mct_per_kwh)),
        volume_wh: outcome.volume_wh,
    }
}

/// An opened sum, as pages name it: the same as in the tables.
pub fn opened(kind: SumKind, tick: i32, value_wh: i64) -> (String, i64) {
    (format!("{kind:?}{tick}"), value_wh)
}
